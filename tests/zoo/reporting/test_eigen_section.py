"""SGCS over bits in the report: curves, payloads, who leads, orders by rate, pages."""

from __future__ import annotations

import json
import math
import re

import pytest

from tests.support import figure_checks, report_files
from zoo.reporting import (
    eigen_plot,
    eigen_section,
    eigen_tables,
    page_tables,
    pages,
    results_files,
)
from zoo.reporting.eigen_curves import Curve, Point, curves, is_eigen, payloads
from zoo.reporting.leaderboard import boards
from zoo.reporting.pareto import points
from zoo.reporting.tables import table_of

NETWORK = "csinet, port phase"
BASE = {64: (1, 0.60, 4.0), 256: (6, 0.80, 5.0)}


def row(model: str, sent, *sgcs: float, zf_rate=4.0, seed=0, **changes) -> dict:
    return {
        "model": model, "dataset": "tr38901", "dataset_config": "r18_quick",
        "sent": "eigenvectors", "rank": len(sgcs), "num_subbands": 13, "phase": None,
        "ratio": None, "codeword_dim": None, "bits": None, "model_args": {},
        "feedback_bits": sent, "feedback_bits_min_max": sent and [sent, sent],
        "sgcs_by_layer": list(sgcs), "sgcs": sum(sgcs) / len(sgcs),
        "sgcs_weighted": 0.8, "gcs_by_layer": [math.sqrt(x) for x in sgcs],
        "nmse_db": None, "beamforming_loss_db": -1.0, "rate": 8.0, "zf_rate": zf_rate,
        "zf_rate_5_percent": 2.0, "snr_db": 10.0, "num_users": 4, "seed": seed,
        **report_files.ENVIRONMENT, "origin": "ours", **changes,
    }  # fmt: skip


def etype2(bits: float, pc: int, *sgcs: float, **changes) -> dict:
    return row("etype2", bits, *sgcs, model_args={"param_combination": pc}, **changes)


def coded(model: str, bits: float, *sgcs: float, rate="mean", **changes) -> dict:
    args = {"report_bits": round(bits), "rate": rate}
    return row(model, bits, *sgcs, model_args=args, **changes)


def network(bits: int, seed: int, *sgcs: float, **changes) -> dict:
    return row("csinet", bits, *sgcs, seed=seed, bits=2, codeword_dim=bits // 2,
               phase="port", nmse_db=-9.0, **changes)  # fmt: skip


@pytest.fixture
def content():
    rows = [
        *(etype2(bits, pc, y, zf_rate=rate) for bits, (pc, y, rate) in BASE.items()),
        coded("pursuit", 62, 0.68, zf_rate=3.9), coded("pursuit", 300, 0.90, zf_rate=6),
        coded("pursuit", 64, 0.62, rate="fixed"), coded("klt_coded", 128, 0.5),
        etype2(128, 1, 0.7, 0.5), etype2(512, 6, 0.8, 0.6),
        coded("pursuit", 128, 0.8, 0.3), coded("pursuit", 512, 0.9, 0.7),
        *(network(128, seed, 0.60 + seed / 10, 0.52) for seed in range(3)),
        row("klt", None, 0.4, nmse_db=-2.0, codeword_dim=8, phase="port"),
    ]  # fmt: skip
    return {"rows": rows, **report_files.ENVIRONMENT, "origin": "ours"}


def _lines(table, rank: str) -> dict[str, list[str]]:
    place = table.columns.index("rank")
    return {x[0]: x[place + 1 :] for x in table.rows if x[place] == rank}


def test_curves_by_rank_and_their_values_between_points(content):
    one, two = curves(content["rows"]).items()
    assert one[0][:3] == ("tr38901/r18", 13, 1) and two[0].rank == 2
    found = {curve.name: curve for curve in one[1]}
    assert list(found) == ["eType II", "pursuit", "pursuit, at most", "KLT"]
    assert found["eType II"].at(128).sgcs == pytest.approx(
        [0.70]
    )  # half way in octaves
    assert found["eType II"].at(128).zf_rate == pytest.approx(4.5)
    assert found["eType II"].at(64 / 1.04).sgcs == (0.60,)  # the end is near
    assert found["eType II"].at(60) is None and found["eType II"].at(300) is None
    assert payloads(content["rows"], one[0]) == {1: 64, 6: 256}
    (point,) = two[1][-1].points
    assert point.seeds == 3 and point.sgcs == pytest.approx((0.7, 0.52))
    assert point.spread == ((0.6, 0.8), (0.52, 0.52)) and point.mean == pytest.approx(
        0.61
    )


