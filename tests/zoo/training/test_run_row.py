"""What a results row says of how a training began and ended."""

from __future__ import annotations

from zoo.training.run_row import progress


def of(values: list[float], first: int) -> dict:
    """Of a validation NMSE per epoch, the first at a fitted start (0) or without."""
    rows = [{"epoch": first + i, "val_nmse_db": v} for i, v in enumerate(values)]
    return progress(rows)


def test_gain_of_the_last_fifth_over_the_best_before():
    best_was_third = [-11.0, -7.0, -9.0, -12.0, -10.0, -12.25]
    assert of(best_was_third, 0) == {"start_nmse_db": -11.0, "last_gain_db": 0.25}
    worse_at_last = [-11.0, -7.0, -9.0, -12.0, -10.0, -11.5]
    assert of(worse_at_last, 0)["last_gain_db"] == 0.0
    ten = [-float(i) for i in range(1, 11)]  # two epochs of ten
    assert of(ten, 1) == {"start_nmse_db": None, "last_gain_db": 2.0}
    eleven = [-float(i) for i in range(1, 12)]  # three of eleven
    assert of(eleven, 1)["last_gain_db"] == 3.0


def test_single_epochs_and_none():
    assert of([-4.0, -4.5], 0) == {"start_nmse_db": -4.0, "last_gain_db": 0.5}
    assert of([-4.5], 1) == {"start_nmse_db": None, "last_gain_db": 4.5}
    assert of([-4.0], 0) == {"start_nmse_db": -4.0, "last_gain_db": None}
    assert of([], 0) == {"start_nmse_db": None, "last_gain_db": None}
