"""New versions, promotion and rollback: what models.config asks of a running server."""

from __future__ import annotations

from pathlib import Path

import pytest

from serving import deployment
from serving.deploying import manifests
from serving.deploying.exports import read_exports
from serving.models import model_config
from serving.models.model_manager import ModelManager
from serving.models.request_checks import ServingError
from serving.models.served_model import LoadPolicy
from serving.server import _ConfigFile
from tests.support.serving_harness import predict
from tests.support.tiny_export import frames, random_indices

pytest_plugins = ["tests.support.serving_fixtures"]
pytestmark = pytest.mark.serving
NAME = "csi_tiny"
FRAMES = frames(random_indices(2))


class Deployed:
    """A tree, and the models of a server that follows its models.config."""

    def __init__(self, root: Path):
        self.out, self._served = root / "deploy", root / "models.config"
        self.manager = ModelManager(policy=LoadPolicy(labels_for_unavailable=True))
        self._file = None

    def write(self, export: Path, *serve: int) -> None:
        tree = read_exports([str(export)], [NAME]), self.out, manifests.Cluster()
        deployment.write_tree(*tree, serve={NAME: list(serve)} if serve else None)

    def poll(self) -> None:
        """What the server does each time it looks."""
        text = (self.out / "config" / "models.config").read_text()
        self._served.write_text(text.replace('"/models/', f'"{self.out}/models/'))
        if self._file is None:
            self.manager.apply(model_config.read(self._served))
            self._file = _ConfigFile(str(self._served), self.manager)
        self._file.poll()

    def follow(self, *exports: Path) -> None:
        """Deploy one export after the other, each once the server has the last."""
        for export in exports:
            self.write(export)
            self.poll()

    def answers(self) -> dict[str, int]:
        """Version that decodes for each label and, without one, for the others."""
        (entry,) = model_config.read(self._served).values()
        found = {}
        for label in ["", *entry.version_labels]:
            request = predict(name=NAME, feedback_bytes=FRAMES)
            if label:
                request.model_spec.version_label = label
            with self.manager.use(request.model_spec) as servable:
                servable.predict(request)
                found[label] = servable.version
        return found


@pytest.fixture
def deployed(tmp_path):
    deployed = Deployed(tmp_path)
    yield deployed
    deployed.manager.close()


def test_a_running_server_follows_three_versions(exports, deployed, capsys):
    deployed.write(exports[1])
    deployed.poll()
    assert deployed.answers() == {"": 1, "stable": 1}
    deployed.write(exports[2])
    deployed.poll()
    assert deployed.answers() == {"": 2, "stable": 1, "canary": 2}
    deployed.write(exports[3])
    deployed.poll()
    assert deployed.answers() == {"": 3, "stable": 1, "canary": 2}
    deployed.write(exports[3], 2, 3)
    deployed.poll()
    assert deployed.answers() == {"": 3, "stable": 2, "canary": 3}
    assert "stays" not in capsys.readouterr().out
    request = predict(name=NAME)
    request.model_spec.version.value = 1
    with pytest.raises(ServingError, match="Specific.csi_tiny, 1"):
        deployed.manager.use(request.model_spec).__enter__()


def test_labels_wait_for_a_version_that_is_not_loaded(exports, deployed, capsys):
    deployed.follow(exports[1], exports[2])
    deployed.write(exports[3], 2, 3)  # 3 is new to the server
    assert "canary stays at 2; run this again" in capsys.readouterr().out
    deployed.poll()
    assert deployed.answers() == {"": 3, "stable": 2, "canary": 2}
    deployed.write(exports[3], 2, 3)
    deployed.poll()
    assert deployed.answers() == {"": 3, "stable": 2, "canary": 3}


def test_rollback_of_a_canary_lasts(exports, deployed, capsys):
    deployed.follow(exports[1], exports[2])
    deployed.write(exports[2], 1)
    deployed.poll()
    assert deployed.answers() == {"": 1, "stable": 1}
    capsys.readouterr()
    deployed.write(exports[2])  # still there, still not served
    assert f"2 is there and not served; to serve it: --serve={NAME}:1,2" in (
        capsys.readouterr().out
    )
    deployed.poll()
    assert deployed.answers() == {"": 1, "stable": 1}
    deployed.write(exports[3])
    deployed.poll()
    assert deployed.answers() == {"": 3, "stable": 1, "canary": 3}


def test_promotion_leaves_no_label_behind(exports, deployed):
    deployed.follow(exports[1], exports[2])
    deployed.write(exports[2], 2, 2)
    deployed.poll()
    assert deployed.answers() == {"": 2, "stable": 2, "canary": 2}
    deployed.write(exports[3])
    deployed.poll()
    assert deployed.answers() == {"": 3, "stable": 2, "canary": 2}


def test_rollback_after_a_promotion(exports, deployed, capsys):
    deployed.follow(exports[1], exports[2])
    deployed.write(exports[2], 2)
    deployed.poll()
    assert deployed.answers() == {"": 2, "stable": 2}
    deployed.write(exports[2], 1)
    assert "stable stays at 2; run this again" in capsys.readouterr().out
    deployed.poll()
    assert deployed.answers() == {"": 2, "stable": 2}
    deployed.write(exports[2], 1)
    deployed.poll()
    assert deployed.answers() == {"": 1, "stable": 1}


def test_versions_to_serve_are_checked(exports, deployed):
    deployed.write(exports[1])
    with pytest.raises(ValueError, match="csi_tiny has no version 4: put it there, or"):
        deployed.write(exports[1], 4)
    for value, match in (
        ("x:1", "--serve=x:1: expected one of the names"),
        (f"{NAME}=1", "expected NAME:VERSION,VERSION"),
        (f"{NAME}:", "expected NAME:VERSION,VERSION"),
    ):
        with pytest.raises(ValueError, match=match):
            deployment._serve_from_flags([value], [NAME])
    flags = [f"{NAME}:2,3"]
    assert deployment._serve_from_flags(flags, [NAME]) == {NAME: [2, 3]}
