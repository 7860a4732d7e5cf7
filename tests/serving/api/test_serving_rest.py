"""The REST API of the reference server: refusals, status, metadata."""

from __future__ import annotations

import http.client
import json

import numpy as np
import pytest

from tests.support.serving_harness import MODEL, PATH, TIMEOUT, b64, rest
from tests.support.tiny_export import NUM_INDICES, PAYLOAD_BYTES

pytest_plugins = ["tests.support.serving_fixtures"]
pytestmark = pytest.mark.serving


def post(document, path=f"{PATH}:predict", method="POST"):
    return method, path, document


REST_ERRORS = [
    (post("{"), 400, "JSON Parse error: "),
    (post(""), 400, "JSON Parse error: "),
    (post('{"inputs":' + "[" * 10**5), 400, "JSON Parse error: "),
    (post([1]), 400, "Is not object"),
    (post({}), 400, "Missing 'inputs' or 'instances' key"),
    (post({"inputs": [1], "instances": [1]}), 400, "expecting only one of 'inputs'"),
    (post({"instances": []}), 400, "at least one value"),
    (post({"instances": [{"b64": "?"}]}), 400, "Unable to base64 decode"),
    (post({"instances": [{"x": b64(b"")}]}), 400, "keys must be equal to"),
    (post({"instances": [b64(b""), 1]}), 400, "JSON Value: 1 Type: Number"),
    (post({"inputs": {"x": [1]}}), 400, "Missing named input: feedback_bytes"),
    (post({"inputs": b64(b"")}), 400, "has shape []: expected [-1]"),
    (post({"signature_name": 1}), 400, "'signature_name' key must be a string value."),
    (
        post({"signature_name": "z", "instances": [1]}),
        400,
        'Serving signature name: "z" not found in signature def',
    ),
    (
        post({"signature_name": "decode_indices", "inputs": [[1, 2], [3]]}),
        400,
        "Encountered list at unexpected size: 1 at level: 1 expected size: 2",
    ),
    (
        post({"signature_name": "decode_indices", "inputs": [[1.5] * NUM_INDICES]}),
        400,
        "JSON Value: 1.5 Type: Number is not of expected type: int32",
    ),
    (
        post({"signature_name": "decode_u8", "inputs": [[256] * PAYLOAD_BYTES]}),
        400,
        "Cannot convert JSON value: 256 to uint8",
    ),
    (post({"instances": ["\ud800"]}), 400, "half a surrogate pair in "),
    (post(b'{"instances": ["\xed\xa0\x80"]}'), 400, "half a surrogate pair in "),
    (
        post({"signature_name": "\ud800", "instances": [1]}),
        400,
        "half a surrogate pair in ",
    ),
    (
        post({"signature_name": "decode_float", "inputs": [[10**400] * NUM_INDICES]}),
        400,
        "to float32 without loss of precision",
    ),
    (
        post(
            {"signature_name": "decode_float", "inputs": [[-(10**400)] * NUM_INDICES]}
        ),
        400,
        "to float32 without loss of precision",
    ),
    (post({"inputs": [1]}, "/v1/models/x:predict"), 404, "Latest(x)"),
    (post({"inputs": [1]}, f"{PATH}/versions/2:predict"), 404, f"Specific({MODEL}, 2)"),
    (post({"inputs": [1]}, f"{PATH}/labels/z:predict"), 400, "version label: z"),
    (post({}, f"{PATH}/versions/{10**20}:predict"), 400, "Failed to convert version"),
    (post({}, f"{PATH}/versions/{'9' * 5000}:predict"), 400, "convert version: 999"),
    (post(None, f"{PATH}/versions/{'9' * 5000}", "GET"), 400, "convert version: 999"),
    (post({}, f"{PATH}:regress"), 501, "not implemented"),
    (post({}, PATH), 400, f"Malformed request: POST {PATH}"),
    (post(None, f"{PATH}:predict", "GET"), 400, "Malformed request: GET /v1/models/"),
    (post({}, PATH, "DELETE"), 400, f"Malformed request: DELETE {PATH}"),
    (post(None, "/v1/models/x", "GET"), 404, "Could not find any versions of model x"),
    (post(None, f"{PATH}/versions/9", "GET"), 404, "Could not find version 9 of model"),
    (post(None, "/v1/models/x/metadata", "GET"), 404, "Latest(x)"),
    (post(None, "/metrics", "GET"), 404, "Not Found"),
]


@pytest.mark.parametrize(("request_", "status", "message"), REST_ERRORS)
def test_rest_errors(tiny_server, request_, status, message):
    answered, document = rest(tiny_server, *request_)
    assert (answered, list(document)) == (status, ["error"])
    assert message in document["error"]


def test_rest_refuses_lists_of_any_depth(tiny_server):
    codes = set()
    for depth in range(900, 1000, 3):  # around the depth that the parser gives up at
        body = '{"instances": [1, ' + "[" * depth + "]" * depth + "]}"
        status, document = rest(tiny_server, "POST", f"{PATH}:predict", body)
        assert status == 400, document
        codes.add(document["error"][:16])
    assert codes >= {"JSON Parse error", "JSON Value: 1 Ty"}
    assert "Traceback" not in tiny_server.log()


@pytest.mark.parametrize("length", [10**12, "9" * 5000])
def test_rest_refuses_a_large_body_by_its_announced_length(tiny_server, length):
    connection = http.client.HTTPConnection(
        "127.0.0.1", tiny_server.rest_port, timeout=TIMEOUT
    )
    connection.putrequest("POST", f"{PATH}:predict")
    connection.putheader("Content-Length", str(length))
    connection.endheaders()
    answer = connection.getresponse()
    assert answer.status == 429
    assert "larger than 16777216" in json.loads(answer.read())["error"]


def test_rest_writes_null_for_nan_and_takes_named_path_parts(tiny_server):
    document = {"signature_name": "decode_float", "inputs": [[float("nan")] * 25]}
    path = PATH.replace("csi_", "csi%5F").replace("models", "MODELS")
    status, answer = rest(tiny_server, "POST", f"{path}:predict", document)
    assert status == 200 and answer["outputs"]["valid"] == [False]
    assert set(np.ravel(answer["outputs"]["h"])) == {None}


def test_rest_status_and_metadata(tiny_server):
    available = {
        "state": "AVAILABLE",
        "status": {"error_code": "OK", "error_message": ""},
    }
    status, document = rest(tiny_server, "GET", PATH)
    versions = [{"version": v, **available} for v in ("1", "3")]
    assert (status, document) == (200, {"model_version_status": versions})
    _, document = rest(tiny_server, "GET", f"{PATH}/versions/1")
    assert document == {"model_version_status": versions[:1]}
    status, document = rest(tiny_server, "GET", f"{PATH}/metadata")
    assert status == 200 and document["model_spec"]["version"] == "3"
    signatures = document["metadata"]["signature_def"]["signature_def"]
    info = signatures["serving_default"]["inputs"]["feedback_bytes"]
    assert info["dtype"] == "DT_STRING"
    assert [dim["size"] for dim in info["tensor_shape"]["dim"]] == ["-1"]
