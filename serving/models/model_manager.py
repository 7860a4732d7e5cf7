"""The models of a server: configured, reloaded and found by name."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

import grpc
from tensorflow_serving.apis import model_pb2
from tensorflow_serving.config.model_server_config_pb2 import ModelConfig

from serving.models.request_checks import ServingError, invalid_argument
from serving.models.servable import Runtime, Servable
from serving.models.served_model import LoadPolicy, ServedModel, Version


def _not_found(message: str) -> ServingError:
    return ServingError(grpc.StatusCode.NOT_FOUND, message)


class ModelManager:
    """Loaded versions of the configured models; all methods are thread-safe.

    Args:
        runtime: limits, session configuration and batching of each version.
        policy: of labels and failing versions.
    """

    def __init__(
        self, runtime: Runtime | None = None, policy: LoadPolicy | None = None
    ):
        self.runtime = runtime or Runtime()
        self._policy = policy or LoadPolicy()
        self._models: dict[str, ServedModel] = {}
        self._loading = threading.Lock()  # one `apply`, `poll` or `close` at a time
        self._lock = threading.Lock()  # short: names, states, counts of users

    def apply(self, configs: Mapping[str, ModelConfig]) -> None:
        """Serve `configs` and nothing else; returns once everything is loaded.

        Args:
            configs: model name -> checked configuration.

        Raises:
            ServingError: a label on a version that is not available (nothing changes
                then), or models none of whose versions load (the others are served,
                and a model that had another base path goes on with that one).
        """
        with self._loading:
            self._check_labels(configs)
            staged = {name: self._staged(config) for name, config in configs.items()}
            before = self._models
            with self._lock:  # new names are visible while they load
                self._models = {**staged, **before}
            for model in staged.values():
                model.update()
            failed = {n: m for n, m in staged.items() if not m.available()}
            with self._lock:
                goes_on = {n: before[n] for n in failed if n in before}
                self._models = {**staged, **goes_on}
            kept = list(self._models.values())
            for model in [*before.values(), *staged.values()]:
                if model not in kept:
                    model.retire(model.versions)
        if failed:
            why = "; ".join(f"{n}: {m.why_unavailable()}" for n, m in failed.items())
            raise ServingError(
                grpc.StatusCode.UNKNOWN,
                f"Some models did not become available: {{{why}}}",
            )

    def poll(self) -> None:
        """Load and unload what the version directories now ask for."""
        with self._loading:
            for model in self._models.values():
                model.update()

    def close(self) -> None:
        """Unload everything; a version in use ends with its last request."""
        with self._loading:
            with self._lock:
                models, self._models = self._models, {}
            for model in models.values():
                model.retire(model.versions)

    def latest(self) -> dict[str, int]:
        """Return the latest available version of each model that has one, by name."""
        with self._lock:
            available = {n: m.available() for n, m in sorted(self._models.items())}
        return {name: versions[-1] for name, versions in available.items() if versions}

    def has(self, name: str) -> bool:
        """Return whether a model of that name is configured."""
        return name in self._models

    @contextmanager
    def use(self, spec: model_pb2.ModelSpec) -> Iterator[Servable]:
        """Yield the version that `spec` asks for (without one, the latest).

        It is not unloaded before the block ends.

        Raises:
            ServingError: empty or unknown name, version or label.
        """
        with self._lock:
            model, version = self._find(spec)
            version.users += 1
        try:
            yield version.servable
        finally:
            model.release(version)

    def versions(self, spec: model_pb2.ModelSpec) -> list[Version]:
        """Return copies of the versions whose status `spec` asks for.

        Raises:
            ServingError: unknown name, version or label.
        """
        with self._lock:
            model = self._models.get(spec.name)
            known = model.versions if model else {}
            number = self._number(spec)
            if number is not None and number not in known:
                raise _not_found(
                    f"Could not find version {number} of model {spec.name}"
                )
            if not known:
                raise _not_found(f"Could not find any versions of model {spec.name}")
            asked = sorted(known) if number is None else [number]
            return [replace(known[n], servable=None) for n in asked]

    def _number(self, spec: model_pb2.ModelSpec) -> int | None:
        if spec.name in self._models:
            return self._models[spec.name].number(spec)
        if spec.version_label:
            raise invalid_argument(
                f"Unrecognized servable version label: {spec.version_label}"
            )
        return spec.version.value if spec.HasField("version") else None

    def _find(self, spec: model_pb2.ModelSpec) -> tuple[ServedModel, Version]:
        if not spec.name:
            raise invalid_argument("ModelSpec has no name specified.")
        number = self._number(spec)
        model = self._models.get(spec.name)
        available = model.available() if model else []
        if number is None and available:
            number = available[-1]
        if number not in available:
            wanted = f"Latest({spec.name})"
            if number is not None:
                wanted = f"Specific({spec.name}, {number})"
            raise _not_found(f"Servable not found for request: {wanted}")
        return model, model.versions[number]

    def _staged(self, config: ModelConfig) -> ServedModel:
        model = self._models.get(config.name)
        if model is None or model.config.base_path != config.base_path:
            return ServedModel(config, self.runtime, self._policy, self._lock)
        with self._lock:
            model.config = config
        return model

    def _check_labels(self, configs: Mapping[str, ModelConfig]) -> None:
        for name, config in configs.items():
            model = self._models.get(name)
            known = model.config.version_labels if model else {}
            available = model.available() if model else []
            for label, number in config.version_labels.items():
                unmoved = label not in known or known[label] == number
                allowed = self._policy.labels_for_unavailable and unmoved
                if number not in available and not allowed:
                    raise ServingError(
                        grpc.StatusCode.FAILED_PRECONDITION,
                        f"Request to assign label {label} to version {number} of model "
                        f"{name}, which is not currently available for inference",
                    )
