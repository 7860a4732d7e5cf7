"""Small whole files and requests that fuzzing begins with, by target."""

from __future__ import annotations

import io
import json
import tempfile
from pathlib import Path

import h5py
import numpy as np
import scipy.io

from serving.codec import framing, tables_file
from tests.fuzz.readers import MODEL_ID, NUMBERS
from tests.support import exchange_files
from tests.support.public_fista import save as save_checkpoint
from tests.support.torch_files import SAVE, of_array
from zoo.data import exchange

FINDINGS = Path(__file__).parent / "findings"  # inputs that broke something once


def _written(write) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x"
        write(path)
        return path.read_bytes()


def _frame() -> list[bytes]:
    versions = None, 7  # the number of a frame of version 2
    return [
        framing.frame(bytes(size), MODEL_ID, number)
        for size in (1, 3, 9)
        for number in versions
    ]


def _json_tensor() -> list[bytes]:
    row = {"frames": {"b64": "AAAA"}, "codeword": [0.5] * 4, "uplink": [[1] * 3] * 2}
    columns = {name: [value] for name, value in row.items()}
    documents = [{"instances": [row]}, {"inputs": columns, "signature_name": "x"}]
    return [json.dumps(document).encode() for document in documents]


def _protobuf() -> list[bytes]:
    from tests.support.serving_harness import predict

    arrays = {
        "frames": [b"ab"],
        "codeword": np.zeros((1, 4), np.float32),
        "uplink": np.zeros((1, 2, 3), np.uint8),
    }
    return [predict("x", **arrays).SerializeToString()]


def _torch() -> list[bytes]:
    tree = {"state_dict": {"a.weight": of_array("0", np.eye(2))}, "epoch": 3}
    return [
        _written(lambda path, save=save: save(path, tree)) for save in SAVE.values()
    ]


def _tf_index() -> list[bytes]:
    numbers = np.frombuffer(NUMBERS, np.float32)
    with tempfile.TemporaryDirectory() as folder:
        values = {"a/w": numbers[:12], "b": numbers[12:]}
        prefix = save_checkpoint(Path(folder), values)
        assert Path(f"{prefix}.data-00000-of-00001").read_bytes() == NUMBERS
        return [Path(f"{prefix}.index").read_bytes()]


def _mat() -> list[bytes]:
    values = {"A": np.eye(2), "s": {"x": np.ones(2) * 1j}, "c": np.array([1, "a"], "O")}
    found = []
    for packed in (False, True):
        written = io.BytesIO()
        scipy.io.savemat(written, values, do_compression=packed)
        found.append(written.getvalue())
    return [*found, *_h5()]


def _h5() -> list[bytes]:
    def write(path: Path) -> None:
        with h5py.File(path, "w", libver="earliest") as file:
            file.attrs["layer_names"] = np.array([b"d"])
            layer = file.create_group("d")
            layer.attrs["weight_names"] = np.array([b"d/kernel:0"])
            layer.create_dataset("d/kernel:0", data=np.eye(2), compression="gzip")

    return [_written(write)]


def _npz() -> list[bytes]:
    arrays = {"a": np.arange(6.0).reshape(2, 3), "b": np.array("text")}
    found = [tables_file.pack(tables_file.CodecTables("x", {"n": 1}, arrays))]
    for save in (np.savez, np.savez_compressed):
        written = io.BytesIO()
        save(written, **arrays)
        found.append(written.getvalue())
    written = io.BytesIO()
    np.save(written, arrays["a"])
    return [*found, written.getvalue()]


def _exchange() -> list[bytes]:
    csi, indices = exchange_files.data(2)
    header, points = exchange_files.header(), exchange_files.points()
    return [_written(lambda x: exchange.write(x, header, points, csi, indices))]


def _tflite() -> list[bytes]:
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    tensor, graph, model = schema.TensorT(), schema.SubGraphT(), schema.ModelT()
    tensor.shape, tensor.name = np.array([2, 3], np.int32), b"h"
    graph.tensors, model.subgraphs, model.version = [tensor], [graph], 3
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    return [bytes(builder.Output())]


def _tfrecord() -> list[bytes]:
    head = (5).to_bytes(8, "little")
    return [head + bytes(4) + b"hello" + bytes(4)]


def _codec_json() -> list[bytes]:
    codec = {
        "format": 1, "model": "m", "model_id": "0badcafe", "csi_shape": [32, 32, 2],
        "codeword_dim": 8, "bits": 2, "payload_bytes": 2, "frame_bytes": 13,
        "files": {"a": "0" * 64}, "sections": [[8, 2]], "norms": [0.1, 2],
    }  # fmt: skip
    return [json.dumps(codec).encode()]


_MAKERS = {
    "frame": _frame,
    "json_tensor": _json_tensor,
    "protobuf": _protobuf,
    "torch": _torch,
    "tf_index": _tf_index,
    "mat": _mat,
    "h5": _h5,
    "npz": _npz,
    "exchange": _exchange,
    "tflite": _tflite,
    "tfrecord": _tfrecord,
    "codec_json": _codec_json,
}


def of(target: str) -> list[bytes]:
    """Whole inputs of a target, and those that broke it once."""
    kept = sorted(FINDINGS.glob(f"{target}-*"))
    return [*_MAKERS[target](), *(path.read_bytes() for path in kept)]
