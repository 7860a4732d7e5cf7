"""Subband transformer: its pre-norm stacks, counts, tokens and its start at the KLT."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tests.support.network_checks import assert_gradients, assert_reloads, randomise
from zoo import registry
from zoo.keras_compat import Model, keras
from zoo.layers.transformer import TransformerEncoder
from zoo.metrics import flops
from zoo.models.subband_transformer import build_subband_transformer
from zoo.starts import by_name

SHAPE, M, WIDTH = (4, 5, 2), 6, 8


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def _norm(x, w, name):
    mean, variance = x.mean(axis=-1, keepdims=True), x.var(axis=-1, keepdims=True)
    return (x - mean) / np.sqrt(variance + 1e-5) * w[f"{name}.weight"] + w[
        f"{name}.bias"
    ]


@pytest.mark.parity
def test_pre_norm_stack_against_pytorch(rng):
    torch = pytest.importorskip("torch", reason="pip install -e .[bench]")
    x = keras.Input((5, WIDTH))
    layer = TransformerEncoder(2, 2, 11, norm_first=True)
    model = Model(x, layer(x))
    randomise(model, rng, 0.5)
    one = torch.nn.TransformerEncoderLayer(
        WIDTH, 2, 11, 0.0, batch_first=True, norm_first=True
    )
    theirs = torch.nn.TransformerEncoder(one, 2, enable_nested_tensor=False)
    state = {k: torch.tensor(np.asarray(w).T) for k, w in layer.tensors.items()}
    theirs.load_state_dict(state)
    tokens = rng.standard_normal((3, 5, WIDTH)).astype(np.float32)
    expected = theirs(torch.tensor(tokens)).detach().numpy()
    np.testing.assert_allclose(model(tokens), expected, atol=2e-5)


def _blocks(x, tensors):
    """A stack of two blocks with one head, on one example `[T, d]`."""
    for i in range(2):
        w = {k[9:]: np.asarray(v) for k, v in tensors.items() if k[7] == str(i)}
        y = _norm(x, w, "norm1")
        kernel, bias = w["self_attn.in_proj_weight"], w["self_attn.in_proj_bias"]
        q, k, v = np.split(y @ kernel + bias, 3, axis=1)
        e = np.exp(q @ k.T / np.sqrt(WIDTH))
        y = (e / e.sum(axis=1, keepdims=True)) @ v
        x = x + y @ w["self_attn.out_proj.weight"] + w["self_attn.out_proj.bias"]
        y = _norm(x, w, "norm2") @ w["linear1.weight"] + w["linear1.bias"]
        x = x + np.maximum(y, 0) @ w["linear2.weight"] + w["linear2.bias"]
    return x


def test_network_against_numpy(rng):
    """Tokens are columns: ports and parts of one subband and layer."""
    model = build_subband_transformer(SHAPE, M, WIDTH, 1, 2, 3)
    weights = randomise(model.autoencoder, rng, 0.3)
    csi = rng.random((2, *SHAPE)).astype(np.float32)
    encoder, decoder = model.encoder, model.decoder
    gain = 2 * np.sqrt(8)
    for one in csi:
        tokens = np.stack([one[:, t].reshape(-1) for t in range(5)])
        x = gain * (tokens - 0.5) @ weights["embed/kernel"] + weights["embed/bias"]
        x = x + np.asarray(encoder.get_layer("positions").positions)
        x = _blocks(x, encoder.get_layer("transformer").tensors).reshape(-1)
        z = x @ weights["codeword/kernel"] + weights["codeword/bias"]
        np.testing.assert_allclose(encoder(one[None])[0], z, rtol=1e-3, atol=1e-4)
        x = (z @ weights["expand/kernel"] + weights["expand/bias"]).reshape(5, WIDTH)
        x = _blocks(x, decoder.get_layer("transformer").tensors)
        x = x @ weights["project/kernel"] + weights["project/bias"]
        got = np.asarray(decoder(z[None].astype(np.float32)))[0]
        for t in range(5):
            expected = x[t].reshape(4, 2) / gain + 0.5
            np.testing.assert_allclose(got[:, t], expected, rtol=1e-3, atol=1e-4)


def test_counts():
    """By hand, for 32 ports, 13 subbands and 64 values at width 128."""
    counts = flops.summary(build_subband_transformer())
    block = 13 * (4 * 128**2 + 2 * 128 * 512) + 2 * 13**2 * 128
    fc = 13 * 128 * 64
    assert counts["ue_macs"] == 13 * 64 * 128 + 2 * block + fc == counts["bs_macs"]
    weights = 4 * 128**2 + 4 * 128 + 2 * 128 * 512 + 128 + 512 + 4 * 128
    ends = 64 * 128 + 128 + 13 * 128
    assert counts["ue_params"] == ends + 2 * weights + fc + 64
    ends = 128 * 64 + 64
    assert counts["bs_params"] == ends + 2 * weights + fc + 13 * 128


def test_start_is_the_klt(rng):
    """Of Gaussian columns that correlate, 8 of 40 values."""
    mixing = rng.standard_normal((40, 40)) * 0.8 ** np.arange(40)
    csi = 0.5 + 0.05 * rng.standard_normal((4000, 40)) @ mixing.T
    csi = csi.reshape(-1, *SHAPE).astype(np.float32)
    spec = registry.get("subband_transformer")
    model = registry.build(spec.name, SHAPE, 8, {"width": 16, "heads": 2})
    by_name.fit(spec, model, csi[:3000])
    test = csi[3000:]
    got = np.sum(np.square(np.asarray(model.autoencoder(test)) - test))
    x = csi[:3000].reshape(3000, -1)
    values, vectors = np.linalg.eigh(np.cov(x.T))
    basis, centred = vectors[:, -8:], test.reshape(1000, -1) - x.mean(axis=0)
    expected = np.sum(np.square(centred - centred @ basis @ basis.T))
    assert got == pytest.approx(expected, rel=0.02)


def test_unusable_options_are_refused():
    with pytest.raises(ValueError, match="width is 12 and heads is 5"):
        build_subband_transformer(SHAPE, M, 12, 5)
    with pytest.raises(ValueError, match="blocks is 0"):
        build_subband_transformer(SHAPE, M, blocks=0)
    narrow = build_subband_transformer(SHAPE, M, 4, 2)
    with pytest.raises(ValueError, match="--init=klt: width is 4, expected 8 or more"):
        by_name.check(registry.get("subband_transformer"), narrow)


def test_gradients_reach_every_weight(rng, tmp_path):
    model = build_subband_transformer(SHAPE, M, WIDTH, 2)
    randomise(model.autoencoder, rng, scale=0.3)
    csi = tf.constant(rng.random((4, *SHAPE)), tf.float32)
    assert_gradients(
        lambda: tf.reduce_mean((model.autoencoder(csi) - csi) ** 2),
        model.autoencoder.trainable_variables,
    )
    assert_reloads(model.encoder, csi, tmp_path)
