"""Cards of networks, and accuracy against cost."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.support import figure_checks, report_files
from zoo import registry
from zoo.keras_compat import Model, keras, layers
from zoo.metrics import complexity, flops, plot_axes
from zoo.reporting import model_cards, pareto, pareto_plot, results_files
from zoo.reporting.blocks import markdown
from zoo.reporting.cells import millions
from zoo.reporting.tables import KLT

HERE = Path("x.json")


@pytest.fixture
def drawn(monkeypatch):
    yield from figure_checks.kept(monkeypatch)


def points(*contents):
    return [p for content in contents for p in pareto.points(HERE, content)]


def test_stages_are_cut_where_one_tensor_leads_on():
    x = csi = keras.Input((4, 4, 2))
    x = layers.ReLU()(layers.Conv2D(3, 3, padding="same", name="first")(x))
    for i in (1, 2):  # two residual blocks, then what has no multiplications
        y = layers.Conv2D(3, (1, 3), padding="same", name=f"block{i}_a")(x)
        y = layers.Conv2D(3, (1, 3), padding="same", name=f"block{i}_b")(y)
        x = layers.Add(name=f"block{i}_add")([x, y])
    model = Model(csi, layers.Dense(5, name="fc")(layers.Flatten()(x)))
    found = model_cards.stages(model)
    names = ["Conv 3×3", "2 × block: 2 Conv 1×3", "Dense 5"]
    assert [stage.name for stage in found] == names
    assert [stage.behind for stage in found] == ["ReLU", "Add, Flatten", ""]
    assert [stage.shape for stage in found] == ["4 × 4 × 3", "48", "5"]
    assert [s.macs for s in found] == [16 * 9 * 2 * 3, 4 * 16 * 3 * 3 * 3, 48 * 5]


@pytest.mark.parametrize("name", ["crnet", "lora", "dualnet_mp", "transnet"])
def test_flow_holds_all_operations(name):
    spec = registry.get(name)
    model = model_cards.build(spec, model_cards.shown_dims(spec)[-1])
    counts = complexity.summary(model)
    for side, flow in zip(("ue", "bs"), model_cards.flow(model), strict=True):
        assert flow.side == model_cards.SIDES[side]
        assert sum(stage.macs for stage in flow.stages) == counts[f"{side}_macs"]


def test_card_of_crnet():
    spec = registry.get("crnet")
    details, row = model_cards.card(spec)
    text = "\n".join(map(markdown, details.blocks))
    assert details.anchor == "net-crnet" and "multi-resolution" in details.summary
    assert "https://arxiv.org/abs/1910.14322" in text and "MIT" in text
    assert "Deviations: features are flattened channels-last" in text
    assert "UE: path: 2 Conv 3×3, Conv 1×9, Conv 9×1 → Conv 1×1 → Dense 128" in text
    assert "2 × block: " in text
    for dim in (512, 128):
        counts = flops.summary(registry.build("crnet", codeword_dim=dim))
        assert f"| UE | {counts['ue_params']:,} | {counts['ue_macs']:,} |" in text
        assert f"| BS | {counts['bs_params']:,} | {counts['bs_macs']:,} |" in text
    assert "| default | indoor | -26.99 | -16.01 | -11.35 | -8.93 | -6.49 |" in text
    assert "| 7x7 | outdoor | -11.84 |  |  |  |  |" in text
    macs = [millions(417_792), millions(3_131_392)]
    assert row == ["crnet", "1/16", "128", *macs, "1,025", "Lu, Wang, Song"]


def test_every_network_says_what_it_deviates_in():
    for spec in registry.MODELS.values():
        title, deviations = model_cards.describe(spec)
        assert title.endswith(".") and len(deviations) > 20, spec.name
        assert not {"Args:", "Returns:"} & set(deviations.split()), spec.name


def test_nothing_published_gives_no_table():
    table = model_cards.published_table(registry.get("convlstm_csinet"))
    assert table is None


def test_front():
    costs, values = [1, 2, 3, 2, 4], [-1.0, -3.0, -2.0, -4.0, -5.0]
    assert pareto.front(costs, values) == [0, 3, 4]
    assert pareto.front([], []) == []


def test_comparison_by_cost_has_the_klt_and_three_networks():
    found = points(report_files.NETWORKS)
    (key,) = pareto.comparisons(found)
    assert key == ("x.json", "cost2100_sim/indoor_quick", 128)
    klt = found[-1]
    assert klt.name == KLT and klt.nmse_db == -11.0
    assert klt.costs == {
        "ue_macs": 128 * 2048, "bs_macs": 128 * 2048, "ue_bytes_fp32": 2 * 128 * 2048,
    }  # fmt: skip
    table = pareto.table(found)
    assert [row[0] for row in table.rows] == ["crnet", "csinet", KLT, "transnet"]
    assert table.rows[0][2:4] == ["1", "417,792 ●"]
    assert table.rows[3][3] == "1,835,008"
    fewer = {"rows": report_files.NETWORKS["rows"][:2]}
    assert not pareto.comparisons(points(fewer))


def test_seeds_are_one_point_with_a_spread():
    (point,) = [p for p in points(report_files.FIGURE) if p.name == "lora"][:1]
    assert point.nmse_db == pytest.approx(-14.3) and point.spread == (-14.7, -14.0)
    counts = complexity.summary(registry.build("lora", codeword_dim=128))
    assert point.costs == {key: counts[key] for key in pareto.COSTS}
    rows = [report_files.row("crnet", v, 1, seed=i) for i, v in enumerate((-1.0, -3.0))]
    assert points({"rows": rows})[0].nmse_db == -2.0


def test_names_tell_series_of_one_network_apart():
    names = [point.name for point in points(report_files.TABLE)]
    assert names == ["lora mlp", "lora cnn", KLT]
    twice = report_files.result("x", [*report_files.TABLE["entries"][:1]] * 2)
    assert len(points(twice)) == 2  # one run, however many values it gave
    measured = [{**e, "value": "measured"} for e in report_files.TABLE["entries"]]
    assert not points(report_files.result("x", measured))


def test_classic_methods_have_no_cost_and_side_information_no_point():
    lasso = report_files.entry("ista", "1/16", [-2.0], model="lasso")
    uplink = report_files.entry("paired", "1/16", [-9.0], model="dualnet_mag")
    found = points(report_files.result("x", [lasso, uplink]))
    assert [(p.name, p.costs) for p in found if p.name != KLT] == [("lasso ista", {})]


def test_payloads_compare_the_best_of_each():
    rows = [
        report_files.row("crnet", -12.0 + i, 1, epochs=i, feedback_bits=512 * bits)
        for bits in (1, 2)
        for i in range(5)
    ]
    rows += [report_files.row(name, -1.0, 1) for name in ("csinet", "clnet")]
    (own,) = pareto.payloads(points({"rows": rows})).values()
    found = {(p.name, p.bits): p.nmse_db for p in own}
    assert found["crnet", 512] == found["crnet", 1024] == -12.0
    assert found[KLT, 4096] == -11.0 and found["csinet", 4096] == -1.0
    assert not pareto.payloads(points(report_files.NETWORKS))


@pytest.mark.parametrize("contents", [[report_files.NETWORKS], [report_files.FIGURE]])
def test_plots_hold_all_points(contents, drawn, tmp_path):
    own = [p for p in points(*contents) if p.data[1] == 128]
    costs = [p.costs["ue_macs"] for p in own]
    pareto_plot.save(own, costs, "UE MACs", tmp_path / "x.png")
    texts = [t.get_text() for axis in drawn[0].axes for t in axis.texts]
    for point in own:
        if point.name == KLT:  # is in the legend
            continue
        (label,) = [t for t in texts if t.split(" ↑")[0] == point.name]
        if point.nmse_db > 2:
            assert label.endswith("+32 dB")
    figure_checks.check(drawn[0])
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")


def markers_inside(figure):
    """No marker is cut by the frame; those of the other panel are out of sight."""
    for axis in figure.axes:
        half = plot_axes.MARKER * figure.dpi / 72
        for line in axis.lines:
            if line.get_marker() not in ("o", "D", "^"):
                continue
            ((x, y),) = line.get_transform().transform(line.get_xydata())
            box = axis.bbox
            assert box.x0 + half < x < box.x1 - half
            assert box.y0 + half < y < box.y1 - half


def test_equal_comparisons_of_two_files_are_shown_once():
    both = [
        p
        for name in ("a.json", "b.json")
        for p in pareto.points(Path(name), report_files.NETWORKS)
    ]
    (key,) = pareto.comparisons(both)
    assert key[0] == "a.json"
    other = [p._replace(nmse_db=p.nmse_db - 1) for p in both if p.source == "b.json"]
    assert len(pareto.comparisons([*both[: len(both) // 2], *other])) == 2


def test_an_axis_is_broken_only_for_three_points_on_both_sides():
    line = [(1.0, -11.0)]
    values = [-11.0, -12.0, -13.0, -2.0, -3.0]
    assert pareto_plot._parts(values, line) == [[0, 1, 2, 3, 4]]
    assert pareto_plot._parts([*values, -1.0], line) == [[3, 4, 5], [0, 1, 2]]
    assert len(pareto_plot._parts([-11.0, -2.0, -3.0, -1.0], line)) == 1


@pytest.mark.slow
def test_plots_of_the_committed_results(drawn, tmp_path):
    results = results_files.load(ROOT / "zoo" / "results")
    found = [p for path, r in results.items() for p in pareto.points(path, r)]
    for own in pareto.comparisons(found).values():
        pareto_plot.save(
            own, [p.costs["ue_macs"] for p in own], "x", tmp_path / "x.png"
        )
    for data, own in pareto.payloads(found).items():
        pareto_plot.save(own, [p.bits for p in own], "bits", tmp_path / "x.png", data)
        assert drawn[-1].get_suptitle() == data
    assert len(drawn) > 10
    assert any(len(figure.axes) == 2 for figure in drawn)
    for figure in drawn:
        markers_inside(figure)
        names = [t.get_text() for axis in figure.axes for t in axis.texts]
        assert len(set(names)) == len(names) and KLT not in names
        ticks = [t for t in figure.axes[-1].get_xticklabels(minor=True) if t.get_text()]
        assert not ticks
        assert all(len(axis.collections) == 0 for axis in figure.axes)
        figure_checks.check(figure)
        assert all(axis.get_xscale() == "log" for axis in figure.axes)
