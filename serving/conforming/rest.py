"""The conformance table: the REST API."""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np

from serving.conforming.rows import Row
from serving.conforming.services import FLOOD, QUEUE_FULL
from serving.conforming.target import SIGNATURES, Answer, Target

_DEEP = '{"inputs":' + "[" * 10**5
_OFF = "give --rest=HOST:PORT"


def _b64(value: bytes) -> dict[str, str]:
    return {"b64": base64.b64encode(value).decode()}


def _uplink(target: Target, rows: int) -> dict:
    if not target.has_uplink:
        return {}
    dims = target.signatures["serving_default"].inputs["uplink"].tensor_shape.dim
    shape = [rows, *(dim.size for dim in dims[1:])]
    return {"uplink": np.zeros(shape).tolist()}


def rest_rows(target: Target, asked: bool, max_batch_size: int) -> Iterator[Row]:
    """Every REST row for one endpoint; skipped where no REST port was given.

    `max_batch_size` 0: batching is off.
    """
    parts = (_document_rows, _value_rows, _path_rows, _answer_rows)
    rows = itertools.chain.from_iterable(part(target) for part in parts)
    for case, sent, code, text, *more in rows:
        skip = "" if asked else _OFF
        yield Row(
            f"REST {case}",
            partial(target.http, *sent),
            str(code),
            text,
            stricter=more[0] if more else None,
            off=("404", "") if case == "Prometheus page" else None,
            skip=skip or _lacking(target, sent),
        )
    yield from _batching_rows(target, asked, max_batch_size)


def _lacking(target: Target, sent: tuple) -> str:
    """Why the endpoint cannot be asked so: another signature, or base64 of a frame."""
    document = sent[2] if len(sent) > 2 and isinstance(sent[2], dict) else {}
    named = document.get("signature_name", "serving_default")
    signatures = [named] if named in SIGNATURES else []
    return target.lacks(*signatures, strings="b64" in json.dumps(document))


def _post(target: Target, document, path: str = ":predict"):
    return "POST", f"/v1/models/{target.model}{path}", document


def _document_rows(target: Target) -> Iterator[tuple]:
    post, some = partial(_post, target), [_b64(b"")]
    neither = "Missing 'inputs' or 'instances' key"
    yield "bad JSON", post("{"), 400, "JSON Parse error"
    yield "empty body", post(""), 400, "JSON "
    yield "100,000 brackets", post(_DEEP), 400, "JSON Parse error"
    yield "no object", post([1]), 400, ""
    yield "no key", post({}), 400, neither
    yield "both keys", post({"inputs": some, "instances": some}), 400, "one of 'inputs'"
    yield "no instances", post({"instances": []}), 400, ""
    yield "signature_name 1", post({"signature_name": 1, "inputs": some}), 400, "string"
    yield (
        "unknown signature",
        post({"signature_name": "z", "instances": some}),
        400,
        'Serving signature name: "z" not found in signature def',
    )


def _value_rows(target: Target) -> Iterator[tuple]:
    post, m = partial(_post, target), target.width("decode_indices")

    def columns(alias, value, signature="serving_default"):
        inputs = {alias: value, **_uplink(target, 1)}
        return post({"signature_name": signature, "inputs": inputs})

    size, bad = target.width("decode_u8"), "Unable to base64 decode"
    yield "bad base64", columns("feedback_bytes", [{"b64": "?"}]), 400, bad
    yield "missing named input", columns("x", [1]), 400, "Missing named input"
    yield "unknown key of a row", post({"instances": [{"x": 1}]}), 400, "keys must be"
    ragged = columns("indices", [[0] * m, [0]], "decode_indices")
    yield "ragged list", ragged, 400, "size"
    fraction = columns("indices", [[1.5] * m], "decode_indices")
    yield "fraction as index", fraction, 400, ""
    yield "256 as uint8", columns("packed", [[256] * size], "decode_u8"), 400, ""
    yield "text as number", columns("packed", [["1"] * size], "decode_u8"), 400, ""


