"""Channels of a few clusters between a panel and a UE, drawn without the simulators."""

from __future__ import annotations

import numpy as np

from tfds_builders import subbands


def eigenmodes(n, seed=0, panel=(8, 2), num_subbands=13, layers=2, num_clusters=6):
    """Eigenvectors `[n, subbands, P, layers]` and eigenvalues of Rayleigh clusters.

    52 resource blocks of 15 kHz subcarriers, delay spread 100 ns, azimuths within 30
    degrees, elevations of 10 degrees' deviation, 0.5 and 0.8 wavelengths, 4 receive
    antennas, polarisations independent.
    """
    rng = np.random.default_rng(seed)
    shape = n, num_clusters
    delay = rng.exponential(100e-9, shape)
    power = np.exp(-delay / 100e-9) * 10 ** (-0.3 * rng.standard_normal(shape))
    turns = (
        0.5 * np.sin(np.radians(rng.uniform(-30, 30, shape))),
        0.8 * np.sin(np.radians(10 * rng.standard_normal(shape))),
    )
    first, second = (
        np.exp(2j * np.pi * turn[..., None] * np.arange(size))
        for turn, size in zip(turns, panel, strict=True)
    )
    waves = np.einsum("nca,ncb->ncab", first, second).reshape(*shape, -1)
    parts = rng.standard_normal((2, *shape, 2, 4))
    gains = (parts[0] + 1j * parts[1]) * np.sqrt(power)[..., None, None]
    frequency = 52 / num_subbands / 4 * 180e3 * np.arange(4 * num_subbands)
    turns = np.exp(-2j * np.pi * delay[..., None] * frequency)
    h = np.einsum("ncf,ncx,ncpr->nfrpx", turns, waves, gains)
    h = h.reshape(n, num_subbands, 4, 4, -1)
    return subbands.eigenmodes(h, layers)


def sgcs(v, w):
    """Mean squared cosine of each layer, `[layers]`."""
    inner = np.abs(np.einsum("ntpl,ntpl->ntl", v.conj(), w)) ** 2
    power = [np.sum(np.abs(x) ** 2, axis=2) for x in (v, w)]
    return (inner / (power[0] * power[1])).mean(axis=(0, 1))
