"""One self-contained HTML page about a run: python -m zoo.report --run=DIR."""

from __future__ import annotations

import base64
import html
import io
import json
from pathlib import Path

from absl import flags

from tfds_builders import cli
from zoo import files, plots
from zoo.run_directory import RunDirectory

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto;
       padding: 0 1rem; color: #1c2430; }
table { border-collapse: collapse; } td, th { padding: .2rem .8rem .2rem 0;
       text-align: left; vertical-align: top; border-bottom: 1px solid #dde2ea; }
td.value { text-align: right; font-variant-numeric: tabular-nums; }
img { max-width: 100%; } pre { background: #f3f5f8; padding: .8rem; overflow-x: auto; }
"""


def _text(value) -> str:
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1e-2 else f"{value:.3f}"
    if isinstance(value, dict):
        return ", ".join(f"{k}: {_text(v)}" for k, v in value.items())
    return f"{value:,}" if isinstance(value, int) else str(value)


def html_table(rows: dict) -> str:
    """Two-column HTML table of names and values."""
    cells = "".join(
        f"<tr><td>{html.escape(str(k))}</td>"
        f'<td class="value">{html.escape(_text(v))}</td></tr>'
        for k, v in rows.items()
    )
    return f"<table>{cells}</table>"


def html_image(png: bytes, alt: str) -> str:
    """PNG embedded as a data URI."""
    data = base64.b64encode(png).decode()
    return f'<img alt="{html.escape(alt)}" src="data:image/png;base64,{data}">'


def _training_curve(run: RunDirectory, reference_db: float) -> bytes:
    buffer = io.BytesIO()
    plots.save_training_curve(run.read_metrics(), buffer, reference_db)
    return buffer.getvalue()


def write(target: Path, evaluation: Path, run: Path, rows: dict) -> None:
    """Write the page.

    Args:
        target: HTML file.
        evaluation: results row written by zoo.evaluate, its two plots beside it.
        run: run directory.
        rows: the figures shown first.

    Raises:
        FileNotFoundError: no evaluation yet.
    """
    directory, row = RunDirectory(run), files.read_json(evaluation)
    images = {
        "Loss and validation NMSE": _training_curve(directory, row["nmse_pca_db"]),
        "Per-sample NMSE on the test split": _sibling(evaluation, "nmse"),
        "True and recovered |H|": _sibling(evaluation, "examples"),
    }
    config = json.dumps(directory.config().to_json(), indent=1)
    title = f"{row['model']} on {row['dataset']}/{row['dataset_config']}"
    parts = [
        f"<h1>{html.escape(title)}</h1>",
        html_table(rows),
        *(f"<h2>{k}</h2>{html_image(v, k)}" for k, v in images.items()),
        f"<h2>Results row</h2>{html_table(row)}",
        f"<h2>Environment</h2>{html_table(files.read_json(run / 'env.json'))}",
        f"<h2>Configuration</h2><pre>{html.escape(config)}</pre>",
    ]
    files.write_text(
        target,
        f'<!doctype html><html lang="en"><meta charset="utf-8">'
        f"<title>{html.escape(title)}</title><style>{STYLE}</style>"
        f"<body>{''.join(parts)}</body></html>\n",
    )


def _sibling(evaluation: Path, kind: str) -> bytes:
    return evaluation.with_name(f"{evaluation.stem}_{kind}.png").read_bytes()


def main(argv: list[str]) -> None:
    """Command line."""
    if len(argv) > 1 or not flags.FLAGS.run:
        raise ValueError("usage: python -m zoo.report --run=DIR (after zoo.evaluate)")
    run = Path(flags.FLAGS.run)
    evaluation = run / "evaluation.json"
    row = files.read_json(evaluation)
    keys = ("nmse_db", "nmse_float_db", "nmse_pca_db", "feedback_bits")
    write(run / "report.html", evaluation, run, {key: row[key] for key in keys})
    print(f"report: {run / 'report.html'}")


if __name__ == "__main__":
    flags.DEFINE_string("run", "", "run directory of a training, evaluated")
    cli.run(main)
