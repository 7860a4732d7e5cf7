"""PyTorch reference networks: counts, parity with Keras, the worker."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from tests.conftest import ROOT, assert_one_line_error
from zoo import registry
from zoo.keras_compat import keras, set_precision

torch = pytest.importorskip(
    "torch", reason="PyTorch is only in the 'bench' extra: pip install -e .[bench]"
)

from benchmarks.torch_networks import NETWORKS  # noqa: E402

# M: (UE params, BS params).
COUNTS = {
    "crnet": {512: (1_049_260, 1_053_578), 128: (262_444, 267_146)},
    "clnet": {512: (1_049_556, 1_052_402), 128: (262_740, 265_970)},
    "csinet": {512: (1_049_130, 1_053_986), 128: (262_314, 267_554)},
    "acrnet": {512: (1_049_362, 1_052_982), 128: (262_546, 266_550)},
}
ATTRIBUTES = {
    "kernel": "weight",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
CODEWORD_DIM = 32


def _params(module) -> int:
    return sum(p.numel() for p in module.parameters())


@pytest.mark.golden
@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("codeword_dim", [512, 128])
def test_published_counts(name, codeword_dim):
    model = NETWORKS[name](codeword_dim)
    counts = _params(model.encoder), _params(model.decoder)
    assert counts == COUNTS[name][codeword_dim]


@pytest.mark.parametrize("name", NETWORKS)
def test_reconstruction_is_csi(name):
    csi = torch.rand(3, 2, 32, 32)
    model = NETWORKS[name](CODEWORD_DIM)
    assert model.encoder(csi).shape == (3, CODEWORD_DIM)
    csi_hat = model(csi)
    assert csi_hat.shape == csi.shape
    assert 0 <= csi_hat.min() and csi_hat.max() <= 1
    csi_hat.sum().backward()
    assert all(p.grad is not None for p in model.parameters())


def _as_torch(layer: str, attribute: str, value) -> np.ndarray:
    """Keras layout to PyTorch's: HWIO to OIHW, features channels-first."""
    value = np.asarray(value)
    if layer == "codeword" and attribute == "kernel":
        value = value.reshape(32, 32, 2, -1).transpose(3, 2, 0, 1)
        return value.reshape(len(value), -1)
    if layer == "expand":
        value = value.reshape(-1, 32, 32, 2).transpose(3, 1, 2, 0)
        value = value.reshape(2048, -1)
        return value[:, 0] if attribute == "bias" else value
    return value.transpose(3, 2, 0, 1) if value.ndim == 4 else value


def _torch_tensors(model) -> dict:
    """Weights and statistics by the name of the Keras layer and its attribute."""
    tensors = {}
    for name, tensor in model.state_dict(keep_vars=True).items():
        layer, attribute = name.replace(".body", "").rsplit(".", 1)
        inner = layer.split(".", 1)[1]
        # The only layers named after the encoder itself are CsiNet's.
        layer = layer if layer in ("encoder.conv", "encoder.bn") else inner
        tensors[layer.replace(".", "_"), attribute] = tensor
    return tensors


def _keras_variables(autoencoder):
    """(layer, attribute, variable) of both halves."""
    for half in (autoencoder.encoder, autoencoder.decoder):
        for layer in half.layers:
            for variable in layer.weights:
                yield layer.name, variable.name, variable


def _randomise(variable, rng) -> None:
    """Draw biases and batch-norm weights and statistics; kernels are random already."""
    scales = variable.name in ("gamma", "moving_variance")
    low, high = (0.5, 1.5) if scales else (-0.1, 0.1)
    if variable.name != "kernel":
        variable.assign(rng.uniform(low, high, variable.shape))


