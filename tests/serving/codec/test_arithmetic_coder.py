"""Arithmetic coder: lossless, near the entropy, robust against bad input."""

from __future__ import annotations

import numpy as np
import pytest

from serving.codec import arithmetic_coder as coder


def _tables(rng, channels: int, symbols: int, total: int = 2**16) -> np.ndarray:
    """Random cumulative frequencies, some symbols very rare."""
    shares = rng.dirichlet(np.full(symbols, 0.1), channels)
    counts = 1 + np.floor(shares * (total - symbols)).astype(np.int64)
    counts[np.arange(channels), counts.argmax(1)] += total - counts.sum(1)
    return np.concatenate([np.zeros((channels, 1), int), counts.cumsum(1)], axis=1)


def _code_length(symbols, tables) -> float:
    shares = np.diff(tables, axis=1) / tables[:, -1:]
    rows = np.arange(len(symbols)) % len(tables)
    return float(-np.log2(shares[rows, symbols]).sum())


@pytest.mark.parametrize(("channels", "symbols"), [(1, 2), (3, 7), (16, 300)])
def test_lossless_and_within_two_bits_of_the_ideal_code(channels, symbols):
    rng = np.random.default_rng(symbols)
    tables = _tables(rng, channels, symbols)
    shares = np.diff(tables, axis=1) / tables[:, -1:]
    for count in (0, 1, 5, 400):
        picked = [rng.choice(symbols, p=shares[m % channels]) for m in range(count)]
        sent = np.array(picked, int)
        payload = coder.encode(sent, tables)
        np.testing.assert_array_equal(coder.decode(payload, tables, count), sent)
        assert len(payload) <= np.ceil((_code_length(sent, tables) + 2.01) / 8)


def test_rarest_symbols_and_the_largest_total():
    total = coder.LARGEST_TOTAL
    tables = np.array([[0, 1, total - 1, total]])
    for symbol in (0, 1, 2):
        sent = np.full(200, symbol)
        payload = coder.encode(sent, tables)
        np.testing.assert_array_equal(coder.decode(payload, tables, 200), sent)


def test_any_bytes_decode_to_some_symbols():
    rng = np.random.default_rng(0)
    tables = _tables(rng, 4, 20)
    for size in (0, 1, 7, 50):
        for _ in range(20):
            symbols = coder.decode(rng.bytes(size), tables, 64)
            assert symbols.shape == (64,)
            assert symbols.min() >= 0 and symbols.max() < 20


@pytest.mark.parametrize(
    ("tables", "word"),
    [
        ([[0, 1, 1]], "rise"),
        ([[1, 2, 3]], "start at 0"),
        ([[0, 2**25]], "no more than"),
        ([0, 1], "expected integers"),
        ([[0.0, 1.0]], "expected integers"),
    ],
)
def test_bad_tables(tables, word):
    with pytest.raises(ValueError, match=word):
        coder.encode(np.zeros(1, int), np.array(tables))


def test_unknown_symbols():
    for symbols in ([3], [-1]):
        with pytest.raises(ValueError, match="expected 0 to 2"):
            coder.encode(np.array(symbols), np.array([[0, 1, 2, 3]]))
