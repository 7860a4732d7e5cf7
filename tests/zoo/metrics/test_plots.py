"""Plots: axes are numbers, nothing collides, leaves the frame or hides a curve."""

from __future__ import annotations

import io
import itertools

import matplotlib.image
import numpy as np
import pytest
from PIL import Image

from tests.conftest import ROOT
from tests.support import figure_checks, report_files
from zoo import files
from zoo.experiments import cllwcsinet_figures, drawings
from zoo.metrics import plot_axes, plots

COMMITTED = sorted((ROOT / "zoo" / "results" / "reproduce").glob("*.figure*.json"))
POINTS = {
    "cllwcsinet.figure2": cllwcsinet_figures.draw_figure2,
    "cllwcsinet.figure3": cllwcsinet_figures.draw_figure3,
}


@pytest.fixture
def drawn(monkeypatch):
    yield from figure_checks.kept(monkeypatch)


@pytest.fixture
def h():
    rng = np.random.default_rng(0)
    return rng.standard_normal((3, 8, 6, 2))


@pytest.mark.parametrize(
    ("places", "values"),
    [
        ([1, 2, 8], [1, 2, 8]),
        (["1/4", "1/64"], [0.25, 1 / 64]),
        (["1/16, 4 bit", "1/16, 8 bit"], [4, 8]),
        (["indoor 1/8", "indoor 1/16"], [0.125, 0.0625]),
        (["indoor", "outdoor"], None),
        (["indoor 1/8", "outdoor 1/16"], None),
        (["1/4 ue", "bs"], None),
        ([1, "worst"], None),
    ],
)
def test_places_are_numbers_where_they_differ_in_one(places, values):
    assert plot_axes.numbers(places) == values


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.stem)
def test_committed_results_as_curves(path, drawn, tmp_path):
    result = files.read_json(path)
    if (
        len({e["x"] for e in result["entries"]}) > 1
        and not path.with_suffix(".png").is_file()
    ):
        pytest.skip("a table")
    draw = POINTS.get(path.stem, drawings.curves)
    draw(None, result, tmp_path / "x.png")
    figure_checks.check(drawn[0])


def curves(places, series=("crnet", "csinet_plus", "klt")):
    return report_files.result(
        "x",
        [
            report_files.entry(name, x, [-10.0 - i, -11.0 - i])
            for i, (name, x) in enumerate(itertools.product(series, places))
        ],
    )


def test_x_of_curves_is_numeric(drawn, tmp_path):
    plots.save_curves(curves(["1/4", "1/8", "1/64"]), tmp_path / "x.png")
    plots.save_curves(curves([-5, 0, 40]), tmp_path / "x.png")
    for figure, expected in zip(
        drawn, ([0.25, 0.125, 1 / 64], [-5, 0, 40]), strict=True
    ):
        (axis,) = figure.axes
        found = axis.lines[0].get_xdata()
        assert list(found) == expected and np.issubdtype(np.asarray(found).dtype, float)
        figure_checks.check(figure)
    (ratios,) = drawn[0].axes
    assert ratios.get_xscale() == "log"
    assert [t.get_text() for t in ratios.get_xticklabels()] == ["1/4", "1/8", "1/64"]


def test_legend_of_many_series_covers_nothing(drawn, tmp_path):
    names = [f"a network with a long name {i}" for i in range(10)]
    plots.save_curves(curves([1, 2, 3, 100], names), tmp_path / "x.png")
    figure_checks.check(drawn[0])


def test_legends_in_the_way_would_be_seen(drawn, tmp_path):
    plots.save_curves(curves([1, 2]), tmp_path / "x.png")
    drawn[0].axes[0].legend(loc="center")
    with pytest.raises(AssertionError, match="legend covers"):
        figure_checks.check(drawn[0])
    drawn[0].axes[0].text(1, -11, "first")
    drawn[0].axes[0].text(1, -11, "second")
    with pytest.raises(AssertionError, match="'first' and 'second' collide"):
        figure_checks.check(drawn[0])
    drawn[0].axes[0].text(1, 90, "outside")
    with pytest.raises(AssertionError, match="'outside' leaves the picture"):
        figure_checks.check(drawn[0])


