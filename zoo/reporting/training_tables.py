"""Tables of the measurements on training: starts, steps, speed and PyTorch's curve."""

from __future__ import annotations

from zoo.reporting import rate_columns, rate_curves
from zoo.reporting.blocks import NMSE_UNIT, Table
from zoo.reporting.cells import fixed, number


def ablation(content: dict) -> Table:
    """Start, step and data of CRNet's short trainings."""
    columns = ["start", "step", "data", "epochs", NMSE_UNIT, *rate_columns.COLUMNS]
    rows = [
        [
            r["init"],
            r["cpu_step"],
            "stream" if r["dataset_config"].endswith(":stream") else "fixed",
            number(r["epochs"]),
            fixed(r["nmse_db"]),
            *rate_columns.cells(r, rate_curves.data_set(r)),
            fixed(r["train_seconds"], 0),
        ]
        for r in content["rows"]
    ]
    return Table([*columns, "training [s]"], rows)


def train_speed(content: dict) -> Table:
    """Milliseconds per training step, our systems first."""
    columns = ["network", "Keras, oneDNN off", "Keras", "fused", "PyTorch eager"]
    columns += ["channels_last", "torch.compile", "torch.compile / fused"]
    rows = [
        [r["network"], *(fixed(ms, 0) for ms in r["step_ms"].values())]
        + [fixed(r["ours_over"]["torch.compile"])]
        for r in content["rows"]
    ]
    return Table(columns, rows)


def torch_curve(content: dict) -> Table:
    """Test NMSE of the same training by two implementations, and their means."""
    by_seed: dict[int, dict[str, dict]] = {}
    for row in content["rows"]:
        by_seed.setdefault(row["seed"], {})[row["system"]] = row
    columns = ["seed", f"zoo, {NMSE_UNIT}", f"PyTorch, {NMSE_UNIT}", "zoo - PyTorch"]
    rows = []
    for seed, pair in by_seed.items():
        values = pair["zoo"]["nmse_db"], pair["torch"]["nmse_db"]
        line = fixed(pair["zoo"]["nmse_pca_db"])
        rows.append([number(seed), *_pair(*values, values[0] - values[1]), line])
    means = content["nmse_db_mean"]
    last = _pair(means["zoo"], means["torch"], content["difference_db"])
    rows.append(["mean", *last, rows[-1][-1]])
    return Table([*columns, "KLT [dB]"], rows)


def _pair(zoo: float, torch: float, difference: float) -> list[str]:
    return [fixed(zoo), fixed(torch), fixed(difference, sign="+")]
