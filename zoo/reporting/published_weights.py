"""Weights of others, evaluated here: in a table of their own, apart from trainings."""

from __future__ import annotations

from pathlib import Path

from zoo.reporting.blocks import KLT, Table
from zoo.reporting.cells import fixed, number, ratio
from zoo.reporting.rate_curves import data_set
from zoo.reporting.results_files import complete, rows_of

ORIGIN, NAME = "published_checkpoint", "published_weights"
COLUMNS = (
    "published weights", "ratio", "evaluated on", "published weights, NMSE [dB]",
    "paper [dB]", f"{KLT} [dB]", "options", "source", "file (SHA-256)",
)  # fmt: skip
NOTE = (
    "Weights that the networks' authors published, imported and evaluated on our own "
    "simulated test CSI; paper is what they print for the released drops. Nobody here "
    "trained them: no row of them is in a table or plot of our trainings."
)


def is_published(row: dict) -> bool:
    """Whether a results row is of weights of others."""
    return row.get("origin") == ORIGIN


def table(content: dict) -> Table:
    """Published weights by data set and length, best first."""
    rows = sorted(
        rows_of(content), key=lambda r: (data_set(r), -r["codeword_dim"], r["nmse_db"])
    )
    return Table(list(COLUMNS), [_cells(row) for row in rows])


def _cells(row: dict) -> list:
    options = ", ".join(f"{k}={v}" for k, v in sorted(row["model_args"].items()))
    hashes = ", ".join(file["sha256"][:12] for file in row["files"])
    return [
        row["model"],
        ratio(row),
        data_set(row),
        fixed(row["nmse_db"]),
        number(row["published_db"]),
        fixed(row["nmse_pca_db"]),
        options,
        row["repository"],
        hashes,
    ]


def blocks(contents: dict[Path, dict]) -> list:
    """Note and table of the published weights in results; nothing where there are none.

    Args:
        contents: results by file; `published_weights.json` of `benchmarks.published`.

    Raises:
        ValueError: a row lacks a key.
    """
    found: list[dict] = []
    for path, content in contents.items():
        if path.stem == NAME:
            with complete(path):
                table(content)
            found += rows_of(content)
    if not found:
        return []
    caption = "Published weights on our simulated drops."
    return [NOTE, table({"rows": found})._replace(caption=caption, name="published")]
