"""Encoder of the enhanced Type II codebook: eigenvectors -> indices (not standardised).

An eigenvector has a free phase in every subband. The encoder turns the subbands until
the chosen delay taps hold as much of it as they can: it projects on the taps, turns
every subband onto the projection, and repeats.
"""

from __future__ import annotations

import numpy as np

from zoo.codecs.codebooks import beams as beam_choice
from zoo.codecs.codebooks.etype2 import (
    AMPLITUDES,
    NUM_PHASES,
    REFERENCES,
    EnhancedTypeII,
    Pmi,
)
from zoo.codecs.codebooks.panel import POLARISATIONS

ROUNDS = 10
BATCH = 256  # channels at once


def encode(codebook: EnhancedTypeII, vectors: np.ndarray, rounds: int = ROUNDS) -> Pmi:
    """Indices of eigenvectors.

    Args:
        codebook: its configuration.
        vectors: complex `[n, N3, P, rank]`; neither norms nor phases of a layer and
            subband matter.
        rounds: projections on the taps; 0: subbands are turned onto what they have most
            in common, and no more.

    Raises:
        ValueError: vectors of another shape, of zeros, or not finite.
    """
    vectors = codebook.panel.check(vectors, codebook.num_subbands, codebook.rank)
    vectors = vectors / np.linalg.norm(vectors, axis=2, keepdims=True)
    parts = [
        _encode(codebook, vectors[start : start + BATCH], rounds)
        for start in range(0, len(vectors), BATCH)
    ]
    return Pmi(*map(np.concatenate, zip(*parts, strict=True)))


def _encode(codebook: EnhancedTypeII, vectors: np.ndarray, rounds: int) -> Pmi:
    """Indices of one batch."""
    rotation, beams, a = beam_choice.choose(codebook.panel, vectors, codebook.num_beams)
    common = np.linalg.eigh(a @ np.swapaxes(a.conj(), -1, -2))[1][..., -1:]
    a = _turned(a, np.sum(common.conj() * a, axis=2, keepdims=True))
    for _ in range(rounds):
        d = _delays(a)
        window, taps = _taps(codebook, d)
        x = np.take_along_axis(d, taps[:, :, None], axis=-1)
        kept = np.zeros_like(d)
        np.put_along_axis(kept, taps[:, :, None], x * _bitmap(codebook, x), axis=-1)
        a, target = (np.fft.ifft(y, axis=-1) for y in (d, kept))
        a = _turned(a, np.sum(target.conj() * a, axis=2, keepdims=True))
    d = _delays(a)
    window, taps = _taps(codebook, d)
    x = np.take_along_axis(d, taps[:, :, None], axis=-1)
    return Pmi(rotation, beams, window, taps, *_quantised(codebook, x))


def _turned(a: np.ndarray, turn: np.ndarray) -> np.ndarray:
    """Coefficients `[n, rank, 2 L, N3]` less the phases of `[n, rank, 1, N3]`."""
    size = np.abs(turn)
    return a * np.where(size > 0, turn.conj() / np.where(size > 0, size, 1), 1)


def _delays(a: np.ndarray) -> np.ndarray:
    """Taps of `a` `[n, rank, 2 L, N3]`, that of the largest coefficient moved to 0."""
    d = np.fft.fft(a, axis=-1)
    num = d.shape[-1]
    largest = np.abs(d).max(axis=2).argmax(axis=-1)[..., None, None]
    return np.take_along_axis(d, (np.arange(num) + largest) % num, axis=-1)


def _taps(codebook: EnhancedTypeII, d: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The window `[n]`, and the taps of most energy in it `[n, rank, M]`, 0 among them.

    Args:
        codebook: M, and whether there is a window.
        d: coefficients over taps `[n, rank, 2 L, N3]`.
    """
    power = np.sum(np.abs(d) ** 2, axis=2)
    power[..., 0] = 0
    num, count = codebook.num_subbands, codebook.num_taps
    window = np.zeros(len(d), np.int64)
    if codebook.windowed:
        starts = -np.arange(2 * count)
        inside = (starts[:, None] + np.arange(2 * count)) % num
        best = np.sort(power[:, :, inside], axis=-1)[..., count + 1 :]
        window = starts[best.sum(axis=(1, -1)).argmax(axis=-1)]
        allowed = np.zeros((len(d), num), bool)
        np.put_along_axis(allowed, inside[-window], True, axis=1)
        power = np.where(allowed[:, None], power, -1)
    power[..., 0] = np.inf
    taps = np.argsort(-power, axis=-1, kind="stable")[..., :count]
    return window, np.sort(taps, axis=-1)


def _strongest(x: np.ndarray) -> np.ndarray:
    """Which `[n, rank]` of the coefficients `[n, rank, 2 L, M]` at tap 0 is largest."""
    return np.abs(x[..., 0]).argmax(axis=-1)


def _bitmap(codebook: EnhancedTypeII, x: np.ndarray) -> np.ndarray:
    """The largest coefficients `[n, rank, 2 L, M]` that may be sent, by rank.

    By rank and not by a threshold: taps of a real row come in pairs of equal size.
    """
    n, rank, rows, taps = x.shape
    size = np.abs(x)
    np.put_along_axis(size[..., 0], _strongest(x)[..., None], np.inf, axis=-1)
    kept = _largest(size.reshape(n, rank, -1), codebook.most_nonzero)
    size = np.where(kept, size.reshape(n, rank, -1), -1).reshape(n, -1)
    kept = kept.reshape(n, -1) & _largest(size, codebook.most_of_all)
    return kept.reshape(n, rank, rows, taps)


def _largest(size: np.ndarray, count: int) -> np.ndarray:
    """Whether an entry is one of so many largest along the last axis."""
    order = np.argsort(-size, axis=-1, kind="stable")[..., :count]
    found = np.zeros(size.shape, bool)
    np.put_along_axis(found, order, True, axis=-1)
    return found


def _quantised(codebook: EnhancedTypeII, x: np.ndarray) -> tuple[np.ndarray, ...]:
    """Last fields of `Pmi` for coefficients `[n, rank, 2 L, M]`, largest at tap 0."""
    n, rank, _, taps = x.shape
    strongest, bitmap = _strongest(x), _bitmap(codebook, x)
    own = np.take_along_axis(x[..., 0], strongest[..., None], axis=-1)[..., None]
    x = x / np.where(own == 0, 1, own)
    np.put_along_axis(x[..., 0], strongest[..., None], 1, axis=-1)  # 0 off all beams
    halves = n, rank, POLARISATIONS, codebook.num_beams, taps
    size = (np.abs(x) * bitmap).reshape(halves)
    largest = size.max(axis=(3, 4))  # of each polarisation
    octaves = np.log2(np.maximum(largest, REFERENCES[1]))
    reference = np.clip(np.rint(15 + 4 * octaves), 1, 15).astype(np.int64)
    relative = size / REFERENCES[reference][..., None, None]
    levels = np.searchsorted((AMPLITUDES[1:] + AMPLITUDES[:-1]) / 2, relative)
    levels = levels.reshape(x.shape)
    bitmap &= relative.reshape(x.shape) >= AMPLITUDES[0] / 2
    phase = np.rint(NUM_PHASES * np.angle(x) / (2 * np.pi)).astype(np.int64)
    phase = np.where(bitmap, phase % NUM_PHASES, 0)
    return strongest, bitmap, reference, np.where(bitmap, levels, 0), phase
