"""The page of a run: what it shows, and its figures as files."""

from __future__ import annotations

import io
import json

import matplotlib.image
import numpy as np
import pytest

from tests.conftest import TINY, assert_one_line_error, run_command
from tests.support import report_files
from tests.support.html_page import ReportPage
from zoo.config import ExperimentConfig
from zoo.metrics import plots
from zoo.reporting import run_page
from zoo.reporting.quickstart_table import LABELS
from zoo.run_directory import RunDirectory

EPOCH = {"epoch": 1, "loss": 0.5, "val_nmse_db": -1.0}
FIGURES = ("training", "nmse", "examples")


@pytest.fixture
def run(tmp_path):
    """A run with one epoch, evaluated."""
    config = ExperimentConfig(**{**TINY, "run_dir": str(tmp_path / "run")})
    path = RunDirectory.create(config).path
    (path / "metrics.jsonl").write_text(json.dumps(EPOCH) + "\n")
    row = report_files.row("crnet", -3.25, 1, nmse_float_db=-3.5)
    (path / "evaluation.json").write_text(json.dumps(row))
    h = np.random.default_rng(0).standard_normal((6, 32, 32, 2)).astype(np.float32)
    arrays = {"h": h, "h_hat": 0.9 * h, "ratios": np.linspace(0.1, 0.9, 50)}
    np.savez(path / "evaluation_figures.npz", **arrays)
    return path


def test_page_and_figures(run):
    done = run_command("zoo.report", f"--run={run}", "--format=png,pdf,svg")
    assert done.returncode == 0, done.stderr[-2000:]
    page = ReportPage(run / "report.html")
    assert {link[0] for link in page.links} == {"#"}
    assert page.rows["nmse_db"] == ["-3.250"] and page.rows["lr"] == ["0.002"]
    text = "".join(page.texts)
    assert '"codeword_dim": 32' in text and "at `" not in text
    at = [text.index(f"Figure {i}. ") for i in (1, 2, 3)]
    assert at == sorted(at) and "dashed: the linear KLT" in text
    assert len(page.images) == 3
    curve = io.BytesIO()
    plots.save_training_curve([EPOCH], curve, -11.0)
    assert page.images[0] == curve.getvalue()  # an epoch is seen, see test_plots
    for name, embedded in zip(FIGURES, page.images, strict=True):
        starts = {"png": b"\x89PNG", "pdf": b"%PDF", "svg": b"<?xml"}
        for kind, start in starts.items():
            path = run / f"report_{name}.{kind}"
            assert path.read_bytes().startswith(start)
            assert f"report: {path}\n" in done.stdout
        assert matplotlib.image.imread(io.BytesIO(embedded)).shape[1] >= 1000


def test_labels_keep_their_names(run):
    rows = dict.fromkeys(LABELS.values(), 1.5)
    page = run / "page.html"
    assert run_page.write(page, run / "evaluation.json", run, rows) == []
    found = ReportPage(page).rows
    assert all(found[label] == ["1.500"] for label in LABELS.values())
    assert any("encoder_dynamic.tflite" in name for name in found)
    assert not list(run.glob("page_*"))


def test_eigenvectors_trained_by_sgcs_have_no_nmse(run):
    row = json.loads((run / "evaluation.json").read_text())
    row |= {"nmse_db": None, "nmse_float_db": None, "sent": "eigenvectors"}
    (run / "evaluation.json").write_text(json.dumps(row))
    record = {"epoch": 1, "loss": 0.5, "val_sgcs": 0.6}
    (run / "metrics.jsonl").write_text(json.dumps(record) + "\n")
    run_page.write(run / "page.html", run / "evaluation.json", run, {"sgcs": 0.6})
    page = ReportPage(run / "page.html")
    text = "".join(page.texts)
    assert "SGCS of the validation split" in text and "eigenvectors of 6 test" in text
    assert "NMSE of" not in text and len(page.images) == 2


def test_what_is_missing_is_named(run):
    (run / "evaluation_figures.npz").unlink()
    done = run_command("zoo.report", f"--run={run}")
    assert_one_line_error(
        done, "evaluation_figures.npz: no such file", f"zoo.evaluate --run={run}"
    )
    (run / "evaluation.json").unlink()
    done = run_command("zoo.report", f"--run={run}")
    assert_one_line_error(done, "evaluation.json: no such file")
