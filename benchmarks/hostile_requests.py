"""Requests that are large and mean nothing, of every kind that a server parses.

Each is bytes on the wire of about the size that is asked for: what the official
messages would take minutes to build is written by hand.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

_LENGTH = 2  # wire type of what has a length
_PREDICT = "/tensorflow.serving.PredictionService/Predict"
_METADATA = "/tensorflow.serving.PredictionService/GetModelMetadata"
_STATUS = "/tensorflow.serving.ModelService/GetModelStatus"
_RELOAD = "/tensorflow.serving.ModelService/HandleReloadConfigRequest"
_HEALTH = "/grpc.health.v1.Health/Check"
MODEL = b"csi_decoder"


def varint(number: int) -> bytes:
    """A number as protocol buffers write it."""
    parts = []
    while number > 127:
        parts.append(number & 127 | 128)
        number >>= 7
    return bytes([*parts, number])


def field(number: int, content: bytes | int) -> bytes:
    """A field of a message: bytes, or a number."""
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    return varint(number << 3 | _LENGTH) + varint(len(content)) + content


def repeated(part: bytes, size: int) -> bytes:
    """A part again and again, `size` bytes."""
    return part * max(1, size // len(part))


def numbered(part: Callable[[bytes], bytes], size: int) -> bytes:
    """Parts that differ by a name, `size` bytes."""
    each = len(part(b"%07x" % 0))
    return b"".join(part(b"%07x" % i) for i in range(max(1, size // each)))


_SPEC = field(1, field(1, MODEL))


def _tensor(content: bytes, alias: bytes = b"feedback_bytes") -> bytes:
    return _SPEC + field(2, field(1, alias) + field(2, content))


def _shape(dims: bytes) -> bytes:
    return field(1, 7) + field(2, dims)


def _long(size: int) -> bytes:
    return b"x" * size


def _one_model(content: bytes) -> bytes:
    model = field(1, b"a") + field(2, b"/") + field(4, b"tensorflow") + content
    return field(1, field(1, field(1, model)))


GRPC = {
    "dimensions of 2^62": (
        _PREDICT,
        lambda size: _tensor(_shape(repeated(field(2, field(1, 1 << 62)), size))),
    ),
    "dimensions without a size": (
        _PREDICT,
        lambda size: _tensor(_shape(repeated(field(2, b""), size))),
    ),
    "names of dimensions": (
        _PREDICT,
        lambda size: _tensor(_shape(field(2, field(1, 1) + field(2, _long(size))))),
    ),
    "inputs": (
        _PREDICT,
        lambda size: _SPEC + numbered(lambda name: field(2, field(1, name)), size),
    ),
    "name of an input": (_PREDICT, lambda size: _tensor(b"", _long(size))),
    "empty strings": (
        _PREDICT,
        lambda size: _tensor(
            _shape(field(2, field(1, 1))) + repeated(field(8, b""), size)
        ),
    ),
    "one long frame": (
        _PREDICT,
        lambda size: _tensor(_shape(field(2, field(1, 1))) + field(8, _long(size))),
    ),
    "512 long frames": (
        _PREDICT,
        lambda size: _tensor(
            _shape(field(2, field(1, 512))) + field(8, _long(size // 512)) * 512
        ),
    ),
    "floats": (
        _PREDICT,
        lambda size: _tensor(field(1, 1) + field(5, bytes(size // 4 * 4))),
    ),
    "handles of resources": (
        _PREDICT,
        lambda size: _tensor(repeated(field(14, b""), size)),
    ),
    "names of outputs": (
        _PREDICT,
        lambda size: _SPEC + numbered(lambda name: field(3, name), size),
    ),
    "signature": (
        _PREDICT,
        lambda size: field(1, field(1, MODEL) + field(3, _long(size))),
    ),
    "name of a model": (_PREDICT, lambda size: field(1, field(1, _long(size)))),
    "label": (
        _PREDICT,
        lambda size: field(1, field(1, MODEL) + field(4, _long(size))),
    ),
    "unknown fields": (_PREDICT, lambda size: _SPEC + repeated(field(15, 0), size)),
    "no message": (_PREDICT, lambda size: b"\xff" * size),
    "status of a long name": (
        _STATUS,
        lambda size: field(1, field(1, _long(size))),
    ),
    "fields of metadata": (
        _METADATA,
        lambda size: _SPEC + repeated(field(2, b"signature_def"), size) + field(2, b""),
    ),
    "models": (
        _RELOAD,
        lambda size: field(
            1,
            field(1, numbered(lambda name: field(1, _configured(name)), size)),
        ),
    ),
    "versions": (
        _RELOAD,
        lambda size: _one_model(
            field(7, field(102, field(1, repeated(varint(1 << 62), size))))
        ),
    ),
    "labels": (
        _RELOAD,
        lambda size: _one_model(
            numbered(lambda name: field(8, field(1, name) + field(2, 1)), size)
        ),
    ),
    "base path": (
        _RELOAD,
        lambda size: field(
            1, field(1, field(1, field(1, b"a") + field(2, b"/x" * (size // 2))))
        ),
    ),
    "service": (_HEALTH, lambda size: field(1, _long(size))),
}


def _configured(name: bytes) -> bytes:
    return field(1, name) + field(2, b"/") + field(4, b"tensorflow")


def _json(begin: str, part: str, end: str) -> Callable[[int], bytes]:
    return lambda size: begin.encode() + repeated(part.encode(), size) + end.encode()


_FLOATS = '{"signature_name": "decode_float", "inputs": '
REST = {
    "JSON: empty lists": _json('{"inputs": [', "[],", "[]]}"),
    "JSON: empty objects": _json('{"instances": [', "{},", "{}]}"),
    "JSON: brackets": _json('{"inputs": ', "[", ""),
    "JSON: digits": _json(_FLOATS + "[[", "9", "]]}"),
    "JSON: numbers of 4,000 digits": _json(_FLOATS + "[[", "9" * 4000 + ",", "9]]}"),
    "JSON: decimals": _json(_FLOATS + "[[0.", "5", "]]}"),
    "JSON: numbers in a row": _json(_FLOATS + "[[", "0.12345678901234567,", "0]]}"),
    "JSON: numbers in a column": _json(_FLOATS + "[", "[0.1234567890123456],", "[0]]}"),
    "JSON: text": _json('{"inputs": ["', "\\u00e9", '"]}'),
    "JSON: base64": _json('{"inputs": [{"b64": "', "AAAA", '"}]}'),
    "JSON: keys": lambda size: (
        b"{" + numbered(lambda name: b'"' + name + b'": 0,', size) + b'"a": 0}'
    ),
    "JSON: keys of a row": lambda size: (
        b'{"instances": [{'
        + numbered(lambda name: b'"' + name + b'": 0,', size)
        + b'"a": 0}]}'
    ),
    "JSON: signature": _json('{"signature_name": "', "x", '", "inputs": [1]}'),
    "JSON: no JSON": _json("", "x", ""),
}
KINDS = [*itertools.chain(GRPC, REST)]
