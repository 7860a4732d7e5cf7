"""The UE side: an exported .tflite encoder turns CSI into payload bytes."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter

CODEC_FILE = "codec.json"
CODEC_FORMAT = 1
_CODEC_KEYS = {
    "model": str,
    "model_id": str,
    "csi_shape": list,
    "codeword_dim": int,
    "bits": int,
    "payload_bytes": int,
    "frame_bytes": int,
    "files": dict,
}


def read_codec(directory: Path) -> dict:
    """Read and check `codec.json` of an export directory.

    Raises:
        FileNotFoundError: there is none.
        ValueError: not JSON, another format version, or an entry missing.
    """
    path = directory / CODEC_FILE
    try:
        codec = json.loads(path.read_text())
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"no {path}: keep the encoder in its export directory"
        ) from error
    except ValueError as error:
        raise ValueError(f"{path} is not JSON ({error}): export again") from error
    if not isinstance(codec, dict) or codec.get("format") != CODEC_FORMAT:
        raise ValueError(f"{path} is not of format {CODEC_FORMAT}: export again")
    for key, kind in _CODEC_KEYS.items():
        if not isinstance(codec.get(key), kind):
            raise ValueError(
                f"{path}: {key} is {codec.get(key)!r}, expected {kind.__name__}"
            )
    return codec


class UeEncoder:
    """An exported encoder, run one CSI at a time on one thread, as a UE would.

    Not thread-safe. The attribute `codec` holds `codec.json`, `model_id` the 4 bytes
    for the frame.

    Args:
        path: `encoder.tflite` or a sibling, beside the `codec.json` that names it.

    Raises:
        FileNotFoundError: no such file, or no codec.json beside it.
        ValueError: codec.json does not name the file, its sha256 differs (truncated,
            damaged or from another export), or its shapes are not those of codec.json.
    """

    def __init__(self, path: str | Path):
        path = Path(path)
        content = path.read_bytes()
        self.codec = read_codec(path.parent)
        self.model_id = bytes.fromhex(self.codec["model_id"])
        self._check_file(path, content)
        try:
            interpreter = Interpreter(model_content=content, num_threads=1)
            self._encode = interpreter.get_signature_runner("encode")
            self._encode_bits = interpreter.get_signature_runner("encode_bits")
        except (ValueError, RuntimeError) as error:
            raise ValueError(f"{path} is not an encoder: {error}") from error
        self._check_shapes(path)

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
        details = {
            **self._encode.get_input_details(),
            **self._encode.get_output_details(),
            **self._encode_bits.get_output_details(),
        }
        found = {name: detail["shape"].tolist() for name, detail in details.items()}
        if found != wanted:
            raise ValueError(f"{path} has {found}: expected {wanted} by {CODEC_FILE}")

    def encode(self, h: np.ndarray) -> np.ndarray:
        """Compress zero-centred CSI float `[32, 32, 2]` to a codeword float32 `[M]`.

        Raises:
            ValueError: wrong shape, not floating point, NaN or Inf.
        """
        return self._encode(h=self._checked(h))["codeword"][0]

    def encode_bits(self, h: np.ndarray) -> bytes:
        """Compress zero-centred CSI float `[32, 32, 2]` to P payload bytes.

        Raises:
            ValueError: wrong shape, not floating point, NaN or Inf.
        """
        return self._encode_bits(h=self._checked(h))["packed"][0].tobytes()

    def _checked(self, h: np.ndarray) -> np.ndarray:
        h = np.asarray(h)
        if list(h.shape) != self.codec["csi_shape"] or h.dtype.kind != "f":
            raise ValueError(
                f"CSI of shape {list(h.shape)} and dtype {h.dtype}: "
                f"expected {self.codec['csi_shape']} floating point"
            )
        if not np.isfinite(h).all():
            raise ValueError(f"CSI has {np.sum(~np.isfinite(h))} NaN or Inf values")
        return h[np.newaxis].astype(np.float32)
