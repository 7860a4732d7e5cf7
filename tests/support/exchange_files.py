"""A small exchange file without a network behind it."""

from __future__ import annotations

import numpy as np

M, BITS, SHAPE = 6, 3, (4, 5, 2)


def header(**changes) -> dict:
    """What a file says."""
    settings = {
        "dataset": "a/b", "scaling": "stored", "codeword_dim": M,
        "quantizer": "uniform", "bits": BITS, "target": "csi", "rank": 1,
        "num_subbands": 0, "phase": "port",
    }  # fmt: skip
    return {
        "format": 1,
        "pairing_id": "0123456789abcdef",
        "payload_id": f"{M}x{BITS}",
        "settings": settings,
        "performance": {"metric": "nmse_db", "value": -7.5, "test_data": "a/b test"},
        "normalisation": {"scale": None, "constant": None, "says": "unknown: test"},
        "by": {"commit": "c", "version": "v", "date": "d"},
    } | changes


def points() -> np.ndarray:
    """Of a uniform quantiser, as its docstring has them."""
    return (np.arange(2**BITS) + 0.5) / 2 ** (BITS - 1) - 1


def data(count: int = 8) -> tuple[dict, dict]:
    """CSI and indices by split; of the validation half as many."""
    rng = np.random.default_rng(0)
    sizes = {"train": count, "validation": count // 2}
    csi = {k: rng.random((n, *SHAPE), np.float32) for k, n in sizes.items()}
    indices = {k: rng.integers(0, 2**BITS, (n, M)) for k, n in sizes.items()}
    return csi, indices
