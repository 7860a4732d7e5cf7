"""The conformance table: batching, deadlines, the other gRPC services, transport.

Batches that fail because their tensors or answers have different shapes are no rows
here: the signatures of the decoder leave no shape open but the number of rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_management_pb2,
)

from serving.conforming.rows import BAD, EARLY, MISSING, Row
from serving.conforming.target import Answer, Target, summary

FLOOD, UNBATCHED_ROWS = 128, 500
_PREDICTION = "/tensorflow.serving.PredictionService"
_HEALTH = "/grpc.health.v1.Health/Check"
_NO_METHOD = ("UNIMPLEMENTED", "")
QUEUE_FULL = "The batch scheduling queue to which this task was submitted is full"


def service_rows(target: Target, max_batch_size: int) -> Iterator[Row]:
    """Rows beside Predict's own; `max_batch_size` 0: batching is off."""
    yield from _concurrent_rows(target, max_batch_size)
    yield from _status_rows(target)
    yield from _metadata_rows(target)
    yield from _other_service_rows(target)
    yield from _transport_rows(target)


def _concurrent_rows(target: Target, max_batch_size: int) -> Iterator[Row]:
    rows = max_batch_size or UNBATCHED_ROWS
    off = "" if max_batch_size else "batching off: give --max_batch_size"
    off = off or target.lacks("decode_u8")
    large = target.zeros("decode_u8", max_batch_size + 1)
    request = target.request("decode_u8", packed=large)
    yield Row(
        "deadline, then a request without",
        partial(_deadline, target, rows),
        "OK",
        skip=target.lacks("decode_float", "decode_u8"),
    )
    yield Row(
        "16 requests at once, every other bad",
        partial(_mixed, target),
        "OK",
        skip=target.lacks("decode_indices"),
    )
    yield Row(
        "batching: more rows than a batch",
        partial(target.predict, request),
        BAD,
        f"Task size {max_batch_size + 1} is larger than maximum input batch size",
        skip=off,
    )
    yield Row(
        f"batching: queue full ({FLOOD} full batches at once)",
        partial(_flood, target, max_batch_size),
        "UNAVAILABLE",
        QUEUE_FULL,
        off=("OK", "all answered"),
        skip=off,
    )


def _deadline(target: Target, rows: int) -> Answer:
    codeword = target.zeros("decode_float", rows)
    request = target.request("decode_float", codeword=codeword)
    answer = target.predict(request, timeout=2e-4)  # less than any way there and back
    if answer.code != "DEADLINE_EXCEEDED":
        return Answer(f"{answer.code} instead of DEADLINE_EXCEEDED", answer.text)
    packed = target.zeros("decode_u8", 1)
    return target.predict(target.request("decode_u8", packed=packed))


def _at_once(target: Target, requests: list) -> list[Answer]:
    calls = [target.stub.Predict.future(request, timeout=60) for request in requests]
    answers = []
    for call in calls:
        try:
            answers.append(Answer("OK", summary(call.result())))
        except grpc.RpcError as error:
            answers.append(Answer(error.code().name, error.details() or ""))
    return answers


def _mixed(target: Target) -> Answer:
    """Requests that a batching server may merge: each gets its own rows back."""
    good = target.zeros("decode_indices", 1)
    requests = [
        target.request("decode_indices", indices=good - number % 2)
        for number in range(16)
    ]
    for number, answer in enumerate(_at_once(target, requests)):
        expected = f"valid [{1 - number % 2}]"
        if answer.code != "OK" or expected not in answer.text:
            return Answer(f"{answer.code}: request {number}", answer.text)
    return Answer("OK", "each its own row")


def _flood(target: Target, rows: int) -> Answer:
    packed = target.zeros("decode_u8", rows)
    requests = [target.request("decode_u8", packed=packed)] * FLOOD
    answers = [answer for answer in _at_once(target, requests) if answer.code != "OK"]
    return answers[0] if answers else Answer("OK", "all answered, never full")