def _path_rows(target: Target) -> Iterator[tuple]:
    post, name = partial(_post, target), target.model
    body, base = {"inputs": [_b64(b"")]}, f"/v1/models/{target.model}"
    missing = "Servable not found for request: "
    none = "Could not find any versions of model x"
    specific = f"{missing}Specific({name}, 99)"
    yield "unknown model", ("POST", "/v1/models/x:predict", body), 404, "Latest(x)"
    yield "unknown version", post(body, "/versions/99:predict"), 404, specific
    yield "unknown label", post(body, "/labels/z:predict"), 400, "version label: z"
    yield "huge version", post(body, f"/versions/{10**20}:predict"), 400, ""
    yield "POST without a verb", post(body, ""), 400, f"Malformed request: POST {base}"
    yield "GET of predict", ("GET", f"{base}:predict"), 400, "Malformed request: GET"
    yield "DELETE", ("DELETE", base), "400|405|501", ""
    yield "classify", post({}, ":classify"), 400, "", ("501", "")
    yield "path outside /v1/models", ("GET", "/metrics"), 404, ""
    yield "status of an unknown model", ("GET", "/v1/models/x"), 404, none
    absent = f"Could not find version 99 of model {name}"
    yield "status of an unknown version", ("GET", f"{base}/versions/99"), 404, absent
    unready = f"{missing}Latest(x)"
    yield "metadata, unknown model", ("GET", "/v1/models/x/metadata"), 404, unready


def _answer_rows(target: Target) -> Iterator[tuple]:
    base, m = f"/v1/models/{target.model}", target.width("decode_indices")
    yield "status", ("GET", base), 200, '"AVAILABLE"'
    yield "metadata", ("GET", f"{base}/metadata"), 200, "feedback_bytes"
    monitoring = ("GET", "/monitoring/prometheus/metrics")
    yield "Prometheus page", monitoring, 200, ":tensorflow:"
    columns = {"indices": [[0] * m, [-1] * m], **_uplink(target, 2)}
    rows = [
        dict(zip(columns, row, strict=True))
        for row in zip(*columns.values(), strict=True)
    ]
    valid = "finite [1, 0]; valid [1, 0]"
    for form in ({"instances": rows}, {"inputs": columns}):
        document = {"signature_name": "decode_indices", **form}
        yield f"good and bad row as {[*form][0]}", _post(target, document), 200, valid


def _batching_rows(target: Target, asked: bool, max_batch_size: int) -> Iterator[Row]:
    off = "" if max_batch_size else "batching off: give --max_batch_size"
    for case, call, code, text, all_answered in (
        (
            "more rows than a batch",
            partial(target.http, *_batch(target, max_batch_size + 1)),
            "400",
            f"Task size {max_batch_size + 1} is larger than maximum input batch size",
            None,
        ),
        (
            f"queue full ({FLOOD} full batches at once)",
            partial(_flood, target, max_batch_size),
            "503",
            QUEUE_FULL,
            ("200", "all answered"),
        ),
    ):
        skip = (off or target.lacks(strings=True)) if asked else _OFF
        case = f"REST batching: {case}"
        yield Row(case, call, code, text, off=all_answered, skip=skip)


def _batch(target: Target, rows: int):
    frames = [_b64(bytes(target.frame_bytes))] * rows
    inputs = {"feedback_bytes": frames, **_uplink(target, rows)}
    return _post(target, {"inputs": inputs})


def _flood(target: Target, rows: int) -> Answer:
    method, path, document = _batch(target, rows)
    body = json.dumps(document)
    with ThreadPoolExecutor(FLOOD) as pool:
        calls = [pool.submit(target.http, method, path, body) for _ in range(FLOOD)]
    answers = [call.result() for call in calls if call.result().code != "200"]
    return answers[0] if answers else Answer("200", "all answered, never full")
