"""The same UE encoder in LiteRT, ONNX Runtime, OpenVINO and PyTorch, one CSI at a time.

python -m benchmarks.encoder [--networks=crnet,clnet] [--json=FILE]

One thread each, calls in interleaved rounds in one process; the weights are random, the
engines' answers are compared before they are timed (PyTorch's network is the one that
the tests compare layer by layer). Needs the extra: pip install -e '.[bench]'.

python -m benchmarks.encoder --networks= --exports=export/pursuit --samples=h.npz

times the encoder files of exports of the pursuit instead, and the same search in NumPy,
many CSI at once: processor time per CSI. Each export has samples of its own.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np
import tensorflow as tf
from absl import flags

from benchmarks import backends
from serving.codec import plain_atoms
from serving.codec.ue_encoder import UeEncoder
from serving.ue_side import csi_source
from tfds_builders import cli
from zoo import files, registry
from zoo.codecs.search import search
from zoo.codeword.codec_graph import freeze
from zoo.keras_compat import keras

OURS, TOLERANCE = "LiteRT", 1e-4
ENGINES = ("onnxruntime", "openvino", "torch", "tf2onnx")

_NETWORKS = flags.DEFINE_list(
    "networks", ["crnet", "clnet", "csinet", "acrnet"], "networks to run"
)
_CODEWORD = flags.DEFINE_integer("codeword_dim", 512, "codeword length M", 1)
_ROUNDS = flags.DEFINE_integer("rounds", 20, "rounds", 1)
_REPEATS = flags.DEFINE_integer("repeats", 50, "calls of each engine in a round", 1)
_EXPORTS = flags.DEFINE_list("exports", [], "exports of the pursuit to time")
_SAMPLES = flags.DEFINE_list("samples", [], "CSI of each of them: .npz with key h")
_JSON = flags.DEFINE_string("json", "", "also write the result here")


def engines(name: str, codeword_dim: int, folder: Path) -> dict[str, backends.Call]:
    """The encoder of a network, ready to run in every engine.

    Args:
        name: of the network.
        codeword_dim: M.
        folder: for the converted files.
    """
    encoder = registry.build(name, codeword_dim=codeword_dim).encoder
    spec = tf.TensorSpec([1, 32, 32, 2], tf.float32, "csi")

    @tf.function(input_signature=[spec])
    def encode(csi):
        return encoder(csi, training=False)

    frozen = freeze(encode)
    csi = np.random.default_rng(0).uniform(0.45, 0.55, spec.shape).astype(np.float32)
    onnx = backends.to_onnx(
        lambda csi: frozen(csi)[0], spec, folder / f"{name}_encoder.onnx"
    )
    tflite = tf.lite.TFLiteConverter.from_concrete_functions([frozen]).convert()
    same = {
        OURS: backends.litert_call(tflite, csi),
        "ONNX Runtime": backends.onnxruntime_call(onnx, csi),
        "OpenVINO": backends.openvino_call(onnx, csi),
        "tf.function": lambda: encode(csi).numpy(),
    }
    backends.check_same(same, OURS, TOLERANCE)
    return {**same, "PyTorch eager": _torch_call(name, codeword_dim, csi)}


def _torch_call(name: str, codeword_dim: int, csi: np.ndarray) -> backends.Call:
    import torch

    from benchmarks.torch_networks import NETWORKS

    torch.set_num_threads(1)
    encoder = NETWORKS[name](codeword_dim).eval().encoder
    x = torch.from_numpy(csi.transpose(0, 3, 1, 2).copy())

    def call() -> np.ndarray:
        with torch.inference_mode():
            return encoder(x).numpy()

    return call


def measure(name: str, folder: Path) -> dict:
    """Times of one network's encoder, and by how much the best engine is faster."""
    keras.utils.set_random_seed(0)
    calls = engines(name, _CODEWORD.value, folder)
    times = backends.timed(calls, _ROUNDS.value, _REPEATS.value)
    best = min(times, key=lambda engine: times[engine]["p50_ms"])
    row = {
        "network": name,
        "codeword_dim": _CODEWORD.value,
        "engines": times,
        "best": best,
        "ours_over_best": round(times[OURS]["p50_ms"] / times[best]["p50_ms"], 3),
    }
    print(f"\n{name}, M = {_CODEWORD.value}, one CSI, one thread")
    for engine, found in times.items():
        ratio = found["p50_ms"] / times[OURS]["p50_ms"]
        print(
            f"  {engine:<16}p50 {found['p50_ms']:>7.3f} ms"
            f"  p99 {found['p99_ms']:>7.3f} ms{ratio:>7.2f} x"
        )
    return row


def measure_pursuit(export: Path, h: np.ndarray) -> dict:
    """Processor time per CSI of an encoder file, and of NumPy in batches of 128.

    Args:
        export: of `zoo.export --codec=pursuit`.
        h: zero-centred CSI float32 `[n, N_t, N_a, 2]`.
    """
    ue = UeEncoder(export / "encoder.tflite")
    stream = plain_atoms.of(ue.codec["quantizer"])
    seen = (h[..., 0] + 1j * h[..., 1])[:128]

    def by_numpy():
        found = search(stream.grid, seen, stream.num_atoms)
        return stream.encode(found.angle, found.delay, found.value)

    turn = iter(range(10**9))
    calls = {
        "LiteRT": lambda: ue.encode_bits(h[next(turn) % len(h)]),
        "NumPy": by_numpy,
    }
    repeats = {"LiteRT": _REPEATS.value, "NumPy": 1}
    turns: dict[str, list] = {name: [] for name in calls}
    for _ in range(_ROUNDS.value):
        for name, call in calls.items():
            clock = time.process_time
            turns[name].append(backends.turn(call, repeats[name], clock))
    found = {name: backends.statistics(times) for name, times in turns.items()}
    row = {
        "encoder": ue.codec["model"],
        "data set": ue.codec["normalisation"]["dataset"],
        "payload_bits": 8 * ue.codec["payload_bytes"],
        "atoms": stream.num_atoms,
        "LiteRT, one CSI [ms]": found["LiteRT"]["p50_ms"],
        "NumPy, 128 CSI, each [ms]": round(found["NumPy"]["p50_ms"] / len(seen), 4),
    }
    print(", ".join(f"{key} {value}" for key, value in row.items()))
    return row


def main(argv: list[str]) -> None:
    cli.refuse_arguments(argv)
    tf.config.threading.set_intra_op_parallelism_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        rows = [measure(name, Path(folder)) for name in _NETWORKS.value]
    if rows:
        print(f"\nx: time of an engine over that of {OURS}")
    if _EXPORTS.value:
        cli.require("samples")
        for export, samples in zip(_EXPORTS.value, _SAMPLES.value, strict=True):
            h = csi_source.load_samples(Path(samples))
            rows.append(measure_pursuit(Path(export), h))
    if _JSON.value:
        engines_of = ENGINES if _NETWORKS.value else ()
        result = {
            "rows": rows,
            **files.environment(),
            "engines": backends.versions(engines_of),
            "origin": "ours",
        }
        files.write_json(Path(_JSON.value), result)


if __name__ == "__main__":
    cli.run(main)
