"""The pursuit with a fixed number of bits per atom: grid and widths fitted to CSI."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from serving.codec import bitstream
from serving.codec.angle_delay_grid import AngleDelayGrid
from serving.codec.plain_atoms import GROUP, UNIT, PlainAtoms, levels, middles
from zoo.codecs.search import Pursuit, check_number, search

COVERED = 0.9995  # share of the training atoms' energy that a smaller window holds
WIDEST = 12  # bits of a part at most
REACHES = np.round(UNIT * np.geomspace(0.4, 2.5, 14)).astype(int)  # that are tried
LEAST_VALUE_BITS = 2  # of an atom


def fit(grids: Iterable[AngleDelayGrid], h: np.ndarray, bits: int) -> PlainAtoms:
    """The stream that describes the last tenth of training CSI best.

    Args:
        grids: to choose from, each also with a smaller window of delays.
        h: zero-centred training CSI, complex `[n, N_t, N_a]`.
        bits: of a report at most.

    Raises:
        ValueError: bad or fewer than two CSI, or bits for no atom.
    """
    check_number(h)
    num, best = -(-len(h) // 10), None
    for grid in grids:
        if max(grid.num_angles, grid.num_delays) > 1 << bitstream.MAX_BITS:
            continue
        wide = search(grid, h, _most(grid, bits))
        for tried in dict.fromkeys([grid, _narrow(grid, wide)]):
            found = wide if tried is grid else search(tried, h, _most(tried, bits))
            stream = of_found(tried, h[:-num], found[:-num], bits)
            error = _errors(stream, h[-num:], found[-num:]).mean()
            if best is None or error < best[0]:
                best = error, stream
    if best is None:
        raise ValueError(f"no grid of up to {1 << bitstream.MAX_BITS} angles to try")
    return best[1]


def _most(grid: AngleDelayGrid, bits: int) -> int:
    """Atoms that so many bits can hold."""
    position = sum(
        (size - 1).bit_length() for size in (grid.num_angles, grid.num_delays)
    )
    most = bits // (position + LEAST_VALUE_BITS)
    if most < 1:
        raise ValueError(
            f"{bits} bits: expected {position + 8} or more, those of an atom on a grid "
            f"of {grid.num_angles} angles and {grid.num_delays} delays"
        )
    return most


def _narrow(grid: AngleDelayGrid, found: Pursuit) -> AngleDelayGrid:
    """The grid with the smallest window, of 1, 2, 4 ... taps, that covers most."""
    first, last = grid.window
    tap = found.delay.reshape(-1) // grid.oversampling
    energy = np.bincount(tap, np.abs(found.value.reshape(-1)) ** 2, last - first)
    taps = 1
    while taps < last - first:
        inside = np.convolve(energy, np.ones(taps), "valid")
        if inside.max() >= COVERED * energy.sum():
            start = first + int(inside.argmax())
            return replace(grid, window=(start, start + taps))
        taps *= 2
    return grid


def of_found(
    grid: AngleDelayGrid, h: np.ndarray, found: Pursuit, bits: int
) -> PlainAtoms:
    """The best number of atoms, and the best widths for it.

    Args:
        grid: what the atoms are.
        h: the CSI, complex `[n, N_t, N_a]`.
        found: atoms of the CSI, as many as a report may have.
        bits: of a report at most.

    Raises:
        ValueError: bits for no atom.
    """
    parts = np.stack([found.value.real, found.value.imag], -1).astype(np.float32)
    known: dict[tuple, float] = {}
    numbers = range(1, parts.shape[1] + 1)
    fitted = [_of_number(grid, parts[:, :k], bits, known) for k in numbers]
    streams = [stream for stream in fitted if stream]
    if not streams:
        raise ValueError(f"{bits} bits hold no atom: expected more")
    return min(streams, key=lambda stream: _errors(stream, h, found).mean())


def _errors(stream: PlainAtoms, h: np.ndarray, found: Pursuit) -> np.ndarray:
    """Squared error of each CSI: what is left, and what the levels lose."""
    atoms = found[:, : stream.num_atoms]
    sent = stream.indices(atoms.angle, atoms.delay, atoms.value)
    lost = np.abs(stream.atoms(sent)[2] - atoms.value) ** 2
    left = (np.abs(h) ** 2).sum(axis=(1, 2)) - (np.abs(atoms.value) ** 2).sum(axis=1)
    return left + lost.sum(axis=1)


def _of_number(grid, parts: np.ndarray, bits: int, known) -> PlainAtoms | None:
    """Stream of so many atoms, parts float32 `[n, K, 2]`; None: they do not fit."""
    num = parts.shape[1]
    groups = -(-num // GROUP)
    largest = float(np.abs(parts).max())
    narrow = PlainAtoms(grid, num, largest, [UNIT] * (groups - 1), [1] * groups)
    spare = bits // 8 - narrow.payload_bytes
    if spare < 0:
        return None
    widths = _widths(narrow, parts, spare, known)
    first, *reach = _scales(replace(narrow, widths=widths), parts)
    return PlainAtoms(grid, num, first, reach, widths)


def _widths(stream: PlainAtoms, parts: np.ndarray, spare: int, known) -> list[int]:
    """Widths by groups: each byte goes where it lowers the error most.

    Args:
        stream: of one bit a part.
        parts: `[n, K, 2]`.
        spare: bytes to give.
        known: errors by group and width, filled here.
    """
    widths = list(stream.widths)

    def error(i: int, width: int) -> float:
        group = stream.groups[i]
        key = group.start, group.stop, width
        if key not in known:
            last = parts[:, group.start - 1 : group.start]
            before = _sizes(last) if i else np.float32(stream.largest)
            known[key] = _best(parts[:, group], before, width)[0]
        return known[key]

    def cost(i: int) -> int:
        count, size = stream.sections[2 + i][0], bitstream.payload_size
        return size(count, widths[i] + 1) - size(count, widths[i])

    def gain(i: int) -> float:
        saved = error(i, widths[i]) - error(i, widths[i] + 1)
        return saved / max(cost(i), 0.5)

    while wider := [i for i, w in enumerate(widths) if w < WIDEST and cost(i) <= spare]:
        best = max(wider, key=gain)
        spare -= cost(best)
        widths[best] += 1
    return widths


def _scales(stream: PlainAtoms, parts: np.ndarray) -> list[float]:
    """`largest` and `reach`, each fitted behind those before it."""
    before, found = np.float32(stream.largest), []
    for i, (group, width) in enumerate(zip(stream.groups, stream.widths, strict=True)):
        _, reach = _best(parts[:, group], before, width)
        scale = np.float32(reach / UNIT) * before
        found.append(reach if i else float(scale))
        last = levels(parts[:, group][:, -1:], scale, width)
        before = _sizes(middles(last, scale, width))
    return found


def _sizes(parts: np.ndarray) -> np.ndarray:
    return np.sqrt((parts * parts).sum(axis=2, keepdims=True))


def _best(parts: np.ndarray, before: np.ndarray, width: int) -> tuple[float, int]:
    """Squared error per CSI at the best reach, and that reach."""
    tried = []
    for reach in REACHES.tolist():
        scale = np.float32(reach / UNIT) * before
        error = parts - middles(levels(parts, scale, width), scale, width)
        tried.append((float((error * error).sum()) / len(parts), reach))
    return min(tried)
