"""data.json of a run directory: what was read for the training, and its scaling."""

from __future__ import annotations

from pathlib import Path

from zoo import files

NAME = "data.json"
_TEXT = {"train": str, "validation": str, "weights_trained_on": str | None}
_SCALING = {"scale": str | None, "constant": float | int | None, "says": str}


def read(path: Path) -> dict:
    """Data sets and parts by name, and `normalisation`, how channels are scaled.

    Raises:
        FileNotFoundError: no such file.
        ValueError: it is not such a record; the message names what is wrong.
    """
    value = files.read_json(path)
    _check(path, value, {**_TEXT, "normalisation": dict})
    _check(path, value["normalisation"], _SCALING)
    return value


def _check(path: Path, value, kinds: dict) -> None:
    if not isinstance(value, dict):
        raise ValueError(f"{path}: expected a JSON object, not {value!r:.60}")
    for key, kind in kinds.items():
        if key not in value or not isinstance(value[key], kind):
            found = f"is {value[key]!r:.60}" if key in value else "is missing"
            raise ValueError(f"{path}: {key} {found}; it is no record of a training")
