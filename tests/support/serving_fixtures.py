"""Pytest plugin: one export and one server process shared by the serving tests.

Test modules name it in `pytest_plugins`.
"""

from __future__ import annotations

import gc
import shutil
import subprocess
from pathlib import Path

import pytest
from tensorflow_serving.apis import prediction_service_pb2_grpc

from serving.models import model_config
from serving.models.model_manager import ModelManager
from serving.ue_side.decoder_client import open_channel
from tests.support.serving_harness import (
    MODEL,
    model_entry,
    models_config,
    predict,
    running_server,
    write_warmup,
)
from tests.support.tiny_export import FRAME_BYTES, save_decoder, save_encoder


@pytest.fixture(scope="session")
def tiny_export(tmp_path_factory) -> Path:
    """Export with decoder versions 1 and 3 (with a warm-up), and a part of a fourth."""
    gc.freeze()  # as the server does: the collection after an unload skips it
    export = tmp_path_factory.mktemp("export")
    save_encoder(export)
    for version in ("1", "3"):
        save_decoder(export / "decoder" / version)
    (export / "decoder" / "4.part").mkdir()
    write_warmup(export / "decoder" / "3", predict(feedback_bytes=[bytes(FRAME_BYTES)]))
    return export


@pytest.fixture(scope="module")
def exports(tiny_export, tmp_path_factory) -> dict[int, Path]:
    """Exports of one model, each with one version of the decoder."""
    found = {}
    for version in (1, 2, 3):
        found[version] = tmp_path_factory.mktemp("export")
        for name in ("encoder.tflite", "codec.json"):
            shutil.copy(tiny_export / name, found[version])
        source = tiny_export / "decoder" / "1"
        shutil.copytree(source, found[version] / "decoder" / str(version))
    return found


@pytest.fixture(scope="module")
def manager(tiny_export):
    """The tiny decoder, for a server in this process."""
    manager = ModelManager()
    manager.apply(model_config.single(MODEL, tiny_export / "decoder"))
    yield manager
    manager.close()


@pytest.fixture
def install(tiny_export, tmp_path):
    """Put version `number` of the tiny decoder under `base`, whole from the start."""

    def put(number: int, base: Path = tmp_path / "decoder") -> Path:
        base.mkdir(exist_ok=True)
        part = base / f"{number}.part"
        shutil.copytree(tiny_export / "decoder" / "1", part)
        return part.rename(base / str(number))

    return put


@pytest.fixture(scope="session")
def tiny_server(tiny_export, tmp_path_factory):
    """A server with versions 1 (label "stable") and 3 of the tiny export."""
    path = tmp_path_factory.mktemp("config") / "models.config"
    base_path = tiny_export / "decoder"
    config = model_entry(base_path, "specific { versions: 1 versions: 3 }", stable=1)
    path.write_text(models_config(config))
    args = [f"--model_config_file={path}"]
    with running_server(
        None, *args, "--allow_version_labels_for_unavailable_models"
    ) as server:
        yield server


@pytest.fixture(scope="session")
def tiny_channel(tiny_server):
    with open_channel(tiny_server.endpoint) as channel:
        yield channel


@pytest.fixture(scope="session")
def tiny_stub(tiny_channel):
    return prediction_service_pb2_grpc.PredictionServiceStub(tiny_channel)


@pytest.fixture(scope="session")
def pems(tmp_path_factory):
    """Paths of a key and a self-signed certificate for localhost."""
    if not shutil.which("openssl"):
        pytest.skip("openssl makes the test's certificate and is not installed")
    where = tmp_path_factory.mktemp("tls")
    subprocess.run(
        "openssl req -x509 -newkey rsa:2048 -nodes -keyout key -out cert -days 2 "
        "-subj /CN=localhost -addext subjectAltName=DNS:localhost".split(),
        cwd=where,
        check=True,
        capture_output=True,
    )
    return where / "key", where / "cert"
