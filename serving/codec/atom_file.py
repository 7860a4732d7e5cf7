"""Tables of a pursuit codec <-> their file (no TensorFlow)."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from serving.codec import tables_file
from serving.codec.angle_delay_grid import AngleDelayGrid
from serving.codec.atom_context import AtomContext
from serving.codec.atom_decoder import AtomDecoder
from serving.codec.atom_stream import AtomTables
from serving.codec.tables_file import CodecTables

KIND = "pursuit"
CONTEXT = "context_"  # before the names of the arrays of a context
MOST = 1024  # atoms of a report that a file may ask for
LARGEST = 1 << 26  # entries of the responses of a grid, likewise


def tables_of(codec: AtomDecoder) -> CodecTables:
    """What a file holds of a codec."""
    facts = {"grid": dataclasses.asdict(codec.grid), "most": codec.most}
    arrays = _arrays(codec.tables)
    if context := arrays.pop("context"):
        arrays |= {CONTEXT + name: x for name, x in _arrays(context).items()}
    return CodecTables(KIND, facts, {name: np.asarray(x) for name, x in arrays.items()})


def _arrays(tables) -> dict:
    """Fields of tables by name."""
    return {x.name: getattr(tables, x.name) for x in dataclasses.fields(tables)}


def decoder_of(tables: CodecTables) -> AtomDecoder:
    """Receiver of what a file holds.

    Raises:
        ValueError, KeyError, TypeError: these are no tables of a pursuit.
    """
    most = tables.facts["most"]
    if not isinstance(most, int) or not 1 <= most <= MOST:
        raise ValueError(f"most={most!r}: expected 1 to {MOST} atoms")
    grid = AngleDelayGrid(**tables.facts["grid"])
    size = grid.num_angles * grid.num_antennas + grid.num_delays * grid.num_delay
    if size > LARGEST:
        raise ValueError(f"a grid of {size} entries: expected {LARGEST} at most")
    arrays = dict(tables.arrays)
    context = {
        name.removeprefix(CONTEXT): arrays.pop(name)
        for name in tables.arrays
        if name.startswith(CONTEXT)
    }
    context = AtomContext(**context) if context else None
    return AtomDecoder(grid, AtomTables(**arrays, context=context), most)


def read(path: str | Path, sha256: str = "") -> AtomDecoder:
    """Receiver of a saved pursuit codec; arguments as `tables_file.read`.

    Raises:
        FileNotFoundError: no such file.
        ValueError: damaged, or another file; the message names it.
    """
    tables = tables_file.read(path, KIND, sha256)
    try:
        return decoder_of(tables)
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise ValueError(f"{path}: damaged tables: {error}") from error
