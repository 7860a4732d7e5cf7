"""Positions beside those before them: fewer bits, the same atoms, whole numbers."""

import dataclasses

import numpy as np
import pytest

from serving.codec import atom_context, prefix_coder
from serving.codec.angle_delay_grid import AngleDelayGrid
from serving.codec.atom_context import Past
from tests.zoo.codecs.paths import N_C, channels, nmse_db
from zoo.codecs import learned_context, pursuit, stops
from zoo.codecs.search import search

GRID = AngleDelayGrid("ula:16", N_C, 16, oversampling=8)
BITS, MOST = 200, 16


def clustered(num, seed):
    """Channels of two clusters, each of four paths of one delay."""
    rng = np.random.default_rng(seed)
    h = np.zeros((num, 16, 16), complex)
    for _ in range(2):
        angle, delay = rng.integers(128, size=num), rng.integers(16, 120, size=num)
        for _ in range(4):
            near = (angle + rng.integers(-20, 21, num)) % 128
            gain = rng.normal(size=(num, 2)) @ [1, 1j]
            h += np.einsum("n,na,nd->nad", gain, GRID.angles[near], GRID.delays[delay])
    return h / np.linalg.norm(h, axis=(1, 2), keepdims=True)


@pytest.fixture(scope="module")
def plain():
    return pursuit.fit(GRID, clustered(400, 1), BITS, MOST)


@pytest.fixture(scope="module")
def codec(plain):
    return learned_context.learned(plain, clustered(400, 1), BITS, seed=0)


@pytest.fixture(scope="module")
def report(codec):
    """Atoms of a report of many."""
    found = search(GRID, clustered(1, 5), MOST)
    levels = codec.tables.quantise(found.value)
    return [x[0] for x in (found.angle, found.delay, *levels)]


def test_the_same_atoms_take_fewer_bytes(codec, plain):
    found = search(GRID, clustered(100, 2), MOST)
    tables = dataclasses.replace(codec.tables, context=None)
    kept, _ = stops.worth(tables, found)
    levels = tables.quantise(found.value)
    sizes = np.zeros(2)
    for i, k in enumerate(kept):
        atoms = [x[i, :k] for x in (found.angle, found.delay, *levels)]
        coded = [t.encode(*atoms) for t in (tables, codec.tables)]
        sizes += [len(x) for x in coded]
        back = codec.tables.decode(coded[1], MOST)
        assert back.tolist() == np.transpose(atoms).tolist()
    assert sizes[1] < 0.9 * sizes[0]


def test_more_atoms_at_the_same_bits(codec, plain):
    h = clustered(100, 3)
    reports, of_plain = codec.encode(h), plain.encode(h)
    mean = np.mean([8 * len(r) for r in reports])
    assert mean == pytest.approx(np.mean([8 * len(r) for r in of_plain]), rel=0.08)
    assert nmse_db(h, codec.decode(reports)) < nmse_db(h, plain.decode(of_plain)) - 0.5


def test_every_prefix_decodes_to_the_first_atoms(codec):
    for coded in codec.encode(clustered(4, 6)):
        whole = codec.tables.decode(coded, MOST).tolist()
        counts = []
        for m in range(len(coded) + 1):
            found = codec.tables.decode(coded[:m], MOST).tolist()
            assert found == whole[: len(found)]
            counts.append(len(found))
        assert counts == sorted(counts) and counts[-1] == len(whole) > counts[-2]


def test_a_report_holds_the_atoms_that_were_sent_and_no_more(codec):
    h = clustered(200, 7)
    number, _ = stops.worth(codec.tables, search(GRID, h, MOST))
    sent = [len(codec.tables.decode(r, MOST)) for r in codec.encode(h)]
    assert sent == number.tolist()


def _past(codec, report, size):
    angle, delay, real, imag = report
    past = Past(codec.tables.context, 1, MOST)
    for k in range(size):
        level = int(codec.tables.row(real[k], imag[k]))
        past.append(*np.array([[angle[k]], [delay[k]], [level]]))
    return past


def _counts(context, angle, past, weights, own, of_rank):
    """Counts of all angles in Python's integers."""
    kernels, k = context.angle.tolist(), past.size
    return [
        own * int(of_rank[i])
        + sum(
            int(weights[j][t]) * kernels[t][(i - int(past.angle[0, j])) % len(of_rank)]
            for j in range(k)
            for t in range(len(kernels))
        )
        for i in angle
    ]


