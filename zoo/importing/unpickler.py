"""Unpickler of PyTorch files that knows tensors only and calls nothing else.

A pickle may call any function of the machine that loads it. Here a global of the pickle
stands for a marker or a function of this file, or is refused before it is looked up;
none of these functions can be changed by the pickle, and none does more than note what
a tensor is made of.
"""

from __future__ import annotations

import pickle
import re
import reprlib
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

# NumPy has no bfloat16: its 16 bits are the upper half of a float32.
DTYPES = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "BFloat16Storage": "<u2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ByteStorage": "|u1",
    "BoolStorage": "|b1",
}


class Storage(NamedTuple):
    """Raw numbers of the file: a key of DTYPES, their name, how many they are."""

    kind: str
    key: str
    numel: int


class Tensor(NamedTuple):
    """View of a storage; offset and stride count numbers, not yet checked."""

    storage: Storage
    offset: int
    size: tuple
    stride: tuple


# A tuple that holds another one twice, and that one likewise, takes for ever to be
# hashed or printed: keys are of these types, and messages are cut short.
KEYS = (str, int, float, type(None))
MOST_AXES = 32
MOST_PASSED = 1 << 22  # letters and items that all calls of a file are given
_UNKNOWN_TO_PYTORCH = (
    pickle.DICT, pickle.FROZENSET, pickle.EMPTY_SET, pickle.ADDITEMS, pickle.INST,
    pickle.OBJ, pickle.NEWOBJ_EX, pickle.PERSID, pickle.EXT1, pickle.EXT2, pickle.EXT4,
    pickle.BYTEARRAY8, pickle.NEXT_BUFFER, pickle.READONLY_BUFFER,
)  # fmt: skip


def check_key(key) -> None:
    """Refuse a key that may be more than a name or number.

    Raises:
        pickle.UnpicklingError: it may.
    """
    if not isinstance(key, KEYS):
        raise pickle.UnpicklingError(f"a {type(key).__name__} as key, expected a name")


class _Mapping(dict):
    """OrderedDict of the file; the attributes a pickle may set on it are dropped."""

    __slots__ = ()

    def __init__(self, pairs=()):
        for key, value in pairs:
            check_key(key)
            self[key] = value

    def __setstate__(self, state):
        pass


class _Row(tuple):
    """Best result beside the weights, a named tuple of the CRNet family's trainer."""

    __slots__ = ()

    def __new__(cls, *values):
        return super().__new__(cls, values)

    def __setstate__(self, state):
        pass


class _Call:
    """A function that the pickle may call, but neither change nor look into."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable):
        self._function = function

    def __call__(self, *args):
        return self._function(*args)

    def __setstate__(self, state):
        raise pickle.UnpicklingError("refused: sets the state of a function")


def _rebuild_tensor(storage, offset, size, stride, *_) -> Tensor:
    numbers = (offset, *size, *stride)
    fits = isinstance(storage, Storage) and len(size) == len(stride)
    fits = fits and len(size) <= MOST_AXES
    if not fits or any(type(n) is not int or not 0 <= n < 1 << 63 for n in numbers):
        shown = map(reprlib.repr, (size, stride, offset))
        raise pickle.UnpicklingError(
            "tensor of size {}, stride {}, offset {}: not valid".format(*shown)
        )
    return Tensor(storage, offset, tuple(size), tuple(stride))


class _NumPyType:
    """Type of a NumPy scalar; the state that a pickle sets is its byte order."""

    __slots__ = ("_type",)

    def __init__(self, code, *_):
        if not re.fullmatch("[fiub][1248]", str(code)):
            raise pickle.UnpicklingError(f"NumPy scalar of type {code!r}, not a number")
        self._type = np.dtype(code)

    def __setstate__(self, state):
        if state[1] == ">":
            self._type = self._type.newbyteorder(">")

    def value(self, content: bytes):
        """The number as one of Python."""
        (number,) = np.frombuffer(content, self._type)
        return number.item()


_SCALAR = _Call(lambda kind, content: kind.value(content))
_CALLS = {
    ("numpy", "dtype"): _Call(_NumPyType),
    ("numpy.core.multiarray", "scalar"): _SCALAR,
    ("numpy._core.multiarray", "scalar"): _SCALAR,
    ("_codecs", "encode"): _Call(lambda text, _: text.encode("latin1")),  # bytes
    ("collections", "OrderedDict"): _Mapping,
    ("torch._utils", "_rebuild_tensor_v2"): _Call(_rebuild_tensor),
    ("torch._utils", "_rebuild_parameter"): _Call(lambda tensor, *_: tensor),
    ("utils.solver", "Result"): _Row,
}


class Unpickler(pickle._Unpickler):
    """Unpickler of tensor records; `storages` collects what they refer to.

    It is the one written in Python: the C version's memo is an array as long as the
    file asks for, so that a few bytes could fill the memory.
    """

    def __init__(self, file):
        super().__init__(file)
        self.storages: dict[str, Storage] = {}
        self._passed = 0

    def _refuse(self):
        raise pickle.UnpicklingError("an operation that PyTorch's files do not use")

    def load_setitem(self):
        """Set an item of a dictionary whose key is plain."""
        check_key(self.stack[-2])
        super().load_setitem()

    def load_setitems(self):
        """Set items of a dictionary whose keys are plain."""
        for key in self.stack[::2]:  # those since the mark
            check_key(key)
        super().load_setitems()

    def _count_passed(self):
        """Refuse calls that copy one long argument again and again."""
        passed = self.stack[-1]
        if isinstance(passed, tuple):
            sizes = (len(x) for x in passed if isinstance(x, (str, bytes, list, tuple)))
            self._passed += len(passed) + sum(sizes)
        if self._passed > MOST_PASSED:
            raise pickle.UnpicklingError(
                f"its calls are given more than {MOST_PASSED:,} letters and items"
            )

    def load_reduce(self):
        """Call a function."""
        self._count_passed()
        super().load_reduce()

    def load_newobj(self):
        """Make an object of a class."""
        self._count_passed()
        super().load_newobj()

    dispatch = {
        **pickle._Unpickler.dispatch,
        **dict.fromkeys([code[0] for code in _UNKNOWN_TO_PYTORCH], _refuse),
        pickle.REDUCE[0]: load_reduce,
        pickle.NEWOBJ[0]: load_newobj,
        pickle.SETITEM[0]: load_setitem,
        pickle.SETITEMS[0]: load_setitems,
    }

    def find_class(self, module, name):
        """Marker or function of this file that stands for a global."""
        if module == "torch" and name in DTYPES:
            return name
        if (module, name) not in _CALLS:
            raise pickle.UnpicklingError(
                f"refused: the pickle asks for {module}.{name}, expected nothing but "
                f"tensors of {', '.join(DTYPES)}"
            )
        return _CALLS[module, name]

    def persistent_load(self, pid):
        """Record of a storage, whose numbers are elsewhere in the file."""
        tag, kind, key, _, numel, *view = pid
        texts = all(isinstance(text, str) for text in (tag, kind, key))
        known = texts and tag == "storage" and kind in DTYPES
        if not known or type(numel) is not int or numel < 0 or view not in ([], [None]):
            raise pickle.UnpicklingError("a reference that is not a storage")
        storage = Storage(kind, key, numel)
        if self.storages.setdefault(key, storage) != storage:
            raise pickle.UnpicklingError(f"storage {key} has two types or lengths")
        return storage
