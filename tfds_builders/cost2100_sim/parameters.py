"""Parameters of the COST2100 scenarios; the numbers are in `parameters.json`."""

from __future__ import annotations

import functools
import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class LogNormal:
    """`median * 10^(0.1 std_db z)` with z standard normal."""

    median: float
    std_db: float

    @classmethod
    def from_moments(cls, mean: float, std: float) -> LogNormal:
        """Log-normal of this mean and standard deviation."""
        variance = math.log(1 + (std / mean) ** 2)
        std_db = 10 * math.log10(math.e) * math.sqrt(variance)
        return cls(mean * math.exp(-variance / 2), std_db)

    def at(self, normal: np.ndarray) -> np.ndarray:
        """Values for standard normal draws."""
        return self.median * 10 ** (0.1 * self.std_db * normal)


@dataclass(frozen=True)
class Scenario:
    """One column of `parameters.json`; names carry the units.

    Terminals are uniform in the square, or in the disc where that has a radius, and
    `bs_height_m` below the BS.
    """

    environment: str
    carrier_hz: float
    bandwidth_hz: float
    ue_square_side_m: float
    cell_radius_m: float
    visibility_radius_m: float
    transition_length_m: float
    attenuation_per_us: float
    cutoff_delay_us: float | None
    los_cutoff_m: float
    los_visibility_radius_m: float
    los_factor_mean: float
    los_factor_std_db: float
    bs_local_cluster: bool
    num_far_clusters: float
    num_far_clusters_is_poisson: bool
    extra_regions_per_cluster: float
    single_bounce_share: float
    paths_per_cluster: int
    delay_spread_s: LogNormal
    azimuth_spread_bs_deg: LogNormal
    elevation_spread_bs_deg: LogNormal
    azimuth_spread_ue_deg: LogNormal
    elevation_spread_ue_deg: LogNormal
    spread_correlation: float
    shadowing_std_db: float
    azimuth_offset_mean_deg: float
    azimuth_offset_std_deg: float
    cluster_distance_min_m: float
    cluster_distance_max_m: float
    link_delay_mean_s: float
    link_delay_min_s: float
    ue_disc_radius_m: float | None = None
    bs_height_m: float = 0.0

    @property
    def reach_m(self) -> float:
        """Largest distance of a terminal from the BS in the plane."""
        return self.ue_disc_radius_m or self.ue_square_side_m / math.sqrt(2)


@functools.cache
def load_scenario(name: str | Scenario) -> Scenario:
    """Parameters of a column; one `like` another has all but its own from there.

    Parameters that are in no column are taken as they are.

    Raises:
      ValueError: another name.
    """
    if isinstance(name, Scenario):
        return name
    text = Path(__file__).with_name("parameters.json").read_text(encoding="utf-8")
    columns = json.loads(text)
    if name not in columns:
        raise ValueError(
            f"unknown COST2100 scenario {name!r}: choose one of {', '.join(columns)}"
        )
    column = columns[name]
    if "like" in column:
        column = columns[column.pop("like")] | column
    for key, value in column.items():
        if isinstance(value, dict):
            moments = "mean" in value
            column[key] = (LogNormal.from_moments if moments else LogNormal)(**value)
    return Scenario(**column)
