"""The data sets own/NAME on the disk: their examples, and how they are found again.

A data set is written beside its place and moved there when it is whole, so that a
killed command leaves nothing that looks like one.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from tfds_builders import csi_examples, features, progress, transforms
from tfds_builders.blocks import OWN, SPLITS
from tfds_builders.own import leakage
from tfds_builders.own.channels import Channels
from tfds_builders.untrusted import records

VERSION = "1.0.0"
COMMAND = "python -m tfds_builders.add --source=FILE"
SHARD_BYTES = 128 << 20
RECORD_BYTES = 300  # of an example in a TFRecord, beside its features
MOST_FREQUENCIES = 128  # of an example of the test split


def place(name: str, data_dir: str = "") -> Path:
    """Where a data set is, or would be."""
    folder = data_dir or tfds.core.constants.DATA_DIR
    return Path(folder).expanduser() / OWN / name / VERSION


def names(data_dir: str = "") -> list[str]:
    """Names of the data sets that are there."""
    found = place("*", data_dir)
    folders = found.parents[1].glob(f"*/{VERSION}/dataset_info.json")
    return sorted(path.parents[1].name for path in folders)


def open_builder(name: str, data_dir: str = "") -> tfds.core.DatasetBuilder:
    """TFDS builder of own/NAME, which reads what is stored.

    Raises:
      ValueError: there is none of that name, or another one in its folder.
    """
    folder = place(name, data_dir)
    if name not in names(data_dir):
        there = ", ".join(f"{OWN}/{other}" for other in names(data_dir)) or "none"
        raise ValueError(
            f"no data set {OWN}/{name} in {folder.parents[2]}, there: {there}; make it "
            f"with {COMMAND} --name={name or 'NAME'}, or correct --data_dir"
        )
    stored = json.loads((folder / "dataset_info.json").read_text(encoding="utf-8")).get(
        "configName"
    )
    if stored != name:
        raise ValueError(
            f"{folder} holds {OWN}/{stored}, expected {OWN}/{name}: it was copied or "
            "renamed; move it back or give another --data_dir"
        )
    return tfds.builder_from_directory(str(folder))


@dataclass(frozen=True)
class Plan:
    """What is to be written.

    Attributes:
      channels: of the files.
      first: delay taps from zero on.
      last: delay taps from the end.
      split_of: number of the split of each sample that `Channels.samples` gives, see
        `blocks.SPLITS`; -1 for one that is left out.
    """

    channels: Channels
    first: int
    last: int
    split_of: np.ndarray

    @property
    def csi_shape(self) -> tuple[int, ...]:
        """Of an example's CSI."""
        length = self.channels.sequence_length
        times = (length,) if length else ()
        return (*times, self.channels.num_angles, self.first + self.last, 2)

    @property
    def frequency_step(self) -> int:
        """The test split has every so-manieth subcarrier before the truncation."""
        return -(-self.channels.num_subcarriers // MOST_FREQUENCIES)

    @property
    def num_frequencies(self) -> int:
        """Subcarriers of the test split."""
        return -(-self.channels.num_subcarriers // self.frequency_step)

    @property
    def num_bytes(self) -> int:
        """Of all examples."""
        example = 4 * int(np.prod(self.csi_shape)) + RECORD_BYTES
        tests = 0 if self.channels.sequence_length else np.sum(self.split_of == 2)
        frequency = 8 * self.channels.num_angles * self.num_frequencies
        return int(np.sum(self.split_of >= 0) * example + tests * frequency)

    def features(self) -> tfds.features.FeaturesDict:
        """Of an example."""
        shape = self.csi_shape[:-1]
        if self.channels.sequence_length:
            return features.sequence_features(*shape)
        return features.csi_features(shape=shape, kept=self.num_frequencies)

    def examples(self, h_a: np.ndarray, split: str) -> dict[str, np.ndarray]:
        """Features of samples `[n, time, angle, N_c]` of a split."""
        h = transforms.truncate(h_a, self.first, self.last)
        if self.channels.sequence_length:
            return csi_examples.sequence(h)
        frequency = None
        if split == "test":
            frequency = np.fft.fft(h_a[:, 0], axis=-1, norm="ortho")
            frequency = frequency[..., :: self.frequency_step]
        return csi_examples.snapshot(h[:, 0], frequency, self.num_frequencies)


def check_disk(plan: Plan, folder: Path) -> None:
    """Refuse what does not fit.

    Raises:
      OSError: too little is free.
    """
    folder = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(folder).free
    if plan.num_bytes > free:
        raise OSError(
            f"the examples take {plan.num_bytes / 1e9:.3g} GB in {folder}, where "
            f"{free / 1e9:.3g} GB are free: make room or give another --data_dir"
        )


def write(plan: Plan, name: str, folder: Path, metadata: dict) -> leakage.Leakage:
    """Write a data set into an empty folder.

    Args:
      plan: what.
      name: of the data set.
      folder: where; moving it is the caller's.
      metadata: what is known of it; the scale of all of train and the leakage between
        the splits are added here.

    Returns:
      How near the test samples are to the training samples.
    """
    folder.mkdir(parents=True)
    identity = tfds.core.DatasetIdentity(
        name=OWN,
        version=tfds.core.Version(VERSION),
        data_dir=str(folder),
        module_name=__name__,
        config_name=name,
        config_description="channels from files",
        release_notes={VERSION: "First release."},
    )
    info = tfds.core.DatasetInfo(
        builder=identity,
        features=plan.features(),
        metadata=tfds.core.MetadataDict(metadata),
        disable_shuffling=True,
    )
    per_shard = max(1, SHARD_BYTES // (4 * int(np.prod(plan.csi_shape))))
    writer = tfds.core.SequentialWriter(info, max_examples_per_shard=per_shard)
    writer.initialize_splits(list(SPLITS))
    scale = np.inf
    for split, found in _examples(plan):
        if split == "train":
            h = csi_examples.channels(found["csi"], found["scale"])
            scale = min(scale, float(transforms.global_scale(h)))
        rows = range(len(found["scale"]))
        examples = [{key: x[row] for key, x in found.items()} for row in rows]
        writer.add_examples({split: examples})
    writer.close_all()
    info.metadata["global_scale"] = scale
    near = _leakage(folder, int(metadata.get("seed", 0)))
    info.metadata["leakage"] = near._asdict()
    info.write_to_directory(str(folder))
    return near


def _examples(plan: Plan) -> Iterator[tuple[str, dict[str, Any]]]:
    """Features of the samples in the order of the files, a split at a time."""
    start = 0
    with progress.bar(len(plan.split_of), "writing", " samples") as shown:
        for samples in plan.channels.samples():
            numbers = plan.split_of[start : start + len(samples.h)]
            for split, number in SPLITS.items():
                rows = numbers == number
                if rows.any():
                    yield split, plan.examples(samples.h[rows], split)
            start += len(numbers)
            shown.update(len(numbers))


def _leakage(folder: Path, seed: int) -> leakage.Leakage:
    """Measured on what was written."""
    builder = tfds.builder_from_directory(str(folder))
    counts = {split: builder.info.splits[split].num_examples for split in SPLITS}
    places = leakage.some(counts["train"], seed)
    tests = leakage.some(counts["test"], seed)
    test = _chosen(_stored(builder, "test"), tests)
    own = _chosen(_stored(builder, "train"), places)
    return leakage.measure(_stored(builder, "train"), test, own, places)


def _chosen(blocks: Iterator[np.ndarray], numbers: np.ndarray) -> np.ndarray:
    parts, start = [], 0
    for block in blocks:
        inside = numbers[(numbers >= start) & (numbers < start + len(block))]
        parts.append(block[inside - start])
        start += len(block)
    return np.concatenate(parts)


def _stored(builder, split: str) -> Iterator[np.ndarray]:
    """Zero-centred channels of a split, complex64 blocks `[n, ...]`."""
    stored = builder.as_dataset(
        split=split,
        decoders=tfds.decode.PartialDecoding({"csi"}),
        read_config=tfds.ReadConfig(try_autocache=False, interleave_cycle_length=1),
    )
    with records.named(builder.info.splits[split].filepaths):
        for batch in stored.batch(500).as_numpy_iterator():
            yield csi_examples.channels(batch["csi"], np.ones(len(batch["csi"])))
