"""TFLite files without what no runtime reads, and with every part stored once.

The converter names each tensor after the path of its layer, keeps metadata of its own
and writes the tensors and operations of a second signature again. A FlatBuffer refers
to its parts by offset, so equal parts need to be there only once. What is computed
stays as it is: operations and their order, weights, shapes, grids, signatures.
"""

from __future__ import annotations

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

TFLITE = b"TFL3"  # file identifier
ALIGNMENT = 16  # of weights, by the schema; the generated `Pack` leaves it out
UNREAD = (b"min_runtime_version", b"CONVERSION_METADATA")


class _Builder(flatbuffers.Builder):
    """Writes equal strings and equal vectors of numbers once."""

    def __init__(self):
        super().__init__()
        self._written: dict[tuple, int] = {}

    def CreateString(self, s, *args):
        key = "string", s
        if key not in self._written:
            self._written[key] = super().CreateString(s, *args)
        return self._written[key]

    def CreateNumpyVector(self, x):
        key = x.dtype.str, x.tobytes()
        if key not in self._written:
            if x.dtype == np.uint8:
                self.Prep(ALIGNMENT, x.size)
            self._written[key] = super().CreateNumpyVector(x)
        return self._written[key]


class _Once:
    """A part that is written once, however many parts refer to it."""

    def __init__(self, part):
        self.part, self._offset = part, None

    def Pack(self, builder):
        if self._offset is None:
            self._offset = self.part.Pack(builder)
        return self._offset


def pack(model: schema.ModelT) -> bytes:
    """Write a model as a TFLite file."""
    builder = _Builder()
    builder.Finish(model.Pack(builder), TFLITE)
    return bytes(builder.Output())


def slim(content: bytes) -> bytes:
    """Write a TFLite file again, smaller and with the same results.

    Inputs and outputs are named as in their signatures, other tensors not at all.

    Args:
        content: file with signatures.
    """
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    model.description = model.metadataBuffer = None
    model.metadata = [x for x in model.metadata or [] if x.name not in UNREAD]
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            tensor.name = b""
            if tensor.quantization:  # the extremes of calibration
                tensor.quantization.min = tensor.quantization.max = None
    for signature in model.signatureDefs:
        tensors = model.subgraphs[signature.subgraphIndex].tensors
        for end in (*signature.inputs, *signature.outputs):
            tensors[end.tensorIndex].name = end.name
    _merge_buffers(model)
    _merge_codes(model)
    _share(model)
    return pack(model)


def _merge_buffers(model: schema.ModelT) -> None:
    """Keep one of equal buffers; what nothing refers to becomes the empty buffer 0."""
    users = [tensor for graph in model.subgraphs for tensor in graph.tensors]
    users += model.metadata
    used = {user.buffer for user in users}
    empty = model.buffers[0]
    model.buffers, places = _merged(
        [buffer if i in used else empty for i, buffer in enumerate(model.buffers)]
    )
    for user in users:
        user.buffer = places[user.buffer]


def _merge_codes(model: schema.ModelT) -> None:
    model.operatorCodes, places = _merged(model.operatorCodes)
    for graph in model.subgraphs:
        for operator in graph.operators:
            operator.opcodeIndex = places[operator.opcodeIndex]


def _merged(parts: list) -> tuple[list, list[int]]:
    """Different ones of some parts, and of each part the index among them."""
    found: dict = {}
    places = [found.setdefault(_content(part), (len(found), part)) for part in parts]
    return [part for _, part in found.values()], [place for place, _ in places]


def _share(model: schema.ModelT) -> None:
    """Make equal grids, tensors, options and operations of all graphs one part."""
    known: dict = {}

    def once(part):
        return part and known.setdefault(_content(part), _Once(part))

    for graph in model.subgraphs:
        for tensor in graph.tensors:
            tensor.quantization = once(tensor.quantization)
        for operator in graph.operators:
            operator.builtinOptions = once(operator.builtinOptions)
        graph.tensors = [once(tensor) for tensor in graph.tensors]
        graph.operators = [once(operator) for operator in graph.operators]


def _content(part):
    """What a part holds, as something that can be compared and hashed."""
    if isinstance(part, np.ndarray):
        return part.dtype.str, part.tobytes()
    if isinstance(part, list):
        return tuple(_content(x) for x in part)
    if hasattr(part, "__dict__"):
        values = ((name, _content(x)) for name, x in vars(part).items())
        return type(part).__name__, tuple(values)
    return repr(part)
