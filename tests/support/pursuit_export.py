"""Pytest plugin: an export of the pursuit for channels of eight antennas."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.pursuit_channels import BITS, GRID, SIZES
from tests.zoo.codecs.paths import channels
from tfds_builders.csi_examples import real_pairs
from zoo.codecs import plain
from zoo.config import ExperimentConfig
from zoo.exporting import pursuit_export
from zoo.exporting.pursuit_export import Fitted


class PursuitExport(NamedTuple):
    """The files and what they were made of."""

    path: Path
    fitted: Fitted
    codec: dict


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
