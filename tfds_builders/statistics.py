"""Statistics of angular-delay CSI, sample by sample (NumPy).

CSI is complex `h [n, N_t beams, N_a taps]`, zero-centred. The power of an entry is
|h|^2; a profile is a sample's power summed over the other axis and divided by its
energy, so that every sample weighs the same in a mean profile.

No Rician K factor: one snapshot of 32 antennas and 20 MHz holds too few independent
fades to tell a line of sight from a strong scatterer. The moment method (Greenstein,
Michelson, Erceg, IEEE Commun. Lett. 3(6), 1999), tried on drops with K of -30 and of
-5 dB, gives the same value near 0 dB. `peak_to_rest_db` says what can be said.

Every function raises ValueError for another rank, NaN, infinity or an all-zero sample.
"""

from __future__ import annotations

import numpy as np

STRONGEST = (16, 64, 256)


def _checked(h: np.ndarray, layout: str = "[n, N_t, N_a]") -> np.ndarray:
    """Return `h`, which has the rank of the layout and energy in every sample."""
    h = np.asarray(h)
    if h.ndim != layout.count(",") + 1 or h.dtype.kind not in "fc" or 0 in h.shape:
        raise ValueError(
            f"h must be a non-empty complex {layout}, got {h.dtype} {h.shape}"
        )
    values = h.reshape(len(h), -1)
    for bad, what in (
        (~np.isfinite(values).all(axis=1), "hold NaN or infinity"),
        (~values.any(axis=1), "are all zero"),
    ):
        if bad.any():
            raise ValueError(
                f"{bad.sum()} of {len(h)} samples {what}, the first at index"
                f" {bad.argmax()}: remove them"
            )
    return h


def _power(h: np.ndarray) -> np.ndarray:
    h = _checked(h)
    return np.square(h.real, dtype=np.float64) + np.square(h.imag, dtype=np.float64)


def _share(h: np.ndarray) -> np.ndarray:
    """Power of every entry over the sample's energy, float64, shape of `h`."""
    power = _power(h)
    return power / power.sum(axis=(1, 2), keepdims=True)


def energy(h: np.ndarray) -> np.ndarray:
    """Squared Frobenius norm, float64 `[n]`."""
    return _power(h).sum(axis=(1, 2))


def delay_profile(h: np.ndarray) -> np.ndarray:
    """Power-delay profile: share of the energy in each tap, float64 `[n, N_a]`."""
    return _share(h).sum(axis=1)


def angular_profile(h: np.ndarray) -> np.ndarray:
    """Share of the energy in each beam, float64 `[n, N_t]`."""
    return _share(h).sum(axis=2)


def delay_spread(h: np.ndarray, bandwidth_hz: float = 1.0) -> np.ndarray:
    """Rms delay spread of the taps, seconds, float64 `[n]`; with 1 Hz in taps.

    Square root of the second central moment of the power-delay profile; tap k stands at
    k / bandwidth. What a path between two taps leaks into others counts.
    """
    profile = delay_profile(h)
    taps = np.arange(profile.shape[1])
    mean = profile @ taps
    variance = np.sum(profile * (taps - mean[:, None]) ** 2, axis=1)
    return np.sqrt(variance) / bandwidth_hz


def angular_spread(h: np.ndarray) -> np.ndarray:
    """Circular spread over the N_t DFT beams, in beams, float64 `[n]`.

    N_t / (2 pi) sqrt(-2 ln |r|), r = sum p_i exp(j 2 pi i / N_t): the circular angle
    spread of 3GPP TR 38.901, Annex A, with beams for angles, since DFT beams close into
    a ring. Grows without bound as r vanishes.
    """
    profile = angular_profile(h)
    num_beams = profile.shape[1]
    ring = np.exp(2j * np.pi * np.arange(num_beams) / num_beams)
    length = np.minimum(np.abs(profile @ ring), 1.0)
    with np.errstate(divide="ignore"):
        return num_beams / (2 * np.pi) * np.sqrt(-2 * np.log(length))


