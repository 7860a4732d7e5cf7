"""Small results directories, as zoo.reproduce and the benchmarks write them."""

from __future__ import annotations

import json
from pathlib import Path

from zoo.metrics import plots

COMMIT = "0123456789abcdef0123456789abcdef01234567"
ENVIRONMENT = {
    "commit": COMMIT,
    "date": "2026-01-02T03:04:05+00:00",
    "device": "a processor, 2 cores",
    "python": "3.11.7",
    "command": "reproduce.py TARGET",
    "versions": {"numpy": "2.4.6"},
}
KLT_DB = -11.5
HERE = Path("results")


def run(model: str, seed: int, nmse_db: float, **changes) -> dict:
    """A run as an entry of zoo.reproduce keeps it."""
    return {
        "run": f"{model}_s{seed}-{changes.get('codeword_dim', 128):08x}",
        "model": model,
        "model_args": {},
        "init": "paper",
        "dataset": "tr38901",
        "dataset_config": "lora_rma_nlos_quick",
        "codeword_dim": 128,
        "seed": seed,
        "num_train": 20_000,
        "epochs": 4,
        "best_epoch": 4,
        "train_seconds": 1800.0,
        "nmse_db": nmse_db,
        "nmse_pca_db": KLT_DB,
        "feedback_bits": None,
        "weights_sha256": f"{seed}{model}".encode().hex(),
        "train_commit": COMMIT,
        "train_device": "another processor, 1 cores",
        **changes,
    }


def entry(series: str, x, values: list[float], paper=None, model="", **changes):
    """An entry with one run per value."""
    runs = [run(model or series, i, v, **changes) for i, v in enumerate(values)]
    return {
        "series": series,
        "x": x,
        "ours": sum(values) / len(values),
        "ours_by_seed": values,
        "paper": paper,
        "value": "nmse_pca_db" if series == "klt" else "nmse_db",
        "tested_on": "",
        "line": series == "klt",
        "handicap": "",
        "runs": runs,
    }


def result(target: str, entries: list, claims=(), **changes) -> dict:
    """A result of zoo.reproduce."""
    return {
        "target": target,
        "title": f"What {target} shows",
        "note": "A note.",
        "unit": "NMSE [dB]",
        "x": "ratio",
        "budget": "fast",
        "entries": entries,
        "claims": list(claims),
        **ENVIRONMENT,
        "origin": {"ours": "ours", "paper": "paper"},
        **changes,
    }


def row(model: str, nmse_db: float, ue_macs: int, **changes) -> dict:
    """A results row of zoo.evaluate, as zoo_16.json keeps it."""
    return {
        "name": f"{model}_16", "model": model, "model_args": {}, "init": "klt",
        "lr": 0.002, "dataset": "cost2100_sim", "dataset_config": "indoor_quick:stream",
        "ratio": 0.0625, "codeword_dim": 128, "bits": 0, "feedback_bits": None,
        "nmse_db": nmse_db, "nmse_pca_db": -11.0, "rho": 0.96, "ue_macs": ue_macs,
        "bs_macs": 3_000_000 - ue_macs, "ue_bytes_fp32": 4 * ue_macs, "seed": 0,
        "num_train": 20_000, "epochs": 17, "best_epoch": 17, "train_seconds": 500.0,
        "flags_sha256": "f" * 64, "train_commit": COMMIT, **ENVIRONMENT,
        "origin": "ours", **changes,
    }  # fmt: skip


FIGURE = result(
    "lora.figure6",
    [
        entry("ista_net", "1/16", [-12.0, -12.1, -12.2]),
        entry("lora", "1/16", [-14.0, -14.2, -14.7]),
        entry("klt", "1/16", [KLT_DB] * 3, model="lora"),
        entry("ista_net", "1/64", [-7.0, -7.0, -7.3], codeword_dim=32),
        entry("lora", "1/64", [-6.9, -7.0, -7.2], codeword_dim=32),
    ],
    [
        {
            "claim": "lora better than ista_net",
            "origin": "paper",
            "verdict": "not decidable at this budget",
            "difference": {"1/16": -2.2, "1/64": 0.07},
            "paper": {},
            "decided": 1,
            "seeds": 3,
        }
    ],
)
TABLE = result(
    "lora.table1",
    [
        entry("mlp", 4, [-14.25], paper=-29.21, model="lora"),
        entry("cnn", 4, [-10.5], paper=-11.23, model="lora", run="lora_cnn_s0"),
    ],
    [
        {
            "claim": "the MLP is the better regulariser",
            "origin": "paper",
            "verdict": "confirmed",
            "difference": {"4": -3.75},
            "paper": {"4": -17.98},
            "decided": 1,
            "seeds": 1,
        },
        {
            "claim": "no point in common",
            "origin": "paper",
            "verdict": "not confirmed",
            "difference": {},
            "paper": {},
            "decided": 0,
            "seeds": 0,
        },
    ],
    x="block",
)
COUNTS = result(
    "clnet.table3",
    [
        {
            **entry("clnet", "1/4 ue", [1048968.0], 1_049_000),
            "runs": [],
            "value": "measured",
        }
    ],
    unit="parameters",
    x="side",
)
NETWORKS = {
    "rows": [
        row("crnet", -12.25, 417_792),
        row("csinet", -11.25, 299_008),
        row("transnet", 32.4, 1_835_008),
    ],
    **ENVIRONMENT,
    "command": "fast_training.py zoo",
    "origin": "ours",
}
SPEED = {
    "rows": [{"simulator": "fast", "drops_per_s": 11874.2, "ms": {"paths": 0.5}}],
    **ENVIRONMENT,
    "command": "simulators.py",
}
TORCH = {
    "rows": [
        {"system": system, "seed": 0, "nmse_db": nmse_db, "run": f"{system}_s0", **line}
        for system, nmse_db, line in (
            ("zoo", -9.5, {"nmse_pca_db": -11.0}),
            ("torch", -9.25, {}),
        )
    ],
    "nmse_db_mean": {"zoo": -9.5, "torch": -9.25},
    "difference_db": -0.25,
    **ENVIRONMENT,
    "command": "torch_curve.py",
}


def write(directory) -> None:
    """Write all of these as a results directory, two with a drawing."""
    (directory / "reproduce").mkdir(parents=True)
    contents = {
        "reproduce/lora.figure6": FIGURE,
        "reproduce/lora.table1": TABLE,
        "reproduce/clnet.table3": COUNTS,
        "zoo_16": NETWORKS,
        "simulators": SPEED,
        "torch_curve": TORCH,
        "crnet_6bit": {"row": row("crnet", -11.75, 417_792, bits=6, feedback_bits=768)},
    }
    for name, content in contents.items():
        (directory / f"{name}.json").write_text(json.dumps(content))
    for name in ("reproduce/lora.figure6", "torch_curve"):
        plots.save_curves(FIGURE, directory / f"{name}.png")
