"""Running the server: files named by flags, health, metrics, TLS, polling."""

from __future__ import annotations

import http.client
import re
import time

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tensorflow_serving.apis import prediction_service_pb2_grpc

from serving.api import tls
from serving.api.handlers import UNKNOWN_MODEL
from serving.models import model_config, monitoring, serving_protos
from serving.models.model_manager import ModelManager
from tests.support.serving_harness import (
    MODEL,
    PATH,
    TIMEOUT,
    command,
    local_server,
    model_entry,
    models_config,
    predict,
    refusal,
    rest,
    running_server,
)
from tests.support.tiny_export import frames, random_indices

pytest_plugins = ["tests.support.serving_fixtures"]
pytestmark = pytest.mark.serving
PAGE = "/monitoring/prometheus/metrics"
GOOD = predict(feedback_bytes=frames(random_indices(2)))


def page(server, path=PAGE) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", server.rest_port)
    connection.request("GET", path)
    answer = connection.getresponse()
    assert answer.status == 200
    assert answer.getheader("Content-Type").startswith("text/plain; version=")
    return answer.read().decode()


def until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.fixture
def certificate(pems):
    """A self-signed certificate for localhost: (key, certificate), PEM."""
    return tuple(path.read_text() for path in pems)


def ssl_config(path, key="", cert="", **more):
    message = serving_protos.SSLConfig(server_key=key, server_cert=cert, **more)
    path.write_text(str(message))
    return path


def test_health(tiny_channel):
    check = health_pb2_grpc.HealthStub(tiny_channel).Check
    for service in ("", "ModelService", "PredictionService"):
        request = health_pb2.HealthCheckRequest(service=service)
        assert check(request).status == health_pb2.HealthCheckResponse.SERVING
    unknown = health_pb2.HealthCheckRequest(service="x")
    assert refusal(check, unknown)[0] == "NOT_FOUND"


def test_garbage_leaves_no_traceback_in_the_log(tiny_channel, tiny_server):
    ask = tiny_channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
    assert refusal(ask, b"\xff\xff")[0] == "INTERNAL"
    assert "deserializing" not in tiny_server.log()


def test_everything_that_flags_name(install, tmp_path, certificate):
    """One server with a file for each flag; then the models.config changes."""
    base = install(1).parent
    install(2)
    path = tmp_path / "models.config"
    path.write_text(models_config(model_entry(base, stable=2)))
    files = {
        "batching_parameters_file": "max_batch_size { value: 4 }",
        "monitoring_config_file": "prometheus_config { enable: true }",
        "tensorflow_session_config_file": "intra_op_parallelism_threads: 1",
    }
    args = ["--enable_batching", "--allow_version_labels_for_unavailable_models"]
    for name, text in files.items():
        (tmp_path / name).write_text(text)
        args.append(f"--{name}={tmp_path / name}")
    args += [
        f"--ssl_config_file={ssl_config(tmp_path / 'ssl.config', *certificate)}",
        f"--model_config_file={path}",
        "--model_config_file_poll_wait_seconds=0.1",
        "--file_system_poll_wait_seconds=0.1",
    ]
    credentials = grpc.ssl_channel_credentials(certificate[1].encode())
    with running_server(None, *args) as server:
        endpoint = server.endpoint.replace("127.0.0.1", "localhost")
        with grpc.secure_channel(endpoint, credentials) as channel:
            ask = prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict
            assert ask(GOOD).model_spec.version.value == server.version == 2
            large = predict(feedback_bytes=frames(random_indices(5)))
            assert "maximum input batch size 4" in refusal(ask, large)[1]
            install(3)
            until(lambda: ask(GOOD).model_spec.version.value == 3)
            moved = models_config(model_entry(base, "specific { versions: 1 }"))
            path.write_text(moved)
            until(lambda: ask(GOOD).model_spec.version.value == 1)
        assert 'processed_batch_size_count{model_name="csi_decoder"}' in page(server)
        assert server.stop() == 0
        assert "Traceback" not in server.log()


