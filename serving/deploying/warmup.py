"""Warm-up records of a served decoder: the first request must not be the slow one.

TensorFlow Serving replays `assets.extra/tf_serving_warmup_requests` while it loads a
version; a record that fails makes the load fail, so they are written from the codec of
the export that they travel with. Each holds its answer, too, which our server compares
by itself, and `python -m serving.deployment --ask` with any server.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from serving.codec import bitstream
from serving.codec.framing import Framer
from serving.models import allowed_ops, warmup_records
from serving.models.request_checks import ServingError
from serving.models.servable import Runtime, Servable
from serving.ue_side.decoder_client import decode_request

BATCH_SIZES = (1, 2, 4, 8, 16, 32)


def warmup_inputs(codec: dict, rows: int) -> dict[str, np.ndarray]:
    """Valid input of `serving_default`: frames of random indices, and a flat uplink.

    Indices are of the lower half, which every quantiser has: a grid that is no power
    of 2 ends above it.

    Args:
        codec: content of codec.json.
        rows: batch size n.

    Returns:
        `feedback_bytes`, n bytes objects, and where the decoder takes it `uplink`
        float32 `[n, 32, 32]`.
    """
    rng = np.random.default_rng(rows)
    sections = codec.get("sections") or [[codec["codeword_dim"], codec["bits"]]]
    drawn = [
        rng.integers(0, 1 << max(1, bits - 1), (rows, count))
        for count, bits in sections
    ]
    payloads = bitstream.pack_sections(np.concatenate(drawn, axis=1), sections)
    framed = Framer(codec, start=0)
    frames = [framed(payload.tobytes()) for payload in payloads]
    inputs = {"feedback_bytes": np.array(frames, object)}
    if codec.get("uplink"):
        inputs["uplink"] = np.full((rows, *codec["csi_shape"][:2]), 0.01, np.float32)
    return inputs


def write_warmup(
    version: Path,
    model: str,
    codec: dict,
    batch_sizes: Iterable[int] = BATCH_SIZES,
    ops: frozenset[str] | None = allowed_ops.DEFAULT,
) -> None:
    """Write the warm-up file of a version directory, one record per batch size.

    Args:
        version: directory with saved_model.pb.
        model: name it will be served under.
        codec: content of codec.json of its export.
        batch_sizes: every size that the server's batches can have.
        ops: operations that its graph may have; None: all.

    Raises:
        ValueError: the version does not load, or refuses a request.
    """
    with contextlib.closing(Servable(version, Runtime(allowed_ops=ops))) as servable:
        logs = [_log(servable, model, codec, rows) for rows in batch_sizes]
    path = version / warmup_records.FILE
    path.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for log in logs:
            writer.write(log.SerializeToString())


def _log(
    servable: Servable, model: str, codec: dict, rows: int
) -> prediction_log_pb2.PredictionLog:
    """A request and the answer that it gets here."""
    inputs = warmup_inputs(codec, rows)
    log = prediction_log_pb2.PredictionLog()
    log.predict_log.request.CopyFrom(
        decode_request(
            inputs["feedback_bytes"],
            inputs.get("uplink"),
            name=model,
            signature_name="serving_default",
        )
    )
    try:
        answer = servable.predict(log.predict_log.request)
    except ServingError as error:
        raise ValueError(
            f"decoder of {model}: refuses {rows} frames: {error}"
        ) from error
    for name, values in answer.items():
        log.predict_log.response.outputs[name].CopyFrom(tf.make_tensor_proto(values))
    return log


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
            servable.predict(log.request)["valid"].all()
            for log in warmup_records.read(version / warmup_records.FILE)
        ]
    if not valid or not all(valid):
        raise ValueError(
            f"{version}: the decoder refuses the frames of its own codec.json; the "
            "two are of different exports, export again"
        )
