"""`model.tflite` behind the server: as TensorFlow Serving has it, checks in front."""

from __future__ import annotations

import os
from collections import Counter

import grpc
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from serving.codec.framing import Framer
from serving.conformance import conformance
from serving.conforming.target import Target
from serving.models.batching import BatchScheduler
from serving.models.batching_parameters import Parameters
from serving.models.lite_session import LiteSession
from serving.models.monitoring import Metrics
from serving.models.request_checks import ServingError
from serving.models.servable import Runtime, Servable
from serving.ue_side.decoder_client import Decoder
from tests.support.serving_harness import MODEL, TIMEOUT, predict, running_server
from tests.support.tiny_export import (
    FRAME_BYTES,
    MODEL_ID,
    decode,
    frames,
    random_indices,
    save_decoder,
    save_lite_decoder,
)
from tfds_builders.untrusted import sizes

pytestmark = pytest.mark.serving


@pytest.fixture(scope="module")
def version(tmp_path_factory):
    """A version directory with both kinds of file."""
    directory = tmp_path_factory.mktemp("lite") / "decoder" / "1"
    save_decoder(directory)
    save_lite_decoder(directory)
    return directory


@pytest.fixture(scope="module")
def servable(version):
    loaded = Servable(version, Runtime(prefer_tflite=True))
    yield loaded
    loaded.close()


def octets(sent: list[bytes]) -> np.ndarray:
    return np.frombuffer(b"".join(sent), np.uint8).reshape(len(sent), -1)


def test_the_file_is_what_tensorflow_serving_reads(version):
    """Names of tensors are the aliases; no operation but TFLite's own."""
    interpreter = Interpreter(str(version / "model.tflite"))
    details = interpreter.get_input_details(), interpreter.get_output_details()
    names = [{x["name"] for x in some} for some in details]
    assert names == [{"feedback_bytes"}, {"h", "valid"}]
    assert list(interpreter.get_signature_list()) == ["serving_default"]
    operations = {x["op_name"] for x in interpreter._get_ops_details()}
    assert not {x for x in operations if x.startswith("Flex") or x == "CUSTOM"}


@pytest.mark.parametrize("rows", [3, 1, 5])
def test_rows_are_decoded_and_damaged_ones_flagged(servable, rows):
    """In any number, one after another."""
    indices = random_indices(rows)
    sent = octets(frames(indices)).copy()
    sent[-1, -1] ^= 1
    answer = servable.predict(predict(feedback_bytes=sent))
    assert answer["valid"].tolist() == [True] * (rows - 1) + [False]
    np.testing.assert_allclose(answer["h"][:-1], decode(indices)[:-1], atol=1e-5)
    assert np.isnan(answer["h"][-1]).all()


def test_signature_refuses_strings_and_other_lengths(servable):
    signature = servable.signatures["serving_default"]
    assert list(servable.signatures) == ["serving_default"]
    shape = signature.inputs["feedback_bytes"].tensor_shape
    assert [dim.size for dim in shape.dim] == [-1, FRAME_BYTES]
    for value, text in (
        ([bytes(FRAME_BYTES)], "uint8 but string is provided"),
        (np.zeros((1, FRAME_BYTES - 1), np.uint8), "has shape"),
    ):
        with pytest.raises(ServingError, match=text) as caught:
            servable.predict(predict(feedback_bytes=value))
        assert caught.value.code == grpc.StatusCode.INVALID_ARGUMENT


def test_without_the_file_or_the_flag_it_is_the_saved_model(version, tmp_path):
    save_decoder(tmp_path / "2")
    for directory, prefer in ((version, False), (tmp_path / "2", True)):
        servable = Servable(directory, Runtime(prefer_tflite=prefer))
        assert "decode_u8" in servable.signatures
        servable.close()