def test_who_leads_at_a_payload(content):
    table = eigen_tables.overview(content["rows"])
    assert table.columns[2:] == ["pc 1", "pc 6"]
    lines = _lines(table, "1")
    assert lines["bits of eType II"] == ["64", "256"]
    assert lines["eType II"] == ["0.600", "0.800"]
    among = 0.68 + 0.22 * math.log2(256 / 62) / math.log2(300 / 62)
    assert lines["pursuit"][1] == f"~{among:.3f}"
    assert lines["leads, bits in the mean"][0].startswith("pursuit +0.08")
    assert lines["leads, bits at most"] == ["pursuit, at most +0.020", ""]
    assert "KLT" not in lines  # measured at 128 bits alone
    assert lines["pursuit, at most"] == ["0.620", ""]


def test_seeds_that_overlap_decide_nothing(content):
    lines = _lines(eigen_tables.overview(content["rows"]), "2")
    assert lines[NETWORK] == ["0.700 ±0.100 / 0.520 ±0.000", ""]
    for label in ("leads, bits in the mean", "leads, bits at most"):
        assert lines[label][0] == f"{NETWORK} or eType II: not decided"
    for r in content["rows"]:
        r["sgcs_by_layer"] = (
            [0.9, 0.9] if r["model"] == "csinet" else r["sgcs_by_layer"]
        )
    lines = _lines(eigen_tables.overview(content["rows"]), "2")
    assert lines["leads, bits in the mean"][0] == f"{NETWORK} +0.300"
    assert lines["leads, bits in the mean"][0].values["leader"] == NETWORK


def test_orders_by_sgcs_and_by_rate(content):
    table = eigen_tables.rates(content["rows"])
    rows = {(x[0], x[1]): x for x in table.rows}
    shown = rows["1", "1"]
    assert shown[2] == "64" and shown[3].startswith("pursuit 0.68")
    assert shown[4].startswith("eType II 4.00") and shown[5:] == ["3", "2"]
    assert rows["2", "6"][5:] == ["1", "0"]


def test_every_row_has_its_numbers(content):
    table = eigen_tables.everything(content["rows"])
    assert len(table.rows) == len(content["rows"])
    by_name = {x[0]: dict(zip(table.columns, x, strict=True)) for x in table.rows}
    assert by_name["klt, port phase"]["feedback bits"] == ""
    assert by_name["klt, port phase"]["ours, NMSE [dB]"] == "-2.00"
    assert by_name[NETWORK]["ours, SGCS by layer"] == "0.8000 / 0.5200"


def test_several_channels_are_told_apart(content):
    other = [r | {"dataset_config": "r18_4ghz"} for r in content["rows"]]
    table = eigen_tables.overview(content["rows"] + other)
    assert table.columns[1] == "channels"
    assert {row[1] for row in table.rows} == {"tr38901/r18", "tr38901/r18_4ghz"}
    assert len(eigen_tables.rates(content["rows"] + other).rows) == 8


@pytest.fixture
def figures(monkeypatch):
    yield from figure_checks.kept(monkeypatch)


def test_sides_trained_apart_are_one_curve():
    """Whatever pair and file a seed is of; of channels that it was trained on."""
    sides = {"encoder": {"model": "csinet", "model_args": {}},
             "decoder": {"model": "crnet", "model_args": {}}}  # fmt: skip
    found = [
        network(
            bits, seed, 0.6 + seed / 10, collaboration="nw_first", **sides,
            train_data=f"tr38901/r18_quick of pair {seed}ab train[:9] of file {seed}cd",
        )
        for bits in (64, 128) for seed in range(2)
    ]  # fmt: skip
    ((curve,),) = curves(found).values()
    assert curve.name == "csinet to crnet, nw first, port phase"
    assert [point.seeds for point in curve.points] == [2, 2]
    assert curve.points[0].spread == ((0.6, 0.7),)


