"""CSI of another scale or mean than that of an encoder."""

import json

import numpy as np
import pytest

from serving.codec import csi_scale
from serving.codec.ue_encoder import UeEncoder
from tests.support import tiny_export

RULE = {"scale": "a rule for each sample", "constant": None}
ONE = {"scale": None, "constant": 3.0}
H = np.random.default_rng(0).normal(size=(6, 32, 32, 2)).astype("f4")
H *= 0.9 / np.linalg.norm(H.reshape(6, -1), axis=1)[:, None, None, None]


@pytest.mark.parametrize("rule", [RULE, ONE])
def test_what_the_encoder_was_made_for_passes(rule):
    codec = {"norms": csi_scale.norms(H), "normalisation": rule}
    assert codec["norms"] == pytest.approx([0.9, 0.9], rel=1e-5)
    noisy = H + np.roll(H, 1, axis=0)  # 0 dB of estimation noise
    for h in (H, noisy, 1.2 * H, 0.5 * H):
        csi_scale.check(h, codec, "here")
    csi_scale.check(H, {}, "an export of before")


@pytest.mark.parametrize("factor", [1e-12, 0.3, 3.1, 1e12])
def test_another_scale_is_named(factor):
    codec = {"norms": [0.9, 0.9], "normalisation": RULE}
    h = H.copy()
    h[2:4] *= np.float32(factor)
    with pytest.raises(ValueError, match="h.npz: 2 of 6 CSI .* in row 2, its norm is"):
        csi_scale.check(h, codec, "h.npz")


def test_one_factor_for_all_leaves_the_path_loss():
    codec = {"norms": [0.01, 0.9], "normalisation": ONE}
    csi_scale.check(1e-4 * H, codec, "here")
    csi_scale.check(100 * H, codec, "here")
    for factor in (1e-12, 1e5):
        assert "its norm is" in csi_scale.fault(np.float32(factor) * H[0], codec)


@pytest.mark.parametrize("codec", [{}, {"norms": [0.9, 0.9], "normalisation": RULE}])
def test_csi_that_is_not_centred_is_named(codec):
    with pytest.raises(ValueError, match="mean is 0.5, .* subtract 0.5"):
        csi_scale.check(H + 0.5, codec, "here")


def test_nan_is_left_to_the_encoder():
    """It names NaN, which has no scale."""
    h = H.copy()
    h[1, 0, 0, 0], h[3] = np.nan, np.inf
    csi_scale.check(h, {"norms": [0.9, 0.9], "normalisation": RULE}, "here")


def test_the_encoder_refuses_what_its_codec_contradicts(tmp_path):
    tiny_export.save_encoder(tmp_path)
    h = tiny_export.samples(4)
    path = tmp_path / "codec.json"
    codec = json.loads(path.read_text())
    codec |= {"norms": csi_scale.norms(h), "normalisation": RULE}
    path.write_text(json.dumps(codec))
    largest = h[np.argmax(np.linalg.norm(h.reshape(4, -1), axis=1))]
    encoder = UeEncoder(tmp_path / "encoder.tflite")
    for encode in (encoder.encode, encoder.encode_bits):
        assert len(encode(largest))
        for x, words in ((3 * largest, "norm is"), (largest + 1, "subtract 0.5")):
            with pytest.raises(ValueError, match=f"does not take: .*{words}"):
                encode(x)
    any_csi = UeEncoder(tmp_path / "encoder.tflite", any_csi=True)
    assert any_csi.encode_bits(3 * largest) and len(any_csi.encode(largest + 1))
