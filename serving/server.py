r"""Reference server with the TensorFlow Serving API, for development and tests.

    python -m serving.server --model_base_path=export/crnet/decoder \
        --model_name=csi_decoder --port=8500 --rest_api_port=8501

Serves the latest version found under `--model_base_path`, or the models of a
`--model_config_file`, and follows changes of either. Prints one ready line once it can
answer, and on SIGTERM or SIGINT finishes the requests under way, for a few seconds, and
exits with 0.
"""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("GRPC_VERBOSITY", "NONE")

import grpc
import tensorflow as tf
from absl import flags, logging

from serving.api import grpc_service, rest, server_flags, tls
from serving.api.handlers import Handlers
from serving.models import model_config, monitoring
from serving.models.model_manager import ModelManager
from serving.models.request_checks import ServingError
from serving.stop_signals import stop_event
from tfds_builders.cli import run

# After SIGTERM: of requests under way, and of the process whatever it is doing.
GRACE_SECONDS, END_SECONDS = 8, 12


class _ConfigFile:
    """A models.config that is applied again when its text changes."""

    def __init__(self, path: str, manager: ModelManager):
        self._path = Path(path)
        self._manager = manager
        self._text = self._path.read_bytes()

    def poll(self) -> None:
        text = self._path.read_bytes()
        if text != self._text:
            self._manager.apply(model_config.read(self._path))
            self._text = text


def repeat(seconds: float, action: Callable[[], None], stop: threading.Event) -> None:
    """Call `action` every so many seconds, in a thread, until `stop`; 0: never.

    An error is logged, once if it comes again, and the calls go on.
    """
    reported = ""

    def loop() -> None:
        nonlocal reported
        while not stop.wait(seconds):
            try:
                action()
                reported = ""
            except Exception as error:  # the thread goes on: next time it may work
                text = f"{type(error).__name__}: {error}"
                if text != reported:
                    logging.error("%s", text)
                reported = text

    if seconds > 0:
        threading.Thread(target=loop, daemon=True).start()


def _load(values: flags.FlagValues, metrics: monitoring.Metrics) -> ModelManager:
    configs = server_flags.models(values)
    manager = ModelManager(
        server_flags.runtime(values, metrics), server_flags.load_policy(values)
    )
    try:
        manager.apply(configs)
    except ServingError as error:
        raise ValueError(error.message) from error
    return manager


def _follow(
    values: flags.FlagValues, manager: ModelManager, stop: threading.Event
) -> None:
    repeat(values.file_system_poll_wait_seconds, manager.poll, stop)
    seconds = values.model_config_file_poll_wait_seconds
    if values.model_config_file and seconds > 0:
        file = _ConfigFile(values.model_config_file, manager)
        repeat(seconds, file.poll, stop)


def _metrics_path(values: flags.FlagValues) -> str | None:
    if not values.monitoring_config_file:
        return None
    path = monitoring.read_path(values.monitoring_config_file)
    if path and values.rest_api_port < 0:
        raise ValueError("--monitoring_config_file: the page needs --rest_api_port")
    return path


def _credentials(values: flags.FlagValues) -> grpc.ServerCredentials | None:
    if not values.ssl_config_file:
        return None
    return tls.server_credentials(values.ssl_config_file)


def _grpc_server(
    handlers: Handlers,
    values: flags.FlagValues,
    num_threads: int,
    credentials: grpc.ServerCredentials | None,
):
    return grpc_service.create_server(
        handlers,
        f"{values.host}:{values.port}",
        num_threads,
        values.max_concurrent_rpcs,
        credentials,
    )


def _rest_server(
    handlers: Handlers,
    values: flags.FlagValues,
    num_threads: int,
    metrics_path: str | None,
) -> rest.RestServer | None:
    if values.rest_api_port < 0:
        return None
    return rest.RestServer(
        handlers,
        (values.host, values.rest_api_port),
        num_threads,
        values.rest_api_timeout_in_ms / 1000,
        metrics_path,
    )


def main(argv: list[str]) -> None:
    """Serve until SIGTERM or SIGINT."""
    values = flags.FLAGS
    server_flags.check(values)
    tf.get_logger().setLevel("ERROR")
    stop = stop_event(END_SECONDS)
    gc.freeze()  # what is imported stays: collections after a reload skip it
    metrics, metrics_path = monitoring.Metrics(), _metrics_path(values)
    credentials = _credentials(values)
    manager = _load(values, metrics)
    handlers = Handlers(manager, metrics)
    scheduler = manager.runtime.scheduler
    threads = server_flags.num_threads(values, scheduler and scheduler.parameters)
    grpc_server, port = _grpc_server(handlers, values, threads, credentials)
    rest_server = _rest_server(handlers, values, threads, metrics_path)
    _follow(values, manager, stop)
    grpc_server.start()
    rest_at = "off"
    if rest_server:
        threading.Thread(target=rest_server.serve_forever, daemon=True).start()
        rest_at = f"{values.host}:{rest_server.server_port}"
    names = (f"{name} version {v}" for name, v in manager.latest().items())
    try:
        print(
            f"serving {', '.join(names)} on grpc {values.host}:{port}, rest {rest_at}",
            flush=True,
        )
        stop.wait()
    finally:  # also where there is no room for the line
        _end(grpc_server, rest_server)
    manager.close()
    if scheduler:
        scheduler.close()


def _end(grpc_server: grpc.Server, rest_server: rest.RestServer | None) -> None:
    """Take no more requests, and wait for those under way."""
    finished = grpc_server.stop(GRACE_SECONDS)
    if rest_server:
        rest_server.shutdown()
        rest_server.server_close(GRACE_SECONDS)
    finished.wait()


if __name__ == "__main__":
    server_flags.define()
    run(main)
