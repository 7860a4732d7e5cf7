"""Warm-up records of a version, and the answers that they should get.

TensorFlow Serving replays the requests while it loads a version and leaves the answers
alone. Our server compares them: a version that loads and answers otherwise, because it
was damaged or because the machine computes wrongly, is not served.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import prediction_log_pb2

from tfds_builders.untrusted import records

FILE = "assets.extra/tf_serving_warmup_requests"
MOST = 1000
TOLERANCE = 1e-4  # of CSI of a norm below 1, on another processor


def read(path: Path) -> Iterator[prediction_log_pb2.PredictLog]:
    """Read requests, and the answers where they are there.

    Raises:
        OSError: no such file.
        ValueError: damaged, too many records, or one that is no logged Predict request.
    """
    with records.named([path]):
        for count, record in enumerate(tf.data.TFRecordDataset(str(path))):
            yield _log(path, count, record.numpy())


def _log(path: Path, count: int, record: bytes) -> prediction_log_pb2.PredictLog:
    try:
        log = prediction_log_pb2.PredictionLog.FromString(record)
    except DecodeError as error:
        raise ValueError(
            f"warm-up record {count} of {path} is no PredictionLog: write the file "
            "again, or remove it"
        ) from error
    if count == MOST or not log.HasField("predict_log"):
        raise ValueError(
            f"warm-up record {count} of {path}: expected at most {MOST} records, "
            "all of them predict_log"
        )
    return log.predict_log


def difference(
    log: prediction_log_pb2.PredictLog, found: Mapping[str, np.ndarray]
) -> str:
    """What of an answer is not as recorded; '' where nothing is.

    Args:
        log: a record; one without an answer differs from none.
        found: what was answered, by output.
    """
    for name, tensor in log.response.outputs.items():
        expected = tf.make_ndarray(tensor)
        got = found.get(name)
        if got is None:
            return f"{name} is missing"
        if got.shape != expected.shape:
            return f"{name} has shape {got.shape}, recorded was {expected.shape}"
        if expected.dtype == object:  # text
            close = got == expected
        else:
            close = np.isclose(got, expected, rtol=0, atol=TOLERANCE, equal_nan=True)
        if not close.all():
            return f"{name} differs in {(~close).sum()} of {close.size} values"
    return ""
