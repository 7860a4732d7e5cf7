"""models.config: which models, which of their versions, which labels.

The message is TensorFlow Serving's ModelServerConfig, as text in a file or inside a
HandleReloadConfigRequest. A model's configuration is its ModelConfig.
"""

from __future__ import annotations

import os
from pathlib import Path

from tensorflow_serving.config.model_server_config_pb2 import (
    ModelConfig,
    ModelConfigList,
    ModelServerConfig,
)

from serving.models import serving_protos
from zoo import files

PLATFORM = "tensorflow"
MAX_MODELS, MAX_ENTRIES = 1000, 1000  # of a configuration; versions, labels of a model
MAX_CHARS = 4096  # of a path, as Linux has it


def read(path: Path | str) -> dict[str, ModelConfig]:
    """Read a models.config.

    Returns:
        Model name -> configuration.

    Raises:
        OSError: no such file.
        ValueError: not a ModelServerConfig, or not one that `check` accepts.
    """
    config = serving_protos.read_text(path, ModelServerConfig)
    if not config.HasField("model_config_list"):
        raise ValueError(f"{path}: expected a model_config_list")
    return check(config.model_config_list)


def single(name: str, base_path: Path | str) -> dict[str, ModelConfig]:
    """Return the configuration that serves the latest version of one model.

    Raises:
        ValueError: an empty name, or no such directory.
    """
    models = ModelConfigList()
    path = str(Path(base_path).absolute())
    models.config.add(name=name, base_path=path, model_platform=PLATFORM)
    return check(models)


def check(models: ModelConfigList) -> dict[str, ModelConfig]:
    """Return model name -> configuration.

    Raises:
        ValueError: a name twice or missing, another platform, a base path that is
            relative or does not exist, more of anything than `MAX_MODELS` and its
            siblings allow.
    """
    if len(models.config) > MAX_MODELS:
        raise ValueError(
            f"{len(models.config)} models: expected at most {MAX_MODELS} in a config "
            "list"
        )
    configs = {}
    for model in models.config:
        if model.name in configs:
            raise ValueError(
                f"Illegal to list model {model.name} multiple times in config list"
            )
        _check_model(model)
        configs[model.name] = model
    return configs


def _check_model(model: ModelConfig) -> None:
    _check_sizes(model)
    if not model.name:
        raise ValueError("ModelConfig has no name specified: expected a name")
    if model.model_platform != PLATFORM:
        raise ValueError(
            f"model {model.name} has model_platform {model.model_platform!r}: "
            f'expected "{PLATFORM}"'
        )
    if not Path(model.base_path).is_absolute():
        raise ValueError(
            f"Expected model {model.name} to have an absolute path; got "
            f"base_path()={model.base_path}"
        )
    if not os.path.isdir(model.base_path):
        raise ValueError(
            f"Could not find base path {model.base_path} for servable {model.name}: "
            "expected a directory of version directories"
        )


def _check_sizes(model: ModelConfig) -> None:
    """Whoever reaches the port can send a configuration: it must not take minutes."""
    policy = model.model_version_policy
    for what, size, most in (
        ("characters of its name", len(model.name), MAX_CHARS),
        ("characters of its base path", len(model.base_path), MAX_CHARS),
        ("versions", len(policy.specific.versions), MAX_ENTRIES),
        ("labels", len(model.version_labels), MAX_ENTRIES),
    ):
        if size > most:
            raise ValueError(
                f"model {model.name[:40]} has {size} {what}: expected at most {most}"
            )


def wanted_versions(model: ModelConfig) -> dict[int, Path]:
    """Apply the version policy of `model` to the directories there are now.

    A specific version that is not there is left out.

    Returns:
        Version -> directory, ascending.

    Raises:
        FileNotFoundError: no base path, or none of the wanted versions in it.
    """
    base_path = Path(model.base_path)
    if not base_path.is_dir():
        raise FileNotFoundError(f"model base path {base_path} is not a directory")
    found = files.versions(base_path)
    if not found:
        raise FileNotFoundError(
            f"no version under {base_path}: expected directories named 1, 2, ..."
        )
    versions = list(found)
    policy = model.model_version_policy
    choice = policy.WhichOneof("policy_choice")
    if choice == "specific":
        versions = sorted(set(policy.specific.versions) & set(found))
    elif choice != "all":
        versions = versions[-(policy.latest.num_versions or 1) :]
    if not versions:
        raise FileNotFoundError(
            f"no version {sorted(policy.specific.versions)} under {base_path}: "
            f"found {sorted(found)}"
        )
    return {version: found[version] for version in versions}