def test_metrics(tiny_export):
    manager = ModelManager()
    path = tiny_export / "decoder"
    manager.apply(model_config.single(MODEL, path))
    with local_server(manager, metrics_path="/m") as server:
        good, bad = frames(random_indices(1)), [b"short"]
        server.prediction.Predict(predict(feedback_bytes=good + bad))
        refusal(server.prediction.Predict, predict("zz"))
        for name in ("a", "b"):
            refusal(server.prediction.Predict, predict(name=name))
        assert rest(server, "POST", f"{PATH}:predict", "{")[0] == 400
        text = page(server, "/m")
        assert rest(server, "GET", PAGE)[0] == 404
    manager.close()
    for labels, count in [
        ('entrypoint="GRPC",model_name="csi_decoder",status="OK"', 1),
        ('entrypoint="GRPC",model_name="csi_decoder",status="FAILED_PRECONDITION"', 1),
        ('entrypoint="REST",model_name="csi_decoder",status="INVALID_ARGUMENT"', 1),
        (f'entrypoint="GRPC",model_name="{UNKNOWN_MODEL}",status="NOT_FOUND"', 2),
    ]:
        assert f":tensorflow:serving:request_count{{{labels}}} {count}.0\n" in text
    assert "# TYPE :tensorflow:serving:request_count counter" in text
    latency = 'request_latency_count{API="Predict",entrypoint="GRPC",model_name="csi_'
    assert re.search(re.escape(latency) + r'decoder"} 2.0', text)
    for valid in ("true", "false"):
        row = f'csi_row_count{{model_name="csi_decoder",valid="{valid}"}} 1.0'
        assert row in text


def test_monitoring_file(tmp_path):
    path = tmp_path / "monitoring.config"
    for text, expected in {
        "prometheus_config { enable: true }": PAGE,
        'prometheus_config { enable: true path: "/p" }': "/p",
        "": None,
    }.items():
        path.write_text(text)
        assert monitoring.read_path(path) == expected
    path.write_text('prometheus_config { enable: true path: "p" }')
    with pytest.raises(ValueError, match="path 'p': expected one that starts with /"):
        monitoring.read_path(path)


def test_tls_may_require_the_client_certificate(tmp_path, certificate):
    key, cert = certificate
    path = ssl_config(tmp_path / "s", key, cert, custom_ca=cert, client_verify=True)
    credentials = tls.server_credentials(path)
    request = health_pb2.HealthCheckRequest()
    with local_server(ModelManager(), credentials=credentials) as server:
        pems = [pem.encode() for pem in (cert, key, cert)]
        known, stranger = pems, pems[:1]
        for client, ok in ((known, True), (stranger, False)):
            trust = grpc.ssl_channel_credentials(*client)
            with grpc.secure_channel(server.endpoint, trust) as channel:
                check = health_pb2_grpc.HealthStub(channel).Check
                if ok:
                    assert check(request, timeout=TIMEOUT).status == 1
                else:
                    assert refusal(check, request)[0] == "UNAVAILABLE"
        plain = health_pb2_grpc.HealthStub(server.channel).Check
        assert refusal(plain, request)[0] == "UNAVAILABLE"


def test_a_wrong_ssl_config_is_refused(tmp_path, certificate):
    key, cert = certificate
    for config, message in [
        ({"key": "a", "cert": cert}, "server_key is no PEM text"),
        ({"key": key}, "server_cert is no PEM text"),
        ({"key": key, "cert": cert, "client_verify": True}, "needs the authority"),
    ]:
        path = ssl_config(tmp_path / "ssl.config", **config)
        with pytest.raises(ValueError, match=message):
            tls.server_credentials(path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([], "expected one of --model_base_path and --model_config_file"),
        (["--model_config_file=/no/such"], "No such file or directory: '/no/such'"),
        (["--model_base_path=/", "--batching_parameters_file=x"], "--enable_batching"),
        (["--model_base_path=/", "--ssl_config_file=/no/such"], "No such file"),
        (
            ["--model_base_path=/", "--tensorflow_session_config_file=x"]
            + ["--tensorflow_intra_op_parallelism=1"],
            "--tensorflow_session_config_file excludes",
        ),
        (["--model_base_path=/", "--enable_profiler"], "leave the flag out"),
    ],
)
def test_wrong_flags_end_with_one_line(args, message):
    process = command("serving.server", "--port=0", "--rest_api_port=0", *args)
    out, err = process.communicate(timeout=TIMEOUT)
    assert (process.returncode, out) == (1, "")
    assert message in err.splitlines()[-1] and "Traceback" not in err
