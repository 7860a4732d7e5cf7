"""Which rows of a decoder's graph are valid, against NumPy."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from serving.codec import bitstream, framing
from zoo.codeword.codec_graph import DecoderGraph
from zoo.layers.quantizers import UniformQuantizer

SHAPE, M, BITS, MODEL_ID = (3, 4, 2), 6, 5, bytes.fromhex("0badcafe")
WEIGHTS = np.random.default_rng(0).normal(size=(M, 24)).astype(np.float32)
CODEC = {
    "csi_shape": list(SHAPE),
    "codeword_dim": M,
    "uplink": False,
    "sections": [[M, BITS]],
    "payload_bytes": bitstream.payload_size(M, BITS),
    "model_id": MODEL_ID.hex(),
}


def recover(codeword, scale=1.0):
    return tf.reshape(scale * codeword @ WEIGHTS, [-1, *SHAPE])


def signatures(scale: float = 1.0) -> dict:
    model = SimpleNamespace(
        quantizer=UniformQuantizer(BITS), recover=lambda z: recover(z, scale)
    )
    graph = DecoderGraph(model, CODEC)
    return graph.signatures(graph.decode)


def test_a_codeword_whose_csi_overflows_is_not_valid():
    codeword = np.random.default_rng(1).normal(size=(6, M)).astype(np.float32)
    codeword[1], codeword[3, 2], codeword[4, 0] = 3e38, np.nan, -np.inf
    found = signatures()["decode_float"](codeword)
    with np.errstate(over="ignore", invalid="ignore"):
        exact = (codeword @ WEIGHTS).reshape(-1, *SHAPE)
    finite = np.isfinite(exact).all(axis=(1, 2, 3))
    assert finite.tolist() == [True, False, True, False, False, True]
    np.testing.assert_array_equal(found["valid"], finite)
    np.testing.assert_allclose(found["h"][finite], exact[finite], rtol=1e-5, atol=1e-6)
    assert np.isnan(found["h"][~finite]).all()


@pytest.mark.parametrize("scale", [1.0, 3e38])
def test_every_signature_says_so(scale):
    """A decoder that overflows for every codeword refuses every row."""
    indices = np.random.default_rng(2).integers(0, 1 << BITS, (4, M)).astype(np.int32)
    payload = bitstream.pack(indices, BITS)
    frames = [framing.frame(row.tobytes(), MODEL_ID) for row in payload]
    inputs = {
        "serving_default": tf.constant(frames),
        "decode_u8": payload,
        "decode_indices": indices,
        "decode_float": np.full((4, M), 2, np.float32),
    }
    for name, function in signatures(scale).items():
        found = function(inputs[name])
        assert found["valid"].numpy().tolist() == [scale == 1] * 4, name
        assert (np.isfinite(found["h"]) == (scale == 1)).all(), name
