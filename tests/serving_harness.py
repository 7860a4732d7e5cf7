"""A server process on the tiny export, shared by the serving tests, and its clients."""

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
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import (
    predict_pb2,
    prediction_log_pb2,
    prediction_service_pb2_grpc,
)
from tiny_export import FRAME_BYTES, save_decoder, save_encoder

ROOT = Path(__file__).resolve().parents[1]
MODEL = "csi_decoder"


def predict(signature: str = "", name: str = MODEL, **inputs):
    """A PredictRequest; inputs are TensorProtos, arrays or lists of bytes."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name = name
    request.model_spec.signature_name = signature
    for alias, value in inputs.items():
        if not isinstance(value, tf.compat.v1.TensorProto):
            value = tf.make_tensor_proto(value)
        request.inputs[alias].CopyFrom(value)
    return request


def version(request, value=None, label=None):
    if label:
        request.model_spec.version_label = label
    else:
        request.model_spec.version.value = value
    return request


def tensor(dtype, shape, **fields):
    proto = tf.compat.v1.TensorProto(dtype=dtype.as_datatype_enum, **fields)
    for size in shape:
        proto.tensor_shape.dim.add(size=size)
    return proto


def filtered(*aliases):
    request = predict(feedback_bytes=frames(random_indices(1)))
    request.output_filter.extend(aliases)
    return request


def outputs(response):
    return {alias: tf.make_ndarray(out) for alias, out in response.outputs.items()}


def rest(running, method, path, document=None):
    connection = http.client.HTTPConnection("127.0.0.1", running.rest_port, timeout=60)
    body = document if isinstance(document, (str, bytes)) else json.dumps(document)
    connection.request(method, path, None if document is None else body)
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


def b64(value: bytes) -> dict:
    return {"b64": base64.b64encode(value).decode()}


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
    """A running server: its process, gRPC endpoint and REST port."""

    def __init__(self, process: subprocess.Popen, ready: str):
        pattern = r"serving csi_decoder version (\d+) on grpc (\S+:\d+), rest \S+:(\d+)"
        match = re.fullmatch(pattern, ready.strip())
        assert match, f"ready line {ready!r}"
        self.process = process
        self.version = int(match.group(1))
        self.endpoint = match.group(2)
        self.rest_port = int(match.group(3))

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


@contextmanager
def server(base_path: Path, *args: str):
    """Run a server on free ports until the block ends."""
    process = command(
        "serving.server",
        f"--model_base_path={base_path}",
        "--port=0",
        "--rest_api_port=0",
        *args,
    )
    watchdog = threading.Timer(300, process.kill)
    watchdog.start()
    try:
        ready = process.stdout.readline()
        if not ready:
            raise AssertionError(process.stderr.read())
        yield Server(process, ready)
    finally:
        watchdog.cancel()
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def base_path(tmp_path_factory):
    """Versions 1 and 3, the latter with a warm-up file, and a directory to skip."""
    base = tmp_path_factory.mktemp("export") / "decoder"
    for version in ("1", "3"):
        save_decoder(base / version)
    (base / "4.part").mkdir()
    warmup = base / "3" / "assets.extra"
    warmup.mkdir()
    with tf.io.TFRecordWriter(str(warmup / "tf_serving_warmup_requests")) as writer:
        log = prediction_log_pb2.PredictionLog()
        log.predict_log.request.CopyFrom(predict(feedback_bytes=[bytes(FRAME_BYTES)]))
        writer.write(log.SerializeToString())
    return base


@pytest.fixture(scope="module")
def running(base_path):
    with server(base_path, "--model_versions=1") as process:
        yield process


@pytest.fixture(scope="module")
def channel(running):
    options = [("grpc.max_receive_message_length", 64 << 20)]
    with grpc.insecure_channel(running.endpoint, options) as opened:
        yield opened


@pytest.fixture(scope="module")
def stub(channel):
    return prediction_service_pb2_grpc.PredictionServiceStub(channel)


