"""The pursuit codec against plain implementations, budgets, prefixes, hostile bytes."""

import dataclasses

import numpy as np
import pytest

from serving.codec import atoms
from serving.codec.angle_delay_grid import AngleDelayGrid
from tests.zoo.codecs.paths import N_C, channels, nmse_db
from zoo.codecs import plain, pursuit, pursuit_choice, quick_search, stops
from zoo.codecs.search import search

GRID = AngleDelayGrid("ula:16", N_C, 16, oversampling=8)


@pytest.fixture(scope="module")
def codec():
    return pursuit.fit(GRID, channels(300, seed=1), 160, most=16)


@pytest.mark.parametrize(
    ("array", "sizes", "last"),
    [("ula:16", (16,), 0), ("ula:12", (12,), 3), ("upa:4x3", (4, 3), 0)],
)
def test_atoms_are_the_paths_of_the_channel(array, sizes, last):
    """A path on the grid is one atom, whose delay and angle are those of the path."""
    grid = AngleDelayGrid(array, N_C, 16, last, oversampling=4)
    rng = np.random.default_rng(0)
    angle, delay = rng.integers(len(grid.angles), size=8), rng.integers(12, 40, size=8)
    h = grid.angles[angle][:, :, None] * grid.delays[delay][:, None] * (2 - 1j)
    found = search(grid, h, 1)
    assert found.delay[:, 0].tolist() == delay.tolist()
    np.testing.assert_allclose(np.abs(found.value[:, 0]), np.abs(2 - 1j), rtol=1e-5)
    assert np.allclose(grid.angles[found.angle[:, 0]], grid.angles[angle])


def test_responses_are_those_of_channels():
    """Closed form by FFT: a path at a grid delay and angle has the grid's response."""
    h = channels(1, paths=1, seed=3, last=2)
    grid = AngleDelayGrid("ula:16", N_C, 16, last_taps=2, oversampling=64)
    found = search(grid, h, 1)
    assert np.abs(found.value[0, 0]) ** 2 > 0.999


@pytest.mark.parametrize(("last", "num_delay"), [(0, 16), (3, 16), (0, N_C)])
def test_delays_outside_of_the_window_are_like_those_beside_them(last, num_delay):
    """Whole taps that are not kept: no atom is made of rounding errors."""
    coarse, fine = (
        AngleDelayGrid("ula:2", N_C, num_delay, last, oversampling=over).delays
        for over in (2, 1024)
    )
    beside = fine[1::512][: len(coarse)]  # a thousandth of a tap later
    likeness = np.abs(np.sum(coarse.conj() * beside, axis=1))
    assert likeness.min() > 0.999


def test_polarisations_are_blocks():
    grid = AngleDelayGrid("upa:4x2x2", N_C, 8, oversampling=4)
    assert grid.angles.shape == (2 * 16 * 8, 16)
    first = grid.angles[: 16 * 8]
    assert not first[:, 8:].any() and np.allclose(np.linalg.norm(first, axis=1), 1)


def test_one_dft_over_all_ports():
    """Ports of a panel in a line: unlike those of each dimension, of the same norm."""
    sizes = {"num_subcarriers": N_C, "num_delay": 8, "oversampling": 2}
    each, all_ports = (
        AngleDelayGrid("upa:4x2x2", beams=beams, **sizes) for beams in ("each", "all")
    )
    ports = np.kron([1, 0], np.kron(np.exp(0.5j * np.pi * np.arange(4)), [1, -1]))
    beam = np.fft.fftshift(np.fft.fft(ports / np.sqrt(8), norm="ortho"))
    assert np.abs(all_ports.angles.conj() @ beam).max() == pytest.approx(1)
    assert np.abs(each.angles.conj() @ beam).max() < 0.9


def test_search_agrees_with_a_plain_one():
    """Vectors of all atoms, no refinement: a grid of the coarse search's points."""
    grid = AngleDelayGrid("ula:8", N_C, 8, oversampling=2)
    h = channels(5, array=(8,), num_delay=8, seed=4)
    dictionary = np.einsum("ia,jd->ijad", grid.angles, grid.delays).reshape(-1, 64)
    found = search(grid, h, 6)
    for i, row in enumerate(h.reshape(5, 64)):
        basis, residual = [], row
        for k in range(6):
            best = int(np.abs(dictionary.conj() @ residual).argmax())
            assert best == found.angle[i, k] * len(grid.delays) + found.delay[i, k]
            vector = dictionary[best]
            for _ in range(2):
                vector = vector - sum(q * (q.conj() @ vector) for q in basis)
            vector = vector / np.linalg.norm(vector)
            basis.append(vector)
            value = vector.conj() @ residual
            np.testing.assert_allclose(found.value[i, k], value, atol=2e-6)
            residual = residual - value * vector


def test_the_receiver_rebuilds_the_basis_from_indices():
    h = channels(20, seed=5)
    found = search(GRID, h, 10)
    basis = atoms.Basis(GRID, 20, 10)
    for k in range(10):
        basis.append(found.angle[:, k], found.delay[:, k])
    error = np.sum(np.abs(h - basis.combine(found.value)) ** 2, axis=(1, 2))
    left = 1 - np.sum(np.abs(found.value) ** 2, axis=1)
    np.testing.assert_allclose(error, left, atol=2e-6)


def test_bytes_carry_the_channel(codec):
    h = channels(100, seed=2)
    reports = codec.encode(h)
    assert np.mean([8 * len(r) for r in reports]) == pytest.approx(160, abs=25)
    assert nmse_db(h, codec.decode(reports)) < -15


