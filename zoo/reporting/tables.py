"""Results JSON to tables: what the report and the README show of each file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from zoo.experiments import labels
from zoo.experiments.handicaps import remarks
from zoo.reporting import (
    collaboration_table,
    comparison_table,
    eigen_tables,
    learned_tables,
    published_weights,
    quickstart_table,
    rate_columns,
    rate_tables,
)
from zoo.reporting.blocks import KLT, NMSE_UNIT, Table
from zoo.reporting.cells import (
    UNPRINTED,
    Cell,
    number,
    place,
    ratio,
    spread,
    whole,
    words,
)
from zoo.reporting.codec_tables import pursuit_ablation, robustness
from zoo.reporting.deployment_tables import (
    encoder_speed,
    precisions,
    refusal,
    served,
    soak,
)
from zoo.reporting.eigen_curves import is_eigen
from zoo.reporting.key_labels import INTERNAL, label
from zoo.reporting.rate_curves import data_set, is_rate, trained_on
from zoo.reporting.results_files import complete, rows_of
from zoo.reporting.training_tables import (
    ablation,
    equal_drops,
    fast_seeds,
    networks,
    torch_curve,
    train_speed,
)

NOT_RUN = "not run"
ENVIRONMENT = (
    "commit",
    "version",
    "date",
    "device",
    "python",
    "command",
    "versions",
    "origin",
)


def reproduced(result: dict) -> Table:
    """Paper beside ours, one row per value of a result of `zoo.reproduce`.

    Rows at the same place stand together; columns without any cell are left out. Where
    values have several units each row names its own. Published values of places that
    the budget leaves out have rows without ours.
    """
    entries = [*result["entries"], *map(_unrun, result.get("published_elsewhere", ()))]
    places = [e["x"] for e in entries]
    entries = sorted(entries, key=lambda e: places.index(e["x"]))
    names, parts = labels.parts_of({**result, "entries": entries})
    several = len(labels.units(result)) > 1
    crossed = any(e["tested_on"] for e in entries) and "tested on" not in names
    has_line = any(e["series"] == "klt" for e in entries)
    columns = [*names, "series", "unit", "paper", "ours", "ours, spread", "seeds"]
    columns += [f"ours, {KLT}", *rate_columns.COLUMNS, "trained on", "tested on"]
    columns.append("note")
    always = {*range(len(names) + 4)} - {columns.index("unit")}
    rows = []
    for e, own in zip(entries, parts, strict=True):
        line = None if has_line else klt_of(e)
        row = [*map(place, own), series_of(e)]
        row += [labels.unit_of(result, e) if several else "", *_values(result, e)]
        row += [number(len(e["runs"]) or None), number(line), *_bits(result, e)]
        row += [_each(trained_on(run) for run in e["runs"])]
        note = "; ".join(remarks(e, result["budget"]))
        rows.append([*row, tested_on(e) if crossed else "", note])
    filled = {i for row in rows for i, cell in enumerate(row) if cell}
    shown = sorted(always | filled)
    return Table([columns[i] for i in shown], [[row[i] for i in shown] for row in rows])


def _unrun(value: dict) -> dict:
    """A published value of another place as an entry without runs."""
    return {
        **value, "ours": None, "ours_by_seed": [], "value": "measured",
        "tested_on": "", "line": True, "handicap": "", "runs": [],
    }  # fmt: skip


def _values(result: dict, entry: dict) -> list[str]:
    """The paper's value, ours and its spread; counts have no decimals."""
    shown = number if "[" in labels.unit_of(result, entry) else whole
    seeds = entry["ours_by_seed"]
    between = spread(seeds) if len(set(seeds)) > 1 else ""
    ours = shown(entry["ours"]) or NOT_RUN
    return [shown(entry["paper"]) or UNPRINTED, ours, between]


def _bits(result: dict, entry: dict) -> list[str]:
    """Bits of an entry, and a codec at these where the entry is an NMSE without noise.

    The KLT line is one of floats.
    """
    if not entry["runs"] or entry["value"] not in ("nmse_db", "nmse_pca_db"):
        return [_each(number(run.get("feedback_bits")) for run in entry["runs"]), ""]
    row = entry["runs"][0]
    if entry["value"] == "nmse_pca_db":
        row = row | {"feedback_bits": None}
    bits, codec = rate_columns.cells(row, tested_on(entry))
    known = codec.values[""] is not None and "SNR" not in result["x"]
    return [bits, codec if known else ""]


def tested_on(entry: dict) -> str:
    """Data set that an entry was tested on: that of its training if none is named."""
    trained = (data_set(run).removesuffix(":stream") for run in entry["runs"])
    return entry["tested_on"] or _each(trained)


def series_of(entry: dict) -> str:
    """Name of an entry's series."""
    return KLT if entry["series"] == "klt" else entry["series"]


def _each(texts) -> str:
    """Different ones of some texts."""
    different = list(filter(None, dict.fromkeys(texts)))
    return different[0] if len(different) == 1 else ", ".join(different)