def test_a_damaged_file_does_not_load(version, tmp_path):
    save_decoder(tmp_path / "2")
    content = (version / "model.tflite").read_bytes()
    (tmp_path / "2" / "model.tflite").write_bytes(content[: len(content) // 3])
    with pytest.raises(ValueError, match="cannot serve"):
        Servable(tmp_path / "2", Runtime(prefer_tflite=True))


def test_no_free_interpreter_in_time(version):
    session = LiteSession(version / "model.tflite")
    feeds = {"feedback_bytes": np.zeros((1, FRAME_BYTES), np.uint8)}
    taken = []
    while not session._free.empty():
        taken.append(session._free.get())
    options = tf.compat.v1.RunOptions(timeout_in_ms=20)
    with pytest.raises(tf.errors.DeadlineExceededError, match="for an interpreter"):
        session.run({"valid": "valid"}, feeds, options)
    session._free.put(taken.pop())
    assert session.run({"valid": "valid"}, feeds, options)["valid"].tolist() == [False]


def test_an_interpreter_that_failed_is_made_again(version):
    session = LiteSession(version / "model.tflite")
    assert session._free.qsize() == os.cpu_count()
    for wrong in (np.zeros((3, FRAME_BYTES), np.float32), np.zeros((3, 1), np.uint8)):
        for _ in range(2):
            with pytest.raises(tf.errors.InternalError, match="Failed to invoke"):
                session.run({"valid": "valid"}, {"feedback_bytes": wrong})
    feeds = {"feedback_bytes": octets(frames(random_indices(3)))}
    assert session.run({"valid": "valid"}, feeds)["valid"].tolist() == [True] * 3
    assert session._free.qsize() == os.cpu_count()


def test_a_file_that_announces_too_much_does_not_load(version, tmp_path, monkeypatch):
    monkeypatch.setattr(sizes, "LARGEST", 1000)
    monkeypatch.setattr(sizes, "RATIO", 0)
    with pytest.raises(ValueError, match="model.tflite: .* bytes"):
        LiteSession(version / "model.tflite")


def test_batches_of_requests(version):
    """Each gets its own rows back out of a padded batch."""
    parameters = Parameters(max_batch_size=8, allowed_batch_sizes=(8,))
    scheduler = BatchScheduler(parameters, Metrics())
    servable = Servable(version, Runtime(scheduler=scheduler, prefer_tflite=True))
    indices = random_indices(3)
    answer = servable.predict(predict(feedback_bytes=octets(frames(indices))), 10)
    np.testing.assert_allclose(answer["h"], decode(indices), atol=1e-5)
    servable.close()
    scheduler.close()


@pytest.fixture(scope="module")
def server(version):
    with running_server(version.parent, "--prefer_tflite_model") as running:
        yield running


def test_conformance(server):
    """All that can be asked of one signature; the rest says why it is not run."""
    target = Target(server.endpoint, f"127.0.0.1:{server.rest_port}", MODEL)
    results = conformance(target, framed=Framer({"model_id": MODEL_ID.hex()}))
    target.close()
    assert [r for r in results if r.verdict == "FAIL"] == []
    counts = Counter(r.verdict for r in results)
    assert counts["pass"] >= 40
    found = {r.case: r for r in results}
    assert found["good and damaged frames of one length"].verdict == "pass"
    assert found["good and damaged frames"].got == "frames are rows of bytes here"
    assert found["NaN codeword"].got == "no signature decode_float"


def test_the_client_sends_rows_of_bytes(server):
    """Frames of another length are not valid, as with strings."""
    indices = random_indices(4)
    sent = frames(indices)
    with Decoder(server.endpoint, MODEL, TIMEOUT) as decoder:
        h, valid = decoder.decode([sent[0], sent[1][:-1], b"", sent[3]])
        assert valid.tolist() == [True, False, False, True]
        np.testing.assert_allclose(h[valid], decode(indices)[valid], atol=1e-5)
        assert np.isnan(h[~valid]).all()
        h, valid = decoder.decode([b"x"])
        assert h.shape == (1, 32, 32, 2) and not valid.any()
