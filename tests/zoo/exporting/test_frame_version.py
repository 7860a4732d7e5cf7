"""An export whose two ends speak frames of version 2: every way through it."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import zoo
from serving.codec import framing
from serving.codec.ue_encoder import read_codec
from serving.conformance import conformance
from serving.conforming.target import Target
from serving.deploying import warmup
from serving.models.model_config import single
from serving.models.model_manager import ModelManager
from serving.ue_side.decoder_client import Decoder, decode_request
from tests.support.serving_harness import MODEL, TIMEOUT, local_server
from zoo.exporting import exporter

pytestmark = pytest.mark.serving
ROWS = 5


@pytest.fixture(scope="module")
def exported(tiny_run, tmp_path_factory):
    out = tmp_path_factory.mktemp("export") / "crnet"
    exporter.export(tiny_run, out, frame_version=2)
    return out


@pytest.fixture(scope="module")
def server(exported):
    manager = ModelManager()
    manager.apply(single(MODEL, exported / "decoder"))
    with local_server(manager) as running:
        yield running
    manager.close()


@pytest.fixture(scope="module")
def sent(exported):
    """CSI and the frames of it."""
    codec = zoo.load(exported)
    h = np.random.default_rng(0).standard_normal((ROWS, *codec.csi_shape))
    h = h.astype(np.float32) * 0.02
    return h, codec.encode(h)


def test_codec_says_so(exported, tiny_run):
    codec = read_codec(exported)
    assert codec["frame_version"] == 2
    assert codec["frame_bytes"] == codec["payload_bytes"] + 19
    model = tiny_run.load()
    before = exporter.make_codec(tiny_run, tiny_run.config(), model)
    assert "frame_version" not in before
    assert before["model_id"] != codec["model_id"], "the two must not be mixed"
    with pytest.raises(ValueError, match="frame_version is 3"):
        exporter.make_codec(tiny_run, tiny_run.config(), model, 3)


def test_frames_are_numbered_and_decoded(exported, sent):
    h, frames = sent
    numbers = [framing.sequence(frame) for frame in frames]
    assert np.diff(numbers).tolist() == [1] * (ROWS - 1)
    damaged = [frames[0][:-1] + bytes([frames[0][-1] ^ 1]), *frames[1:]]
    h_hat, valid = zoo.load(exported).decode(damaged)
    assert valid.tolist() == [False] + [True] * (ROWS - 1)
    assert np.isnan(h_hat[0]).all() and np.isfinite(h_hat[1:]).all()


def test_a_server_answers_with_the_numbers(server, exported, sent):
    h, frames = sent
    first = framing.unframe(frames[0], version=2)
    codec = read_codec(exported)
    old = framing.frame(first, bytes.fromhex(codec["model_id"]))
    with Decoder(server.endpoint, MODEL, TIMEOUT) as decoder:
        h_hat, valid = decoder.decode([*frames, old])
        assert valid.tolist() == [True] * ROWS + [False], "version 1 is refused"
        in_process, _ = zoo.load(exported).decode(frames)
        np.testing.assert_allclose(h_hat[:-1], in_process, atol=2e-6)
        request = decode_request([*frames, old], name=MODEL)
        outputs = decoder._call(decoder._stub.Predict, request).outputs
    numbers = [framing.sequence(frame) for frame in frames]
    assert tf.make_ndarray(outputs["sequence"]).tolist() == [*numbers, -1]


def test_warm_up_and_conformance(server, exported):
    version = exported / "decoder" / "1"
    codec = read_codec(exported)
    warmup.write_warmup(version, MODEL, codec, (1, 2))
    warmup.replay(version)
    rest = f"127.0.0.1:{server.rest_port}"
    target = Target(server.endpoint, rest, MODEL)
    results = conformance(target, framed=framing.Framer(codec))
    target.close()
    assert [result for result in results if result.verdict == "FAIL"] == []
    (mixed,) = [r for r in results if r.case == "good and damaged frames"]
    assert mixed.verdict == "pass"