@pytest.mark.parametrize("budget", [8, 64, 100, 160, 1000])
def test_no_report_exceeds_its_budget(codec, budget):
    h = channels(50, seed=2)
    reports = codec.encode(h, budget)
    assert max(map(len, reports)) <= budget // 8
    if budget >= 64:
        assert nmse_db(h, codec.decode(reports)) < -4


def test_every_prefix_decodes_to_the_first_atoms(codec):
    h = channels(5, seed=6)
    for report in codec.encode(h):
        whole = codec.tables.decode(report, codec.most)
        counts = []
        for m in range(len(report) + 1):
            found = codec.tables.decode(report[:m], codec.most)
            assert found.tolist() == whole[: len(found)].tolist()
            counts.append(len(found))
        assert counts == sorted(counts) and counts[0] == 0
        assert counts[-1] == len(whole) > counts[-2]


def test_a_report_holds_the_atoms_that_were_sent_and_no_more(codec):
    h = channels(200, seed=7)
    found = search(GRID, h, codec.most)
    number, _ = stops.worth(codec.tables, found)
    sent = [len(codec.tables.decode(r, codec.most)) for r in codec.encode(h)]
    assert sent == number.tolist()


def test_damaged_and_random_bytes_decode_to_something_finite(codec):
    rng = np.random.default_rng(0)
    reports = [rng.bytes(size) for size in rng.integers(0, 200, size=300)]
    for report in codec.encode(channels(50, seed=8)):
        damaged = bytearray(report)
        damaged[rng.integers(len(damaged))] ^= 1 << rng.integers(8)
        reports.append(bytes(damaged))
    h = codec.decode(reports)
    assert h.shape == (350, 16, 16) and np.isfinite(h).all()


@pytest.mark.parametrize("array", ["ula:2", "ula:8"])
def test_small_grids_have_tables_of_their_size(array):
    """Fewer positions than the kernel that smooths them is wide."""
    grid = AngleDelayGrid(array, N_C, 8, oversampling=2)
    h = channels(100, array=(grid.num_antennas,), num_delay=8, paths=2)
    codec = pursuit.fit(grid, h, 60, most=8)
    assert codec.tables.angle.shape[1] == len(grid.angles)
    rng = np.random.default_rng(0)
    assert np.isfinite(codec.decode([rng.bytes(12) for _ in range(100)])).all()
    assert nmse_db(h, codec.decode(codec.encode(h))) < -5


def test_channels_of_one_path_take_fewer_bits_than_they_may():
    h = channels(100, paths=1, seed=9)
    codec = pursuit.fit(GRID, h, 512, most=12)
    assert np.mean([8 * len(r) for r in codec.encode(h)]) < 512
    assert nmse_db(h, codec.decode(codec.encode(h))) < -20


def test_a_position_takes_bits_enough(codec):
    """So a stream's last byte cannot hold an atom that was not sent."""
    most = codec.tables.angle.max() / 2**20, codec.tables.delay.max() / 2**20
    assert -np.log2(most[0] * most[1]) >= 9.9


def test_tables_of_another_grid_are_refused(codec):
    other = AngleDelayGrid("ula:16", N_C, 16, oversampling=4)
    with pytest.raises(ValueError, match="they belong to another codec"):
        pursuit.PursuitCodec(other, codec.tables, codec.most)


def test_tables_are_checked(codec):
    angle = codec.tables.angle.copy()
    angle[0, 0] += 1
    with pytest.raises(ValueError, match="angle have"):
        dataclasses.replace(codec.tables, angle=angle)


@pytest.mark.parametrize(
    ("h", "message"),
    [
        (
            np.zeros((2, 16, 8), complex),
            r"\[2, 16, 8\], expected complex \[n, 16, 16\]",
        ),
        (np.zeros((2, 16, 16)), "expected complex"),
        (np.full((1, 16, 16), np.nan, complex), "NaN"),
    ],
)
def test_bad_channels_are_refused(codec, h, message):
    with pytest.raises(ValueError, match=message):
        codec.encode(h)


def test_bad_sizes_are_refused():
    with pytest.raises(ValueError, match="expected ula:N"):
        AngleDelayGrid("circle:8", N_C, 8)
    with pytest.raises(ValueError, match="no angles"):
        AngleDelayGrid("ula:1", N_C, 8)
    with pytest.raises(ValueError, match="expected 2, 4, 8"):
        AngleDelayGrid("ula:8", N_C, 8, oversampling=3)


def test_no_csi_are_no_reports(codec):
    none = channels(1)[:0]
    for options in ({}, {"budget": 96}, {"target_db": -10.0}, {"noise": 0.1}):
        assert codec.encode(none, **options) == []
    assert codec.decode([]).shape == (0, 16, 16)
    assert quick_search.search(GRID, none, 5).value.shape == (0, 5)
    stream, found = plain.fit([GRID], channels(20), 96), search(GRID, none, 9)
    atoms = found[:, : stream.num_atoms]
    assert stream.encode(atoms.angle, atoms.delay, atoms.value) == []
    assert stream.decode([]).shape == (0, 16, 16)


@pytest.mark.parametrize("num", [0, 1])
def test_too_few_training_csi_are_refused(num):
    few, message = channels(2)[:num], f"{num} training CSI: expected 2 or more"
    with pytest.raises(ValueError, match=message):
        pursuit_choice.choose([GRID], few, 96, 8)
    with pytest.raises(ValueError, match=message):
        plain.fit([GRID], few, 96)
