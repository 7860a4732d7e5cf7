"""Reloads of a running server: polling, reload requests, clients meanwhile."""

from __future__ import annotations

import threading
import time
import weakref

import pytest
import tensorflow as tf
from google.protobuf import text_format
from tensorflow_serving.apis import get_model_status_pb2, model_management_pb2

from serving.models import model_config, warmup_records
from serving.models.batching import BatchScheduler
from serving.models.batching_parameters import Parameters
from serving.models.model_manager import ModelManager
from serving.models.monitoring import Metrics
from serving.models.request_checks import ServingError
from serving.models.servable import Runtime
from serving.models.served_model import LoadPolicy, State
from serving.server import repeat
from tests.support.serving_harness import (
    MODEL,
    PATH,
    local_server,
    model_entry,
    models_config,
    outputs,
    predict,
    refusal,
    rest,
)
from tests.support.tiny_export import frames, random_indices

pytest_plugins = ["tests.support.serving_fixtures"]
pytestmark = pytest.mark.serving
REQUEST = predict(feedback_bytes=frames(random_indices(2)))


def reload_request(*entries):
    request = model_management_pb2.ReloadConfigRequest()
    return text_format.Parse(f"config {{ {models_config(*entries)} }}", request)


@pytest.fixture(params=["alone", "batched"])
def manager(request):
    scheduler = None
    if request.param == "batched":
        parameters = Parameters(max_batch_size=8, num_batch_threads=2)
        scheduler = BatchScheduler(parameters, Metrics())
    manager = ModelManager(Runtime(scheduler=scheduler))
    yield manager
    manager.close()
    if scheduler:
        scheduler.close()


def test_clients_see_no_error_while_versions_change(manager, install):
    base = install(1).parent
    manager.apply(model_config.single(MODEL, base))
    stop, seen, errors = threading.Event(), [], []

    def client(predict_):
        while not stop.is_set():
            try:
                answer = predict_(REQUEST, timeout=60)
                assert outputs(answer)["valid"].all()
                seen.append(answer.model_spec.version.value)
            except Exception as error:
                errors.append(error)

    with local_server(manager) as server:
        clients = [
            threading.Thread(target=client, args=[server.prediction.Predict])
            for _ in range(4)
        ]
        for thread in clients:
            thread.start()
        for version in (2, 3):
            time.sleep(0.5)
            install(version)
            manager.poll()
        time.sleep(0.5)
        stop.set()
        for thread in clients:
            thread.join()
        last = server.prediction.Predict(REQUEST).model_spec.version.value
    assert not errors
    assert set(seen) == {1, 2, 3} and last == 3


def test_reloads_leave_no_session_and_no_thread(manager, install):
    base = install(1).parent
    manager.apply(model_config.single(MODEL, base))
    sessions = weakref.WeakSet()
    threads = threading.active_count()
    for version in range(2, 7):
        install(version)
        manager.poll()
        with manager.use(REQUEST.model_spec) as servable:
            servable.predict(REQUEST)
            sessions.add(servable._session)
        del servable
    assert threading.active_count() <= threads
    assert len(sessions) == 1
    assert manager.latest() == {MODEL: 6}


