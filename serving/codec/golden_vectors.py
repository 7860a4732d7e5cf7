"""Golden vectors of an export: the bits that its encoders gave where it was made.

`golden.npz` holds CSI, and for every encoder of the export the codewords and payload
bytes that it gave where it was exported, of the pursuit also its coded reports.
Replaying it on another device shows whether that device sends the same bits. Needs
NumPy, ai_edge_litert and fastjsonschema only.
"""

from __future__ import annotations

import platform
from importlib import metadata
from pathlib import Path

import numpy as np

from serving.codec import checksums
from serving.codec.coded_atoms import CodedEncoder
from serving.codec.ue_encoder import UeEncoder
from tfds_builders.untrusted.numpy_files import load

GOLDEN_FILE = "golden.npz"
NUM_VECTORS = 16
# Of the codeword, relative to its largest entry. From x86-64 to arm64 float32 moves by
# 3e-6 and dynamic range, which rounds its inputs, by 2e-4; the bits must not change.
TOLERANCE = 1e-3


def describe_runtime(runtime: str) -> str:
    """Library, its version, delegate and machine, for what depends on them."""
    version = metadata.version("ai-edge-litert")
    return f"ai-edge-litert {version}, {runtime}, XNNPACK, {platform.machine()}"


def replay(encoder: UeEncoder, h: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Codewords float32 `[n, M]` and payloads uint8 `[n, P]` of CSI `[n, 32, 32, 2]`.

    Args:
        encoder: the encoder.
        h: zero-centred CSI.
    """
    codeword = np.stack([encoder.encode(x) for x in h])
    packed = [np.frombuffer(encoder.encode_bits(x), np.uint8) for x in h]
    return codeword, np.stack(packed)


def replay_coded(encoder: CodedEncoder, h: np.ndarray) -> np.ndarray:
    """Coded reports of CSI in a row, each behind its size, uint8 `[bytes]`."""
    reports = [encoder.encode_bits(x) for x in h]
    return np.frombuffer(
        b"".join(len(x).to_bytes(2, "big") + x for x in reports), np.uint8
    )


def write(directory: Path, names, h: np.ndarray) -> None:
    """Write `golden.npz` of some encoders of an export.

    Args:
        directory: the export; codec.json exists.
        names: encoder files.
        h: zero-centred CSI float32 `[n, N_t, N_a, 2]`.
    """
    arrays = {"h": h, "about": np.array(describe_runtime("interpreter"))}
    for name in names:
        encoder = UeEncoder(directory / name, any_csi=True)
        arrays[f"{name}/codeword"], arrays[f"{name}/packed"] = replay(encoder, h)
        if encoder.codec.get("tables"):
            coded = CodedEncoder(directory / name, any_csi=True)
            arrays[f"{name}/coded"] = replay_coded(coded, h)
    np.savez_compressed(directory / GOLDEN_FILE, **arrays)


def read(directory: Path) -> dict[str, np.ndarray]:
    """Content of `golden.npz`.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is damaged, or lacks the vectors of an encoder in it.
    """
    path = directory / GOLDEN_FILE
    if not path.is_file():
        raise FileNotFoundError(f"no {path}: give an export directory")
    checksums.verify_file(path)
    try:
        arrays = load(path)
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} is damaged ({error}): export again") from error
    if not isinstance(arrays, dict):
        raise ValueError(f"{path} is a .npy: export again")
    for key in ("h", "about", *(f"{name}/packed" for name in encoders(arrays))):
        if key not in arrays:
            raise ValueError(f"{path} lacks {key}: export again")
    if not encoders(arrays):
        raise ValueError(f"{path} names no encoder: export again")
    return arrays


def encoders(arrays: dict) -> list[str]:
    """Encoder files that golden vectors are of."""
    return [key.split("/")[0] for key in arrays if key.endswith("/codeword")]


def compare(directory: Path, runtime: str = "interpreter") -> dict[str, dict]:
    """Replay the golden vectors of an export.

    Args:
        directory: export directory.
        runtime: of `UeEncoder`.

    Returns:
        By encoder file: 'passed' (same bits, codewords within `TOLERANCE`), the largest
        'difference' of a codeword entry, relative, and 'bytes' that differ.

    Raises:
        FileNotFoundError: no golden vectors, or no encoder.
        ValueError: a file is damaged.
    """
    arrays, results = read(directory), {}
    for name in encoders(arrays):
        encoder = UeEncoder(directory / name, runtime, any_csi=True)
        codeword, packed = replay(encoder, arrays["h"])
        expected = arrays[f"{name}/codeword"]
        largest = max(float(np.abs(expected).max()), 1e-12)
        difference = float(np.abs(codeword - expected).max()) / largest
        differing = int(np.sum(packed != arrays[f"{name}/packed"]))
        if f"{name}/coded" in arrays:
            coding = CodedEncoder(directory / name, 0, runtime, any_csi=True)
            coded = replay_coded(coding, arrays["h"])
            differing += _differing(coded, arrays[f"{name}/coded"])
        passed = difference <= TOLERANCE and not differing
        results[name] = {
            "passed": bool(passed),
            "difference": difference,
            "bytes": differing,
        }
    return results


def _differing(row: np.ndarray, other: np.ndarray) -> int:
    """Bytes of two rows that are not the same; where one is longer, all of it."""
    same_size = row.shape == other.shape
    return int(np.sum(row != other)) if same_size else max(row.size, other.size)
