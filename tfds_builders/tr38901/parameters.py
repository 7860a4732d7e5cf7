"""Parameters of 3GPP TR 38.901, tables 7.5-2 to 7.5-9; numbers in `tables_*.json`.

`tables_v16.json` holds the releases before the 7-24 GHz revision, those of the papers'
era; `tables_v19.json` what v19.4 changes in them.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

RELEASES = ("v16", "v19")
# Step 4: order of the Cholesky factor.
LSP_ORDER = ("sf", "k", "ds", "asd", "asa", "zsd", "zsa")
MIN_CLUSTER_DS_NS = 0.25  # UMa: max(0.25, 6.5622 - 3.4084 log10 f)

_CLUSTERS = [4, 5, 6, 7, 8, 10, 11, 12, 14, 15, 16, 19, 20, 25]
_C_PHI = [
    0.779, 0.860, 0.921, 0.973, 1.018, 1.090, 1.123, 1.146, 1.190, 1.211, 1.226, 1.273,
    1.289, 1.358,
]  # fmt: skip
_C_THETA = [
    0.788, 0.847, 0.889, 0.957, 1.031, 1.104, 1.1072, 1.1088, 1.1276, 1.184, 1.178,
    1.282,
]  # fmt: skip


@dataclass(frozen=True)
class LogLinear:
    """`slope * log10(f) + offset` for mean and standard deviation, as [slope, offset].

    f is the carrier in GHz, plus 1 where the table says so.
    """

    mean: tuple[float, float]
    std: tuple[float, float]

    def at(self, log_f: float) -> tuple[float, float]:
        """Mean and standard deviation at `log_f`."""
        return tuple(slope * log_f + offset for slope, offset in (self.mean, self.std))


@dataclass(frozen=True)
class ZenithSpread:
    """ZSD of tables 7.5-7 to 7.5-9, a function of distance and heights."""

    floor: float
    per_km: float
    height: str
    per_m: float
    offset: float
    std: float

    def mean(self, distance_2d: np.ndarray, bs_height: float, ue_height: float):
        """Mean of log10(ZSD / deg), `[drops]`; `distance_2d` and heights in m."""
        metres = {
            "abs_ue_minus_bs": abs(ue_height - bs_height),
            "ue_above_bs": max(ue_height - bs_height, 0),
            "ue_above_1.5": ue_height - 1.5,
        }[self.height]
        mean = self.per_km * distance_2d / 1000 + self.per_m * metres + self.offset
        return np.maximum(self.floor, mean)


@dataclass(frozen=True)
class Scenario:
    """One column of the tables; names carry units, spreads are log10 of s or deg."""

    name: str
    log_shift_ghz: float
    min_frequency_ghz: float
    ds: LogLinear
    asd: LogLinear
    asa: LogLinear
    zsa: LogLinear
    zsd: ZenithSpread
    k_db: tuple[float, float] | None
    shadow_std_db: float
    correlation: dict[str, float]
    delay_scaling: float
    xpr_db: tuple[float, float]
    num_clusters: int
    cluster_ds_ns: tuple[float, float]
    cluster_asd_deg: float
    cluster_asa_deg: float
    cluster_zsa_deg: float
    cluster_shadow_std_db: float

    @property
    def is_los(self) -> bool:
        """Is there a line of sight (and so a K factor)?"""
        return self.k_db is not None

    def log_frequency(self, carrier_hz: float) -> float:
        """log10 of the frequency, or of 1 + frequency, of the tables.

        Below 6 GHz (UMa) and 2 GHz (UMi) the tables take the value there: notes 6, 7.
        """
        ghz = max(carrier_hz / 1e9, self.min_frequency_ghz)
        return float(np.log10(ghz + self.log_shift_ghz))

    def cluster_ds_s(self, carrier_hz: float) -> float:
        """Cluster delay spread c_DS in seconds."""
        slope, offset = self.cluster_ds_ns
        value = slope * self.log_frequency(carrier_hz) + offset
        return max(MIN_CLUSTER_DS_NS, value) * 1e-9

    def correlation_root(self) -> np.ndarray:
        """Lower Cholesky factor `[7, 7]` of the LSPs in `LSP_ORDER`."""
        matrix = np.eye(len(LSP_ORDER))
        for pair, value in self.correlation.items():
            i, j = (LSP_ORDER.index(name) for name in pair.split("_"))
            matrix[i, j] = matrix[j, i] = value
        return np.linalg.cholesky(matrix)

    def azimuth_scaling(self) -> float:
        """C_phi of NLOS (table 7.5-2), interpolated between its rows."""
        return float(np.interp(self.num_clusters, _CLUSTERS, _C_PHI))

    def zenith_scaling(self) -> float:
        """C_theta of NLOS (table 7.5-4), interpolated between its rows."""
        return float(np.interp(self.num_clusters, _CLUSTERS[2:], _C_THETA))


@functools.cache
def load_scenario(name: str, release: str = "v16", num_clusters: int = 0) -> Scenario:
    """Parameters of a scenario.

    Args:
      name: `umi_los`, `umi_nlos`, `uma_los`, `uma_nlos`, `rma_los` or `rma_nlos`.
      release: `v16` (up to Release 18) or `v19` (v19.4).
      num_clusters: instead of the table's, 6 to 25; 0: the table's.

    Raises:
      ValueError: unknown name or release, or a number of clusters without scaling.
    """
    if release not in RELEASES:
        raise ValueError(f"unknown release {release!r}: choose {' or '.join(RELEASES)}")
    columns = _read("v16")
    if name not in columns:
        raise ValueError(
            f"unknown TR 38.901 scenario {name!r}: choose one of {', '.join(columns)}"
        )
    column = columns[name]
    if release != "v16":
        column |= _read(release).get(name, {})
    for key in ("ds", "asd", "asa", "zsa"):
        column[key] = LogLinear(**{k: tuple(v) for k, v in column[key].items()})
    column["zsd"] = ZenithSpread(**column["zsd"])
    scenario = Scenario(name=name, **column)
    if num_clusters:
        if not _CLUSTERS[2] <= num_clusters <= _CLUSTERS[-1]:
            raise ValueError(f"num_clusters={num_clusters} must be 0 or 6 to 25")
        scenario = dataclasses.replace(scenario, num_clusters=num_clusters)
    return scenario


def _read(release: str) -> dict:
    path = Path(__file__).with_name(f"tables_{release}.json")
    return json.loads(path.read_text(encoding="utf-8"))
