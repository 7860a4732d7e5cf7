"""Writes PyTorch files with a few lines of pickle and zipfile, harmless or not."""

from __future__ import annotations

import io
import pickle
import zipfile

import numpy as np

from zoo.importing.unpickler import DTYPES


class Global:
    """A name that the pickle asks for."""

    def __init__(self, module: str, name: str):
        self.module, self.name = module, name

    def __call__(self):
        raise AssertionError("written, never called")


class Storage:
    """Raw numbers beside the pickle."""

    def __init__(self, key: str, numbers, kind="FloatStorage", numel=None):
        self.key, self.kind = key, kind
        self.data = np.asarray(numbers, DTYPES.get(kind, "<i2")).tobytes()
        self.numel = np.size(numbers) if numel is None else numel


class Call:
    """The result of a function that the pickle calls."""

    def __init__(self, function, *args):
        self.function, self.args = function, args

    def __reduce__(self):
        return self.function, self.args


def tensor(storage: Storage, size, stride=None, offset=0) -> Call:
    if stride is None:
        stride = tuple(int(np.prod(size[i + 1 :])) for i in range(len(size)))
    rebuild = Global("torch._utils", "_rebuild_tensor_v2")
    return Call(rebuild, storage, offset, size, stride, False, {})


def of_array(key: str, array) -> Call:
    """Contiguous float32 tensor of an array."""
    array = np.asarray(array, "f4")
    return tensor(Storage(key, array.ravel()), array.shape)


class Writer(pickle._Pickler):
    """Pickler in Python that writes `Global` and `Storage` as PyTorch does."""

    # dill, which TFDS may import, puts functions of its own in their place.
    dispatch = {
        **pickle._Pickler.dispatch,
        dict: pickle._Pickler.save_dict,
        type: pickle._Pickler.save_type,
    }

    def __init__(self, file, legacy=False):
        super().__init__(file, protocol=2)
        self.legacy, self.storages = legacy, {}

    def save(self, obj, save_persistent_id=True):
        if isinstance(obj, Global):
            self.write(f"c{obj.module}\n{obj.name}\n".encode())
        else:
            super().save(obj, save_persistent_id)

    def persistent_id(self, obj):
        if not isinstance(obj, Storage):
            return None
        self.storages[obj.key] = obj
        kind = Global("torch", obj.kind)
        view = (None,) if self.legacy else ()
        return ("storage", kind, obj.key, "cpu", obj.numel, *view)


def save_zip(path, obj, byteorder=b"little", compression=zipfile.ZIP_STORED):
    buffer = io.BytesIO()
    writer = Writer(buffer)
    writer.dump(obj)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("net/data.pkl", buffer.getvalue())
        archive.writestr("net/byteorder", byteorder)
        archive.writestr("net/version", b"3\n")
        for key, storage in writer.storages.items():
            archive.writestr(f"net/data/{key}", storage.data, compression)


def save_legacy(path, obj, little_endian=True):
    with open(path, "wb") as file:
        machine = {"protocol_version": 1001, "little_endian": little_endian}
        for value in (0x1950A86A20F9469CFC6C, 1001, machine):
            pickle.dump(value, file, 2)
        writer = Writer(file, legacy=True)
        writer.dump(obj)
        pickle.dump(sorted(writer.storages), file, 2)
        for _, storage in sorted(writer.storages.items()):
            file.write(storage.numel.to_bytes(8, "little") + storage.data)


SAVE = {"zip": save_zip, "legacy": save_legacy}
