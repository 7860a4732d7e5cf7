"""Reports in batches: what is told of each sample stays with it."""

from __future__ import annotations

import numpy as np

from zoo.codecs import sending


class Echo:
    """A codec whose report is the number of a sample, and its own noise."""

    def encode(self, h, budget=0, *, noise, target_db):
        assert len(h) == len(noise) <= sending.BATCH and target_db == -10.0
        np.testing.assert_array_equal(h.real, noise)
        return [b"x" * (1 + int(value) % 3 + budget) for value in h.real]

    def decode(self, reports):
        return np.array([len(report) for report in reports], complex)


def test_batches_keep_what_is_told_and_count_every_bit():
    h = np.arange(2 * sending.BATCH + 5).astype(complex)
    h_hat, found = sending.through_bytes(
        Echo(), h, budget=2, noise=h.real, target_db=-10.0
    )
    expected = 3 + np.arange(len(h)) % 3
    np.testing.assert_array_equal(h_hat, expected)
    assert found["feedback_bits"] == 8 * expected.mean()
    assert found["feedback_bits_min_max"] == [24, 40]
    assert found["seconds_per_csi"] >= 0 and found["decode_seconds_per_csi"] >= 0