def test_close_points_have_names_apart(drawn, tmp_path):
    places = [529_868, 529_096, 529_590, 548_684, 42_608]
    names = ("csinet", "acrnet", "crnet", "csinet_plus", "cllwcsinet")
    values = (-10.7, -11.1, -11.0, -10.9, -3.4)
    entries = [
        report_files.entry(name, x, [value])
        for name, x, value in zip(names, places, values, strict=True)
    ]
    drawings.points(None, report_files.result("x", entries), tmp_path / "x.png")
    figure_checks.check(drawn[0])
    (axis,) = drawn[0].axes
    assert {t.get_text() for t in axis.texts} == set(names)
    half = plot_axes.MARKER * drawn[0].dpi / 72 - 1
    for x, y in axis.transData.transform(list(zip(places, values, strict=True))):
        for text in axis.texts:
            box = plot_axes.Text.get_window_extent(text)
            off = x + half < box.x0 or x - half > box.x1
            assert off or y + half < box.y0 or y - half > box.y1


def test_leaders_that_cross_would_be_seen(drawn, tmp_path):
    plots.save_curves(curves([1, 2]), tmp_path / "x.png")
    axis, style = drawn[0].axes[0], {"arrowprops": {"arrowstyle": "-"}}
    axis.annotate("first", (1.2, -11), (1.6, -14), **style)
    axis.annotate("second", (1.2, -14), (1.6, -11), **style)
    with pytest.raises(AssertionError, match="'first' and 'second' cross"):
        figure_checks.check(drawn[0])


def test_ratio_that_does_not_change_is_in_the_title(drawn, tmp_path):
    for budget in ("fast", "full"):
        result = curves(["1/16, 4 bit", "1/16, 8 bit"])
        result |= {"x": "ratio and bits", "title": "Q, 1/4 (fast: 1/16)"}
        drawings.curves(None, {**result, "budget": budget}, tmp_path / "x.png")
    fast, full = (figure.axes[0] for figure in drawn)
    assert fast.get_title() == "Q, 1/16, 1/16" and full.get_title() == "Q, 1/4, 1/16"
    assert fast.get_xlabel() == "bits"
    assert list(fast.lines[0].get_xdata()) == [4, 8]
    assert [t.get_text() for t in fast.get_xticklabels()] == ["4", "8"]


def test_grid_of_magnitudes_is_in_db_with_axes(h, drawn, tmp_path):
    path = tmp_path / "x.png"
    drawings.pictures([[("true", h[0]), ("half", h[0] / 2)], [("true", h[1])]], path)
    true, half, second, empty, scale = drawn[0].axes
    assert scale.get_ylabel() == plots.SCALE == plots.description(path)
    assert true.images[0].get_array().max() == 0 == second.images[0].get_array().max()
    peak = half.images[0].get_array().max()
    assert peak == pytest.approx(-6.02, abs=0.01)
    assert not empty.images and not empty.axison
    assert second.get_xlabel() == "delay [bin]" and true.get_ylabel() == "angle [bin]"
    figure_checks.check(drawn[0])
    drawings.pictures([[("a", h[0]), ("b", h[0] / 2)]], path, alone=True)
    assert drawn[1].axes[1].images[0].get_array().max() == 0


def test_pngs_are_small_and_sharp(drawn, h, tmp_path):
    small, full = tmp_path / "x.png", tmp_path / "all.png"
    plots.save_curves(curves([1, 2, 9], [f"network {i}" for i in range(9)]), small)
    drawn[0].savefig(full, dpi=plots.DPI)
    one, two = (matplotlib.image.imread(path)[..., :3] for path in (small, full))
    assert one.shape == two.shape
    assert np.abs(one - two).mean() < 1e-3 and np.abs(one - two).max() < 0.2
    assert small.stat().st_size < 0.5 * full.stat().st_size
    plots.save_examples(h, 0.5 * h, small)
    assert Image.open(small).mode == "RGB"  # its colours are values
    assert plots.description(small) == ""


