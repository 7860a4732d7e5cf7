"""Spatial-frequency CSI <-> truncated angular-delay CSI in [0, 1] (NumPy).

Shapes: `h` complex `[..., N_c subcarriers, N_t antennas]` in spatial frequency, `h_a`
complex `[..., N_t angle, delay]` with all delays, `h_t` the same truncated to N_a delay
columns, `csi` float32 `[..., N_t, N_a, 2]` (re, im) in the network's range.

Every domain change is unitary, so energies and NMSE mean the same thing on both
sides. Complex arrays keep their precision: complex64 in, complex64 out. Every function
raises ValueError, naming what it got, for a wrong rank, a non-numeric array, NaN or
Inf; its `Raises` section lists what comes on top.
"""

from __future__ import annotations

import numpy as np


def _checked(h: np.ndarray, layout: str, name: str = "h") -> np.ndarray:
    """Return `h` as a finite complex array with at least two axes."""
    h = np.asarray(h)
    if h.ndim < 2 or 0 in h.shape:
        raise ValueError(f"{name} must be a non-empty {layout}, got shape {h.shape}")
    if h.dtype.kind not in "fciu":
        raise ValueError(f"{name} must be numeric {layout}, got dtype {h.dtype}")
    if not np.isfinite(h).all():
        raise ValueError(
            f"{name} of shape {h.shape} holds NaN or Inf: remove those samples first"
        )
    return h.astype(np.result_type(h.dtype, np.complex64), copy=False)


def _check_columns(first: int, last: int, num_delay: int) -> None:
    if first < 0 or last < 0 or not 0 < first + last <= num_delay:
        raise ValueError(
            f"first={first}, last={last}: both must be >= 0 and their sum must lie in"
            f" 1..{num_delay} delay columns"
        )


def to_angular_delay(h: np.ndarray) -> np.ndarray:
    """Transform `h [..., N_c, N_t]` to `h_a [..., N_t, N_c]`, all delays.

    Unitary inverse DFT over subcarriers (a delay of k samples lands on column k) and
    unitary DFT over antennas with fftshift (broadside lands on row `N_t // 2`).
    """
    h = _checked(h, "[..., N_c, N_t]")
    delay = np.fft.ifft(h, axis=-2, norm="ortho")
    angle = np.fft.fftshift(np.fft.fft(delay, axis=-1, norm="ortho"), axes=-1)
    return np.swapaxes(angle, -1, -2).astype(h.dtype, copy=False)


def to_spatial_frequency(h_a: np.ndarray, num_subcarriers: int) -> np.ndarray:
    """Transform `h_a [..., N_t, delay]` to `h [..., num_subcarriers, N_t]`.

    Exact inverse of `to_angular_delay`; a truncated delay axis is zero-filled at its
    end (call `zero_fill` first where last columns were kept).

    Raises:
      ValueError: more delay columns than subcarriers.
    """
    h_a = zero_fill(h_a, num_subcarriers)
    delay = np.fft.ifft(np.fft.ifftshift(h_a, axes=-2), axis=-2, norm="ortho")
    h = np.fft.fft(delay, axis=-1, norm="ortho")
    return np.swapaxes(h, -1, -2).astype(h_a.dtype, copy=False)


def truncate(h_a: np.ndarray, first: int, last: int = 0) -> np.ndarray:
    """Keep the first Q_f and the last Q_l columns: `h_t [..., N_t, first + last]`.

    The last columns hold what leaks circularly from a path at delay zero.

    Raises:
      ValueError: `first + last` outside 1..number of delay columns.
    """
    h_a = _checked(h_a, "[..., N_t, delay]", "h_a")
    num_delay = h_a.shape[-1]
    _check_columns(first, last, num_delay)
    return np.concatenate([h_a[..., :first], h_a[..., num_delay - last :]], axis=-1)


def zero_fill(h_t: np.ndarray, num_delay: int, last: int = 0) -> np.ndarray:
    """Put truncated columns back in place: `h_a [..., N_t, num_delay]`.

    Inverse of `truncate` up to the dropped columns, which become zero; `last` of the
    columns of `h_t` belong to the end.

    Raises:
      ValueError: more columns than `num_delay`.
    """
    h_t = _checked(h_t, "[..., N_t, N_a]", "h_t")
    first = h_t.shape[-1] - last
    _check_columns(first, last, num_delay)
    h_a = np.zeros((*h_t.shape[:-1], num_delay), h_t.dtype)
    h_a[..., :first] = h_t[..., :first]
    h_a[..., num_delay - last :] = h_t[..., first:]
    return h_a


def kept_energy(h_a: np.ndarray, first: int, last: int = 0) -> np.ndarray:
    """Fraction of each sample's energy that `truncate` keeps, float64 `[...]`.

    Raises:
      ValueError: as `truncate`, or an all-zero sample.
    """
    kept = _energy(truncate(h_a, first, last))
    return kept / _nonzero(_energy(_checked(h_a, "[..., N_t, delay]", "h_a")))


def delay_to_frequency(
    h_t: np.ndarray, num_subcarriers: int, keep: int | None = None, last: int = 0
) -> np.ndarray:
    """Frequency response of each angular bin, complex `[..., N_t angle, keep]`.

    Unitary DFT of length `num_subcarriers` along the delays of `zero_fill`, the first
    `keep` bins (default all). The published COST2100 rho uses 257 and 125.

    Raises:
      ValueError: more delay columns than subcarriers, or `keep` out of range.
    """
    keep = num_subcarriers if keep is None else keep
    if not 0 < keep <= num_subcarriers:
        raise ValueError(f"keep={keep} must lie in 1..{num_subcarriers} subcarriers")
    h_t = zero_fill(h_t, num_subcarriers, last)
    frequency = np.fft.fft(h_t, axis=-1, norm="ortho")[..., :keep]
    return frequency.astype(h_t.dtype, copy=False)


