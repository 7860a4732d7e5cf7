"""PyTorch files that ask for more than tensors, point outside, or are damaged."""

from __future__ import annotations

import os
import pickle
import struct
import zipfile

import numpy as np
import pytest

from tests.support.torch_files import (
    SAVE,
    Call,
    Global,
    Storage,
    Writer,
    of_array,
    save_legacy,
    save_zip,
    tensor,
)
from zoo.importing import torch_checkpoint


@pytest.fixture(params=list(SAVE))
def save(request, tmp_path):
    """Function that writes an object in one of the formats and returns the path."""

    def write(obj, **options):
        path = tmp_path / "net.pth"
        SAVE[request.param](path, obj, **options)
        return path

    return write


@pytest.mark.parametrize(
    ("module", "name", "args"),
    [
        ("os", "system", ("touch {marker}",)),
        ("posix", "system", ("touch {marker}",)),
        ("builtins", "eval", ("open({marker!r}, 'w')",)),
        ("__builtin__", "eval", ("open({marker!r}, 'w')",)),
        ("subprocess", "check_output", (["touch", "{marker}"],)),
        ("pathlib", "Path", ("{marker}",)),
        ("torch", "load", ("{marker}",)),
        ("torch._utils", "_rebuild_tensor_v3", ()),
        ("collections", "defaultdict", ()),
        ("utils.solver", "Trainer", ()),
    ],
)
def test_other_globals_are_refused(save, tmp_path, module, name, args):
    marker = tmp_path / "was_here"
    args = [
        [a.format(marker=str(marker)) for a in x]
        if isinstance(x, list)
        else x.format(marker=str(marker))
        for x in args
    ]
    call = Call(Global(module, name), *args)
    for obj in (call, {"state_dict": {"w": of_array("0", [1]), "deep": [(1, call)]}}):
        with pytest.raises(ValueError, match=rf"refused: .*{module}\.{name}"):
            torch_checkpoint.load(save(obj))
    assert not marker.exists()


def test_refused_before_the_header_of_a_legacy_file(tmp_path):
    marker, path = tmp_path / "was_here", tmp_path / "net.pth"
    with path.open("wb") as file:
        Writer(file).dump(Call(Global("os", "system"), f"touch {marker}"))
    with pytest.raises(ValueError, match=r"refused: .*os\.system"):
        torch_checkpoint.load(path)
    assert not marker.exists()


def test_refused_with_the_names_on_the_stack(tmp_path):
    """Protocol 4 builds the global's name from strings."""
    path = tmp_path / "net.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("net/data.pkl", pickle.dumps(os.system, 4))
    with pytest.raises(ValueError, match=r"refused: .*system"):
        torch_checkpoint.load(path)


@pytest.mark.parametrize(
    "target",
    [
        b"ctorch._utils\n_rebuild_tensor_v2\n",
        b"ctorch._utils\n_rebuild_parameter\n",
        b"ccollections\nOrderedDict\n",
        b"cutils.solver\nResult\n",
        b"ctorch\nFloatStorage\n",
    ],
)
@pytest.mark.parametrize("state", [b"}X\1\0\0\0aK\1s", b"N}X\1\0\0\0aK\1s\x86"])
def test_allowed_names_cannot_be_changed(tmp_path, target, state):
    """BUILD on a class or function would outlive the file."""
    path = tmp_path / "net.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("net/data.pkl", b"\x80\2" + target + state + b"b.")
    with pytest.raises(ValueError, match="net.pth: not a PyTorch file"):
        torch_checkpoint.load(path)


@pytest.mark.parametrize(
    ("size", "stride", "offset"),
    [
        ((7,), (1,), 0),
        ((2, 3), (3, 1), 1),
        ((2,), (6,), 0),
        ((3, 3), (0, 1), 0),
        ((2,), (-1,), 1),
        ((2,), (1,), -1),
        ((2, 3), (1,), 0),
        ((2.0,), (1,), 0),
        ((1 << 40, 1 << 40), (1, 1), 0),
    ],
)
def test_tensor_outside_its_storage(save, size, stride, offset):
    path = save([tensor(Storage("0", np.zeros(6)), size, stride, offset)])
    with pytest.raises(ValueError, match="tensor of size"):
        torch_checkpoint.load(path)


