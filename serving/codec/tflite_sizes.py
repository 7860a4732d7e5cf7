"""What a TFLite file announces to hold, before a runtime makes room for it."""

from __future__ import annotations

import math
from pathlib import Path

from ai_edge_litert import schema_py_generated as schema

from tfds_builders.untrusted import sizes

ITEM = 4  # bytes of a number of most types, at most
LARGER = {
    schema.TensorType.INT64: 8,
    schema.TensorType.UINT64: 8,
    schema.TensorType.FLOAT64: 8,
    schema.TensorType.COMPLEX64: 8,
    schema.TensorType.COMPLEX128: 16,
}
MOST_AXES = 32


def check(path: Path, content: bytes) -> None:
    """Refuse a file whose tensors take more than a file may unfold to.

    Args:
        path: named in the message.
        content: of the file.

    Raises:
        ValueError: they do, or it is no TFLite file.
    """
    try:
        total = _bytes(content)
    except Exception as error:  # offsets into nowhere raise nearly anything
        raise ValueError(f"{path} is no TFLite file: damaged ({error})") from error
    sizes.check(path, len(content), total)


def _bytes(content: bytes) -> int:
    """Bytes of all tensors of all subgraphs, at most."""
    if not schema.Model.ModelBufferHasIdentifier(content, 0):
        raise ValueError("it does not begin as a TFLite file")
    model, total = schema.Model.GetRootAs(content, 0), 0
    left = len(content)  # each tensor takes some bytes, unless subgraphs share them
    for i in range(min(model.SubgraphsLength(), left)):
        graph = model.Subgraphs(i)
        left -= graph.TensorsLength()
        if left < 0:
            raise ValueError("more tensors than it has bytes")
        for k in range(graph.TensorsLength()):
            tensor = graph.Tensors(k)
            if tensor.ShapeLength() > MOST_AXES:
                raise ValueError(f"a tensor of {tensor.ShapeLength()} axes")
            shape = tensor.ShapeAsNumpy() if tensor.ShapeLength() else ()
            numbers = math.prod(max(int(n), 1) for n in shape)
            total += numbers * LARGER.get(tensor.Type(), ITEM)
            if total > 1 << 60:
                return total
    return total
