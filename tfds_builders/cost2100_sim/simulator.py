"""COST2100 channels as in the CsiNet data: drops -> paths -> angle-delay taps.

Vectorised NumPy, written from the model's description (see `geometry`). Kept as the
reference implementation has them: 3e8 m/s, the free-space constant 147.56 dB, and no
attenuation floor indoors, where its cut-off delay is stored in the wrong unit. A region
of radius zero leaves the indoor hall without line of sight.

Every block of `BLOCK` drops has a generator of its own, seeded by (seed, split, block):
results depend neither on workers nor on how many drops are asked for.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from tfds_builders import synthesis
from tfds_builders.cost2100_sim import geometry
from tfds_builders.cost2100_sim.parameters import Scenario, load_scenario

BLOCK = 100
NUM_ANTENNAS = 32
NUM_SUBCARRIERS = 1024


@dataclass(frozen=True)
class Paths:
    """Path lists of drops, padded; column 0 is the line of sight.

    Then the UE's local cluster, the BS's where there is one, and the far clusters, each
    with `paths_per_cluster` columns. Amplitudes in the padding, and of a blocked line
    of sight, are zero.

    Attributes:
      scenario: `indoor` or `outdoor`.
      carrier_hz: centre of the band.
      azimuth: `[drops, max_paths]` rad at the BS, not wrapped.
      elevation: `[drops, max_paths]` rad at the BS.
      delay: `[drops, max_paths]` s.
      amplitude: complex `[drops, max_paths]`, at this carrier and delay zero.
      num_paths: int `[drops]`, the line of sight counted even where blocked.
      ue_position: `[drops, 2]` m from the BS.
      cluster_amplitude: complex `[drops, max_paths - 1]`, without visibility gain and
        path loss: what all carriers share.
      region_distance: `[drops, clusters]` m from the centre of the visibility region,
        -inf without one.
      los_factor: `[drops]` power of the line of sight over that of all other paths.
    """

    scenario: str
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

    def __len__(self) -> int:
        return len(self.num_paths)

    def at_carrier(self, hz: float) -> Paths:
        """Return the same drops at another carrier.

        Geometry, delays, path amplitudes, shadowing and K factor stay; visibility
        gain, path loss and phases become those of `hz`. The array is half a wavelength
        at each carrier.

        Raises:
          ValueError: `hz` not above half the bandwidth.
        """
        bandwidth_hz = load_scenario(self.scenario).bandwidth_hz
        if not hz > bandwidth_hz / 2:
            raise ValueError(
                f"carrier {hz} Hz must lie above half the bandwidth of"
                f" {bandwidth_hz:g} Hz: give it in Hz"
            )
        paths = dataclasses.replace(self, carrier_hz=float(hz))
        return dataclasses.replace(paths, amplitude=_amplitude(paths))


def _amplitude(paths: Paths) -> np.ndarray:
    """Visibility gain, free-space loss and the line of sight: `[drops, max_paths]`."""
    scenario = load_scenario(paths.scenario)
    length = scenario.transition_length_m
    depth = paths.region_distance - (scenario.visibility_radius_m - length)
    wavelength = geometry.SPEED_OF_LIGHT / paths.carrier_hz
    edge = np.sqrt(8.0) * depth / np.sqrt(wavelength * length)
    gain = 0.5 - np.arctan(edge) / np.pi
    distance = np.hypot(*paths.ue_position.T)
    loss_db = 20 * np.log10(distance) + 20 * np.log10(paths.carrier_hz) - 147.56
    gain *= 10 ** (-loss_db / 20)[:, None]
    scattered = paths.cluster_amplitude * np.repeat(
        gain, scenario.paths_per_cluster, axis=1
    )
    power = np.sum(scattered.real**2 + scattered.imag**2, axis=1)
    los = np.sqrt(paths.los_factor * power)
    return np.concatenate([los[:, None], scattered], axis=1)


def _draw_los_factor(
    scenario: Scenario, rng: np.random.Generator, ue: np.ndarray
) -> np.ndarray:
    """K factor `[drops]`, zero where the line of sight is blocked."""
    reach = scenario.los_cutoff_m - scenario.los_visibility_radius_m
    radius = reach * np.sqrt(rng.random(len(ue)))
    angle = rng.uniform(0, np.pi / 2, len(ue))
    centre = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    visible = np.hypot(*ue.T) < scenario.los_cutoff_m
    visible &= np.hypot(*(ue - centre).T) < scenario.los_visibility_radius_m
    factor_db = scenario.los_factor_std_db * rng.standard_normal(len(ue))
    return np.where(visible, scenario.los_factor_mean * 10 ** (0.1 * factor_db), 0.0)


def block_paths(scenario: str, seed: int, split: int, block: int) -> Paths:
    """Draw the `BLOCK` drops of one block.

    Args:
      scenario: `indoor` (5.3 GHz hall) or `outdoor` (300 MHz semi-urban).
      seed: of the data set.
      split: 0 train, 1 validation, 2 test.
      block: index of the block within the split.

    Raises:
      ValueError: unknown scenario, or a negative number.
    """
    parameters = load_scenario(scenario)
    if min(seed, split, block) < 0:
        raise ValueError(
            f"seed={seed}, split={split}, block={block}: none may be negative"
        )
    rng = np.random.default_rng([seed, split, block])
    side = parameters.ue_square_side_m
    ue = rng.uniform(-side / 2, side / 2, (BLOCK, 2))
    clusters = geometry.draw_clusters(parameters, rng, ue)
    counts = np.bincount(clusters.drop)
    drawn = geometry.draw_paths(parameters, rng, clusters, ue)
    azimuth, elevation, delay, amplitude = (_pad(values, counts) for values in drawn)
    los_azimuth = np.arctan2(ue[:, 1], ue[:, 0])
    los_delay = np.hypot(*ue.T) / geometry.SPEED_OF_LIGHT
    drops = Paths(
        scenario=scenario,
        carrier_hz=parameters.carrier_hz,
        azimuth=np.column_stack([los_azimuth, azimuth]),
        elevation=np.column_stack([np.zeros(BLOCK), elevation]),
        delay=np.column_stack([los_delay, delay]),
        amplitude=np.empty(0),
        num_paths=1 + counts * parameters.paths_per_cluster,
        ue_position=ue,
        cluster_amplitude=amplitude,
        region_distance=_pad(clusters.region_distance, counts),
        los_factor=_draw_los_factor(parameters, rng, ue),
    )
    return drops.at_carrier(parameters.carrier_hz)


def _pad(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Spread rows sorted by drop over `[drops, most rows of a drop * columns]`."""
    used = np.arange(counts.max()) < counts[:, None]
    padded = np.zeros((*used.shape, *values.shape[1:]), values.dtype)
    padded[used] = values
    return padded.reshape(len(counts), -1)


