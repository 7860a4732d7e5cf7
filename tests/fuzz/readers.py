"""What reads bytes of others, each as a function that raises on anything unforeseen."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from serving.codec import bitstream, framing, tables_file, tflite_sizes
from serving.codec.ue_encoder import SCHEMA
from tfds_builders.cost2100 import mat_files as published
from tfds_builders.own import array_files
from tfds_builders.untrusted import hdf5, json_files, numpy_files, records
from zoo.data import exchange
from zoo.importing import sources, tf_checkpoint, torch_checkpoint

MODEL_ID = b"fuzz"
NUMBERS = np.arange(16, dtype=np.float32).tobytes()  # of a checkpoint
REFUSED = (ValueError, FileNotFoundError)
FOLDER = Path(os.environ.get("FUZZ_FOLDER", tempfile.gettempdir()))


def _of_file(suffix: str, *readers: Callable[[Path], object]):
    """Function of bytes that gives them to readers of a file."""

    def run(data: bytes) -> None:
        path = FOLDER / f"fuzz-{os.getpid()}{suffix}"
        path.write_bytes(data)
        for read in readers:
            try:
                read(path)
            except REFUSED as error:
                assert str(error)
            finally:
                assert path.stat().st_size == len(data)

    return run


def tf_index(data: bytes) -> None:
    """Index of a TensorFlow checkpoint, beside numbers that are right for the seed."""
    index = FOLDER / f"fuzz-{os.getpid()}.index"
    index.write_bytes(data)
    index.with_suffix(".data-00000-of-00001").write_bytes(NUMBERS)
    try:
        tf_checkpoint.read(index)
    except REFUSED as error:
        assert str(error)


def frame(data: bytes) -> None:
    """A frame that is accepted is the one that its payload makes."""
    number = framing.sequence(data)
    for version in framing.FORMATS:
        for model_id in (MODEL_ID, None):
            try:
                payload = framing.unframe(data, model_id, version)
            except bitstream.BitstreamError:
                continue
            again = framing.frame(payload, MODEL_ID, number)
            assert model_id is None or again == data
    octets = np.frombuffer(data, np.uint8)[None]
    for sections in ([(7, 3)], [(2, 16), (5, 1)]):
        try:
            found = bitstream.unpack_sections(octets, sections)
        except bitstream.BitstreamError:
            continue
        assert (bitstream.pack_sections(found, sections) == octets).all()


def _signature():
    from tensorflow.core.framework import types_pb2
    from tensorflow.core.protobuf import meta_graph_pb2

    signature = meta_graph_pb2.SignatureDef()
    inputs = {
        "frames": (types_pb2.DT_STRING, [-1]),
        "codeword": (types_pb2.DT_FLOAT, [-1, 4]),
        "uplink": (types_pb2.DT_UINT8, [-1, 2, 3]),
    }
    for name, (kind, shape) in inputs.items():
        info = signature.inputs[name]
        info.name, info.dtype = f"{name}:0", kind
        for size in shape:
            info.tensor_shape.dim.add(size=size)
    return signature


def json_tensor(data: bytes) -> None:
    """Bodies of REST requests."""
    from tensorflow_serving.apis import predict_pb2

    from serving.api import json_tensor as reader
    from serving.models.request_checks import Limits, ServingError, feeds

    signature, request, limits = _signature(), predict_pb2.PredictRequest(), Limits()
    try:
        document = reader.parse(data)
        reader.signature_name(document)
        reader.fill_inputs(document, signature.inputs, request, limits)
        arrays = feeds(signature, request, limits)
    except ServingError:
        return
    assert set(arrays) == {"frames:0", "codeword:0", "uplink:0"}


def protobuf(data: bytes) -> None:
    """Predict requests of gRPC."""
    from google.protobuf.message import DecodeError
    from tensorflow_serving.apis import predict_pb2

    from serving.models.request_checks import Limits, ServingError, feeds, fetches

    signature = _signature()
    try:
        request = predict_pb2.PredictRequest.FromString(data)
        fetches(signature, request.output_filter)
        arrays = feeds(signature, request, Limits())
    except (DecodeError, ServingError):
        return
    assert all(array.nbytes <= 2 * Limits().request_bytes for array in arrays.values())


def tflite(data: bytes) -> None:
    """Sizes of a TFLite file."""
    try:
        tflite_sizes.check(Path("x.tflite"), data)
    except ValueError:
        pass


TARGETS: dict[str, Callable[[bytes], None]] = {
    "frame": frame,
    "json_tensor": json_tensor,
    "protobuf": protobuf,
    "torch": _of_file(".pth", torch_checkpoint.load, torch_checkpoint.state_dict),
    "tf_index": tf_index,
    "mat": _of_file(".mat", array_files.read, published.read_csi, sources.read_matrix),
    "h5": _of_file(".h5", hdf5.check_weights, sources.read_h5, array_files.read),
    "npz": _of_file(".npz", numpy_files.load, array_files.read, tables_file.read),
    "exchange": _of_file(".npz", lambda path: exchange.read(str(path))),
    "tflite": tflite,
    "tfrecord": _of_file(".tfrecord", records.check),
    "codec_json": _of_file(".json", lambda path: json_files.read(path, SCHEMA)),
}