def strongest_share(h: np.ndarray, counts: tuple[int, ...] = STRONGEST) -> np.ndarray:
    """Share of the energy in the strongest entries, float64 `[n, len(counts)]`.

    Raises:
      ValueError: a count outside 1..N_t N_a.
    """
    share = _share(h).reshape(len(h), -1)
    if min(counts) < 1 or max(counts) > share.shape[1]:
        raise ValueError(f"counts={counts} must lie in 1..{share.shape[1]} entries")
    cumulative = np.cumsum(-np.sort(-share, axis=1), axis=1)
    return cumulative[:, np.array(counts) - 1]


def peak_to_rest_db(h: np.ndarray) -> np.ndarray:
    """Power of the strongest entry over that of all others, dB, float64 `[n]`.

    Infinite with a single entry. For a line of sight on a beam and a tap it is the K
    factor; anywhere else its leakage counts as rest.
    """
    power = _power(h).reshape(len(h), -1)
    rest = np.sort(power, axis=1)[:, :-1].sum(axis=1)
    with np.errstate(divide="ignore"):
        return 10 * np.log10(power.max(axis=1) / rest)


def describe(h: np.ndarray, bandwidth_hz: float | None) -> dict[str, np.ndarray]:
    """All scalar statistics of `h`: label with unit -> float64 `[n]`.

    Without a bandwidth delays are in taps.
    """
    spread = {"rms delay spread [taps]": delay_spread(h)}
    if bandwidth_hz:
        spread = {"rms delay spread [ns]": 1e9 * delay_spread(h, bandwidth_hz)}
    entries = h.shape[-2] * h.shape[-1]
    shares = strongest_share(h, tuple(c for c in STRONGEST if c <= entries))
    return {
        "energy [dB]": 10 * np.log10(energy(h)),
        **spread,
        "angular spread [beams]": angular_spread(h),
        "peak-to-rest ratio [dB]": peak_to_rest_db(h),
        **{
            f"energy in the strongest {count} [%]": 100 * share
            for count, share in zip(STRONGEST, shares.T, strict=False)
        },
    }


def magnitude_correlation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Pearson correlation of |a| and |b| over the entries of a sample, `[n]`.

    Args:
      a: complex `[n, N_t, N_a]`, for example the downlink.
      b: same shape, for example the uplink of the same drops.
    """
    a, b = (np.abs(_checked(h)).reshape(len(h), -1).astype(np.float64) for h in (a, b))
    a, b = (x - x.mean(axis=1, keepdims=True) for x in (a, b))
    return np.sum(a * b, axis=1) / np.sqrt(np.sum(a**2, axis=1) * np.sum(b**2, axis=1))


def phase_correlation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """|sum a conj(b)| / sum |a| |b| over the entries of a sample, `[n]`.

    One for phases that differ by a constant, near zero for unrelated ones; the
    magnitudes only weigh. Args: as `magnitude_correlation`; NaN if no entry is non-zero
    in both.
    """
    a, b = (_checked(h).reshape(len(h), -1).astype(np.complex128) for h in (a, b))
    with np.errstate(invalid="ignore"):
        return np.abs(np.sum(a * b.conj(), axis=1)) / np.sum(np.abs(a * b), axis=1)


def time_correlation(h: np.ndarray) -> np.ndarray:
    """|<h_0, h_t>| / (||h_0|| ||h_t||) of a moving terminal, float64 `[n, T]`.

    Args:
      h: complex `[n, T, N_t, N_a]`.
    """
    h = _checked(h, "[n, T, N_t, N_a]").reshape(*h.shape[:2], -1)
    h = h.astype(np.complex128)
    inner = np.abs(np.einsum("ne,nte->nt", h[:, 0].conj(), h))
    norm = np.linalg.norm(h, axis=2)
    with np.errstate(invalid="ignore"):
        return inner / (norm[:, :1] * norm)


def pairs(downlink: np.ndarray, uplink: np.ndarray) -> dict[str, np.ndarray]:
    """Both correlations of `h` at two carriers: label -> float64 `[n]`."""
    return {
        "magnitude correlation": magnitude_correlation(downlink, uplink),
        "phase correlation": phase_correlation(downlink, uplink),
    }