def test_what_was_trained_elsewhere_is_a_curve_of_its_own(content):
    own = network(128, 0, 0.7, train_data="tr38901/r18/1.1.0 train[:400] of 9")
    other = own | {"train_data": "cost2100_sim/indoor_quick/1.0.0 train[:4] of 9"}
    (found,) = curves([own, other]).values()
    assert [curve.name for curve in found] == [
        NETWORK, f"{NETWORK}, of cost2100_sim/indoor"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"epochs": 5}, "epochs 5"),
        ({"bits": 4, "quantizer": "lsq"}, "bits 4"),
        ({"quantizer": "lsq"}, "quantizer lsq"),
        ({"init": "klt"}, "init klt"),
        ({"loss": "sgcs"}, "loss sgcs"),
        ({"lr": 0.01}, "lr 0.01"),
        ({"precision": "int8"}, "precision int8"),
        ({"batch_size": 50}, "batch size 50"),
        ({"test_snr_db": 10.0}, "test snr db 10.0"),
        ({"feedback_snr_db": 10.0}, "feedback snr db 10.0"),
        ({"num_test": 100}, "num test 100"),
        ({"dataset_version": "1.0.0"}, "dataset version 1.0.0"),
        ({"dataset_config": "r18", "num_test": 100}, "data set tr38901/r18"),
    ],
)
def test_other_configurations_are_other_curves(changes, told):
    """Not one point with a spread; what differs is told once."""
    pair = [network(128, 0, 0.7), network(128, 0, 0.8) | changes]
    (found,) = curves(pair).values()
    assert [curve.points[0].seeds for curve in found] == [1, 1]
    assert f"{NETWORK}, {told}" in [curve.name for curve in found]
    shown = {line[0] for line in eigen_tables.everything(pair).rows}
    assert shown == {curve.name for curve in found}
    again = [*pair, network(256, 0, 0.9)]  # another length of the first
    (found,) = curves(again).values()
    assert sorted(len(curve.points) for curve in found) == [1, 2]


def test_seeds_are_one_point_whatever_a_codec_chose():
    def fitted(seed, over):
        args = {"report_bits": 64, "rate": "mean", "oversampling": over}
        return row("pursuit", 64, 0.7, seed=seed, model_args=args)

    stream = "tr38901/r18/1.1.0 stream[:9] an epoch, seed {}"
    trained = [network(64, n, 0.7, train_data=stream.format(n)) for n in range(2)]
    (found,) = curves([fitted(0, 4), fitted(1, 8), *trained]).values()
    assert [(len(c.points), c.points[0].seeds) for c in found] == [(1, 2), (1, 2)]


def test_the_leader_is_compared_with_all_others():
    """The third reaches higher than the second; seeds of opposite layers cancel out."""
    rows = [
        etype2(64, 1, 0.5, 0.5),
        *(network(64, n, 0.6 + n / 10, 0.8 - n / 10) for n in range(2)),  # mean 0.7
        coded("pursuit", 64, 0.68, 0.68),
        *(coded("klt_coded", 64, x, x, seed=n) for n, x in enumerate((0.61, 0.69))),
    ]
    lines = _lines(eigen_tables.overview(rows), "2")
    assert lines["leads, bits in the mean"] == [f"{NETWORK} +0.020"]
    rows += [coded("klt_coded", 64, 0.71, 0.71, seed=2)]  # in the mean 0.67
    lines = _lines(eigen_tables.overview(rows), "2")
    assert lines["leads, bits in the mean"] == [f"{NETWORK} or KLT: not decided"]


def test_what_may_be_longer_is_not_at_most():
    coder = network(64, 0, 0.9, feedback_bits_min_max=[48, 80])
    rows = [etype2(64, 1, 0.6), coded("pursuit", 64, 0.7, rate="fixed"), coder]
    lines = _lines(eigen_tables.overview(rows), "1")
    assert lines["leads, bits in the mean"] == [f"{NETWORK} +0.300"]
    assert lines["leads, bits at most"] == ["pursuit, at most +0.100"]
    rows[1] |= {"feedback_bits": 60, "feedback_bits_min_max": [40, 64]}
    (found,) = curves(rows).values()
    assert found[1].points[0].bits == 64  # where it is compared


def test_curves_without_end_differ_in_the_plot():
    made = [
        Curve(str(i), "network", [Point(64, (0.5,), ((0, 1),), (0, 1), 4.0, 1, 64)])
        for i in range(16)
    ]
    styles = eigen_plot._styles(made).values()
    assert len({(style["color"], style["marker"]) for style in styles}) == 16


def test_data_sets_of_one_configuration_have_files_of_their_own(content, tmp_path):
    other = [r | {"dataset": "own", "dataset_config": "r18"} for r in content["rows"]]
    files = {"eigen": content, "other": content | {"rows": other}}
    _written(tmp_path / "results", tmp_path, files)
    tables = {path.name for path in (tmp_path / "report_tables").iterdir()}
    assert {"eigenvectors_tr38901_r18.csv", "eigenvectors_own_r18.csv"} <= tables


def test_the_plot_has_a_panel_for_each_layer(content, figures):
    picture = eigen_section.picture(curves(content["rows"]))
    (figure,) = figures
    figure_checks.check(figure)
    assert [axis.get_title() for axis in figure.axes] == [
        f"tr38901/r18\nrank {rank}, layer {layer}"
        for rank, layer in ((1, 1), (2, 1), (2, 2))
    ]
    dashed = [x for x in figure.axes[0].lines if x.get_linestyle() == "--"]
    assert len(dashed) == 1 and dashed[0].get_ydata()[0] == 0.62
    assert "rank 2: eType II" in picture.alt