def test_tables_are_those_of_whole_numbers(codec, report):
    """Products and sums in float64 are those of Python's integers, also reversed."""
    context, past = codec.tables.context, _past(codec, report, 6)
    of_rank = codec.tables.angle[2]
    own, weights = int(context.own[atom_context.group(6)]), past.weights()[0]
    counts = _counts(context, range(128), past, weights, own, of_rank)
    assert max(counts) < 2**53
    shift = max(sum(counts).bit_length() - 42, 0)
    counts = [count >> shift for count in counts]
    total, most = sum(counts), prefix_coder.TOTAL >> atom_context.ANGLE_BITS
    assert max(counts) < total * most // prefix_coder.TOTAL
    expected = [1 + c * (prefix_coder.TOTAL - 128) // total for c in counts]
    expected[int(np.argmax(expected))] += prefix_coder.TOTAL - sum(expected)
    assert context.angle_table(past, of_rank).tolist() == expected


def test_ideal_bits_are_those_of_the_tables(codec, report):
    """But for the ends of the window of delays and for what no table may exceed."""
    ideal = codec.tables.lengths(*[x[None] for x in report])[0]
    coded = 8 * len(codec.tables.encode(*report))
    assert coded == pytest.approx(ideal.sum(), rel=0.05, abs=8)


def test_an_atom_takes_bits_enough(codec, report):
    """So a stream's last byte cannot hold an atom that was not sent."""
    tables, context = codec.tables, codec.tables.context
    for size in range(1, MOST):
        past, row = _past(codec, report, size), 2
        of_rank = tables.angle[row]
        angles = context.angle_table(past, of_rank)
        best = int(angles.argmax())
        last = int(tables.row(*(x[size - 1] for x in report[2:])))
        least = int(tables.least_of_value[last])
        shares = int(of_rank[best]), int(angles[best])
        delays = context.delay_table(past, tables.delay[row], best, *shares, least)
        position = -np.log2(angles[best] * float(delays.max()) / 2**40)
        assert position + least > 9.5


def test_no_value_takes_fewer_bits_than_said(codec):
    tables = codec.tables
    for before in range(tables.classes + 1):
        for real in range(0, tables.largest + 1, 3):
            row = tables.imag[before, int(tables.row(real, 0))]
            share = tables.real[before, real] * row.astype(float) / 2**40
            share /= (1 + (real > 0)) * np.where(np.arange(len(row)) > 0, 2, 1)
            assert -np.log2(share.max()) >= tables.least_of_value[before]


def test_damaged_and_random_bytes_decode_to_something_finite(codec):
    rng = np.random.default_rng(0)
    reports = [rng.bytes(size) for size in rng.integers(0, 100, size=60)]
    for coded in codec.encode(clustered(20, 8)):
        damaged = bytearray(coded)
        damaged[rng.integers(len(damaged))] ^= 1 << rng.integers(8)
        reports.append(bytes(damaged))
    assert np.isfinite(codec.decode(reports)).all()


def test_no_report_exceeds_its_budget(codec):
    h = clustered(30, 9)
    for budget in (8, 64, 200):
        assert max(map(len, codec.encode(h, budget))) <= budget // 8


def test_kernels_of_another_grid_are_refused(codec):
    other = pursuit.fit(
        dataclasses.replace(GRID, oversampling=4), channels(50), 100, most=8
    )
    with pytest.raises(ValueError, match="kernels .* belong to another codec"):
        dataclasses.replace(other.tables, context=codec.tables.context)


@pytest.mark.parametrize("name", ["angle", "delay", "weight", "own", "reach"])
def test_damaged_contexts_are_refused(codec, name):
    context = codec.tables.context
    for value in (getattr(context, name) - 9000, np.float64(1), np.zeros((2, 3), int)):
        with pytest.raises(ValueError, match="damaged|expected"):
            dataclasses.replace(context, **{name: value})


def test_planar_arrays_are_refused():
    grid = AngleDelayGrid("upa:4x2", N_C, 8, oversampling=2)
    h = channels(50, array=(4, 2), num_delay=8)
    with pytest.raises(ValueError, match="takes linear arrays"):
        learned_context.learned(pursuit.fit(grid, h, 80, most=6), h, 80, seed=0)
