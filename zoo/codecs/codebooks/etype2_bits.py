"""Indices of the enhanced Type II codebook <-> bits of TS 38.212, both parts.

Part 1 has the number of nonzero coefficients. Part 2 has three groups, so that the last
may be dropped: the beams and the strongest coefficients; the taps, the references and
the half of the coefficients of higher priority; the other half (TS 38.214, 5.2.3).
"""

from __future__ import annotations

import math

import numpy as np

from zoo.codecs.codebooks import beams as beam_choice
from zoo.codecs.codebooks import subsets
from zoo.codecs.codebooks.etype2 import AMPLITUDES, EnhancedTypeII, Pmi
from zoo.codecs.codebooks.fields import Reader, Report, written
from zoo.codecs.codebooks.panel import POLARISATIONS, width

REFERENCE_BITS, AMPLITUDE_BITS, PHASE_BITS = 4, 3, 4
FULL = 15  # reference of the strongest coefficient's polarisation, never sent


def pack(codebook: EnhancedTypeII, pmi: Pmi) -> list[Report]:
    """Report of each of n channels."""
    return [_packed(codebook, Pmi(*row)) for row in zip(*pmi, strict=True)]


def unpack(codebook: EnhancedTypeII, reports: list[Report]) -> Pmi:
    """Indices of reports.

    Raises:
        ValueError: a report that the configuration cannot have.
    """
    rows = [_unpacked(codebook, report) for report in reports]
    return Pmi(*(np.stack(x) for x in zip(*rows, strict=True)))


def most_bits(codebook: EnhancedTypeII) -> int:
    """Bits of part 2 of the longest report."""
    nonzero, rank = codebook.most_of_all, codebook.rank
    shared = sum(width(count) for count in _beam_counts(codebook))
    shared += width(2 * codebook.num_taps) if codebook.windowed else 0
    layer = width(_tap_subsets(codebook)) + _strongest_width(codebook, nonzero)
    layer += REFERENCE_BITS + _rows(codebook) * codebook.num_taps
    return shared + rank * layer + (AMPLITUDE_BITS + PHASE_BITS) * (nonzero - rank)


def _rows(codebook: EnhancedTypeII) -> int:
    """2 L."""
    return POLARISATIONS * codebook.num_beams


def _beam_counts(codebook: EnhancedTypeII) -> tuple[int, int]:
    """Values of i1,1 and i1,2."""
    panel = codebook.panel
    return panel.num_rotations, math.comb(panel.size, codebook.num_beams)


def _tap_places(codebook: EnhancedTypeII) -> int:
    """Places that taps other than 0 may have."""
    return (2 * codebook.num_taps if codebook.windowed else codebook.num_subbands) - 1


def _tap_subsets(codebook: EnhancedTypeII) -> int:
    """Values of i1,6 of a layer."""
    return math.comb(_tap_places(codebook), codebook.num_taps - 1)


def _strongest_width(codebook: EnhancedTypeII, nonzero: int) -> int:
    """Bits of i1,8 of a layer."""
    return width(nonzero if codebook.rank == 1 else _rows(codebook))


def _count_width(codebook: EnhancedTypeII) -> int:
    """Bits of part 1."""
    return width(codebook.most_nonzero * min(codebook.max_rank, 2))


def _jump(codebook: EnhancedTypeII, window: int) -> tuple[int, int]:
    """Last tap before the jump of a window around the last subband, and its size."""
    if not codebook.windowed:
        return codebook.num_subbands, 0
    last = int(window) + 2 * codebook.num_taps - 1
    return last, codebook.num_subbands - 2 * codebook.num_taps


def _priority(codebook: EnhancedTypeII, taps: np.ndarray) -> np.ndarray:
    """Coefficients, flat of `[rank, 2 L, M]`, that of highest priority first."""
    rank, rows = codebook.rank, _rows(codebook)
    turn = np.minimum(2 * taps, 2 * (codebook.num_subbands - taps) - 1)[:, None]
    row, layer = np.arange(rows)[:, None], np.arange(rank)[:, None, None]
    return np.argsort((rows * rank * turn + rank * row + layer).ravel())


