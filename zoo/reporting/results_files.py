"""The results files of a directory, refused where they are none."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

from tfds_builders.untrusted import json_files
from tfds_builders.untrusted.json_files import (
    COUNT,
    NUMBER,
    NUMBER_OR_NONE,
    OBJECT,
    POSITIVE,
    TEXT,
    TEXT_OR_NONE,
    record,
)
from zoo import files
from zoo.experiments.verdicts import VERDICTS

FOLDERS = (".", "reproduce")  # below the results directory
KEYS = {
    "target": str, "title": str, "note": str, "unit": str, "x": str, "budget": str,
    "entries": list, "claims": list, "commit": str, "date": str, "device": str,
}  # fmt: skip
ENTRY_KEYS = (
    "series",
    "x",
    "ours",
    "ours_by_seed",
    "paper",
    "value",
    "tested_on",
    "line",
    "handicap",
    "runs",
)
LAYERS = {"type": "array", "items": NUMBER, "minItems": 1}
EIGEN_ROW = record(
    {
        "model": TEXT,
        "model_args": OBJECT,
        "dataset": TEXT,
        "dataset_config": TEXT,
        "rank": POSITIVE,
        "num_subbands": POSITIVE,
        "snr_db": NUMBER,
        "num_users": POSITIVE,
        "seed": COUNT,
        "feedback_bits": {**NUMBER_OR_NONE, "minimum": 1},
        "sgcs_by_layer": LAYERS,
        "gcs_by_layer": LAYERS,
        **dict.fromkeys(
            ("sgcs_weighted", "beamforming_loss_db", "rate", "zf_rate"), NUMBER
        ),
        "zf_rate_5_percent": NUMBER,
    },
    {
        "phase": TEXT_OR_NONE,
        "train_data": TEXT_OR_NONE,
        "nmse_db": NUMBER_OR_NONE,
        "feedback_bits_min_max": {
            "type": ["array", "null"], "items": NUMBER, "minItems": 2, "maxItems": 2
        },
    },
)  # fmt: skip
CLAIM_KEYS = "claim", "origin", "verdict", "difference", "paper", "decided", "seeds"


def load(directory: Path) -> dict[Path, dict]:
    """Results of a directory and of `reproduce` in it, by file.

    Raises:
        FileNotFoundError: no such directory.
        ValueError: it has no results, or a file is none.
    """
    if not directory.is_dir():
        raise FileNotFoundError(f"--results={directory}: no such directory")
    folders = [directory / name for name in FOLDERS]
    paths = [p for f in folders for p in sorted(f.glob("*.json"), key=_by_number)]
    if not paths:
        raise ValueError(
            f"--results={directory}: holds no .json, make some with "
            "python -m zoo.reproduce TARGET --json=FILE"
        )
    return {path: read(path) for path in paths}


def read(path: Path) -> dict:
    """Content of a results file.

    Raises:
        FileNotFoundError: no such file.
        ValueError: it is no result.
    """
    content = files.read_json(path)
    _check(path, content)
    return content


def _by_number(path: Path) -> list:
    """Key that sorts figure2 before figure10."""
    return [int(x) if x.isdigit() else x for x in re.split(r"(\d+)", path.name)]


def rows_of(content: dict) -> list[dict]:
    """Rows of a result that is not of zoo.reproduce; one that is a row is its own."""
    return content["rows"] if "rows" in content else [content.get("row", content)]


def sends_eigenvectors(row: dict) -> bool:
    """Whether a row is of eigenvectors: SGCS over bits, not NMSE at a ratio."""
    return row.get("sent") == "eigenvectors"


@contextlib.contextmanager
def complete(path: Path) -> Iterator[None]:
    """Name the file in which a key is missing.

    Raises:
        ValueError: instead of KeyError.
    """
    try:
        yield
    except KeyError as error:
        raise ValueError(
            f"{path}: has no {error}, make it again with the command that wrote it"
        ) from error


def _check(path: Path, content) -> None:
    """Refuse what is no result."""
    keys = set(content) if isinstance(content, dict) else set()
    is_row = "model" in keys and keys & {"nmse_db", "sent"}
    if not (is_row or keys & {"target", "rows", "row"}):
        raise ValueError(
            f"{path}: no result, expected an object with 'target' (zoo.reproduce), "
            "'rows' or 'row', or a row, which has a 'model' and 'nmse_db' or 'sent'"
        )
    if "target" not in content:
        rows = rows_of(content)
        if not isinstance(rows, list) or not rows or not _objects(rows):
            raise ValueError(f"{path}: expected objects in 'rows', or one in 'row'")
        _check_eigen(path, rows)
        return
    for key, kind in KEYS.items():
        if not isinstance(content.get(key), kind):
            raise ValueError(
                f"{path}: {key!r} is {content.get(key)!r}, expected a {kind.__name__} "
                "as zoo.reproduce writes it"
            )
    for name, keys in (("entries", ENTRY_KEYS), ("claims", CLAIM_KEYS)):
        if not _objects(content[name]):
            raise ValueError(f"{path}: expected objects in {name!r}")
        for item in content[name]:
            missing = [key for key in keys if key not in item]
            if missing:
                raise ValueError(f"{path}: {name} without {', '.join(missing)}: {item}")
    for claim in content["claims"]:
        if claim["verdict"] not in VERDICTS:
            raise ValueError(
                f"{path}: verdict {claim['verdict']!r}, expected one of "
                f"{', '.join(VERDICTS)}"
            )


def _check_eigen(path: Path, rows: list[dict]) -> None:
    """Refuse damaged rows of eigenvectors."""
    for number, row in enumerate(rows, 1):
        if not sends_eigenvectors(row):
            continue
        json_files.check(f"{path}: row {number}", row, EIGEN_ROW)
        for key in ("sgcs_by_layer", "gcs_by_layer"):
            if len(row[key]) != row["rank"]:
                raise ValueError(
                    f"{path}: row {number}: {key} is {row[key]}, expected a value of "
                    f"each layer of rank {row['rank']}"
                )


def _objects(items: list) -> bool:
    return all(isinstance(item, dict) for item in items)