def test_one_place_is_a_ranking(drawn, tmp_path):
    plots.save_curves(curves(["1/16"], ("a", "klt", "b")), tmp_path / "x.png")
    (axis,) = drawn[0].axes
    assert [t.get_text() for t in axis.get_yticklabels()] == ["a", "linear KLT", "b"]
    figure_checks.check(drawn[0])


def test_what_is_beyond_the_edge_of_a_ranking_is_named(drawn, tmp_path):
    rows = [
        ("a", -12.0, [-12.1, -11.9]),
        (plots.KLT, -11.0, [-11.0]),
        ("b", 32.4, [32.4]),
    ]
    plots.save_ranking(rows, "NMSE [dB]", tmp_path / "x.png", most=0.0)
    (axis,) = drawn[0].axes
    assert axis.get_xlim()[1] < 0
    assert [t.get_text() for t in axis.texts] == ["+32 →"]
    figure_checks.check(drawn[0])


def test_one_epoch_is_seen(drawn, tmp_path):
    records = [{"epoch": 1, "loss": 1e-3, "val_loss": 2e-3, "val_nmse_db": -3.0}]
    plots.save_training_curve(records, tmp_path / "x.png", -5.0)
    loss, nmse = drawn[0].axes
    for axis in (loss, nmse):
        (x, y) = axis.lines[0].get_data()
        assert list(x) == [1] and np.isfinite(y).all()
        assert axis.lines[0].get_marker() == "o"
    assert [line.get_ydata()[0] for line in loss.lines] == [1e-3, 2e-3]
    assert nmse.get_legend() is not None and loss.get_ylabel() == "loss (MSE)"
    figure_checks.check(drawn[0])


def test_long_trainings(drawn, tmp_path):
    start = [{"epoch": 0, "loss": None, "val_nmse_db": 0.0}]  # of before: no val_loss
    records = start + [
        {"epoch": i, "loss": 1 / i, "val_nmse_db": -10 * np.log10(i)}
        for i in range(1, 1001)
    ]
    plots.save_training_curve(records, tmp_path / "x.png", -20.0)
    figure_checks.check(drawn[0])


def test_magnitudes_are_in_db_with_a_scale(h, drawn, tmp_path):
    plots.save_examples(h, 0.5 * h, tmp_path / "x.png")
    *pictures, scale = drawn[0].axes
    assert scale.get_ylabel() == "|H| / largest true |H| [dB]"
    true, half = (pictures[i].images[0].get_array() for i in (1, 4))
    assert true.max() == 0 and half.max() == pytest.approx(-6.02, abs=0.01)
    assert true.shape == (8, 6) and true.min() >= plots.FLOOR_DB
    labels = {axis.get_xlabel() for axis in pictures[3:]}
    assert labels == {"delay [bin]"} and pictures[0].get_ylabel() == "angle [bin]"
    figure_checks.check(drawn[0])


def test_histogram_is_sharp(drawn):
    rng = np.random.default_rng(0)
    buffer = io.BytesIO()
    plots.save_nmse_histogram(10 ** rng.normal(-1, 0.3, 2000), buffer)
    (axis,) = drawn[0].axes
    assert len(axis.patches) == 80 and sum(p.get_height() for p in axis.patches) == 2000
    buffer.seek(0)
    assert matplotlib.image.imread(buffer).shape[1] >= 1000
    figure_checks.check(drawn[0])


@pytest.mark.parametrize(
    ("kind", "start"), [("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml")]
)
def test_formats(kind, start, tmp_path):
    path = tmp_path / f"x.{kind}"
    plots.save_nmse_histogram(np.array([0.5, 0.25]), path)
    assert path.read_bytes().startswith(start)
