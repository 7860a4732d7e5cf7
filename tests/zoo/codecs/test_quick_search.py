"""The search without a residual against the plain one, and the network in it."""

import numpy as np
import pytest

from serving.codec.angle_delay_grid import AngleDelayGrid
from tests.zoo.codecs.paths import N_C, channels
from zoo.codecs import learned_offsets, quick_search
from zoo.codecs.search import search

GRID = AngleDelayGrid("ula:16", N_C, 16, oversampling=8)


def left(h, found):
    """Share of the energy that atoms leave."""
    return 1 - np.sum(np.abs(found.value) ** 2) / np.sum(np.abs(h) ** 2)


@pytest.mark.parametrize("array", ["ula:16", "upa:4x4", "upa:4x2x2"])
def test_a_map_for_every_atom_gives_the_atoms_of_the_plain_search(array):
    grid = AngleDelayGrid(array, N_C, 8, oversampling=4)
    h = channels(60, array=grid.dimensions, num_delay=8, seed=1)
    plain, quick = search(grid, h, 8), quick_search.search(grid, h, 8, every=1)
    same = (plain.angle == quick.angle) & (plain.delay == quick.delay)
    assert same.mean() > 0.97
    np.testing.assert_allclose(quick.value[same], plain.value[same], atol=1e-3)
    assert left(h, quick) == pytest.approx(left(h, plain), rel=0.02)


def test_maps_now_and_then_cost_little():
    h = channels(100, paths=6, seed=2)
    plain, quick = search(GRID, h, 12), quick_search.search(GRID, h, 12)
    assert left(h, quick) < 1.1 * left(h, plain)
    one = quick_search.search(GRID, h, 12, every=12, cells=1)
    assert left(h, one) > 2 * left(h, plain)


def test_values_are_those_of_the_orthogonal_basis():
    from serving.codec import atoms

    h = channels(20, seed=3)
    found = quick_search.search(GRID, h, 10)
    basis = atoms.Basis(GRID, 20, 10)
    for k in range(10):
        basis.append(found.angle[:, k], found.delay[:, k])
        np.testing.assert_allclose(basis.component(h), found.value[:, k], atol=1e-4)


def test_proposals_are_better_than_cells_and_worse_than_steps():
    train, h = channels(300, seed=4), channels(100, seed=5)
    network = learned_offsets.fit(GRID, train, seed=0)
    steps = left(h, quick_search.search(GRID, h, 8))
    proposed = left(h, quick_search.search(GRID, h, 8, network))
    cells = left(h, quick_search.search(GRID, h, 8, lambda x: np.zeros((len(x), 2))))
    assert steps < proposed < cells / 2


def test_no_atom_is_proposed_twice():
    """A network that always says the same would do so."""
    h = channels(30, paths=1, seed=6)
    found = quick_search.search(GRID, h, 12, lambda x: np.full((len(x), 2), 1.0))
    atoms = found.angle * 10_000 + found.delay
    assert all(len(set(row)) == 12 for row in atoms.tolist())
    assert np.isfinite(found.value).all() and left(h, found) > 0


def test_planar_arrays_have_no_proposals():
    grid = AngleDelayGrid("upa:4x4", N_C, 8, oversampling=4)
    with pytest.raises(ValueError, match="linear arrays"):
        learned_offsets.fit(grid, channels(5, array=(4, 4), num_delay=8), seed=0)
