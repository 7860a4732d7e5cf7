"""The conformance table of `serving.conformance`, Predict over gRPC, as data.

Expected statuses and messages are those of TensorFlow Serving's sources. `stricter` is
what the reference server answers where it refuses more than TensorFlow Serving does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2
from tensorflow_serving.apis import predict_pb2

from serving.codec import framing
from serving.conforming.target import Answer, Target, tensor

F32, STRING = tf.float32, tf.string
BAD, MISSING, EARLY = "INVALID_ARGUMENT", "NOT_FOUND", "FAILED_PRECONDITION"
MANY_ROWS = 513


@dataclass(frozen=True)
class Row:
    """One case of the table.

    Attributes:
        case: what is sent, in words.
        call: sends it.
        code: expected status, several separated by `|`.
        text: part of the message (of the summary, where the status is OK).
        rows: of the request, where there are many: batching refuses more than a batch
            holds before the model sees them, which passes.
        stricter: status and part of the message accepted as a stricter answer.
        off: status and part of the message that say an optional feature is off.
        skip: why the row is not run.
    """

    case: str
    call: Callable[[], Answer]
    code: str
    text: str = ""
    rows: int = 0
    stricter: tuple[str, str] | None = None
    off: tuple[str, str] | None = None
    skip: str = ""


def predict_rows(target: Target, framed: framing.Framer | None) -> Iterator[Row]:
    """Rows of Predict for one endpoint; `framed` makes valid frames."""
    yield from _spec_rows(target)
    yield from _input_rows(target)
    yield from _declaration_rows(target)
    yield from _size_rows(target)
    yield from _output_rows(target)
    yield from _good_and_bad_rows(target, framed)


def _frames(target: Target, rows: int = 1) -> list[bytes] | np.ndarray:
    return target.frames([bytes(target.frame_bytes)] * rows)


def _changed(target: Target, **spec) -> predict_pb2.PredictRequest:
    request = target.request(feedback_bytes=_frames(target))
    for key, value in spec.items():
        if key == "version":
            request.model_spec.version.value = value
        else:
            setattr(request.model_spec, key, value)
    return request


def _spec_rows(target: Target) -> Iterator[Row]:
    no_spec = _changed(target)
    no_spec.ClearField("model_spec")
    missing = "Servable not found for request: "
    for case, request, code, text in (
        ("no model_spec", no_spec, BAD, "Missing ModelSpec"),
        ("empty name", _changed(target, name=""), BAD, "ModelSpec has no name"),
        ("unknown model", _changed(target, name="x"), MISSING, f"{missing}Latest(x)"),
        (
            "unknown version",
            _changed(target, version=99),
            MISSING,
            f"{missing}Specific({target.model}, 99)",
        ),
        (
            "unknown label",
            _changed(target, version_label="zzz"),
            BAD,
            "Unrecognized servable version label: zzz",
        ),
        (
            "unknown signature",
            _changed(target, signature_name="zz"),
            EARLY,
            'Serving signature key "zz" not found.',
        ),
        (
            "message longer than 1024 characters",
            _changed(target, signature_name="z" * 2000),
            EARLY,
            "z...TRUNCATED",
        ),
        (
            "initialiser as signature",
            target.request("__saved_model_init_op"),
            f"INTERNAL|{BAD}|{EARLY}",
            "",
        ),
    ):
        yield Row(case, partial(target.predict, request), code, text)


def _input_rows(target: Target) -> Iterator[Row]:
    wanted, one = target.aliases("feedback_bytes"), 1 + target.has_uplink
    extra = target.request(feedback_bytes=_frames(target), x=[1])
    sizes = "input size does not match signature: "
    for case, request, text in (
        ("no input", target.request(), f"{sizes}0!={one} len({{}}) != len({wanted})"),
        (
            "extra input",
            extra,
            f"{sizes}{one + 1}!={one} len({target.aliases('feedback_bytes', 'x')}) != "
            f"len({wanted}). Sent extra: {{x}}. Missing but required: {{}}.",
        ),
        (
            "right count, wrong name",
            target.request(x=[b""]),
            "Signature input alias: feedback_bytes",
        ),
    ):
        yield Row(case, partial(target.predict, request), BAD, text)


def _declaration_rows(target: Target) -> Iterator[Row]:
    m = target.width("decode_float")
    content = {"tensor_content": bytes(4 * m)}
    unknown_rank = tensor_pb2.TensorProto(dtype=1, tensor_shape={"unknown_rank": True})
    for case, codeword in (
        ("truncated tensor_content", tensor(F32, [1, m], tensor_content=b"abc")),
        ("negative dimension", tensor(F32, [-1, m], **content)),
        ("overflowing shape", tensor(F32, [2**62, m], float_val=[1])),
        ("unknown rank", unknown_rank),
        ("unknown dtype", tensor_pb2.TensorProto(dtype=77)),
    ):
        request = target.request("decode_float", codeword=codeword)
        yield Row(
            case,
            partial(target.predict, request),
            BAD,
            "tensor parsing error: codeword",
            skip=target.lacks("decode_float"),
        )
    zeros = target.zeros("decode_u8", 1)
    strict = (BAD, "input packed ")
    for case, packed, code, text, stricter in (
        ("wrong dtype", np.float32(zeros), BAD, "uint8 but float is provided", None),
        ("wrong width", np.hstack([zeros, zeros]), BAD, "hape", strict),
        ("wrong rank", zeros[0], BAD, "hape", strict),
        ("no rows", zeros[:0], f"OK|{BAD}", "", strict),
    ):
        request = target.request("decode_u8", packed=packed)
        call = partial(target.predict, request)
        skip = target.lacks("decode_u8")
        yield Row(case, call, code, text, len(packed), stricter, skip=skip)


def _size_rows(target: Target) -> Iterator[Row]:
    """Requests that stand for much more memory than they take on the wire."""
    m = target.width("decode_float")
    many, string = [MANY_ROWS, m], [bytes(64 << 10)]
    floats, strings = target.lacks("decode_float"), target.lacks(strings=True)
    for case, request, code, text, rows, stricter, skip in (
        (
            "20 bytes that stand for 64 MB",
            target.request(
                "decode_float", codeword=tensor(F32, [4000, 4000], float_val=[1])
            ),
            BAD,
            "hape",
            4000,
            (BAD, "input codeword has shape [4000, 4000]"),
            floats,
        ),
        (
            f"{MANY_ROWS} rows",
            target.request("decode_float", codeword=tensor(F32, many, float_val=[1])),
            f"OK|{BAD}",
            f"rows {MANY_ROWS}",
            MANY_ROWS,
            None,
            floats,
        ),
        (
            "one long string for all rows",
            target.request(feedback_bytes=tensor(STRING, [512], string_val=string)),
            "OK",
            "rows 512",
            512,
            (BAD, "exceeds"),
            strings,
        ),
        (
            "message of 17 MiB",
            target.request(feedback_bytes=[bytes(17 << 20)]),
            "OK",
            "valid [0]",
            1,
            ("RESOURCE_EXHAUSTED", "larger than max"),
            strings,
        ),
    ):
        call = partial(target.predict, request)
        yield Row(case, call, code, text, rows, stricter, skip=skip)


def _output_rows(target: Target) -> Iterator[Row]:
    for case, names, code, text in (
        ("output filter", ["valid"], "OK", "outputs valid;"),
        ("unknown output", ["z"], BAD, "output tensor alias not found in signature: z"),
        ("output twice", ["h", "h"], BAD, "duplicate output tensor alias: h"),
    ):
        request = target.request(feedback_bytes=_frames(target))
        request.output_filter.extend(names)
        yield Row(case, partial(target.predict, request), code, text)


def _good_and_bad_rows(target: Target, framed) -> Iterator[Row]:
    """Bad rows are flagged and NaN, whatever stands beside them."""
    indices, codeword = target.zeros("decode_indices", 3), np.float32([0, np.nan, 0])
    indices[1] = -1
    codeword = codeword[:, None] + target.zeros("decode_float", 1)
    packed, middle = target.zeros("decode_u8", 2), "finite [1, 0, 1]; valid [1, 0, 1]"
    for case, signature, inputs, text in (
        ("payloads", "decode_u8", {"packed": packed}, "valid [1, 1]"),
        ("index out of range", "decode_indices", {"indices": indices}, middle),
        ("NaN codeword", "decode_float", {"codeword": codeword}, middle),
    ):
        call = partial(target.predict, target.request(signature, **inputs))
        yield Row(case, call, "OK", text, skip=target.lacks(signature))
    yield from _frame_rows(target, framed)


def _frame_rows(target: Target, framed: framing.Framer | None) -> Iterator[Row]:
    good = bytes(target.frame_bytes)
    if framed:
        good = framed(bytes(target.frame_bytes - framed.form.overhead_bytes))
    cut = [good, good[:-1], good, b"", good + b"x", good[:9] + b"?" + good[10:]]
    other = good[:1] + b"\xff\xff\xff\xff" + good[5:]
    needs = "" if framed else "give --codec=DIR/codec.json for valid frames"
    for case, frames, text, skip in (
        ("frame of another model", [other], "valid [0]", ""),
        (
            "good and damaged frames of one length",
            [good, cut[-1], good],
            "finite [1, 0, 1]; valid [1, 0, 1]",
            needs,
        ),
        (
            "good and damaged frames",
            cut,
            "finite [1, 0, 1, 0, 0, 0]; valid [1, 0, 1, 0, 0, 0]",
            needs or target.lacks(strings=True),
        ),
    ):
        sent = frames if skip else target.frames(frames)
        request = target.request("", feedback_bytes=sent)
        yield Row(case, partial(target.predict, request), "OK", text, skip=skip)
