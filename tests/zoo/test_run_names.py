"""Where a run lives by default: another place for every other run."""

from __future__ import annotations

import hashlib
import json

import pytest

from zoo.config import MAY_CHANGE, ExperimentConfig


def name(**flags) -> str:
    return ExperimentConfig(**flags).resolved_run_dir.name


def test_a_run_of_defaults_has_a_plain_name():
    assert name() == "crnet_cost2100_sim_indoor_m512_s0"
    given = {"codeword_dim": 128, "quantizer": "none", "seed": 3, "dataset": "own/x"}
    assert name(**given) == "crnet_own_x_m128_s3"


def test_flags_that_distinguish_runs_are_in_the_name():
    names = {
        name(), name(lr=0.004), name(lr=0.0005), name(epochs=7), name(init="klt"),
        name(quantizer="uniform", bits=4), name(quantizer="mu_law", bits=4),
    }  # fmt: skip
    assert len(names) == 7
    assert name(lr=0.004) == name(lr=4e-3) and name(lr=0.002) == name()
    assert all(part.startswith("crnet_cost2100_sim_indoor_m512") for part in names)


@pytest.mark.parametrize("flag", MAY_CHANGE[1:])
def test_flags_that_may_change_between_start_and_resume_are_not(flag):
    other = {"image_every": 3, "stream_workers": 2}.get(flag, "test_tracks")
    assert name(**{flag: other}) == name()


def test_a_later_flag_at_its_default_changes_no_name():
    """The hash is of what differs alone."""
    expected = hashlib.sha256(b'{"lr": 0.004}').hexdigest()[:8]
    assert name(lr=0.004) == f"crnet_cost2100_sim_indoor_m512_s0-{expected}"


def test_a_run_of_before_names_had_a_hash_goes_on(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = ExperimentConfig(lr=0.004)
    plain = tmp_path / "runs" / name()
    plain.mkdir(parents=True)
    (plain / "config.json").write_text(json.dumps(settings.to_json()), "utf-8")
    assert name(lr=0.004) == plain.name
    assert name(lr=0.0005) != plain.name
    older = {**settings.to_json(), "warmup_epochs": 30, "adam_epsilon": 1e-7}
    del older["bn_statistics"], older["optimizer"], older["ema"]
    (plain / "config.json").write_text(json.dumps(older), "utf-8")
    assert name(lr=0.004) == plain.name, "with the defaults of then"
    assert name(lr=0.004, adam_epsilon=1e-6) != plain.name


def test_so_does_one_of_before_defaults_changed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    began = ExperimentConfig(lr=0.004, adam_epsilon=1e-7, warmup_epochs=30).to_json()
    del began["bn_statistics"], began["optimizer"], began["ema"]
    plain = tmp_path / "runs" / name()
    plain.mkdir(parents=True)
    (plain / "config.json").write_text(json.dumps(began), "utf-8")
    assert name(lr=0.004) == plain.name
    assert name(lr=0.004, bn_statistics="estimated") != plain.name
    assert name(lr=0.004, ema=0.9) != plain.name
