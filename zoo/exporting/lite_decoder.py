"""The decoder as `model.tflite` beside `saved_model.pb`.

TensorFlow Serving runs that file instead where it is told `--prefer_tflite_model`. It
has TFLite's own operations only, one signature, and takes its names from the tensors
of the graph: frames come as rows of bytes, since there are no operations on strings,
and are checked in the graph as in the SavedModel.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from tensorflow.lite.python.convert_phase import ConverterError

from serving.codec import bitstream
from serving.codec.framing import Framer
from zoo.codeword.codec_graph import DecoderGraph, freeze
from zoo.exporting.verify_export import FLOAT_TOLERANCE, check_vectors, close
from zoo.models.autoencoder import CsiAutoencoder
from zoo.quantization.tflite_slim import slim

FILE = "model.tflite"


def save(graph: DecoderGraph, path: Path) -> bool:
    """Write the decoder into a version directory.

    Args:
        graph: of the decoder.
        path: version directory of its SavedModel.

    Returns:
        Whether it is there: a network may have operations that TFLite has not.
    """
    frozen = freeze(graph.decode)
    function = graph.lite_signature(lambda *inputs: frozen(*inputs)[0])
    concrete = function.get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], tf.Module())
    try:
        content = converter.convert()
    except ConverterError as error:
        print(f"no {FILE}: {str(error).strip().splitlines()[-1]}")
        return False
    (path / FILE).write_bytes(slim(content))
    return True


def verify(path: Path, model: CsiAutoencoder, codec: dict) -> None:
    """Compare `model.tflite` of a version directory with the trained network.

    Args:
        path: version directory.
        model: the trained network.
        codec: content of codec.json.

    Raises:
        ValueError: it differs, accepts a damaged frame or refuses a good one.
    """
    h = check_vectors(codec["csi_shape"])
    indices = np.asarray(model.quantizer.indices(model.encode(h)))
    payload = bitstream.pack_sections(indices, codec["sections"])
    framed = Framer(codec)
    frames = [framed(p.tobytes()) for p in payload]
    octets = np.frombuffer(b"".join(frames), np.uint8).reshape(len(frames), -1).copy()
    feeds = {"feedback_bytes": np.concatenate([octets[:1], octets])}
    feeds["feedback_bytes"][0, -1] ^= 1
    side = [np.linalg.norm(h, axis=-1)] * codec["uplink"]
    for x in side:
        feeds["uplink"] = np.concatenate([x[:1], x])
    maps = [x[..., None] for x in side]
    expected = np.asarray(model.recover(model.quantizer.dequantize(indices), *maps))
    answer = run(path / FILE, feeds)
    if answer["valid"][0] or np.isfinite(answer["h"][0]).any():
        raise ValueError(f"{path / FILE}: a damaged frame was accepted")
    if not answer["valid"][1:].all():
        raise ValueError(f"{path / FILE}: good frames were refused")
    close(path / FILE, "the decoder", answer["h"][1:], expected, FLOAT_TOLERANCE)


def run(path: Path, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Outputs of a TFLite file by name, as many rows as its inputs have."""
    interpreter = Interpreter(str(path), num_threads=1)
    sources = {x["name"]: x["index"] for x in interpreter.get_input_details()}
    for name, value in feeds.items():
        interpreter.resize_tensor_input(sources[name], value.shape)
    interpreter.allocate_tensors()
    for name, value in feeds.items():
        interpreter.set_tensor(sources[name], value)
    interpreter.invoke()
    targets = interpreter.get_output_details()
    return {x["name"]: interpreter.get_tensor(x["index"]) for x in targets}
