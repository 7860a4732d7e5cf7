"""Configuration, version policies, labels and states of the models of a server."""

from __future__ import annotations

import shutil
import weakref

import pytest
from google.protobuf import text_format
from tensorflow_serving.apis import model_pb2
from tensorflow_serving.config.model_server_config_pb2 import (
    ModelConfig,
    ModelServerConfig,
)

from serving.models import model_config
from serving.models.model_manager import ModelManager
from serving.models.request_checks import ServingError
from serving.models.served_model import LoadPolicy, State
from tests.support.serving_harness import MODEL, model_entry, models_config, predict
from tests.support.tiny_export import FRAME_BYTES

pytest_plugins = ["tests.support.serving_fixtures"]
pytestmark = pytest.mark.serving


def configs(*entries):
    config = text_format.Parse(models_config(*entries), ModelServerConfig())
    return model_config.check(config.model_config_list)


def states(manager, name=MODEL):
    versions = manager.versions(model_pb2.ModelSpec(name=name))
    return {v.number: State.Name(v.state) for v in versions}


def served(manager, name=MODEL, label=None):
    """Version that answers a request."""
    spec = model_pb2.ModelSpec(name=name, version_label=label)
    with manager.use(spec) as servable:
        servable.predict(predict(feedback_bytes=[bytes(FRAME_BYTES)]))
        return servable.version


@pytest.fixture
def manager():
    manager = ModelManager(policy=LoadPolicy(num_retries=1, retry_seconds=0))
    yield manager
    manager.close()


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("", [10]),
        ("latest {}", [10]),
        ("latest { num_versions: 2 }", [2, 10]),
        ("all {}", [1, 2, 10]),
        ("specific { versions: 2 versions: 3 }", [2]),
    ],
)
def test_version_policy(tmp_path, policy, expected):
    for name in ("1", "2", "10", "x", "-1", "2.tmp"):
        (tmp_path / name).mkdir()
    (tmp_path / "17").touch()
    config = ModelConfig(base_path=str(tmp_path))
    text_format.Parse(policy, config.model_version_policy)
    found = model_config.wanted_versions(config)
    assert found == {number: tmp_path / str(number) for number in expected}


def test_names_that_are_no_int64_are_no_versions(tmp_path):
    for name in ("1", str(2**63 - 1), str(2**63), "9" * 200, "3x", "²", "-1", "007"):
        (tmp_path / name).mkdir()
    (tmp_path / "5").write_text("a file")
    config = ModelConfig(base_path=str(tmp_path))
    config.model_version_policy.all.SetInParent()
    assert list(model_config.wanted_versions(config)) == [1, 7, 2**63 - 1]


def test_version_policy_without_versions(tmp_path):
    config = ModelConfig(base_path=str(tmp_path / "none"))
    with pytest.raises(FileNotFoundError, match="none is not a directory"):
        model_config.wanted_versions(config)
    config.base_path = str(tmp_path)
    with pytest.raises(FileNotFoundError, match="no version under"):
        model_config.wanted_versions(config)
    (tmp_path / "1").mkdir()
    config.model_version_policy.specific.versions.append(3)
    with pytest.raises(FileNotFoundError, match=r"no version \[3\] .*found \[1\]"):
        model_config.wanted_versions(config)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model_config_list { config {", "is not a text ModelServerConfig: "),
        ("", "expected a model_config_list"),
        (models_config(model_entry("/", name="")), "has no name"),
        (models_config(model_entry("/"), model_entry("/")), "multiple times in config"),
        (models_config(model_entry("a/b")), "have an absolute path; got .*=a/b"),
        (models_config(model_entry("/no/such")), "Could not find base path /no/such"),
        (
            models_config(model_entry("/")).replace("tensorflow", "other"),
            "model_platform 'other': expected \"tensorflow\"",
        ),
    ],
)
def test_a_wrong_models_config_is_refused(tmp_path, text, message):
    path = tmp_path / "models.config"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        model_config.read(path)


