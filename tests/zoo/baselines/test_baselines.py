"""Solvers of the baselines: closed forms, optimality conditions, other solvers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import optimize

from zoo.baselines import sensing, sparse
from zoo.baselines import total_variation as tv
from zoo.baselines.iteration import CHECK_EVERY, Stop
from zoo.metrics import accuracy

EXACT = Stop(tolerance=1e-12, max_iterations=40_000)
SHAPE = (4, 3, 2)
WEIGHT = 0.1


@pytest.fixture(scope="module")
def small():
    """A float64 problem: A `[20, 50]`, y `[4, 20]` of noisy sparse vectors."""
    rng = np.random.default_rng(0)
    a = rng.standard_normal((20, 50)) / np.sqrt(20)
    x = rng.standard_normal((4, 50)) * (rng.random((4, 50)) < 0.1)
    return a, x @ a.T + 0.1 * rng.standard_normal((4, 20))


def _objective(a, y, lam, x):
    return 0.5 * np.sum((x @ a.T - y) ** 2, 1) + lam * np.abs(x).sum(1)


def _coordinate_descent(a, y, lam, sweeps=3000):
    """LASSO of one sample, one coordinate after the other."""
    x, rest, energy = np.zeros(a.shape[1]), y.copy(), np.sum(a**2, axis=0)
    for _ in range(sweeps):
        for j in range(len(x)):
            old, fit = x[j], a[:, j] @ rest + energy[j] * x[j]
            x[j] = np.sign(fit) * max(abs(fit) - lam, 0) / energy[j]
            rest -= (x[j] - old) * a[:, j]
    return x


def test_soft_threshold_is_the_proximal_map_of_the_modulus():
    u, grid = np.linspace(-2, 2, 81), np.linspace(-3, 3, 6001)
    cost = 0.5 * (grid - u[:, None]) ** 2 + 0.7 * np.abs(grid)
    np.testing.assert_allclose(sparse.soft(u, 0.7), grid[cost.argmin(1)], atol=1e-3)
    expected = np.sign(u) * np.maximum(np.abs(u) - 0.7, 0)
    np.testing.assert_allclose(sparse.soft(u, 0.7), expected, atol=1e-15)


@pytest.mark.parametrize("accelerated", [False, True])
def test_lasso_meets_the_optimality_conditions(small, accelerated):
    a, y = small
    x = sparse.lasso(a, y, WEIGHT, EXACT, accelerated).x
    lam = WEIGHT * np.abs(y @ a).max(axis=1, keepdims=True)
    correlation = (y - x @ a.T) @ a
    assert np.all(np.abs(correlation) <= lam * (1 + 1e-6))
    support = np.abs(x) > 1e-6
    assert 3 < support.sum(axis=1).min() and support.mean() < 0.5
    expected = (lam * np.sign(x))[support]
    np.testing.assert_allclose(correlation[support], expected, rtol=1e-6)


@pytest.mark.parity
def test_lasso_agrees_with_coordinate_descent(small):
    a, y = small
    lam = WEIGHT * np.abs(y @ a).max(axis=1)
    expected = [_coordinate_descent(a, y[i], lam[i]) for i in range(2)]
    for accelerated in (False, True):
        found = sparse.lasso(a, y[:2], WEIGHT, EXACT, accelerated)
        np.testing.assert_allclose(found.x, expected, atol=1e-6)


def test_fista_is_faster_and_both_keep_their_bounds(small):
    a, y = small
    lam = WEIGHT * np.abs(y @ a).max(axis=1)
    best = sparse.lasso(a, y, WEIGHT, EXACT, accelerated=True).x
    minimum = _objective(a, y, lam, best)
    energy = np.linalg.norm(a, 2) ** 2 * np.sum(best**2, axis=1)
    for k in (10, 30, 100):
        ista, fista = (
            _objective(a, y, lam, sparse.lasso(a, y, WEIGHT, Stop(0, k), fast).x)
            for fast in (False, True)
        )
        assert np.all(ista - minimum <= energy / (2 * k))
        assert np.all(fista - minimum <= 2 * energy / (k + 1) ** 2)
        assert np.sum(fista - minimum) < 0.8 * np.sum(ista - minimum)
    steps = []
    for fast in (False, True):
        for k in range(10, 1000, 10):
            x = sparse.lasso(a, y, WEIGHT, Stop(0, k), fast).x
            if np.sum(_objective(a, y, lam, x)) < 1.001 * np.sum(minimum):
                break
        steps.append(k)
    assert steps[1] < 0.7 * steps[0] < 600


def test_sparse_vectors_are_recovered_from_few_measurements():
    rng = np.random.default_rng(1)
    x = np.zeros((5, 256), np.float32)
    for row in x:
        row[rng.choice(256, 8, replace=False)] = rng.choice([-1, 1], 8)
    for kind in sensing.KINDS:
        a = sensing.measurement_matrix(96, 256, kind)
        found = sparse.lasso(a, x @ a.T, 1e-3, Stop(1e-6, 5000), accelerated=True)
        assert found.x.dtype == np.float32
        assert np.linalg.norm(found.x - x) < 0.02 * np.linalg.norm(x)


def test_samples_do_not_depend_on_their_neighbours(small):
    a, y = small
    stop = Stop(1e-5, 1000)
    together = sparse.lasso(a, y, WEIGHT, stop, accelerated=True)
    alone = [sparse.lasso(a, y[i : i + 1], WEIGHT, stop, True) for i in range(len(y))]
    np.testing.assert_allclose(together.x, [e.x[0] for e in alone], atol=1e-10)
    iterations = [e.iterations[0] for e in alone]
    assert together.iterations.tolist() == iterations and len(set(iterations)) > 1
    assert all(k % CHECK_EVERY == 0 and k < 1000 for k in iterations)
    cut = sparse.lasso(a, y, WEIGHT, Stop(0, 7))
    assert cut.iterations.tolist() == [7] * 4
    zero = sparse.lasso(a, 0 * y, WEIGHT, stop)
    assert not zero.x.any() and zero.iterations.max() == CHECK_EVERY


def _loop_tv(h, kind):
    total, (n_t, n_a, _) = 0.0, h.shape
    for i in range(n_t):
        for j in range(n_a):
            angle, delay = h[(i + 1) % n_t, j] - h[i, j], h[i, (j + 1) % n_a] - h[i, j]
            if kind == "anisotropic":
                total += np.abs(angle).sum() + np.abs(delay).sum()
            elif kind == "isotropic":
                total += np.sqrt(angle**2 + delay**2).sum()
            else:
                total += math.sqrt(np.sum(angle**2 + delay**2))
    return total


@pytest.mark.parametrize("kind", tv.GROUPS)
def test_total_variation_and_its_parts(kind):
    rng = np.random.default_rng(2)
    h, field = rng.standard_normal((3, *SHAPE)), rng.standard_normal((3, *SHAPE, 2))
    expected = [_loop_tv(sample, kind) for sample in h]
    np.testing.assert_allclose(tv.total_variation(h, kind), expected)
    inner = np.vdot(tv.differences(h), field)
    assert inner == pytest.approx(np.vdot(h, tv.adjoint(field)))
    # Shrinking lowers the norm of each group by the threshold, its direction stays.
    small = tv.shrink(field, 1.2, kind)
    before, after = tv.magnitude(field, kind), tv.magnitude(small, kind)
    np.testing.assert_allclose(after, np.maximum(before - 1.2, 0), atol=1e-12)
    np.testing.assert_allclose(small * before, field * after, atol=1e-12)
    assert (after == 0).any() and after.any()
    assert not tv.shrink(0 * field, 1.2, kind).any()


def _tv_problem(num=10, samples=2):
    rng = np.random.default_rng(3)
    a = rng.standard_normal((num, math.prod(SHAPE)))
    y = rng.standard_normal((samples, num))
    return a, y / np.linalg.norm(y, axis=1, keepdims=True)


@pytest.mark.parity
def test_tval3_agrees_with_linear_programming():
    """Anisotropic TV subject to A x = y is a linear programme."""
    a, y = _tv_problem()
    size = a.shape[1]
    d = tv.differences(np.eye(size).reshape(-1, *SHAPE)).reshape(size, -1).T
    bound, none = np.eye(len(d)), np.zeros((len(a), len(d)))
    found = tv.TotalVariation(a, SHAPE, EXACT, beta=1.0, kind="anisotropic")(y).x
    np.testing.assert_allclose(found @ a.T, y, atol=1e-8)
    for x, measured in zip(found, y, strict=True):
        best = optimize.linprog(
            np.r_[np.zeros(size), np.ones(len(d))],
            A_ub=np.block([[d, -bound], [-d, -bound]]),
            b_ub=np.zeros(2 * len(d)),
            A_eq=np.c_[a, none],
            b_eq=measured,
            bounds=(None, None),
        )
        assert np.abs(d @ x).sum() == pytest.approx(best.fun, rel=1e-6)


@pytest.mark.parity
@pytest.mark.parametrize("kind", tv.GROUPS)
def test_tval3_with_weighted_data_finds_the_minimum(kind):
    """Against BFGS on a smoothed norm, and against points nearby."""
    mu = 20.0
    a, y = _tv_problem(samples=1)

    def objective(x):
        fit = np.sum((x @ a.T - y) ** 2, axis=1)
        return tv.total_variation(x.reshape(-1, *SHAPE), kind) + mu / 2 * fit

    def smooth(x, eps=1e-4):
        field = tv.differences(x.reshape(1, *SHAPE))
        groups = tv.GROUPS[kind]
        square = field**2
        square = square.sum(groups, keepdims=True) if groups else square
        norm, residual = np.sqrt(square + eps**2), a @ x - y[0]
        slope = tv.adjoint(field / norm).ravel() + mu * residual @ a
        return norm.sum() + mu / 2 * residual @ residual, slope

    x = tv.TotalVariation(a, SHAPE, EXACT, mu, 1.0, kind)(y).x
    minimum = objective(x)[0]
    start = np.zeros(a.shape[1])
    other = optimize.minimize(smooth, start, jac=True).x[None]
    assert minimum <= objective(other)[0] <= 1.01 * minimum
    rng = np.random.default_rng(4)
    for size in (1e-4, 1e-2, 1.0):
        nearby = x + size * rng.standard_normal((200, x.shape[1]))
        assert np.all(objective(nearby) > minimum)


def test_tval3_result_depends_on_neither_penalty_nor_scale():
    a, y = _tv_problem()
    for mu in (math.inf, 20.0):
        solve = tv.TotalVariation(a, SHAPE, EXACT, mu, 1.0)
        x = solve(y).x
        other = tv.TotalVariation(a, SHAPE, EXACT, mu, 5.0)(y).x
        np.testing.assert_allclose(other, x, atol=1e-6)
        np.testing.assert_allclose(solve(1e-6 * y).x, 1e-6 * x, rtol=1e-6, atol=1e-12)
    assert not solve(0 * y).x.any()


@pytest.mark.parametrize("kind", tv.GROUPS)
def test_tval3_recovers_flat_maps_better_than_least_squares(kind):
    h = np.zeros((1, 12, 10, 2), np.float32)
    h[:, 2:6, 1:5] += (1.0, -0.5)
    h[:, 7:10, 4:9] += (-0.3, 0.8)
    a = sensing.measurement_matrix(150, 240)
    y = h.reshape(1, -1) @ a.T
    x = tv.TotalVariation(a, h.shape[1:], Stop(1e-7, 2000), kind=kind)(y).x
    least_squares = y @ np.linalg.pinv(a).T
    assert accuracy.nmse_db(h, x.reshape(h.shape)) < -40
    assert accuracy.nmse_db(h, least_squares.reshape(h.shape)) > -8
