"""What `benchmarks.eigenvectors` measures, and which rows of its file are that."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from zoo.codecs import eigen_report
from zoo.codecs.eigen_report import EigenReport
from zoo.config import ExperimentConfig
from zoo.data import splits
from zoo.metrics import results_row
from zoo.reporting import results_files

CODECS = ("pursuit", "pursuit_fixed", "klt_coded", "klt_mixture")
DATA = ("dataset", "dataset_config", "dataset_version", "test_data")


def reports(rank: int, payloads: list[int], codecs=CODECS) -> Iterator[EigenReport]:
    """What is sent beside the enhanced Type II codebook, in so many bits."""
    if rank <= 2:
        options = {"num_beams": 4, "num_phases": 8, "subband_amplitude": False}
        yield EigenReport("type2", rank, options=options)
    yield EigenReport("type1", rank)
    for codec in codecs:
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
