"""Learned parts of the pursuit: what is measured, and how it is shown."""

import numpy as np
import pytest

from zoo import files
from zoo.codecs import learned_context, learned_offsets, pursuit
from zoo.codecs.pursuit import PursuitCodec
from zoo.config import ExperimentConfig
from zoo.experiments import learned_pursuit, residual_decoder, search_costs
from zoo.reporting import learned_tables
from zoo.reporting.blocks import markdown


@pytest.fixture
def settings(data_dir, monkeypatch):
    """A few channels."""
    for module, name, value in (
        (learned_pursuit, "MOST", 8),
        (learned_pursuit, "PLAIN", 30),
        (learned_pursuit, "TRAIN", 30),
        (learned_pursuit, "EXAMPLES", 30),
        (learned_context, "EXAMPLES", 30),
        (learned_offsets, "ATOMS", 4),
        (learned_offsets, "EPOCHS", 1),
        (residual_decoder, "EPOCHS", 1),
        (search_costs, "NUM_ATOMS", 8),
        (search_costs, "REPEATS", 1),
    ):
        monkeypatch.setattr(module, name, value)
    return ExperimentConfig(
        dataset="cost2100_sim/indoor_tiny", data_dir=str(data_dir), num_test=20
    )


@pytest.fixture
def measured(settings):
    """Rows of a part."""
    return lambda part: list(part(settings, 4, (96,), 0))


def test_the_context_is_measured_at_the_same_atoms(measured):
    (row,) = measured(learned_pursuit.context_rows)
    assert row["same_atoms"]["atoms"] >= 1 and row["plain"]["nmse_db"] < 0
    table = markdown(learned_tables.context({"rows": [row]}))
    assert f"({row['learned']['feedback_bits']:.0f})" in table
    assert "| indoor_tiny | 96 | 1 |" in table


def test_searches_are_measured_side_by_side(measured):
    (row,) = measured(learned_pursuit.search_rows)
    macs = row["macs"]
    assert macs["plain"] > macs["quick"] > macs["proposals"] > 0
    table = markdown(learned_tables.search({"rows": [row]}))
    assert f"{macs['plain'] / 1e6:.2f} | {macs['quick'] / 1e6:.2f}" in table


def test_the_network_behind_the_decoder_starts_at_nothing(measured):
    (row,) = measured(learned_pursuit.residual_rows)
    assert row["with_network_db"] == pytest.approx(row["nmse_db"], abs=1)
    table = markdown(learned_tables.residual({"rows": [row]}))
    assert f"{row['nmse_db']:.2f}" in table
    network = residual_decoder.build((8, 8, 2))
    assert not network.predict(
        [np.ones((2, 8, 8, 2)), np.ones((2, 1))], verbose=0
    ).any()


def test_multiplications_of_the_plain_search():
    """By hand, first atom of a tiny grid: map, refinement, component, residual."""
    found = list(
        search_costs._plain(0, antennas=4, taps=3, rows=8, columns=10, steps=2)
    )
    assert found == [8 * 3 * 14, 2 * 3 * 3 * 7, 0, 3 * 5, 3 * 4]


def test_a_killed_measurement_goes_on(settings, tmp_path, monkeypatch):
    """A seed of which a rate is missing is measured again, a whole one is not."""
    path, told = tmp_path / "rows.json", []
    for bits in ((64,), (64, 96)):
        learned_pursuit.measure("context", settings, 4, bits, 1, path, told.append)
    learned_pursuit.measure("context", settings, 4, (64, 96), 2, path, told.append)
    places = [(row["seed"], row["bits"]) for row in told]
    assert places == [(0, 64), (0, 96), (1, 64), (1, 96)]
    assert files.read_json(path)["rows"] == told and told[0]["commit"]
    monkeypatch.delitem(learned_pursuit.PARTS, "context")  # nothing is left to do
    learned_pursuit.measure("context", settings, 4, (64, 96), 2, path, told.append)


def test_both_codecs_are_fitted_to_the_same_csi(measured, monkeypatch):
    fitted = []
    fit, learned = pursuit.fit, learned_context.learned
    monkeypatch.setattr(
        pursuit, "fit", lambda grid, h, *x: fitted.append(h) or fit(grid, h, *x)
    )
    monkeypatch.setattr(
        learned_context,
        "learned",
        lambda codec, h, *x: fitted.append(h) or learned(codec, h, *x),
    )
    monkeypatch.setattr(learned_pursuit, "PLAIN", 10)
    measured(learned_pursuit.context_rows)
    assert len(fitted) == 2 and np.array_equal(*fitted)


def test_reports_that_lose_atoms_are_not_measured(measured, monkeypatch):
    whole = PursuitCodec.reports
    monkeypatch.setattr(PursuitCodec, "reports", lambda *x: [r[:2] for r in whole(*x)])
    with pytest.raises(ValueError, match="report .* decodes to .* atoms, .* were sent"):
        measured(learned_pursuit.context_rows)
