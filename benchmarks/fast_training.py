"""What minutes of training on a CPU give: CRNet against the KLT line of the same run.

python -m benchmarks.fast_training seeds --json=zoo/results/crnet_fast.json
python -m benchmarks.fast_training ablation --json=zoo/results/crnet_ablation.json
python -m benchmarks.fast_training zoo --json=zoo/results/zoo_16.json

`seeds` trains zoo/flagfiles/crnet_fast_{4,16}.cfg with three seeds. `ablation` trains
CRNet by equal_drops.cfg with every combination of start, step and data; a native step
takes about twice as long, so it gets half the epochs. `zoo` gives every network the
drops of equal_drops.cfg and its own recipe; python -m zoo.published makes the flagfiles
in zoo/flagfiles/fast of it. Runs that are complete are not repeated.
"""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
from absl import flags

from tfds_builders import cli
from zoo import files
from zoo.experiments.runner import evaluated

FLAGFILES = Path("zoo/flagfiles")
EQUAL_DROPS = "equal_drops.cfg"
RATIOS = (16, 4)
DATA = {
    "fixed": "cost2100_sim/indoor_quick",
    "stream": "cost2100_sim/indoor_quick:stream",
}
EPOCHS = {"native": 4, "fused": 8}
# Start, peak rate and what share of it matrices take.
ZOO = {
    "acrnet": ("klt", 2e-3, 1.0),
    "attention_csinet": ("klt", 1e-3, 0.3),
    "bacrnet": ("paper", 2e-3, 1.0),
    "bcsinet": ("klt", 2e-3, 1.0),
    "cl_acrnet": ("klt", 2e-3, 1.0),
    "cl_crnet": ("klt", 2e-3, 1.0),
    "cl_csinet": ("klt", 1e-3, 1.0),
    "cllwcsinet": ("klt", 1e-3, 1.0),
    "clnet": ("klt", 2e-3, 1.0),
    "crnet": ("klt", 5e-3, 0.3),
    "cs_csinet": ("klt", 1e-3, 1.0),
    "csinet": ("klt", 1e-3, 1.0),
    "csinet_plus": ("klt", 1e-3, 1.0),
    "csinet_plus_pm": ("klt", 1e-3, 1.0),
    "csinet_plus_sm": ("klt", 1e-3, 1.0),
    "ds_nlcsinet": ("klt", 1e-3, 1.0),
    "lora": ("klt", 1e-3, 1.0),
    "transnet": ("klt", 2e-4, 1.0),
}
SHOWN = ("nmse_db", "nmse_pca_db", "best_epoch", "train_seconds")

_SEEDS = flags.DEFINE_integer("seeds", 3, "number of seeds", 1)
_NETWORKS = flags.DEFINE_list("networks", list(ZOO), "of `zoo`, to train now")
_DIRECTORY = flags.DEFINE_string("directory", "runs/fast", "where the runs live")
_DATA_DIR = flags.DEFINE_string("data_dir", "", "TFDS data directory")
_JSON = flags.DEFINE_string("json", "", "also write the rows here")


def row(name: str, flagfile: str, **overrides) -> dict:
    """Train and evaluate one run, or read what an earlier call left.

    Raises:
        ValueError: a command failed (it has printed why).
    """
    run = Path(_DIRECTORY.value) / name
    options = [f"--{key}={value}" for key, value in overrides.items()]
    where = [f"--run_dir={run}", f"--data_dir={_DATA_DIR.value}"]
    shared = f"--flagfile={FLAGFILES / flagfile}"
    values = evaluated(run, shared, *options, *where)
    print(name, " ".join(f"{key} {values[key]}" for key in SHOWN), flush=True)
    return {"name": name, **overrides, **values}


def seeds() -> list[dict]:
    """Rows of both ratios and all seeds."""
    pairs = itertools.product(RATIOS, range(_SEEDS.value))
    return [
        row(f"crnet_{ratio}_s{seed}", f"crnet_fast_{ratio}.cfg", seed=seed)
        for ratio, seed in pairs
    ]


def ablation() -> list[dict]:
    """Rows of all combinations of start, step and data, one seed."""
    cells = itertools.product(("paper", "klt"), EPOCHS, DATA)
    return [
        row(
            f"{init}_{cpu_step}_{data}",
            EQUAL_DROPS,
            init=init,
            cpu_step=cpu_step,
            dataset=DATA[data],
            epochs=EPOCHS[cpu_step],
        )
        for init, cpu_step, data in cells
    ]


def zoo() -> list[dict]:
    """Rows of all networks that are complete, and of those to train now."""
    rows = []
    for network, (init, lr, dense_rate) in ZOO.items():
        name = f"{network}_16"
        complete = (Path(_DIRECTORY.value) / name / "evaluation.json").is_file()
        if network in _NETWORKS.value or complete:
            recipe = {"init": init, "lr": lr, "dense_rate": dense_rate}
            rows.append(row(name, EQUAL_DROPS, model=network, **recipe))
    return rows


def summary(rows: list[dict]) -> list[dict]:
    """Mean and spread over seeds of NMSE and of its distance to the KLT line."""
    result = []
    for dim in sorted({r["codeword_dim"] for r in rows}):
        group = [r for r in rows if r["codeword_dim"] == dim]
        nmse = np.array([r["nmse_db"] for r in group])
        gain = np.array([r["nmse_pca_db"] for r in group]) - nmse
        result.append(
            {
                "codeword_dim": dim,
                "seeds": len(group),
                "nmse_db_mean": round(float(nmse.mean()), 3),
                "nmse_db_min_max": [float(nmse.min()), float(nmse.max())],
                "better_than_klt_db_mean": round(float(gain.mean()), 3),
                "better_than_klt_db_min": round(float(gain.min()), 3),
            }
        )
    return result


def main(argv: list[str]) -> None:
    experiments = {"seeds": seeds, "ablation": ablation, "zoo": zoo}
    if len(argv) != 2 or argv[1] not in experiments:
        raise ValueError(f"{argv[1:]}: expected one of {', '.join(experiments)}")
    rows = experiments[argv[1]]()
    result = {"rows": rows, **files.environment(), "origin": "ours"}
    if argv[1] == "seeds":
        result["summary"] = summary(rows)
        print(*result["summary"], sep="\n")
    if _JSON.value:
        files.write_json(Path(_JSON.value), result)


if __name__ == "__main__":
    cli.run(main)
