"""What the experiments measure on a trained run: noise, bits, other channels, int8."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest

from zoo.experiments import codewords, drawings, dynamic_int8
from zoo.metrics import accuracy
from zoo.run_directory import RunDirectory
from zoo.training import evaluation, session

PLAIN = {"quantizer": "none", "bits": 0, "epochs": 1, "init": "klt"}


@pytest.fixture(scope="module")
def run(tiny_config, tmp_path_factory) -> RunDirectory:
    """An unquantised tiny ACRNet."""
    directory = tmp_path_factory.mktemp("runs") / "acrnet"
    return session.train(tiny_config(directory, model="acrnet", **PLAIN))


@pytest.fixture(scope="module")
def row(run) -> dict:
    """Its evaluation with 5 dB on the codeword."""
    return evaluation.evaluate(run, feedback_snr_db=5.0)[0]


def test_noise_is_that_of_the_evaluation(run, row):
    noisy = codewords.noisy_db(run, 5.0)
    assert noisy == pytest.approx(row["nmse_db"], abs=1e-4)
    exact = codewords.cross_db(run, "")
    assert codewords.noisy_db(run, math.inf) == pytest.approx(exact, abs=1e-6)
    assert codewords.noisy_db(run, -5.0) > codewords.noisy_db(run, 40.0)


def test_more_bits_lose_less(run):
    values = [codewords.quantised_db(run, bits) for bits in (1, 4, 12)]
    exact = codewords.cross_db(run, "")
    errors = [abs(value - exact) for value in values]
    assert errors[0] > 0.5 and max(errors[1:]) < 0.05  # few CSI: a clipped one counts


def test_klt_with_and_without_noise(run, row):
    assert codewords.klt_noisy_db(run, math.inf) == pytest.approx(
        row["nmse_pca_db"], abs=1e-3
    )
    own = run.config().dataset
    assert codewords.klt_cross_db(run, own) == pytest.approx(
        row["nmse_pca_db"], abs=1e-3
    )
    loud = codewords.klt_noisy_db(run, -5.0)  # noise adds 10^0.5 of what is sent
    assert 3 < loud < 6


def test_other_channels_are_scaled_alike(run, data_dir):
    other = "cost2100_sim/outdoor_tiny"
    assert codewords.zero_db(run, other) == 0
    own, there = (codewords.tested(run, x).test.h for x in ("", other))
    assert own.shape == there.shape and not np.array_equal(own, there)
    for h in (own, there):  # less where the largest entry would leave [0, 1]
        energy = np.square(h).sum(axis=(1, 2, 3))
        assert energy.max() == pytest.approx(0.81, abs=1e-4)
        assert np.median(energy) == pytest.approx(0.81, abs=1e-4)
    assert codewords.cross_db(run, other) != codewords.cross_db(run, "")


def test_dynamic_int8_of_a_layer():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((20, 300)).astype(np.float32)
    x[1] *= 100  # a range of its own
    kernel = rng.standard_normal((300, 8)).astype(np.float32)
    bias = rng.standard_normal(8).astype(np.float32)
    exact = x @ kernel + bias
    error = np.abs(dynamic_int8.one_csi(x, kernel, bias) - exact)
    size = np.abs(exact).max(axis=1, keepdims=True)
    assert 0 < error.max() and (error / size).max() < 0.03
    whole = np.array([[127.0, -128.0, 3.0]], np.float32)  # on the grid
    eye = 127 * np.eye(3, dtype=np.float32)
    assert dynamic_int8.one_csi(whole, eye, np.zeros(3)) == pytest.approx(127 * whole)
    # A row with a hundred times the range takes the grid of all others.
    error = np.abs(dynamic_int8.as_pytorch(x, kernel, bias) - exact)
    assert np.delete(error / size, 1, axis=0).mean() > 0.1


def test_dynamic_int8_of_a_network(run):
    exact = codewords.cross_db(run, "")
    assert 0 < abs(dynamic_int8.nmse_db(run) - exact) < 0.5
    as_pytorch = dynamic_int8.nmse_db(run, dynamic_int8.as_pytorch)
    assert as_pytorch != dynamic_int8.nmse_db(run) and abs(as_pytorch - exact) < 5


def test_dynamic_int8_against_pytorch():
    torch = pytest.importorskip("torch", reason="pip install -e .[bench]")
    rng = np.random.default_rng(1)
    x = (rng.standard_normal((500, 256)) ** 3).astype(np.float32)
    sizes = (256, 32), (32, 256)
    weights = [
        (rng.standard_normal(n).astype(np.float32), rng.random(n[1], np.float32))
        for n in sizes
    ]
    layers = [torch.nn.Linear(*n) for n in sizes]
    y = x
    for layer, (kernel, bias) in zip(layers, weights, strict=True):
        values = {"weight": torch.tensor(kernel.T), "bias": torch.tensor(bias)}
        layer.load_state_dict(values)
        y = dynamic_int8.as_pytorch(y, kernel, bias)
    int8 = torch.ao.quantization.quantize_dynamic(
        torch.nn.Sequential(*layers), {torch.nn.Linear}, dtype=torch.qint8
    )
    with torch.no_grad():
        theirs = int8(torch.tensor(x)).numpy()
        exact = torch.nn.Sequential(*layers)(torch.tensor(x)).numpy()
    ours, torchs = (np.mean((z - exact) ** 2) / np.mean(exact**2) for z in (y, theirs))
    assert torchs > 1e-4 and ours == pytest.approx(torchs, rel=1e-4)
    np.testing.assert_allclose(y, theirs, atol=1e-4 * np.abs(exact).max())


def test_points_and_pictures_are_drawn(tmp_path):
    entries = [{"series": "a", "x": 3, "ours": -1.0}]
    result = {"title": "t", "unit": "NMSE [dB]", "x": "MACs", "budget": "fast"}
    result["entries"] = entries
    drawings.points(SimpleNamespace(), result, tmp_path / "points.png")
    h = np.ones((32, 32, 2), np.float32)
    cells = [[("true", h), ("recovered", h / 2)], [("alone", h)]]
    drawings.pictures(cells, tmp_path / "pictures.png")
    for path in tmp_path.iterdir():
        assert path.read_bytes().startswith(b"\x89PNG")
    assert accuracy.nmse_db(h[None], h[None] / 2) == pytest.approx(-6.02, abs=0.01)
