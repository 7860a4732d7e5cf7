"""The reference server as a process: answers, damaged frames, REST, life cycle."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
)

from serving.api import grpc_service
from serving.api import rest as rest_module
from serving.api.handlers import Handlers
from serving.codec import bitstream, framing
from serving.models.model_manager import ModelManager
from serving.models.monitoring import Metrics
from tests.support.serving_harness import (
    MODEL,
    PATH,
    TIMEOUT,
    b64,
    command,
    outputs,
    predict,
    refusal,
    rest,
    running_server,
)
from tests.support.tiny_export import (
    BITS,
    PAYLOAD_BYTES,
    decode,
    frames,
    random_indices,
)

pytest_plugins = ["tests.support.serving_fixtures"]
pytestmark = pytest.mark.serving

INDICES = random_indices(5, seed=1)
EXPECTED = decode(INDICES)


@pytest.mark.parametrize(
    ("signature", "inputs"),
    [
        ("serving_default", {"feedback_bytes": frames(INDICES)}),
        ("decode_u8", {"packed": bitstream.pack(INDICES, BITS)}),
        ("decode_indices", {"indices": INDICES}),
        ("decode_float", {"codeword": (INDICES.astype(np.float32) + 0.5) / 4 - 1}),
    ],
)
def test_grpc_and_rest_answer_as_numpy(tiny_stub, tiny_server, signature, inputs):
    response = tiny_stub.Predict(predict(signature, **inputs))
    assert response.model_spec.version.value == tiny_server.version == 3
    assert response.model_spec.signature_name == signature
    answer = outputs(response)
    assert answer["valid"].tolist() == [True] * 5
    np.testing.assert_allclose(answer["h"], EXPECTED, atol=1e-6)

    (alias, values), *_ = inputs.items()
    rows = [b64(v) if isinstance(v, bytes) else v.tolist() for v in values]
    document = {"signature_name": signature, "instances": rows}
    status, by_row = rest(tiny_server, "POST", f"{PATH}:predict", document)
    assert status == 200
    assert all(row["valid"] for row in by_row["predictions"])
    h = np.array([row["h"] for row in by_row["predictions"]], np.float32)
    np.testing.assert_array_equal(h, answer["h"])
    document = {"signature_name": signature, "inputs": {alias: rows}}
    status, columns = rest(tiny_server, "POST", f"{PATH}/versions/1:predict", document)
    assert status == 200
    np.testing.assert_array_equal(np.float32(columns["outputs"]["h"]), h)


def test_bad_frames_are_flagged_and_do_not_touch_the_good_rows(tiny_stub, tiny_server):
    sent = frames(random_indices(9, seed=2))
    good = outputs(tiny_stub.Predict(predict(feedback_bytes=sent)))
    assert good["valid"].all()
    damaged = list(sent)
    damaged[0] = sent[0][:-1]
    damaged[2] = sent[2][:9] + bytes([sent[2][9] ^ 16]) + sent[2][10:]
    damaged[3] = sent[3] + b"\0"
    damaged[4] = framing.frame(bytes(PAYLOAD_BYTES), b"abcd")
    damaged[5] = framing.frame(bytes(PAYLOAD_BYTES - 1), bytes.fromhex("0badcafe"))
    damaged[8] = b""
    mixed = outputs(tiny_stub.Predict(predict(feedback_bytes=damaged)))
    keep = [1, 6, 7]
    assert np.flatnonzero(mixed["valid"]).tolist() == keep
    np.testing.assert_array_equal(mixed["h"][keep], good["h"][keep])
    assert np.isnan(np.delete(mixed["h"], keep, axis=0)).all()

    document = {"instances": [b64(frame) for frame in damaged]}
    status, answer = rest(tiny_server, "POST", f"{PATH}:predict", document)
    assert status == 200
    valid = [row["valid"] for row in answer["predictions"]]
    assert np.flatnonzero(valid).tolist() == keep


def test_every_bit_flip_is_flagged(tiny_stub):
    (frame,) = frames(random_indices(1, seed=3))
    flips = np.packbits(np.eye(8 * len(frame), dtype=np.uint8), axis=1)
    flipped = np.frombuffer(frame, np.uint8) ^ flips
    request = predict(feedback_bytes=[row.tobytes() for row in flipped])
    assert not outputs(tiny_stub.Predict(request))["valid"].any()


def test_metadata(tiny_stub):
    request = get_model_metadata_pb2.GetModelMetadataRequest()
    ask = tiny_stub.GetModelMetadata
    assert refusal(ask, request) == ("INVALID_ARGUMENT", "Missing ModelSpec")
    request.model_spec.name = MODEL
    assert "at least one metadata_field" in refusal(ask, request)[1]
    request.metadata_field.append("signature_def")
    response = ask(request)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(signatures)
    info = signatures.signature_def["decode_u8"].inputs["packed"]
    assert [dim.size for dim in info.tensor_shape.dim] == [-1, PAYLOAD_BYTES]
    assert response.model_spec.version.value == 3
    request.metadata_field.append("other")
    code, message = refusal(ask, request)
    assert (code, message) == (
        "INVALID_ARGUMENT",
        "Metadata field other is not supported",
    )


def test_model_status(tiny_channel):
    service = model_service_pb2_grpc.ModelServiceStub(tiny_channel)
    request = get_model_status_pb2.GetModelStatusRequest()
    ask = service.GetModelStatus
    assert refusal(ask, request) == ("INVALID_ARGUMENT", "Missing ModelSpec")
    request.model_spec.name = "x"
    missing = "Could not find any versions of model x"
    assert refusal(ask, request) == ("NOT_FOUND", missing)
    request.model_spec.name = MODEL
    status = ask(request).model_version_status
    assert [(entry.version, entry.state) for entry in status] == [(1, 30), (3, 30)]
    request.model_spec.version.value = 9
    missing = f"Could not find version 9 of model {MODEL}"
    assert refusal(ask, request) == ("NOT_FOUND", missing)
    request.model_spec.version_label = "stable"
    assert [entry.version for entry in ask(request).model_version_status] == [1]


def test_concurrent_clients_get_their_own_rows(tiny_stub, tiny_server):
    def over_grpc(seed: int):
        indices = random_indices(1 + seed % 4, seed)
        answer = outputs(tiny_stub.Predict(predict(feedback_bytes=frames(indices))))
        np.testing.assert_allclose(answer["h"], decode(indices), atol=1e-6)

    def over_rest(seed: int):
        indices = random_indices(1, seed)
        document = {"signature_name": "decode_indices", "inputs": indices.tolist()}
        status, answer = rest(tiny_server, "POST", f"{PATH}:predict", document)
        assert status == 200
        h = np.array(answer["outputs"]["h"])
        np.testing.assert_allclose(h, decode(indices), atol=1e-6)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(over_grpc, range(200)))
        list(pool.map(over_rest, range(40)))


def test_sigterm_finishes_the_request_under_way(tiny_export):
    with running_server(tiny_export / "decoder") as server:
        rows = random_indices(128).tolist()
        document = {"signature_name": "decode_indices", "instances": rows}
        answers = []
        # 128 rows are some 5 MB of JSON: a second of work.
        worker = threading.Thread(
            target=lambda: answers.append(
                rest(server, "POST", f"{PATH}:predict", document)
            )
        )
        worker.start()
        time.sleep(0.2)
        assert worker.is_alive()
        assert server.stop() == 0
        worker.join()
        assert "Traceback" not in server.log()
    status, answer = answers[0]
    assert status == 200 and len(answer["predictions"]) == 128


def test_commands_fail_with_one_line(tmp_path):
    broken = tmp_path / "decoder" / "1"
    broken.mkdir(parents=True)
    (broken / "saved_model.pb").write_bytes(b"not a model")
    process = command(
        "serving.server", f"--model_base_path={broken.parent}", "--port=0"
    )
    out, err = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 1 and not out
    said = f"error: Some models did not become available: {{{MODEL}: cannot serve "
    assert err.splitlines()[-1].startswith(f"{said}{broken}: ")
    assert "Traceback" not in err


def test_ports_in_use_are_refused(tiny_server):
    handlers = Handlers(ModelManager(), Metrics())
    with pytest.raises(OSError, match="cannot listen on 127.0.0.1:.* another --port"):
        grpc_service.create_server(handlers, tiny_server.endpoint, 1)
    address = "127.0.0.1", tiny_server.rest_port
    with pytest.raises(OSError, match="cannot listen on .* choose another --rest_api"):
        rest_module.RestServer(handlers, address, 1, 30)
