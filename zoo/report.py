"""Pages about results, as files that need nothing else.

python -m zoo.report --run=DIR --format=png,pdf           a run, after zoo.evaluate
python -m zoo.report --results=zoo/results --output=docs/results/report
python -m zoo.report --pages=docs/results --pages=README.md    their tables, made again
python -m zoo.report --network_pages=docs/networks        a page for each network
python -m zoo.report --comparison=FILE --output=PATH      page and plots of zoo.compare

`--results` reads every results JSON of a directory and of `reproduce` in it and writes
OUTPUT.html and OUTPUT.md: a leaderboard, accuracy against cost, what the papers print
beside ours, what becomes of their claims, and a card of every network. Each table is
in OUTPUT_tables as CSV and as LaTeX, too; leaderboard.png and pareto.png are the first
plots. `--format` also writes the figures of a run, as REPORT_NAME.FORMAT beside its
page.
"""

from __future__ import annotations

from pathlib import Path

from absl import flags

from tfds_builders import cli, locks
from zoo import files
from zoo.metrics import row_schema
from zoo.reporting import results_files, run_page


def write_run(run: Path, formats: list[str]) -> None:
    """Page of a run that was evaluated, and its figures in some formats.

    Raises:
        ValueError: no such format.
    """
    for kind in formats:
        if kind not in run_page.FORMATS:
            expected = ", ".join(run_page.FORMATS)
            raise ValueError(f"--format={kind}: expected some of {expected}")
    evaluation, page = run / "evaluation.json", run / "report.html"
    row = files.read_json(evaluation, row_schema.ROW)
    keys = ["nmse_db", "nmse_float_db", "nmse_pca_db", "feedback_bits"]
    keys += ["sgcs_by_layer", "sgcs_weighted", "zf_rate"] if "sent" in row else []
    rows = {key: row[key] for key in keys}
    for path in [page, *run_page.write(page, evaluation, run, rows, formats)]:
        print(f"report: {path}")


def write_pages(paths: list[Path]) -> None:
    """Make the tables of Markdown files, or of those in folders, again."""
    from zoo.reporting import page_tables

    for path in paths:
        for page in page_tables.pages_of(path):
            with locks.alone_for(page):
                new = page_tables.update(page)
            print(f"{page}: {'tables made again' if new else 'as it was'}")


def write_results(directory: Path, output: Path, networks: list[str]) -> None:
    """Report on a directory of results.

    Args:
        directory: see `zoo.reporting.results_files.load`.
        output: path of the files but for their endings.
        networks: which have a card; none: all.
    """
    results = results_files.load(directory)
    from zoo.reporting import pages  # TensorFlow: seconds that no wrong flag waits for

    for path in pages.write(results, output, networks):
        print(f"report: {path}")


def write_comparison(source: Path, output: Path) -> None:
    """Page and plots of a comparison.

    Raises:
        FileNotFoundError, ValueError: no such file, or it is no comparison.
    """
    content = files.read_json(source)
    if "comparison" not in content:
        raise ValueError(
            f"--comparison={source}: no comparison, expected comparison.json as "
            "python -m zoo.compare writes it"
        )
    from zoo.reporting import comparison_page

    for path in comparison_page.write_page(source, content, output):
        print(f"report: {path}")


def write_network_pages(folder: Path) -> None:
    """A page of each network."""
    with locks.alone(folder):
        from zoo.reporting import network_pages

        for path in network_pages.write(folder):
            print(f"page: {path}")


def main(argv: list[str]) -> None:
    """Command line."""
    cli.refuse_arguments(argv)
    values = flags.FLAGS
    ways = ("run", "results", "pages", "readme", "network_pages", "comparison")
    given = [name for name in ways if values[name].value]
    if len(given) != 1:
        raise ValueError(
            f"got {' and '.join(given) or 'nothing to report on'}; usage: python -m "
            "zoo.report --run=DIR | --results=DIR --output=PATH | --pages=FILE_OR_DIR "
            "| --network_pages=DIR | --comparison=FILE --output=PATH"
        )
    if values.run:
        with locks.alone_for(Path(values.run, "report.html")):
            write_run(Path(values.run), values.format)
    elif values.results:
        with locks.alone_for(values.output):
            write_results(Path(values.results), Path(values.output), values.networks)
    elif values.comparison:
        with locks.alone_for(values.output):
            write_comparison(Path(values.comparison), Path(values.output))
    elif values.network_pages:
        write_network_pages(Path(values.network_pages))
    else:
        write_pages([Path(path) for path in values.pages or [values.readme]])


if __name__ == "__main__":
    flags.DEFINE_string("run", "", "run directory of a training, evaluated")
    flags.DEFINE_list("format", [], "figures of the run as files: png, pdf, svg")
    flags.DEFINE_string("results", "", "directory of results JSON files")
    flags.DEFINE_string(
        "output", "docs/results/report", "HTML and Markdown, without ending"
    )
    flags.DEFINE_list("networks", [], "networks with a card; none: all")
    flags.DEFINE_multi_string(
        "pages", [], "Markdown file, or folder of them, whose tables are made again"
    )
    flags.DEFINE_string("readme", "", "the same of one file")
    flags.DEFINE_string("comparison", "", "results JSON of zoo.compare")
    flags.DEFINE_string("network_pages", "", "folder for a page of each network")
    cli.run(main)