def klt_of(entry: dict) -> float | None:
    """Mean of the KLT line over an entry's runs, where it is those runs' NMSE."""
    lines = [run.get("nmse_pca_db") for run in entry["runs"]]
    if entry["value"] != "nmse_db" or not lines or None in lines:
        return None
    return sum(lines) / len(lines)


def whole_chain(content: dict) -> Table:
    """Summary of a quickstart."""
    summary, labels = content["summary"], quickstart_table.LABELS
    return Table(
        ["", "ours"],
        [
            [label, Cell(quickstart_table.shown(summary[key]), value=summary[key])]
            for key, label in labels.items()
        ],
    )


def plain(content: dict) -> Table:
    """The scalars of rows, those in an object under its name; no provenance."""
    rows = [_flat(row) for row in content["rows"]]
    return Table(
        [label(key) for key in rows[0]],
        [[number(row.get(key)) for key in rows[0]] for row in rows],
    )


def _flat(row: dict) -> dict:
    flat = {}
    for key, value in row.items():
        if isinstance(value, dict) and key not in ENVIRONMENT:
            unit = f" [{label(key)}]"
            flat |= {f"{name}{unit}": part for name, part in value.items()}
        elif key not in (*ENVIRONMENT, *INTERNAL):
            flat[key] = value
    return flat


def measured(content: dict) -> Table:
    """Results rows of any network."""
    columns = ["network", "data set", "ratio", "seed", f"ours, {NMSE_UNIT}"]
    columns += [f"ours, {KLT} [dB]", *rate_columns.COLUMNS]
    rows = [
        [
            r["model"],
            data_set(r),
            ratio(r),
            number(r["seed"]),
            number(r["nmse_db"]),
            number(r.get("nmse_pca_db")),
            *rate_columns.cells(r, data_set(r)),
        ]
        for r in content["rows"]
    ]
    return Table(columns, rows)


TABLES: dict[str, tuple[str, Callable[[dict], Table]]] = {
    "crnet_quickstart": ("From channels to bits and back", whole_chain),
    "lora_served": ("LORA with LSZQ, 4 bits: channels to bits and back", whole_chain),
    "crnet_fast": ("CRNet in ten minutes, three seeds", fast_seeds),
    "zoo_16": ("Networks at 1/16, short trainings", networks),
    "fista_net_16": ("FISTA-Net from random numbers", networks),
    "klt_residual": ("KLT-residual and published networks, equal drops", equal_drops),
    published_weights.NAME: (
        "Published weights, evaluated here",
        published_weights.table,
    ),
    "measurement": ("What a matrix A measures, M = 128, indoor drops", plain),
    "precisions_16": ("Encoders at 1/16, 6 bits", precisions),
    "recipes": ("Statistics, rates, averaging and optimiser", plain),
    "collaboration": ("Sides trained apart", collaboration_table.table),
    "crnet_ablation": ("Start, step and data", ablation),
    "train_speed": ("Milliseconds per training step", train_speed),
    "torch_curve": ("CRNet trained by the zoo and by PyTorch", torch_curve),
    "step_profile": ("Where a training step spends its time, in ms", plain),
    "adam_epsilon": ("What Adam's epsilon costs", plain),
    "released_drops": ("Simulated drops beside the released ones", plain),
    "pipeline": ("Input pipeline against training, samples per second", plain),
    "encoder": (
        "A UE's encoder in several engines, one CSI, one thread",
        encoder_speed,
    ),
    "serving": ("The decoder served and run directly", served),
    "soak": ("Ten minutes of clients, reloads, damaged frames and kills", soak),
    "refusal": ("Processor time to refuse requests that mean nothing", refusal),
    "simulators": ("Channel simulators, drops per second", plain),
    "robustness": ("Codecs under noise, on other channels and arrays", robustness),
    "pursuit_ablation": ("Choices of the pursuit codec", pursuit_ablation),
    "pursuit_learned": ("Positions beside earlier ones", learned_tables.context),
    "pursuit_proposals": ("A network in the search", learned_tables.search),
    "pursuit_residual": ("A network behind the decoder", learned_tables.residual),
}


def table_of(path: Path, content: dict) -> Table:
    """Table of a results file.

    Raises:
        ValueError: a key is missing; the message names it.
    """
    with complete(path):
        if "target" in content:
            return reproduced(content)
        if is_rate(content):
            return rate_tables.overview(content)
        if is_eigen(content):
            return eigen_tables.tables(rows_of(content))[0]
        if "comparison" in content:
            return comparison_table.leaderboard(content)
        if path.stem in TABLES:
            title, make = TABLES[path.stem]
            return make(content)._replace(caption=title)
        content = {"rows": rows_of(content)}
        make = measured if all("nmse_db" in r for r in content["rows"]) else plain
        return make(content)._replace(caption=words(path.stem))
