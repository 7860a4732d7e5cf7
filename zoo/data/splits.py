"""TFDS data sets in memory, and what a training reads."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tfds_builders import build, subbands
from zoo import registry
from zoo.config import ExperimentConfig
from zoo.data import (
    eigenmodes,
    estimation_noise,
    exchange,
    mixture,
    scaling,
    split_reader,
    stream,
)
from zoo.data.batches import steps_per_epoch
from zoo.data.split import Split
from zoo.data.stored_splits import (
    NUM_SUBCARRIERS,
    chosen,
    last_taps,
    name_of,
    num_subcarriers,
    open_builder,
    wanted,
)
from zoo.metrics import accuracy, results_row
from zoo.metrics.eigen_row import Truth


def check(config: ExperimentConfig, splits=("train", "validation")) -> tuple:
    """Refuse a configuration that its data cannot fit, before there are any data.

    Args:
        config: model, dataset, batch_size, strategy and the numbers of examples apply.
        splits: what will be read.

    Returns:
        Shape of one example of the network's input.

    Raises:
        ValueError: unknown data set, data that the network does not take, or too few.
    """
    if config.exchange:
        return _check_exchange(config)
    if config.mix:
        return _check_mixed(config, splits)
    shape, count = _check_stored(config, splits)
    if count:
        steps_per_epoch(count, config.batch_size)
    return shape


def _check_stored(config: ExperimentConfig, splits, tested: bool = True) -> tuple:
    """As `check`, of one data set; also its training examples, 0 where that is unknown.

    Args:
        config: of the data set.
        splits: what will be read.
        tested: whether it must have the split that is tested on.
    """
    stored, streamed = stream.parse(config.dataset)
    builder = build.find_builder(stored, config.data_dir)
    features = builder.info.features
    split_reader.check_fits(config, features)
    if streamed:
        stream.check(config, features["csi"].shape)
    if tested:
        name_of(config, builder, "test")  # before a training that is tested there
    count = 0
    for split in splits:
        available = build.num_examples(builder, name_of(config, builder, split))
        if available is None:
            continue
        number = wanted(config, split, available)
        if split == "train":
            count = config.num_train or number
    if config.target == "eigenvectors":
        return eigenmodes.input_shape(config, builder), count
    shape = features["csi"].shape
    return (config.num_frames, *shape[1:]) if config.num_frames else shape, count


def _check_mixed(config: ExperimentConfig, splits) -> tuple:
    """As `check`, of several data sets, which must have CSI of one size."""
    if registry.get(config.model).takes_uplink:
        raise ValueError(
            f"--mix={config.mix}: --model={config.model} takes an uplink, leave it out"
        )
    shapes, counts, grids = {}, [], {}
    for one in mixture.parts(config):
        first = one.dataset == config.dataset  # which alone is tested
        read = splits if first else [split for split in splits if split != "test"]
        shapes[one.dataset], count = _check_stored(one, read, tested=first)
        counts.append(count)
        builder = build.find_builder(one.dataset, one.data_dir)
        grids[one.dataset] = num_subcarriers(builder)
    if len(set(shapes.values())) > 1:
        raise ValueError(f"--mix: {shapes}, expected CSI of one size")
    if config.csi_noise == "ls" and len(set(grids.values())) > 1:
        raise ValueError(
            f"--mix: subcarriers {grids}, expected one number with --csi_noise=ls, "
            "whose noise depends on it; give awgn"
        )
    if all(counts):
        steps_per_epoch(sum(counts), config.batch_size)
    return next(iter(shapes.values()))


def _check_exchange(config: ExperimentConfig) -> tuple:
    """As `check`, of a configuration whose data are those of the other side."""
    spec = registry.get(config.model)
    if spec.takes_uplink or spec.takes_sequences:
        what = "an uplink" if spec.takes_uplink else "sequences"
        raise ValueError(
            f"--model={config.model} takes {what}, which no --exchange file has: "
            "choose another network"
        )
    steps_per_epoch(sum(exchange.counts(config, "train")), config.batch_size)
    exchange.counts(config, "validation")
    return exchange.read_all(config)[0].csi["train"].shape[1:]


def load_split(config: ExperimentConfig, split: str, at_most: int = 0) -> Split:
    """Read one split of a configuration's data set into memory.

    Args:
        config: dataset, scaling, noise and num_<split> apply; for a stream, num_train
            is the length of its epochs instead.
        split: 'train', 'validation' or 'test', which is `test_split`.
        at_most: read only so many; 0: no limit.

    Raises:
        ValueError: too few examples, NaN or infinity in them, or data that the network
            does not take.
    """
    if config.exchange and split != "test":
        csi, codeword = exchange.examples(config, split, at_most)
        grid = NUM_SUBCARRIERS
        return Split(csi, csi, None, grid, loss=config.loss, codeword=codeword)
    if config.mix and split != "test":
        return _load_mixed(config, split, at_most)
    if config.target == "eigenvectors":
        return _load_eigenvectors(config, split, at_most)
    builder, stored_split, count = chosen(config, split, at_most)
    split_reader.check_fits(config, builder.info.features)
    names = {"csi", "scale"}
    if registry.get(config.model).takes_uplink:
        names |= {*split_reader.UPLINK}
    if split == "test":
        names |= {"csi_freq", "energy"} & set(builder.info.features)
    stored = split_reader.read(builder, stored_split, count, names)
    arrays = split_reader.scaled(config, builder, stored, stored_split)
    if config.num_frames:
        arrays = {name: x[:, : config.num_frames] for name, x in arrays.items()}
    csi, csi_freq = arrays["csi"], arrays.get("csi_freq")
    if csi_freq is not None:
        csi_freq = accuracy.to_complex(csi_freq)
        csi_freq = csi_freq.reshape(-1, *csi_freq.shape[-2:])
    grid = num_subcarriers(builder)
    ratio = estimation_noise.ratio(config, split, csi.shape[-2], grid)
    noisy = estimation_noise.stored(csi, ratio, config.seed, split)
    last = last_taps(builder)
    subcarriers = results_row.subcarriers_of(builder)
    uplink = arrays.get("uplink")
    truth = subcarriers, arrays.get("energy")
    return Split(noisy, csi, csi_freq, grid, last, uplink, *truth)


def _load_mixed(config: ExperimentConfig, split: str, at_most: int) -> Split:
    """As `load_split`, of training or validation data of several data sets."""
    parts = [load_split(one, split) for one in mixture.parts(config)]
    order = mixture.order([len(part.csi) for part in parts])[: at_most or None]
    csi = clean = np.concatenate([part.csi for part in parts])[order]
    if any(part.csi is not part.csi_clean for part in parts):
        clean = np.concatenate([part.csi_clean for part in parts])[order]
    return Split(csi, clean, None, parts[0].num_subcarriers, loss=config.loss)


def _load_eigenvectors(config: ExperimentConfig, split: str, at_most: int) -> Split:
    """As `load_split`, of eigenvectors, which are never noisy."""
    builder = open_builder(config.dataset, config.data_dir, config.manual_dir)
    split_reader.check_fits(config, builder.info.features)
    eigenmodes.input_shape(config, builder)
    modes = eigenmodes.load(config, split, config.num_subbands, config.phase, at_most)
    csi = subbands.as_csi(modes.vectors[..., : config.rank])
    truth = None
    if split == "test":
        truth = Truth(*modes, config.rank, config.phase)
    columns = modes.values.shape[1]
    return Split(csi, csi, None, columns, eigen=truth, loss=config.loss)


def read_from(config: ExperimentConfig) -> dict:
    """What a training reads: the parts by name, and how their channels are scaled."""
    if config.exchange:
        return exchange.read_from(config)
    if config.mix:
        return _joined(list(map(read_from, mixture.parts(config))))
    builder = open_builder(config.dataset, config.data_dir, config.manual_dir)
    return {
        "train": results_row.training_part(config, builder),
        "validation": results_row.stored_part(config, builder, "validation"),
        "normalisation": scaling.describe(config.scaling, builder, config.target),
    }


def _joined(parts: list[dict]) -> dict:
    """What `read_from` says of several data sets."""
    names = {k: " + ".join(x[k] for x in parts) for k in ("train", "validation")}
    scalings = [part["normalisation"] for part in parts]
    says = f"{scaling.UNKNOWN}of {' and of '.join(x['says'] for x in scalings)}"
    if scalings.count(scalings[0]) == len(scalings):
        return names | {"normalisation": scalings[0]}
    return names | {"normalisation": {"scale": None, "constant": None, "says": says}}


def load_fine_tuning(config: ExperimentConfig, at_most: int) -> Split:
    """Training CSI with the noise that a trained network gets, the same in every pass.

    Args:
        config: of the training.
        at_most: read only so many; 0: no limit.
    """
    return as_noisy(config, load_split(config, "train", at_most))


def as_noisy(config: ExperimentConfig, train: Split) -> Split:
    """Training CSI with noise that is the same in every pass."""
    ratio = estimation_noise.ratio(
        config, "train", train.csi.shape[-2], train.num_subcarriers
    )
    noisy = estimation_noise.stored(train.csi_clean, ratio, config.seed, "fine-tuning")
    return replace(train, csi=noisy)