def _twins(name: str):
    """A Keras network with random weights and statistics, and its PyTorch copy."""
    rng = np.random.default_rng(0)
    keras.utils.set_random_seed(0)
    ours = registry.build(name, codeword_dim=CODEWORD_DIM)
    theirs = NETWORKS[name](CODEWORD_DIM)
    tensors = _torch_tensors(theirs)
    copied = set()
    for layer, attribute, variable in _keras_variables(ours):
        _randomise(variable, rng)
        key = layer, ATTRIBUTES.get(attribute, attribute)
        value = torch.from_numpy(_as_torch(layer, attribute, variable).copy())
        assert tensors[key].shape == value.shape, key
        tensors[key].data = value
        copied.add(key)
    assert {k for k in tensors if k[1] != "num_batches_tracked"} == copied
    return ours, theirs


@pytest.fixture
def double_precision():
    """Keras builds float64 layers."""
    set_precision("float64")
    yield
    set_precision("float32")


@pytest.fixture
def csi():
    rng = np.random.default_rng(1)
    return rng.uniform(0.45, 0.55, (8, 32, 32, 2)).astype(np.float32)


def _channels_first(csi: np.ndarray):
    return torch.from_numpy(csi.transpose(0, 3, 1, 2).copy())


@pytest.mark.parity
@pytest.mark.parametrize("name", ["crnet", "csinet"])
def test_inference_is_that_of_keras(name, csi):
    ours, theirs = _twins(name)
    expected = ours.autoencoder(csi, training=False).numpy()
    with torch.no_grad():
        codeword = theirs.eval().encoder(_channels_first(csi)).numpy()
        csi_hat = theirs(_channels_first(csi)).numpy().transpose(0, 2, 3, 1)
    assert expected.std() > 0.01
    np.testing.assert_allclose(
        codeword, ours.encoder(csi, training=False), rtol=0, atol=1e-5
    )
    np.testing.assert_allclose(csi_hat, expected, rtol=0, atol=1e-5)


# In single precision an activation next to the kink of a LeakyReLU may fall on either
# side of it, which moves a gradient by percents; hence double.
@pytest.mark.parity
@pytest.mark.parametrize("name", ["crnet", "csinet"])
def test_gradients_are_those_of_keras(name, csi, double_precision):
    ours, theirs = _twins(name)
    variables = [v for v in _keras_variables(ours) if v[2].trainable]
    with tf.GradientTape() as tape:
        csi_hat = ours.autoencoder(csi, training=True)
        expected_loss = tf.reduce_mean((csi_hat - csi) ** 2)
    expected = tape.gradient(expected_loss, [v.value for _, _, v in variables])
    x = _channels_first(csi).double()
    loss = torch.nn.functional.mse_loss(theirs.train()(x), x)
    loss.backward()
    assert loss.item() == pytest.approx(float(expected_loss), rel=1e-5)
    tensors = _torch_tensors(theirs)
    for (layer, attribute, _), gradient in zip(variables, expected, strict=True):
        want = _as_torch(layer, attribute, gradient)
        got = tensors[layer, ATTRIBUTES.get(attribute, attribute)].grad.numpy()
        # The absolute part is for biases before batch norm, whose gradient is zero.
        error, scale = np.abs(got - want).max(), np.abs(want).max()
        assert error <= 1e-5 * scale + 1e-12, (layer, attribute, error, scale)


def _worker(text: str, *args):
    """Run the speed worker on `text` as its whole input."""
    small = ("--network=crnet", "--codeword_dim=32", "--batch_size=4", "--threads=1")
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.torch_speed", *small, *args],
        cwd=ROOT,
        input=text,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_worker_answers_line_by_line():
    done = _worker("2\n1\nquit\n9\n", "--mode=channels_last")
    assert done.returncode == 0, done.stderr
    ready, *answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert ready == {"ready": True, "params": 136_278}
    assert [len(seconds) for seconds in answers] == [2, 1]
    assert all(0 < s < 60 for seconds in answers for s in seconds)


def test_worker_refuses_other_lines():
    assert_one_line_error(_worker("two\n"), "'two'", "quit")
