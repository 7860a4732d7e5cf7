"""Cells, flags and commands of sides trained apart; the trainings are for later."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tests.support.benchmark_modules import imported
from zoo import config_flags

collaboration = imported("collaboration")


@pytest.fixture
def set_flags(monkeypatch, tmp_path):
    """Function that sets flags of the benchmark."""

    def change(**changes):
        for name, value in changes.items():
            monkeypatch.setattr(collaboration, name, SimpleNamespace(value=value))

    change(_NETWORKS=["crnet", "csinet"], _SEEDS=2, _FLAGS=collaboration.FLAGS)
    change(_DIRECTORY=str(tmp_path), _DATA_DIR="")
    return change


def test_every_pair_comes_before_what_is_made_of_its_file(set_flags):
    cells = list(collaboration.cells())
    assert len(set(cells)) == len({cell.run for cell in cells}) == 2 * 3 * 2
    for place, cell in enumerate(cells):
        assert cells.index(cell.first) <= place


def _values(cell) -> dict:
    found = config_flags.parse(cell.flags(), "collaboration")
    return {name: found[name].value for name in ("seed", "exchange", "collaboration")}


def test_flags_are_those_of_a_training(set_flags):
    first, second = (
        collaboration.Cell(1, order, "crnet") for order in ("joint", "nw_first")
    )
    whole = {"seed": 1, "exchange": "", "collaboration": "joint"}
    assert _values(first) == whole
    file = f"{first.run}.npz"
    assert _values(second) == {
        "seed": 101, "exchange": file, "collaboration": "nw_first",
    }  # fmt: skip
    set_flags(_SEEDS=3)  # another number of seeds makes no other run
    assert _values(second)["seed"] == 101
    modules = [command[0] for command in first.job().commands]
    assert modules == ["zoo.train", "zoo.export", "zoo.evaluate"]  # a new run, new file
    assert f"--partner={first.run}" in second.job().commands[-1]


def test_a_run_of_other_flags_is_not_taken(set_flags):
    cell = collaboration.Cell(0, "ue_first", "csinet")
    (cell.run / "evaluation.json").parent.mkdir()
    (cell.run / "evaluation.json").touch()
    assert cell.job().is_done
    set_flags(_FLAGS=f"{collaboration.FLAGS} --epochs=20")
    assert cell.job().is_done  # as before, in other words
    set_flags(_FLAGS=f"{collaboration.FLAGS} --epochs=3")
    assert not cell.job().is_done
    set_flags(_FLAGS=collaboration.FLAGS, _NETWORKS=["csinet", "crnet"])
    assert not cell.job().is_done  # of the file of another pair


def test_a_side_of_an_earlier_pair_is_refused(set_flags, monkeypatch):
    def refuse(run, first):
        raise ValueError(f"{run.name} is not of {first.name}")

    cell = collaboration.Cell(0, "nw_first", "crnet")
    monkeypatch.setattr(collaboration.pairing, "Pair", refuse)
    for path in (cell.run, cell.first.run):
        path.mkdir()
        (path / "evaluation.json").write_text("{}", encoding="utf-8")
    message = f"{cell.run.name} is not of {cell.first.run.name}; or remove "
    with pytest.raises(ValueError, match=message):
        cell.row()
