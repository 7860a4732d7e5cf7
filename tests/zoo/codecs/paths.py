"""Channels of a few paths, on no grid, to try codecs with."""

import numpy as np

N_C = 256


def channels(num, array=(16,), num_delay=16, paths=4, seed=0, last=0):
    """Complex `[num, N_t, num_delay]` of norm 1: unitary transforms of path sums."""
    rng = np.random.default_rng(seed)
    n, k = [np.arange(size) for size in array], np.arange(N_C)
    h = np.zeros((num, int(np.prod(array)), N_C), np.complex128)
    for _ in range(paths):
        gain = rng.normal(size=(num, 2)) @ [1, 1j] * rng.exponential(size=num)
        steer = np.ones((num, 1))
        for axis in n:
            wave = np.exp(2j * np.pi * rng.random((num, 1)) * axis)
            beam = np.fft.fftshift(np.fft.fft(wave, norm="ortho"), axes=1)
            steer = (steer[:, :, None] * beam[:, None]).reshape(num, -1)
        delay = rng.uniform(-last, num_delay - last - 2, (num, 1))
        taps = np.fft.ifft(np.exp(-2j * np.pi * k * delay / N_C), axis=1)
        h += gain[:, None, None] * steer[:, :, None] * taps[:, None]
    first = num_delay - last
    h = np.concatenate([h[..., :first], h[..., N_C - last :]], axis=-1)
    return h / np.linalg.norm(h, axis=(1, 2), keepdims=True)


def nmse_db(h, h_hat):
    """Global NMSE [dB]."""
    return 10 * np.log10(np.sum(np.abs(h - h_hat) ** 2) / np.sum(np.abs(h) ** 2))
