"""Loading, choosing and running SavedModel versions, without a server."""

from __future__ import annotations

import shutil

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.client import pywrap_tf_session
from tensorflow_serving.apis import prediction_log_pb2

from serving.models import warmup_records
from serving.models.request_checks import ServingError
from serving.models.servable import Runtime, Servable
from tests.support.serving_harness import predict, write_warmup
from tests.support.tiny_export import (
    PAYLOAD_BYTES,
    frames,
    random_indices,
    save_decoder,
)

pytestmark = pytest.mark.serving


class _Awkward(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")])
    def endless(self, x):
        steps = tf.while_loop(lambda i: i >= 0, lambda i: [(i + 1) % 9], [0])
        return {"y": x + tf.cast(steps[0], tf.float32)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")])
    def fails(self, x):
        return {"y": tf.reshape(x, [3, -1])}


@pytest.fixture(scope="module")
def awkward(tmp_path_factory):
    directory = tmp_path_factory.mktemp("awkward") / "1"
    module = _Awkward()
    signatures = {"endless": module.endless, "fails": module.fails}
    tf.saved_model.save(module, str(directory), signatures=signatures)
    servable = Servable(directory, Runtime(allowed_ops=None))
    yield servable
    servable.close()


def test_deadline_stops_the_run(awkward):
    with pytest.raises(ServingError) as caught:
        awkward.predict(predict("endless", x=[1.0]), timeout=0.2)
    assert caught.value.code == grpc.StatusCode.DEADLINE_EXCEEDED
    assert "Timed out waiting for notification" in caught.value.message


def test_runtime_errors_keep_the_message_of_the_runtime(awkward):
    with pytest.raises(ServingError) as caught:
        awkward.predict(predict("fails", x=[1.0]))
    assert caught.value.code == grpc.StatusCode.INVALID_ARGUMENT
    assert caught.value.message.startswith("Input to reshape is a tensor with 1 values")
    assert "Detected at node" not in caught.value.message


def test_a_failing_warmup_record_fails_the_load(tmp_path):
    directory = tmp_path / "1"
    save_decoder(directory)
    write_warmup(directory, predict("decode_u8", packed=np.zeros((1, 3), np.uint8)))
    with pytest.raises(ValueError, match="warm-up record 0 fails: INVALID_ARGUMENT"):
        Servable(directory)
    shutil.rmtree(directory / "assets.extra")
    Servable(directory).close()


@pytest.fixture(scope="module")
def raw_run(tmp_path_factory):
    """Session::Run as TensorFlow Serving calls it: no check of any signature."""
    directory = tmp_path_factory.mktemp("raw") / "1"
    save_decoder(directory)
    graph = tf.Graph()
    with graph.as_default(), tf.compat.v1.Session() as session:
        meta_graph = tf.compat.v1.saved_model.load(session, ["serve"], str(directory))

        def run(signature, array):
            definition = meta_graph.signature_def[signature]
            (feed,) = definition.inputs.values()
            ends = [feed.name, definition.outputs["valid"].name]
            source, sink = (graph.get_tensor_by_name(e)._as_tf_output() for e in ends)
            return pywrap_tf_session.TF_SessionRun_wrapper(
                session._session, None, {source: array}, [sink], [], None
            )[0]

        yield run


@pytest.mark.parametrize(
    ("signature", "array"),
    [
        ("decode_u8", np.zeros((1, 2 * PAYLOAD_BYTES), np.uint8)),
        ("decode_u8", np.zeros((2, PAYLOAD_BYTES // 2), np.uint8)),
        ("decode_u8", np.zeros(PAYLOAD_BYTES, np.uint8)),
        ("serving_default", np.array([[b"", b""]], object)),
        ("serving_default", np.array(b"", object)),
    ],
)
def test_the_graph_itself_refuses_wrong_shapes(raw_run, signature, array):
    with pytest.raises(tf.errors.InvalidArgumentError, match="is not compatible with"):
        raw_run(signature, array)


def test_the_graph_itself_flags_frames(raw_run):
    good = frames(random_indices(2))
    array = np.array([*good, good[0][:-1], good[1] + b"\0"], object)
    assert raw_run("serving_default", array).tolist() == [True, True, False, False]


def test_answers_on_record_may_be_numbers_or_text():
    log = prediction_log_pb2.PredictLog()
    values = {"h": np.float32([1, np.nan]), "name": np.array([b"a", b"b"], object)}
    for name, value in values.items():
        log.response.outputs[name].CopyFrom(tf.make_tensor_proto(value))
    assert warmup_records.difference(log, values) == ""
    for name, other in (
        ("h", np.float32([1.1, np.nan])),
        ("name", values["name"][::-1]),
    ):
        found = warmup_records.difference(log, {**values, name: other})
        assert found.startswith(f"{name} differs in")
    assert warmup_records.difference(log, {"h": values["h"]}) == "name is missing"
