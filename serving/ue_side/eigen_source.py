"""Input of an encoder of eigenvectors, made of channels or of the eigenvectors."""

from __future__ import annotations

import numpy as np

from tfds_builders import subbands

KEYS = ("channels", "eigenvectors")  # of a .npz, in the place of `h`


def as_input(arrays: dict[str, np.ndarray], codec: dict) -> np.ndarray:
    """Zero-centred float32 `[n, P, rank subbands, 2]`, phases fixed by codec.json.

    Args:
        arrays: `channels` complex `[n, subcarriers, N_r, P]` over the whole band, a
            multiple of the subbands, or unit `eigenvectors` complex `[n, subbands, P,
            rank]` with any phases.
        codec: content of codec.json.

    Raises:
        ValueError: arrays of other shapes, or other eigenvectors than are sent.
    """
    about = codec["eigenvectors"]
    name = next(key for key in KEYS if key in arrays)
    vectors = arrays[name]
    if vectors.dtype.kind != "c":
        raise ValueError(f"{name} are {vectors.dtype}: expected complex numbers")
    if name == "channels":
        vectors = _of_channels(vectors, about)
    wanted = [about["num_subbands"], codec["csi_shape"][0], about["rank"]]
    if vectors.ndim != 4 or list(vectors.shape[1:]) != wanted:
        raise ValueError(
            f"eigenvectors {list(vectors.shape)}: expected [n, subbands, ports, rank] "
            f"with {wanted}"
        )
    vectors = subbands.with_phase(vectors, about["phase"])
    return subbands.as_csi(vectors) - np.float32(0.5)


def _of_channels(h: np.ndarray, about: dict) -> np.ndarray:
    """The strongest eigenvectors of each subband."""
    num = about["num_subbands"]
    if h.ndim != 4 or h.shape[1] % num:
        raise ValueError(
            f"channels {list(h.shape)}: expected [n, subcarriers, N_r, P] with a "
            f"multiple of {num} subcarriers"
        )
    if h.shape[2] < about["rank"]:
        raise ValueError(
            f"channels {list(h.shape)}: expected {about['rank']} receive antennas or "
            "more, one for each layer that is sent"
        )
    bands = h.reshape(len(h), num, -1, *h.shape[2:])
    return subbands.eigenmodes(bands, about["rank"])[0]
