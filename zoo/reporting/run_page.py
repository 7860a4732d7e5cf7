"""The page of a run: training curves, plots of the evaluation, where it came from."""

from __future__ import annotations

import functools
import io
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from tfds_builders.untrusted import numpy_files
from zoo import files
from zoo.metrics import plots, row_schema
from zoo.reporting import html_pages
from zoo.reporting.blocks import Picture, Section, Table
from zoo.reporting.prose import code

FORMATS = ("png", "pdf", "svg")


class Figure(NamedTuple):
    """A figure of the page.

    Attributes:
        name: end of its files' names.
        title: of its section.
        caption: what it shows.
        draw: writes it, see `zoo.metrics.plots.save`.
    """

    name: str
    title: str
    caption: str
    draw: Callable[[Path | io.BytesIO], None]


def write(
    target: Path, evaluation: Path, run: Path, rows: dict, formats: Iterable[str] = ()
) -> list[Path]:
    """Write the page and, where formats are named, its figures beside it.

    Args:
        target: HTML file.
        evaluation: results row written by zoo.evaluate, its figures beside it.
        run: run directory.
        rows: the numbers shown first, by name.
        formats: of `FORMATS`.

    Returns:
        The files of figures, TARGET_NAME.FORMAT.

    Raises:
        FileNotFoundError: no evaluation yet, or one of an older version, of which there
            are PNG files alone, and formats are asked for.
    """
    from zoo.run_directory import RunDirectory  # TensorFlow, for this page alone

    directory, row = RunDirectory(run), files.read_json(evaluation, row_schema.ROW)
    environment = files.read_json(run / "env.json", files.ENVIRONMENT)
    config = json.dumps(directory.config().to_json(), indent=1)
    kept = evaluation.with_name(f"{evaluation.stem}_figures.npz").is_file()
    tested = _test(evaluation, row) if kept else _drawn(evaluation, run, formats)
    figures = [_training(directory.read_metrics(), row), *tested]
    sections = [Section("Result", "result", [_facts(rows)])]
    sections += [_section(number, figure) for number, figure in enumerate(figures, 1)]
    sections += [
        Section("Results row", "row", [_facts(row)]),
        Section("Environment", "environment", [_facts(environment)]),
        Section("Configuration", "configuration", [f"```json\n{config}\n```"]),
    ]
    title = f"{row['model']} on {row['dataset']}/{row['dataset_config']}"
    made = f"Made from {code(evaluation.name)} by `python -m zoo.report`."
    lead = "A training of the zoo and its evaluation on the test split."
    files.write_text(target, html_pages.document(title, lead, sections, made))
    return [_file(target, f, kind) for kind in formats for f in figures]


def _training(records: list[dict], row: dict) -> Figure:
    """Loss and validation NMSE, the KLT line of the results row beside them."""
    klt_db, by_sgcs = row.get("nmse_pca_db"), row["nmse_db"] is None
    draw = functools.partial(
        plots.save_training_curve, records, reference_db=klt_db, by_sgcs=by_sgcs
    )
    if by_sgcs:
        caption = "Training loss and SGCS of the validation split by epoch."
        return Figure("training", "Training", caption, draw)
    caption = (
        "Training loss and NMSE of the validation split by epoch; dashed: the linear "
        "KLT of the same codeword length on the test split."
    )
    return Figure("training", "Training", caption, draw)


def _drawn(evaluation: Path, run: Path, formats: Iterable[str]) -> list[Figure]:
    """Figures of the test split as zoo.evaluate has drawn them, of older versions."""
    figures = []
    for name, title in (("nmse", "Test split"), ("examples", "Examples")):
        path = evaluation.with_name(f"{evaluation.stem}_{name}.png")
        if formats or not path.is_file():
            raise FileNotFoundError(
                f"{evaluation.stem}_figures.npz: no such file in {evaluation.parent}, "
                f"evaluate the run again: python -m zoo.evaluate --run={run}"
            )
        copy = functools.partial(_copy, path)
        figures.append(Figure(name, title, "As the evaluation has drawn it.", copy))
    return figures


def _copy(path: Path, target: io.BytesIO) -> None:
    target.write(path.read_bytes())


def _test(evaluation: Path, row: dict) -> list[Figure]:
    """Figures of the test split, from the arrays that zoo.evaluate kept."""
    path = evaluation.with_name(f"{evaluation.stem}_figures.npz")
    arrays = numpy_files.load(path)
    h, h_hat, ratios = (arrays[name] for name in ("h", "h_hat", "ratios"))
    domain = "|H| of {} test samples in the angular-delay domain"
    if row.get("sent") == "eigenvectors":
        domain = "Magnitudes of the eigenvectors of {} test samples, ports by subbands"
    examples = Figure(
        "examples",
        "Examples",
        f"{domain.format(len(h))}, true above recovered, relative to the largest true "
        "entry of each.",
        functools.partial(plots.save_examples, h, h_hat),
    )
    if row["nmse_db"] is None:
        return [examples]
    histogram = Figure(
        "nmse",
        "Test split",
        f"NMSE of each of the {len(ratios):,} test samples; the line is the "
        f"global value, {row['nmse_db']:.2f} dB.",
        functools.partial(plots.save_nmse_histogram, ratios),
    )
    return [histogram, examples]


def _section(number: int, figure: Figure) -> Section:
    buffer = io.BytesIO()
    figure.draw(buffer)
    caption = f"Figure {number}. {figure.caption}"
    picture = Picture(buffer.getvalue(), caption, f"{figure.title}: {figure.caption}")
    return Section(figure.title, figure.name, [picture])


def _file(target: Path, figure: Figure, kind: str) -> Path:
    path = target.with_name(f"{target.stem}_{figure.name}.{kind}")
    with files.atomic_path(path) as image:
        figure.draw(image)
    return path


def _facts(values: dict) -> Table:
    return Table(["name", "value"], [[name, _text(v)] for name, v in values.items()])


def _text(value) -> str:
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1 else f"{value:.3f}"
    if isinstance(value, dict):
        return ", ".join(f"{k}: {_text(v)}" for k, v in value.items())
    return f"{value:,}" if isinstance(value, int) else str(value)
