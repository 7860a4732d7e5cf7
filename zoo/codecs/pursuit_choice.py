"""Which grid and which array serve the training CSI of a pursuit best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from serving.codec.angle_delay_grid import AngleDelayGrid
from zoo.codecs import calibration, pursuit
from zoo.codecs.noise_stop import Noise
from zoo.codecs.pursuit import PursuitCodec
from zoo.codecs.search import check_number

HELD_OUT = 10  # one of so many training CSI decides
ROUNDING = 1e-6  # of the energy of a CSI, above a target that is reached


def choose(
    grids: Sequence[AngleDelayGrid],
    h: np.ndarray,
    bits: float,
    most: int,
    noise: Noise | None = None,
    target_db: float | None = None,
    calibrate: bool = False,
    fixed: bool = False,
) -> PursuitCodec:
    """Codec on the grid that serves training CSI best that it was not fitted to.

    Args:
        grids: to choose from.
        h: zero-centred training CSI, complex `[n, N_t, N_a]`.
        bits: mean bits of a report, where there is no target.
        fixed: whether they are a budget that no report exceeds.
        most: atoms of a report at most, likewise; no more than a CSI has entries.
        noise: of the CSI, as `PursuitCodec.encode` takes it.
        target_db: error of each CSI relative to its energy [dB].
        calibrate: whether gains of the antennas are estimated, and used if they help.

    Raises:
        ValueError: bad or fewer than two CSI, bad noise or target.
    """
    check_number(h)
    most = min(most, h.shape[1] * h.shape[2])
    given = h, bits, most, noise, target_db, fixed
    if calibrate:
        even, uneven = grids[0], calibration.calibrated(grids[0], h)
        gains = _best([even, uneven], *given).grid.gains
        grids = [replace(grid, gains=gains) for grid in grids]
    return _best(grids, *given)


def _best(grids, h, bits, most, noise, target_db, fixed) -> PursuitCodec:
    if len(grids) == 1:
        return _fit(grids[0], h, bits, most, noise, target_db, fixed)
    num = -(-len(h) // HELD_OUT)
    first, last = (
        (h[part], noise[part] if np.ndim(noise) else noise)
        for part in (slice(-num), slice(-num, None))
    )
    codecs = [
        _fit(grid, first[0], bits, most, first[1], target_db, fixed) for grid in grids
    ]
    return min(codecs, key=lambda codec: _cost(codec, *last, bits, target_db))


def _fit(grid, h, bits, most, noise, target_db, fixed) -> PursuitCodec:
    if target_db is not None:
        return pursuit.fit_target(grid, h, target_db, noise=noise)
    by_rate = pursuit.fit_budget if fixed else pursuit.fit
    return by_rate(grid, h, bits, most, noise=noise)


def _cost(codec: PursuitCodec, h, noise, bits, target_db) -> tuple[float, ...]:
    """Error at equal bits, or share of the CSI that miss a target, and bytes to it."""
    if target_db is None:
        return (
            pursuit.norms(h - codec.decode(codec.encode(h, int(bits), noise))).sum(),
        )
    reports = codec.encode(h, noise=noise, target_db=target_db)
    allowed = (10 ** (target_db / 10) + ROUNDING) * pursuit.norms(h)
    missed = pursuit.norms(h - codec.decode(reports)) > allowed
    return missed.mean(), sum(map(len, reports))