def test_storage_of_another_length(save):
    path = save([tensor(Storage("0", np.zeros(6), numel=8), (8,))])
    with pytest.raises(ValueError, match="24 bytes, expected 32|truncated: 32"):
        torch_checkpoint.load(path)


def test_storage_with_two_types(save):
    pair = [Storage("0", [1.0]), Storage("0", [1.0], "DoubleStorage")]
    with pytest.raises(ValueError, match="storage 0 has two types"):
        torch_checkpoint.load(save([tensor(s, (1,)) for s in pair]))


def test_unknown_type_of_numbers(save):
    path = save([tensor(Storage("0", [1, 2], "ShortStorage"), (2,))])
    with pytest.raises(ValueError, match=r"torch\.ShortStorage.*FloatStorage"):
        torch_checkpoint.load(path)


def test_other_objects(save):
    with pytest.raises(ValueError, match="holds a complex|refused: .*complex"):
        torch_checkpoint.load(save({"state_dict": 1 + 2j}))
    with pytest.raises(ValueError, match="holds a bytearray|refused"):
        torch_checkpoint.load(save([bytearray(b"x")]))


def test_other_files(tmp_path):
    weights = [of_array("0", np.zeros(100))]
    for name, options, text in (
        ("big.pth", {"byteorder": b"big"}, "big-endian"),
        ("deflated.pth", {"compression": zipfile.ZIP_DEFLATED}, "compressed"),
    ):
        save_zip(tmp_path / name, weights, **options)
        with pytest.raises(ValueError, match=text):
            torch_checkpoint.load(tmp_path / name)
    save_legacy(tmp_path / "big_legacy.pth", weights, little_endian=False)
    with pytest.raises(ValueError, match="little-endian"):
        torch_checkpoint.load(tmp_path / "big_legacy.pth")
    with zipfile.ZipFile(tmp_path / "empty.zip", "w") as archive:
        archive.writestr("readme", b"")
    with pytest.raises(ValueError, match="0 data.pkl, expected 1"):
        torch_checkpoint.load(tmp_path / "empty.zip")
    (tmp_path / "page.html").write_text("<html>")
    with pytest.raises(ValueError, match="neither a zip nor a pickle"):
        torch_checkpoint.load(tmp_path / "page.html")
    with pytest.raises(FileNotFoundError, match="no.pth: no such file"):
        torch_checkpoint.load(tmp_path / "no.pth")
    cycle: list = []
    cycle.append(cycle)
    save_zip(tmp_path / "cycle.pth", cycle)
    with pytest.raises(ValueError, match="recursion"):
        torch_checkpoint.load(tmp_path / "cycle.pth")


def test_truncated_file(save):
    path = save({"w": of_array("0", np.arange(40)), "b": of_array("1", np.arange(9))})
    content = path.read_bytes()
    for length in range(0, len(content), 7):
        path.write_bytes(content[:length])
        with pytest.raises(ValueError, match="net.pth: not a PyTorch file"):
            torch_checkpoint.load(path)


def test_flipped_bits_are_noticed_or_harmless(save):
    path = save({"w": of_array("0", np.arange(40)), "b": of_array("1", np.arange(9))})
    content, rng = path.read_bytes(), np.random.default_rng(0)
    refused = 0
    for position in rng.integers(0, len(content), 300):
        damaged = bytearray(content)
        damaged[position] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        try:
            torch_checkpoint.load(path)
        except ValueError:
            refused += 1
    assert refused > 100


def test_storage_shorter_than_the_zip_says(tmp_path):
    """Python's zipfile returns the short content; nothing beyond it may be read."""
    path = tmp_path / "net.pth"
    save_zip(path, [tensor(Storage("0", np.zeros(6), numel=600), (600,))])
    content = bytearray(path.read_bytes())
    entry = content.rindex(b"net/data/0") - 46  # its record in the central directory
    assert content[entry : entry + 4] == b"PK\1\2"
    content[entry + 24 : entry + 28] = struct.pack("<I", 2400)
    path.write_bytes(content)
    with zipfile.ZipFile(path) as archive:
        assert archive.getinfo("net/data/0").file_size == 2400
    with pytest.raises(ValueError, match="24 bytes, expected 2400|damaged"):
        torch_checkpoint.load(path)


def test_memo_index_that_would_fill_the_memory(tmp_path):
    path = tmp_path / "net.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("net/data.pkl", b"\x80\2]r\xff\xff\xff\x7f.")
    assert torch_checkpoint.load(path) == []
