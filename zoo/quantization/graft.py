"""A TFLite file with the signature `encode` gets `encode_bits`: the encoder and a tail.

The converter calibrates files of two signatures wrongly: with a representative data set
both give garbage, and quantise and pack would be rounded to 16 bits besides. So the
encoder is converted alone, and the float tail from codeword to payload is appended.
"""

from __future__ import annotations

import copy

from ai_edge_litert import schema_py_generated as schema

from zoo.quantization.tflite_slim import pack


def append_tail(encoder: bytes, tail: bytes) -> bytes:
    """Join an encoder and what makes bits of its codeword.

    Args:
        encoder: file with the signature `encode`, `h` to `codeword`.
        tail: file with the signature `encode_bits`, `codeword` to `packed`.

    Returns:
        File with both signatures; `encode_bits` takes `h`. Weights are stored once.
    """
    model, other = (schema.ModelT.InitFromPackedBuf(x, 0) for x in (encoder, tail))
    (encode,), (bits,) = model.signatureDefs, other.signatureDefs
    graph = copy.deepcopy(model.subgraphs[encode.subgraphIndex])
    graph.name = b"encode_bits"
    first = len(graph.tensors)
    _append_graph(model, other, graph, other.subgraphs[bits.subgraphIndex])
    (source,), (target,) = bits.inputs, bits.outputs
    (codeword,) = encode.outputs
    for op in graph.operators:
        replaced = first + source.tensorIndex, codeword.tensorIndex
        op.inputs = [replaced[1] if i == replaced[0] else i for i in op.inputs]
    graph.outputs = [first + target.tensorIndex]
    model.subgraphs.append(graph)
    signature = copy.deepcopy(encode)
    signature.signatureKey = b"encode_bits"
    signature.subgraphIndex = len(model.subgraphs) - 1
    signature.outputs = [copy.deepcopy(target)]
    signature.outputs[0].tensorIndex += first
    model.signatureDefs.append(signature)
    return pack(model)


def _append_graph(model, other, graph, appended) -> None:
    """Append another file's operations, with their tensors, buffers and codes."""
    tensors, buffers = len(graph.tensors), len(model.buffers)
    codes = len(model.operatorCodes)
    model.buffers += other.buffers
    model.operatorCodes += other.operatorCodes
    for tensor in appended.tensors:
        tensor.buffer += buffers
        graph.tensors.append(tensor)
    for op in appended.operators:
        op.opcodeIndex += codes
        for name in ("inputs", "outputs", "intermediates"):
            indices = getattr(op, name)
            if indices is not None:
                moved = [i + tensors if i >= 0 else i for i in indices]
                setattr(op, name, moved)
        graph.operators.append(op)
