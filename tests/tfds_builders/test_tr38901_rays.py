"""TR 38.901 steps 1 to 9 against the tables and closed forms."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from tfds_builders.tr38901 import parameters, simulator
from tfds_builders.tr38901.arrays import panel
from tfds_builders.tr38901.drops import Cell, Setting
from tfds_builders.tr38901.rays import RAY_OFFSETS, RAYS, SUB_CLUSTER

SCENARIOS = ("umi_los", "umi_nlos", "uma_los", "uma_nlos", "rma_los", "rma_nlos")
CARRIER = 7e9  # above the 6 GHz below which the UMa tables stand still
BLOCKS = 40
# Release 16, table 7.5-6 at 7 GHz: mean and standard deviation of log10(DS / s),
# log10(ASD, ASA, ZSA / deg) and K / dB, worked out by hand.
TABLE = {
    "umi_los": [(-7.3567, 0.38), (1.1648, 0.41), (1.6578, 0.2926), (0.6397, 0.3039),
                (9, 5)],
    "umi_nlos": [(-7.0467, 0.4245), (1.3223, 0.4293), (1.7378, 0.3452),
                 (0.8839, 0.3468), None],
    "uma_los": [(-7.0364, 0.66), (1.1541, 0.28), (1.81, 0.20), (0.95, 0.16), (9, 3.5)],
    "uma_nlos": [(-6.4524, 0.39), (1.4033, 0.28), (1.8518, 0.11), (1.2385, 0.16),
                 None],
    "rma_los": [(-7.49, 0.55), (0.90, 0.38), (1.52, 0.24), (0.47, 0.40), (7, 4)],
    "rma_nlos": [(-7.43, 0.48), (0.95, 0.45), (1.52, 0.13), (0.58, 0.37), None],
}  # fmt: skip
LOS_SCENARIOS = [name for name in SCENARIOS if name.endswith("_los")]


def make_setting(scenario, **cell):
    cell = {"bs_height": 25.0, "sector_deg": 360.0} | cell
    spacing = 3e8 / CARRIER / 2
    return Setting(
        parameters.load_scenario(scenario),
        Cell(**cell),
        CARRIER,
        20e6,
        1024,
        panel(32, 1, spacing),
        panel(1, 1, spacing),
    )


@functools.cache
def drops(scenario):
    setting = make_setting(scenario)
    return [simulator.block_drops(setting, 7, 0, block) for block in range(BLOCKS)]


def join(scenario, get):
    return np.concatenate([get(block) for block in drops(scenario)])


def split_los(scenario, name):
    """A field of the rays as `[drops, clusters, 20]`, and of the line of sight."""
    value = join(scenario, lambda d: getattr(d.rays, name))
    first = 1 if scenario.endswith("_los") else 0
    shape = len(value), -1, RAYS
    return value[:, first:].reshape(shape), value[:, :first]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_medians_and_spreads_are_those_of_the_tables(scenario):
    fields = ("delay_spread_s", "asd_deg", "asa_deg", "zsa_deg")
    for field, (mean, std) in zip(fields, TABLE[scenario], strict=False):
        value = np.log10(join(scenario, lambda d, f=field: getattr(d.large_scale, f)))
        low, median = np.quantile(value, [0.1587, 0.5])  # caps cut the upper end only
        assert median == pytest.approx(mean, abs=0.05), field
        assert median - low == pytest.approx(std, abs=0.05), field
    expected = TABLE[scenario][4]
    if expected is None:
        assert drops(scenario)[0].large_scale.k_db is None
    else:
        k_db = join(scenario, lambda d: d.large_scale.k_db)
        assert k_db.mean() / 10 == pytest.approx(expected[0] / 10, abs=0.05)
        assert k_db.std() / 10 == pytest.approx(expected[1] / 10, abs=0.05)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_large_scale_parameters_are_cross_correlated(scenario):
    table = parameters.load_scenario(scenario).correlation
    fields = {
        "ds": "delay_spread_s", "asd": "asd_deg", "asa": "asa_deg", "zsa": "zsa_deg",
    }  # fmt: skip
    values = {
        key: np.log10(join(scenario, lambda d, f=field: getattr(d.large_scale, f)))
        for key, field in fields.items()
    }
    values["sf"] = join(scenario, lambda d: d.large_scale.shadow_fading_db)
    if scenario.endswith("_los"):
        values["k"] = join(scenario, lambda d: d.large_scale.k_db)
    checked = 0
    for pair, expected in table.items():
        first, second = pair.split("_")
        if {first, second} <= set(values):
            got = np.corrcoef(values[first], values[second])[0, 1]
            assert got == pytest.approx(expected, abs=0.08), pair  # caps weaken ASA
            checked += 1
    assert checked >= 3


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_rays_of_a_cluster_have_its_angular_spread(scenario):
    table = parameters.load_scenario(scenario)
    widths = {"aod": table.cluster_asd_deg, "aoa": table.cluster_asa_deg}
    for name, width in widths.items():
        angle = np.degrees(split_los(scenario, name)[0])
        spread = angle.std(axis=-1)
        np.testing.assert_allclose(spread, width, rtol=0.01)
    zoa = np.degrees(split_los(scenario, "zoa")[0])
    inside = (zoa.min(axis=-1) > 1) & (zoa.max(axis=-1) < 179)  # not folded at a pole
    spread = zoa.std(axis=-1)[inside]
    assert np.median(spread) == pytest.approx(table.cluster_zsa_deg, rel=0.01)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_powers_and_delays(scenario):
    power, los = split_los(scenario, "power")
    delay, los_delay = split_los(scenario, "delay")
    total = power.sum(axis=(1, 2)) + los.sum(axis=1)
    assert total.max() <= 1 + 1e-12 and np.median(total) > 0.98
    cluster = power.sum(axis=-1)
    kept = np.where(cluster > 0, cluster, np.inf).min(axis=1)
    assert (kept / cluster.max(axis=1) >= 10**-2.5 * 0.999).all()
    assert (cluster == 0).any()
    assert delay.min(axis=(1, 2)).max() == 0 and (delay >= 0).all()
    assert (np.diff(delay[:, :, 0], axis=1) >= 0).all()  # ray 1 is never delayed more
    assert (los_delay == 0).all()
    if los.size:
        k_db = join(scenario, lambda d: d.large_scale.k_db)
        np.testing.assert_allclose(10 * np.log10(los[:, 0] / (1 - los[:, 0])), k_db)


@pytest.mark.parametrize("scenario", ["umi_nlos", "uma_los"])
def test_the_two_strongest_clusters_are_split_in_three(scenario):
    power, _ = split_los(scenario, "power")
    delay, _ = split_los(scenario, "delay")
    late = delay - delay[:, :, :1]
    is_split = late.any(axis=-1)
    assert (is_split.sum(axis=1) == 2).all()
    rows, columns = np.nonzero(is_split)
    strongest = np.sort(np.argsort(-power.sum(axis=-1), axis=1)[:, :2], axis=1)
    np.testing.assert_array_equal(columns.reshape(-1, 2), strongest)
    c_ds = parameters.load_scenario(scenario).cluster_ds_s(CARRIER)
    expected = c_ds * np.array([0, 1.28, 2.56])[SUB_CLUSTER]
    np.testing.assert_allclose(late[rows, columns], expected + 0 * late[rows, columns])
    np.testing.assert_array_equal(np.bincount(SUB_CLUSTER), [10, 6, 4])
    np.testing.assert_array_equal(
        np.flatnonzero(SUB_CLUSTER == 1) + 1, [9, 10, 11, 12, 17, 18]
    )


def test_coupling_is_random_and_keeps_to_sub_clusters():
    power, _ = split_los("umi_nlos", "power")
    aoa, _ = split_los("umi_nlos", "aoa")
    width = parameters.load_scenario("umi_nlos").cluster_asa_deg
    offset = np.degrees(aoa - aoa.mean(axis=-1, keepdims=True)) / width
    index = np.abs(offset[..., None] - RAY_OFFSETS).argmin(axis=-1)
    assert (np.sort(index, axis=-1) == np.arange(RAYS)).all()
    first = np.argmax(power.sum(axis=-1), axis=1)
    inside = SUB_CLUSTER[index[np.arange(len(first)), first]]
    np.testing.assert_array_equal(inside, np.broadcast_to(SUB_CLUSTER, inside.shape))
    others = SUB_CLUSTER[index] == SUB_CLUSTER
    assert others.mean() < 0.6
    counts = np.bincount(index[:, 5, 0], minlength=RAYS)
    assert counts.min() > 0.5 * counts.mean()


@pytest.mark.parametrize("scenario", LOS_SCENARIOS)
def test_line_of_sight_and_first_cluster_point_at_the_other_end(scenario):
    for block in drops(scenario)[:3]:
        rays, to_ue = block.rays, block.geometry.to_ue
        direction = to_ue / np.linalg.norm(to_ue, axis=1, keepdims=True)
        np.testing.assert_allclose(rays.departure()[:, 0], direction, atol=1e-12)
        np.testing.assert_allclose(rays.arrival()[:, 0], -direction, atol=1e-12)
        aod = rays.aod[:, 1 : 1 + RAYS].mean(axis=1)
        np.testing.assert_allclose(np.exp(1j * (aod - rays.aod[:, 0])), 1, atol=1e-9)
        assert np.isinf(rays.xpr[:, 0]).all()


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_cross_polarisation_ratio(scenario):
    xpr_db = 10 * np.log10(split_los(scenario, "xpr")[0])
    mean, std = parameters.load_scenario(scenario).xpr_db
    assert xpr_db.mean() == pytest.approx(mean, abs=0.05)
    assert xpr_db.std() == pytest.approx(std, abs=0.05)


def test_users_fill_the_sector_or_stand_on_the_line():
    setting = make_setting("uma_nlos", radius=100.0, sector_deg=120.0, speed=3.0)
    position = simulator.block_drops(setting, 0, 0, 0).geometry.ue_position
    distance = np.hypot(*position[:, :2].T)
    assert (distance >= 10).all() and (distance <= 100).all()
    assert np.abs(np.degrees(np.arctan2(position[:, 1], position[:, 0]))).max() < 60
    assert distance.mean() == pytest.approx(2 / 3 * 100, rel=0.1)  # uniform in area
    setting = make_setting("uma_nlos", line=(30.0, 200.0), speed=2.0)
    block = simulator.block_drops(setting, 0, 0, 0)
    assert (block.geometry.ue_position[:, 0] == 30).all()
    assert np.ptp(block.geometry.ue_position[:, 1]) > 150
    np.testing.assert_allclose(block.velocity, [[0, 2, 0]] * 100, atol=1e-12)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("umi",), "unknown TR 38.901 scenario 'umi'"),
        (("umi_los", "v15"), "unknown release 'v15'"),
        (("umi_los", "v16", 3), "num_clusters=3"),
    ],
)
def test_unknown_parameters(arguments, message):
    with pytest.raises(ValueError, match=message):
        parameters.load_scenario(*arguments)
    with pytest.raises(ValueError, match="none may be negative"):
        simulator.block_drops(make_setting("umi_los"), 0, -1, 0)
