"""Channels per second to angle-delay taps, on one core.

    python -m benchmarks.simulators [--scenario=indoor] [--json=FILE]

Prints one row per scenario: the median over repeated blocks of 100 drops, apart for
drawing the paths and for synthesising the taps.
"""

from __future__ import annotations

import os

# The libraries read these when NumPy is imported.
os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"))

import statistics  # noqa: E402
import time  # noqa: E402

from absl import flags  # noqa: E402

from tfds_builders.cost2100_sim import simulator  # noqa: E402
from zoo import cli, files  # noqa: E402

TARGETS = {"indoor": 1000, "outdoor": 300}  # drops per second

_SCENARIO = flags.DEFINE_multi_enum(
    "scenario", list(TARGETS), list(TARGETS), "COST2100 scenarios to measure."
)
_BLOCKS = flags.DEFINE_integer(
    "blocks", 30, "Blocks of 100 drops to measure per scenario.", lower_bound=1
)
_JSON = flags.DEFINE_string("json", None, "File to write the rows and provenance to.")


def pin_to_one_core() -> int | None:
    """Pin this process to its last allowed core; None where the system cannot."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    core = max(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {core})
    return core


def measure(scenario: str, num_blocks: int) -> dict[str, object]:
    simulator.taps(simulator.block_paths(scenario, seed=0, split=0, block=0))
    paths_s, taps_s, num_paths = [], [], []
    for block in range(num_blocks):
        start = time.perf_counter()
        paths = simulator.block_paths(scenario, seed=0, split=0, block=block)
        drawn = time.perf_counter()
        simulator.taps(paths)
        taps_s.append(time.perf_counter() - drawn)
        paths_s.append(drawn - start)
        num_paths.append(paths.num_paths.mean())
    block_s = [sum(both) for both in zip(paths_s, taps_s, strict=True)]
    return {
        "scenario": f"cost2100 {scenario}",
        "drops_per_s": simulator.BLOCK / statistics.median(block_s),
        "best_drops_per_s": simulator.BLOCK / min(block_s),
        "target_drops_per_s": TARGETS[scenario],
        "paths_us_per_drop": 1e6 * statistics.median(paths_s) / simulator.BLOCK,
        "taps_us_per_drop": 1e6 * statistics.median(taps_s) / simulator.BLOCK,
        "mean_num_paths": statistics.mean(num_paths),
    }


def print_table(rows: list[dict[str, object]]) -> None:
    header = f"{'scenario':<18}{'drops/s':>9}{'best':>9}{'target':>9}{'paths':>8}"
    print(f"{header}{'us paths':>10}{'us taps':>9}")
    for row in rows:
        print(
            f"{row['scenario']:<18}{row['drops_per_s']:>9.0f}"
            f"{row['best_drops_per_s']:>9.0f}{row['target_drops_per_s']:>9}"
            f"{row['mean_num_paths']:>8.1f}{row['paths_us_per_drop']:>10.1f}"
            f"{row['taps_us_per_drop']:>9.1f}"
        )


def main(argv: list[str]) -> None:
    cli.refuse_arguments(argv)
    core = pin_to_one_core()
    rows = [measure(scenario, _BLOCKS.value) for scenario in _SCENARIO.value]
    print_table(rows)
    if _JSON.value:
        run = {"rows": rows, "core": core, "threads": 1}
        files.write_json(_JSON.value, {**run, **files.environment(), "origin": "ours"})


if __name__ == "__main__":
    cli.run(main)
