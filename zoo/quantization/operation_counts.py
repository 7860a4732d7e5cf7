"""Operations of a TFLite file: how many, which are int8, which XNNPACK leaves."""

from __future__ import annotations

from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

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


def int8_operations(entry: dict) -> str:
    """Operations of `encode` in int8 and all, as '5/21'; empty where not counted."""
    if "num_operations" not in entry:
        return ""
    return f"{entry['num_int8']['encode']}/{entry['num_operations']['encode']}"
