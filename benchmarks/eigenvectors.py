"""Eigenvectors at equal bits: codebooks, coded KLTs and the pursuit, ranks 1 and 2.

python -m benchmarks.eigenvectors --json=zoo/results/eigenvectors_r18_2ghz.json

The eight parameter combinations of the enhanced Type II codebook say how many bits the
others are asked for: those of its reports in the mean, both parts, as measured. `mean`
codecs take as many in the mean of the training channels, `fixed` ones at most in every
report; one point has fewer, so that curves of a mean reach the least payload. KLTs take
phases that are sequentially aligned, which serve them best.

The file gets each row as soon as it is measured; the same command after a kill goes on.
Rows are those of `zoo.baseline`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from absl import flags

from tfds_builders import cli, locks
from zoo import files
from zoo.codecs import eigen_report
from zoo.codecs.codebooks.etype2 import COMBINATIONS
from zoo.codecs.eigen_report import EigenReport
from zoo.config import ExperimentConfig
from zoo.data import splits
from zoo.metrics import results_row
from zoo.reporting import results_files

DATASET = "tr38901/r18_dense_urban_2ghz_quick"
FEWER = 0.8  # times the least payload
CODECS = ("pursuit", "pursuit_fixed", "klt_coded", "klt_mixture")

DATA = ("dataset", "dataset_config", "dataset_version", "test_data")

_DATASET = flags.DEFINE_string("dataset", DATASET, "data set")
_RANKS = flags.DEFINE_list("ranks", ["1", "2"], "layers of a report")
_COMBINATIONS = flags.DEFINE_list(
    "param_combinations", [str(c) for c in COMBINATIONS], "of etype2"
)
_CODECS = flags.DEFINE_list("codecs", list(CODECS), "beside the codebooks")
_NUM_TEST = flags.DEFINE_integer("num_test", 0, "test channels; 0: all", 0)
_DATA_DIR = flags.DEFINE_string("data_dir", "", "TFDS data directory")
_JSON = flags.DEFINE_string("json", None, "results file, which grows", required=True)
for _name, _known in (
    ("ranks", "1234"),
    ("param_combinations", "".join(map(str, COMBINATIONS))),
):
    flags.register_validator(
        _name,
        lambda given, known=_known: set() < set(given) <= set(known),
        f"expected some of {', '.join(_known)}",
    )
flags.register_validator(
    "codecs",
    lambda given: set(given) <= set(CODECS),
    f"expected some of {', '.join(CODECS)}, or none",
)


def reports(rank: int, payloads: list[int]) -> Iterator[EigenReport]:
    """What is sent beside the enhanced Type II codebook, in so many bits."""
    if rank <= 2:
        options = {"num_beams": 4, "num_phases": 8, "subband_amplitude": False}
        yield EigenReport("type2", rank, options=options)
    yield EigenReport("type1", rank)
    for codec in _CODECS.value:
        name, _, fixed = codec.partition("_fixed")
        phase = "port" if name == "pursuit" else "sequential"
        for bits in payloads:
            own = {"bits": bits, "fixed": codec.endswith("_fixed"), "phase": phase}
            yield EigenReport(name, rank, **own)


def is_row(row: dict, report: EigenReport) -> bool:
    """Whether a row is of a report."""
    wanted = dict(report.options)
    if report.bits:
        rate = "fixed" if report.fixed else "mean"
        wanted |= {"report_bits": report.bits, "rate": rate}
    phase = report.phase if report.name in eigen_report.KLTS else None
    own = row["model"], row["rank"], row.get("phase")
    same = own == (report.name, report.rank, phase)
    return same and wanted.items() <= row["model_args"].items()


def check(path: Path, settings: ExperimentConfig) -> None:
    """Refuse to go on with a file of another measurement.

    Raises:
        ValueError: it is no results file, or has rows of other data.
    """
    if not path.exists():
        return
    rows = results_files.rows_of(results_files.read(path))
    builder = splits.open_builder(settings.dataset, settings.data_dir)
    about, usual = results_row.data_set(settings, builder), EigenReport("type1")
    wanted = {key: about[key] for key in DATA} | {
        "sent": "eigenvectors", "seed": settings.seed,
        "snr_db": usual.snr_db, "num_users": usual.num_users,
    }  # fmt: skip
    for row in rows:
        for key, value in wanted.items():
            if row.get(key) != value:
                raise ValueError(
                    f"--json={path}: has a row with {key} {row.get(key)!r}, expected "
                    f"{value!r}: give another file"
                )


def measured(report: EigenReport, settings: ExperimentConfig, path: Path) -> dict:
    """Row of a report: that of the file, or a new one that it gets."""
    rows = results_files.rows_of(files.read_json(path)) if path.exists() else []
    for row in rows:
        if is_row(row, report):
            return row
    row = eigen_report.evaluate(report, settings)
    print(_line(row), flush=True)
    content = {"rows": [*rows, row], **files.environment(), "origin": "ours"}
    files.write_json(path, content)
    return row


def _line(row: dict) -> str:
    layers = " ".join(f"{x:.4f}" for x in row["sgcs_by_layer"])
    about = f"{row['model']} {row['model_args']} rank {row['rank']}"
    return f"{about}: {row['feedback_bits']:.1f} bits, SGCS {layers}"


def main(argv: list[str]) -> None:
    cli.refuse_arguments(argv)
    path = Path(_JSON.value)
    settings = ExperimentConfig(
        dataset=_DATASET.value, data_dir=_DATA_DIR.value, num_test=_NUM_TEST.value
    )
    with locks.alone_for(path):
        check(path, settings)
        for rank in map(int, _RANKS.value):
            payloads = []
            for combination in map(int, _COMBINATIONS.value):
                options = {"param_combination": combination}
                report = EigenReport("etype2", rank, options=options)
                row = measured(report, settings, path)
                payloads.append(round(row["feedback_bits"]))
            payloads = [round(FEWER * min(payloads)), *sorted(payloads)]
            for report in reports(rank, payloads):
                measured(report, settings, path)


if __name__ == "__main__":
    cli.run(main)
