"""Bits as the main axis of the report: codecs and networks, a panel per data set."""

from __future__ import annotations

import io
from pathlib import Path

from zoo import registry
from zoo.reporting import pareto, rate_plot, rate_tables
from zoo.reporting.blocks import Details, Picture, Section
from zoo.reporting.origins import provenance
from zoo.reporting.rate_curves import (
    LINE,
    NETWORK,
    Curve,
    channels,
    channels_of,
    curves,
    data_set,
    is_rate,
    name_of,
)

NOTE = (
    "What a link carries are bits. Codecs without a network are fitted to training CSI "
    "and send real bytes; a point is at the bits that they took in the "
    "mean of the test CSI. A network stands at the bits of its codeword, those of one "
    "length joined by a line; of several trainings it shows the one of the lowest "
    "NMSE on the test split, which flatters networks. The dotted line is what Gaussian "
    "components along one KLT would take. Tables that list networks give the best "
    "codec in at most as many bits beside each."
)


def networks(results: dict[Path, dict]) -> dict[str, list[Curve]]:
    """Curves of quantised networks of all results, by the channels tested on.

    Without noise, and without an uplink at the decoder. Results with rate curves
    do not count: they have their own.
    """
    best: dict[str, dict[str, dict[float, float]]] = {}
    for content in results.values():
        if is_rate(content) or "SNR" in content.get("x", ""):
            continue
        for _, rows in pareto.trained(content):
            first = rows[0]
            spec = registry.MODELS.get(first["model"])
            bits = first.get("feedback_bits")
            if spec is None or spec.takes_uplink or not bits:
                continue
            if first.get("test_snr_db") is not None:
                continue
            value = sum(row["nmse_db"] for row in rows) / len(rows)
            name = f"{first['model']}, M = {first['codeword_dim']}"
            own = best.setdefault(channels(data_set(first)), {}).setdefault(name, {})
            own[bits] = min(value, own.get(bits, value))
    return {
        data: [Curve(name, NETWORK, sorted(own.items())) for name, own in named.items()]
        for data, named in best.items()
    }


def panels(results: dict[Path, dict]) -> dict[str, list[Curve]]:
    """Curves of every results file with rate curves, those of networks among them.

    Of codecs they are those at mean bits, fitted to the channels tested on.
    """
    others = networks(results)
    found = {}
    for content in filter(is_rate, results.values()):
        own = [
            c for c in curves(content) if not c.fixed and ", fitted on" not in c.name
        ]
        found[channels_of(content)] = own + others.get(channels_of(content), [])
    return found


def picture(results: dict[Path, dict], link: str = "") -> Picture:
    """All panels as one plot."""
    shown = panels(results)
    buffer = io.BytesIO()
    rate_plot.save(shown, buffer)
    caption = f"NMSE over feedback bits, ours, on {', '.join(shown)}."
    ends = [
        f"{data}: " + ", ".join(_end(c) for c in own if c.kind != LINE)
        for data, own in shown.items()
    ]
    return Picture(buffer.getvalue(), caption, f"{caption} {'; '.join(ends)}.",
                   link=link)  # fmt: skip


def _end(curve: Curve) -> str:
    """The point of a curve that is nearest to 512 bits."""
    bits, value = min(curve.points, key=lambda p: abs(p[0] - 512))
    return f"{curve.name} {value:.1f} dB at {bits:.0f} bits"


def section(results: dict[Path, dict], link: str = "") -> Section | None:
    """Plot and tables of all rate curves; None where there are none.

    Args:
        results: by file.
        link: of the plot's file from where Markdown is.
    """
    found = {path: c for path, c in results.items() if is_rate(c)}
    if not found:
        return None
    blocks: list = [NOTE, picture(results, link)]
    for path, content in found.items():
        runs = [(_point(row), row) for row in content["rows"]]
        every = rate_tables.everything(content, f"{path.stem}_points")
        table = rate_tables.overview(content)._replace(name=path.stem)
        inner = [every, provenance(path, content, runs)]
        details = Details("Every point, and where it comes from", inner)
        title, anchor = f"Bits, {channels_of(content)}", path.stem
        blocks.append(Section(title, anchor, [table, details], level=3))
    return Section("NMSE over bits", "rate", blocks)


def _point(row: dict) -> str:
    where = f"{row['report_bits']} {row['rate']}" if row["rate"] else row["run"]
    return f"{name_of(row)}, {where}"
