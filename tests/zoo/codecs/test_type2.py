"""Type II and Type I codebooks: bits, precoders by the clauses, likeness."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from tests.support.clustered_channels import eigenmodes, sgcs
from tests.support.report_bits import Reader, log, take_beams
from zoo.codecs.codebooks import subsets, type2_bits
from zoo.codecs.codebooks.fields import Report
from zoo.codecs.codebooks.panel import SIZES, Panel
from zoo.codecs.codebooks.type1 import TypeI
from zoo.codecs.codebooks.type2 import TypeII

CASES = [
    (panel, num_beams, phases, own, rank)
    for panel in ((8, 2), (2, 2), (2, 1))
    for num_beams in (2, 3, 4)
    for phases in (4, 8)
    for own in (False, True)
    for rank in (1, 2)
    if num_beams == 2 or panel != (2, 1)
]


def noise(panel, rank, n, subbands=5, seed=1):
    rng = np.random.default_rng(seed)
    parts = rng.standard_normal((2, n, subbands, 2 * panel[0] * panel[1], rank))
    return parts[0] + 1j * parts[1]


def test_subsets_are_numbered_without_gaps():
    for of, count in ((6, 3), (7, 0), (5, 5), (9, 1)):
        members = list(itertools.combinations(range(of), count))
        indices = [subsets.index_of(x, of) for x in members]
        assert sorted(indices) == list(range(math.comb(of, count)))
        for index, expected in zip(indices, members, strict=True):
            assert subsets.subset_of(index, count, of) == list(expected)
    with pytest.raises(ValueError, match="index 20 of 3 out of 6: expected 0 to 19"):
        subsets.subset_of(20, 3, 6)


def read(report, codebook) -> tuple[np.ndarray, int]:
    """Precoder of a Type II report by 38.214, 5.2.2.2.3, and the bits of 38.212."""
    n1, n2 = codebook.panel.n1, codebook.panel.n2
    o2, num_beams, rank = 4 if n2 > 1 else 1, codebook.num_beams, codebook.rank
    rows, take = 2 * num_beams, Reader(report.part2)
    beams = take_beams(take, n1, n2, o2, num_beams)
    strongest, k1 = [], []
    for _ in range(rank):
        strongest.append(take(log(rows)))
        given = [take(3) for _ in range(rows - 1)]
        k1.append([*given[: strongest[-1]], 7, *given[strongest[-1] :]])
    part1 = report.part1
    size = log(rows - 1)
    for layer in range(rank):
        m = int(part1[size * layer : size * (layer + 1)], 2) + 1
        assert m == sum(k > 0 for k in k1[layer])
    fine = [set(range(rows)) for _ in range(rank)]
    if codebook.subband_amplitude:
        most = {2: 4, 3: 4, 4: 6}[num_beams]
        for layer in range(rank):
            ranking = sorted(
                range(rows),
                key=lambda i: (i != strongest[layer], -k1[layer][i], i),  # noqa: B023
            )
            fine[layer] = set(ranking[:most])
    amplitude = {0: 0, **{k: 2 ** ((k - 7) / 2) for k in range(1, 8)}}
    subbands = codebook.num_subbands
    w = np.zeros((subbands, 2 * n1 * n2, rank), complex)
    for t in [*range(0, subbands, 2), *range(1, subbands, 2)]:
        sent = [
            (v, i) for v in range(rank) for i in range(rows)
            if k1[v][i] and i != strongest[v]
        ]  # fmt: skip
        turn, own = {}, {}
        for v, i in sent:
            count = codebook.num_phases if i in fine[v] else 4
            turn[v, i] = take(log(count)) / count
        for v, i in sent:
            if codebook.subband_amplitude and i in fine[v]:
                own[v, i] = (math.sqrt(0.5), 1)[take(1)]
        for v, i in itertools.product(range(rank), range(rows)):
            x = amplitude[k1[v][i]] * own.get((v, i), 1)
            x = x * np.exp(2j * np.pi * turn.get((v, i), 0))
            l1, l2 = beams[i % num_beams]
            for a, b in itertools.product(range(n1), range(n2)):
                port = i // num_beams * n1 * n2 + a * n2 + b
                wave = l1 * a / (4 * n1) + l2 * b / (o2 * n2)
                w[t, port, v] += x * np.exp(2j * np.pi * wave)
        w[t] /= np.linalg.norm(w[t], axis=0) * math.sqrt(rank)
    assert not take.left()
    payload = log(4 * o2) + log(math.comb(n1 * n2, num_beams))
    payload += rank * (log(rows) + 3 * (rows - 1))
    for layer in range(rank):
        m = sum(k > 0 for k in k1[layer])
        each = log(codebook.num_phases)
        if codebook.subband_amplitude:
            strong = min(m, {2: 4, 3: 4, 4: 6}[num_beams])
            payload += subbands * ((strong - 1) * (each + 1) + 2 * (m - strong))
        else:
            payload += subbands * (m - 1) * each
    return w, payload


@pytest.mark.parity
@pytest.mark.parametrize("case", CASES, ids=str)
def test_type2_bits_are_read_as_the_standard_says(case):
    panel, num_beams, phases, own, rank = case
    codebook = TypeII(Panel(*panel), 5, num_beams, phases, own, rank)
    pmi = codebook.encode(noise(panel, rank, 2))
    reports = type2_bits.pack(codebook, pmi)
    back = type2_bits.unpack(codebook, reports)
    for a, b in zip(pmi, back, strict=True):
        np.testing.assert_array_equal(a, b)
    w = codebook.decode(pmi)
    np.testing.assert_allclose(np.linalg.norm(w, axis=(2, 3)), 1, atol=1e-12)
    for row, report in zip(w, reports, strict=True):
        expected, payload = read(report, codebook)
        np.testing.assert_allclose(row, expected, atol=1e-12)
        assert len(report.part2) == payload


def test_a_known_payload_of_type2():
    """L = 4, 8-PSK, 13 subbands, (8, 2): 312 bits where all amplitudes are sent."""
    codebook = TypeII(Panel(8, 2), 13, 4, 8)
    pmi = codebook.encode(noise((8, 2), 1, 20, 13))
    pmi = pmi._replace(wideband=np.maximum(pmi.wideband, 1))
    assert {len(r.part2) for r in type2_bits.pack(codebook, pmi)} == {312}


def test_finer_codebooks_are_more_alike():
    v, _ = eigenmodes(100, seed=1)
    panel = Panel(8, 2)

    def likeness(codebook):
        w = codebook.decode(codebook.encode(v[..., : codebook.rank]))
        return sgcs(v[..., : codebook.rank], w)

    coarse = likeness(TypeI(panel, 13))[0]
    first = [likeness(TypeII(panel, 13, beams, 4))[0] for beams in (2, 3, 4)]
    best = likeness(TypeII(panel, 13, 4, 8, True))[0]
    assert 0.3 < coarse < first[0] < first[1] < first[2] < best < 1
    for rank in (1, 2):
        assert likeness(TypeII(panel, 13, 4, 8, True, rank)).min() > 0.8


@pytest.mark.parametrize("own", [False, True])
def test_type2_keeps_what_it_can_say_exactly(own):
    """A precoder of the codebook comes back as itself."""
    codebook = TypeII(Panel(8, 2), 6, 4, 8, own)
    w = codebook.decode(codebook.encode(noise((8, 2), 1, 30, 6)))
    again = codebook.decode(codebook.encode(w))
    assert (sgcs(w, again) > (0.98 if own else 0.9999)).all()


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("rank", [1, 2, 3, 4])
def test_type1_precoders(size, rank):
    codebook = TypeI(Panel(*size), 3, rank)
    w = codebook.precoders
    assert w.shape == (math.prod(codebook.counts), 2 * size[0] * size[1], rank)
    gram = np.swapaxes(w.conj(), 1, 2) @ w
    np.testing.assert_allclose(gram, np.broadcast_to(np.eye(rank) / rank, gram.shape),
                               atol=1e-12)  # fmt: skip
    np.testing.assert_allclose(np.abs(w), 1 / np.sqrt(w.shape[1] * rank), atol=1e-12)
    v = np.repeat(w[::7, None], 3, axis=1)
    pmi = codebook.encode(v[:20])
    np.testing.assert_allclose(sgcs(v[:20], codebook.decode(pmi)), 1, atol=1e-9)
    back = codebook.unpack(codebook.pack(pmi))
    np.testing.assert_array_equal(np.stack(back), np.stack(pmi))


def test_type1_by_its_table():
    """Rank 2 of (8, 2), i1,3 = 3: the second beam is 2 O1 further; and payloads."""
    codebook = TypeI(Panel(8, 2), 1, 2)
    index = tuple(np.array([x]) for x in (5, 6, 3, 1))
    w = codebook.decode(type(codebook.encode(noise((8, 2), 2, 1, 1)))(*index))[0, 0]

    def beam(l1, l2):
        turns = l1 * np.arange(8)[:, None] / 32 + l2 * np.arange(2) / 8
        return np.exp(2j * np.pi * turns).ravel()

    expected = np.stack(
        [np.r_[beam(5, 6), 1j * beam(5, 6)], np.r_[beam(13, 6), -1j * beam(13, 6)]], 1
    )
    np.testing.assert_allclose(w, expected / 8, atol=1e-12)
    bits = [
        codebook.pack(codebook.encode(noise((8, 2), r, 1, 1)))[0].num_bits
        for r, codebook in ((r, TypeI(Panel(8, 2), 1, r)) for r in (1, 2, 3, 4))
    ]
    assert bits == [5 + 3 + 2, 5 + 3 + 2 + 1, 4 + 3 + 2 + 1, 4 + 3 + 2 + 1]


def test_unusable_values_are_refused():
    for make, message in (
        (lambda: TypeII(Panel(2, 1), 5, 3), "num_beams=3: Type II at 4 ports has 2"),
        (lambda: TypeII(Panel(8, 2), 5, 4, 16), "num_phases=16: .* has 4, 8"),
        (lambda: TypeII(Panel(8, 2), 5, rank=3), "rank=3"),
        (lambda: TypeI(Panel(8, 2), 5, 5), "rank=5: expected 1 to 4"),
        (lambda: Panel.of(5, 1, 1), "array of 5 columns and one polarisation"),
    ):
        with pytest.raises(ValueError, match=message):
            make()
    assert Panel.of(32, 1, 1) == Panel(16, 1) and Panel.of(8, 2, 2) == Panel(8, 2)
    codebook = TypeII(Panel(8, 2), 5)
    report = type2_bits.pack(codebook, codebook.encode(noise((8, 2), 1, 1)))[0]
    for damaged, message in (
        (Report(report.part1, report.part2 + "0"), "expected"),
        (Report(report.part1, report.part2[:-1]), "expected"),
        (Report("000", report.part2), r"wideband amplitudes, part 1 says \[1\]"),
    ):
        with pytest.raises(ValueError, match=message):
            type2_bits.unpack(codebook, [damaged])
