"""Pages about results, as files that need nothing else.

python -m zoo.report --run=DIR                            a run, after zoo.evaluate
python -m zoo.report --results=zoo/results --output=docs/report
python -m zoo.report --readme=README.md                   its tables, made again

`--results` reads every results JSON of a directory and of `reproduce` in it and writes
OUTPUT.html and OUTPUT.md: what the papers print beside ours, what becomes of their
claims, accuracy against cost, and a card of every network. The plot of accuracy against
the UE's operations is pareto.png beside them.
"""

from __future__ import annotations

from pathlib import Path

from absl import flags

from tfds_builders import cli
from zoo import files
from zoo.reporting import results_files, run_page


def write_run(run: Path) -> None:
    """Page of a run that was evaluated."""
    evaluation = run / "evaluation.json"
    row = files.read_json(evaluation)
    keys = ("nmse_db", "nmse_float_db", "nmse_pca_db", "feedback_bits")
    run_page.write(
        run / "report.html", evaluation, run, {key: row[key] for key in keys}
    )
    print(f"report: {run / 'report.html'}")


def write_readme(path: Path) -> None:
    """Make the tables of a README again."""
    from zoo.reporting import readme_tables

    text = path.read_text(encoding="utf-8")
    new = readme_tables.updated(text, path.parent)
    files.write_text(path, new)
    print(f"{path}: {'as it was' if new == text else 'tables made again'}")


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


def main(argv: list[str]) -> None:
    """Command line."""
    cli.refuse_arguments(argv)
    values = flags.FLAGS
    given = [name for name in ("run", "results", "readme") if values[name].value]
    if len(given) != 1:
        raise ValueError(
            f"got {' and '.join(given) or 'nothing to report on'}; usage: python -m "
            "zoo.report --run=DIR | --results=DIR --output=PATH | --readme=FILE"
        )
    if values.run:
        write_run(Path(values.run))
    elif values.readme:
        write_readme(Path(values.readme))
    else:
        write_results(Path(values.results), Path(values.output), values.networks)


if __name__ == "__main__":
    flags.DEFINE_string("run", "", "run directory of a training, evaluated")
    flags.DEFINE_string("results", "", "directory of results JSON files")
    flags.DEFINE_string("output", "docs/report", "HTML and Markdown, without ending")
    flags.DEFINE_list("networks", [], "networks with a card; none: all")
    flags.DEFINE_string("readme", "", "Markdown file whose tables are made again")
    cli.run(main)
