"""Eigenvectors of data sets: stored ones, and those of CSI against the simulator's."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tfds_builders import subbands
from tfds_builders.own.antenna_array import AntennaArray
from tfds_builders.tr38901 import examples
from zoo.data import eigenmodes, splits
from zoo.data.eigenmodes import PortArray


def test_stored_eigenvectors_are_read(eigen_config):
    modes = eigenmodes.load(eigen_config, "test", phase="sequential")
    builder = splits.open_builder(eigen_config.dataset, eigen_config.data_dir)
    simulation, seed = builder.builder_config.simulation, builder.builder_config.seed
    features = examples.block_examples(simulation, seed, 2, 0)
    stored = (
        features["eigenvectors"][:20, ..., 0]
        + 1j * (features["eigenvectors"][:20, ..., 1])
    )
    assert modes.vectors.shape == (20, 13, 32, 2) and modes.values.shape == (20, 13, 2)
    expected = subbands.with_phase(stored, "sequential")
    np.testing.assert_allclose(modes.vectors, expected, atol=1e-5)
    np.testing.assert_allclose(modes.values, features["eigenvalues"][:20], rtol=1e-5)
    assert eigenmodes.array_of(builder) == PortArray(8, 2, 2, "all")


def test_eigenvectors_of_csi_are_those_of_the_simulator(eigen_config):
    """Taps of the first UE antenna: the ports' order and the subbands must be right."""
    builder = splits.open_builder(eigen_config.dataset, eigen_config.data_dir)
    part = splits.load_split(eigen_config, "test")
    h = part.h[..., 0] + 1j * part.h[..., 1]
    vectors, values = eigenmodes.of_csi(h, eigenmodes.array_of(builder), 13)
    simulated = examples.simulator.block_drops(
        builder._preset.setting, builder.builder_config.seed, 2, 0
    )
    response = examples.simulator.port_frequency(simulated, 52, 52)[:20, :1]
    response = np.moveaxis(response, -1, 1).reshape(20, 13, 4, 1, 32)
    expected, _ = subbands.eigenmodes(response, 1)
    cosine = np.abs(np.sum(vectors.conj() * expected, axis=2))[..., 0]
    assert cosine.shape == (20, 13) and values.shape == (20, 13, 1)
    assert np.median(cosine) > 0.97  # 32 of 624 taps


@pytest.mark.parametrize("sizes", [(4, 2, 2), (8, 1, 1), (3, 4, 1)])
def test_ports_undo_the_beams_of_own_channels(sizes):
    """Two receive antennas, one path each in delay: eigenvectors of all subbands."""
    array = AntennaArray(*sizes)
    rng = np.random.default_rng(1)
    parts = rng.standard_normal((2, 6, 2, array.size))
    h = parts[0] + 1j * parts[1]
    taps = np.zeros((6, 2, array.size, 3), complex)
    taps[..., 1] = h
    beams = np.concatenate([array.beams(taps[:, i]) for i in range(2)], axis=1)
    vectors, values = eigenmodes.of_csi(beams, PortArray(*sizes), 5)
    expected, power = subbands.eigenmodes(h[:, None, None], 2)
    cosine = np.abs(np.sum(vectors.conj() * expected, axis=2))
    np.testing.assert_allclose(cosine, 1, atol=1e-9)
    ratio = values / power
    np.testing.assert_allclose(ratio, np.broadcast_to(ratio[0, 0, 0], ratio.shape))


def test_unusable_requests_are_refused(eigen_config):
    for changes, options, message in (
        ({}, {"num_subbands": 12}, "--num_subbands=12: .* stores 13"),
        ({"csi_noise": "awgn", "test_snr_db": 5.0, "train_snr_db": 5.0}, {}, "clean"),
    ):
        with pytest.raises(ValueError, match=message):
            eigenmodes.load(
                dataclasses.replace(eigen_config, **changes), "test", **options
            )
    with pytest.raises(ValueError, match="9 angles of an array of 8 ports"):
        eigenmodes.of_csi(np.ones((1, 9, 2)), PortArray(8), 5)