def _written(directory, tmp_path, contents: dict) -> str:
    report_files.write(directory)
    for name, content in contents.items():
        (directory / f"{name}.json").write_text(json.dumps(content))
    results = results_files.load(directory)
    pages.write(results, tmp_path / "report", ["crnet"])
    return (tmp_path / "report.md").read_text()


def test_report_takes_rows_of_all_kinds_of_files(content, tmp_path):
    """A file of rows, one of a single row as zoo.baseline writes it, a mixed one."""
    mixed = {"rows": [network(128, 3, 0.7), report_files.row("crnet", -10.0, 400_000)]}
    alone = coded("klt_mixture", 130, 0.85, 0.55)
    csi = report_files.row("pursuit", -20.0, 0, ratio=None, codeword_dim=None,
                           nmse_pca_db=None, feedback_bits=512)  # fmt: skip
    files = {
        "eigen": content,
        "alone": alone,
        "mixed": mixed | report_files.ENVIRONMENT,
    }
    files["csi_pursuit"] = csi
    text = _written(tmp_path / "results", tmp_path, files)
    assert '## <a id="eigenvectors"></a>SGCS over bits' in text
    assert "| 16 KLTs | 2 | ~0.850 / 0.550 |" in text and "`alone.json`" in text
    board = text[text.index('<a id="leaderboard"') : text.index('<a id="pareto"')]
    assert "csinet, M" not in board and "eType II" not in board
    assert (tmp_path / "eigenvectors.png").is_file()
    tables = {path.name for path in (tmp_path / "report_tables").iterdir()}
    assert {
        "eigenvectors_tr38901_r18.csv",
        "eigenvectors_tr38901_r18_rates.tex",
    } <= tables


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rank": "1"}, 'row 1: rank is "1", expected integer'),
        ({"feedback_bits": "64"}, 'row 1: feedback_bits is "64", expected number'),
        ({"feedback_bits": 0}, "row 1: feedback_bits is 0, expected at least 1"),
        ({"sgcs_by_layer": [None]}, "row 1: sgcs_by_layer.0 is null"),
        ({"sgcs_by_layer": [0.5, 0.5]}, "expected a value of each layer of rank 1"),
        ({"model_args": None}, "row 1: model_args is null, expected object"),
        ({"feedback_bits_min_max": [1]}, "row 1: feedback_bits_min_max is"),
    ],
)
def test_damaged_rows_are_refused(content, tmp_path, changes, message):
    content["rows"][0] |= changes
    (tmp_path / "eigen.json").write_text(json.dumps(content))
    for reading in (
        lambda: results_files.load(tmp_path),
        lambda: page_tables.block(tmp_path / "eigen.json"),
    ):
        with pytest.raises(ValueError, match=f"eigen.json: .*{re.escape(message)}"):
            reading()


def test_they_are_no_points_of_nmse(content, tmp_path):
    path = tmp_path / "eigen.json"
    assert points(path, content) == [] and boards({path: content}) == {}
    assert is_eigen(content) and not is_eigen(report_files.NETWORKS)


def test_table_of_a_page(content, tmp_path):
    path = tmp_path / "eigen.json"
    path.write_text(json.dumps(content))
    assert table_of(path, content).columns[0] == "ours, SGCS by layer"
    block = page_tables.block(path)
    assert "| eType II | 1 | 0.600 | 0.800 |" in block and "swapped" in block
    no_payload = {"rows": [network(128, 0, 0.7)]}
    assert table_of(path, no_payload).columns[0] == "codebook, codec or network"
    del content["rows"][0]["num_subbands"]
    with pytest.raises(ValueError, match="eigen.json: has no 'num_subbands'"):
        table_of(path, content)


def test_files_share_the_table_of_a_page(content, tmp_path):
    (tmp_path / "eigen.json").write_text(json.dumps(content))
    rows = {"rows": [network(64, s, 0.65) | {"model": "transnet"} for s in range(3)]}
    (tmp_path / "networks.json").write_text(json.dumps(rows))
    page = "<!-- results: eigen.json, {} -->\n<!-- end of results -->"
    shown = page_tables.updated(page.format("networks.json"), tmp_path)
    assert "| eType II | 1 | 0.600 | 0.800 |" in shown and "transnet" in shown
    with pytest.raises(ValueError, match="expected a file at each comma"):
        page_tables.updated(page.format(""), tmp_path)
    report_files.write(tmp_path)
    with pytest.raises(ValueError, match="zoo_16.json: only files of eigenvectors"):
        page_tables.updated(page.format("zoo_16.json"), tmp_path)
