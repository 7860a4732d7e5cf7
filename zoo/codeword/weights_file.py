"""Weights files: written with their SHA-256 beside them, verified when they load."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from serving.codec import checksums
from tfds_builders.untrusted import hdf5
from zoo import files
from zoo.keras_compat import Model


def hash_file(path: Path) -> Path:
    """File with the SHA-256 of a weights file, as `sha256sum -c` reads it."""
    return path.with_name(f"{path.name}.sha256")


def save(network: Model, path: Path) -> None:
    """Write weights and their hash; a kill leaves a pair that fits, old or new.

    Raises:
        OSError: no room or no permission; the previous files are kept.
    """
    size = sum(v.numpy().nbytes for v in network.variables)
    with files.atomic_path(path) as temporary:
        # HDF5 reports a full disk from a destructor; its groups take up some room too.
        files.require_room(temporary, size + size // 20 + 10**6)
        network.save_weights(temporary)
        new = files.sha256(temporary)
        _write_hashes(path, [new, *_before(path)])  # either file, until it is replaced
    _write_hashes(path, [new])


def seal(path: Path) -> None:
    """Write the hash of a weights file that was made another way."""
    _write_hashes(path, [files.sha256(path)])


def load(network: Model, path: Path) -> None:
    """Load a weights file into an autoencoder.

    Raises:
        FileNotFoundError: no such file.
        ValueError: it is damaged, of another network, or holds NaN or Inf.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: no such file; train the run for at least one epoch"
        )
    verify(path)
    hdf5.check_weights(path)
    try:
        network.load_weights(path)
    except Exception as error:  # damaged bytes: nearly anything
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise ValueError(f"{path}: cannot be loaded ({reason})") from error
    for variable in network.variables:
        check_finite(path, variable.name, variable.numpy())


def verify(path: Path) -> None:
    """Compare a weights file with the hash that was written with it, if one was.

    Raises:
        ValueError: another hash.
    """
    kept = _hashes(path)
    found = files.sha256(path) if kept else ""
    if kept and found not in kept:
        raise ValueError(
            f"{path}: its sha256 is {found[:16]}, written were {kept[0][:16]}: it was "
            f"damaged or changed; restore it, or remove {hash_file(path).name} where "
            "you have put these weights there"
        )


def check_finite(path: Path, name: str, values: np.ndarray) -> None:
    """Refuse weights that no training leaves behind.

    Args:
        path: file that they are from.
        name: of the weight.
        values: its numbers.

    Raises:
        ValueError: NaN or Inf among them.
    """
    if values.dtype.kind in "fc" and not np.isfinite(values).all():
        bad = values.size - int(np.isfinite(values).sum())
        raise ValueError(
            f"{path}: {name} holds NaN or Inf in {bad} of {values.size} places, "
            "expected finite weights; train again with a lower --lr, or restore them"
        )


def _hashes(path: Path) -> list[str]:
    record = hash_file(path)
    pairs = checksums.parse(record) if record.is_file() else []
    if any(name != path.name for _, name in pairs):
        raise ValueError(f"{record}: expected hashes of {path.name}; it was damaged")
    return [digest for digest, _ in pairs]


def _before(path: Path) -> list[str]:
    """Hashes of the file that is to be replaced; of an older version's, its own."""
    if not path.is_file():
        return []
    return _hashes(path) or [files.sha256(path)]


def _write_hashes(path: Path, digests: list[str]) -> None:
    files.write_text(
        hash_file(path), "".join(f"{digest}  {path.name}\n" for digest in digests)
    )
