"""COST2100 channels as in the CsiNet data: drops -> paths -> angle-delay taps.

Vectorised NumPy, written from the model's description (see `geometry`). Kept as the
reference implementation has them: 3e8 m/s, the free-space constant 147.56 dB, and no
attenuation floor indoors, where its cut-off delay is stored in the wrong unit. A region
of radius zero leaves the indoor hall without line of sight.

Every block of `BLOCK` drops has a generator of its own, seeded by (seed, split, block):
results depend neither on workers nor on how many drops are asked for.
"""

from __future__ import annotations

import numpy as np

from tfds_builders import synthesis
from tfds_builders.blocks import BLOCK, generator
from tfds_builders.cost2100_sim import geometry, path_lists, visibility
from tfds_builders.cost2100_sim.parameters import Scenario, load_scenario
from tfds_builders.cost2100_sim.path_lists import Paths
from tfds_builders.csi_examples import FREQUENCY_GRID, FREQUENCY_KEPT

NUM_ANTENNAS = 32
NUM_SUBCARRIERS = 1024


def draw_ue(scenario: Scenario, rng: np.random.Generator) -> np.ndarray:
    """Positions of a block's terminals: `[BLOCK, 2]` m, uniform in square or disc."""
    if scenario.ue_disc_radius_m is not None:
        radius = scenario.ue_disc_radius_m * np.sqrt(rng.random(BLOCK))
        return visibility.polar(radius, rng.uniform(0, 2 * np.pi, BLOCK))
    side = scenario.ue_square_side_m
    return rng.uniform(-side / 2, side / 2, (BLOCK, 2))


def paths_at(
    scenario: str | Scenario, rng: np.random.Generator, ue: np.ndarray
) -> Paths:
    """Draw one drop for each terminal at `ue [drops, 2]` m.

    Raises:
      ValueError: unknown scenario.
    """
    parameters = load_scenario(scenario)
    clusters = geometry.draw_clusters(parameters, rng, ue)
    scatterers = geometry.draw_scatterers(parameters, rng, len(clusters.drop))
    los = visibility.draw_line_of_sight(parameters, rng, len(ue))
    los_factor = visibility.los_factor_at(parameters, *los, ue)
    return path_lists.trace(scenario, clusters, scatterers, ue, los_factor)


def block_paths(scenario: str | Scenario, seed: int, split: int, block: int) -> Paths:
    """Draw the `BLOCK` drops of one block.

    Args:
      scenario: column of `parameters.json`, such as `indoor` or `outdoor`.
      seed: of the data set.
      split: 0 train, 1 validation, 2 test.
      block: index of the block within the split.

    Raises:
      ValueError: unknown scenario, or a negative number.
    """
    parameters = load_scenario(scenario)
    rng = generator(seed, split, block)
    return paths_at(scenario, rng, draw_ue(parameters, rng))


def paths(scenario: str | Scenario, num: int, seed: int, split: int = 0) -> Paths:
    """Draw `num` drops; the first drops of a larger request are the same.

    Raises:
      ValueError: as `block_paths`, or `num` below 1.
    """
    blocks = range(_num_blocks(num))
    drawn = [block_paths(scenario, seed, split, block) for block in blocks]
    return path_lists.join(drawn, num)


def _num_blocks(num: int) -> int:
    if int(num) != num or num < 1:
        raise ValueError(f"num={num!r} must be a positive number of drops")
    return -(-int(num) // BLOCK)


def _band(paths: Paths, num_subcarriers: int) -> synthesis.Band:
    bandwidth_hz = load_scenario(paths.scenario).bandwidth_hz
    first_hz = paths.carrier_hz - bandwidth_hz / 2
    return synthesis.Band(first_hz, bandwidth_hz, num_subcarriers)


def _ula(paths: Paths) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Arguments of the synthesis, which has half a wavelength; the array is along y."""
    sine = np.sin(paths.azimuth) * np.cos(paths.elevation)
    return sine * (2 * paths.spacing), paths.delay, paths.amplitude


def taps(paths: Paths, first: int = 32, last: int = 0) -> np.ndarray:
    """Zero-centred, unscaled CSI `H_a`: complex64 `[drops, 32 angle, first + last]`.

    Unitary transforms of 1024 subcarriers over the band, as in
    `transforms.to_angular_delay` and `transforms.truncate`.
    """
    band = _band(paths, NUM_SUBCARRIERS)
    return synthesis.ula_taps(*_ula(paths), band, NUM_ANTENNAS, first, last)


def fdd_pair(
    paths: Paths, uplink_hz: float, first: int = 32, last: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Downlink and uplink CSI of the same drops at the same array.

    The downlink is at the carrier of `paths`, whose array is used for both. Delays,
    angles and path powers are shared; the phases `exp(-j 2 pi f delay)` of carriers
    200 MHz apart have nothing in common.

    Args:
      paths: drops at the downlink's carrier, from `block_paths` or of a track.
      uplink_hz: the uplink's carrier.
      first: number of the first delay taps kept.
      last: number of the last ones.

    Returns:
      Downlink, uplink: complex64 `[drops, 32 angle, first + last]` as from `taps`.

    Raises:
      ValueError: as `Paths.at_carrier`.
    """
    spacing = paths.spacing * uplink_hz / paths.carrier_hz
    uplink = paths.at_carrier(uplink_hz, spacing)
    return taps(paths, first, last), taps(uplink, first, last)


def beam_subcarriers(
    paths: Paths, num_subcarriers: int = FREQUENCY_GRID, keep: int = FREQUENCY_KEPT
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
