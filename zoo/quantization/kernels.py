"""Kernels of the operations that stay float in an int8 file, stored as int8.

An int8 encoder's kernels have int8 values, but the converter writes those of float
operations as float32. Here they become int8 with a scale for each output and a
DEQUANTIZE before their operation, which XNNPACK unpacks once, when it loads the file.
"""

from __future__ import annotations

import copy

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from zoo.quantization.tflite_slim import pack

LARGE = 256  # weights, from which on a kernel is worth scales and an operation more
VERSION = 5  # of DEQUANTIZE with a scale for each channel


def store_int8(content: bytes) -> bytes:
    """Store large float kernels of convolutions as int8.

    Args:
        content: TFLite file whose kernels have values on the grids of
            `quantized_encoder.QuantizedEncoder`: 127 steps up to the largest magnitude
            of each output.
    """
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    found = [sorted(_large_kernels(model, graph)) for graph in model.subgraphs]
    if not any(found):
        return content
    code = len(model.operatorCodes)
    model.operatorCodes.append(_dequantize())
    for graph, kernels in zip(model.subgraphs, found, strict=True):
        first = len(graph.tensors)
        moved = {kernel: first + i for i, kernel in enumerate(kernels)}
        for operator in graph.operators:
            operator.inputs = [moved.get(i, i) for i in operator.inputs]
        unpacking = [_unpacking(model, graph, kernel, code) for kernel in kernels]
        graph.operators = unpacking + graph.operators
    return pack(model)


def _dequantize() -> schema.OperatorCodeT:
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.DEQUANTIZE
    code.version = VERSION
    return code


def _large_kernels(model: schema.ModelT, graph) -> set[int]:
    """Tensors that are large constant float kernels of convolutions."""
    found = set()
    for operator in graph.operators:
        code = model.operatorCodes[operator.opcodeIndex].builtinCode
        if code == schema.BuiltinOperator.CONV_2D:
            kernel = graph.tensors[operator.inputs[1]]
            constant = model.buffers[kernel.buffer].data is not None
            is_float = kernel.type == schema.TensorType.FLOAT32
            if constant and is_float and np.prod(kernel.shape) >= LARGE:
                found.add(int(operator.inputs[1]))
    return found


def _unpacking(model: schema.ModelT, graph, kernel: int, code: int):
    """Make a kernel int8; append a tensor for its float values and give its maker.

    A kernel that both signatures read has a buffer of its own in each afterwards, which
    `zoo.quantization.tflite_slim.slim` merges.
    """
    packed = graph.tensors[kernel]
    values = model.buffers[packed.buffer].data.view(np.float32)
    values = values.reshape(packed.shape[0], -1)
    scale = np.maximum(np.abs(values).max(axis=1), 1e-8) / np.float32(127)
    unpacked = copy.copy(packed)
    unpacked.buffer = 0
    graph.tensors.append(unpacked)
    packed.type, packed.buffer = schema.TensorType.INT8, len(model.buffers)
    packed.quantization = schema.QuantizationParametersT()
    packed.quantization.scale = scale
    packed.quantization.zeroPoint = np.zeros(len(scale), np.int64)
    buffer = schema.BufferT()
    steps = np.rint(values / scale[:, None]).astype(np.int8)
    buffer.data = steps.reshape(-1).view(np.uint8)
    model.buffers.append(buffer)
    operator = schema.OperatorT()
    operator.opcodeIndex = code
    operator.inputs, operator.outputs = [kernel], [len(graph.tensors) - 1]
    operator.builtinOptionsType = schema.BuiltinOptions.DequantizeOptions
    operator.builtinOptions = schema.DequantizeOptionsT()
    return operator
