"""Bits for float weights: the fitted grid, its cost, its export, what is refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from serving.codec.ue_encoder import UeEncoder
from tests.conftest import assert_one_line_error, run_command
from zoo import files
from zoo.exporting import fit_quantizer
from zoo.run_directory import RunDirectory
from zoo.training import evaluation, session


@pytest.fixture(scope="module")
def float_run(tiny_config, tmp_path_factory) -> RunDirectory:
    changes = {"quantizer": "none", "bits": 0, "init": "klt", "epochs": 1, "lr": 1e-6}
    folder = tmp_path_factory.mktemp("float")
    return session.train(tiny_config(folder / "run", **changes))


@pytest.fixture(scope="module")
def fits(float_run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("fits")
    return {
        bits: fit_quantizer.fit(float_run, folder / str(bits), "uniform", bits)
        for bits in (2, 6)
    }


def test_more_bits_cost_less(fits, float_run):
    lost = {bits: cost.nmse_db - cost.nmse_float_db for bits, (_, cost) in fits.items()}
    assert lost[2] > 0.5 > lost[6] > -0.05
    best = min(r["val_nmse_db"] for r in float_run.read_metrics())
    assert fits[2][1].nmse_float_db == pytest.approx(best, abs=1e-3)
    assert f"({lost[2]:+.2f} dB, 50 validation CSI)" in str(fits[2][1])
    assert fits[2][1].width < np.inf  # the rare extremes are not worth the resolution


def test_the_fitted_run_gives_what_was_said(fits, float_run):
    run, cost = fits[6]
    row, *_ = evaluation.evaluate(run)
    assert row["feedback_bits"] == 32 * 6
    assert row["nmse_db"] == pytest.approx(row["nmse_float_db"], abs=0.2)
    floats = float_run.load().encoder.weights
    for ours, theirs in zip(run.load().encoder.weights, floats, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    told = files.read_json(run.path / "fitted_quantizer.json")
    assert told["nmse_db"] == cost.nmse_db


def test_from_the_command_line(float_run, tmp_path):
    run, out = f"--run={float_run.path}", f"--out={tmp_path / 'out'}"
    done = run_command("zoo.export", run, out)
    assert_one_line_error(done, "give --quantizer=uniform --bits=B, which fits one")
    done = run_command("zoo.export", run, out, "--quantizer=uniform", "--bits=5")
    assert done.returncode == 0, done.stderr
    assert "fitted quantiser: 5 bits an entry" in done.stdout
    assert UeEncoder(tmp_path / "out" / "encoder.tflite").codec["payload_bytes"] == 20
    assert (tmp_path / "out" / "decoder" / "1" / "saved_model.pb").is_file()


def test_what_is_refused(float_run, tiny_run, tmp_path):
    settings = float_run.config()
    with pytest.raises(ValueError, match="--bits=0: expected 1 to 16"):
        fit_quantizer.quantised(settings, "uniform", 0)
    with pytest.raises(ValueError, match="after the training expected uniform"):
        fit_quantizer.quantised(settings, "lsq", 4)
    with pytest.raises(ValueError, match="was trained with --quantizer=uniform"):
        fit_quantizer.quantised(tiny_run.config(), "uniform", 4)
    with pytest.raises(ValueError, match="exists"):
        fit_quantizer.fit(float_run, tmp_path, "uniform", 4)
    noisy = dataclasses.replace(settings, feedback_snr_db=10.0)
    assert fit_quantizer.quantised(noisy, "uniform", 4).feedback_snr_db == np.inf
