"""The files of a data set as blocks of rows, one after another."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tfds_builders.own import antenna_array, array_files, axes, path_layouts, paths
from tfds_builders.own.antenna_array import AntennaArray
from tfds_builders.own.layout import FILE, Layout

BLOCK_BYTES = 64 << 20  # of a block in double precision
MOST_ROWS = 512


class Block(NamedTuple):
    """Some rows of the files.

    Attributes:
      h: complex `[rows, time, rx, pol, antenna, column]`.
      unit: `[rows]` number of the sample that a row is of, in all files.
      group: `[rows]` its group, or its unit where there are no groups.
    """

    h: np.ndarray
    unit: np.ndarray
    group: np.ndarray


@dataclass(frozen=True)
class Part:
    """One file.

    Attributes:
      path: of it.
      units: samples along the axis that is read in pieces.
      per_unit: rows of each.
      shape: of a row, `(time, rx, pol, antenna, column)`.
      read: canonical rows of a slice of the units, at most so many at a time.
      groups: `[units * per_unit]` names of the rows' groups, or None.
      has_time: whether there is a time axis.
      paths: of a row, 0 where it is an array.
    """

    path: Path
    units: int
    per_unit: int
    shape: tuple[int, ...]
    read: Callable[[slice, int], Iterator[np.ndarray]]
    groups: np.ndarray | None
    has_time: bool
    paths: int = 0


class Sources:
    """All files, of one shape, as one.

    Args:
      files: paths of files or folders.
      layout: of all of them.

    Raises:
      ValueError: a file that cannot be understood, or shapes that differ.
      OSError: a file cannot be read.
    """

    def __init__(self, files: list[Path], layout: Layout):
        opened = _paths_part if layout.domain == "paths" else _array_part
        self.layout = layout
        self.parts = [opened(path, layout) for path in files]
        self.shape = self.parts[0].shape
        self.has_time = self.parts[0].has_time
        for part in self.parts[1:]:
            if part.shape != self.shape:
                raise ValueError(
                    f"{part.path} has channels of (time, rx, pol, antenna, column) "
                    f"{part.shape}, {self.parts[0].path} of {self.shape}: add files "
                    "of one shape together, others under another --name"
                )
        self._groups = None
        if self.parts[0].groups is not None:
            names = np.concatenate([part.groups for part in self.parts])
            self._groups = np.unique(names, return_inverse=True)[1]

    @property
    def rows(self) -> int:
        """Number of rows in all files."""
        return sum(part.units * part.per_unit for part in self.parts)

    def blocks(self, columns: int) -> Iterator[Block]:
        """All rows in order; `columns` of a row in memory decide how many at a time."""
        antennas, columns = int(np.prod(self.shape[:-1])), max(columns, self.shape[-1])
        units_before = row = 0
        for part in self.parts:
            row_bytes = 16 * max(antennas, part.paths) * max(columns, part.paths)
            rows = max(1, min(MOST_ROWS, BLOCK_BYTES // row_bytes))
            step = max(1, rows // part.per_unit)
            for start in range(0, part.units, step):
                units = slice(start, min(start + step, part.units))
                done = 0
                for h in part.read(units, rows):
                    inside = start + np.arange(done, done + len(h)) // part.per_unit
                    unit = group = units_before + inside
                    if self._groups is not None:
                        group = self._groups[row : row + len(h)]
                    yield Block(h, unit, group)
                    done += len(h)
                    row += len(h)
            units_before += part.units

    def place(self, unit: int) -> str:
        """A sample by its number in all files: 'FILE[number in it]'."""
        ends = list(itertools.accumulate(part.units for part in self.parts))
        number = next(i for i, end in enumerate(ends) if unit < end)
        before = ends[number - 1] if number else 0
        return f"{self.parts[number].path.name}[{unit - before}]"


def _array_part(path: Path, layout: Layout) -> Part:
    arrays = array_files.read(path)
    names = axes.parse(layout.axes, layout.domain)
    stored = _array_of(arrays, layout.key, names, path)
    if path.suffix == ".mat" and names:
        stored.pad(len(names))
    try:
        names = axes.resolve(names, stored.shape, stored.is_complex, layout.domain)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    if 0 in stored.shape:
        raise ValueError(f"{path}: an empty array of shape {stored.shape}")
    place = names.index("sample")

    def read(part: slice, rows: int) -> Iterator[np.ndarray]:
        slices = [slice(None)] * len(names)
        slices[place] = part
        h = axes.canonical(stored[tuple(slices)], names)
        for start in range(0, len(h), rows):
            yield h[start : start + rows]

    sizes = dict(zip(names, stored.shape, strict=True))
    per_unit = sizes.get("group", 1)
    shape = next(read(slice(0, 1), 1)).shape[1:]
    groups = _groups_of(layout, arrays, path, sizes["sample"], per_unit)
    if "group" in sizes and groups is None:
        tracks = [f"{path}[{number}]" for number in range(per_unit)]
        groups = np.tile(tracks, sizes["sample"])
    return Part(path, sizes["sample"], per_unit, shape, read, groups, "time" in names)


def _array_of(arrays: dict, key: str, names: tuple[str, ...], path: Path):
    """The array of a file that holds the channels."""
    if not arrays:
        raise ValueError(f"{path} holds no array of numbers")
    have = ", ".join(f"{name} {x.shape}" for name, x in arrays.items())
    if key:
        if key not in arrays:
            raise ValueError(f"{path}: --key={key} is no array, it holds {have}")
        return arrays[key]
    ranks = {len(names), len(names) + 1} if names else range(3, 8)
    fitting = [x for x in arrays.values() if len(x.shape) in ranks]
    fitting = [x for x in fitting if x.is_complex] or fitting
    if len(arrays) == 1:
        fitting = list(arrays.values())
    if len(fitting) != 1:
        raise ValueError(f"{path} holds {have}: say which are the channels with --key")
    return fitting[0]


def _groups_of(layout: Layout, arrays: dict, path: Path, units: int, per_unit: int):
    """Name of the group of each row: of an array, or the file's; None: no groups.

    Equal values are one group, also in different files.

    Raises:
      ValueError: no such array, or another length than the samples have.
    """
    if not layout.group:
        return None
    if layout.group == FILE:
        return np.full(units * per_unit, str(path))
    if layout.group not in arrays:
        raise ValueError(
            f"--group={layout.group}: {path} has no such array, expected one of "
            f"{', '.join(arrays)}, or --group={FILE}, or an axis 'group' in --axes"
        )
    groups = arrays[layout.group].whole().ravel()
    if len(groups) != units:
        raise ValueError(
            f"--group={layout.group}: {path} has {len(groups)} of them and {units} "
            "samples, expected one group for each sample"
        )
    return np.repeat(groups.astype(str), per_unit)


def _paths_part(path: Path, layout: Layout) -> Part:
    arrays = array_files.read(path)
    name, found = path_layouts.find(arrays, layout.key, str(path))
    if not (layout.subcarriers and layout.bandwidth_hz):
        raise ValueError(
            "--domain=paths: give the grid with --subcarriers and --bandwidth_hz"
        )
    centre = layout.subcarriers // 2
    spacing = layout.bandwidth_hz / layout.subcarriers
    frequencies = (np.arange(layout.subcarriers) - centre) * spacing
    units = path_layouts.check(name, found, str(path))

    def read(part: slice, rows: int) -> Iterator[np.ndarray]:
        cir = paths.read(name, found, part, layout.array)
        for start in range(0, len(cir.gain), rows):
            some = paths.Cir(*(x[start : start + rows] for x in cir))
            yield paths.response(some, frequencies)[:, :, :, None]

    per_unit, times, rx, antennas, num_paths = paths.read(
        name, found, slice(0, 1), layout.array
    ).gain.shape
    shape = (times, rx, 1, antennas, layout.subcarriers)
    groups = _groups_of(layout, arrays, path, units, per_unit)
    return Part(path, units, per_unit, shape, read, groups, times > 1, num_paths)


def array_of(sources: Sources) -> AntennaArray:
    """The base station's array.

    Raises:
      ValueError: it has another number of antennas than the channels.
    """
    return antenna_array.fitting(sources.layout.array, sources.shape[3])
