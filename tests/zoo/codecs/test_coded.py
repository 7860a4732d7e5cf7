"""Options of codecs from the command line to the row: noise, targets, perturbations."""

import dataclasses

import numpy as np
import pytest
from absl import flags

from zoo import baseline
from zoo.codecs import coded
from zoo.codecs.coded import Coded
from zoo.data import splits
from zoo.data.perturbations import Perturbation
from zoo.metrics import accuracy

UNEVEN = Perturbation(gain_db=2, phase_deg=20)


@pytest.fixture(scope="module")
def settings(tiny_config):
    return tiny_config("unused", quantizer="none", bits=0)


def row_of(settings, **options) -> dict:
    return baseline.evaluate_baseline(
        Coded("pursuit", oversampling=4, **options), settings
    )


def test_noise_is_not_sent(settings):
    noisy = dataclasses.replace(
        settings, csi_noise="awgn", train_snr_db=10.0, test_snr_db=10.0
    )
    rows = [row_of(noisy, bits=400, noise=kind) for kind in coded.NOISE]
    plain, *aware = rows
    for row, kind in zip(aware, coded.NOISE[1:], strict=True):
        assert row["model_args"]["noise"] == kind and row["csi_noise"] == "awgn"
        assert row["nmse_db"] < plain["nmse_db"] - 1
        assert row["feedback_bits"] < plain["feedback_bits"]
    test = splits.load_split(noisy, "test")
    power = np.mean(np.abs(accuracy.to_complex(test.h)) ** 2, axis=(1, 2))
    np.testing.assert_allclose(coded.noise_variance(test), power / 10, rtol=0.05)


def test_a_report_ends_at_its_target(settings):
    row = row_of(settings, target_db=-12.0)
    assert row["nmse_percentiles_db"]["95"] < -11.9
    assert row["model_args"]["report_nmse"] == -12 and row["feedback_bits"] < 300


def test_antennas_are_calibrated_on_training_csi(settings):
    rows = [
        row_of(settings, bits=128, perturbation=UNEVEN, calibrate=calibrate)
        for calibrate in (False, True)
    ]
    assert rows[1]["nmse_db"] < rows[0]["nmse_db"] - 1
    given = rows[1]["model_args"]
    assert given["perturb"] == {"gain_db": 2, "phase_deg": 20}
    assert given["calibrate"] and given["gains"] and "gains" not in rows[0]
    assert "rho" not in rows[1]  # stored subcarriers are those of the unperturbed array


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--method=dft", "--report_bits=9", "--noise=known"], "no effect"),
        (["--method=dft", "--report_nmse=-9"], "no effect"),
        (["--method=klt", "--perturb={}"], "no effect"),
        (["--method=pursuit", "--report_bits=9", "--report_nmse=-9"], "or --report_nm"),
        (
            ["--method=pursuit", "--report_nmse=-20", "--rate=fixed"],
            "rate=fixed has no effect with report_nmse=-20",
        ),
        (
            ["--method=pursuit", "--report_nmse=-20", "--report_bits=-5"],
            "report_bits=-5: expected 0 or more",
        ),
        (["--method=dft", "--report_bits=9", "--perturb={]"], "expected a JSON object"),
    ],
)
def test_unusable_options_are_refused(arguments, message):
    values = flags.FlagValues()
    baseline.define_flags(values)
    values(["zoo.baseline", *arguments])
    with pytest.raises(ValueError, match=message):
        baseline.method_from_flags(values)


def test_flags_become_options():
    values = flags.FlagValues()
    baseline.define_flags(values)
    arguments = ["--method=pursuit", "--report_nmse=-15", "--noise=estimated"]
    arguments += ["--calibrate", '--perturb={"gain_db": 2, "phase_deg": 20}']
    values(["zoo.baseline", *arguments])
    expected = Coded("pursuit", 0, False, 0, "estimated", -15.0, True, UNEVEN)
    assert baseline.method_from_flags(values) == expected


def test_options_of_another_codec_are_refused():
    with pytest.raises(ValueError, match="--method=dft has no such option"):
        Coded("dft", 100, calibrate=True)
    with pytest.raises(ValueError, match="expected none, known, estimated"):
        Coded("pursuit", 100, noise="loud")
