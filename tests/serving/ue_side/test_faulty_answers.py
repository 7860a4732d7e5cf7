"""A server that answers something else: an error, or not valid, never a matrix."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import any_pb2
from tensorflow.core.framework import types_pb2
from tensorflow_serving.apis import get_model_metadata_pb2

from serving.codec.ue_encoder import UeEncoder
from serving.ue_side import answers, daemon
from serving.ue_side.csi_source import FileSource
from serving.ue_side.daemon import OUTCOMES, Link, Schedule, UeDaemon
from serving.ue_side.decoder_client import Decoder
from serving.ue_side.router import Router
from tests.support.decoder_process import NumpyDecoders, serve
from tests.support.serving_harness import MODEL, TIMEOUT
from tests.support.tiny_export import (
    CSI_SHAPE,
    MODEL_ID,
    decode,
    frames,
    random_indices,
    samples,
    save_encoder,
)

pytestmark = pytest.mark.serving
ROUTES = {
    "csi_shape": CSI_SHAPE,
    "models": {MODEL_ID.hex(): {"name": MODEL, "uplink": False}},
}


def put(response, name: str, value, dtype=None) -> None:
    response.outputs[name].CopyFrom(tf.make_tensor_proto(value, dtype))


def shaped(response, name: str, *sizes: int) -> None:
    dims = response.outputs[name].tensor_shape.dim
    del dims[:]
    for size in sizes:
        dims.add(size=size)


def cut(response, num: int) -> None:
    content = response.outputs["h"].tensor_content
    response.outputs["h"].tensor_content = content[:num]


def one_value(response, *sizes: int) -> None:
    """20 bytes that declare a large tensor."""
    response.outputs["h"].Clear()
    response.outputs["h"].dtype = 1
    response.outputs["h"].float_val.append(1.0)
    shaped(response, "h", *sizes)


def h_of(*shape, dtype=np.float32):
    return np.zeros(shape, dtype)


N = 8  # frames that are sent
FAULTS = {
    "no outputs": lambda r: r.outputs.clear(),
    "no h": lambda r: r.outputs.pop("h"),
    "no valid": lambda r: r.outputs.pop("valid"),
    "one row": lambda r: put(r, "h", h_of(1, 32, 32, 2)),
    "one row, and valid of one": lambda r: (
        put(r, "h", h_of(1, 32, 32, 2)),
        put(r, "valid", [True]),
    ),
    "one valid": lambda r: put(r, "valid", [True]),
    "a row more": lambda r: put(r, "h", h_of(N + 1, 32, 32, 2)),
    "no rows": lambda r: put(r, "h", h_of(0, 32, 32, 2)),
    "a number": lambda r: put(r, "h", np.float32(1)),
    "a valid number": lambda r: put(r, "valid", True),
    "other axes": lambda r: put(r, "h", h_of(N, 2, 32, 32)),
    "flat": lambda r: put(r, "h", h_of(N, 2048)),
    "another CSI": lambda r: put(r, "h", h_of(N, 16, 32, 2)),
    "double": lambda r: put(r, "h", h_of(N, 32, 32, 2, dtype=np.float64)),
    "integers": lambda r: put(r, "h", h_of(N, 32, 32, 2, dtype=np.int32)),
    "complex": lambda r: put(r, "h", h_of(N, 32, 32, 2, dtype=np.complex64)),
    "text": lambda r: put(r, "h", [b"x"] * N),
    "valid as float": lambda r: put(r, "valid", np.ones(N, np.float32)),
    "valid as text": lambda r: put(r, "valid", [b"1"] * N),
    "valid of two axes": lambda r: put(r, "valid", np.ones((N, 1), bool)),
    "cut": lambda r: cut(r, -1),
    "cut to nothing": lambda r: cut(r, 0),
    "one value for all": lambda r: one_value(r, N, 32, 32, 2),
    "no type": lambda r: setattr(r.outputs["h"], "dtype", 0),
    "unknown type": lambda r: setattr(r.outputs["h"], "dtype", 999),
    "negative size": lambda r: shaped(r, "h", -1, 32, 32, 2),
    "sizes that overflow": lambda r: shaped(r, "h", *[2**62] * 4),
    "200,000 axes": lambda r: shaped(r, "h", *[2**62] * 200_000),
    "unknown rank": lambda r: setattr(
        r.outputs["h"].tensor_shape, "unknown_rank", True
    ),
    "one value for 12 GB": lambda r: one_value(r, N, 20_000, 20_000, 2),
}


def nan_row(response, value: float = np.nan) -> None:
    h = tf.make_ndarray(response.outputs["h"]).copy()
    h[0, 3, 4, 1] = value
    put(response, "h", h)


NOT_VALID = {
    "NaN marked valid": nan_row,
    "Inf marked valid": lambda r: nan_row(r, np.inf),
}


class Faulty(NumpyDecoders):
    """Decodes, and then does something to the answer."""

    fault = staticmethod(lambda response: None)

    def Predict(self, request, context):
        response = super().Predict(request, context)
        self.fault(response)
        return response


@pytest.fixture(scope="module")
def served():
    decoders = Faulty({MODEL: MODEL_ID})
    server, port = serve(decoders)
    decoders.endpoint = f"127.0.0.1:{port}"
    yield decoders
    server.stop(None)


INDICES = random_indices(N)


@pytest.mark.parametrize("name", FAULTS)
def test_another_answer_is_an_error(served, name):
    served.fault = FAULTS[name]
    with Decoder(served.endpoint, MODEL, TIMEOUT, csi_shape=CSI_SHAPE) as decoder:
        with pytest.raises(
            ValueError, match=f"^{served.endpoint}: the server's answer"
        ):
            decoder.decode(frames(INDICES))
    with Router(served.endpoint, ROUTES, TIMEOUT) as router:
        with pytest.raises(ValueError, match="the server's answer has"):
            router.decode(frames(INDICES))


@pytest.mark.parametrize("name", NOT_VALID)
def test_what_is_not_finite_is_not_valid(served, name):
    served.fault = NOT_VALID[name]
    with Router(served.endpoint, ROUTES, TIMEOUT) as router:
        h, valid = router.decode(frames(INDICES))
    assert valid.tolist() == [False] + [True] * (N - 1)
    assert np.isnan(h[0]).all()
    np.testing.assert_allclose(h[1:], decode(INDICES[1:]), atol=1e-6)


def metadata_of(dtype: int, *sizes: int):
    found = get_model_metadata_pb2.SignatureDefMap()
    source = found.signature_def["serving_default"].inputs["feedback_bytes"]
    source.dtype = dtype
    for size in sizes:
        source.tensor_shape.dim.add(size=size)
    packed = any_pb2.Any()
    packed.Pack(found)
    return packed


DAMAGED = metadata_of(4, -1, 9)
DAMAGED.value = b"\xff" * 9
METADATA = {
    "damaged": DAMAGED,
    "another message": any_pb2.Any(type_url="x/y"),
    "strings": metadata_of(types_pb2.DT_STRING, -1),
    "bytes without axes": metadata_of(types_pb2.DT_UINT8),
    "bytes of one axis": metadata_of(types_pb2.DT_UINT8, -1),
}


@pytest.mark.parametrize("name", METADATA)
def test_metadata_of_no_rows_of_bytes_leave_frames_as_they_are(
    served, name, monkeypatch
):
    def metadata(request, context):
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        response.metadata["signature_def"].CopyFrom(METADATA[name])
        return response

    monkeypatch.setattr(served, "GetModelMetadata", metadata)
    monkeypatch.setattr(served, "fault", lambda response: None)
    server, port = serve(served)
    with Decoder(f"127.0.0.1:{port}", MODEL, TIMEOUT) as decoder:
        assert decoder.decode(frames(INDICES))[1].all()
    server.stop(None)


def test_without_a_shape_rows_and_axes_are_checked(served):
    """What two rows of an answer say of themselves."""
    outputs = {"h": tf.make_tensor_proto(h_of(2, 4, 5, 2))}
    outputs["valid"] = tf.make_tensor_proto([True, False])
    h, valid = answers.read(outputs, 2)
    assert h.shape == (2, 4, 5, 2) and valid.tolist() == [True, False]
    assert np.isnan(h[1]).all() and not h[0].any()
    with pytest.raises(ValueError, match=r"expected float \[3, -1, -1, -1\]"):
        answers.read(outputs, 3)
    served.fault = FAULTS["one value for 12 GB"]
    with Decoder(served.endpoint, MODEL, TIMEOUT) as decoder:
        with pytest.raises(ValueError, match="20000"):
            decoder.decode(frames(INDICES))


def test_the_daemon_survives_them_all_and_keeps_its_account(
    served, tmp_path, monkeypatch
):
    monkeypatch.setattr(daemon, "FIRST_WAIT", 0.0)
    monkeypatch.setattr(daemon, "LONGEST_WAIT", 0.0)
    save_encoder(tmp_path)
    np.savez(tmp_path / "h.npz", h=samples(N))
    faults = {**FAULTS, **NOT_VALID, "none": lambda r: None}
    del faults["a row more"], faults["one valid"], faults["one row"]  # of one frame
    del faults["one row, and valid of one"]
    played = iter(faults.values())
    served.fault = lambda response: next(played)(response)
    encoder = UeEncoder(tmp_path / "encoder.tflite")
    link = Link(lambda: Decoder(served.endpoint, MODEL, TIMEOUT, csi_shape=CSI_SHAPE))
    source = FileSource(tmp_path / "h.npz", repeat=True)
    ue = UeDaemon(encoder, source, link, Schedule(1e-3))
    monkeypatch.setattr(ue._schedule, "next", lambda stop: 0)
    ue.run(threading.Event(), len(faults), lambda: None)
    link.close()
    summary = ue.summary()
    counts = {name: summary[name] for name in OUTCOMES if summary[name]}
    assert counts == {"valid": 1, "invalid": 2, "refused": len(faults) - 3}
    assert summary["periods"] == sum(counts.values()) == len(faults) >= 18
    assert summary["nmse_db"] < -10
