"""The page of `python -m tfds_builders.inspect`, and what it refuses."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tests.conftest import ROOT, SHARED, assert_one_line_error, run_command
from tests.support.html_page import Page, pixels
from tfds_builders import (
    inspect,
    inspect_figures,
    inspect_page,
    statistics,
    transforms,
)
from tfds_builders.cost2100_sim import simulator
from tfds_builders.reference import load_reference

TINY = "cost2100_sim/indoor_tiny"
METADATA = {"carrier_hz": 5.3e9, "bandwidth_hz": 20e6, "num_subcarriers": 1024}


@pytest.fixture(scope="module")
def tiny_data(tmp_path_factory):
    """TFDS folder with the tiny data set, and its channels as the page reads them."""
    folder = tmp_path_factory.mktemp("tfds")
    builder = inspect.prepared(TINY, str(folder))
    return folder, builder, inspect.read_samples(builder, "train", 2000)


@pytest.fixture(scope="module")
def page(tiny_data, tmp_path_factory):
    """Page of the tiny data set, compared with itself, made by the command."""
    folder, _, samples = tiny_data
    work = tmp_path_factory.mktemp("page")
    np.save(work / "self.npy", samples.h)
    done = subprocess.run(
        [sys.executable, "-m", "tfds_builders.inspect", TINY, "--reference=self.npy"]
        + [f"--data_dir={folder}"],
        cwd=work,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    out = work / "inspect_cost2100_sim_indoor_tiny.html"
    assert f"page: {out.name}" in done.stdout
    return out


def test_reading_gives_the_channels_that_were_simulated(tiny_data):
    _, builder, samples = tiny_data
    h = simulator.simulate("indoor", 400, builder.info.metadata["seed"])
    error = np.linalg.norm(samples.h - h) / np.linalg.norm(h)
    assert samples.h.shape == (400, 32, 32) and error < 1e-5
    assert len(inspect.read_samples(builder, "test", 30).h) == 30


def test_page_is_valid_and_self_contained(page):
    text = page.read_text(encoding="utf-8")
    parsed = Page(page)
    assert text.startswith("<!doctype html>") and "prefers-color-scheme" in text
    assert "http" not in text and not {"script", "link", "iframe"} & set(parsed.tags)
    images = [pixels(image) for image in parsed.images]
    poster = pixels(page.with_suffix(".png").read_bytes())
    assert len(images) == 3 and len(poster) > sum(map(len, images))


def test_page_says_what_was_looked_at(page, tiny_data):
    _, builder, samples = tiny_data
    rows = Page(page).rows
    metadata = builder.info.metadata
    assert rows["version"] == [str(builder.version)]
    assert rows["examples"] == ["400 of 400 (train)"]
    assert rows["git commit"] == [metadata["git_commit"]]
    assert rows["seed"] == ["2100"] and rows["bandwidth"] == ["20 MHz"]
    assert rows["kept energy"] == [f"{metadata['kept_energy']:.6g}"]
    assert rows["reference"] == ["self.npy, 400 drops"]
    spread = 1e9 * statistics.delay_spread(samples.h, METADATA["bandwidth_hz"])
    shown = [float(cell) for cell in rows["rms delay spread [ns]"][:4]]
    expected = [spread.mean(), *np.sort(spread)[[19, 199, 379]]]  # of 400
    assert shown == pytest.approx(expected, rel=1e-3)


def test_data_set_against_itself(page):
    rows = Page(page).rows
    compared = [row for name, row in rows.items() if name.endswith("]")]
    assert len(compared) == 7
    for row in compared:
        assert row[:4] == row[4:8] and row[8:] == ["0.000", "1"]


@pytest.mark.golden
@pytest.mark.parametrize("scenario", ["indoor", "outdoor"])
def test_data_set_against_reference_drops(tiny_data, tmp_path, scenario):
    file = SHARED / f"cost2100_reference_{scenario}.npz"
    if not file.exists():
        pytest.skip(f"reference drops {file.name} are not beside the repository")
    h = load_reference(file).channels((32, 32), METADATA)
    out = tmp_path / "page.html"
    inspect_page.write(out, TINY, {}, tiny_data[2], METADATA, h)
    rows = Page(out).rows
    names = (
        "rms delay spread [ns]",
        "angular spread [beams]",
        "peak-to-rest ratio [dB]",
    )
    p = [float(rows[name][-1]) for name in names]
    assert min(p) > 0.01 if scenario == "indoor" else max(p) < 1e-6


@pytest.fixture
def paths():
    return simulator.paths("indoor", 60, seed=4)


def test_channels_of_fdd_pairs_over_time(paths):
    h, uplink = simulator.taps(paths), simulator.taps(paths.at_carrier(5.1e9))
    over_time = np.stack([h, 2j * h, np.roll(h, 1, axis=0)], axis=1)
    scale, scales = (transforms.per_sample_scale(x) for x in (h, over_time))
    unit = transforms.to_unit_range
    same = unit(over_time, np.repeat(scale[:, None], 3, axis=1))
    two = unit(
        np.stack([uplink, h], axis=1), transforms.per_sample_scale(over_time)[:, :2]
    )
    for csi, scaling in ((same, scale), (unit(over_time, scales), scales)):
        features = {"csi": csi, "scale": scaling, "csi_uplink": two, "eigenvectors": 0}
        samples = inspect.channels_of(features)
        size = np.abs(h).max()
        np.testing.assert_allclose(samples.h, h, atol=1e-5 * size)
        np.testing.assert_allclose(samples.over_time, over_time, atol=1e-5 * size)
        likeness = statistics.phase_correlation(samples.uplink, uplink)
        np.testing.assert_allclose(likeness, 1, rtol=1e-4)
        assert samples.k_factor is None


def test_page_of_fdd_pairs_over_time(paths, tmp_path):
    h, uplink = simulator.taps(paths), simulator.taps(paths.at_carrier(5.1e9))
    over_time = np.stack([h, np.roll(h, 1, axis=0)], axis=1)
    k = np.repeat([10**-0.35, 0], [45, 15])
    samples = inspect_page.Samples(h, uplink, over_time, k)
    out = tmp_path / "pairs.html"
    inspect_page.write(
        out, "<made> & up", {}, samples, {**METADATA, "times_s": [0.0, 0.1]}
    )
    page = Page(out)
    headings = "Uplink and downlink</h2>", "Correlation over time</h2>"
    assert all(text in out.read_text(encoding="utf-8") for text in headings)
    assert len([pixels(image) for image in page.images]) == 5
    magnitude = statistics.magnitude_correlation(h, uplink)
    shown = [float(cell) for cell in page.rows["magnitude correlation"]]
    assert shown[0] == pytest.approx(magnitude.mean(), rel=1e-3)
    assert page.rows["K factor of the simulation [dB]"] == ["-3.5"] * 4
    assert "75.0% of the examples" in out.read_text(encoding="utf-8")


@pytest.mark.parametrize(("last", "taps"), [(0, 31), (16, 1)])
def test_last_taps_lie_before_the_first(tmp_path, monkeypatch, last, taps):
    blank = np.zeros((10, 10, 4), np.uint8)
    monkeypatch.setattr(inspect_figures, "render", lambda *_: blank)
    h = np.zeros((1, 32, 32), complex)
    h[0, 4, [0, -1]] = 1
    metadata = {"bandwidth_hz": 1e9, "last_taps": last}
    out = tmp_path / "x.html"
    inspect_page.write(out, "x", {}, inspect_page.Samples(h), metadata)
    spread = Page(out).rows["rms delay spread [ns]"]
    assert [float(cell) for cell in spread] == pytest.approx([taps / 2] * 4)


def test_without_a_bandwidth_delays_are_in_taps(tmp_path):
    h = np.zeros((2, 8, 12), complex)
    h[:, 3, [2, 6]] = 1
    out = tmp_path / "x.html"
    inspect_page.write(out, "own/x", {}, inspect_page.Samples(h), {"last_taps": 2})
    assert [float(x) for x in Page(out).rows["rms delay spread [taps]"]] == [2] * 4
    assert "µs" not in out.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"dataset": "cost2100_simm/indoor"}, "unknown dataset 'cost2100_simm'"),
        ({"dataset": "cost2100_sim/indor"}, "no configuration 'indor'"),
        ({"split": "dev"}, "--split=dev: .* has train, validation, test"),
        ({"num": 0}, "--num=0"),
        ({"out": Path("page.png")}, "--out=page.png: expected FILE.html"),
        (
            {"out": Path("nowhere/page.html")},
            "expected FILE.html in an existing folder",
        ),
        ({"reference": "absent.npz"}, "absent.npz"),
    ],
)
def test_wrong_uses_name_the_value(tiny_data, tmp_path, changes, words):
    out = tmp_path / "page.html"
    arguments = {"dataset": TINY, "data_dir": str(tiny_data[0]), "out": out, **changes}
    with pytest.raises((ValueError, FileNotFoundError), match=words):
        inspect.write(**arguments)
    assert not out.exists()


def test_damaged_data_name_data_set_and_example(tmp_path, monkeypatch):
    info = SimpleNamespace(metadata=METADATA, splits={"train": None})
    features = {"csi": np.full((5, 32, 32, 2), 0.5, np.float32), "scale": np.ones(5)}
    features["csi"][:3, 0, 0] = 1
    monkeypatch.setattr(
        inspect, "prepared", lambda *_: SimpleNamespace(info=info, version="1")
    )
    monkeypatch.setattr(
        inspect, "read_samples", lambda *_: inspect.channels_of(features)
    )
    with pytest.raises(ValueError, match="a/b, split train: 2 of 5 .* index 3"):
        inspect.write("a/b", tmp_path / "x.html")
    features["csi"][1] = np.nan
    with pytest.raises(ValueError, match="a/b, split train: .*NaN"):
        inspect.write("a/b", tmp_path / "x.html")


def test_command_errors_are_one_line(tmp_path):
    module = "tfds_builders.inspect"
    assert_one_line_error(run_command(module), "usage: python -m", "NAME/CONFIG")
    assert_one_line_error(run_command(module, TINY, "--nums=3"), "nums", code=2)


def test_looking_needs_neither_tensorflow_nor_the_zoo():
    code = (
        "import sys, tfds_builders.inspect;"
        "print(sorted({n.split('.')[0] for n in sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True
    )
    assert "'tfds_builders'" in done.stdout, done.stderr
    assert "'tensorflow" not in done.stdout and "'zoo'" not in done.stdout
