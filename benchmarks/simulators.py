"""Channels per second to angle-delay taps, on one core; gain of a second worker.

    python -m benchmarks.simulators [--what=cost2100_indoor] [--json=FILE]

Prints one row per simulator: the median over repeated blocks of 100 drops, apart for
drawing the paths and for synthesising the taps. Then how much faster two processes of
`tfds_builders.build` simulate than one, in alternating rounds.
"""

from __future__ import annotations

import os

# The libraries read these when NumPy is imported.
os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"))

import functools  # noqa: E402
import statistics  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable  # noqa: E402

import numpy as np  # noqa: E402
from absl import flags  # noqa: E402

from tfds_builders import cli  # noqa: E402
from tfds_builders.blocks import BLOCK  # noqa: E402
from tfds_builders.cost2100_sim import simulator as cost2100  # noqa: E402
from tfds_builders.staging import Staging  # noqa: E402
from tfds_builders.tr38901 import simulator as tr38901  # noqa: E402
from tfds_builders.tr38901.presets import load_preset  # noqa: E402
from zoo import files  # noqa: E402

# Simulator: argument, and the drops per second that it has to reach.
TARGETS = {
    "cost2100_indoor": ("indoor", 1000),
    "cost2100_outdoor": ("outdoor", 300),
    "tr38901_plane": ("cllw_uma_nlos_28ghz", 1000),
    "tr38901_spherical": ("lora_umi_nlos", 400),
}
PARALLEL_TARGET = 1.7

_WHAT = flags.DEFINE_multi_enum(
    "what", list(TARGETS), list(TARGETS), "Simulators to measure."
)
_BLOCKS = flags.DEFINE_integer(
    "blocks", 30, "Blocks of 100 drops to measure per simulator.", lower_bound=1
)
_ROUNDS = flags.DEFINE_integer("rounds", 3, "Rounds with one and two workers; 0: none.")
_JSON = flags.DEFINE_string("json", None, "File to write the rows and provenance to.")


def pin_to_one_core() -> int | None:
    """Pin this process to its last allowed core; None where the system cannot."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    core = max(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {core})
    return core


def stages(name: str) -> tuple[Callable, Callable, Callable]:
    """Drops of a block, their taps, and their number of paths `[drops]`."""
    argument, _ = TARGETS[name]
    if name.startswith("cost2100"):
        draw = functools.partial(cost2100.block_paths, argument, 0, 0)
        return draw, cost2100.taps, lambda drops: drops.num_paths
    preset = load_preset(argument)
    draw = functools.partial(tr38901.block_drops, preset.setting, 0, 0)

    def taps(drops):
        return tr38901.angular_taps(tr38901.port_taps(drops, preset.taps)[:, 0])

    return draw, taps, lambda drops: np.count_nonzero(drops.rays.power, axis=1)


def measure(name: str, num_blocks: int) -> dict[str, object]:
    draw, taps, count = stages(name)
    taps(draw(0))
    paths_s, taps_s, num_paths = [], [], []
    for block in range(num_blocks):
        start = time.perf_counter()
        drops = draw(block)
        drawn = time.perf_counter()
        taps(drops)
        taps_s.append(time.perf_counter() - drawn)
        paths_s.append(drawn - start)
        num_paths.append(count(drops).mean())
    block_s = [sum(both) for both in zip(paths_s, taps_s, strict=True)]
    return {
        "simulator": name,
        "setting": TARGETS[name][0],
        "drops_per_s": BLOCK / statistics.median(block_s),
        "best_drops_per_s": BLOCK / min(block_s),
        "target_drops_per_s": TARGETS[name][1],
        "paths_us_per_drop": 1e6 * statistics.median(paths_s) / BLOCK,
        "taps_us_per_drop": 1e6 * statistics.median(taps_s) / BLOCK,
        "mean_num_paths": statistics.mean(num_paths),
    }


def measure_workers(num_blocks: int, rounds: int) -> dict[str, object]:
    """Drops per second staged by one and by two processes, their start included."""
    simulation = {"preset": "lora_umi_nlos", "release": "v16"}
    todo = [(0, block) for block in range(num_blocks)]
    seconds = {1: [], 2: []}
    for _ in range(rounds):
        for workers, times in seconds.items():
            with tempfile.TemporaryDirectory() as folder:
                staging = Staging(folder, "tr38901", simulation, seed=0)
                start = time.perf_counter()
                staging.stage_all(todo, workers, lambda simulated: None)
                times.append(time.perf_counter() - start)
    drops = {n: num_blocks * BLOCK / statistics.median(s) for n, s in seconds.items()}
    ratios = [one / two for one, two in zip(*seconds.values(), strict=True)]
    return {
        "setting": "lora_umi_nlos",
        "drops_per_s_one_worker": drops[1],
        "drops_per_s_two_workers": drops[2],
        "two_over_one": statistics.median(ratios),
        "target": PARALLEL_TARGET,
    }


def print_table(rows: list[dict[str, object]]) -> None:
    header = f"{'simulator':<19}{'drops/s':>9}{'best':>9}{'target':>9}{'paths':>8}"
    print(f"{header}{'us paths':>10}{'us taps':>9}")
    for row in rows:
        print(
            f"{row['simulator']:<19}{row['drops_per_s']:>9.0f}"
            f"{row['best_drops_per_s']:>9.0f}{row['target_drops_per_s']:>9}"
            f"{row['mean_num_paths']:>8.1f}{row['paths_us_per_drop']:>10.1f}"
            f"{row['taps_us_per_drop']:>9.1f}"
        )


def main(argv: list[str]) -> None:
    cli.refuse_arguments(argv)
    result = {"threads": 1, "origin": "ours"}
    if _ROUNDS.value:  # before this process is pinned: workers inherit that
        result["workers"] = measure_workers(2 * _BLOCKS.value, _ROUNDS.value)
        ratio = result["workers"]["two_over_one"]
        print(f"two workers: {ratio:.2f}x one, target {PARALLEL_TARGET}x")
    result["core"] = pin_to_one_core()
    result["rows"] = [measure(name, _BLOCKS.value) for name in _WHAT.value]
    print_table(result["rows"])
    if _JSON.value:
        files.write_json(_JSON.value, result | files.environment())


if __name__ == "__main__":
    cli.run(main)
