"""What a comparison asks of trainings and classic methods, without making them."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

import zoo
from tests.conftest import TINY
from zoo import files
from zoo.api import comparing
from zoo.data import splits
from zoo.experiments import comparison
from zoo.experiments.comparison_plan import Plan
from zoo.experiments.pool import Pool
from zoo.experiments.runner import Runner

OWN_NETWORK = """
from zoo.models.csinet import SPEC
SPEC = dataclasses.replace(SPEC, name="mine")
"""


def made(tmp_path, monkeypatch, plan, *more, shape=(32, 32, 2)) -> tuple[list, dict]:
    """Jobs that a comparison in `tmp_path` makes, of data that `tmp_path` describes."""
    features = {"csi": SimpleNamespace(shape=shape)}
    builder = SimpleNamespace(
        data_dir=tmp_path / "data", info=SimpleNamespace(features=features)
    )
    monkeypatch.setattr(splits, "open_builder", lambda *_: builder)
    monkeypatch.setattr(comparing.comparison_page, "write_all", lambda *_: [])
    jobs = []

    def work(job):
        if not job.is_done:
            jobs.append(job)
            (job.directory / job.result).parent.mkdir(exist_ok=True)
            row = {"codeword_dim": 32, "bits": 0, "nmse_db": -5.0, "ue_macs": 9}
            files.write_json(job.directory / job.result, row)

    content = comparing.carry_out(
        plan, TINY["dataset"], [*more], tmp_path / "runs",
        lambda: Pool(engine=work, go_on=True),
    )  # fmt: skip
    return jobs, content


def test_other_data_of_the_same_name_are_other_runs(tmp_path, monkeypatch):
    plan = Plan(("crnet",), (32,), epochs=1, baselines=("klt",))
    metadata = tmp_path / "data" / "metadata.json"
    files.write_json(metadata, {"files_sha256": {"h.npy": "1"}})
    assert len(made(tmp_path, monkeypatch, plan)[0]) == 2
    assert len(made(tmp_path, monkeypatch, plan)[0]) == 0
    files.write_json(metadata, {"files_sha256": {"h.npy": "2"}})
    assert len(made(tmp_path, monkeypatch, plan)[0]) == 2


def test_baselines_get_the_noise_of_the_test_split(tmp_path, monkeypatch):
    plan = Plan(("crnet",), (32,), epochs=1, baselines=("klt",))
    noisy = ("--csi_noise=awgn", "--train_snr_db=10")
    for more, expected in (
        ((*noisy, "--test_snr_db=20"), {"--csi_noise=awgn", "--test_snr_db=20.0"}),
        (noisy, {"--csi_noise=none", "--test_snr_db=inf"}),
    ):
        jobs, _ = made(tmp_path, monkeypatch, plan, *more)
        commands = (command for job in jobs for command in job.commands)
        (words,) = (words for name, *words in commands if name == "zoo.baseline")
        assert expected < set(words)


def test_sequences_have_no_baselines_and_a_note(tmp_path, monkeypatch):
    plan = Plan(("csinet_lstm",), (32,), epochs=1)
    shape = (10, 32, 32, 2)
    jobs, content = made(tmp_path, monkeypatch, plan, shape=shape)
    assert len(jobs) == 1 and not content["baselines"] and not content["failures"]
    assert "single snapshots" in content["notes"][0]


def test_codecs_get_the_whole_bytes_of_the_networks(tmp_path, monkeypatch):
    plan = Plan(("crnet",), (30,), (3,), epochs=1, baselines=("pursuit",))
    jobs, _ = made(tmp_path, monkeypatch, plan)  # 90 bits are sent in 12 bytes
    assert [1 for job in jobs for c in job.commands if "--report_bits=96" in c] == [1]


def test_own_code_is_part_of_a_run_also_by_module(tmp_path, monkeypatch):
    own = Runner(tmp_path / "runs", comparison.FLAGFILE, "--dataset=own/mine")
    monkeypatch.syspath_prepend(tmp_path)
    path = tmp_path / "net_by_module.py"
    places = set()
    for comment in ("# one", "# other"):
        path.write_text(f"import dataclasses {comment}\n{OWN_NETWORK}")
        settings = own.settings("a", model="net_by_module:SPEC")
        places.add(settings.resolved_run_dir)
    assert len(places) == 2


def test_python_refuses_what_the_plan_sets(tmp_path):
    for flags, words in (
        ({"seed": 5}, "--flags=--seed: the comparison sets it"),
        ({"epochs": 7}, "--flags=--epochs: the comparison"),
        ({"epoch": 7}, "Did you mean: epochs"),
        ({"batch_size": 0, "model_args": {"head": "3x3"}}, "--batch_size=0: expected"),
    ):
        with pytest.raises(ValueError, match=words):
            zoo.compare(["crnet"], "x/y", epochs=1, flags=flags, directory=tmp_path)
    more = {"model_args": {"head": "3x3"}}
    with pytest.raises(ValueError, match="unknown dataset 'x"):
        zoo.compare(["crnet"], "x/y", epochs=1, flags=more, directory=tmp_path)
