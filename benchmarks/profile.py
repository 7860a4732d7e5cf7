"""Where a training step spends its time, by kind of operation, on one thread.

python -m benchmarks.profile --network=crnet --mode=fused [--json=FILE]

TF_ENABLE_ONEDNN_OPTS=0 in the environment leaves out what the zoo switches on.
"""

from __future__ import annotations

import collections
import os
import re
import tempfile
from pathlib import Path

import zoo  # noqa: F401  before TensorFlow: it sets oneDNN

# isort: split
import tensorflow as tf
from absl import flags

from benchmarks import keras_speed, worker
from tfds_builders import cli
from zoo import files

STEPS = 5
EXECUTOR = {"Run", "Process", "Start", "Execute", "Done"}  # they contain the others
KINDS = {
    "convolution": "Conv2D",
    "matrix product": "MatMul",
    "fused kernels (XLA)": "ExecuteAsyncOnStream",
}

_JSON = flags.DEFINE_string("json", "", "also write the result here")


def operation_milliseconds(log_dir: str) -> collections.Counter:
    """Milliseconds per operation type in a profile written by tf.profiler."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    space = xplane_pb2.XSpace()
    (path,) = Path(log_dir).glob("**/*.xplane.pb")
    space.ParseFromString(path.read_bytes())
    totals = collections.Counter()
    for plane in space.planes:
        for event in (event for line in plane.lines for event in line.events):
            name = plane.event_metadata[event.metadata_id].name
            operation = re.search(r":([A-Z_]\w+)$", name)
            if operation and operation[1] not in EXECUTOR:
                totals[operation[1]] += event.duration_ps / 1e9
    return totals


def profile(step: worker.Step) -> dict[str, float]:
    """Milliseconds per step and kind, over `STEPS` steps after warm-up."""
    for _ in range(worker.WARM_UP):
        step()
    with tempfile.TemporaryDirectory() as log_dir:
        tf.profiler.experimental.start(log_dir)
        for _ in range(STEPS):
            step()
        tf.profiler.experimental.stop()
        totals = operation_milliseconds(log_dir)
    kinds = dict.fromkeys([*KINDS, "everything else"], 0.0)
    for operation, milliseconds in totals.items():
        kind = [name for name, word in KINDS.items() if word in operation]
        kinds[kind[0] if kind else "everything else"] += milliseconds / STEPS
    return {kind: round(value, 1) for kind, value in kinds.items()}


def main(argv: list[str]) -> None:
    cli.refuse_arguments(argv)
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    kinds = profile(keras_speed.prepare()[1])
    for kind, milliseconds in kinds.items():
        print(f"{kind:<22}{milliseconds:>9.1f} ms")
    if _JSON.value:
        result = {
            "network": worker.NETWORK.value,
            "codeword_dim": worker.CODEWORD.value,
            "batch_size": worker.BATCH.value,
            "cpu_step": keras_speed.MODE.value,
            "onednn": os.environ["TF_ENABLE_ONEDNN_OPTS"] == "1",
            "ms": kinds,
            **files.environment(),
            "origin": "ours",
        }
        files.write_json(Path(_JSON.value), result)


if __name__ == "__main__":
    cli.run(main)
