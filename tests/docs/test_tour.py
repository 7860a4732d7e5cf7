"""The notebook of the documentation runs from its first cell to its last."""

from __future__ import annotations

import re

import nbclient
import nbformat
import pytest

from tests.conftest import ROOT

TOUR = ROOT / "docs" / "tour.ipynb"


@pytest.fixture
def tour():
    return nbformat.read(TOUR, nbformat.NO_CONVERT)


@pytest.mark.serving
@pytest.mark.tflite
def test_the_tour_runs(tour, monkeypatch):
    monkeypatch.setenv("CSI_ZOO_TOUR", "tiny")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    resources = {"metadata": {"path": str(ROOT)}}
    nbclient.NotebookClient(tour, timeout=600, resources=resources).execute()
    text = "".join(
        output.get("text", "")
        for cell in tour.cells
        for output in cell.get("outputs", [])
    )
    assert "fitted quantiser: 6 bits an entry" in text
    assert "valid: [False  True  True  True] first NaN: True" in text
    assert "True largest difference from the local decoder:" in text


def test_its_links_lead_somewhere(tour):
    text = "".join(cell.source for cell in tour.cells if cell.cell_type == "markdown")
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert len(links) > 3
    assert all((ROOT / "docs" / link).is_file() for link in links)


def test_what_is_stored_is_small_and_was_run(tour):
    """With the output of one run, in order, without the noise of libraries."""
    nbformat.validate(tour)
    code = [cell for cell in tour.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell.outputs]
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 3
    assert not [x for x in outputs if x.get("name") == "stderr"]
    assert TOUR.stat().st_size < 300_000
