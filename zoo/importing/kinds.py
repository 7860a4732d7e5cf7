"""What a file or folder of weights is, told by its first bytes and not by its name."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

PYTORCH = "a PyTorch file"
KERAS = "an HDF5 file"
CHECKPOINT = "a TensorFlow checkpoint"

PART = re.compile(r"\.data-\d{5}-of-\d{5}$")  # the numbers of a checkpoint
# Beginnings of files; what follows the comma says what to do.
MAGIC = {
    b"\x89HDF\r\n\x1a\n": KERAS,
    b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19": PYTORCH,
    b"MATLAB ": "a MATLAB file, --matrix takes CS-CsiNet's A and no other weights",
    b"\x93NUMPY": "a NumPy array",
    b"\x1f\x8b": "a gzip archive, unpack it",
    b"BZh": "a bzip2 archive, unpack it",
    b"Rar!": "a RAR archive, unpack it",
    b"7z\xbc\xaf": "a 7-Zip archive, unpack it",
    b"version https://git-lfs": "a pointer of Git LFS, fetch the file itself",
    b"<!doctype html": "a web page, fetch the file itself",
    b"<html": "a web page, fetch the file itself",
}
# A member that only such zips have.
ZIPPED = {
    "constants.pkl": "a TorchScript archive, save its state_dict()",
    "data.pkl": PYTORCH,
    "model.weights.h5": "a Keras 3 model, save its weights under Keras 2",
    "saved_model.pb": "a zipped SavedModel, save its weights under Keras 2",
}


def kind(path: Path) -> str:
    """What a source is; '' for what is not known.

    Args:
        path: file, folder, or prefix of a TensorFlow checkpoint.

    Raises:
        OSError: it cannot be read.
    """
    if path.is_dir():
        return _folder(path)
    if not path.is_file():
        return CHECKPOINT if path.with_name(f"{path.name}.index").is_file() else ""
    with path.open("rb") as file:
        head = file.read(512)
        file.seek(max(0, path.stat().st_size - 8))
        tail = file.read()
    if not head:
        return "an empty file"
    if head.startswith(b"PK\3\4"):
        return _zip(path)
    if head[4:8] == b"TFL3":
        return "a TensorFlow Lite model, which has no names of layers"
    if tail == bytes.fromhex("57fb808b247547db") or PART.search(path.name):
        return CHECKPOINT
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") < path.stat().st_size:
        return "a safetensors file, save it with torch.save"
    if head[257:262] == b"ustar":
        return "a tar archive, unpack it"
    start = head.lstrip()
    words = start if start[:1] != b"<" else start.lower()
    return next((what for magic, what in MAGIC.items() if words.startswith(magic)), "")


def _folder(path: Path) -> str:
    if (path / "saved_model.pb").is_file():
        return "a SavedModel, save its weights under Keras 2"
    if (path / "config.json").is_file() and (path / "best.weights.h5").is_file():
        return f"a run directory, give it to zoo.evaluate --run={path}"
    return CHECKPOINT if any(path.glob("*.index")) else "a folder"


def _zip(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, OverflowError, EOFError):
        return ""  # damaged: the reader says where
    members = {name.rsplit("/", 1)[-1] for name in names}
    if members and all(name.endswith(".npy") for name in members):
        return "a NumPy archive"
    return next((what for member, what in ZIPPED.items() if member in members), "")


def expect(path: Path, wanted: str, model: str) -> None:
    """Refuse a source by what it is, if that is known and not what is read.

    Args:
        path: the source.
        wanted: `PYTORCH`, `KERAS` or `CHECKPOINT`.
        model: network that is imported, for the message.

    Raises:
        FileNotFoundError: nothing there.
        ValueError: it is something else.
    """
    found = kind(path)
    if not found and not path.exists():
        raise FileNotFoundError(f"{path}: no such file")
    if found and found != wanted:
        what, _, advice = found.partition(", ")
        raise ValueError(
            f"--source={path} is {what}, published weights of {model} are read from "
            f"{wanted}" + (f": {advice}" if advice else "")
        )