def _status_rows(target: Target) -> Iterator[Row]:
    ask = partial(target.call, target.models.GetModelStatus)
    none = "Could not find any versions of model x"
    for case, spec, code, text in (
        ("status", {"name": target.model}, "OK", "state: AVAILABLE"),
        ("status of an unknown model", {"name": "x"}, MISSING, none),
        (
            "status of an unknown version",
            {"name": target.model, "version": {"value": 99}},
            MISSING,
            f"Could not find version 99 of model {target.model}",
        ),
        ("status without model_spec", None, BAD, "Missing ModelSpec"),
    ):
        request = get_model_status_pb2.GetModelStatusRequest(model_spec=spec)
        yield Row(case, partial(ask, request), code, text)


def _metadata_rows(target: Target) -> Iterator[Row]:
    ask = partial(target.call, target.stub.GetModelMetadata)
    name, missing = {"name": target.model}, "Servable not found for request: Latest(x)"
    for case, spec, fields, code, text in (
        ("metadata without model_spec", None, [], BAD, "Missing ModelSpec"),
        ("metadata of no field", name, [], BAD, "at least one metadata_field"),
        ("metadata of another field", name, ["z"], BAD, "field z is not supported"),
        (
            "metadata of an unknown model",
            {"name": "x"},
            ["signature_def"],
            MISSING,
            missing,
        ),
    ):
        request = get_model_metadata_pb2.GetModelMetadataRequest(
            model_spec=spec, metadata_field=fields
        )
        yield Row(case, partial(ask, request), code, text)


def _other_service_rows(target: Target) -> Iterator[Row]:
    classify = classification_pb2.ClassificationRequest(
        model_spec={"name": target.model}
    )
    yield Row(
        "classify with a predict signature",
        partial(target.call, target.stub.Classify, classify),
        f"{BAD}|{EARLY}",
        stricter=_NO_METHOD,
    )
    reload = model_management_pb2.ReloadConfigRequest()
    yield Row(
        "reload with an empty configuration",
        partial(target.call, target.models.HandleReloadConfigRequest, reload),
        BAD,
        "ServerModelConfig type not supported",
        stricter=_NO_METHOD,
    )
    for name in ("ModelService", "PredictionService"):
        # HealthCheckRequest(service=name) and a response of SERVING, on the wire.
        message = b"\x0a" + bytes([len(name)]) + name.encode()
        yield Row(
            f"health of {name}",
            partial(target.raw, _HEALTH, message),
            "OK",
            "0801",
            off=_NO_METHOD,
        )


def _transport_rows(target: Target) -> Iterator[Row]:
    garbage = partial(target.raw, f"{_PREDICTION}/Predict", b"\xff\xff")
    yield Row("bytes that are no message", garbage, "INTERNAL")
    unknown = partial(target.raw, f"{_PREDICTION}/Nothing", b"")
    yield Row("unknown method", unknown, "UNIMPLEMENTED")
    skip, encodings = target.lacks("decode_float"), partial(_encodings, target)
    yield Row("encodings of a tensor", encodings, "OK", "equal", skip=skip)


def _encodings(target: Target) -> Answer:
    """One value that fills a shape, a list of values, and raw bytes mean the same."""
    full = np.full((2, target.width("decode_float")), 0.25, np.float32)
    content = tf.make_tensor_proto(full)
    spread, listed = type(content)(), type(content)()
    for proto, values in ((spread, full[0, :1]), (listed, full.ravel())):
        proto.CopyFrom(content)
        proto.ClearField("tensor_content")
        proto.float_val[:] = values
    answers = []

    def ask(request, timeout: float):
        response = target.stub.Predict(request, timeout=timeout)
        if "h" in response.outputs:
            answers.append(tf.make_ndarray(response.outputs["h"]))
        return response

    for number, proto in enumerate((content, spread, listed), 1):
        answer = target.call(ask, target.request("decode_float", codeword=proto))
        if answer.code != "OK" or len(answers) < number:
            return answer
    equal = all(np.array_equal(answers[0], other) for other in answers[1:])
    return Answer("OK", "equal" if equal else "different answers")
