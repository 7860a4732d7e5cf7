"""The report on a directory of results: its sections, as HTML and as Markdown."""

from __future__ import annotations

import io
import re
from pathlib import Path

from zoo import files, registry
from zoo.importing import weights_by_name
from zoo.reporting import (
    eigen_section,
    html_pages,
    leaderboard,
    model_cards,
    pareto,
    pareto_plot,
    rate_section,
    table_files,
)
from zoo.reporting.blocks import Details, Picture, Section, markdown, pictures
from zoo.reporting.eigen_curves import is_eigen
from zoo.reporting.origins import provenance, short
from zoo.reporting.page_tables import weights_table
from zoo.reporting.pareto import Point
from zoo.reporting.prose import code
from zoo.reporting.rate_curves import channels, channels_of, is_rate
from zoo.reporting.result_sections import (
    NOTES,
    anchor,
    picture,
    result_section,
    summary_section,
)
from zoo.reporting.results_files import complete, rows_of
from zoo.reporting.tables import TABLES, table_of

TITLE = "CSI-feedback zoo: results"
LEAD = (
    "What codecs and networks reach at equal bits, what our trainings reach at equal "
    "ratio and equal data and at what cost, then "
    "published numbers and our own side by side, never in one column. What a paper "
    "prints stands below “paper”, what this project measured below “ours”; with every "
    "table is where its numbers come from."
)
CARDS_NOTE = (
    "Counts are of the built network for 32 x 32 complex entries (of a sequence: for "
    "all snapshots), as zoo.metrics.complexity counts. NMSE is the paper's, on its "
    "data."
)
WEIGHTS = "Weights that come with the zoo"
WEIGHTS_NOTE = (
    "`python -m zoo.pretrained export NAME --bits=6 --out=DIR` writes both ends of the "
    "link. Through bits: the grids that were fitted to the codewords after the "
    "training and come with the weights; nothing is trained for them. – : none comes."
)
PICTURES = {
    "rate": "rate.png", "leaderboard": "leaderboard.png", "pareto": "pareto.png",
    eigen_section.NAME: "eigenvectors.png",
}  # fmt: skip
NAMES = ("name", "model", "system")  # of a row


def write(results: dict[Path, dict], output: Path, networks: list[str]) -> list[Path]:
    """Write OUTPUT.html, OUTPUT.md and the tables of OUTPUT_tables.

    rate.png is the plot of rate curves, eigenvectors.png that of SGCS; where networks
    are compared, leaderboard.png and pareto.png are the first plots.

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
    others = {p: r for p, r in results.items() if not _has_section(r)}
    measured = [result_section(path, r, base) for path, r in reproduced.items()]
    cards = model_cards.cards(specs)
    weights = weights_table(weights_by_name.SHIPPED)._replace(name="weights")
    curves = rate_section.section(results, PICTURES["rate"])
    vectors = eigen_section.section(results, PICTURES[eigen_section.NAME])
    sections = [
        *([curves] if curves else []),
        *([vectors] if vectors else []),
        leaderboard.section(results, PICTURES["leaderboard"]),
        pareto_section(results),
        Section("Tables and figures", "results", [NOTES, *measured]),
        summary_section(reproduced),
        other_section(others, base),
        Section(WEIGHTS, "weights", [WEIGHTS_NOTE, weights]),
        Section("Networks", "networks", [CARDS_NOTE, *cards]),
    ]
    here = files.environment()
    made = f"Made by {code(here['command'])} at commit {short(here['commit'])}."
    page = html_pages.document(TITLE, LEAD, sections, made)
    text = "\n".join([f"# {TITLE}", "", LEAD, "", *map(markdown, sections), made, ""])
    written = [output.with_name(f"{output.name}{end}") for end in (".html", ".md")]
    for path, content in zip(written, (page, text), strict=True):
        files.write_text(path, content)
    for section in sections:
        written += _write_picture(section, base)
    folder = output.with_name(f"{output.name}_tables")
    table_files.write(table_files.named(sections), folder)
    return [*written, folder]


def _has_section(content: dict) -> bool:
    """Whether a results file is shown elsewhere than among other measurements."""
    return "target" in content or is_rate(content) or is_eigen(content)


def _write_picture(section: Section, folder: Path) -> list[Path]:
    """The first plot of a section as a file; its path, or nothing."""
    shown = next(pictures(section), None)
    if section.anchor not in PICTURES or shown is None:
        return []
    path = folder / PICTURES[section.anchor]
    with files.atomic_path(path) as image:
        image.write_bytes(shown.png)
    return [path]


def pareto_section(contents: dict[Path, dict]) -> Section:
    """Accuracy by cost, per comparison, and by feedback bits, per data set."""
    found = []
    for path, content in contents.items():
        with complete(path):
            found += pareto.points(path, content)
    blocks: list = [
        "The steps are the front: nothing is both cheaper and better. The dashed line "
        "is the linear KLT. A broken axis has two scales, the finer one below. Counts "
        "are per CSI matrix; a float codeword counts 32 bits "
        "per entry. A comparison has what one results file holds of a data set and a "
        "codeword length; start, schedule and noise of each training stand there."
    ]  # fmt: skip
    for (source, data, dim), own in pareto.comparisons(found).items():
        about = f"1/{own[0].csi_values // dim}, {data}"
        shown = [
            _cost_plot(own, [p.costs[key] for p in own], label, about)
            for key, label in pareto.COSTS.items()
        ]
        title = f"{data}, M = {dim} ({source})"
        if len(blocks) == 1:
            shown[0] = shown[0]._replace(link=PICTURES["pareto"])
        blocks.append(_comparison(title, shown, own))
    curves = {channels_of(c) for c in contents.values() if is_rate(c)}
    for data, own in pareto.payloads(found).items():
        if channels(data) in curves:  # stands under NMSE over bits
            continue
        bits = [p.bits for p in own]
        shown = [_cost_plot(own, bits, "feedback bits per CSI", data)]
        blocks.append(_comparison(f"Bits, {data}", shown, own))
    return Section("Accuracy against cost", "pareto", blocks)


def _comparison(title: str, shown: list[Picture], own: list[Point]) -> Section:
    name = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
    table = pareto.table(own)._replace(name=f"cost_{name}")
    values = Details("Values and where they come from", [table])
    return Section(title, name, [shown, values], level=3)


def _cost_plot(own: list[Point], costs: list[float], label: str, about: str) -> Picture:
    buffer = io.BytesIO()
    pareto_plot.save(own, costs, label, buffer, about)
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
        ours = table._replace(caption="All numbers are ours.", name=path.stem)
        image, caption = path.with_suffix(".png"), f"{title}, ours."
        plots = [picture(image, caption, caption, base)] if image.is_file() else []
        blocks = [*plots, ours, provenance(path, content, runs)]
        sections.append(Section(title, anchor(path), blocks, level=3))
    return Section("Other measurements", "measurements", sections)
