"""HDF5 files: nothing of other files, nothing that unfolds without end.

HDF5 can keep values in any other file of the machine (external storage, virtual data
sets, external links) and announce more than is there (fill values, compression).
"""

from __future__ import annotations

import math
from pathlib import Path

import h5py

from tfds_builders.untrusted import sizes

MOST_ENTRIES = 20_000  # of a file of weights


def is_elsewhere(item: h5py.Dataset) -> bool:
    """Whether HDF5 takes the values from other files, of any path on the machine."""
    return bool(item.external or item.is_virtual)


def check_weights(path: Path) -> None:
    """Refuse a file that is not numbers and names alone, all within it.

    Raises:
        ValueError: no HDF5 file or a damaged one, a link, data kept elsewhere, or it
            unfolds to more than a file may.
    """
    try:
        with h5py.File(path) as file:
            _walk(file, path)
    except ValueError:
        raise
    except Exception as error:  # of damaged bytes h5py raises nearly anything
        raise ValueError(f"{path}: not an HDF5 file, or damaged ({error})") from error


def own(group: h5py.Group, name: str) -> h5py.Group | h5py.Dataset | None:
    """What a group holds itself under a name; None for links, which are not followed.

    Args:
        group: or the open file.
        name: in the group.
    """
    link = group.get(name, getlink=True)
    return group[name] if isinstance(link, h5py.HardLink) else None


def numbers(file: h5py.File, path: Path) -> dict[str, h5py.Dataset]:
    """Data sets at the top of a file, all of them in it; links are left out.

    Args:
        file: the open file.
        path: its path, for messages.

    Raises:
        ValueError: one is kept elsewhere, or larger than a file may be.
    """
    found = {name: own(file, name) for name in file}
    found = {k: item for k, item in found.items() if isinstance(item, h5py.Dataset)}
    for name, item in found.items():
        if is_elsewhere(item):
            raise ValueError(f"{path}: {name} is kept in other files, not read")
        sizes.check(path, path.stat().st_size, item.nbytes)
    return found


def _walk(file: h5py.File, path: Path) -> None:
    size = path.stat().st_size
    total, seen, groups = _attributes(file, path), {_address(file)}, [file]
    while groups:
        group = groups.pop()
        for name in group:
            item = own(group, name)
            address = _address(item) if item is not None else None
            if address in seen or len(seen) > MOST_ENTRIES:
                raise ValueError(
                    f"{path}: {group.name}/{name} is there twice or within itself, or "
                    f"one of more than {MOST_ENTRIES:,} entries"
                )
            seen.add(address)
            if isinstance(item, h5py.Group):
                groups.append(item)
            elif not isinstance(item, h5py.Dataset) or is_elsewhere(item):
                raise ValueError(
                    f"{path}: {group.name}/{name} refers to data elsewhere; "
                    "expected plain weights"
                )
            else:
                total += _numbers(item, path)
            total += _attributes(item, path)
            sizes.check(path, size, total)


def _address(item: h5py.HLObject) -> int:
    """Where an object stands in its file."""
    return h5py.h5o.get_info(item.id).addr


def _numbers(item: h5py.Dataset, path: Path) -> int:
    if item.dtype.kind not in "fiub":
        raise ValueError(f"{path}: {item.name} is {item.dtype}, expected numbers")
    return item.nbytes


def _attributes(item: h5py.HLObject, path: Path) -> int:
    """Bytes of the attributes, but for texts of free length, refused one by one.

    Each of these may be as long as the file. Keras keeps one for every layer, so that
    together they would say nothing.
    """
    total, size = 0, path.stat().st_size
    for name in item.attrs:
        attribute = item.attrs.get_id(name)
        count = math.prod(attribute.shape)
        if attribute.dtype.hasobject:
            sizes.check(path, size, count * size)
        else:
            total += count * attribute.dtype.itemsize
    return total
