"""CLLWCsiNet against its definition in NumPy, and its received codeword."""

from __future__ import annotations

import numpy as np
import pytest

from tests.zoo.models.test_conv_latent import (
    channels_first,
    conv_bn,
    flat,
    leaky,
    make_csi,
    random_network,
)
from zoo.keras_compat import Model, layers
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
