"""Results of the deployment benchmarks to tables, see `zoo.reporting.tables`."""

from __future__ import annotations

from zoo.quantization.operation_counts import int8_operations
from zoo.reporting import rate_columns, rate_curves
from zoo.reporting.blocks import KLT, NMSE_UNIT, Table
from zoo.reporting.cells import Cell, as_written, fixed, number
from zoo.reporting.key_labels import label

ENTRY_BITS = 6  # of a codeword in `benchmarks.precisions`
MB = 1 << 20


def precisions(content: dict) -> Table:
    """Encoders of several networks in every precision."""
    columns = ["network", "encoder", NMSE_UNIT, "behind fp32 [dB]", "KiB"]
    columns += ["size over fp32", "KiB, gzip", "encode, p50 [ms]"]
    columns += ["int8 operations", "not int8", KLT, *rate_columns.COLUMNS]
    rows = []
    for r in content["rows"]:
        sent = r | {"feedback_bits": ENTRY_BITS * r["codeword_dim"]}
        for name, e in r["precisions"].items():
            floats = ", ".join(e["not_int8"]["encode"]) or "none"
            rows.append(
                [
                    r["model"],
                    name,
                    fixed(e["nmse_db"]),
                    fixed(e["delta_db"]),
                    fixed(e["kib"], 0),
                    fixed(e["of_fp32"], 3),
                    fixed(e["kib_gzip"], 0),
                    fixed(e["latency_ms"], 3),
                    int8_operations(e),
                    floats if e["num_int8"]["encode"] else "all",
                    fixed(r["nmse_pca_db"]),
                    *rate_columns.cells(sent, rate_curves.data_set(r)),
                ]
            )
    return Table(columns, rows)


def encoder_speed(content: dict) -> Table:
    """Median time of an encoding in each engine, ours first."""
    engines = list(content["rows"][0]["engines"])
    rows = [
        [r["network"], number(r["codeword_dim"])]
        + [fixed(r["engines"][engine]["p50_ms"], 3) for engine in engines]
        + [fixed(r["ours_over_best"])]
        for r in content["rows"]
    ]
    shown = [f"{engine} [ms]" for engine in engines]
    return Table(["network", "M", *shown, "LiteRT / fastest"], rows)


def served(content: dict) -> Table:
    """A decoder run directly and behind the server."""
    keys = "engine", "rows", "callers", "clients", "matrices_per_s", "p50_ms", "p99_ms"
    columns = ["engine", "rows per request", "threads calling", "clients"]
    columns += ["matrices/s", "p50 [ms]", "p99 [ms]", "over direct"]
    rows = []
    for r in content["rows"]:
        cells = [as_written(r.get(key, "")) for key in keys]
        over = fixed(r["over_direct"]) if "over_direct" in r else ""
        rows.append([*cells, over])
    return Table(columns, rows)


def soak(content: dict) -> Table:
    """What was asked, lost and measured, a line each."""
    row = content["row"]
    cells = [[label(key), Cell(f"{v:,}", value=v)] for key, v in row.items()]
    return Table(["", "ours"], cells)


def refusal(content: dict) -> Table:
    """Processor time of requests that mean nothing: a line a kind, a column a size."""
    kinds = list(dict.fromkeys(row["kind"] for row in content["rows"]))
    sizes = sorted({round(row["bytes"] / MB) for row in content["rows"]})
    cells = {
        (row["kind"], round(row["bytes"] / MB)): Cell(
            f"{row['seconds']:.3f}", value=row["seconds"]
        )
        for row in content["rows"]
    }
    columns = ["request", *(f"{size} MB [s]" for size in sizes), "answer"]
    answers = {row["kind"]: row["status"] for row in content["rows"]}
    rows = [
        [kind, *(cells.get((kind, size), "") for size in sizes), answers[kind]]
        for kind in kinds
    ]
    return Table(columns, rows)
