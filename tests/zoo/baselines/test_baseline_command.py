"""Baselines around their solvers: measurements, results rows, flags, errors."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest
from absl import flags

from tests.conftest import ROOT, TINY, assert_one_line_error, run_command
from tfds_builders import build
from zoo import baseline
from zoo.baselines import methods, sensing, sparse
from zoo.baselines.catalogue import BASELINES, CODEBOOKS, CODED
from zoo.baselines.iteration import Stop
from zoo.baselines.methods import Method
from zoo.baselines.total_variation import TotalVariation
from zoo.codecs import methods as codecs
from zoo.codecs.codebooks import catalogue
from zoo.data import splits
from zoo.metrics import accuracy, klt_line


def test_measurement_matrices():
    a = sensing.measurement_matrix(64, 512, "gaussian", seed=3)
    assert a.dtype == np.float32 and a.shape == (64, 512)
    # 32,768 entries: one deviation of these estimates is 0.55 and 0.8 percent.
    assert abs(a.mean()) * 8 < 0.02
    assert np.mean(a**2) * 64 == pytest.approx(1, rel=0.03)
    assert np.mean(a**4) / np.mean(a**2) ** 2 == pytest.approx(3, rel=0.06)
    rows = sensing.measurement_matrix(64, 512, "orthonormal", seed=3)
    np.testing.assert_allclose(rows @ rows.T, np.eye(64), atol=1e-6)
    np.testing.assert_allclose(a @ rows.T @ rows, a, atol=1e-5)
    np.testing.assert_array_equal(a, sensing.measurement_matrix(64, 512, seed=3))
    other = sensing.measurement_matrix(64, 512, seed=4)
    assert abs(np.mean(a * other)) * 64 < 0.02
    assert sparse.step_size(a) == pytest.approx(np.linalg.norm(a, 2) ** -2, rel=1e-5)


@pytest.fixture(scope="module")
def settings(tiny_config):
    return tiny_config("unused", quantizer="none", bits=0, num_test=4)


def test_command_end_to_end(data_dir, tmp_path):
    target = tmp_path / "new" / "fista.json"
    done = run_command(
        "zoo.baseline", "--method=fista", "--codeword_dim=64", "--num_test=20",
        f"--dataset={TINY['dataset']}", f"--data_dir={data_dir}", f"--json={target}",
        "--max_iterations=20", "--tolerance=0.01",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert "20 of 20 examples (100 %)" in done.stderr and "ETA" in done.stderr
    row = json.loads(target.read_text())
    assert json.loads(done.stdout.splitlines()[-2])["nmse_db"] == row["nmse_db"]
    tuned = row["tuning_nmse_db"]
    assert float(min(tuned, key=tuned.get)) == row["model_args"]["lambda"]
    assert list(map(float, tuned)) == list(methods.LAMBDAS)
    assert -8 < row["nmse_db"] < 1 and 0 < row["rho"] < 1
    expected = {
        "model": "fista", "dataset": "cost2100_sim", "dataset_config": "indoor_tiny",
        "codeword_dim": 64, "ratio": 1 / 32, "bits": None, "feedback_bits": None,
        "num_test": 20, "num_tuning": 100, "origin": "ours", "csi_noise": "none",
        "test_snr_db": None, "nmse_definition": "global", "ue_macs": 64 * 2048,
    }  # fmt: skip
    assert {key: row[key] for key in expected} == expected
    assert 0 < row["iterations_mean"] <= 20 and row["seconds_per_csi"] > 0
    assert "--method=fista" in row["command"] and row["versions"]["numpy"]


def test_klt_row_is_the_klt_line(settings):
    row = baseline.evaluate_baseline(None, settings)
    train, test = (splits.load_split(settings, name) for name in ("train", "test"))
    expected = klt_line.nmse_db(train.h, test.h, settings.codeword_dim)
    assert row["nmse_db"] == pytest.approx(expected, abs=1e-6)
    assert row["num_train"] == TINY["num_train"] == len(train.csi)
    assert (row["model"], row["model_args"]) == ("klt", {})


def test_row_is_what_the_solver_recovers_from_noisy_csi(settings):
    noisy = dataclasses.replace(settings, csi_noise="awgn", test_snr_db=0.0)
    method = Method("lasso", 0.05, "orthonormal", Stop(1e-3, 30))
    rows = [baseline.evaluate_baseline(method, s) for s in (settings, noisy)]
    for row, config in zip(rows, (settings, noisy), strict=True):
        test = splits.load_split(config, "test")
        a = sensing.measurement_matrix(config.codeword_dim, 2048, "orthonormal")
        seen = (test.csi - np.float32(0.5)).reshape(4, -1)
        x = sparse.lasso(a, seen @ a.T, 0.05, method.stop).x
        expected = accuracy.nmse_db(test.h, x.reshape(test.h.shape))
        assert row["nmse_db"] == pytest.approx(expected, abs=1e-4)
        assert "tuning_nmse_db" not in row
    assert rows[1]["test_snr_db"] == 0.0 and rows[1]["csi_noise"] == "awgn"
    assert rows[1]["nmse_db"] > rows[0]["nmse_db"]


def test_tval3_row(settings):
    method = Method("tval3", math.inf, stop=Stop(0, 4), tv="isotropic", beta=16.0)
    row = baseline.evaluate_baseline(method, settings)
    assert row["model_args"] == {
        "mu": "inf", "beta": 16.0, "tv": "isotropic", "measurement": "gaussian",
        "tolerance": 0, "max_iterations": 4,
    }  # fmt: skip
    assert row["num_unfinished"] == 4 and math.isfinite(row["nmse_db"])


def _parse(*args) -> flags.FlagValues:
    values = flags.FlagValues()
    baseline.define_flags(values)
    values(["baseline", *args])
    return values


def test_flags_become_method_and_settings():
    values = _parse(
        "--method=tval3", "--mu=30", "--tv=isotropic", "--beta=2", "--tolerance=0.1",
        "--codeword_dim=8", "--csi_noise=ls", "--test_snr_db=5", "--seed=2",
    )  # fmt: skip
    stop = Stop(0.1, 1000)
    expected = Method("tval3", 30.0, "gaussian", stop, "isotropic", 2.0)
    assert baseline.method_from_flags(values) == expected
    settings = baseline.settings_from_flags(values)
    assert (settings.codeword_dim, settings.seed, settings.csi_noise) == (8, 2, "ls")
    assert settings.train_snr_db == settings.test_snr_db == 5
    assert baseline.method_from_flags(_parse("--method=klt")) is None
    assert baseline.method_from_flags(_parse("--method=lasso")) == Method("lasso")


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((), "--method is missing: give one of dft, fista, klt, klt_coded"),
        (("--method=klt", "--tolerance=1"), "--tolerance has no effect on"),
        (("--method=fista", "--mu=1"), r"--mu has no effect .* \(it is for tval3\)"),
        (("--method=fista", "--lambda=x"), "--lambda=x: expected a number or auto"),
        (("--method=lasso", "--tolerance=nan"), "--tolerance=nan: expected 0 or more"),
        (("--method=lasso", "--max_iterations=0"), "--max_iterations=0: expected 1"),
    ],
)
def test_unusable_flags_are_refused(args, message):
    with pytest.raises(ValueError, match=message):
        baseline.method_from_flags(_parse(*args))


@pytest.mark.parametrize(
    ("name", "weight", "dim", "message"),
    [
        ("lasso", None, 4096, "--codeword_dim=4096: expected 1 to 2048"),
        ("lasso", 1.0, 32, r"--lambda=1\.0: expected more than 0 and less than 1"),
        ("fista", math.nan, 32, "--lambda=nan"),
        ("tval3", math.inf, 1, "--codeword_dim=1: tval3 needs 2 or more"),
        ("tval3", -1.0, 32, r"--mu=-1\.0: expected more than 0, or inf"),
    ],
)
def test_unusable_values_are_refused(settings, name, weight, dim, message):
    with pytest.raises(ValueError, match=message):
        baseline.evaluate_baseline(
            Method(name, weight), dataclasses.replace(settings, codeword_dim=dim)
        )


def test_unusable_measurements_are_refused():
    a, y, stop = np.eye(5, 8), np.ones((4, 5)), Stop()
    with pytest.raises(ValueError, match=r"shape \(4, 4\), expected \[n, 5\]"):
        sparse.lasso(a, y[:, 1:], 0.1, stop)
    with pytest.raises(ValueError, match="NaN or infinity in the measurements"):
        sparse.lasso(a, y * np.nan, 0.1, stop)
    with pytest.raises(ValueError, match="NaN or infinity in the measurements"):
        TotalVariation(a, (2, 2, 2), stop)(y * np.inf)
    for options, message in (
        ({"kind": "round"}, "--tv=round: expected one of anisotropic, isotropic, joi"),
        ({"beta": 0.0}, r"--beta=0\.0: expected more than 0"),
    ):
        with pytest.raises(ValueError, match=message):
            TotalVariation(a, (2, 2, 2), stop, **options)
    with pytest.raises(ValueError, match="--measurement=odd: expected one of gaussian"):
        sensing.measurement_matrix(4, 8, "odd")


def test_unknown_method_is_one_line():
    done = run_command("zoo.baseline", "--method=bm3d_amp")
    assert_one_line_error(done, "method", "fista|klt|klt_coded", code=2)


def test_every_method_is_listed_with_paper_and_licence():
    assert set(BASELINES) == {"klt", *baseline.SENSED, *CODED}
    assert set(CODED) == set(codecs.METHODS)
    assert set(CODEBOOKS) == set(catalogue.CODEBOOKS)
    for paper, line in BASELINES.values():
        assert "https://doi.org/" in paper and "Apache-2.0" in line
    for paper, line in CODEBOOKS.values():
        assert "https://www.3gpp.org/" in paper and "Apache-2.0" in line
    assert "Apache License" in (ROOT / "LICENSE").read_text()


@pytest.mark.parametrize("method", CODED)
def test_codecs_send_real_bytes(settings, method):
    config = dataclasses.replace(settings, num_test=50)
    row = baseline.evaluate_baseline(baseline.Coded(method, 100), config)
    low, high = row["feedback_bits_min_max"]
    assert low <= row["feedback_bits"] <= high
    assert 70 < row["feedback_bits"] < 200 and row["nmse_db"] < 0
    assert row["codeword_dim"] is None and "train[:" in row["train_data"]
    fixed = baseline.evaluate_baseline(baseline.Coded(method, 100, True), config)
    assert fixed["feedback_bits_min_max"][1] <= 100
    assert fixed["model_args"]["rate"] == "fixed"


def test_the_grid_is_chosen_on_training_data(settings):
    config = dataclasses.replace(settings, num_test=20)
    row = baseline.evaluate_baseline(baseline.Coded("pursuit", 64), config)
    assert row["model_args"]["oversampling"] in codecs.OVERSAMPLING


def test_arrays_of_data_sets(settings):
    def array(name):
        return codecs.array_of(build.find_builder(name))

    assert array("cost2100_sim/indoor_tiny") is None
    both = {"array": "upa:4x4x2", "beams": "all"}
    assert array("tr38901/lora_uma_nlos_tiny") == both


def test_pursuit_command(data_dir, tmp_path):
    target = tmp_path / "pursuit.json"
    done = run_command(
        "zoo.baseline", "--method=pursuit", "--report_bits=256", "--oversampling=4",
        f"--dataset={TINY['dataset']}", f"--data_dir={data_dir}", f"--json={target}",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    row = json.loads(target.read_text())
    assert row["nmse_db"] < -17 and 200 < row["feedback_bits"] < 300
    assert row["model_args"] == {
        "report_bits": 256, "rate": "mean", "oversampling": 4,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--method=pursuit"], "takes --report_bits"),
        (["--method=dft", "--report_bits=9", "--oversampling=4"], "no effect"),
        (["--method=dft", "--report_bits=9", "--codeword_dim=4"], "no effect"),
        (["--method=klt", "--report_bits=9"], "no effect"),
    ],
)
def test_flags_of_other_methods_are_refused(arguments, message):
    values = flags.FlagValues()
    baseline.define_flags(values)
    values(["zoo.baseline", *arguments])
    with pytest.raises(ValueError, match=message):
        baseline.method_from_flags(values)
