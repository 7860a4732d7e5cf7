"""Time sequences: terminals that move through the visibility regions of a fixed scene.

    t = 0          region of cluster 1        t = T
     UE ---------(----------x----------)------> straight line, constant speed
                 enters: born           leaves: dies

Far clusters, their regions, scatterers, complex amplitudes and shadowing stay where
they are, and so do the BS's local cluster and the region and K factor of the line of
sight. Delays, attenuation, path loss and visibility gains follow from the position; the
phases `exp(-j 2 pi f delay)` turn with the delays, which is all there is of Doppler.
The UE's local cluster moves along rigidly: at every time it lies around the terminal as
in a drop that rests, so the law of a snapshot does not change along the track.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from tfds_builders import blocks
from tfds_builders.cost2100_sim import geometry, path_lists, simulator, visibility
from tfds_builders.cost2100_sim.parameters import Scenario, load_scenario
from tfds_builders.cost2100_sim.path_lists import Paths
from tfds_builders.cost2100_sim.visibility import polar

# A fourth word of the seed: no track shares its random numbers with a plain drop.
_TRACKS = 2**32 - 1


def block_track(
    scenario: str,
    seed: int,
    split: int,
    block: int,
    speed: float,
    times: Sequence[float],
) -> list[Paths]:
    """Draw the tracks of one block and the paths at every time.

    Terminals start uniformly in the scenario's square, each in a direction of its own.
    Another speed or list of times is another draw, not a part of the same one.

    Args:
      scenario: `indoor` (5.3 GHz hall) or `outdoor` (300 MHz semi-urban).
      seed: of the data set.
      split: 0 train, 1 validation, 2 test.
      block: index of the block of `blocks.BLOCK` tracks within the split.
      speed: of the terminals, m/s.
      times: of the snapshots, s from the start of the tracks.

    Returns:
      One `Paths` per time, with the same rows and columns at all times. The first
      snapshot has the law of `simulator.block_paths`.

    Raises:
      ValueError: unknown scenario, a negative number, a time or speed that is not
        finite, or a track that leaves the cell.
    """
    parameters = load_scenario(scenario)
    times = _checked_times(times)
    _check_inside(parameters, speed, times)
    rng = blocks.generator(seed, split, block, _TRACKS)
    start = simulator.draw_ue(parameters, rng)
    direction = polar(np.ones(len(start)), rng.uniform(0, 2 * np.pi, len(start)))
    ue = start[:, None] + direction[:, None] * (speed * times)[:, None]
    return _track_paths(scenario, rng, ue)


def sequence_taps(track: Sequence[Paths]) -> np.ndarray:
    """CSI of the snapshots of a track: complex64 `[drops, T, 32 angle, 32 delay]`."""
    return np.stack([simulator.taps(paths) for paths in track], axis=1)


def _checked_times(times: Sequence[float]) -> np.ndarray:
    """`times` as float64 `[T]`."""
    values = np.asarray(times, np.float64)
    if values.ndim != 1 or not values.size or not np.isfinite(values).all():
        raise ValueError(f"times={times!r} must be a list of one or more times in s")
    return values


def _check_inside(scenario: Scenario, speed: float, times: np.ndarray) -> None:
    """The regions fill the cell alone: the law would change at its edge."""
    if not 0 <= speed < np.inf:
        raise ValueError(f"speed={speed} must be 0 or more m/s")
    length = speed * np.abs(times).max()
    reach = scenario.reach_m
    longest = scenario.cell_radius_m - scenario.visibility_radius_m - reach
    if length > longest:
        raise ValueError(
            f"tracks of {length:g} m leave the cell, which has room for {longest:.1f} m"
            f" ({scenario.environment}): lower the speed or the times"
        )


def _track_paths(
    scenario: str, rng: np.random.Generator, ue: np.ndarray
) -> list[Paths]:
    """Paths of drops on the tracks `ue [drops, T, 2]` at each of the T times."""
    parameters, start = load_scenario(scenario), ue[:, 0]
    drop, region, distance = visibility.draw_track_regions(parameters, rng, ue)
    local = geometry.draw_local(parameters, rng, start)
    far = geometry.draw_far(parameters, rng, drop, region, distance[:, 0])
    clusters = geometry.Clusters.concatenate([*local, far])
    scatterers = geometry.draw_scatterers(parameters, rng, len(clusters.drop))
    los = visibility.draw_line_of_sight(parameters, rng, len(ue))
    track = []
    for time, position in enumerate(ue.swapaxes(0, 1)):
        factor = visibility.los_factor_at(parameters, *los, position)
        moved = _moved(clusters, position, distance[:, time])
        track.append(path_lists.trace(scenario, moved, scatterers, position, factor))
    return track


def _moved(
    clusters: geometry.Clusters, ue: np.ndarray, far_distance: np.ndarray
) -> geometry.Clusters:
    """Clusters for terminals at `ue [drops, 2]`, `far_distance` from their regions."""
    region_distance = clusters.region_distance.copy()
    region_distance[~clusters.is_local] = far_distance
    bs_centre, ue_centre = clusters.bs_centre.copy(), clusters.ue_centre.copy()
    first = np.unique(clusters.drop, return_index=True)[1]  # the UE's local cluster
    bs_centre[first] = ue_centre[first] = ue
    return dataclasses.replace(
        clusters,
        bs_centre=bs_centre,
        ue_centre=ue_centre,
        region_distance=region_distance,
    )
