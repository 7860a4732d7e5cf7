"""Eigenvectors in the report: SGCS over bits, who leads at each payload, and rates."""

from __future__ import annotations

import io
from pathlib import Path

from zoo.reporting import eigen_curves, eigen_plot, eigen_tables
from zoo.reporting.blocks import Details, Picture, Section
from zoo.reporting.eigen_curves import Curve
from zoo.reporting.eigen_names import Setting, name_of
from zoo.reporting.origins import provenance
from zoo.reporting.rate_curves import channels, data_set
from zoo.reporting.results_files import complete

NOTE = (
    "What 3GPP feeds back are eigenvectors of subbands, not the channel, and what it "
    "compares is SGCS at equal bits: the squared cosine of an eigenvector and of the "
    "precoder that the base station reads, blind to phases and norms, the mean over "
    "subbands and test channels. The baseline is the enhanced Type II codebook. Bits "
    "are those of both parts of a report, in the mean, without rank and channel "
    "quality. Codebooks need no training channels; KLTs and the pursuit are fitted to "
    "some, networks are trained on them."
)
NAME = "eigenvectors"


def section(results: dict[Path, dict], link: str = "") -> Section | None:
    """Plot and tables of all rows of eigenvectors; None where there are none.

    Args:
        results: by file.
        link: of the plot's file from where Markdown is.
    """
    rows = []
    for path, content in results.items():
        with complete(path):
            own = eigen_curves.rows([content])
            eigen_curves.curves(own)
            rows += own
    if not rows:
        return None
    panels = eigen_curves.curves(rows)
    blocks: list = [NOTE, *([picture(panels, link)] if panels else [])]
    for data in sorted({channels(data_set(row)) for row in rows}):
        own = [row for row in rows if channels(data_set(row)) == data]
        name = f"{NAME}_{data.replace('/', '_')}"
        every = eigen_tables.everything(own, f"{name}_rows")
        shown = eigen_tables.tables(own, name)
        details = Details("Every row", [every])
        kept = [table for table in shown if table.rows != every.rows]
        blocks.append(Section(f"SGCS, {data}", name, [*kept, details], level=3))
    return Section("SGCS over bits: eigenvectors", NAME, blocks + _sources(results))


def _sources(results: dict[Path, dict]) -> list[Details]:
    """Where the rows of each file come from."""
    return [
        provenance(path, content, [(_point(row), row) for row in own])
        for path, content in results.items()
        if (own := eigen_curves.rows([content]))
    ]


def _point(row: dict) -> str:
    bits = row["feedback_bits"]
    sent = "unquantised" if bits is None else f"{bits:.0f} bits"
    return f"{name_of(row)}, rank {row['rank']}, {sent}"


def picture(panels: dict[Setting, list[Curve]], link: str = "") -> Picture:
    """All panels as one plot."""
    buffer = io.BytesIO()
    eigen_plot.save(panels, buffer)
    caption = "SGCS over feedback bits, ours, a panel for each rank and layer."
    ends = [
        f"{s.data}, rank {s.rank}: " + ", ".join(_end(curve) for curve in own)
        for s, own in panels.items()
    ]
    return Picture(buffer.getvalue(), caption, f"{caption} {'; '.join(ends)}.",
                   link=link)  # fmt: skip


def _end(curve: Curve) -> str:
    """The point of a curve that is nearest to 170 bits."""
    point = min(curve.points, key=lambda p: abs(p.bits - 170))
    return f"{curve.name} {point.mean:.3f} at {point.bits:.0f} bits"
