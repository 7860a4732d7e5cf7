"""A look at a data set: python -m tfds_builders.inspect NAME/CONFIG.

Writes one self-contained HTML page, and beside it its figures as one PNG: examples,
mean profiles, distributions of energy and spreads, how alike uplink and downlink or the
snapshots of a moving terminal are; and with --reference all of it for another source.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
from absl import flags

from tfds_builders import (
    blocks,
    cli,
    csi_examples,
    inspect_page,
    locks,
    statistics,
    transforms,
)
from tfds_builders.inspect_page import Samples
from tfds_builders.reference import load_reference

SOURCE = ("git_commit", "seed")
FEATURES = {"csi", "scale", "csi_uplink"}


def prepared(dataset: str, data_dir: str = "", manual_dir: str = ""):
    """TFDS builder of 'name/config', its data built if they are not there.

    Raises:
      ValueError: unknown data set or configuration.
      OSError: see `build.prepare`.
    """
    from tfds_builders import build  # TensorFlow: seconds that no wrong flag waits for

    builder = build.find_builder(dataset, data_dir)
    build.prepare(builder, manual_dir=manual_dir)
    return builder


def read_samples(builder, split: str, num: int) -> Samples:
    """Read the first `num` examples of a split, or all there are.

    Features other than `FEATURES` are left out. `csi` and `csi_uplink` may have a time
    axis in front: `[T, N_t, N_a, 2]`.

    Raises:
      ValueError: as `channels_of`, or a damaged file.
    """
    import tensorflow_datasets as tfds

    from tfds_builders.untrusted import records

    names = FEATURES & set(builder.info.features)
    num = min(num, builder.info.splits[split].num_examples)
    examples = builder.as_dataset(
        split=f"{split}[:{num}]",
        decoders=tfds.decode.PartialDecoding(names),
        read_config=tfds.ReadConfig(try_autocache=False, interleave_cycle_length=1),
    )
    with records.named(builder.info.splits[split].filepaths):
        batches = list(examples.batch(500).as_numpy_iterator())
    return channels_of(
        {name: np.concatenate([b[name] for b in batches]) for name in names}
    )


def k_factors(builder, split: str, num: int) -> np.ndarray | None:
    """K factors of the first `num` drops, simulated again; None if not simulated."""
    if builder.name not in blocks.simulated():
        return None
    config = builder.builder_config
    number = blocks.splits_of(config)[split]
    return blocks.k_factors(builder.name, config.simulation, config.seed, number, num)


def channels_of(features: dict[str, np.ndarray]) -> Samples:
    """Channels of stored features.

    Args:
      features: `csi` float32 `[n, N_t, N_a, 2]` or `[n, T, N_t, N_a, 2]` and `scale`
        `[n]`, or `[n, T]` with a time axis; where there is one, `csi_uplink` as `csi`.

    Raises:
      ValueError: NaN or infinity, or shapes that do not fit.
    """
    h = csi_examples.channels(features["csi"], features["scale"])
    uplink = features.get("csi_uplink")
    if uplink is not None:
        uplink = transforms.from_unit_range(uplink, 1.0)
    moving = h.ndim == 4
    return Samples(
        h=h[:, 0] if moving else h,
        uplink=uplink[:, 0] if moving and uplink is not None else uplink,
        over_time=h if moving else None,
    )


def write(
    dataset: str,
    out: Path,
    split: str = "train",
    num: int = 2000,
    data_dir: str = "",
    manual_dir: str = "",
    reference: str = "",
) -> None:
    """Write the page of a data set to `out`, the PNG beside it.

    Args:
      dataset: 'name/config'; built first if it is not there.
      out: HTML file in an existing folder.
      split: 'train', 'validation' or 'test'.
      num: how many examples to look at, from the first on.
      data_dir: of TFDS, default its own.
      manual_dir: folder of published files.
      reference: file as in `tfds_builders.reference`, or nothing.

    Raises:
      ValueError: a wrong name or number, a wrong reference file, or channels that have
        no statistics (NaN, infinity, all zero).
      OSError: a file that cannot be read or written.
    """
    if out.suffix != ".html" or not out.parent.is_dir():
        raise ValueError(f"--out={out}: expected FILE.html in an existing folder")
    if num < 1:
        raise ValueError(f"--num={num}: expected at least one example")
    loaded = load_reference(reference) if reference else None
    builder = prepared(dataset, data_dir, manual_dir)
    metadata = dict(builder.info.metadata or {})
    splits = builder.info.splits
    if split not in splits:
        raise ValueError(f"--split={split}: {dataset} has {', '.join(splits)}")
    try:
        samples = read_samples(builder, split, num)
        statistics.energy(samples.h)  # refuses what has no statistics
    except ValueError as error:
        raise ValueError(f"{dataset}, split {split}: {error}") from error
    h_reference = loaded and loaded.channels(samples.h.shape[1:], metadata)
    num, available = len(samples.h), splits[split].num_examples
    about = {
        "version": str(builder.version),
        "examples": f"{num:,} of {available:,} ({split})",
    }
    about |= {name: metadata[name] for name in SOURCE if name in metadata}
    samples = dataclasses.replace(samples, k_factor=k_factors(builder, split, num))
    if loaded:
        about["reference"] = f"{loaded.file.name}, {len(h_reference):,} drops"
    inspect_page.write(out, dataset, about, samples, metadata, h_reference)


def main(argv: list[str]) -> None:
    """Command line."""
    if len(argv) != 2:
        raise ValueError(
            "usage: python -m tfds_builders.inspect NAME/CONFIG [--flag=value ...]"
        )
    dataset, values = argv[1], flags.FLAGS
    out = Path(values.out or f"inspect_{dataset.replace('/', '_')}.html")
    names = ("split", "num", "data_dir", "manual_dir", "reference")
    with locks.alone_for(out):
        write(dataset, out, **{name: values[name].value for name in names})
    print(f"page: {out}\nfigures: {out.with_suffix('.png')}")


if __name__ == "__main__":
    flags.DEFINE_string("split", "train", "train, validation, test, or another one")
    flags.DEFINE_integer("num", 2000, "examples to look at, from the first on")
    flags.DEFINE_string("data_dir", "", "folder of TFDS, default its own")
    flags.DEFINE_string("manual_dir", "", "folder of published files")
    flags.DEFINE_string("out", "", "page, default inspect_NAME_CONFIG.html")
    flags.DEFINE_string(
        "reference", "", "path lists or channels (.npz, .npy) to compare"
    )
    cli.run(main)
