r"""How many replicas do so many UEs need? Arithmetic on measured rates.

    python -m serving.capacity --results=zoo/results/serving.json \
        --ues=20000 --period_ms=40 --doc=docs/deploy/capacity.md

Prints one line for each served row of the results of `python -m benchmarks.serving`;
--doc writes them as a table between the two markers of a document.
"""

from __future__ import annotations

import math
import re
from pathlib import Path

from absl import flags

from serving.deploying.manifests import UTILISATION
from tfds_builders import locks
from tfds_builders.cli import refuse_arguments, run
from zoo import files

BEGIN, END = "<!-- capacity: {} -->", "<!-- end of capacity -->"
MEASURED = files.RESULTS / "serving.json"
_BLOCK = re.compile(r"<!-- capacity: .*? -->\n.*?<!-- end of capacity -->", re.DOTALL)
_KEYS = ("engine", "rows", "clients", "matrices_per_s", "p99_ms")


def needed_rate(ues: int, period_ms: float, share: float = 1.0) -> float:
    """CSI matrices per second that the UEs report.

    Args:
        ues: number of UEs.
        period_ms: reporting period of each.
        share: part of them that reports at a time, 0 to 1.
    """
    return ues * share * 1e3 / period_ms


def replicas(rate: float, measured: float, utilisation: float = UTILISATION) -> int:
    """Replicas for `rate`, each of `measured` matrices/s used to `utilisation`.

    Raises:
        ValueError: a measured rate or a utilisation that is not positive, or above 1.
    """
    if not measured > 0 or not 0 < utilisation <= 1:
        raise ValueError(
            f"{measured} matrices/s at utilisation {utilisation}: expected a positive "
            "rate and 0 < utilisation <= 1"
        )
    return math.ceil(rate / (measured * utilisation))


def read_rows(path: Path) -> tuple[list[dict], str]:
    """Rows measured behind a server, and the machine they were measured on.

    Raises:
        FileNotFoundError: no such file.
        ValueError: no row has clients and a rate.
    """
    results = files.read_json(path)
    rows = results.get("rows", []) if isinstance(results, dict) else []
    served = [row for row in rows if all(key in row for key in _KEYS)]
    if not served:
        raise ValueError(
            f"{path} has no served rows ({', '.join(_KEYS)}): write it with python -m "
            "benchmarks.serving --json"
        )
    return served, results.get("device", "unknown machine")


def table(rows: list[dict], device: str, rate: float, utilisation: float) -> str:
    """Markdown table of replicas for `rate` matrices/s, one line per measured row."""
    lines = [
        f"{rate:,.0f} matrices/s wanted, replicas used to {utilisation:.0%}, one "
        f"replica as measured on {device}, shared with the clients that asked.",
        "",
        "| server | rows per request | clients | matrices/s | p99 [ms] | replicas |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    numbers = [replicas(rate, row["matrices_per_s"], utilisation) for row in rows]
    for row, number in zip(rows, numbers, strict=True):
        lines.append(
            f"| {row['engine']} | {row['rows']} | {row['clients']} | "
            f"{row['matrices_per_s']:,.0f} | {row['p99_ms']:.1f} | {number} |"
        )
    fewest, row = min(zip(numbers, rows, strict=True), key=lambda pair: pair[0])
    lines += [
        "",
        f"For `python -m serving.deployment --max_replicas={fewest} "
        f"--utilisation={utilisation:g}`: the fewest, with",
        f"{row['rows']} rows per request; for another load the number of its row.",
    ]
    return "\n".join(lines)


def write_block(path: Path, command: str, text: str) -> None:
    """Replace the marked block of a document.

    Raises:
        ValueError: it has not exactly one such block.
    """
    document = path.read_text(encoding="utf-8")
    if len(_BLOCK.findall(document)) != 1:
        raise ValueError(
            f"{path}: expected one block from '{BEGIN.format('...')}' to '{END}'"
        )
    block = f"{BEGIN.format(command)}\n{text}\n{END}"
    files.write_text(path, _BLOCK.sub(lambda _: block, document))


def main(argv: list[str]) -> None:
    """Command line."""
    values = flags.FLAGS
    refuse_arguments(argv)
    rows, device = read_rows(Path(values.results or MEASURED))
    rate = needed_rate(values.ues, values.period_ms, values.share)
    text = table(rows, device, rate, values.utilisation)
    print(text)
    if values.doc:
        names = ["ues", "period_ms", "share", "utilisation"]
        names = ["results", *names] if values.results else names
        arguments = " ".join(f"--{name}={values[name].value}" for name in names)
        command = f"python -m serving.capacity {arguments} --doc={values.doc}"
        with locks.alone_for(values.doc):
            write_block(Path(values.doc), command, text)


if __name__ == "__main__":
    flags.DEFINE_string("results", "", "Measured rates; empty: those of the zoo.")
    flags.DEFINE_integer("ues", 10_000, "UEs that report.", lower_bound=1)
    flags.DEFINE_float("period_ms", 40, "Reporting period of each.", lower_bound=0.1)
    flags.DEFINE_float("share", 1, "Part of them that is active.", 0, 1)
    flags.DEFINE_float("utilisation", UTILISATION, "Share of a replica to use.", 0, 1)
    flags.DEFINE_string("doc", "", "Document to write the table into.")
    run(main)
