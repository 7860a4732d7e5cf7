"""Fitted grids that a run keeps beside its weights, by bits (`GRIDS`)."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from tfds_builders.untrusted.json_files import OBJECT
from zoo import files
from zoo.codeword import weights_file
from zoo.models.autoencoder import CsiAutoencoder
from zoo.run_directory import RunDirectory

GRIDS = "grids.json"  # of a run: fitted before, by bits
GRID = ("scale", "zero")  # of each codeword entry


class Fit(NamedTuple):
    """A fitted grid and what it costs.

    Attributes:
        bits: B.
        per_entry: whether each codeword entry has a grid of its own.
        width: the grid reaches so many standard deviations; inf: all codewords.
        nmse_float_db: of validation CSI through the real-valued codeword.
        nmse_db: of the same through the bits.
        num_validation: how many CSI.
        error: what both are of, 'NMSE' or, of a network that was trained so, '1-SGCS'.
    """

    bits: int
    per_entry: bool
    width: float
    nmse_float_db: float
    nmse_db: float
    num_validation: int
    error: str = "NMSE"

    def __str__(self) -> str:
        grid = "a grid for each entry" if self.per_entry else "one grid"
        reach = f"to {self.width:g} standard deviations"
        lost = self.nmse_db - self.nmse_float_db
        return (
            f"{self.bits} bits an entry, {grid}, "
            f"{'over all codewords' if self.width == math.inf else reach}: "
            f"{self.error} {self.nmse_db:.2f} dB instead of "
            f"{self.nmse_float_db:.2f} dB ({lost:+.2f} dB, "
            f"{self.num_validation} validation CSI)"
        )

    def to_json(self) -> dict:
        """As JSON, which has no infinity."""
        width = None if self.width == math.inf else self.width
        return self._asdict() | {"width": width}


def kept(model: CsiAutoencoder, found: Fit) -> dict:
    """A network's fitted grid as JSON, as `take` reads it again."""
    # Nine digits are enough for every float32.
    values = [[float(f"{x:.9g}") for x in w.numpy()] for w in model.quantizer.weights]
    return {"fit": found.to_json(), **dict(zip(GRID, values, strict=True))}


def known(run: RunDirectory, bits: int) -> dict | None:
    """Fit and grid of so many bits that a run holds.

    Raises:
        ValueError: its file is damaged.
    """
    path = run.path / GRIDS
    return files.read_json(path, OBJECT).get(str(bits)) if path.is_file() else None


def take(model: CsiAutoencoder, run: RunDirectory, found: dict) -> Fit:
    """Set the grid of a network to one that a run holds.

    Args:
        model: network with a quantiser.
        run: the run.
        found: as of `known`.

    Raises:
        ValueError: it is not one of this network.
    """
    path = run.path / GRIDS
    try:
        for name, weight in zip(GRID, model.quantizer.weights, strict=True):
            values = np.asarray(found[name], np.float32)
            weights_file.check_finite(path, name, values)
            weight.assign(values)
        width = found["fit"]["width"]
        return Fit(**{**found["fit"], "width": math.inf if width is None else width})
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: no grids of this network ({error})") from error
