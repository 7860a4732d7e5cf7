"""Fit of the plain stream: its bits, its widths, its grid."""

import dataclasses

import numpy as np
import pytest

from serving.codec.angle_delay_grid import AngleDelayGrid
from tests.zoo.codecs.paths import N_C, channels, nmse_db
from zoo.codecs import plain
from zoo.codecs.search import search

SIZES = {"array": (8,), "num_delay": 8, "paths": 3}
TRAIN, TEST = channels(300, seed=1, **SIZES), channels(100, seed=2, **SIZES)
GRID = AngleDelayGrid("ula:8", N_C, 8, oversampling=4)


def sent(stream, h):
    found = search(stream.grid, h, stream.num_atoms)
    payloads = stream.encode(found.angle, found.delay, found.value)
    return stream.decode(payloads)


@pytest.mark.parametrize("bits", [40, 96, 200])
def test_a_report_has_the_bits_at_most(bits):
    stream = plain.fit([GRID], TRAIN, bits)
    assert bits - 32 < 8 * stream.payload_bytes <= bits
    assert list(stream.widths) == sorted(stream.widths, reverse=True)


def test_more_bits_are_a_finer_channel():
    reached = [
        nmse_db(TEST, sent(plain.fit([GRID], TRAIN, b), TEST)) for b in (40, 200)
    ]
    assert reached[0] < -3 and reached[1] < reached[0] - 8


def test_widths_that_differ_are_better_than_equal_ones():
    stream = plain.fit([GRID], TRAIN, 200)
    parts = 2 * stream.num_atoms
    equal = [sum(n * w for n, w in stream.sections[2:]) // parts] * len(stream.widths)
    even = dataclasses.replace(stream, widths=equal)
    assert nmse_db(TEST, sent(stream, TEST)) < nmse_db(TEST, sent(even, TEST)) - 0.5


def test_a_window_is_chosen_where_delays_are_few():
    """Atoms of taps 1 and 2: a window of two or four taps that holds them."""
    rng = np.random.default_rng(0)
    angle, delay = rng.integers(32, size=(300, 2)), rng.integers(12, 20, size=(300, 2))
    gain = rng.normal(size=(300, 2, 2)) @ [1, 1j]
    h = np.einsum("nk,nkt,nka->nta", gain, GRID.angles[angle], GRID.delays[delay])
    first, last = plain.fit([GRID], h, 60).grid.window
    assert first <= 1 and last >= 3 and last - first in (2, 4)


def test_the_better_grid_is_taken():
    fine = dataclasses.replace(GRID, oversampling=16)
    coarse = dataclasses.replace(GRID, oversampling=2)
    stream = plain.fit([coarse, fine], TRAIN, 200)
    assert stream.grid.oversampling == 16


def test_too_few_bits_are_refused():
    with pytest.raises(ValueError, match="8 bits: expected 19 or more"):
        plain.fit([GRID], TRAIN, 8)
