"""The report on a directory of results: its sections, as HTML and as Markdown."""

from __future__ import annotations

import io
import re
from pathlib import Path

from zoo import files, registry
from zoo.reporting import html_pages, model_cards, pareto, pareto_plot
from zoo.reporting.blocks import Details, Picture, Section, markdown
from zoo.reporting.pareto import Point
from zoo.reporting.result_sections import (
    NOTES,
    anchor,
    picture,
    provenance,
    result_section,
    short,
    summary_section,
)
from zoo.reporting.results_files import complete, rows_of
from zoo.reporting.tables import TABLES, table_of

TITLE = "CSI-feedback zoo: paper against ours"
LEAD = (
    "Published numbers and our own side by side, never in one column. What a paper "
    "prints stands below “paper”, what this project measured below “ours”; under every "
    "table is where its numbers come from."
)
CARDS_NOTE = (
    "Counts are of the built network for 32 x 32 complex entries (of a sequence: for "
    "all snapshots), as zoo.metrics.complexity counts. NMSE is the paper's, on its "
    "data."
)
PICTURE = "pareto.png"
NAMES = ("name", "model", "system")  # of a row


def write(results: dict[Path, dict], output: Path, networks: list[str]) -> list[Path]:
    """Write OUTPUT.html, OUTPUT.md and, where networks are compared, pareto.png.

    Args:
        results: see `zoo.reporting.results_files.load`.
        output: path of the pages but for their endings.
        networks: names of those with a card; none: all.

    Returns:
        What was written.

    Raises:
        ValueError: no such network, or a file lacks a key.
    """
    specs = [registry.get(name) for name in networks or registry.MODELS]
    base = output.parent
    reproduced = {p: r for p, r in results.items() if "target" in r}
    others = {p: r for p, r in results.items() if "target" not in r}
    measured = [result_section(path, r, base) for path, r in reproduced.items()]
    costs = pareto_section(results)
    cards = model_cards.cards(specs)
    sections = [
        summary_section(reproduced),
        Section("Tables and figures", "results", [NOTES, *measured]),
        costs,
        other_section(others, base),
        Section("Networks", "networks", [CARDS_NOTE, *cards]),
    ]
    here = files.environment()
    footer = f"Made by {here['command']} at commit {short(here['commit'])}."
    page = html_pages.document(TITLE, LEAD, sections, footer)
    text = "\n".join([f"# {TITLE}", "", LEAD, "", *map(markdown, sections), footer, ""])
    written = [output.with_name(f"{output.name}{end}") for end in (".html", ".md")]
    for path, content in zip(written, (page, text), strict=True):
        files.write_text(path, content)
    return written + _write_picture(costs, output.with_name(PICTURE))


def _write_picture(costs: Section, path: Path) -> list[Path]:
    """The first plot by cost as a file; its name, or nothing."""
    sections = [block for block in costs.blocks if isinstance(block, Section)]
    if not sections:
        return []
    with files.atomic_path(path) as image:
        image.write_bytes(sections[0].blocks[0][0].png)
    return [path]


def pareto_section(contents: dict[Path, dict]) -> Section:
    """Accuracy by cost, per comparison, and by feedback bits, per data set."""
    found = []
    for path, content in contents.items():
        with complete(path):
            found += pareto.points(path, content)
    blocks: list = [
        "The steps are the front: nothing is both cheaper and better. The dashed line "
        "is the linear KLT. Counts are per CSI matrix; a float codeword counts 32 bits "
        "per entry. A comparison has what one results file holds of a data set and a "
        "codeword length; start, schedule and noise of each training stand there."
    ]  # fmt: skip
    for (source, data, dim), own in pareto.comparisons(found).items():
        shown = [
            _cost_plot(own, [p.costs[key] for p in own], label)
            for key, label in pareto.COSTS.items()
        ]
        title = f"{data}, M = {dim} ({source})"
        blocks.append(_comparison(title, shown, own))
    for data, own in pareto.payloads(found).items():
        shown = [_cost_plot(own, [p.bits for p in own], "feedback bits per CSI")]
        blocks.append(_comparison(f"Bits, {data}", shown, own))
    return Section("Accuracy against cost", "pareto", blocks)


def _comparison(title: str, shown: list[Picture], own: list[Point]) -> Section:
    values = Details("Values and where they come from", [pareto.table(own)])
    name = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
    return Section(title, name, [shown, values], level=3)


def _cost_plot(own: list[Point], costs: list[float], label: str) -> Picture:
    buffer = io.BytesIO()
    pareto_plot.save(own, costs, label, buffer)
    best = pareto.front(costs, [p.nmse_db for p in own])
    steps = ", ".join(f"{own[i].name} {own[i].nmse_db:.2f} dB" for i in best)
    caption = f"NMSE against {label}, ours."
    alt = f"{caption} Front, cheapest first: {steps}."
    return Picture(buffer.getvalue(), caption, alt)


def other_section(contents: dict[Path, dict], base: Path = Path()) -> Section:
    """Results of other commands, a table each, and the plot beside the file.

    Args:
        contents: results by file.
        base: folder of the report.
    """
    sections = []
    for path, content in contents.items():
        table = table_of(path, content)
        runs = [
            (next((row[key] for key in NAMES if key in row), str(i + 1)), row)
            for i, row in enumerate(rows_of(content))
        ]
        title = TABLES[path.stem][0] if path.stem in TABLES else table.caption
        ours = table._replace(caption="All numbers are ours.")
        image, caption = path.with_suffix(".png"), f"{title}, ours."
        plots = [picture(image, caption, caption, base)] if image.is_file() else []
        blocks = [*plots, ours, provenance(path, content, runs)]
        sections.append(Section(title, anchor(path), blocks, level=3))
    return Section("Other measurements", "measurements", sections)
