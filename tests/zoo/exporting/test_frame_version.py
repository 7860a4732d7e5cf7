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
from serving.models import lite_session
from serving.models.lite_session import LiteSession
from serving.models.model_config import single
from serving.models.model_manager import ModelManager
from serving.ue_side.decoder_client import Decoder, decode_request
from serving.ue_side.router import Router
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
    codec = zoo.load(exported)
    numbers = [framing.sequence(x) for x in [*codec.encode(h), *codec.encode(h)]]
    assert np.diff(numbers).tolist() == [1] * (2 * ROWS - 1)
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


def test_model_tflite_answers_with_the_numbers(exported, sent):
    _, frames = sent
    octets = np.frombuffer(b"".join(frames), np.uint8).reshape(ROWS, -1).copy()
    octets[1, -1] ^= 1
    session = LiteSession(exported / "decoder" / "1" / lite_session.FILE)
    outputs = session.signatures["serving_default"].outputs
    assert set(outputs) == {"h", "valid", "sequence"}
    answer = session.run({name: name for name in outputs}, {"feedback_bytes": octets})
    numbers = [framing.sequence(frame) for frame in frames]
    assert answer["sequence"].tolist() == [numbers[0], -1, *numbers[2:]]
    assert answer["valid"].tolist() == [True, False] + [True] * (ROWS - 2)


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


def test_mixed_up_answers_are_an_error(server, sent, monkeypatch):
    """Rows of other frames: seen by their numbers, whatever they hold."""
    _, frames = sent
    call = Decoder._call

    def mixed(self, method, request):
        response = call(self, method, request)
        if "sequence" in getattr(response, "outputs", ()):
            numbers = tf.make_ndarray(response.outputs["sequence"])[change]
            numbers = np.full_like(numbers, -1) if lost else numbers
            response.outputs["sequence"].CopyFrom(tf.make_tensor_proto(numbers))
        return response

    monkeypatch.setattr(Decoder, "_call", mixed)
    with Decoder(server.endpoint, MODEL, TIMEOUT) as decoder:
        change, lost = slice(None), False
        assert decoder.decode(frames)[1].all()
        change = [0, 2, 1, 3, 4]
        with pytest.raises(ValueError, match="row 1 of .* is of frame number"):
            decoder.decode(frames)
        change, lost = slice(None), True
        with pytest.raises(ValueError, match="row 0 of .* is of frame number -1"):
            decoder.decode(frames)
        change = [0]
        with pytest.raises(ValueError, match="sequence int64"):
            decoder.decode(frames)


def test_the_router_refuses_replays(server, exported, sent):
    _, frames = sent
    codec = read_codec(exported)
    route = {"name": MODEL, "uplink": False}
    routes = {"csi_shape": codec["csi_shape"], "models": {codec["model_id"]: route}}
    with Router(server.endpoint, routes, TIMEOUT) as router:
        senders = ["a", "a", "a", "b", "b"]
        again = [frames[0], frames[2], frames[1], frames[1], frames[1]]
        h, valid = router.decode(again, senders=senders)
        assert valid.tolist() == [True, True, False, True, False]
        assert np.isnan(h[~valid]).all() and np.isfinite(h[valid]).all()
        assert router.replayed == 2
        damaged = frames[4][:-1] + bytes([frames[4][-1] ^ 1])
        claims = router.decode([damaged, frames[3]], senders=["a", "a"])[1]
        assert claims.tolist() == [False, True], "a damaged number counts for nothing"
        assert router.decode(again)[1].all(), "nobody asked who sent them"
        router.guard.forget("a")
        assert router.decode(frames[:1], senders=["a"])[1].all(), "set up anew"
        with pytest.raises(ValueError, match="1 senders of 5 frames"):
            router.decode(frames, senders=["a"])
