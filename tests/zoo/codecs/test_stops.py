"""Where a pursuit report ends: at noise, at a target, at a budget."""

import dataclasses

import numpy as np
import pytest

from serving.codec.angle_delay_grid import AngleDelayGrid
from tests.zoo.codecs.paths import N_C, channels, nmse_db
from zoo.codecs import noise_stop, pursuit, pursuit_choice, stops
from zoo.codecs.search import search

GRID = AngleDelayGrid("ula:16", N_C, 16, oversampling=8)
SNR_DB = 10
BITS = 400  # more than noisy channels are worth


def noise(shape, seed: int) -> np.ndarray:
    """White, of variance 1 per complex entry."""
    rng = np.random.default_rng(seed)
    parts = rng.standard_normal((2, *shape)) / np.sqrt(2)
    return parts[0] + 1j * parts[1]


def noisy(h: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """CSI of norm 1 with noise, and the variance of each."""
    variance = np.full(len(h), 10 ** (-SNR_DB / 10) / h[0].size)
    return h + np.sqrt(variance)[:, None, None] * noise(h.shape, seed), variance


@pytest.fixture(scope="module")
def train():
    return noisy(channels(300, seed=1), seed=2)


@pytest.fixture(scope="module")
def test():
    """Truth, what is seen of it, and the variance."""
    h = channels(200, seed=3)
    return h, *noisy(h, seed=4)


@pytest.mark.parametrize("array", ["ula:16", "upa:4x4", "upa:4x4x2", "upa:8x1x2"])
def test_threshold_is_the_median_of_the_largest_atom_of_noise(array):
    """Monte Carlo, whose search starts on a coarse grid and misses some peaks."""
    grid = AngleDelayGrid(array, N_C, 16, oversampling=8)
    found = search(grid, noise((400, grid.num_antennas, 16), seed=0), 1)
    median = np.median(np.abs(found.value[:, 0]) ** 2)
    assert noise_stop.threshold(grid) == pytest.approx(median, abs=0.4)


def test_noise_alone_is_not_described():
    seen = noise((200, 16, 16), seed=5)
    found, energy = search(GRID, seen, 8), pursuit.norms(seen)
    for given in (1.0, np.ones(200), noise_stop.ESTIMATED):
        assert noise_stop.number(GRID, found, energy, given).mean() < 2.5
    assert noise_stop.number(GRID, found, energy, 0.0).tolist() == [8] * 200


def test_what_is_left_says_the_noise(train):
    seen, variance = train
    found, energy = search(GRID, seen, 16), pursuit.norms(seen)
    known, told = (
        noise_stop.number(GRID, found, energy, x)
        for x in (variance, noise_stop.ESTIMATED)
    )
    assert np.abs(known - told).mean() < 1.5
    step = noise_stop.finest_step(GRID, found, energy, noise_stop.ESTIMATED)
    assert step**2 == pytest.approx(variance[0], rel=0.3)


@pytest.mark.parametrize("kind", ["known", "estimated"])
def test_a_codec_that_knows_of_noise_removes_it(train, test, kind):
    """Better than what it sees and than one that describes noise, in fewer bits."""
    (seen, variance), (h, h_seen, own) = train, test
    if kind == "estimated":
        variance = own = noise_stop.ESTIMATED
    aware = pursuit.fit(GRID, seen, BITS, 32, noise=variance)
    plain = pursuit.fit(GRID, seen, BITS, 32)
    reports = aware.encode(h_seen, noise=own)
    described = plain.encode(h_seen)
    reached = nmse_db(h, aware.decode(reports))
    assert reached < -SNR_DB - 4
    assert reached < nmse_db(h, plain.decode(described)) - 2
    assert sum(map(len, reports)) < 0.7 * sum(map(len, described))


def test_a_variance_is_checked(train):
    seen, _ = train
    codec = pursuit.fit(GRID, seen, 100, 8)
    for wrong, message in (("loud", "'loud'"), (-1.0, ">= 0"), (np.ones(3), "one or")):
        with pytest.raises(ValueError, match=message):
            codec.encode(seen[:5], noise=wrong)


def test_every_report_reaches_its_target():
    codec = pursuit.fit_target(GRID, channels(150, seed=1), -15)
    h = channels(100, seed=6)
    reports = codec.encode(h, target_db=-15)
    error = pursuit.norms(h - codec.decode(reports)) / pursuit.norms(h)
    assert np.mean(error <= 10**-1.5 + 1e-6) > 0.97
    easier = codec.encode(h, target_db=-10)
    assert sum(map(len, easier)) < sum(map(len, reports))
    assert codec.most < pursuit.MOST


def test_a_target_takes_the_fewest_bits_that_reach_it():
    """Coarser and finer steps take more."""
    h = channels(150, seed=1)
    found = search(GRID, h, 60)
    codec = pursuit.fit_target(GRID, h, -15, found)
    energy = pursuit.norms(h)

    def bits(tables) -> float:
        return stops.reaching(tables, found, energy, -15)[1].mean()

    best = bits(codec.tables)
    for factor in (0.5, 2):
        step = codec.tables.step * factor
        other = dataclasses.replace(codec.tables, step=np.float64(step))
        assert bits(other) > best


def test_a_grid_that_reaches_the_target_is_taken(monkeypatch):
    """Four atoms of the coarse grid are fewer bytes, and miss it for every CSI."""
    monkeypatch.setattr(pursuit, "MOST", 4)
    h = channels(100, array=(8,), num_delay=8, seed=1)
    coarse, fine = (AngleDelayGrid("ula:8", N_C, 8, oversampling=x) for x in (2, 16))
    size = {
        grid: sum(map(len, pursuit.fit_target(grid, h, -20).encode(h, target_db=-20)))
        for grid in (coarse, fine)
    }
    assert size[coarse] < size[fine]
    codec = pursuit_choice.choose([coarse, fine], h, 0, 4, target_db=-20)
    assert codec.grid == fine


def test_the_budget_holds_beside_target_and_noise(test):
    h, seen, variance = test
    codec = pursuit.fit_target(GRID, h, -20, search(GRID, h, 40))
    reports = codec.encode(seen, 120, noise=variance, target_db=-20)
    assert max(map(len, reports)) <= 15


def test_a_target_is_below_zero():
    with pytest.raises(ValueError, match="expected dB below 0"):
        pursuit.fit_target(GRID, channels(10), 3)


@pytest.mark.parametrize("budget", [96, 200])
def test_a_codec_for_a_budget_leaves_less_where_no_report_exceeds_it(budget):
    """Tables and step of the mean rate are those of other reports than are sent."""
    h, test = channels(400, paths=6, seed=6), channels(200, paths=6, seed=7)
    found = search(GRID, h, 20)
    errors = []
    for fit in (pursuit.fit, pursuit.fit_budget):
        codec = fit(GRID, h, budget, 20, found)
        reports = codec.encode(test, budget)
        assert max(map(len, reports)) <= budget // 8
        errors.append(nmse_db(test, codec.decode(reports)))
    assert errors[1] < errors[0] - 0.1


def test_what_is_left_within_a_budget_is_what_arrives():
    h = channels(100, seed=8)
    codec = pursuit.fit_budget(GRID, h, 160, 16)
    found = search(GRID, h, 16)
    number, bits = stops.within(codec.tables, found, 160)
    assert (bits[number > 1] <= 160).all()
    atoms = [x[:, :16] for x in (found.angle, found.delay)]
    levels = codec.tables.quantise(found.value)
    whole = [
        codec.tables.encode(*[x[i, :k] for x in (*atoms, *levels)])
        for i, k in enumerate(number)
    ]
    left = np.sum(np.abs(h - codec.decode(whole)) ** 2)
    expected = pursuit.norms(h).sum() + stops.error(codec.tables, found, number)
    assert left == pytest.approx(expected, abs=1e-4)
