"""Input of an encoder of eigenvectors, made of channels or of the eigenvectors."""

from __future__ import annotations

import numpy as np

from tfds_builders import subbands

KEYS = ("channels", "eigenvectors")  # of a .npz, in the place of `h`


def as_input(
    name: str, given: np.ndarray, codec: dict, limit: int | None = None
) -> np.ndarray:
    """Zero-centred float32 `[n, P, rank subbands, 2]`, phases fixed by codec.json.

    Args:
        name: of what is given, one of `KEYS`.
        given: `channels` complex `[n, subcarriers, N_r, P]` over the whole band, a
            multiple of the subbands, or `eigenvectors` complex `[n, subbands, P, rank]`
            with any phases and norms.
        codec: content of codec.json.
        limit: take the first so many.

    Raises:
        ValueError: arrays of other shapes, other eigenvectors than are sent, zeros, or
            NaN or Inf.
    """
    about = codec["eigenvectors"]
    if given.ndim != 4 or not given.size or given.dtype.kind != "c":
        raise ValueError(
            f"{name} are {given.dtype} {list(given.shape)}: expected complex numbers "
            "of four dimensions, none of them 0"
        )
    vectors = given[:limit]
    if not np.isfinite(vectors).all():
        raise ValueError(
            f"{name} have {np.sum(~np.isfinite(vectors))} NaN or Inf values"
        )
    if name == "channels":
        vectors = _of_channels(vectors, about)
    wanted = [about["num_subbands"], codec["csi_shape"][0], about["rank"]]
    if list(vectors.shape[1:]) != wanted:
        raise ValueError(
            f"eigenvectors {list(vectors.shape)}: expected [n, subbands, ports, rank] "
            f"with {wanted}"
        )
    norms = np.linalg.norm(vectors.astype(np.complex128), axis=2, keepdims=True)
    if not norms.all():
        raise ValueError(f"eigenvectors: {np.sum(norms == 0)} are zero")
    vectors = subbands.with_phase(vectors / norms, about["phase"])
    return subbands.as_csi(vectors) - np.float32(0.5)


def _of_channels(h: np.ndarray, about: dict) -> np.ndarray:
    """The strongest eigenvectors of each subband."""
    num = about["num_subbands"]
    if h.shape[1] % num:
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
    vectors, values = subbands.eigenmodes(bands, about["rank"])
    if not values[..., 0].all():
        zero = np.sum(values[..., 0] == 0)
        raise ValueError(f"channels: {zero} subbands are zero, without eigenvectors")
    return vectors
