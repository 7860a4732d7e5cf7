"""Titles, units and places of results, as drawings and reports show them."""

from __future__ import annotations

import pytest

from tests.support import report_files
from zoo.experiments import labels


def result(**changes):
    entries = [
        report_files.entry("crnet", x, [value])
        for x, value in changes.pop("at").items()
    ]
    return report_files.result("x", entries, **changes)


def test_title_has_the_ratio_of_its_budget():
    title = "Slopes, 1/4 (fast: 1/16), indoor"
    for budget, ratio in (("fast", "1/16"), ("full", "1/4")):
        own = result(at={}, title=title, budget=budget)
        assert labels.title_of(own) == f"Slopes, {ratio}, indoor"


@pytest.mark.parametrize(
    ("unit", "series", "x", "expected"),
    [
        ("NMSE [dB]", "crnet flops", "1/4", "NMSE [dB]"),
        ("NMSE [dB], or as the series says", "crnet", "1/4", "NMSE [dB]"),
        ("NMSE [dB], or as the series says", "crnet flops", "1/4", "FLOPs"),
        ("parameters, flops", "crnet", "params", "parameters"),
        ("parameters, flops", "crnet", "flops", "FLOPs"),
        ("NMSE [dB], or as the series says", "qacrnet", "params without fc",
         "parameters without FC layers"),
        ("as the series says", "kernel along delay", "1/4", "count"),
    ],
)  # fmt: skip
def test_unit_of_an_entry(unit, series, x, expected):
    own = report_files.result("x", [], unit=unit)
    assert labels.unit_of(own, {"series": series, "x": x}) == expected


@pytest.mark.parametrize(
    ("axis", "place", "names", "parts"),
    [
        ("scenario, ratio", "indoor 1/4", ["scenario", "ratio"], ["indoor", "1/4"]),
        ("scenario, ratio", "1/4", ["scenario", "ratio"], ["", "1/4"]),
        ("scenario, ratio", "params without fc", ["scenario", "ratio"], ["", ""]),
        ("ratio, side", "1/64 ue", ["ratio", "side"], ["1/64", "ue"]),
        ("ratio, side", "1/64", ["ratio", "side"], ["1/64", ""]),
        ("ratio and bits", "1/16, 4 bit", ["ratio", "bits"], ["1/16", 4]),
        ("ratio", "1/16", ["ratio"], ["1/16"]),
        ("SNR [dB]", -5, ["SNR [dB]"], [-5]),
    ],
)
def test_parts_of_a_place(axis, place, names, parts):
    assert labels.parts_of(result(at={place: 1.0}, x=axis)) == (names, [parts])


def test_what_does_not_change_leaves_the_axis():
    at = {"1/16, 4 bit": -11.0, "1/16, 8 bit": -12.0}
    own = labels.on_one_axis(result(at=at, x="ratio and bits", title="Q"))
    assert (own["title"], own["x"]) == ("Q, 1/16", "bits")
    assert [entry["x"] for entry in own["entries"]] == [4, 8]
    both = result(at={**at, "1/4, 8 bit": -13.0}, x="ratio and bits", title="Q")
    assert labels.on_one_axis(both) == both
