"""What each encoder of an export costs and loses: the table of `zoo.export`."""

from __future__ import annotations

import gzip
import time
from pathlib import Path

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from serving.codec.ue_encoder import UeEncoder
from zoo import files
from zoo.config import ExperimentConfig
from zoo.data import splits
from zoo.models.autoencoder import CsiAutoencoder
from zoo.quantization.mixed import nmse_db
from zoo.quantization.precisions import PRECISIONS, EncoderOptions
from zoo.reporting.deployment_tables import int8_operations

FILE = "precision.json"
TIMED = 200  # encodings that the latency is the median of
_INT8 = {schema.TensorType.INT8, schema.TensorType.INT32, schema.TensorType.UINT8}
_OPERATIONS = {
    code: name
    for name, code in vars(schema.BuiltinOperator).items()
    if isinstance(code, int)
}


def operations(content: bytes) -> dict[str, list[tuple[str, set, set]]]:
    """Operations of each signature: name, types of its inputs, types of its outputs.

    Those that unpack a stored kernel are left out: they run once, before any CSI comes.
    """
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    found = {}
    for signature in model.signatureDefs:
        graph = model.subgraphs[signature.subgraphIndex]
        rows = []
        for op in graph.operators:
            if all(_is_stored(model, graph, i) for i in op.inputs):
                continue
            code = model.operatorCodes[op.opcodeIndex]
            name = _OPERATIONS[max(code.builtinCode, code.deprecatedBuiltinCode)]
            inputs, outputs = (
                {graph.tensors[i].type for i in tensors if i >= 0}
                for tensors in (op.inputs, op.outputs)
            )
            rows.append((name, inputs, outputs))
        found[signature.signatureKey.decode()] = rows
    return found


def _is_stored(model: schema.ModelT, graph, tensor: int) -> bool:
    return tensor < 0 or model.buffers[graph.tensors[tensor].buffer].data is not None


def not_int8(content: bytes) -> dict[str, list[str]]:
    """Names of the operations with a float or 16-bit tensor, by signature."""
    return {
        signature: sorted({name for name, *ends in rows if not _is_int8(*ends)})
        for signature, rows in operations(content).items()
    }


def num_int8(content: bytes) -> dict[str, int]:
    """Number of the other operations, by signature."""
    return {
        signature: sum(_is_int8(*ends) for _, *ends in rows)
        for signature, rows in operations(content).items()
    }


def num_operations(content: bytes) -> dict[str, int]:
    """Number of operations, by signature."""
    return {signature: len(rows) for signature, rows in operations(content).items()}


def _is_int8(inputs: set, outputs: set) -> bool:
    return inputs | outputs <= _INT8


def outside_xnnpack(content: bytes) -> list[str]:
    """Names of the operations of `encode` that XNNPACK does not take.

    After delegation the interpreter lists the file's operations and those that stand
    for parts of them ('DELEGATE'). A part is what lies between its inputs and outputs.
    """
    interpreter = Interpreter(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    listed = interpreter._get_ops_details()
    makers, parts = {}, []
    for op in listed:
        if op["op_name"] == "DELEGATE":
            parts.append(op)
        else:
            makers |= {int(tensor): op["index"] for tensor in op["outputs"]}
    inputs_of = {op["index"]: [int(x) for x in op["inputs"]] for op in listed}
    inside = set()
    for part in parts:
        borders = {int(x) for x in part["inputs"]}
        waiting = [int(x) for x in part["outputs"]]
        while waiting:
            tensor = waiting.pop()
            maker = makers.get(tensor)
            if tensor not in borders and maker is not None and maker not in inside:
                inside.add(maker)
                waiting += inputs_of[maker]
    outside = {op["op_name"] for op in listed if op["index"] not in inside}
    return sorted(outside - {"DELEGATE"})


def latency_ms(encoder: UeEncoder, h: np.ndarray) -> float:
    """Median time of one encoding on one thread.

    Args:
        encoder: the encoder.
        h: CSI `[n, N_t, N_a, 2]`, taken in turn.
    """
    seconds = []
    for i in range(TIMED):
        begin = time.perf_counter()
        encoder.encode(h[i % len(h)])
        seconds.append(time.perf_counter() - begin)
    return 1e3 * float(np.median(seconds))


def row(path: Path, model: CsiAutoencoder, test: splits.Split) -> dict:
    """Figures of one encoder file."""
    content, encoder = path.read_bytes(), UeEncoder(path)

    def encode(h):
        return np.stack([encoder.encode(x) for x in h])

    return {
        "file": path.name,
        "nmse_db": nmse_db(model, encode, test),
        "kib": len(content) / 1024,
        "kib_gzip": len(gzip.compress(content)) / 1024,
        "latency_ms": latency_ms(encoder, test.h_seen),
        "not_int8": not_int8(content),
        "num_int8": num_int8(content),
        "num_operations": num_operations(content),
        "outside_xnnpack": outside_xnnpack(content),
    }


def write(
    directory: Path,
    model: CsiAutoencoder,
    settings: ExperimentConfig,
    options: EncoderOptions,
) -> None:
    """Write `precision.json` of an export: test NMSE, size, time, operations.

    Args:
        directory: the export, with codec.json.
        model: trained network.
        settings: of the run; names the test data.
        options: of the export.
    """
    test = splits.load_split(settings, "test", options.test_samples)
    rows = {
        name: row(directory / PRECISIONS[name].file, model, test)
        for name in options.precisions
    }
    for entry in rows.values():
        base = rows.get("fp32")
        entry["delta_db"] = entry["nmse_db"] - base["nmse_db"] if base else None
    table = {"num_test": len(test.csi), "device": files.device_name(), "rows": rows}
    files.write_json(directory / FILE, table)


def text(table: dict) -> str:
    """The table as aligned text."""
    lines = [
        f"{table['num_test']} test CSI; latency: encode, 1 thread, p50",
        f"{'precision':<10}{'NMSE [dB]':>10}{'delta':>8}{'KiB':>8}{'gzip':>8}{'ms':>8}"
        f"{'int8':>8}  not int8 (encode) | outside XNNPACK",
    ]
    for name, entry in table["rows"].items():
        delta = "-" if entry["delta_db"] is None else f"{entry['delta_db']:.3f}"
        floats = ", ".join(entry["not_int8"]["encode"]) or "none"
        if not entry["num_int8"]["encode"]:
            floats = "all"
        outside = ", ".join(entry["outside_xnnpack"]) or "none"
        lines.append(
            f"{name:<10}{entry['nmse_db']:>10.3f}{delta:>8}{entry['kib']:>8.0f}"
            f"{entry['kib_gzip']:>8.0f}{entry['latency_ms']:>8.3f}"
            f"{int8_operations(entry):>8}  {floats} | {outside}"
        )
    return "\n".join(lines)
