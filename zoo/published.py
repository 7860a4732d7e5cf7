"""One flagfile per published row, and fast ones: python -m zoo.published.

Writes `zoo/flagfiles/published/NAME[_VARIANT]_RATIO_SCENARIO.cfg` from the figures in
the registry and LORA's Table II; each takes the network's own flagfile and changes what
the row changes.
Writes `zoo/flagfiles/fast/NAME.cfg` from the measured rows of
`zoo/results/zoo_16.json`: minutes on two CPU cores.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tfds_builders import cli, locks
from zoo import config_flags, files, registry
from zoo.experiments import lora_tables
from zoo.models.spec import RATIOS, ModelSpec, Rows

PUBLISHED, FAST = config_flags.FLAGFILES / "published", config_flags.FLAGFILES / "fast"
FAST_ROWS = files.RESULTS / "zoo_16.json"
EQUAL_DROPS = "equal_drops.cfg"  # what they share
OF_A_FAST_ROW = ("model", "init", "lr", "dense_rate")
SIMULATED = {  # scenario of a paper: our data set
    name: f"tr38901/lora_{name}_track" for name in ("rma_nlos", "uma_nlos", "umi_nlos")
}


def flagfiles() -> dict[str, str]:
    """Name to content of the flagfile of every published row."""
    result = {}
    for spec in registry.MODELS.values():
        result |= _of_rows(spec, "", spec.published, {})
        for variant, (model_args, rows, training) in spec.variants.items():
            own = {"model_args": json.dumps(model_args)} if model_args else {}
            result |= _of_rows(spec, variant, rows, {**own, **training})
    for model, norms in lora_tables.L1_NORMS.items():
        figures = {f"{place}_nlos": f"l1 norm {norm}" for place, norm in norms.items()}
        result |= _of_rows(registry.get(model), "", {"1/16": figures}, {})
    return result


def _of_rows(spec: ModelSpec, variant: str, rows: Rows, changes: dict) -> dict:
    result = {}
    for ratio, figures in rows.items():
        for scenario, figure in figures.items():
            words = [spec.name, variant, ratio.partition("/")[2], scenario]
            name = "_".join(word for word in words if word).replace(" ", "_") + ".cfg"
            dataset = SIMULATED.get(scenario, f"cost2100/{scenario}")
            row = {"codeword_dim": RATIOS[ratio], "dataset": dataset, **changes}
            title = " ".join(word for word in (spec.name, variant) if word)
            where = f"COST2100 {scenario}"
            if scenario in SIMULATED:
                where = f"the paper's {scenario}, ours {dataset}"
            what = f"{title} at {ratio}, {where}"
            expected = figure if isinstance(figure, str) else f"{figure} dB"
            result[name] = _content(spec, name, what, expected, row)
    return result


def _content(
    spec: ModelSpec, name: str, what: str, expected: str, changes: dict[str, Any]
) -> str:
    place = " --manual_dir=DIR" if changes["dataset"].startswith("cost2100/") else ""
    lines = [
        f"# {what}. Expected: {expected}, the published figure.",
        *_first_stage(spec, changes),
        f"# Command:  python -m zoo.train{place} \\",
        f"#             --flagfile={PUBLISHED.name}/{name.removesuffix('.cfg')}",
        f"# Time and training: see {spec.name}.cfg. Obtained: not run at this size.",
        f"--flagfile=../{spec.name}.cfg",
        *(f"--{key}={value}" for key, value in changes.items()),
    ]
    return "\n".join(lines) + "\n"


def _first_stage(spec: ModelSpec, changes: dict[str, Any]) -> list[str]:
    """Command of the training that a row continues, if it does."""
    if "weights" not in changes:
        return []
    return [
        f"# Before:   python -m zoo.train --flagfile={spec.name} \\",
        f"#             --codeword_dim={changes['codeword_dim']} "
        f"--run_dir={changes['weights']}",
    ]


def fast_flagfiles() -> dict[str, str]:
    """Name to content of the flagfile of every network that was measured.

    Raises:
        FileNotFoundError, ValueError: no usable `zoo_16.json`.
    """
    result = {}
    for row in files.read_json(FAST_ROWS)["rows"]:
        name = f"{row['model']}.cfg"
        minutes = row["train_seconds"] / 60
        lines = [
            f"# {row['model']} at 1/16 on streamed indoor drops, the training of "
            f"{EQUAL_DROPS}.",
            f"# Command:  python -m zoo.train --flagfile={FAST.name}/{row['model']}",
            f"# Time: {minutes:.0f} minutes on {row['train_device']}.",
            f"# Obtained: {row['nmse_db']:.2f} dB, linear KLT {row['nmse_pca_db']:.2f} "
            f"dB (zoo/results/{FAST_ROWS.name}).",
            f"--flagfile=../{EQUAL_DROPS}",
            *(f"--{key}={row[key]}" for key in OF_A_FAST_ROW if key in row),
        ]
        result[name] = "\n".join(lines) + "\n"
    return result


def _replace(folder: Path, wanted: dict[str, str]) -> None:
    """Make these files the only flagfiles of a folder."""
    with locks.alone(folder):
        for path in folder.glob("*.cfg"):
            if path.name not in wanted:
                path.unlink()
        for name, text in wanted.items():
            files.write_text(folder / name, text)
    print(f"{folder}: {len(wanted)} flagfiles")


def main(argv: list[str]) -> None:
    """Command line."""
    cli.refuse_arguments(argv)
    _replace(PUBLISHED, flagfiles())
    _replace(FAST, fast_flagfiles())


if __name__ == "__main__":
    cli.run(main)