def paths(scenario: str, num: int, seed: int, split: int = 0) -> Paths:
    """Draw `num` drops; the first drops of a larger request are the same.

    Raises:
      ValueError: as `block_paths`, or `num` below 1.
    """
    blocks = [
        block_paths(scenario, seed, split, block) for block in range(_num_blocks(num))
    ]
    joined = vars(blocks[0]).copy()
    for name, value in joined.items():
        if isinstance(value, np.ndarray):
            joined[name] = _join([getattr(block, name) for block in blocks])[:num]
    return Paths(**joined)


def _num_blocks(num: int) -> int:
    if int(num) != num or num < 1:
        raise ValueError(f"num={num!r} must be a positive number of drops")
    return -(-int(num) // BLOCK)


def _join(arrays: list[np.ndarray]) -> np.ndarray:
    """Concatenate along drops, padded with zeros to the widest."""
    if arrays[0].ndim == 1:
        return np.concatenate(arrays)
    width = max(array.shape[1] for array in arrays)
    pads = [((0, 0), (0, width - array.shape[1])) for array in arrays]
    return np.concatenate([np.pad(a, p) for a, p in zip(arrays, pads, strict=True)])


def _band(paths: Paths, num_subcarriers: int) -> synthesis.Band:
    bandwidth_hz = load_scenario(paths.scenario).bandwidth_hz
    first_hz = paths.carrier_hz - bandwidth_hz / 2
    return synthesis.Band(first_hz, bandwidth_hz, num_subcarriers)


def _ula(paths: Paths) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Arguments of the synthesis; the array lies along y."""
    sine = np.sin(paths.azimuth) * np.cos(paths.elevation)
    return sine, paths.delay, paths.amplitude


def taps(paths: Paths, num_taps: int = 32) -> np.ndarray:
    """Zero-centred, unscaled CSI `H_a`: complex64 `[drops, 32 angle, num_taps]`.

    Unitary transforms of 1024 subcarriers over the band, as in
    `transforms.to_angular_delay` and `transforms.truncate`.
    """
    band = _band(paths, NUM_SUBCARRIERS)
    return synthesis.ula_taps(*_ula(paths), band, NUM_ANTENNAS, num_taps)


def beam_subcarriers(
    paths: Paths, num_subcarriers: int = 257, keep: int = 125
) -> np.ndarray:
    """Untruncated frequency response of every beam: complex64 `[drops, 32, keep]`.

    Scaled such that `transforms.delay_to_frequency(taps, num_subcarriers, keep)` is its
    approximation from truncated taps.
    """
    band = _band(paths, num_subcarriers)
    response = synthesis.ula_frequency(*_ula(paths), band, NUM_ANTENNAS, keep)
    response *= np.float32(np.sqrt(NUM_SUBCARRIERS / num_subcarriers))
    return response


def simulate(scenario: str, num: int, seed: int, split: int = 0) -> np.ndarray:
    """Draw `num` channels, complex64 `[num, 32 angle, 32 delay]`, see `taps`.

    A smaller request is a prefix of a larger one, bit for bit.

    Raises:
      ValueError: as `paths`.
    """
    channels = [
        taps(block_paths(scenario, seed, split, block))
        for block in range(_num_blocks(num))
    ]
    return np.concatenate(channels)[:num]
