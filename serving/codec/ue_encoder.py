"""The UE side: an exported .tflite encoder turns CSI into payload bytes."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from serving.codec import checksums, csi_scale, tflite_sizes
from tfds_builders import subbands
from tfds_builders.untrusted import json_files, sizes
from tfds_builders.untrusted.json_files import (
    FLAG,
    NUMBER,
    NUMBER_OR_NONE,
    OBJECT,
    POSITIVE,
    SHA256,
    TEXT,
    TEXT_OR_NONE,
    record,
)

CODEC_FILE = "codec.json"
CODEC_FORMAT = 1
SIGNATURES = ("encode", "encode_bits")
MOST_ENTRIES = 1 << 22  # of a CSI sample, and of what stands for it
_OF_FORMAT = record({"format": {"enum": [CODEC_FORMAT]}})
_SIZE = {**POSITIVE, "maximum": MOST_ENTRIES}
_PAIR = {"type": "array", "minItems": 2, "maxItems": 2}
_BITS = {**POSITIVE, "maximum": 32}
_SECTION = {**_PAIR, "items": [_SIZE, _BITS]}
_SECTIONS = {"type": "array", "minItems": 1, "items": _SECTION}
_SCALING = record({}, {"scale": TEXT_OR_NONE, "says": TEXT, "constant": NUMBER_OR_NONE})
_EIGENVECTORS = record(
    {"rank": POSITIVE, "num_subbands": POSITIVE, "phase": {"enum": [*subbands.PHASES]}},
    {"direction_alone": FLAG},  # what is recovered has no length: no NMSE
)
SCHEMA = record(
    {
        "model": TEXT,
        "model_id": {"type": "string", "pattern": "^[0-9a-f]{8}$"},
        "csi_shape": {"type": "array", "items": _SIZE, "minItems": 3, "maxItems": 3},
        "codeword_dim": _SIZE,
        "bits": _BITS,
        "payload_bytes": _SIZE,
        "frame_bytes": _SIZE,
        "files": {"type": "object", "additionalProperties": SHA256},
    },
    {
        "model_args": OBJECT,
        "frame_version": POSITIVE,
        "sections": _SECTIONS,
        "uplink": FLAG,
        "tables": TEXT,
        "norms": {**_PAIR, "items": NUMBER},
        "normalisation": _SCALING,
        "eigenvectors": _EIGENVECTORS,
        "quantizer": OBJECT,
        "int8_io": {
            "type": "object",
            "additionalProperties": record(
                {name: {**_PAIR, "items": NUMBER} for name in ("h", "codeword")}
            ),
        },
    },
)  # of codec.json


def read_codec(directory: Path) -> dict:
    """Read and check `codec.json` of an export directory.

    Raises:
        FileNotFoundError: there is none.
        ValueError: damaged, not JSON, another format version, or an entry missing.
    """
    path = directory / CODEC_FILE
    if not path.is_file():
        raise FileNotFoundError(f"no {path}: keep the encoder in its export directory")
    checksums.verify_file(path)
    codec = json_files.read(path, _OF_FORMAT)
    json_files.check(path, codec, SCHEMA)
    return codec


class _Interpreted:
    """Signatures of a file on LiteRT's `Interpreter`."""

    def __init__(self, content: bytes):
        interpreter = Interpreter(model_content=content, num_threads=1)
        self._runners = {s: interpreter.get_signature_runner(s) for s in SIGNATURES}

    def shapes(self) -> dict[str, list[int]]:
        """Shape of every input and output by name."""
        details = {}
        for runner in self._runners.values():
            details |= {**runner.get_input_details(), **runner.get_output_details()}
        return {name: detail["shape"].tolist() for name, detail in details.items()}

    def __call__(self, signature: str, h: np.ndarray) -> np.ndarray:
        (output,) = self._runners[signature](h=h).values()
        return output


class _Compiled:
    """Signatures of a file on LiteRT's `CompiledModel`, on the CPU."""

    def __init__(self, content: bytes):
        from ai_edge_litert.compiled_model import CompiledModel

        self._model = CompiledModel.from_buffer(content)
        self._outputs = {}
        for signature in SIGNATURES:
            details = self._model.get_output_tensor_details(signature)
            ((name, detail),) = details.items()
            self._outputs[signature] = name, list(detail["shape"]), detail["dtype"]

    def shapes(self) -> dict[str, list[int]]:
        """Shape of every input and output by name."""
        inputs = self._model.get_input_tensor_details("encode")
        shapes = {name: list(detail["shape"]) for name, detail in inputs.items()}
        return shapes | {name: shape for name, shape, _ in self._outputs.values()}

    def __call__(self, signature: str, h: np.ndarray) -> np.ndarray:
        name, shape, dtype = self._outputs[signature]
        source = self._model.create_input_buffer_by_name(signature, "h")
        target = self._model.create_output_buffer_by_name(signature, name)
        source.write(np.ascontiguousarray(h))
        self._model.run_by_name(signature, {"h": source}, {name: target})
        return target.read(int(np.prod(shape)), np.dtype(dtype)).reshape(shape)


