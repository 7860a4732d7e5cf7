"""Pytest plugin: an export of the pursuit for channels of eight antennas."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from serving.codec.angle_delay_grid import AngleDelayGrid
from tests.zoo.codecs.paths import N_C, channels
from tfds_builders.csi_examples import real_pairs
from zoo.codecs import plain
from zoo.config import ExperimentConfig
from zoo.exporting import pursuit_export
from zoo.exporting.pursuit_export import Fitted

BITS = 160
SIZES = {"array": (8,), "num_delay": 8, "paths": 3}
GRID = AngleDelayGrid("ula:8", N_C, 8, oversampling=8)


class PursuitExport(NamedTuple):
    """The files and what they were made of."""

    path: Path
    fitted: Fitted
    codec: dict


def sample_channels(num: int, seed: int = 2) -> np.ndarray:
    """Zero-centred CSI float32 `[num, 8, 8, 2]`."""
    return real_pairs(channels(num, seed=seed, **SIZES))


@pytest.fixture(scope="session")
def pursuit_files(tmp_path_factory) -> PursuitExport:
    """An export of `BITS` bits a report."""
    h = channels(300, seed=1, **SIZES)
    stream = plain.fit([GRID], h, BITS)
    coded = pursuit_export.coded_codec(stream.grid, h, BITS)
    about = {"scale": None, "constant": None, "says": "norm 1"}
    fitted = Fitted(stream, coded, real_pairs(h), about)
    out = tmp_path_factory.mktemp("pursuit") / "export"
    codec = pursuit_export.export(fitted, ExperimentConfig(), out)
    return PursuitExport(out, fitted, codec)
