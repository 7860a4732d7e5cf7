"""A comparison's rows as one line per network, codeword length and bits."""

from __future__ import annotations

from collections.abc import Iterable

FLOAT_BITS = 32  # of an entry of a float codeword
MEANS = ("rho", "sgcs", "nmse_freq_db")
COSTS = ("ue_macs", "bs_macs", "ue_params", "bs_params", "ue_bytes_fp32")


def summary(rows: list[dict], baselines: list[dict], failures: list[dict]) -> list:
    """Means over seeds, cost and failures, the longest codeword and best NMSE first.

    Args:
        rows: results rows of networks, with `network`.
        baselines: of classic methods, whose UE holds one matrix (`_matrix_bytes`).
        failures: what has no row, with `error`.
    """
    groups: dict[tuple, dict[str, list]] = {}
    stored = [{**row, "ue_bytes_fp32": _matrix_bytes(row)} for row in baselines]
    for kind, found in (("rows", rows), ("rows", stored), ("failures", failures)):
        for row in found:
            key = row["network"], row["codeword_dim"], row["bits"] or 0
            group = groups.setdefault(key, {"rows": [], "failures": []})
            group[kind].append(row)
    lines = [_line(key, **group) for key, group in groups.items()]
    return sorted(lines, key=_order)


def _matrix_bytes(row: dict) -> int | None:
    """Bytes of a classic method's matrix at the UE, in float32; None of a codec.

    M real rows have an entry for each MAC. Of the KLT they are M / 2 complex rows, and
    an entry, two numbers, is in four MACs.
    """
    entry = 2 if row["network"] == "klt" else 4
    return entry * row["ue_macs"] if row["ue_macs"] else None


def _order(line: dict) -> tuple:
    failed = line["nmse_db"] is None
    return -line["codeword_dim"], failed, line["nmse_db"] or 0, line["network"]


def _line(key: tuple, rows: list[dict], failures: list[dict]) -> dict:
    network, dim, bits = key
    values = [row["nmse_db"] for row in rows]
    first = rows[0] if rows else {}
    seconds = _mean(row.get("train_seconds") for row in rows)
    return {
        "network": network,
        "codeword_dim": dim,
        "bits": bits,
        "feedback_bits": first.get("feedback_bits") or (bits or FLOAT_BITS) * dim,
        "nmse_db": _mean(values),
        "nmse_db_min_max": [min(values), max(values)] if values else None,
        **{key: _mean(row.get(key) for row in rows) for key in MEANS},
        **{key: first.get(key) for key in COSTS},
        "epochs": first.get("epochs"),
        "minutes": None if seconds is None else seconds / 60,
        "init": first.get("init"),
        "seeds": len(rows),
        "failed": len(failures),
        "error": failures[0]["error"] if failures else None,
    }


def _mean(values: Iterable) -> float | None:
    """Mean of what is there; None where nothing is."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