def test_a_new_version_is_loaded_before_the_old_one_goes(manager, install):
    base = install(1).parent
    manager.apply(model_config.single(MODEL, base))
    with manager.use(model_pb2.ModelSpec(name=MODEL)) as servable:
        session = weakref.ref(servable._session)
        install(2)
        manager.poll()
        assert states(manager) == {1: "UNLOADING", 2: "AVAILABLE"}
        assert served(manager) == 2
        servable.predict(predict(feedback_bytes=[bytes(FRAME_BYTES)]))
        with pytest.raises(ServingError, match=rf"Specific\({MODEL}, 1\)"):
            spec = model_pb2.ModelSpec(name=MODEL)
            spec.version.value = 1
            with manager.use(spec):
                pass
    assert states(manager) == {1: "END", 2: "AVAILABLE"}
    assert session() is None
    shutil.rmtree(base / "2")  # back to the version before
    manager.poll()
    assert states(manager) == {1: "AVAILABLE", 2: "END"}


def test_a_version_that_fails_leaves_the_old_one(manager, install, caplog):
    base = install(1).parent
    manager.apply(model_config.single(MODEL, base))
    broken = install(2) / "saved_model.pb"
    whole = broken.read_bytes()
    broken.write_bytes(b"not a model")
    manager.poll()
    assert states(manager) == {1: "AVAILABLE", 2: "END"}
    _, version = manager.versions(model_pb2.ModelSpec(name=MODEL))
    assert version.error.startswith(f"cannot serve {base / '2'}: ")
    assert version.error in caplog.text
    assert served(manager) == 1
    manager.poll()  # the one retry of this policy
    broken.write_bytes(whole)
    manager.poll()
    assert states(manager)[2] == "END"
    shutil.rmtree(base / "2")
    manager.poll()
    install(2)
    manager.poll()
    assert states(manager) == {1: "END", 2: "AVAILABLE"}


def test_an_empty_base_path_unloads_nothing(manager, install, caplog):
    base = install(1).parent
    manager.apply(model_config.single(MODEL, base))
    base.rename(base.with_name("away"))
    for _ in range(3):
        manager.poll()
    assert served(manager) == 1
    assert caplog.text.count("is not a directory") == 1


def test_labels_need_loaded_versions_unless_allowed(manager, install):
    base = install(1).parent
    install(2)
    all_of_them = model_entry(base, "all {}", stable=1, canary=2)
    with pytest.raises(ServingError, match="FAILED_PRECONDITION: Request to assign"):
        manager.apply(configs(all_of_them))
    manager.apply(configs(model_entry(base, "all {}")))
    manager.apply(configs(all_of_them))
    assert (served(manager, label="stable"), served(manager, label="canary")) == (1, 2)
    manager.apply(configs(model_entry(base, "all {}", stable=2)))
    assert served(manager, label="stable") == 2
    with pytest.raises(ServingError, match="Unrecognized servable version label: can"):
        served(manager, label="canary")

    lenient = ModelManager(policy=LoadPolicy(labels_for_unavailable=True))
    lenient.apply(configs(model_entry(base, "all {}", stable=1, next=3)))
    with pytest.raises(ServingError, match=rf"NOT_FOUND: .*Specific\({MODEL}, 3\)"):
        served(lenient, label="next")
    with pytest.raises(ServingError, match="not currently available for inference"):
        lenient.apply(configs(model_entry(base, "all {}", stable=3)))
    lenient.close()


def test_models_come_go_and_move(manager, install, tmp_path):
    base = install(1).parent
    manager.apply(configs(model_entry(base)))
    other = install(1, tmp_path / "other").parent
    manager.apply(configs(model_entry(base), model_entry(other, name="b")))
    assert manager.latest() == {MODEL: 1, "b": 1}
    empty = tmp_path / "empty"
    empty.mkdir()
    message = rf"UNKNOWN: Some models did not become available: {{{MODEL}: no version"
    with pytest.raises(ServingError, match=message):
        manager.apply(configs(model_entry(empty), model_entry(other, name="c")))
    # What loads is served, and the model that moved to nowhere goes on.
    assert manager.latest() == {"c": 1, MODEL: 1}
    install(7, tmp_path / "third")
    manager.apply(configs(model_entry(tmp_path / "third")))
    assert manager.latest() == {MODEL: 7}
    with pytest.raises(ServingError, match="any versions of model c"):
        states(manager, "c")
