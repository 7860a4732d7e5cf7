"""Tables of trainings: networks, starts, steps, speed and PyTorch's curve."""

from __future__ import annotations

from zoo.reporting import rate_columns
from zoo.reporting.blocks import KLT, NMSE_UNIT, Table
from zoo.reporting.cells import (
    UNPRINTED,
    Cell,
    csi_values,
    fixed,
    millions,
    number,
    ratio,
)
from zoo.reporting.rate_columns import CODEC
from zoo.reporting.rate_curves import data_set

GRID_BITS = (6, 4)


def fast_seeds(content: dict) -> Table:
    """Seeds of CRNet's short trainings against the KLT line of the same run."""
    columns = ["ratio", "seed", NMSE_UNIT, "KLT [dB]", *rate_columns.COLUMNS]
    rows = [
        [
            ratio(r),
            number(r["seed"]),
            fixed(r["nmse_db"]),
            fixed(r["nmse_pca_db"]),
            *rate_columns.cells(r, data_set(r)),
            fixed(r["nmse_pca_db"] - r["nmse_db"], sign="+"),
            fixed(r["train_seconds"], 0),
        ]
        for r in content["rows"]
    ]
    return Table([*columns, "better than KLT [dB]", "training [s]"], rows)


def equal_drops(content: dict) -> Table:
    """Networks by data set and ratio, best first, beside the KLT line of each run."""
    columns = ["data set", "ratio", "network", "seed", NMSE_UNIT]
    rows = sorted(
        content["rows"], key=lambda r: (data_set(r), -r["ratio"], r["nmse_db"])
    )
    cells = [
        [data_set(r), ratio(r), r["network"], number(r["seed"]), fixed(r["nmse_db"])]
        + [fixed(r["nmse_pca_db"] - r["nmse_db"], sign="+")]
        + [millions(r["ue_macs"]), millions(r["bs_macs"])]
        + [fixed(r["train_cpu_seconds"] / 60, 1)]
        + rate_columns.cells(r, data_set(r))
        for r in rows
    ]
    last = ["better than KLT [dB]", "UE MACs", "BS MACs", "training [CPU min]"]
    last += rate_columns.COLUMNS
    return Table([*columns, *last], cells)


def networks(content: dict) -> Table:
    """Networks of one ratio, best first, the KLT line among them."""
    columns = ["network", "start", "peak rate", NMSE_UNIT, "rho", "UE MACs", "BS MACs"]
    rows = content["rows"]
    found = [
        (r["nmse_db"], r["model"], r["init"], Cell(f"{r['lr']:g}", value=r["lr"]))
        + (fixed(r["rho"], 4), *(millions(r[f"{side}_macs"]) for side in ("ue", "bs")))
        + tuple(rate_columns.cells(r, data_set(r)))
        for r in rows
    ]
    first = rows[0] | {"feedback_bits": None}  # of one codeword length
    macs = millions(first["codeword_dim"] * csi_values(first))
    bits = rate_columns.cells(first, data_set(first))
    found.append((first["nmse_pca_db"], KLT, "", "", "", macs, macs, *bits))
    return Table(
        [*columns, *rate_columns.COLUMNS],
        [
            [name, start, rate, fixed(nmse_db), *others]
            for nmse_db, name, start, rate, *others in sorted(found)
        ],
    )


def pretrained(cards: dict[str, dict]) -> Table:
    """The sets of weights that come with the zoo, by name.

    Their columns of bits are through the fitted grids that come with a set.
    """
    columns = ["weights", "network", "ratio", "data set", "ours [dB]"]
    columns += ["linear KLT [dB]"]
    for bits in GRID_BITS:
        columns += [f"ours, {bits} bits an entry [dB]", f"{bits} bits: {CODEC}"]
    rows = []
    for name, r in cards.items():
        data = data_set(r)
        row = [name, r["model"], ratio(r), data, fixed(r["nmse_db"])]
        row.append(fixed(r["nmse_pca_db"]))
        for bits in GRID_BITS:
            found = r.get("grids", {}).get(str(bits))
            reached = UNPRINTED if found is None else fixed(found["nmse_db"])
            row += [reached, rate_columns.codec_cell(data, bits * r["codeword_dim"])]
        seeds = len(r.get("nmse_db_by_seed", [r["seed"]]))
        row += [number(seeds), number(r["num_test"])]
        rows.append([*row, number(r["num_train"] * r["epochs"])])
    return Table([*columns, "seeds", "test drops", "training drops"], rows)


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
            *rate_columns.cells(r, data_set(r)),
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
