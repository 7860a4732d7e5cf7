"""From files to own/NAME: a first look at all samples, then the examples."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tfds_builders import csi_examples, durable, locks, progress, provenance
from tfds_builders.blocks import OWN, SPLITS
from tfds_builders.own import dataset, delay_window, partition
from tfds_builders.own.channels import Channels
from tfds_builders.own.dataset import Plan
from tfds_builders.own.layout import Layout
from tfds_builders.own.leakage import Leakage
from tfds_builders.own.sources import Sources
from tfds_builders.own.survey import Survey, check_faults, mark_outside, survey


@dataclass(frozen=True)
class Options:
    """What becomes of the channels.

    Attributes:
      keep_rx: receive antennas stay together, see `Channels`.
      keep_time: times stay together, see `Channels`.
      delays: taps that are kept, see `delay_window.parse`.
      shares: of training, validation and test.
      seed: of the splits.
      drop_bad: leave bad samples out instead of refusing them.
      overwrite: replace a data set of that name.
      record: metadata beside those that are known here.
    """

    keep_rx: bool = False
    keep_time: bool = True
    delays: int | float = 32
    shares: tuple[float, float, float] = (0.8, 0.1, 0.1)
    seed: int = 0
    drop_bad: bool = False
    overwrite: bool = False
    record: dict = field(default_factory=dict)


def add(
    files: list[Path],
    name: str,
    layout: Layout,
    options: Options,
    data_dir: str = "",
) -> Path:
    """Write own/NAME.

    Args:
      files: of channels.
      name: of the data set: letters, digits, '_' and '-'.
      layout: how the files are to be understood.
      options: what becomes of them.
      data_dir: folder of all data sets; '': TFDS's own.

    Returns:
      Where it is.

    Raises:
      ValueError: what cannot be understood, bad samples, or a name that is taken.
      OSError: a file cannot be read, or the disk is full.
    """
    target = _free_place(name, options.overwrite, data_dir)
    sources = Sources(files, layout)
    channels = Channels(sources, options.keep_rx, options.keep_time)
    delay_window.check(options.delays, channels.num_subcarriers)
    found = survey(channels)
    window = delay_window.find(found.profile, options.delays)
    found, inside = mark_outside(found, *window)
    dropped = check_faults(found, sources, options.drop_bad)
    split_of = np.full(len(inside), -1, np.int8)
    split_of[inside] = partition.split(
        found.group[inside], options.shares, options.seed
    )
    plan = Plan(channels, *window, split_of)
    dataset.check_disk(plan, target)
    kept = float(np.roll(found.profile, plan.last)[: sum(window)].sum())
    kept /= inside.mean()  # the others have nothing there
    _say(plan, found, kept, options.shares)
    record = _record(plan, options, files) | {
        "kept_energy": kept,
        "num_groups": len(np.unique(found.group[inside])),
        "dropped": dropped,
    }
    near = _write(plan, name, target, options.overwrite, record)
    _say_leakage(near, grouped=bool(layout.group) or "group" in layout.axes)
    return target


def _free_place(name: str, overwrite: bool, data_dir: str) -> Path:
    if not re.fullmatch(r"[A-Za-z0-9][\w-]*", name):
        raise ValueError(f"--name={name}: expected letters, digits, '_' and '-' alone")
    target = dataset.place(name, data_dir)
    _check_free(name, target, overwrite)
    return target


def _check_free(name: str, target: Path, overwrite: bool) -> None:
    if target.exists() and not overwrite:
        raise ValueError(
            f"{OWN}/{name} exists in {target}: take another --name, or --overwrite it"
        )


def _record(plan: Plan, options: Options, files: list[Path]) -> dict:
    """Metadata of a data set: what its commands need, and where it is from."""
    channels = plan.channels
    beams = None
    if channels.domain != "angle_delay":
        array = channels.array
        beams = [array.columns, array.rows, array.polarisations]
    rule = csi_examples.PER_SAMPLE
    if channels.sequence_length:
        rule = csi_examples.PER_SEQUENCE
    return {
        "num_subcarriers": channels.num_subcarriers,
        "last_taps": plan.last,
        "frequency_grid": channels.num_subcarriers,
        "frequency_step": plan.frequency_step,
        "normalisation": rule,
        "array": beams,
        "seed": options.seed,
        "files_sha256": _hashes(files),
        "git_commit": provenance.source().commit,
        "package_version": provenance.source().version,
        **options.record,
    }


def _hashes(files: list[Path]) -> dict[str, str]:
    """SHA-256 of all files by name; a folder's in front of its files."""
    every = {}
    for path in files:
        inside = sorted(path.iterdir()) if path.is_dir() else [path]
        for file in filter(Path.is_file, inside):
            name = f"{path.name}/{file.name}" if path.is_dir() else file.name
            every[str(file) if name in every else name] = file
    names = progress.track(list(every), "hashing")
    return {name: provenance.sha256(every[name]) for name in names}


def _write(
    plan: Plan, name: str, target: Path, overwrite: bool, record: dict
) -> Leakage:
    """Write beside the place, then move there; the old one goes when it is replaced."""
    staged = target.with_name(f"{target.name}.adding")
    new, old = staged / "data", staged / "old"
    with locks.alone(staged, wait=True):
        try:
            _put_back(old, target)  # of a killed command
            _check_free(name, target, overwrite)  # another may have come first
            for left in (new, old):
                shutil.rmtree(left, ignore_errors=True)
            near = dataset.write(plan, name, new, record)
            if target.exists():
                durable.replace(target, old)
            durable.replace(new, target)
        finally:
            _put_back(old, target)
            shutil.rmtree(staged)
    return near


def _put_back(old: Path, target: Path) -> None:
    if old.exists() and not target.exists():
        durable.replace(old, target)


def _say(
    plan: Plan, found: Survey, kept: float, shares: tuple[float, float, float]
) -> None:
    """What is about to be written."""
    taps = f"{plan.first} first and {plan.last} last of {len(found.profile)} delay taps"
    print(f"{taps} hold {kept:.2%} of the energy", flush=True)
    peak = int(found.profile.argmax())
    if plan.first <= peak < len(found.profile) - plan.last:
        print(f"warning: the strongest tap, number {peak}, is not among them")
    shape = " x ".join(map(str, plan.csi_shape))
    sizes = [f"{np.sum(plan.split_of == i):,} {name}" for name, i in SPLITS.items()]
    print(f"examples of {shape}: {', '.join(sizes)}", flush=True)
    if missed := partition.missed(plan.split_of, shares):
        print(f"warning: {missed}; groups are too few or too large for --split")


def _say_leakage(near: Leakage, grouped: bool) -> None:
    print(f"leakage: {near}")
    if near.suspicious:
        fix = "--group keeps a track, a user or a place on one side"
        fix = "different groups are alike" if grouped else fix
        print(f"warning: test samples are near copies of training samples; {fix}")
