"""Time that a server takes to refuse large requests that mean nothing.

python -m benchmarks.refusal --export=DIR [--json=FILE]

Every kind of `benchmarks.hostile_requests` is sent over gRPC and REST to a server in
this process, in several sizes; what counts is the processor time of both ends. It ends
with an error where a request of 16 MB takes more than --max_seconds, or where the time
grows faster than the size.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from absl import flags

from benchmarks.hostile_requests import KINDS
from benchmarks.refusal_target import Target, request, seconds, served
from tfds_builders import cli, progress
from zoo import files
from zoo.metrics import plots

MB = 1 << 20
SIZES_MB = (1, 2, 4, 8, 15.9)  # the server takes 16
# Of time against size, where it takes longer than FLOOR_SECONDS: what is linear in its
# steps takes more of them where it no longer fits the caches.
MAX_EXPONENT = 1.6
FLOOR_SECONDS = 0.1
SHOWN = 8  # kinds with a name in the plot

_EXPORT = flags.DEFINE_string("export", None, "export directory of a run")
_REPEATS = flags.DEFINE_integer("repeats", 3, "of each request; the fastest counts", 1)
_MAX_SECONDS = flags.DEFINE_float("max_seconds", 1, "to refuse 16 MB")
_JSON = flags.DEFINE_string("json", "", "write the result here, and a plot beside it")


def measure(target: Target, sizes: list[int], repeats: int) -> list[dict]:
    """Rows of all kinds and sizes."""
    rows = []
    for kind in progress.track(KINDS, "kinds"):
        for size in sizes:
            took, status = seconds(target, kind, size, repeats)
            sent = len(request(kind, size))
            row = {"kind": kind, "bytes": sent, "seconds": took, "status": status}
            rows.append(row)
    return rows


def exponent(rows: list[dict]) -> float:
    """Of the size, of which the time is a power; by the smallest and the largest."""
    first, last = rows[0], rows[-1]
    grown = np.log(last["seconds"] / first["seconds"])
    return float(grown / np.log(last["bytes"] / first["bytes"]))


def failures(rows: list[dict], max_seconds: float) -> list[str]:
    """What takes too long, or grows too fast."""
    found = []
    for kind in KINDS:
        own = [row for row in rows if row["kind"] == kind]
        took, grows = own[-1]["seconds"], exponent(own)
        if took > max_seconds:
            found.append(f"{kind}: {took:.2f} s for {own[-1]['bytes']} bytes")
        if took > FLOOR_SECONDS and grows > MAX_EXPONENT:
            found.append(f"{kind}: time grows with the size to the power {grows:.2f}")
    return found


def plot(rows: list[dict], max_seconds: float, target: Path) -> None:
    """Seconds against MB, a line a kind; the slowest have names."""
    figure, axis = plots.plt.subplots(figsize=(9, 5), layout="constrained")
    slowest = sorted(KINDS, key=lambda kind: -_largest(rows, kind)["seconds"])
    for place, kind in enumerate(slowest):
        own = [row for row in rows if row["kind"] == kind]
        style = {"label": kind} if place < SHOWN else {"color": "0.8", "zorder": 1}
        x, y = ([row[key] for row in own] for key in ("bytes", "seconds"))
        axis.plot(np.array(x) / MB, y, marker="o", markersize=3, **style)
    sizes = np.array([SIZES_MB[0], 16])
    axis.plot(sizes, max_seconds * sizes / 16, label="linear, limit", **plots.DASHED)
    axis.set(xscale="log", yscale="log", xlabel="size of the request [MB]")
    axis.set_ylabel("processor time to refuse [s]")
    ticks = [*SIZES_MB[:-1], 16]
    axis.set_xticks(ticks, [f"{size:g}" for size in ticks], minor=False)
    axis.minorticks_off()
    axis.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize="small")
    plots.save(figure, target)


def _largest(rows: list[dict], kind: str) -> dict:
    return [row for row in rows if row["kind"] == kind][-1]


def main(argv: list[str]) -> None:
    cli.refuse_arguments(argv)
    with served(Path(_EXPORT.value) / "decoder") as target:
        sizes = [int(size * MB) for size in SIZES_MB]
        rows = measure(target, sizes, _REPEATS.value)
    for kind in KINDS:
        row = _largest(rows, kind)
        size = f"{row['bytes'] / MB:5.1f} MB"
        print(f"{row['seconds']:7.3f} s  {size}  {row['status']:<18} {kind}")
    slowest = max((_largest(rows, kind) for kind in KINDS), key=lambda r: r["seconds"])
    if _JSON.value:
        head = {"kinds": len(KINDS), "slowest": slowest["kind"]}
        head |= {"seconds_of_16_mb": slowest["seconds"], "repeats": _REPEATS.value}
        result = {"row": head, "rows": rows, **files.environment(), "origin": "ours"}
        files.write_json(Path(_JSON.value), result)
        plot(rows, _MAX_SECONDS.value, Path(_JSON.value).with_suffix(".png"))
    if failed := failures(rows, _MAX_SECONDS.value):
        raise ValueError("; ".join(failed))


if __name__ == "__main__":
    flags.mark_flag_as_required("export")
    cli.run(main)
