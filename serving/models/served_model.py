"""The versions of one model: load, hand out, unload.

A version is loaded before the one it replaces is unloaded, and unloaded once the
requests that use it have ended. A version that does not load leaves the others alone.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from absl import logging
from tensorflow_serving.apis import get_model_status_pb2, model_pb2
from tensorflow_serving.config.model_server_config_pb2 import ModelConfig

from serving.models import model_config
from serving.models.request_checks import invalid_argument
from serving.models.servable import Runtime, Servable

State = get_model_status_pb2.ModelVersionStatus.State


@dataclass(eq=False)
class Version:
    """A version of a model and what became of it.

    Attributes:
        number: of the version.
        state: as GetModelStatus reports it.
        error: why it does not load; empty: it does.
        servable: while it is loaded.
        users: requests under way.
        failures: loads that failed.
        retry_at: when to load it again, on the monotonic clock.
    """

    number: int
    state: int = State.START
    error: str = ""
    servable: Servable | None = None
    users: int = 0
    failures: int = 0
    retry_at: float = 0.0


@dataclass(frozen=True)
class LoadPolicy:
    """What to do with versions that fail, and with labels (TensorFlow Serving's flags).

    Attributes:
        labels_for_unavailable: a new label may name a version that is not loaded.
        num_retries: loads after the first one that failed.
        retry_seconds: between two of them.
    """

    labels_for_unavailable: bool = False
    num_retries: int = 5
    retry_seconds: float = 60.0


@dataclass(eq=False)
class ServedModel:
    """One configured model and its versions.

    `update` and `retire` are called by one thread at a time; what they change is read
    and written under `lock`, which is never held while a version loads or unloads.
    """

    config: ModelConfig
    runtime: Runtime
    policy: LoadPolicy
    lock: threading.Lock
    versions: dict[int, Version] = field(default_factory=dict)
    trouble: str = ""

    def available(self) -> list[int]:
        """Return the versions that answer requests, ascending."""
        return sorted(n for n, v in self.versions.items() if v.state == State.AVAILABLE)

    def why_unavailable(self) -> str:
        """Return what keeps the model from being served."""
        errors = [v.error for v in self.versions.values() if v.error]
        return self.trouble or "; ".join(errors)

    def number(self, spec: model_pb2.ModelSpec) -> int | None:
        """Return the version that `spec` names by number or label; None: neither.

        Raises:
            ServingError: unknown label.
        """
        if spec.WhichOneof("version_choice") != "version_label":
            return spec.version.value if spec.HasField("version") else None
        if spec.version_label not in self.config.version_labels:
            raise invalid_argument(
                f"Unrecognized servable version label: {spec.version_label}"
            )
        return self.config.version_labels[spec.version_label]

    def release(self, version: Version) -> None:
        """End one use of `version`; the last one unloads a retired version."""
        with self.lock:
            version.users -= 1
            last = version.users == 0 and version.state == State.UNLOADING
        if last:
            self._close(version)

    def update(self) -> None:
        """Load and unload what the directories and the version policy now ask for."""
        try:
            wanted = model_config.wanted_versions(self.config)
        except OSError as error:
            if str(error) != self.trouble:
                logging.error("model %s: %s", self.config.name, error)
            self.trouble = str(error)
            return
        self.trouble = ""
        for number, directory in wanted.items():
            if self._is_due(number):
                self._load(number, directory)
        # A model is not left without a version because the wanted ones do not load.
        if set(wanted) & set(self.available()):
            self.retire(set(self.versions) - set(wanted))

    def retire(self, numbers: Iterable[int]) -> None:
        """Unload the versions `numbers`; one in use ends with its last request."""
        for number in sorted(numbers):
            version = self.versions[number]
            with self.lock:
                if version.error:
                    del self.versions[number]  # if it comes back, it may be whole
                if version.state != State.AVAILABLE:
                    continue
                version.state = State.UNLOADING
                idle = version.users == 0
            if idle:
                self._close(version)

    def _is_due(self, number: int) -> bool:
        version = self.versions.get(number)
        if version is None or version.state != State.END:
            return version is None
        if not version.error:
            return True
        retries_left = version.failures <= self.policy.num_retries
        return retries_left and time.monotonic() >= version.retry_at

    def _load(self, number: int, directory: Path) -> None:
        before = self.versions.get(number)
        version = Version(number, State.LOADING)
        version.failures = before.failures if before else 0
        with self.lock:
            self.versions[number] = version
        try:
            servable = Servable(directory, self.runtime, self.config.name)
        except Exception as error:  # else it would stay LOADING, never tried again
            with self.lock:
                version.state, version.error = State.END, str(error)
                version.failures += 1
                version.retry_at = time.monotonic() + self.policy.retry_seconds
            logging.error("%s", error)
            return
        with self.lock:
            version.servable, version.state = servable, State.AVAILABLE
        logging.info("model %s: version %d is available", self.config.name, number)

    def _close(self, version: Version) -> None:
        version.servable.close()
        with self.lock:
            version.servable, version.state = None, State.END
        logging.info(
            "model %s: version %d is unloaded", self.config.name, version.number
        )
