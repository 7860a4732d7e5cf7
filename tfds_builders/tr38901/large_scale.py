"""Large-scale parameters and geometry of TR 38.901, steps 1 to 4."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tfds_builders.tr38901.parameters import LSP_ORDER, Scenario

SPEED_OF_LIGHT = 299_792_458.0  # [m/s]
MAX_AZIMUTH_SPREAD_DEG, MAX_ZENITH_SPREAD_DEG = 104.0, 52.0


@dataclass(frozen=True)
class Geometry:
    """UE positions `[drops, 3]` m, the BS at `[0, 0, bs_height]`, one UE height."""

    bs_height: float
    ue_position: np.ndarray

    @property
    def to_ue(self) -> np.ndarray:
        """Vector from the BS to the UE, `[drops, 3]` m."""
        return self.ue_position - [0, 0, self.bs_height]

    @property
    def distance(self) -> np.ndarray:
        """d_3D `[drops]` m."""
        return np.linalg.norm(self.to_ue, axis=1)

    @property
    def distance_2d(self) -> np.ndarray:
        """d_2D `[drops]` m."""
        return np.hypot(*self.ue_position[:, :2].T)

    @property
    def ue_height(self) -> float:
        """Height of all UEs in m."""
        return float(self.ue_position[0, 2])

    def departure(self) -> tuple[np.ndarray, np.ndarray]:
        """Azimuth and zenith `[drops]` rad of the UE as seen from the BS."""
        x, y, z = self.to_ue.T
        return np.arctan2(y, x), np.arccos(z / self.distance)

    def arrival(self) -> tuple[np.ndarray, np.ndarray]:
        """Azimuth and zenith `[drops]` rad of the BS as seen from the UE."""
        azimuth, zenith = self.departure()
        return azimuth + np.pi, np.pi - zenith


@dataclass(frozen=True)
class LargeScale:
    """Large-scale parameters `[drops]`; `k_db` is None without line of sight."""

    delay_spread_s: np.ndarray
    asd_deg: np.ndarray
    asa_deg: np.ndarray
    zsd_deg: np.ndarray
    zsa_deg: np.ndarray
    k_db: np.ndarray | None
    shadow_fading_db: np.ndarray


def draw_large_scale(
    scenario: Scenario, carrier_hz: float, rng: np.random.Generator, geometry: Geometry
) -> LargeScale:
    """Draw cross-correlated parameters; drops are independent of each other."""
    count = len(geometry.ue_position)
    normal = scenario.correlation_root() @ rng.standard_normal((len(LSP_ORDER), count))
    z = dict(zip(LSP_ORDER, normal, strict=True))
    log_f = scenario.log_frequency(carrier_hz)
    zsd_mean = zenith_spread_mean(scenario, geometry)

    def spread(name: str) -> np.ndarray:
        mean, std = getattr(scenario, name).at(log_f)
        return 10 ** (mean + std * z[name])

    k_db = None
    if scenario.is_los:
        mean, std = scenario.k_db
        k_db = mean + std * z["k"]
    return LargeScale(
        delay_spread_s=spread("ds"),
        asd_deg=np.minimum(spread("asd"), MAX_AZIMUTH_SPREAD_DEG),
        asa_deg=np.minimum(spread("asa"), MAX_AZIMUTH_SPREAD_DEG),
        zsd_deg=np.minimum(
            10 ** (zsd_mean + scenario.zsd.std * z["zsd"]), MAX_ZENITH_SPREAD_DEG
        ),
        zsa_deg=np.minimum(spread("zsa"), MAX_ZENITH_SPREAD_DEG),
        k_db=k_db,
        shadow_fading_db=scenario.shadow_std_db * z["sf"],
    )


def zenith_spread_mean(scenario: Scenario, geometry: Geometry) -> np.ndarray:
    """Mean of log10(ZSD / deg) `[drops]`."""
    return scenario.zsd.mean(
        geometry.distance_2d, geometry.bs_height, geometry.ue_height
    )


def zod_offset_deg(
    scenario: Scenario, carrier_hz: float, geometry: Geometry
) -> np.ndarray:
    """Offset of the zenith of departure `[drops]`, tables 7.5-7 to 7.5-9."""
    distance = geometry.distance_2d
    if scenario.is_los:
        return np.zeros_like(distance)
    if scenario.name.startswith("rma"):
        return np.degrees(np.arctan(31.5 / distance) - np.arctan(33.5 / distance))
    if scenario.name.startswith("umi"):
        return -(10 ** (-1.5 * np.log10(np.maximum(10, distance)) + 3.3))
    log_f = scenario.log_frequency(carrier_hz)
    a, c = 0.208 * log_f - 0.782, -0.13 * log_f + 2.03
    exponent = a * np.log10(np.maximum(25, distance)) + c
    exponent -= 0.07 * (geometry.ue_height - 1.5)
    return 7.66 * log_f - 5.96 - 10**exponent
