"""One frozen TensorFlow function in several inference engines, timed side by side.

Every engine gets one thread and the same input; in each round all run some calls one
after another, so that what else the machine does meets all of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf

from serving.codec import bitstream
from serving.codec.framing import Framer
from serving.models import model_config

Call = Callable[[], np.ndarray]
ONE_THREAD = {"intra_op": 1, "inter_op": 1}  # threads of a session
OPSET = 18
WARM_UP = 5


def latest_decoder(export: Path) -> Path:
    """Version directory that a server of this export would load."""
    (config,) = model_config.single("decoder", export / "decoder").values()
    (path,) = model_config.wanted_versions(config).values()
    return path


def saved_model_function(path: Path, signature: str, input_name: str):
    """Function of a signature's input to its output `h`, and its TensorSpec."""
    loaded = tf.saved_model.load(str(path))
    call = loaded.signatures[signature]
    spec = call.structured_input_signature[1][input_name]

    @tf.function(input_signature=[spec])
    def function(x):
        return call(**{input_name: x})["h"]

    function.keep = loaded  # or what its signatures captured would be gone
    return function, spec


def make_indices(codec: dict, rows: int) -> np.ndarray:
    """Random quantiser indices int32 `[rows, n]`."""
    rng = np.random.default_rng(0)
    parts = [rng.integers(0, 2**b, (rows, n)) for n, b in codec["sections"]]
    return np.concatenate(parts, axis=1).astype(np.int32)


def make_frames(codec: dict, indices: np.ndarray) -> list[bytes]:
    """Frames of indices."""
    payloads = bitstream.pack_sections(indices, codec["sections"])
    framed = Framer(codec)
    return [framed(p.tobytes()) for p in payloads]


def session_calls(
    path: Path, feeds: dict, threads: dict[str, int] = ONE_THREAD
) -> dict[str, Call]:
    """The SavedModel in a session: a call by signature in `feeds`.

    `intra_op` of a process is what its first session or eager operation sets.
    """
    config = tf.compat.v1.ConfigProto(
        intra_op_parallelism_threads=threads["intra_op"],
        inter_op_parallelism_threads=threads["inter_op"],
        use_per_session_threads=True,  # or the first session's would be used
    )
    session = tf.compat.v1.Session(graph=tf.Graph(), config=config)
    with session.graph.as_default():
        loaded = tf.compat.v1.saved_model.load(session, ["serve"], str(path))
    calls = {}
    for name, value in feeds.items():
        signature = loaded.signature_def[name]
        (source,) = signature.inputs.values()
        run = session.make_callable(signature.outputs["h"].name, [source.name])
        calls[name] = lambda run=run, value=value: run(value)
    return calls


def to_onnx(function, spec: tf.TensorSpec, path: Path) -> Path:
    """Convert a TensorFlow function of one tensor without variables to an ONNX file."""
    import tf2onnx

    tf2onnx.convert.from_function(
        tf.function(function), [spec], opset=OPSET, output_path=str(path)
    )
    return path


def onnxruntime_call(path: Path, x: np.ndarray) -> Call:
    """ONNX Runtime on its CPU provider."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        str(path), options, providers=["CPUExecutionProvider"]
    )
    feeds = {session.get_inputs()[0].name: x}
    return lambda: session.run(None, feeds)[0]


def openvino_call(path: Path, x: np.ndarray) -> Call:
    """OpenVINO on the CPU, float32 arithmetic, from an ONNX file."""
    import openvino

    core = openvino.Core()
    model = core.read_model(str(path))
    model.reshape(list(x.shape))
    settings = {
        "INFERENCE_NUM_THREADS": 1,
        "INFERENCE_PRECISION_HINT": "f32",
        "PERFORMANCE_HINT": "LATENCY",
    }
    request = core.compile_model(model, "CPU", settings).create_infer_request()

    def call() -> np.ndarray:
        request.infer([x], share_inputs=True)
        return request.get_output_tensor().data

    return call


def litert_call(content: bytes, x: np.ndarray, output: str = "") -> Call:
    """LiteRT with XNNPACK on a converted function of one input.

    Args:
        content: TFLite file.
        x: its input.
        output: name of the tensor to return; the first one without it.
    """
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=content, num_threads=1)
    source = interpreter.get_input_details()[0]["index"]
    interpreter.resize_tensor_input(source, list(x.shape))
    interpreter.allocate_tensors()
    found = {d["name"]: d["index"] for d in interpreter.get_output_details()}
    target = found[output or next(iter(found))]

    def call() -> np.ndarray:
        interpreter.set_tensor(source, x)
        interpreter.invoke()
        return interpreter.get_tensor(target)

    return call


def to_tflite(function, spec: tf.TensorSpec, rows: int) -> bytes:
    """Convert a function at a fixed batch size: a free one leaves XNNPACK."""
    fixed = tf.TensorSpec([rows, *spec.shape[1:]], spec.dtype)
    concrete = tf.function(function, input_signature=[fixed]).get_concrete_function()
    return tf.lite.TFLiteConverter.from_concrete_functions([concrete]).convert()


def check_same(calls: dict[str, Call], reference: str, tolerance: float) -> None:
    """Refuse engines whose answer is not that of the reference.

    Raises:
        ValueError: one differs by more than `tolerance`.
    """
    expected = calls[reference]()
    for name, call in calls.items():
        found = np.asarray(call()).reshape(expected.shape)
        difference = float(np.max(np.abs(found - expected)))
        if not difference <= tolerance:
            raise ValueError(
                f"{name} differs from {reference} by {difference:.2e}, more than "
                f"{tolerance:.0e}: not the same network"
            )


def turn(call: Call, repeats: int, clock=time.perf_counter) -> list[float]:
    """Seconds of each of some calls, one after another, by a clock."""
    seconds = []
    for _ in range(repeats):
        began = clock()
        call()
        seconds.append(clock() - began)
    return seconds


def statistics(turns: list[list[float]]) -> dict:
    """Milliseconds per call: `p50_ms`, `p99_ms` and `rounds_ms`, medians of turns."""
    return {
        "p50_ms": round(1e3 * float(np.percentile(turns, 50)), 4),
        "p99_ms": round(1e3 * float(np.percentile(turns, 99)), 4),
        "rounds_ms": [round(1e3 * float(np.median(turn)), 4) for turn in turns],
    }


def timed(calls: dict[str, Call], rounds: int, repeats: int) -> dict[str, dict]:
    """Milliseconds per call of every engine, from interleaved rounds.

    Args:
        calls: engines, ready to run.
        rounds: how often all have their turn.
        repeats: calls of one engine in a turn.

    Returns:
        `statistics` by name.
    """
    turns: dict[str, list[list[float]]] = {name: [] for name in calls}
    for call in calls.values():
        turn(call, WARM_UP)
    for _ in range(rounds):
        for name, call in calls.items():
            turns[name].append(turn(call, repeats))
    return {name: statistics(found) for name, found in turns.items()}


def versions(packages: tuple[str, ...]) -> dict[str, str]:
    """Installed versions of the engines and LiteRT."""
    from importlib.metadata import version

    return {name: version(name) for name in (*packages, "ai-edge-litert")}
