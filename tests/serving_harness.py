"""Server processes for tests, and requests to them."""

from __future__ import annotations

import base64
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

ROOT = Path(__file__).resolve().parents[1]
MODEL = "csi_decoder"
PATH = f"/v1/models/{MODEL}"
READY = r"serving csi_decoder version (\d+) on grpc (\S+:\d+), rest \S+:(\d+)\n"
TIMEOUT = 120


def predict(signature: str = "", name: str = MODEL, **inputs):
    """A PredictRequest; inputs are TensorProtos, arrays or lists of bytes."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name = name
    request.model_spec.signature_name = signature
    for alias, value in inputs.items():
        if not isinstance(value, tensor_pb2.TensorProto):
            value = tf.make_tensor_proto(value)
        request.inputs[alias].CopyFrom(value)
    return request


def write_warmup(version_directory: Path, request) -> None:
    path = version_directory / "assets.extra" / "tf_serving_warmup_requests"
    path.parent.mkdir()
    log = prediction_log_pb2.PredictionLog()
    log.predict_log.request.CopyFrom(request)
    with tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(log.SerializeToString())


def outputs(response) -> dict:
    return {alias: tf.make_ndarray(out) for alias, out in response.outputs.items()}


def refusal(method, request) -> tuple[str, str]:
    """Call a gRPC method that must fail: name of the status, message."""
    with pytest.raises(grpc.RpcError) as caught:
        method(request)
    return caught.value.code().name, caught.value.details()


def b64(value: bytes) -> dict:
    return {"b64": base64.b64encode(value).decode()}


def rest(server, method: str, path: str, document=None) -> tuple[int, dict]:
    """Send one REST request; `document` is a body as it is, or JSON to be."""
    body = document
    if document is not None and not isinstance(document, (str, bytes)):
        body = json.dumps(document)
    connection = http.client.HTTPConnection(
        "127.0.0.1", server.rest_port, timeout=TIMEOUT
    )
    connection.request(method, path, body)
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


def command(module: str, *args: str) -> subprocess.Popen:
    """Start `python -m module args` in the repository root."""
    return subprocess.Popen(
        [sys.executable, "-m", module, *args],
        cwd=ROOT,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


class Server:
    """A running server: its process, version, gRPC endpoint and REST port."""

    def __init__(self, process: subprocess.Popen, ready: str):
        match = re.fullmatch(READY, ready)
        assert match, f"ready line {ready!r}"
        self.process = process
        self.version = int(match.group(1))
        self.endpoint = match.group(2)
        self.rest_port = int(match.group(3))

    def stop(self) -> int:
        """Send SIGTERM, return the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(TIMEOUT)


@contextmanager
def running_server(base_path: Path, *args: str):
    """Run a server on free ports until the block ends."""
    ports = ("--port=0", "--rest_api_port=0")
    process = command("serving.server", f"--model_base_path={base_path}", *ports, *args)
    watchdog = threading.Timer(TIMEOUT, process.kill)
    watchdog.start()
    try:
        ready = process.stdout.readline()
        watchdog.cancel()
        assert ready, process.stderr.read()
        yield Server(process, ready)
    finally:
        process.kill()
        process.communicate()
