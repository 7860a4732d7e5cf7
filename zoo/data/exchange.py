"""Files that one side hands to the other, so that they can train apart.

Type 3 training of 3GPP (TR 38.843): the side that is first trains a pair and hands over
what the other side needs to fit its part, and nothing of its network. An .npz with

* `header`: UTF-8 JSON, see `zoo.data.exchange_header`: what both sides must agree on, a
  name of the pair, and what it reaches on the test part of the side that was first;
* `points`: float32 `[2^B]`, what the B bits of a codeword entry stand for;
* `train_csi`, `validation_csi`: float32 `[n, N_t, N_a, 2]` in [0, 1], the target CSI,
  which is the encoder's input;
* `train_payload`, `validation_payload`: uint8 `[n, P]`, its code bits as they are on
  the air (`serving.codec.bitstream`).
"""

from __future__ import annotations

import dataclasses
import functools
import json
import math
from pathlib import Path
from typing import NamedTuple

import numpy as np

from serving.codec import bitstream
from tfds_builders.untrusted import numpy_files
from zoo import files
from zoo.config import ExperimentConfig
from zoo.config_checks import require_default
from zoo.data import exchange_header, mixture
from zoo.data.batches import in_batches

SPLITS, KINDS = ("train", "validation"), ("csi", "payload")


class Exchange(NamedTuple):
    """Content of a file.

    Attributes:
        path: of the file.
        sha256: of the file.
        header: see `exchange_header.HEADER`.
        points: float32 `[2^B]`.
        csi: float32 `[n, N_t, N_a, 2]` in [0, 1] by split.
        codeword: float32 `[n, M]` by split, the points that the code bits stand for.
    """

    path: str
    sha256: str
    header: dict
    points: np.ndarray
    csi: dict[str, np.ndarray]
    codeword: dict[str, np.ndarray]


def write(path: Path, header: dict, points, csi: dict, indices: dict) -> None:
    """Write a file, whole or not at all.

    Args:
        path: of the file.
        header: see `exchange_header.HEADER`.
        points: `[2^B]`.
        csi: `[n, N_t, N_a, 2]` by split.
        indices: of the codeword's entries `[n, M]`, by split.

    Raises:
        ValueError: the reader would refuse it.
    """
    bits = header["settings"]["bits"]
    arrays = {"points": np.asarray(points, np.float32)}
    for split in SPLITS:
        arrays[f"{split}_csi"] = np.asarray(csi[split], np.float32)
        packed = in_batches(lambda x: bitstream.pack(x, bits), indices[split])
        arrays[f"{split}_payload"] = packed
    text = json.dumps(header).encode()
    arrays["header"] = np.frombuffer(text, np.uint8)
    _parse(str(path), arrays)
    with files.atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)


