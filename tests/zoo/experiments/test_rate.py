"""Rate curves: real bits, one fit for both rates, nothing measured twice."""

from __future__ import annotations

import re

import numpy as np
import pytest

from tests.conftest import TINY, assert_one_line_error, run_command
from zoo import files
from zoo.codecs import methods
from zoo.config import ExperimentConfig
from zoo.experiments import rate
from zoo.experiments.rate import Plan
from zoo.metrics import klt_line
from zoo.run_directory import RunDirectory
from zoo.training import evaluation, session

BITS = (64, 256)


@pytest.fixture(scope="module")
def settings(data_dir):
    return ExperimentConfig(
        dataset=TINY["dataset"], data_dir=str(data_dir), num_train=200, num_test=40
    )


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("rate") / "rate.json"


@pytest.fixture(scope="module")
def content(settings, path):
    plan = Plan(codecs=("dft",), bits=BITS, rates=("mean", "fixed"))
    return rate.measure(plan, settings, path)


def test_a_plan_names_what_is_wrong():
    for changes, words in (
        ({}, "nothing to measure: give --codecs or --models"),
        ({"codecs": ("zip",)}, "--codecs=zip: expected some of pursuit"),
        ({"codecs": ("dft",), "rates": ("least",)}, "--rate=least: expected some of"),
        ({"codecs": ("dft",), "bits": (4,)}, "--bits=4: expected 8 or more"),
        ({"codecs": ("dft",), "bits": ()}, "--bits=: expected 8 or more"),
    ):
        with pytest.raises(ValueError, match=re.escape(words)):
            Plan(**changes)


def test_points_are_of_real_bits(content):
    rows = {(row["report_bits"], row["rate"]): row for row in content["rows"]}
    assert len(rows) == len(content["rows"]) == 4
    for (bits, kind), row in rows.items():
        low, high = row["feedback_bits_min_max"]
        assert low <= row["feedback_bits"] <= high and low % 8 == high % 8 == 0
        assert high <= bits if kind == "fixed" else high > bits
        assert row["nmse_db"] < row["nmse_worst_db"] < 3
        assert 0 < row["sgcs"] < row["rho"] < 1 and row["beamforming_loss_db"] < 0
        assert row["train_data"].endswith("train[:200] of 400") and row["commit"]
    for kind in rate.RATES:
        assert rows[256, kind]["nmse_db"] < rows[64, kind]["nmse_db"] - 2


def test_a_point_is_that_of_the_codec(content, settings):
    coded = methods.Coded("dft", 64)
    test = rate.Bench(settings).test
    h_hat, found = methods.sent(coded, settings, test)
    row = content["rows"][0]
    assert row["feedback_bits"] == found["feedback_bits"]
    assert row["nmse_db"] == pytest.approx(evaluation.accuracy.nmse_db(test.h, h_hat))
    assert row["rho"] == pytest.approx(test.frequency_metrics(h_hat)["rho"])


def test_what_is_known_is_not_measured_again(content, settings, path, monkeypatch):
    fits = []

    def fitted(coded, *args):
        fits.append(coded.bits)
        return real(coded, *args)

    real = methods.fitted
    monkeypatch.setattr(methods, "fitted", fitted)
    plan = Plan(codecs=("dft",), bits=(64, 128, 256), rates=("mean", "fixed"))
    told = []
    grown = rate.measure(plan, settings, path, told.append)
    assert fits == [128] and [row["rate"] for row in told] == ["mean", "fixed"]
    assert grown["rows"][:4] == content["rows"][:4] and len(grown["rows"]) == 6
    assert files.read_json(path)["rows"] == grown["rows"]
    assert files.read_json(path)["command"]


def test_a_killed_command_goes_on(settings, tmp_path, monkeypatch):
    path, real = tmp_path / "rate.json", methods.through_bytes
    plan = Plan(codecs=("dft",), bits=(64,), rates=("mean", "fixed"))

    def dies(codec, test, coded):
        if coded.fixed:
            raise KeyboardInterrupt
        return real(codec, test, coded)

    monkeypatch.setattr(methods, "through_bytes", dies)
    with pytest.raises(KeyboardInterrupt):
        rate.measure(plan, settings, path)
    monkeypatch.setattr(methods, "through_bytes", real)
    (first,) = files.read_json(path)["rows"]
    assert [first, {"rate": "fixed"}] == [
        row if row["rate"] == "mean" else {"rate": row["rate"]}
        for row in rate.measure(plan, settings, path)["rows"]
    ]


