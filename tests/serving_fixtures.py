"""Pytest plugin: one export and one server process shared by the serving tests.

Test modules name it in `pytest_plugins`.
"""

from __future__ import annotations

from pathlib import Path

import grpc
import pytest
from tensorflow_serving.apis import prediction_service_pb2_grpc

from tests.serving_harness import predict, running_server, write_warmup
from tests.tiny_export import FRAME_BYTES, save_decoder, save_encoder


@pytest.fixture(scope="session")
def tiny_export(tmp_path_factory) -> Path:
    """Export with decoder versions 1 and 3 (with a warm-up), and a part of a fourth."""
    export = tmp_path_factory.mktemp("export")
    save_encoder(export)
    for version in ("1", "3"):
        save_decoder(export / "decoder" / version)
    (export / "decoder" / "4.part").mkdir()
    write_warmup(export / "decoder" / "3", predict(feedback_bytes=[bytes(FRAME_BYTES)]))
    return export


@pytest.fixture(scope="session")
def tiny_server(tiny_export):
    """A server with versions 1 and 3 of the tiny export."""
    with running_server(tiny_export / "decoder", "--model_versions=1") as server:
        yield server


@pytest.fixture(scope="session")
def tiny_channel(tiny_server):
    options = [("grpc.max_receive_message_length", 64 << 20)]
    with grpc.insecure_channel(tiny_server.endpoint, options) as channel:
        yield channel


@pytest.fixture(scope="session")
def tiny_stub(tiny_channel):
    return prediction_service_pb2_grpc.PredictionServiceStub(tiny_channel)