def _energy(h: np.ndarray) -> np.ndarray:
    return np.sum(np.abs(h, dtype=np.float64) ** 2, axis=(-2, -1))


def _peak(h: np.ndarray) -> np.ndarray:
    """Largest |real| or |imaginary| part per sample, in single precision."""
    h = h.astype(np.complex64, copy=False)
    return np.maximum(np.abs(h.real), np.abs(h.imag)).max(axis=(-2, -1))


def _nonzero(value: np.ndarray) -> np.ndarray:
    zeros = np.count_nonzero(value == 0)
    if zeros:
        raise ValueError(
            f"{zeros} of {np.size(value)} samples are all zero: energy fractions and"
            " scales are undefined, remove those samples first"
        )
    return value


def per_sample_scale(h: np.ndarray, norm: float = 0.9) -> np.ndarray:
    """Scale of each sample, float32 `[...]`: `min(norm / ||h||_F, 0.5 / max|re, im|)`.

    Gives zero-centred `h [..., N_t, N_a]` the Frobenius norm `norm` unless that would
    leave [0, 1].

    Raises:
      ValueError: an all-zero sample, or `norm <= 0`.
    """
    if not norm > 0:
        raise ValueError(f"norm={norm} must be positive")
    h = _checked(h, "[..., N_t, N_a]")
    peak = _nonzero(_peak(h)).astype(np.float64)
    return np.minimum(norm / np.sqrt(_energy(h)), 0.5 / peak).astype(np.float32)


def global_scale(h: np.ndarray) -> np.float32:
    """One scale for a whole set `h [..., N_t, N_a]`: `0.5 / max|re, im|`.

    Raises:
      ValueError: everything is zero.
    """
    peak = _peak(_checked(h, "[..., N_t, N_a]")).max()
    return np.float32(0.5 / np.float64(_nonzero(peak)))


def _scale_of(scale: np.ndarray | float, samples: tuple[int, ...]) -> np.ndarray:
    scale = np.asarray(scale, np.float32)
    if scale.shape not in ((), samples):
        raise ValueError(
            f"scale has shape {scale.shape}: give one value or one per sample {samples}"
        )
    if not (np.isfinite(scale).all() and (scale > 0).all()):
        raise ValueError(f"scale must be finite and positive, got {scale.min()}")
    return scale[..., None, None, None]


def to_unit_range(h: np.ndarray, scale: np.ndarray | float) -> np.ndarray:
    """Map zero-centred `h [..., N_t, N_a]` to `csi = 0.5 + scale * (re, im)`, float32.

    `scale` is one value or one per sample. Never clipped: within [0, 1] for
    `per_sample_scale(h)` and for the `global_scale` of a set that holds `h`.

    Raises:
      ValueError: a scale of wrong shape or not positive.
    """
    h = _checked(h, "[..., N_t, N_a]").astype(np.complex64, copy=False)
    parts = np.stack([h.real, h.imag], axis=-1)
    return np.float32(0.5) + _scale_of(scale, h.shape[:-2]) * parts


def from_unit_range(csi: np.ndarray, scale: np.ndarray | float) -> np.ndarray:
    """Undo `to_unit_range`: zero-centred complex64 `[..., N_t, N_a]`.

    Raises:
      ValueError: a scale of wrong shape or not positive.
    """
    csi = np.asarray(csi, np.float32)
    if csi.ndim < 3 or csi.shape[-1] != 2:
        raise ValueError(f"csi must be real [..., N_t, N_a, 2], got shape {csi.shape}")
    if not np.isfinite(csi).all():
        raise ValueError(f"csi of shape {csi.shape} holds NaN or Inf")
    parts = (csi - np.float32(0.5)) / _scale_of(scale, csi.shape[:-3])
    return np.ascontiguousarray(parts).view(np.complex64)[..., 0]


def orthogonal_pilots(num_antennas: int, length: int) -> np.ndarray:
    """Pilots X with `X X^H = I`, complex64 `[N_t, T_p]`: rows of the unitary DFT.

    Raises:
      ValueError: fewer pilot symbols `length` than antennas.
    """
    if not 1 <= num_antennas <= length:
        raise ValueError(
            f"length={length} pilot symbols cannot be orthogonal over"
            f" num_antennas={num_antennas}: use 1 <= num_antennas <= length"
        )
    phase = np.outer(np.arange(num_antennas), np.arange(length)) / length
    return (np.exp(-2j * np.pi * phase) / np.sqrt(length)).astype(np.complex64)


def ls_estimate(y: np.ndarray, pilots: np.ndarray) -> np.ndarray:
    """Least-squares estimate `[..., N_c, N_t]` from pilots (CLLWCsiNet II-C/D).

    `y = H X + Z [..., N_c, T_p]` with pilots `X [N_t, T_p]`, `X X^H = I`, gives
    `y X^H = H + Z X^H`: white noise of Z stays white with the same variance.

    Raises:
      ValueError: shapes that do not fit, or pilots without orthonormal rows.
    """
    y = _checked(y, "[..., N_c, T_p]", "y")
    pilots = _checked(pilots, "[N_t, T_p]", "pilots")
    if pilots.ndim != 2 or pilots.shape[-1] != y.shape[-1]:
        raise ValueError(
            f"pilots {pilots.shape} must be [N_t, T_p] with the T_p={y.shape[-1]} of y"
        )
    gram = pilots @ pilots.conj().T
    if not np.allclose(gram, np.eye(len(pilots)), atol=1e-4):
        raise ValueError(
            "pilots must have orthonormal rows (X X^H = I): use orthogonal_pilots"
        )
    return y @ pilots.conj().T
