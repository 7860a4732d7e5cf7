"""metrics.jsonl of a training: one JSON object an epoch."""

from __future__ import annotations

import json
from pathlib import Path

from tfds_builders.untrusted import json_files, sizes
from tfds_builders.untrusted.json_files import COUNT, NUMBER, NUMBER_OR_NONE, record
from zoo import files

SCHEMA = {  # of all lines
    "type": "array",
    "items": record(
        {"epoch": COUNT},
        {
            "loss": NUMBER_OR_NONE,
            "val_nmse_db": NUMBER,
            "val_sgcs": NUMBER,
            "seconds": NUMBER,
        },
    ),
}


def append(path: Path, epoch: dict) -> None:
    """Append one epoch's record."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(epoch) + "\n")


def read(path: Path) -> list[dict]:
    """All records, a line cut off by a kill left out; none where there is no file.

    Raises:
        ValueError: a line is not JSON, or no record of an epoch.
    """
    if not path.is_file():
        return []
    content = sizes.read_bytes(path)
    try:
        lines = content.decode("utf-8").splitlines(keepends=True)
        records = [json.loads(line) for line in lines if line.endswith("\n")]
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: not lines of JSON ({error})") from error
    json_files.check(path, records, SCHEMA)
    return records


def best(records: list[dict]) -> dict:
    """Record of the epoch whose weights are kept; empty where there is none.

    The last one that was the best so far; records of before do not say so.
    """
    kept = [r for r in records if r.get("best")]
    return kept[-1] if kept else min(records, key=error, default={})


def reached(epoch: dict) -> str:
    """NMSE of a record in words, of eigenvectors SGCS too, or alone as the loss."""
    parts = []
    if "val_sgcs" in epoch:
        parts.append(f"SGCS {epoch['val_sgcs']:.4f}")
    if "val_nmse_db" in epoch:
        parts.append(f"NMSE {epoch['val_nmse_db']:.2f} dB")
    return ", ".join(parts)


def error(epoch: dict) -> float:
    """What the best of several runs has least of: NMSE in dB, or 1 - SGCS."""
    return epoch["val_nmse_db"] if "val_nmse_db" in epoch else 1 - epoch["val_sgcs"]


def rewind(path: Path, epochs: int) -> None:
    """Drop records after the given number of epochs (left by a killed run)."""
    kept = [r for r in read(path) if r["epoch"] <= epochs]
    files.write_text(path, "".join(json.dumps(r) + "\n" for r in kept))
