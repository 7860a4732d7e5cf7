"""Header of the files of `zoo.data.exchange`: what it may say, and nothing else."""

from __future__ import annotations

import numpy as np

from serving.codec import bitstream
from tfds_builders import subbands
from tfds_builders.untrusted import json_files
from tfds_builders.untrusted.json_files import (
    COUNT,
    NUMBER,
    NUMBER_OR_NONE,
    POSITIVE,
    record,
)

QUANTIZERS = ("uniform", "mu_law", "sign")  # those whose points follow from their bits
MOST = 1 << 20  # bytes
METRICS = ("nmse_db", "sgcs")
LARGEST = 1e30  # of a number
PRINTABLE = r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]*$"
LINE = {"type": "string", "maxLength": 4000, "pattern": PRINTABLE}
LINE_OR_NONE = {**LINE, "type": ["string", "null"]}
PAIR_ID = {"type": "string", "pattern": "^[0-9a-f]{16}$"}
DATASET = {"type": "string", "pattern": r"^[\w./:-]{1,200}$"}
SCALINGS = {"enum": ["stored", "per_sample", "global"]}


def _closed(needed: dict, more: dict | None = None) -> dict:
    """Schema of an object with these keys and no others."""
    return {**record(needed, more), "additionalProperties": False}


SETTINGS = _closed(
    {
        "dataset": DATASET,
        "scaling": SCALINGS,
        "codeword_dim": POSITIVE,
        "quantizer": {"enum": list(QUANTIZERS)},
        "bits": {**POSITIVE, "maximum": bitstream.MAX_BITS},
        "target": {"enum": ["csi", "eigenvectors"]},
        "rank": {**POSITIVE, "maximum": 4},
        "num_subbands": COUNT,
        "phase": {"enum": list(subbands.PHASES)},
    }
)  # flags that both sides share
HEADER = _closed(
    {
        "format": {"enum": [1]},
        "pairing_id": PAIR_ID,
        "payload_id": LINE,
        "settings": SETTINGS,
        "performance": _closed(
            {"metric": {"enum": list(METRICS)}, "value": NUMBER, "test_data": LINE}
        ),
        "normalisation": _closed(
            {"scale": LINE_OR_NONE, "constant": NUMBER_OR_NONE, "says": LINE},
            {"input": LINE, "dataset": DATASET, "scaling": SCALINGS},
        ),
        "by": _closed({"commit": LINE, "version": LINE, "date": LINE}),
    },
    {"train_data": LINE},  # files of before lack it
)


def parse(path: str, octets: np.ndarray) -> dict:
    """The JSON in an array of bytes.

    Raises:
        ValueError: not bytes, or not such a header; the message names what is wrong.
    """
    if octets.dtype != np.uint8 or octets.ndim != 1 or octets.size > MOST:
        raise ValueError(
            f"{path}: header is {octets.dtype} {list(octets.shape)}, expected the "
            f"bytes of JSON, at most {MOST:,}"
        )
    header = json_files.parse(f"{path}: header", octets.tobytes(), HEADER)
    numbers = {
        "performance.value": header["performance"]["value"],
        "normalisation.constant": header["normalisation"]["constant"] or 0,
    }
    for name, value in numbers.items():
        if not abs(value) <= LARGEST:  # of NaN it does not hold
            raise ValueError(f"{path}: header: {name} is not finite")
    if header["payload_id"] != payload_id(header["settings"]):
        raise ValueError(
            f"{path}: payload_id is {header['payload_id']!r:.40}, expected "
            f"{payload_id(header['settings'])}, as its settings are"
        )
    return header


def payload_id(settings: dict) -> str:
    """Latent length and bits of an entry, as '64x2'."""
    return f"{settings['codeword_dim']}x{settings['bits']}"
