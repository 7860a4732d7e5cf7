"""Path lists of COST2100 drops: what a carrier and an array see of the clusters."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from tfds_builders.cost2100_sim import geometry
from tfds_builders.cost2100_sim.parameters import Scenario, load_scenario


@dataclass(frozen=True)
class Paths:
    """Path lists of drops, padded; column 0 is the line of sight.

    Then the UE's local cluster, the BS's where there is one, and the far clusters, each
    with `paths_per_cluster` columns. Amplitudes in the padding, of a blocked line of
    sight, and of clusters that a track has not reached or has left, are zero.

    Attributes:
      scenario: column of `parameters.json`.
      carrier_hz: centre of the band.
      azimuth: `[drops, max_paths]` rad at the BS, not wrapped.
      elevation: `[drops, max_paths]` rad at the BS.
      delay: `[drops, max_paths]` s.
      amplitude: complex `[drops, max_paths]`, at this carrier and delay zero.
      num_paths: int `[drops]`, columns in use: the line of sight counted even where
        blocked, all clusters of a track.
      ue_position: `[drops, 2]` m from the BS.
      cluster_amplitude: complex `[drops, max_paths - 1]`, without visibility gain and
        path loss: what all carriers share.
      region_distance: `[drops, clusters]` m from the centre of the visibility region,
        -inf without one, inf out of sight.
      los_factor: `[drops]` power of the line of sight over that of all other paths.
      spacing: distance of neighbouring antennas in wavelengths of the carrier.
    """

    scenario: str | Scenario
    carrier_hz: float
    azimuth: np.ndarray
    elevation: np.ndarray
    delay: np.ndarray
    amplitude: np.ndarray
    num_paths: np.ndarray
    ue_position: np.ndarray
    cluster_amplitude: np.ndarray
    region_distance: np.ndarray
    los_factor: np.ndarray
    spacing: float = 0.5

    def __len__(self) -> int:
        return len(self.num_paths)

    def at_carrier(self, hz: float, spacing: float = 0.5) -> Paths:
        """Return the same drops at another carrier.

        Geometry, delays, path amplitudes, shadowing and K factor stay; visibility
        gain, path loss and phases become those of `hz`.

        Args:
          hz: the carrier.
          spacing: of the antennas in wavelengths of `hz`. The default is an array made
            for `hz`; that of these paths has `self.spacing * hz / self.carrier_hz`.

        Raises:
          ValueError: `hz` not above half the bandwidth.
        """
        bandwidth_hz = load_scenario(self.scenario).bandwidth_hz
        if not hz > bandwidth_hz / 2:
            raise ValueError(
                f"carrier {hz} Hz must lie above half the bandwidth of"
                f" {bandwidth_hz:g} Hz: give it in Hz"
            )
        paths = dataclasses.replace(self, carrier_hz=float(hz), spacing=spacing)
        return dataclasses.replace(paths, amplitude=_amplitude(paths))


def _amplitude(paths: Paths) -> np.ndarray:
    """Visibility gain, free-space loss and the line of sight: `[drops, max_paths]`."""
    scenario = load_scenario(paths.scenario)
    length = scenario.transition_length_m
    depth = paths.region_distance - (scenario.visibility_radius_m - length)
    wavelength = geometry.SPEED_OF_LIGHT / paths.carrier_hz
    edge = np.sqrt(8.0) * depth / np.sqrt(wavelength * length)
    gain = 0.5 - np.arctan(edge) / np.pi
    distance = geometry.link_length(scenario, paths.ue_position)
    loss_db = 20 * np.log10(distance) + 20 * np.log10(paths.carrier_hz) - 147.56
    gain *= 10 ** (-loss_db / 20)[:, None]
    scattered = paths.cluster_amplitude * np.repeat(
        gain, scenario.paths_per_cluster, axis=1
    )
    power = np.sum(scattered.real**2 + scattered.imag**2, axis=1)
    los = np.sqrt(paths.los_factor * power)
    return np.concatenate([los[:, None], scattered], axis=1)


def trace(
    scenario: str | Scenario,
    clusters: geometry.Clusters,
    scatterers: tuple[np.ndarray, np.ndarray],
    ue: np.ndarray,
    los_factor: np.ndarray,
) -> Paths:
    """Path lists from all clusters to `ue [drops, 2]`, at the scenario's carrier.

    `scatterers` are those of `geometry.draw_scatterers`; every drop has a cluster.
    """
    parameters = load_scenario(scenario)
    counts = np.bincount(clusters.drop)
    traced = geometry.trace_paths(parameters, clusters, scatterers, ue)
    azimuth, elevation, delay, amplitude = (_pad(values, counts) for values in traced)
    los_azimuth = np.arctan2(ue[:, 1], ue[:, 0])
    length = geometry.link_length(parameters, ue)
    los_elevation = -np.arcsin(parameters.bs_height_m / length)
    drops = Paths(
        scenario=scenario,
        carrier_hz=parameters.carrier_hz,
        azimuth=np.column_stack([los_azimuth, azimuth]),
        elevation=np.column_stack([los_elevation, elevation]),
        delay=np.column_stack([length / geometry.SPEED_OF_LIGHT, delay]),
        amplitude=np.empty(0),
        num_paths=1 + counts * parameters.paths_per_cluster,
        ue_position=ue,
        cluster_amplitude=amplitude,
        region_distance=_pad(clusters.region_distance, counts),
        los_factor=los_factor,
    )
    return drops.at_carrier(parameters.carrier_hz)


def _pad(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Spread rows sorted by drop over `[drops, most rows of a drop * columns]`."""
    used = np.arange(counts.max()) < counts[:, None]
    padded = np.zeros((*used.shape, *values.shape[1:]), values.dtype)
    padded[used] = values
    return padded.reshape(len(counts), -1)


def join(blocks: list[Paths], num: int) -> Paths:
    """The first `num` drops of blocks of one scenario, one carrier and one array."""
    joined = vars(blocks[0]).copy()
    for name, value in joined.items():
        if isinstance(value, np.ndarray):
            joined[name] = _widen([getattr(block, name) for block in blocks])[:num]
    return Paths(**joined)


def _widen(arrays: list[np.ndarray]) -> np.ndarray:
    """Concatenate along drops, padded with zeros to the widest."""
    if arrays[0].ndim == 1:
        return np.concatenate(arrays)
    width = max(array.shape[1] for array in arrays)
    pads = [((0, 0), (0, width - array.shape[1])) for array in arrays]
    return np.concatenate([np.pad(a, p) for a, p in zip(arrays, pads, strict=True)])
