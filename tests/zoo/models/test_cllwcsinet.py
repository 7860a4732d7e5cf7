"""CLLWCsiNet against its definition in NumPy, and its received codeword."""

from __future__ import annotations

import numpy as np
import pytest

from tests.zoo.models.test_conv_latent import (
    SHAPE,
    channels_first,
    conv_bn,
    flat,
    leaky,
    make_csi,
    random_network,
)
from zoo import registry
from zoo.keras_compat import Model, layers
from zoo.layers.batch_noise import BatchNoise
from zoo.models.autoencoder import connect


def _encode(csi, w, k):
    """CLLWCsiNet's encoder as the paper draws it."""
    x, paths = channels_first(csi), []
    for a in (7, 5, 3):
        y = conv_bn(leaky(conv_bn(x, w, f"path{a}_1")), w, f"path{a}_2")
        paths.append(leaky(y) if a == 7 and k == 16 else y)
    x = leaky(conv_bn(np.concatenate(paths, axis=1), w, "merge"))
    x = x.reshape(len(x), -1, 1, x.shape[-1])  # row-major: channel part N_t + angle
    deep = leaky(conv_bn(leaky(conv_bn(x, w, "deep1")), w, "deep2"))
    deep = deep if k == 16 else conv_bn(deep, w, "deep3")
    x = np.concatenate([deep, conv_bn(x, w, "shallow")], axis=1)
    return leaky(conv_bn(leaky(x), w, "compress"))


def _decode(codeword, w, k):
    """CLLWCsiNet's decoder of `[n, k, 1, N_a]` without the public code's bugs."""

    def branch(name):
        x = leaky(conv_bn(codeword, w, f"{name}1"))
        if k == 16:
            return leaky(conv_bn(x, w, f"{name}_last"))
        return conv_bn(leaky(conv_bn(x, w, f"{name}2")), w, f"{name}_last")

    x = leaky(branch("expand") - branch("noise"))
    x = x.reshape(len(x), 2, -1, x.shape[-1])
    for block in ("refine1", "refine2"):
        paths = []
        for a in (7, 5):
            y = leaky(conv_bn(x, w, f"{block}_{a}_1"))
            y = leaky(conv_bn(y, w, f"{block}_{a}_2"))
            paths.append(conv_bn(y, w, f"{block}_{a}_3"))
        y = leaky(np.concatenate(paths, axis=1))
        x = leaky(conv_bn(y, w, f"{block}_merge") + x)
    x = 1 / (1 + np.exp(-conv_bn(x, w, "output")))
    return x.transpose(0, 2, 3, 1)


@pytest.mark.parametrize("k", [16, 8, 4])
def test_cllwcsinet_against_numpy(k):
    (model, w), csi = random_network("cllwcsinet", 6 * k), make_csi()
    codeword = _encode(csi, w, k)
    np.testing.assert_allclose(model.encoder(csi), flat(codeword), rtol=1e-4, atol=1e-4)
    assert np.mean(codeword < 0) > 0.1  # both sides of the LeakyReLU
    out = np.asarray(model.decoder(flat(codeword)))
    assert np.mean((out > 0.02) & (out < 0.98)) > 0.5  # not saturated
    np.testing.assert_allclose(out, _decode(codeword, w, k), atol=1e-4)


def test_cllwcsinet_decodes_the_received_codeword_only():
    """The public code's E takes the codeword before the noise; here E and G do not."""
    model, _ = random_network("cllwcsinet")
    decoder = model.decoder
    ends = [decoder.get_layer(f"{name}_last_bn").output for name in ("expand", "noise")]
    probe = Model(decoder.input, [*ends, decoder.output])
    codeword = np.asarray(model.encoder(make_csi()))
    received = codeword + 0.1
    for clean, noisy in zip(probe(codeword), probe(received), strict=True):
        assert np.abs(clean - noisy).max() > 1e-3
    assert len(decoder.inputs) == 1
    ours = {id(x) for layer in decoder.layers for x in (layer, *layer.weights)}
    theirs = {id(x) for layer in model.encoder.layers for x in (layer, *layer.weights)}
    assert not ours & theirs
    # With nothing received, nothing of the CSI is left in the output.
    silent = connect(model.encoder, decoder, [layers.Rescaling(0.0)]).autoencoder
    out = np.asarray(silent(make_csi()))
    np.testing.assert_array_equal(out, np.broadcast_to(out[:1], out.shape))


def test_bypass_is_that_of_the_public_code():
    """E takes the codeword before the noise, G behind it."""
    args = {"bypass_snr_db": 10.0}
    model = registry.build("cllwcsinet", SHAPE, 24, args)
    decoder = model.decoder
    expand, noise = (decoder.get_layer(f"{name}1_conv") for name in ("expand", "noise"))
    probe = Model(decoder.input, [expand.input, noise.input])
    codeword = np.asarray(model.encoder(make_csi()))
    clean, noisy = map(np.asarray, probe(codeword))
    np.testing.assert_array_equal(clean.reshape(codeword.shape), codeword)
    ratio = np.mean((noisy - clean) ** 2) / np.mean(clean**2)
    assert 10 * np.log10(ratio) == pytest.approx(-10, abs=1.5)
    with pytest.raises(ValueError, match="bypass_low_db is 10.0, expected less"):
        registry.build("cllwcsinet", SHAPE, 24, {**args, "bypass_low_db": 10.0})


def test_noise_of_a_batch():
    """One power for loud and silent examples, SNRs spread where that is asked for."""
    x = np.random.default_rng(0).standard_normal((200, 1, 500)).astype(np.float32)
    x[::2] *= 3
    layer = BatchNoise(20.0)
    noise = np.asarray(layer(x)) - x
    power = np.mean(noise**2, axis=(1, 2))
    expected = np.mean(x**2) / 100
    assert power[::2].mean() == pytest.approx(expected, rel=0.02)
    assert power[1::2].mean() == pytest.approx(expected, rel=0.02)
    np.testing.assert_array_equal(np.asarray(layer(x)) - x, noise)
    assert not np.allclose(np.asarray(layer(x + 1)) - x - 1, noise)
    spread = np.asarray(BatchNoise(20.0, -10.0)(x)) - x
    snr_db = 10 * np.log10(np.mean(x**2) / np.mean(spread**2, axis=(1, 2)))
    assert -10.5 < snr_db.min() < -8 and 18 < snr_db.max() < 20.5
    assert np.mean(snr_db) == pytest.approx(5, abs=2)
