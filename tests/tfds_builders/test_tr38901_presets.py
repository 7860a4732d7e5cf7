"""TR 38.901 presets: examples, pairs of carriers, eigenvectors."""

from __future__ import annotations

import numpy as np
import pytest

from tfds_builders import transforms
from tfds_builders.tr38901 import examples, presets, simulator


def test_carriers_share_all_but_their_phases():
    preset = presets.load_preset("dualnet_umi_nlos_fdd")
    magnitude, shuffled, phase = [], [], []
    for block in range(3):
        features = examples.block_examples(
            {"preset": "dualnet_umi_nlos_fdd", "release": "v16"}, 5, 0, block
        )
        down, up = (
            transforms.from_unit_range(features[f"csi{n}"], features[f"scale{n}"])
            for n in ("", "_uplink")
        )
        flat = [np.abs(h).reshape(len(h), -1) for h in (down, up)]
        magnitude += [np.corrcoef(a, b)[0, 1] for a, b in zip(*flat, strict=True)]
        other = np.roll(flat[1], 1, axis=0)
        shuffled += [
            np.corrcoef(a, b)[0, 1] for a, b in zip(flat[0], other, strict=True)
        ]
        cosines = [np.cos(np.angle(h)).reshape(len(h), -1) for h in (down, up)]
        phase += [np.corrcoef(a, b)[0, 1] for a, b in zip(*cosines, strict=True)]
    assert 0.70 < np.mean(magnitude) < 0.85 and np.mean(shuffled) < 0.45
    assert abs(np.mean(phase)) < 0.02
    assert preset.uplink_hz == 2.0e9 and preset.setting.carrier_hz == 2.1e9


@pytest.mark.parametrize("name", presets.preset_names())
def test_examples_of_every_preset(name):
    simulation = {"preset": name, "release": "v16"}
    first = examples.block_examples(simulation, 1, 2, 0)
    for value in first.values():
        assert value.dtype == np.float32 and np.isfinite(value).all()
    preset = presets.load_preset(name)
    assert first["csi"].shape == (100, 32, len(preset.taps), 2)
    assert first["csi"].min() >= 0 and first["csi"].max() <= 1
    h = transforms.from_unit_range(first["csi"], np.float32(1))
    truncated = transforms.delay_to_frequency(h, 257, 125, preset.last_taps)
    truth = first["csi_freq"][..., 0] + 1j * first["csi_freq"][..., 1]
    rho = np.abs(np.sum(truncated * np.conj(truth), axis=1))
    rho /= np.linalg.norm(truncated, axis=1) * np.linalg.norm(truth, axis=1)
    assert np.median(rho) > (0.93 if len(preset.taps) == 32 else 0.6)
    if preset.num_subbands:
        v = first["eigenvectors"][..., 0] + 1j * first["eigenvectors"][..., 1]
        assert v.shape == (100, 13, 32, len(preset.setting.ue))
        np.testing.assert_allclose(np.linalg.norm(v, axis=2), 1, atol=1e-5)
        assert first["eigenvalues"].shape == (100, 13, len(preset.setting.ue))


def test_examples_are_a_function_of_preset_release_seed_split_and_block():
    simulation = {"preset": "cllw_uma_nlos_28ghz", "release": "v16"}
    first = examples.block_examples(simulation, 1, 0, 0)
    again = examples.block_examples(simulation, 1, 0, 0)
    for key, value in first.items():
        np.testing.assert_array_equal(value, again[key])
    assert first["csi_freq"].shape == (100, 0, 125, 2)
    newer = simulation | {"release": "v19"}
    for what in ((newer, 1, 0, 0), (simulation, 2, 0, 0), (simulation, 1, 3, 0)):
        other = examples.block_examples(*what)
        assert not np.array_equal(other["csi"], first["csi"])


def test_eigenvectors_are_those_of_the_covariance():
    preset = presets.load_preset("r18_dense_urban_4ghz")
    drops = simulator.block_drops(preset.setting, 0, 0, 0)
    v, values = examples.eigenmodes(drops, 13)
    h = simulator.port_frequency(drops, 52, 52)  # [drops, 4, 32, 52]
    for drop, band in ((0, 0), (7, 5), (99, 12)):
        part = np.moveaxis(h[drop, :, :, 4 * band : 4 * band + 4], 2, 0)
        covariance = sum(x.conj().T @ x for x in part) / 4
        expected = np.linalg.eigvalsh(covariance)[:-5:-1]
        np.testing.assert_allclose(values[drop, band], expected, rtol=1e-4)
        found = v[drop, band].conj().T @ covariance @ v[drop, band]
        np.testing.assert_allclose(
            found, np.diag(expected), rtol=1e-4, atol=1e-4 * expected[0]
        )


def test_unknown_preset():
    with pytest.raises(ValueError, match="unknown preset 'lora'"):
        presets.load_preset("lora")
