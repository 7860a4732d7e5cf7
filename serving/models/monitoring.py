"""Prometheus metrics of the reference server, under TensorFlow Serving's names."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import prometheus_client

from serving.models import serving_protos
from serving.models.request_checks import ServingError

DEFAULT_PATH = "/monitoring/prometheus/metrics"
CONTENT_TYPE = prometheus_client.CONTENT_TYPE_LATEST
_PREFIX = ":tensorflow:serving:"
_LATENCY_MICROSECONDS = [10 * 1.8**power for power in range(33)]
_ROWS = [2**power for power in range(11)]


def read_path(path: Path | str) -> str | None:
    """Return the address of the page that a monitoring.config asks for, or None.

    Raises:
        OSError: no such file.
        ValueError: not a MonitoringConfig, or an address that is not absolute.
    """
    config = serving_protos.read_text(path, serving_protos.MonitoringConfig)
    if not config.prometheus_config.enable:
        return None
    page = config.prometheus_config.path or DEFAULT_PATH
    if not page.startswith("/"):
        raise ValueError(f"{path}: path {page!r}: expected one that starts with /")
    return page


class Metrics:
    """What one server counts, in a registry of its own."""

    def __init__(self):
        self._registry = prometheus_client.CollectorRegistry()
        self._requests = self._define(
            prometheus_client.Counter,
            "request_count",
            "The number of requests.",
            ["model_name", "status", "entrypoint"],
        )
        self._latency = self._define(
            prometheus_client.Histogram,
            "request_latency",
            "Wall time of a request in microseconds.",
            ["model_name", "API", "entrypoint"],
            buckets=_LATENCY_MICROSECONDS,
        )
        self._batch_size = self._define(
            prometheus_client.Histogram,
            "batching:processed_batch_size",
            "Rows of the batches run, padding included.",
            ["model_name"],
            buckets=_ROWS,
        )
        self._padding = self._define(
            prometheus_client.Histogram,
            "batching:padding_size",
            "Rows of padding in the batches run.",
            ["model_name"],
            buckets=_ROWS,
        )
        self._depth = self._define(
            prometheus_client.Gauge, "batching:queue_depth", "Requests in line.", []
        )
        self._rows = self._define(
            prometheus_client.Counter,
            "csi_row_count",
            "CSI rows answered, by the output `valid`.",
            ["model_name", "valid"],
        )

    def _define(self, kind: type, name: str, text: str, labels: list[str], **options):
        return kind(_PREFIX + name, text, labels, registry=self._registry, **options)

    @contextmanager
    def request(self, model_name: str, entrypoint: str) -> Iterator[None]:
        """Count and time the Predict request inside the block.

        Args:
            model_name: a configured model, else one name for all unknown ones: every
                new name is a new time series.
            entrypoint: GRPC or REST.
        """
        start, status = time.perf_counter(), "OK"
        try:
            yield
        except ServingError as error:
            status = error.code.name
            raise
        except Exception:
            status = "INTERNAL"
            raise
        finally:
            microseconds = 1e6 * (time.perf_counter() - start)
            self._requests.labels(model_name, status, entrypoint).inc()
            self._latency.labels(model_name, "Predict", entrypoint).observe(
                microseconds
            )

    def count_rows(self, model_name: str, outputs: Mapping[str, np.ndarray]) -> None:
        """Count valid and invalid rows, where the answer says which are."""
        valid = outputs.get("valid")
        if valid is None:
            return
        num_valid = int(np.count_nonzero(valid))
        self._rows.labels(model_name, "true").inc(num_valid)
        self._rows.labels(model_name, "false").inc(valid.size - num_valid)

    def observe_batch(self, model_name: str, rows: int, padding: int) -> None:
        """Count one batch run, `padding` of its `rows` being padding."""
        self._batch_size.labels(model_name).observe(rows)
        self._padding.labels(model_name).observe(padding)

    def watch_queue(self, depth: Callable[[], int]) -> None:
        """Show `depth()` as the number of requests in line."""
        self._depth.set_function(depth)

    def page(self) -> bytes:
        """Return the Prometheus text format."""
        text = prometheus_client.generate_latest(self._registry)
        # The library ends counters in _total; TensorFlow Serving's have bare names.
        return text.replace(b"_count_total", b"_count")