def _first_parts(codebook: EnhancedTypeII, nonzero: int) -> tuple[int, int, int]:
    """How much of bitmap, amplitudes and phases is in the second of three groups."""
    entries = codebook.rank * _rows(codebook) * codebook.num_taps
    values = max(0, -(-nonzero // 2) - codebook.rank)
    return entries - nonzero // 2, values, values


def _without_strongest(bitmap: np.ndarray, strongest: np.ndarray) -> np.ndarray:
    """Coefficients whose values are sent, flat bool."""
    sent = bitmap.copy()
    sent[np.arange(len(strongest)), strongest, 0] = False
    return sent.ravel()


def _packed(codebook: EnhancedTypeII, pmi: Pmi) -> Report:
    """Report of one channel; `pmi` without the first axis."""
    nonzero = int(pmi.bitmap.sum())
    order = _priority(codebook, pmi.taps)
    sent = order[_without_strongest(pmi.bitmap, pmi.strongest)[order]]
    lists = [
        [(int(value), size) for value in values.ravel()[places]]
        for values, places, size in (
            (pmi.bitmap, order, 1),
            (pmi.amplitude, sent, AMPLITUDE_BITS),
            (pmi.phase, sent, PHASE_BITS),
        )
    ]
    cuts = _first_parts(codebook, nonzero)
    bitmap, *values = (x[:cut] for x, cut in zip(lists, cuts, strict=True))
    weaker = 1 - pmi.strongest // codebook.num_beams
    references = [
        (int(layer[half]), REFERENCE_BITS)
        for layer, half in zip(pmi.reference, weaker, strict=True)
    ]
    part2 = _group0(codebook, pmi, nonzero) + _tap_fields(codebook, pmi)
    part2 += bitmap + references + sum(values, [])
    part2 += sum((x[cut:] for x, cut in zip(lists, cuts, strict=True)), [])
    return Report(written([(nonzero - 1, _count_width(codebook))]), written(part2))


def _group0(codebook: EnhancedTypeII, pmi: Pmi, nonzero: int) -> list[tuple[int, int]]:
    """Fields i1,1, i1,2 and i1,8."""
    numbers = beam_choice.number_of(codebook.panel, pmi.beams).tolist()
    beams = int(pmi.rotation), subsets.index_of(numbers, codebook.panel.size)
    fields = [
        (value, width(count))
        for value, count in zip(beams, _beam_counts(codebook), strict=True)
    ]
    strongest = pmi.strongest.tolist()
    if codebook.rank == 1:  # which of the nonzero ones at tap 0
        strongest = [int(pmi.bitmap[0, : strongest[0] + 1, 0].sum()) - 1]
    return fields + [(x, _strongest_width(codebook, nonzero)) for x in strongest]


def _tap_fields(codebook: EnhancedTypeII, pmi: Pmi) -> list[tuple[int, int]]:
    """Fields i1,5 and i1,6."""
    fields = []
    if codebook.windowed:
        window = 2 * codebook.num_taps
        fields.append((int(pmi.window) % window, width(window)))
    last, size = _jump(codebook, pmi.window)
    for taps in pmi.taps[:, 1:]:
        places = (taps - np.where(taps > last, size, 0) - 1).tolist()
        index = subsets.index_of(places, _tap_places(codebook))
        fields.append((index, width(_tap_subsets(codebook))))
    return fields


def _unpacked(codebook: EnhancedTypeII, report: Report) -> Pmi:
    """Indices of one report, without the first axis."""
    count, reader = Reader(report.part1), Reader(report.part2)
    nonzero = 1 + count.below(codebook.most_of_all, _count_width(codebook))
    count.end()
    rank, panel = codebook.rank, codebook.panel
    rotation, subset = (reader.below(x, width(x)) for x in _beam_counts(codebook))
    numbers = subsets.subset_of(subset, codebook.num_beams, panel.size)
    strongest = np.array(
        [reader.take(_strongest_width(codebook, nonzero)) for _ in range(rank)]
    )
    window, taps = _read_taps(codebook, reader)
    order = _priority(codebook, taps)
    bits, weaker, values = _read_coefficients(codebook, reader, nonzero)
    bitmap = np.zeros((rank, _rows(codebook), codebook.num_taps), bool)
    bitmap.ravel()[order] = bits
    if rank == 1:
        strongest = np.flatnonzero(bitmap[0, :, 0])[strongest[0] : strongest[0] + 1]
    _check(codebook, bitmap, strongest, weaker, nonzero)
    reference = np.full((rank, POLARISATIONS), FULL)
    half = strongest // codebook.num_beams
    reference[np.arange(rank), 1 - half] = weaker
    sent = order[_without_strongest(bitmap, strongest)[order]]
    amplitude, phase = (np.zeros(bitmap.shape, np.int64) for _ in values)
    amplitude[np.arange(rank), strongest, 0] = len(AMPLITUDES) - 1
    for target, read in zip((amplitude, phase), values, strict=True):
        target.ravel()[sent] = read
    beams = beam_choice.beam_of(panel, np.array(numbers))
    found = np.int64(rotation), beams, np.int64(window), taps, strongest
    return Pmi(*found, bitmap, reference, amplitude, phase)


def _read_taps(codebook: EnhancedTypeII, reader: Reader) -> tuple[int, np.ndarray]:
    """Window and taps `[rank, M]` of fields i1,5 and i1,6."""
    size = 2 * codebook.num_taps
    window = -(-reader.below(size, width(size)) % size) if codebook.windowed else 0
    last, jump = _jump(codebook, window)
    places, subset_count = _tap_places(codebook), _tap_subsets(codebook)
    taps = np.zeros((codebook.rank, codebook.num_taps), np.int64)
    for layer in taps:
        index = reader.below(subset_count, width(subset_count))
        found = np.array(subsets.subset_of(index, len(layer) - 1, places), np.int64)
        layer[1:] = found + 1 + np.where(found + 1 > last, jump, 0)
    return window, taps


def _read_coefficients(
    codebook: EnhancedTypeII, reader: Reader, nonzero: int
) -> tuple[list[int], list[int], list[list[int]]]:
    """Bitmap, references, and amplitudes and phases of what is left of part 2."""
    first, *halves = _first_parts(codebook, nonzero)
    entries, sent = first + nonzero // 2, nonzero - codebook.rank
    sizes = AMPLITUDE_BITS, PHASE_BITS
    bits = [reader.take(1) for _ in range(first)]
    weaker = [reader.take(REFERENCE_BITS) for _ in range(codebook.rank)]
    values = [
        [reader.take(size) for _ in range(half)]
        for size, half in zip(sizes, halves, strict=True)
    ]
    bits += [reader.take(1) for _ in range(entries - first)]
    for read, size in zip(values, sizes, strict=True):
        read += [reader.take(size) for _ in range(sent - len(read))]
    reader.end()
    return bits, weaker, values


def _check(codebook, bitmap, strongest, weaker, nonzero) -> None:
    """Refuse fields that contradict each other."""
    counts, most = bitmap.sum(axis=(1, 2)), codebook.most_nonzero
    if counts.sum() != nonzero or counts.max() > most:
        raise ValueError(
            f"bitmap of {counts.tolist()} coefficients, expected {nonzero} in all and "
            f"{most} of a layer at most: the report is damaged"
        )
    layers = np.arange(len(counts))
    inside = len(strongest) == len(counts) and (strongest < bitmap.shape[1]).all()
    if not (inside and bitmap[layers, strongest, 0].all()):
        raise ValueError("strongest coefficient is none of those at tap 0: damaged")
    if 0 in weaker:
        raise ValueError("reference amplitude 0 is reserved: the report is damaged")
