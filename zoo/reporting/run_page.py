"""The page of a run: training curves, plots of the evaluation, where it came from."""

from __future__ import annotations

import io
import json
from html import escape
from pathlib import Path

from tfds_builders import inspect_html as html
from zoo import files
from zoo.metrics import plots


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
    from zoo.run_directory import RunDirectory  # TensorFlow, for this page alone

    directory, row = RunDirectory(run), files.read_json(evaluation)
    config = json.dumps(directory.config().to_json(), indent=1)
    title = f"{row['model']} on {row['dataset']}/{row['dataset_config']}"
    body = [
        _facts(rows),
        html.figure(
            "Training",
            "Loss and validation NMSE; dashed: the linear KLT of the same length.",
            _training_curve(directory.read_metrics(), row["nmse_pca_db"]),
            "Loss and validation NMSE over the epochs",
        ),
        html.figure(
            "Test split",
            "NMSE of each sample in dB; the line is the global value.",
            _sibling(evaluation, "nmse"),
            "Histogram of the NMSE per sample of the test split",
        ),
        html.figure(
            "Examples",
            "Magnitudes in the angular-delay domain.",
            _sibling(evaluation, "examples"),
            "True and recovered |H| of some samples",
        ),
        html.heading("Results row"),
        _facts(row),
        html.heading("Environment"),
        _facts(files.read_json(run / "env.json")),
        html.heading("Configuration"),
        f'<div class="scroll"><pre>{escape(config)}</pre></div>',
    ]
    files.write_text(target, html.document(title, body))


def _facts(values: dict) -> str:
    return html.facts({name: _text(value) for name, value in values.items()})


def _text(value) -> str:
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1e-2 else f"{value:.3f}"
    if isinstance(value, dict):
        return ", ".join(f"{k}: {_text(v)}" for k, v in value.items())
    return f"{value:,}" if isinstance(value, int) else str(value)


def _training_curve(records: list[dict], reference_db: float) -> bytes:
    buffer = io.BytesIO()
    plots.save_training_curve(records, buffer, reference_db)
    return buffer.getvalue()


def _sibling(evaluation: Path, kind: str) -> bytes:
    return evaluation.with_name(f"{evaluation.stem}_{kind}.png").read_bytes()
