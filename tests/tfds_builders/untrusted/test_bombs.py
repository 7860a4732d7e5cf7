"""Small files that unfold to much, or that point out of themselves: refused unread."""

from __future__ import annotations

import io
import resource
import struct
import time
import zipfile
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io

from tests.support.torch_files import SAVE, Storage, tensor
from tfds_builders.cost2100 import mat_files as published
from tfds_builders.own import array_files
from tfds_builders.untrusted import hdf5, mat_files, numpy_files, sizes
from zoo.importing import sources, torch_checkpoint

HUGE = 1_600_000_000  # float32 numbers: 6.4 GB
MOST_KIB = 300_000  # that a refusal may take, of an interpreter with all of its imports


@pytest.fixture(autouse=True)
def little_memory():
    """Fail where a refusal has first made room."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert after - before < MOST_KIB


def npy_header(shape) -> bytes:
    written = io.BytesIO()
    about = {"descr": "<f4", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(written, about)
    return written.getvalue()


def npz(path: Path, size: int, shape=(HUGE,)) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("h.npy", "w", force_zip64=True) as member:
            member.write(npy_header(shape))
            for _ in range(size >> 20):
                member.write(bytes(1 << 20))


def test_npz(tmp_path, monkeypatch):
    monkeypatch.setattr(sizes, "LARGEST", 1 << 26)
    path = tmp_path / "x.npz"
    npz(path, sizes.LARGEST + (1 << 20))
    assert path.stat().st_size < 2_000_000
    for read in (numpy_files.load, array_files.read):
        with pytest.raises(ValueError, match=r"x\.npz.*unfold to"):
            read(path)


@pytest.mark.parametrize("shape", [(HUGE,), (1 << 62, 1 << 62), (-1,)])
def test_a_header_that_announces_more_than_is_there(tmp_path, shape):
    npz(tmp_path / "x.npz", 1 << 20, shape)
    (tmp_path / "x.npy").write_bytes(npy_header(shape) + bytes(100))
    for name in ("x.npz", "x.npy"):
        with pytest.raises(ValueError, match=rf"{name}.*announces"):
            numpy_files.load(tmp_path / name)


def test_a_large_file_that_is_what_it_says_is_read(tmp_path, monkeypatch):
    """The cap is on what unfolds, not on what lies there."""
    monkeypatch.setattr(sizes, "LARGEST", 1000)
    np.save(tmp_path / "x.npy", np.arange(1000.0))
    np.savez_compressed(tmp_path / "y.npz", h=np.random.default_rng(0).random(1000))
    assert numpy_files.load(tmp_path / "x.npy").sum() == 499_500
    assert numpy_files.load(tmp_path / "y.npz")["h"].shape == (1000,)
    np.savez_compressed(tmp_path / "z.npz", h=np.zeros(10_000))
    with pytest.raises(ValueError, match="unfold to"):
        numpy_files.load(tmp_path / "z.npz")


def external_storage(file, secret):
    file.create_dataset("HT", (2, 2048), "f8", external=[(str(secret), 0, 1 << 15)])


def external_link(file, secret):
    file["HT"] = h5py.ExternalLink(str(secret), "/w")


def virtual(file, secret):
    layout = h5py.VirtualLayout((2, 2048), "f8")
    layout[:] = h5py.VirtualSource(str(secret), "w", (2, 2048))
    file.create_virtual_dataset("HT", layout)


def soft_link(file, secret):
    external_link(file, secret)
    file["other"] = file.get("HT", getlink=True)
    del file["HT"]
    file["HT"] = h5py.SoftLink("/other")


def fill_values(file, secret):
    file.create_dataset("HT", (HUGE // 2048, 2048), "f4", chunks=(8, 2048))


def endless_names(file, secret):
    file.attrs.create("layer_names", ["x"] * 2000, dtype=h5py.string_dtype())
    file["HT"] = np.zeros(1 << 18)


SPOILED = [external_storage, external_link, virtual, soft_link, fill_values]


@pytest.mark.parametrize("spoil", [*SPOILED, endless_names])
def test_hdf5(tmp_path, spoil):
    secret, path = tmp_path / "secret.h5", tmp_path / "x.h5"
    with h5py.File(secret, "w") as file:
        file["w"] = np.full((2, 2048), 0.25)
    with h5py.File(path, "w") as file:
        spoil(file, secret)
        if "layer_names" not in file.attrs:
            file.attrs["layer_names"] = np.array([b"HT"])
    for read in (hdf5.check_weights, sources.read_h5):
        with pytest.raises(ValueError, match=r"x\.h5: .*(elsewhere|unfold to)"):
            read(path)


def test_a_name_for_each_layer(tmp_path, monkeypatch):
    """As Keras writes them: each may be as long as the file, not all together."""
    monkeypatch.setattr(sizes, "LARGEST", 1 << 16)
    with h5py.File(tmp_path / "x.h5", "w") as file:
        for i in range(40):
            file.create_group(f"layers/{i}/vars").attrs["name"] = f"conv_{i}"
        file["w"] = np.random.default_rng(0).random(20_000)
    hdf5.check_weights(tmp_path / "x.h5")


@pytest.mark.parametrize("spoil", SPOILED)
def test_matlab_of_version_7_3(tmp_path, spoil):
    secret, path = tmp_path / "secret.h5", tmp_path / "x.mat"
    with h5py.File(secret, "w") as file:
        file["w"] = np.full((2, 2048), 0.25)
    with h5py.File(path, "w") as file:
        spoil(file, secret)
    with pytest.raises(ValueError, match="other files|unfold to|found the keys none"):
        published.read_csi(path)
    if spoil in (external_storage, virtual, fill_values):
        with pytest.raises(ValueError, match="other files|unfold to"):
            array_files.read(path)
    else:
        assert not array_files.read(path)  # links are left alone


def element(kind: int, content: bytes) -> bytes:
    return struct.pack("<II", kind, len(content)) + content + bytes(-len(content) % 8)


def matrix(kind: int, dimensions, *content: bytes, name=b"A") -> bytes:
    parts = element(6, struct.pack("<II", kind, 0))
    parts += element(5, struct.pack(f"<{len(dimensions)}i", *dimensions))
    return element(14, parts + element(1, name) + b"".join(content))


def mat(path: Path, variable: bytes, packed: bool = True) -> None:
    if packed:
        content = zlib.compress(variable, 9)
        variable = struct.pack("<II", 15, len(content)) + content
    path.write_bytes(b"M" * 124 + b"\x00\x01IM" + variable)


STRUCT = (element(5, struct.pack("<i", 1)), element(1, b"x" * 1000))
HOSTILE_MAT = {
    "numbers that are not there": matrix(6, (1 << 15, 1 << 15), element(9, bytes(8))),
    "numbers of no type": matrix(6, (1, 1), element(11, bytes(8))),
    "numbers that are a matrix": matrix(6, (1, 1), element(14, bytes(8))),
    "axes": matrix(6, (1,) * 40, element(9, bytes(8))),
    "negative": matrix(6, (-1, -1), element(9, bytes(8))),
    "a size that lies": matrix(6, (1, 1), struct.pack("<II", 9, 1 << 31)),
    "more than it says": matrix(6, (1, 1), element(9, bytes(8)))[:4] + b"\x08\0\0\0",
    "fields that are not there": matrix(2, (1, 1), *STRUCT),
}
PASSED_OVER = {
    "cells": matrix(1, (1 << 30, 1)),
    "structures": matrix(2, (1 << 30, 1), *STRUCT),
    "opaque": matrix(17, (1 << 30, 1)),
    "sparse": matrix(5, (1 << 30, 1 << 30)),
    "no class": matrix(99, (1, 1)),
}


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("name", HOSTILE_MAT)
def test_matlab_of_version_5(tmp_path, name, packed):
    mat(tmp_path / "x.mat", HOSTILE_MAT[name], packed)
    for read in (mat_files.read, array_files.read, sources.read_matrix):
        with pytest.raises(ValueError, match=r"x\.mat: "):
            read(tmp_path / "x.mat")
    with pytest.raises(ValueError, match=r"x\.mat: "):
        published.read_csi(tmp_path / "x.mat")


@pytest.mark.parametrize("kind", [1, 2, 6])
def test_axes_without_end(tmp_path, kind):
    """The product of n numbers takes n^2 steps: minutes for these."""
    mat(tmp_path / "x.mat", matrix(kind, ((1 << 31) - 1,) * 500_000), packed=False)
    began = time.process_time()
    for read in (mat_files.read, mat_files.shapes, array_files.read):
        with pytest.raises(ValueError, match=r"x\.mat: .*500,000 axes"):
            read(tmp_path / "x.mat")
    assert time.process_time() - began < 1


@pytest.mark.parametrize("name", PASSED_OVER)
def test_what_is_no_array_of_numbers_is_passed_over(tmp_path, name):
    values = matrix(6, (2, 1), element(9, np.arange(2.0).tobytes()), name=b"h")
    mat(tmp_path / "x.mat", PASSED_OVER[name] + values, packed=False)
    found = mat_files.read(tmp_path / "x.mat")
    assert list(found) == ["h"] and found["h"].tolist() == [[0], [1]]


def test_a_matlab_variable_that_unfolds(tmp_path, monkeypatch):
    monkeypatch.setattr(sizes, "LARGEST", 1 << 26)
    pack = zlib.compressobj(9)
    size = sizes.LARGEST + 8
    begin = element(6, struct.pack("<II", 6, 0))
    begin += element(5, struct.pack("<ii", 1, size)) + element(1, b"A")
    begin += struct.pack("<II", 2, size)
    content = pack.compress(struct.pack("<II", 14, len(begin) + size) + begin)
    content += b"".join(pack.compress(bytes(1 << 20)) for _ in range(size >> 20))
    content += pack.compress(bytes(8)) + pack.flush()
    path = tmp_path / "x.mat"
    path.write_bytes(b"M" * 124 + b"\x00\x01IM" + struct.pack("<II", 15, len(content)))
    with path.open("ab") as file:
        file.write(content)
    assert path.stat().st_size < 2_000_000
    with pytest.raises(ValueError, match="unfold to"):
        mat_files.read(path)


@pytest.mark.parametrize("packed", [False, True])
def test_matlab_as_scipy_reads_it(tmp_path, packed):
    """Numbers of all types beside texts, cells and structures."""
    rng = np.random.default_rng(0)
    values = {"t": "text", "c": np.array([np.zeros(2), "b", {"d": 1.0}], object)}
    values["i"], values["e"] = np.arange(5, dtype=np.int8), np.zeros((0, 3))
    values["z"] = rng.random((2, 3, 4)) + 1j * rng.random((2, 3, 4))
    values["f"] = (rng.random((3, 2)) + 1j).astype(np.complex64)
    values["s"] = {"x": np.ones(3, np.float32), "y": {"z": "text"}, "long_name": 2}
    for kind in ("u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"):
        values[kind] = rng.integers(0, 100, (4, 3)).astype(kind)
    scipy.io.savemat(tmp_path / "x.mat", values, do_compression=packed)
    found, theirs = (
        mat_files.read(tmp_path / "x.mat"),
        scipy.io.loadmat(tmp_path / "x.mat"),
    )
    expected = {k: x for k, x in theirs.items() if k in values and k not in "tcs"}
    expected |= {f"s/{k}": theirs["s"][k][0, 0] for k in ("x", "long_name")}
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype and found[name].shape == array.shape
    shapes = mat_files.shapes(tmp_path / "x.mat")
    assert all(shapes[name] == array.shape for name, array in expected.items())


def test_version_4_is_refused(tmp_path):
    scipy.io.savemat(tmp_path / "x.mat", {"A": np.eye(2)}, format="4")
    with pytest.raises(ValueError, match=r"expected MATLAB v5, v7 or v7\.3"):
        mat_files.read(tmp_path / "x.mat")


@pytest.mark.parametrize("save", SAVE.values(), ids=list(SAVE))
def test_many_tensors_of_one_storage(tmp_path, save, monkeypatch):
    """Each is a copy: 100 of one of 40 kB are 4 MB."""
    monkeypatch.setattr(sizes, "LARGEST", 1 << 21)
    storage = Storage("0", np.zeros(10_000, np.float32))
    path = tmp_path / "net.pth"
    save(path, [tensor(storage, (10_000,)) for _ in range(20)])
    assert len(torch_checkpoint.load(path)) == 20
    save(path, [tensor(storage, (10_000,)) for _ in range(100)])
    with pytest.raises(ValueError, match="unfold to"):
        torch_checkpoint.load(path)


LONG = 1 << 18
CALLS = {
    "text": (b"c_codecs\nencode\n", b"X" + struct.pack("<I", LONG) + b"x" * LONG),
    "tuple": (b"cutils.solver\nResult\n", b"(" + b"N" * LONG + b"t"),
}


@pytest.mark.parametrize(
    ("kind", "made"), [("text", b"R"), ("tuple", b"R"), ("tuple", b"\x81")]
)
def test_one_argument_of_many_calls(tmp_path, kind, made):
    """Each copies it: some 250 kB would be 1 GB."""
    function, long = CALLS[kind]
    passed = b"h\x00X\x06\x00\x00\x00latin1\x86" if kind == "text" else b"h\x00"
    calls = (function + passed + made) * 500
    path = tmp_path / "net.pth"
    path.write_bytes(b"\x80\x02(" + long + b"q\x00" + calls + b"l.")
    with pytest.raises(ValueError, match="given more than 4,194,304 letters"):
        torch_checkpoint.load(path)


def test_room_that_a_pickle_asks_for(tmp_path):
    """Python's own reader of BYTEARRAY8 makes it at once."""
    path = tmp_path / "net.pth"
    path.write_bytes(b"\x80\x05\x96" + (1 << 30).to_bytes(8, "little") + b".")
    with pytest.raises(ValueError, match="an operation that PyTorch's files do not"):
        torch_checkpoint.load(path)


@pytest.mark.parametrize("save", SAVE.values(), ids=list(SAVE))
def test_many_views_of_a_large_storage(tmp_path, save):
    """Each takes as long as it is, not as its storage is."""
    storage = Storage("0", np.full(2_000_000, 0x3F80), "BFloat16Storage")
    save(tmp_path / "net.pth", views(storage, 2000))
    began = time.process_time()
    found = torch_checkpoint.load(tmp_path / "net.pth")
    assert time.process_time() - began < 5
    assert len(found) == 2000 and all(x == np.float32(1) for x in found)


def views(storage: Storage, count: int) -> list:
    return [tensor(storage, (1,), offset=i) for i in range(count)]


def test_files_that_are_read_whole(tmp_path):
    path = tmp_path / "net.pth"
    with path.open("wb") as file:
        file.truncate(sizes.LARGEST + 1)  # a hole: it takes no room on the disk
    with pytest.raises(ValueError, match=r"net\.pth: .*expected at most"):
        torch_checkpoint.load(path)