@contextlib.contextmanager
def _faults_named(path: Path) -> Iterator[None]:
    """While a runtime may find that a file is no encoder."""
    try:
        yield
    except (ValueError, RuntimeError) as error:
        raise ValueError(f"{path} is not an encoder: {error}") from error


RUNTIMES = {"interpreter": _Interpreted, "compiled": _Compiled}


class UeEncoder:
    """An exported encoder, run one CSI at a time on one thread, as a UE would.

    Not thread-safe. The attribute `codec` holds `codec.json`, `model_id` the 4 bytes
    for the frame.

    Args:
        path: `encoder.tflite` or a sibling, beside the `codec.json` that names it.
        runtime: 'interpreter' (signature runner, XNNPACK delegate) or 'compiled'
            (LiteRT's CompiledModel on the CPU).
        any_csi: take CSI that codec.json contradicts, such as random test vectors.

    Raises:
        FileNotFoundError: no such file, or no codec.json beside it.
        ValueError: codec.json does not name the file, its sha256 differs (truncated,
            damaged or from another export), or its shapes are not those of codec.json;
            unknown runtime.
    """

    def __init__(
        self, path: str | Path, runtime: str = "interpreter", any_csi: bool = False
    ):
        path, self._any_csi = Path(path), any_csi
        if runtime not in RUNTIMES:
            raise ValueError(f"runtime is {runtime!r}, expected {', '.join(RUNTIMES)}")
        content = sizes.read_bytes(path)
        self.codec = read_codec(path.parent)
        self.model_id = bytes.fromhex(self.codec["model_id"])
        self._check_file(path, content)
        tflite_sizes.check(path, content)
        # (scale, zero point) by tensor, of a file with int8 input and output.
        self._grids = self.codec.get("int8_io", {}).get(path.name)
        with _faults_named(path):
            self._run = RUNTIMES[runtime](content)
        self._check_shapes(path)
        with _faults_named(path):
            self._try_out()

    def _check_file(self, path: Path, content: bytes) -> None:
        expected = self.codec["files"].get(path.name)
        if expected is None:
            raise ValueError(
                f"{path.parent / CODEC_FILE} does not name {path.name}: "
                f"expected one of {sorted(self.codec['files'])}"
            )
        received = hashlib.sha256(content).hexdigest()
        if received != expected:
            raise ValueError(
                f"{path} of {len(content)} bytes has sha256 {received[:8]}, expected "
                f"{expected[:8]}: truncated, damaged or from another export"
            )

    def _check_shapes(self, path: Path) -> None:
        codec = self.codec
        wanted = {
            "h": [1, *codec["csi_shape"]],
            "codeword": [1, codec["codeword_dim"]],
            "packed": [1, codec["payload_bytes"]],
        }
        found = self._run.shapes()
        if found != wanted:
            raise ValueError(f"{path} has {found}: expected {wanted} by {CODEC_FILE}")

    def _try_out(self) -> None:
        """Run every signature once: some faults of a file show only then."""
        h = np.zeros([1, *self.codec["csi_shape"]], np.int8 if self._grids else "f4")
        for signature in SIGNATURES:
            self._run(signature, h)

    def encode(self, h: np.ndarray) -> np.ndarray:
        """Compress zero-centred CSI float `[32, 32, 2]` to a codeword float32 `[M]`.

        Raises:
            ValueError: wrong shape, not floating point, NaN or Inf, or CSI of another
                scale or mean than codec.json has.
        """
        codeword = self._run("encode", self._checked(h))[0]
        if self._grids:
            scale, zero_point = self._grids["codeword"]
            codeword = np.float32(scale) * (codeword.astype(np.float32) - zero_point)
        return codeword

    def encode_bits(self, h: np.ndarray) -> bytes:
        """Compress zero-centred CSI float `[32, 32, 2]` to P payload bytes.

        Raises:
            ValueError: as `encode`.
        """
        return self._run("encode_bits", self._checked(h))[0].tobytes()

    def _checked(self, h: np.ndarray) -> np.ndarray:
        h = np.asarray(h)
        if list(h.shape) != self.codec["csi_shape"] or h.dtype.kind != "f":
            raise ValueError(
                f"CSI of shape {list(h.shape)} and dtype {h.dtype}: "
                f"expected {self.codec['csi_shape']} floating point"
            )
        with np.errstate(over="ignore"):
            h = h[np.newaxis].astype(np.float32)
        if not np.isfinite(h).all():
            raise ValueError(
                f"CSI has {np.sum(~np.isfinite(h))} NaN or Inf values in float32"
            )
        if not self._any_csi and (said := csi_scale.fault(h[0], self.codec)):
            raise ValueError(f"CSI that this encoder does not take: {said}")
        if self._grids:
            scale, zero_point = self._grids["h"]
            h = np.clip(np.rint(h / np.float32(scale)) + zero_point, -128, 127)
            return h.astype(np.int8)
        return h
