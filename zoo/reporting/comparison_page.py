"""What is written of a comparison: leaderboard, plots and one page."""

from __future__ import annotations

import io
from pathlib import Path

from zoo import files
from zoo.reporting import comparison_plots, comparison_table, html_pages, table_files
from zoo.reporting.blocks import Picture, Section, markdown
from zoo.reporting.comparison_plots import COSTS
from zoo.reporting.origins import provenance

FORMATS = ("png", "pdf")
NOTE = (
    "Every network is trained alike: the same data, batch, schedule, optimiser and "
    "seeds, and as many minutes by its own measured step time, or as many epochs. It "
    "starts at the linear KLT codec where something fits it so, and takes the peak "
    "learning rate of its own flagfile. NMSE is a mean over seeds on the test split, "
    "the spread its smallest and largest value; minutes and epochs are those of one "
    "seed that were really used; the start, such as the fit of the KLT, comes on top "
    "of the minutes asked for. Classic methods that send bits (dft, pursuit) send real "
    "bytes, in every report at most those of the networks; the best of them stands "
    "beside each network, with ≤ where it takes fewer bits. A float codeword, and that "
    "of the other classic methods, counts 32 bits per entry. Encoders are counted in "
    "fp32."
)


def write_all(source: Path, content: dict) -> list[Path]:
    """Write the leaderboard, the plots and the page beside a results file.

    Args:
        source: comparison.json.
        content: of it.

    Returns:
        leaderboard.md, .csv, .tex, then as `write_page` beside it.
    """
    table = comparison_table.leaderboard(content)
    path = source.with_name("leaderboard.md")
    files.write_text(path, markdown(table))
    written = table_files.write([table], source.parent)
    return [path, *written, *write_page(source, content, source.with_suffix(""))]


def write_page(source: Path, content: dict, output: Path) -> list[Path]:
    """Write OUTPUT.html, OUTPUT.md and the plots OUTPUT_bits.png, .pdf and so on.

    Args:
        source: the results file, which the page names.
        content: of it.
        output: path of the page but for its ending.
    """
    written = []
    for cost in _plotted(content):
        for kind in FORMATS:
            path = output.with_name(f"{output.name}_{cost}.{kind}")
            with files.atomic_path(path) as partial:
                comparison_plots.save(content, cost, partial)
            written.append(path)
    title, sections = "Networks compared", _sections(source, content, output.name)
    made = f"Made from `{source.name}`."
    page = html_pages.document(title, NOTE, sections, made)
    lines = [f"# {title}", "", NOTE, "", *map(markdown, sections), made, ""]
    for ending, body in ((".html", page), (".md", "\n".join(lines))):
        path = output.with_name(f"{output.name}{ending}")
        files.write_text(path, body)
        written.append(path)
    return written


def _plotted(content: dict) -> list[str]:
    """Costs of which a row is known; none where everything failed."""
    return [c for c in COSTS if comparison_plots.lines_of(content, COSTS[c][0])]


def _sections(source: Path, content: dict, name: str) -> list[Section]:
    table = comparison_table.leaderboard(content)
    rows = [*content["rows"], *content["baselines"]]
    runs = [(f"{row['network']}, M = {row['codeword_dim']}", row) for row in rows]
    plots = [_picture(content, cost, name) for cost in _plotted(content)]
    shown = [Section("Accuracy against cost", "cost", plots)] if plots else []
    origin = Section("Provenance", "provenance", [provenance(source, content, runs)])
    return [Section("Leaderboard", "leaderboard", [table]), *shown, origin]


def _picture(content: dict, cost: str, name: str) -> Picture:
    key, label = COSTS[cost]
    buffer = io.BytesIO()
    comparison_plots.save(content, cost, buffer)
    ends = [
        f"{line} {points[-1][1]:.2f} dB at {round(points[-1][0]):,}"
        for line, points in comparison_plots.lines_of(content, key).items()
    ]
    caption = f"NMSE over {label}, ours; bars: spread over seeds."
    alt = f"{caption} {'; '.join(ends)}."
    return Picture(buffer.getvalue(), caption, alt, link=f"{name}_{cost}.png")
