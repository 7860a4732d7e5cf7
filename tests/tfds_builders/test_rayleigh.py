"""Rayleigh-fading taps against the paper's equations and their closed forms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow_datasets as tfds

from tfds_builders import blocks, csi_examples, transforms
from tfds_builders.rayleigh import examples
from tfds_builders.rayleigh import rayleigh_dataset_builder as dataset
from zoo.metrics import accuracy, klt_line

DECAY = {"decay": 4.0}


class RayleighBuilderTest(tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = dataset.Builder
    BUILDER_CONFIG_NAMES_TO_TEST = ["taps_tiny"]
    SPLITS = {"train": 400, "validation": 100, "test": 100}
    EXAMPLE_DIR = str(Path(__file__).parent)  # nothing is read: no dummy data


def test_angular_delay_is_that_of_the_frequency_response():
    """H_in of every subcarrier and antenna, then the 2-D DFT."""
    alpha = examples.block_taps(4.0, 0, 0, 0)[:3]
    n = np.arange(examples.NUM_SUBCARRIERS)[:, None]
    phase = np.exp(-2j * np.pi * n * np.arange(32) / examples.NUM_SUBCARRIERS)
    h_a = transforms.to_angular_delay(np.einsum("nl,xil->xni", phase, alpha))
    ours = examples.angular_delay(alpha)
    np.testing.assert_allclose(ours, transforms.truncate(h_a, 32), atol=1e-9)
    assert transforms.kept_energy(h_a, 32) == pytest.approx(1)


def test_taps_are_independent_with_an_exponential_profile():
    alpha = np.concatenate([examples.block_taps(4.0, 0, 0, i) for i in range(20)])
    assert np.sum(np.abs(alpha) ** 2, axis=2).mean() == pytest.approx(1, rel=0.01)
    profile = np.mean(np.abs(alpha) ** 2, axis=(0, 1))
    np.testing.assert_allclose(profile[1:9] / profile[:8], np.exp(-0.25), rtol=0.05)
    x = alpha[..., :4].reshape(len(alpha), -1)  # of 32 antennas and four taps
    covariance = x.T @ x.conj() / len(x)
    variance = np.diag(covariance).real
    covariance /= np.sqrt(variance * variance[:, None])
    others = covariance[~np.eye(len(covariance), dtype=bool)]
    assert np.abs(others).max() < 5.5 / np.sqrt(len(x))
    assert np.abs(np.mean(x**2, axis=0)).max() < 4 * variance.max() / np.sqrt(len(x))


@pytest.mark.parametrize("dim", [512, 128])
def test_klt_is_the_closed_form(dim):
    parts = [examples.block_examples(DECAY, 0, 0, i)["csi"] for i in range(60)]
    h = np.concatenate(parts) - np.float32(0.5)
    fitted, test = h[:5000], h[5000:]
    energy = np.repeat(examples.powers(4.0), 32) / 32
    lost = 10 * np.log10(1 - np.sort(energy)[::-1][: dim // 2].sum())
    h_hat = klt_line.reconstruct(test, klt_line.fit(fitted, dim))
    nmse_db = accuracy.nmse_db(test, h_hat)
    assert lost < nmse_db < lost + 0.5  # of 5,000 examples


def test_examples():
    train = examples.block_examples(DECAY, 0, 0, 0)
    assert train["csi"].shape == (100, 32, 32, 2) and len(train["csi_freq"][0]) == 0
    again = blocks.simulator_of("rayleigh")(DECAY, 0, 0, 0)
    np.testing.assert_array_equal(train["csi"], again["csi"])
    test = examples.block_examples(DECAY, 0, 2, 0)
    h = csi_examples.channels(test["csi"], np.ones(100))
    whole = transforms.delay_to_frequency(h, 257, 125)  # nothing was truncated
    stored = test["csi_freq"] @ [1, 1j]
    np.testing.assert_allclose(stored, whole, atol=1e-6)
    assert not blocks.k_factors("rayleigh", DECAY, 0, 0, 150).any()