def test_reload_request(install, tmp_path):
    base, other = install(1).parent, install(5, tmp_path / "other").parent
    manager = ModelManager()
    manager.apply(model_config.single(MODEL, base))
    with local_server(manager) as server:
        reload = server.models.HandleReloadConfigRequest
        code, message = refusal(reload, model_management_pb2.ReloadConfigRequest())
        assert code == "INVALID_ARGUMENT"
        assert message.startswith("ServerModelConfig type not supported by HandleRel")
        for entry, code, start in [
            (model_entry("/no/such"), "INVALID_ARGUMENT", "Could not find base path"),
            (model_entry("decoder"), "INVALID_ARGUMENT", "Expected model csi_decoder"),
            (model_entry(base, x=2), "FAILED_PRECONDITION", "Request to assign label"),
            (model_entry(tmp_path), "UNKNOWN", "Some models did not become available"),
        ]:
            answer = refusal(reload, reload_request(entry))
            assert answer[0] == code and answer[1].startswith(start)
        assert manager.latest() == {MODEL: 1}

        two = model_entry(base), model_entry(other, name="other")
        assert reload(reload_request(*two)).status.error_code == 0
        labelled = model_entry(base, stable=1), model_entry(other, name="other", x=5)
        reload(reload_request(*labelled))
        request = predict(name="other", feedback_bytes=frames(random_indices(1)))
        request.model_spec.version_label = "x"
        assert server.prediction.Predict(request).model_spec.version.value == 5
        document = {"signature_name": "decode_indices", "inputs": [[0] * 25]}
        for path, status in [
            (f"{PATH}/labels/stable:predict", 200),
            (f"{PATH}/labels/x:predict", 400),
            ("/v1/models/other/labels/x:predict", 200),
        ]:
            assert rest(server, "POST", path, document)[0] == status
    manager.close()


def test_status_and_readiness_of_a_version_that_does_not_load(install, tmp_path):
    base = install(1).parent
    manager = ModelManager()
    manager.apply(model_config.single(MODEL, base))
    (install(2) / "saved_model.pb").write_bytes(b"not a model")
    manager.poll()
    with local_server(manager) as server:
        request = get_model_status_pb2.GetModelStatusRequest()
        request.model_spec.name = MODEL
        first, second = server.models.GetModelStatus(request).model_version_status
        assert (first.version, first.state, first.status.error_code) == (1, 30, 0)
        assert (second.version, second.state, second.status.error_code) == (2, 50, 2)
        assert second.status.error_message.startswith(f"cannot serve {base / '2'}")
        status, document = rest(server, "GET", f"{PATH}/versions/2")
        (entry,) = document["model_version_status"]
        assert (status, entry["state"], entry["status"]["error_code"]) == (
            *(200, "END"),
            "UNKNOWN",
        )
        assert rest(server, "GET", f"{PATH}/metadata")[0] == 200
        manager.close()
        assert rest(server, "GET", f"{PATH}/metadata")[0] == 404


def test_a_warmup_record_of_other_bytes_fails_that_version_only(install):
    base = install(1).parent
    manager = ModelManager()
    manager.apply(model_config.single(MODEL, base))
    path = install(2) / warmup_records.FILE
    path.parent.mkdir()
    with tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(b"\xff\xff random bytes")
    manager.poll()
    first, second = manager.versions(REQUEST.model_spec)
    assert (first.state, second.state) == (State.AVAILABLE, State.END)
    assert f"warm-up record 0 of {path} is no PredictionLog" in second.error
    alone = model_config.single("other", base)
    alone["other"].model_version_policy.specific.versions.append(2)
    with pytest.raises(ServingError, match="UNKNOWN: .* is no PredictionLog"):
        manager.apply({**model_config.single(MODEL, base), **alone})
    install(3)
    manager.poll()
    assert manager.latest() == {MODEL: 3}
    manager.close()


def test_an_error_of_any_kind_ends_a_load_and_not_the_polling(install, monkeypatch):
    manager = ModelManager(policy=LoadPolicy(retry_seconds=0))
    base = install(1).parent
    with monkeypatch.context() as broken:
        broken.setattr(tf.compat.v1.saved_model, "load", lambda *_: {}["key"])
        with pytest.raises(ServingError, match="cannot serve .*'key'"):
            manager.apply(model_config.single(MODEL, base))
    manager.apply(model_config.single(MODEL, base))
    assert manager.latest() == {MODEL: 1}
    manager.close()
    calls, stop = [], threading.Event()

    def action():
        calls.append(None)
        if len(calls) == 3:
            stop.set()
        raise RuntimeError("no class that anybody expects")

    repeat(0.001, action, stop)
    assert stop.wait(20)
