"""data.json of a run directory: what was read for the training, and its scaling."""

from __future__ import annotations

from pathlib import Path

from tfds_builders.untrusted.json_files import (
    NUMBER_OR_NONE,
    POSITIVE,
    TEXT,
    TEXT_OR_NONE,
    record,
)
from zoo import files
from zoo.data.exchange_header import HEADER

NAME = "data.json"
SCALING = record({"scale": TEXT_OR_NONE, "constant": NUMBER_OR_NONE, "says": TEXT})
SCHEMA = record(
    {
        "train": TEXT,
        "validation": TEXT,
        "weights_trained_on": TEXT_OR_NONE,
        "normalisation": SCALING,
    },
    {  # of a side that trained apart
        "exchange": {"type": "array", "items": HEADER},
        "num_train": POSITIVE,
    },
)


def read(path: Path) -> dict:
    """Data sets and parts by name, and `normalisation`, how channels are scaled.

    Raises:
        FileNotFoundError: no such file.
        ValueError: it is not such a record; the message names what is wrong.
    """
    return files.read_json(path, SCHEMA)
