"""Our clients over TLS, against the ssl.config of `serving.deployment`."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest

from serving import ue
from serving.api import tls
from serving.conforming.target import SIGNATURES, Target
from serving.deploying import config_files as config
from serving.models import model_config
from serving.models.model_manager import ModelManager
from serving.ue_side import client_tls
from serving.ue_side.decoder_client import Decoder
from tests.support.serving_harness import MODEL, TIMEOUT, command, local_server
from tests.support.tiny_export import MODEL_ID, decode, frames, random_indices, samples

pytest_plugins = ["tests.support.serving_fixtures"]
pytestmark = pytest.mark.serving


@pytest.fixture(scope="module")
def server(tiny_export, pems, tmp_path_factory):
    """A server that wants TLS and the certificate of its clients."""
    key, cert = pems
    path = tmp_path_factory.mktemp("config") / "ssl.config"
    path.write_text(config.text(config.ssl_config(key, cert, cert)))
    manager = ModelManager()
    manager.apply(model_config.single(MODEL, tiny_export / "decoder"))
    with local_server(manager, credentials=tls.server_credentials(path)) as server:
        yield server
    manager.close()


def values(ca="", cert="", key="", **more) -> SimpleNamespace:
    paths = {"tls_ca": str(ca), "tls_cert": str(cert), "tls_key": str(key)}
    return SimpleNamespace(**paths, **more)


@pytest.mark.tflite
def test_client_command(tiny_export, server, pems, tmp_path):
    key, cert = pems
    np.savez(tmp_path / "h.npz", h=samples(5))
    process = command(
        "serving.client",
        f"--encoder={tiny_export / 'encoder.tflite'}",
        f"--samples={tmp_path / 'h.npz'}",
        f"--endpoint={server.endpoint}",
        f"--tls_ca={cert}",
        f"--tls_cert={cert}",
        f"--tls_key={key}",
        f"--json={tmp_path / 'report.json'}",
    )
    _, err = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 0, err
    report = json.loads((tmp_path / "report.json").read_text())
    assert (report["samples"], report["invalid"]) == (5, 0)
    assert report["nmse_db"] < -10


def test_ue_router_and_conformance(server, pems, tmp_path):
    key, cert = pems
    routes = {"csi_shape": [32, 32, 2]}
    routes["models"] = {MODEL_ID.hex(): {"name": MODEL, "uplink": False}}
    path = tmp_path / "routes.json"
    path.write_text(json.dumps(routes))
    common = {"endpoint": server.endpoint, "timeout": TIMEOUT, "label": ""}
    for route in ("", str(path)):
        flags = values(cert, cert, key, routes=route, model_name=MODEL, **common)
        indices = random_indices(3)
        with ue._connect(flags, [32, 32, 2])() as link:
            h, valid = link.decode(frames(indices))
        assert valid.all()
        np.testing.assert_allclose(h, decode(indices), atol=1e-6)
    credentials = client_tls.credentials(values(cert, cert, key))
    target = Target(server.endpoint, "", MODEL, TIMEOUT, credentials)
    assert set(SIGNATURES) <= set(target.signatures)
    target.close()


def test_without_the_right_certificates_nothing_answers(server, pems):
    key, cert = pems
    address = server.endpoint.replace("localhost", "127.0.0.1")
    for endpoint, flags, hint in (
        (server.endpoint, values(), "where it has TLS: --tls_ca"),
        (server.endpoint, values(cert), "does its certificate name this host"),
        (address, values(cert, cert, key), "does its certificate name this host"),
    ):
        with pytest.raises(ConnectionError, match=hint):
            Decoder(endpoint, MODEL, 10, credentials=client_tls.credentials(flags))


def test_flags_are_checked(pems, tmp_path):
    key, cert = pems
    (tmp_path / "text").write_text("text")
    for flags, message in (
        (values(cert, cert), "expected both --tls_cert and --tls_key"),
        (values(cert, key=key), "expected both --tls_cert and --tls_key"),
        (values("", cert, key), "--tls_cert needs --tls_ca"),
        (values(tmp_path / "text"), "text: expected a PEM file"),
    ):
        with pytest.raises(ValueError, match=message):
            client_tls.credentials(flags)
    with pytest.raises(FileNotFoundError):
        client_tls.credentials(values(tmp_path / "absent"))
    assert client_tls.credentials(values()) is None