def read(path: str) -> Exchange:
    """Read a file of the other side.

    Raises:
        OSError: no such file.
        ValueError: damaged, of another format, or its parts do not fit each other.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"--exchange={path}: no such file")
    about = Path(path).stat()
    return _read(path, about.st_mtime_ns, about.st_size)


@functools.lru_cache(maxsize=8)
def _read(path: str, *changed: int) -> Exchange:
    del changed  # another file of that name
    arrays = numpy_files.load(path)
    if not isinstance(arrays, dict):
        raise ValueError(
            f"{path}: one array, expected an .npz of zoo.export --exchange"
        )
    return Exchange(path, files.sha256(path), *_parse(path, arrays))


def _parse(path: str, arrays: dict) -> tuple[dict, np.ndarray, dict, dict]:
    """Header, points, CSI and codewords of the arrays of a file."""
    names = {"header", "points", *(f"{s}_{x}" for s in SPLITS for x in KINDS)}
    if set(arrays) != names:
        raise ValueError(
            f"{path}: arrays {sorted(arrays)!r:.80}, expected "
            f"{', '.join(sorted(names))}"
        )
    header = exchange_header.parse(path, arrays["header"])
    m, bits = (header["settings"][name] for name in ("codeword_dim", "bits"))
    points = arrays["points"]
    fits = points.dtype == np.float32 and points.shape == (1 << bits,)
    if not fits or not np.isfinite(points).all() or not (np.diff(points) > 0).all():
        raise ValueError(
            f"{path}: points are {points.dtype} {list(points.shape)}, expected "
            f"{1 << bits} finite float32, rising"
        )
    csi = {
        split: _csi(path, f"{split}_csi", arrays[f"{split}_csi"]) for split in SPLITS
    }
    shapes = [list(x.shape[1:]) for x in csi.values()]
    if shapes[0] != shapes[1] or m > math.prod(shapes[0]):  # before m is believed
        raise ValueError(
            f"{path}: CSI of {shapes[0]} and {shapes[1]} in {m} codeword entries, "
            "expected equal sizes that are not fewer"
        )
    codeword = {}
    for split in SPLITS:
        payload = arrays[f"{split}_payload"]
        if payload.ndim != 2 or len(payload) != len(csi[split]):
            raise ValueError(
                f"{path}: {split}_payload of shape {list(payload.shape)}, expected one "
                f"for each of {len(csi[split])} CSI"
            )
        try:
            codeword[split] = in_batches(
                lambda x: points[bitstream.unpack(x, m, bits)], payload
            )
        except bitstream.BitstreamError as error:
            raise ValueError(f"{path}: {split}_payload: {error}") from error
    return header, points, csi, codeword


def _csi(path: str, name: str, csi: np.ndarray) -> np.ndarray:
    """CSI that a network can be trained on."""
    if csi.dtype != np.float32 or csi.ndim != 4 or csi.shape[-1] != 2 or not csi.size:
        raise ValueError(
            f"{path}: {name} is {csi.dtype} {list(csi.shape)}, expected float32 "
            "[n, N_t, N_a, 2]"
        )
    if not (csi.min() >= 0 and csi.max() <= 1):  # of NaN neither holds
        raise ValueError(
            f"{path}: {name} from {csi.min()} to {csi.max()}, expected 0 to 1"
        )
    return csi


def read_all(config: ExperimentConfig) -> list[Exchange]:
    """The files of a configuration, which must fit each other.

    Raises:
        OSError, ValueError: as `read`, one of them twice, of other payloads or CSI than
            the first, or, for an encoder, of another decoder.
    """
    found = [read(path) for path in config.exchange.split(",")]
    if len({file.sha256 for file in found}) < len(found):
        raise ValueError(f"--exchange={config.exchange}: one file twice, leave one out")
    first = found[0]
    for other in found[1:]:
        for name, value in first.header["settings"].items():
            if name != "dataset" and other.header["settings"][name] != value:
                _refuse(other, name, other.header["settings"][name], first, value)
        size, other_size = (x.csi["train"].shape[1:] for x in (first, other))
        if size != other_size:
            _refuse(other, "CSI", other_size, first, size)
        pairs = [x.header["pairing_id"] for x in (first, other)]
        if config.collaboration == "nw_first" and pairs[0] != pairs[1]:
            _refuse(other, "pairing_id", pairs[1], first, pairs[0])
    return found


def _refuse(other: Exchange, name: str, value, first: Exchange, expected) -> None:
    why = (
        "an encoder speaks to one decoder" if name == "pairing_id" else "they must fit"
    )
    raise ValueError(
        f"--exchange: {other.path} has {name} {value}, {first.path} has {expected}: "
        f"{why}; train apart on each"
    )


def filled(config: ExperimentConfig) -> ExperimentConfig:
    """Configuration with the flags that its files say.

    Raises:
        OSError, ValueError: as `read_all`, or a flag says otherwise.
    """
    if not config.exchange:
        return config
    settings = read_all(config)[0].header["settings"]
    for name, value in settings.items():
        if getattr(config, name) != value:
            require_default(
                config, name, f"{value}, as {config.exchange} says; leave it out"
            )
    if config.loss == "sgcs" and settings["target"] == "csi":
        raise ValueError(
            f"--loss=sgcs is of eigenvectors, {config.exchange} has CSI: leave it out"
        )
    return dataclasses.replace(config, **settings)


def examples(
    config: ExperimentConfig, split: str, at_most: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """CSI `[n, N_t, N_a, 2]` in [0, 1] and codewords `[n, M]` of a split, float32.

    Of several files in turn, `num_<split>` of each.

    Raises:
        ValueError: a file has fewer.
    """
    found, numbers = read_all(config), counts(config, split)
    order = mixture.order(numbers)[: at_most or None]
    csi, codeword = (
        np.concatenate([x[:n] for x, n in zip(parts, numbers, strict=True)])[order]
        for parts in ([x.csi[split] for x in found], [x.codeword[split] for x in found])
    )
    return csi, codeword


def counts(config: ExperimentConfig, split: str) -> list[int]:
    """Examples of a split that are taken of each file.

    Raises:
        ValueError: a file has fewer than are asked for.
    """
    wanted, found = getattr(config, f"num_{split}"), []
    for file in read_all(config):
        have = len(file.csi[split])
        if wanted > have:
            raise ValueError(
                f"--num_{split}={wanted}: {file.path} has {have} {split} examples"
            )
        found.append(wanted or have)
    return found


def read_from(config: ExperimentConfig) -> dict:
    """What a training reads, as `zoo.data.splits.read_from`, and the files' headers."""
    found, parts = read_all(config), {}
    for split in SPLITS:
        parts[split] = "; ".join(
            f"{x.header['settings']['dataset']} of pair {x.header['pairing_id']} "
            f"{split}[:{number}] of file {x.sha256[:16]}"
            for x, number in zip(found, counts(config, split), strict=True)
        )
    headers = [x.header for x in found]
    return {
        **parts,
        "normalisation": headers[0]["normalisation"],
        "exchange": headers,
        "num_train": sum(counts(config, "train")),
    }
