"""Indices of the Type II codebook <-> bits of TS 38.212, both parts.

Part 1 has the number of nonzero wideband amplitudes of each layer. Part 2 has what is
wideband, then the even subbands, then the odd ones, which may be dropped.
"""

from __future__ import annotations

import math

import numpy as np

from zoo.codecs.codebooks import beams as beam_choice
from zoo.codecs.codebooks import subsets
from zoo.codecs.codebooks.fields import Reader, Report, written
from zoo.codecs.codebooks.panel import POLARISATIONS, width
from zoo.codecs.codebooks.type2 import COARSE_PHASES, WIDEBAND, Pmi, TypeII

WIDEBAND_BITS = 3


def pack(codebook: TypeII, pmi: Pmi) -> list[Report]:
    """Report of each of n channels."""
    fine = codebook.fine(pmi.strongest, pmi.wideband)
    rows = zip(zip(*pmi, strict=True), fine, strict=True)
    return [_packed(codebook, Pmi(*row), own) for row, own in rows]


def unpack(codebook: TypeII, reports: list[Report]) -> Pmi:
    """Indices of reports.

    Raises:
        ValueError: a report that the configuration cannot have.
    """
    rows = [_unpacked(codebook, report) for report in reports]
    return Pmi(*(np.stack(x) for x in zip(*rows, strict=True)))


def _counts(codebook: TypeII) -> tuple[int, int]:
    """Values of i1,1 and i1,2."""
    panel = codebook.panel
    return panel.num_rotations, math.comb(panel.size, codebook.num_beams)


def _rows(codebook: TypeII) -> int:
    """2 L."""
    return POLARISATIONS * codebook.num_beams


def _subbands(codebook: TypeII) -> list[int]:
    """Even, then odd."""
    indices = range(codebook.num_subbands)
    return [*indices[::2], *indices[1::2]]


def _sent(
    codebook: TypeII, strongest: np.ndarray, wideband: np.ndarray, fine: np.ndarray
) -> tuple[list[tuple[int, int, int]], list[tuple[int, int, int]]]:
    """(layer, i, bits) of the phases and of the amplitudes of a subband, in order."""
    sent = wideband > 0
    sent[np.arange(len(strongest)), strongest] = False
    widths = np.where(fine, width(codebook.num_phases), width(COARSE_PHASES))
    phases = [(*at, int(widths[at])) for at in _places(sent)]
    amplitudes = [(*at, 1) for at in _places(sent & fine)]
    return phases, amplitudes if codebook.subband_amplitude else []


def _places(mask: np.ndarray) -> list[tuple[int, int]]:
    return [tuple(at) for at in np.argwhere(mask).tolist()]


def _packed(codebook: TypeII, pmi: Pmi, fine: np.ndarray) -> Report:
    """Report of one channel; arrays without the first axis."""
    rows = _rows(codebook)
    part1 = [
        (int(np.count_nonzero(layer)) - 1, width(rows - 1)) for layer in pmi.wideband
    ]
    numbers = beam_choice.number_of(codebook.panel, pmi.beams).tolist()
    values = int(pmi.rotation), subsets.index_of(numbers, codebook.panel.size)
    part2 = [(x, width(n)) for x, n in zip(values, _counts(codebook), strict=True)]
    for strongest, layer in zip(pmi.strongest.tolist(), pmi.wideband, strict=True):
        part2.append((strongest, width(rows)))
        others = np.delete(layer, strongest).tolist()
        part2 += [(x, WIDEBAND_BITS) for x in others]
    phases, amplitudes = _sent(codebook, pmi.strongest, pmi.wideband, fine)
    for band in _subbands(codebook):
        part2 += [(int(pmi.phase[v, i, band]), size) for v, i, size in phases]
        part2 += [(int(pmi.amplitude[v, i, band]), size) for v, i, size in amplitudes]
    return Report(written(part1), written(part2))


def _unpacked(codebook: TypeII, report: Report) -> Pmi:
    """Indices of one report, without the first axis."""
    counts, reader = Reader(report.part1), Reader(report.part2)
    rows, rank = _rows(codebook), codebook.rank
    nonzero = [1 + counts.below(rows, width(rows - 1)) for _ in range(rank)]
    counts.end()
    rotation, subset = (reader.below(x, width(x)) for x in _counts(codebook))
    numbers = subsets.subset_of(subset, codebook.num_beams, codebook.panel.size)
    beams = beam_choice.beam_of(codebook.panel, np.array(numbers))
    strongest, wideband = np.zeros(rank, np.int64), np.zeros((rank, rows), np.int64)
    for layer in range(rank):
        strongest[layer] = reader.below(rows, width(rows))
        others = [reader.take(WIDEBAND_BITS) for _ in range(rows - 1)]
        wideband[layer] = np.insert(others, strongest[layer], len(WIDEBAND) - 1)
    if np.count_nonzero(wideband, axis=1).tolist() != nonzero:
        raise ValueError(
            f"{np.count_nonzero(wideband, axis=1).tolist()} wideband amplitudes, part "
            f"1 says {nonzero}: the report is damaged"
        )
    fine = codebook.fine(strongest, wideband)
    shape = rank, rows, codebook.num_subbands
    amplitude, phase = np.ones(shape, np.int64), np.zeros(shape, np.int64)
    phases, amplitudes = _sent(codebook, strongest, wideband, fine)
    for band in _subbands(codebook):
        for target, places in ((phase, phases), (amplitude, amplitudes)):
            for layer, i, size in places:
                target[layer, i, band] = reader.take(size)
    reader.end()
    return Pmi(np.int64(rotation), beams, strongest, wideband, amplitude, phase)
