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
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import grpc
import pytest
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2
from tensorflow_serving.apis import (
    model_service_pb2_grpc,
    predict_pb2,
    prediction_log_pb2,
    prediction_service_pb2_grpc,
)

from serving.api import grpc_service
from serving.api.handlers import Handlers
from serving.api.rest import RestServer
from serving.models.monitoring import Metrics
from serving.ue_side.decoder_client import open_channel
from tests.conftest import ROOT

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


def model_entry(base_path: Path, policy: str = "", name: str = MODEL, **labels) -> str:
    """One config of a models.config; `policy` and labels as in its text."""
    lines = [f'name: "{name}"', f'base_path: "{base_path}"']
    lines += ['model_platform: "tensorflow"', f"model_version_policy {{ {policy} }}"]
    lines += [f'version_labels {{ key: "{k}" value: {v} }}' for k, v in labels.items()]
    return "config { " + " ".join(lines) + " }"


def models_config(*entries: str) -> str:
    return "model_config_list { " + "\n".join(entries) + " }"


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
    return answer.status, json.loads(answer.read(), parse_constant=_no_constant)


def _no_constant(name: str):
    raise AssertionError(f"{name} is no JSON")


def command(module: str, *args: str, stderr=subprocess.PIPE) -> subprocess.Popen:
    """Start `python -m module args` in the repository root."""
    return subprocess.Popen(
        [sys.executable, "-m", module, *args],
        cwd=ROOT,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
    )


class Server:
    """A running server: its process, version, gRPC endpoint, REST port and log."""

    def __init__(self, process: subprocess.Popen, ready: str, log):
        match = re.fullmatch(READY, ready)
        assert match, f"ready line {ready!r}"
        self.process = process
        self._log = log
        self.version = int(match.group(1))
        self.endpoint = match.group(2)
        self.rest_port = int(match.group(3))

    def log(self) -> str:
        """What the server wrote to standard error up to now."""
        self._log.seek(0)
        return self._log.read()

    def stop(self) -> int:
        """Send SIGTERM, return the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(TIMEOUT)


@contextmanager
def running_server(base_path: Path | None, *args: str):
    """Run a server on free ports until the block ends; None: `args` name the models."""
    model = [f"--model_base_path={base_path}"] if base_path else []
    ports = ("--port=0", "--rest_api_port=0")
    # A file: a pipe that nobody reads would fill up and stop the server.
    log = tempfile.TemporaryFile("w+")
    process = command("serving.server", *model, *ports, *args, stderr=log)
    watchdog = threading.Timer(TIMEOUT, process.kill)
    watchdog.start()
    try:
        ready = process.stdout.readline()
        watchdog.cancel()
        log.seek(0)
        assert ready, log.read()
        yield Server(process, ready, log)
    finally:
        process.kill()
        process.communicate()
        log.close()


@contextmanager
def local_server(manager, metrics=None, num_threads=8, metrics_path=None, **options):
    """Serve `manager` inside this process; yields endpoint, REST port and stubs."""
    handlers = Handlers(manager, metrics or Metrics())
    server, port = grpc_service.create_server(
        handlers, "localhost:0", num_threads, **options
    )
    rest_server = RestServer(
        handlers, ("127.0.0.1", 0), num_threads, TIMEOUT, metrics_path
    )
    server.start()
    thread = threading.Thread(target=rest_server.serve_forever)
    thread.start()
    with open_channel(f"localhost:{port}") as channel:
        yield SimpleNamespace(
            endpoint=f"localhost:{port}",
            rest_port=rest_server.server_port,
            channel=channel,
            load=handlers.load,
            prediction=prediction_service_pb2_grpc.PredictionServiceStub(channel),
            models=model_service_pb2_grpc.ModelServiceStub(channel),
        )
    server.stop(None).wait()
    rest_server.shutdown()
    rest_server.server_close(TIMEOUT)
    thread.join()
