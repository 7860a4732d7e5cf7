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

from pathlib import Path

from absl import flags

from benchmarks import eigen_rows
from benchmarks.eigen_rows import CODECS
from tfds_builders import cli, locks
from zoo import files
from zoo.codecs import eigen_report
from zoo.codecs.codebooks.etype2 import COMBINATIONS
from zoo.codecs.eigen_report import EigenReport
from zoo.config import ExperimentConfig
from zoo.reporting import results_files

DATASET = "tr38901/r18_dense_urban_2ghz_quick"
FEWER = 0.8  # times the least payload

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


def measured(report: EigenReport, settings: ExperimentConfig, path: Path) -> dict:
    """Row of a report: that of the file, or a new one that it gets."""
    rows = results_files.rows_of(files.read_json(path)) if path.exists() else []
    for row in rows:
        if eigen_rows.is_row(row, report):
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
        eigen_rows.check(path, settings)
        for rank in map(int, _RANKS.value):
            payloads = []
            for combination in map(int, _COMBINATIONS.value):
                options = {"param_combination": combination}
                report = EigenReport("etype2", rank, options=options)
                row = measured(report, settings, path)
                payloads.append(round(row["feedback_bits"]))
            payloads = [round(FEWER * min(payloads)), *sorted(payloads)]
            for report in eigen_rows.reports(rank, payloads, _CODECS.value):
                measured(report, settings, path)


if __name__ == "__main__":
    cli.run(main)
