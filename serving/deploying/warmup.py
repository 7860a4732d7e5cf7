"""Warm-up records of a served decoder: the first request must not be the slow one.

TensorFlow Serving replays `assets.extra/tf_serving_warmup_requests` while it loads a
version; a record that fails makes the load fail, so they are written from the codec of
the export that they travel with.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from serving.codec import bitstream
from serving.models import allowed_ops
from serving.models.servable import WARMUP_FILE, Runtime, Servable, warmup_requests
from serving.ue_side.decoder_client import decode_request

BATCH_SIZES = (1, 2, 4, 8, 16, 32)


def warmup_inputs(codec: dict, rows: int) -> dict[str, np.ndarray]:
    """Valid input of `serving_default`: frames of the index 0, and a flat uplink.

    Args:
        codec: content of codec.json.
        rows: batch size n.

    Returns:
        `feedback_bytes`, n bytes objects, and where the decoder takes it `uplink`
        float32 `[n, 32, 32]`.
    """
    payload = bytes(codec["payload_bytes"])
    frame = bitstream.frame(payload, bytes.fromhex(codec["model_id"]))
    inputs = {"feedback_bytes": np.array([frame] * rows, object)}
    if codec.get("uplink"):
        inputs["uplink"] = np.full((rows, *codec["csi_shape"][:2]), 0.01, np.float32)
    return inputs


def write_warmup(
    version: Path, model: str, codec: dict, batch_sizes: Iterable[int] = BATCH_SIZES
) -> None:
    """Write the warm-up file of a version directory, one record per batch size.

    Args:
        version: directory with saved_model.pb.
        model: name it will be served under.
        codec: content of codec.json of its export.
        batch_sizes: every size that the server's batches can have.
    """
    path = version / WARMUP_FILE
    path.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for rows in batch_sizes:
            inputs = warmup_inputs(codec, rows)
            request = decode_request(
                inputs["feedback_bytes"],
                inputs.get("uplink"),
                name=model,
                signature_name="serving_default",
            )
            log = prediction_log_pb2.PredictionLog()
            log.predict_log.request.CopyFrom(request)
            writer.write(log.SerializeToString())


def replay(version: Path, ops: frozenset[str] | None = allowed_ops.DEFAULT) -> None:
    """Load a version as the server does and check that it decodes its warm-up records.

    Args:
        version: its directory.
        ops: operations that its graph may have; None: all.

    Raises:
        ValueError: it does not load, a record fails, or a warm-up row is not valid.
    """
    with contextlib.closing(Servable(version, Runtime(allowed_ops=ops))) as servable:
        valid = [
            servable.predict(request)["valid"].all()
            for request in warmup_requests(version / WARMUP_FILE)
        ]
    if not valid or not all(valid):
        raise ValueError(
            f"{version}: the decoder refuses the frames of its own codec.json; the "
            "two are of different exports, export again"
        )