def test_other_data_are_refused(content, settings, path):
    for changes, words in (
        ({"num_test": 30}, "num_test: 40 -> 30"),
        ({"csi_noise": "awgn", "test_snr_db": 10.0}, "csi_noise: none -> awgn"),
    ):
        other = ExperimentConfig(**{**vars(settings), **changes})
        with pytest.raises(ValueError, match=f"other data .*{words}.*another --json"):
            rate.measure(Plan(codecs=("dft",)), other, path)


def test_a_codec_of_other_channels(content, settings, path):
    other = "cost2100_sim/outdoor_tiny"
    own = next(row for row in content["rows"] if row["report_bits"] == 256)
    plan = Plan(codecs=("dft",), bits=(256,), fitted_on=other)
    row = rate.measure(plan, settings, path)["rows"][-1]
    assert row["fitted_on"] == other and other in row["train_data"]
    assert row["dataset_config"] == "indoor_tiny"
    assert row["nmse_db"] > own["nmse_db"] + 0.5  # its statistics are others


@pytest.fixture(scope="module")
def runs(tiny_config, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    changes = {"init": "klt", "epochs": 1, "lr": 1e-6, "normaliser": "none"}
    own = {"float": {"quantizer": "none", "bits": 0}, "qat": {"quantizer": "qat"}}
    return {
        name: session.train(tiny_config(folder / name, **changes, **flags))
        for name, flags in own.items()
    }


def test_networks_at_their_bits_and_at_fitted_ones(runs, settings, tmp_path):
    paths = tuple(run.path for run in runs.values())
    plan = Plan(runs=paths, later_bits=(2, 6))
    rows = rate.measure(plan, settings, tmp_path / "rate.json")["rows"]
    found = [(r["run"], r["quantised"], r["bits"], r["feedback_bits"]) for r in rows]
    assert found == [
        ("float", "after training", 2, 64),
        ("float", "after training", 6, 192),
        ("qat", "in training", 6, 192),
    ]
    assert rows[1]["nmse_db"] < rows[0]["nmse_db"]
    assert rows[2]["train_data"].startswith(TINY["dataset"])
    run = RunDirectory(runs["qat"].path)
    whole = evaluation.evaluate(run)[0]  # on 50 CSI, the curve on 40
    assert rows[2]["nmse_db"] == pytest.approx(whole["nmse_db"], abs=1)
    assert rows[2]["num_test"] == 40 and rows[2]["ue_macs"] == whole["ue_macs"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model": "dualnet_mag", "codeword_dim": 256}, "takes the uplink"),
        ({"scaling": "global"}, "--scaling=stored: .* --scaling=global, give that"),
    ],
)
def test_runs_that_do_not_fit_are_refused(changes, words, settings, tmp_path):
    own = {"model": "crnet", "codeword_dim": 32, **changes}
    run = tmp_path / "run"
    run.mkdir()
    files.write_json(run / "config.json", ExperimentConfig(**own).to_json())
    with pytest.raises(ValueError, match=words):
        rate.measure(Plan(runs=(run,)), settings, tmp_path / "rate.json")


def test_gaussian_line_is_reverse_water_filling():
    rng = np.random.default_rng(0)
    deviation = np.array([4.0, 1.0, 0.5, 0.01])
    x = rng.standard_normal((20_000, 4, 1, 2)) * deviation[:, None, None]
    x /= np.sqrt(np.sum(x**2, axis=(1, 2, 3), keepdims=True))
    bits, nmse_db = klt_line.gaussian_bits(*(x.astype(np.float32),) * 2)
    variance = np.mean(np.sum(x**2, axis=-1)[..., 0], axis=0)
    level = variance[1]  # the first component alone is above it
    expected = 10 * np.log10(level + variance[1:].sum())
    assert np.interp(np.log2(variance[0] / level), bits, nmse_db) == pytest.approx(
        expected, abs=0.05
    )
    assert (np.diff(bits) >= 0).all() and (np.diff(nmse_db) <= 0).all()


def test_command(data_dir, tmp_path):
    path = tmp_path / "rate.json"
    data = f"--dataset={TINY['dataset']}", f"--data_dir={data_dir}"
    small = "--num_train=200", "--num_test=20", f"--json={path}"
    done = run_command("zoo.rate", *data, *small, "--codecs=dft", "--bits=64")
    assert done.returncode == 0, done.stderr
    assert re.search(r"dft 64 mean: -\d+\.\d+ dB at \d+\.\d bits \(\d+ to \d+\), worst",
                     done.stdout)  # fmt: skip
    assert f"rate curves: {path}, {path.with_suffix('.png')}" in done.stdout
    assert path.with_suffix(".png").stat().st_size > 10_000
    done = run_command("zoo.rate", *data, *small, "--models=nobody")
    assert_one_line_error(done, "nobody: no such file, folder or name")
