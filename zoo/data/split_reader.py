"""Arrays of one split of a TFDS data set, and what a network needs of it."""

from __future__ import annotations

import numpy as np
import tensorflow_datasets as tfds

from tfds_builders.untrusted import records
from zoo import registry
from zoo.config import ExperimentConfig
from zoo.data import scaling

UPLINK = ("csi_uplink", "scale_uplink")


def check_fits(config: ExperimentConfig, features) -> None:
    """Refuse data that a network does not take.

    Args:
        config: model, dataset and num_frames apply.
        features: of the TFDS builder.

    Raises:
        ValueError: sequences for a network of single snapshots, or the other way
            round; too many frames; no uplink for a network whose decoder takes one.
    """
    spec, shape = registry.get(config.model), features["csi"].shape
    wanted, frames = spec.takes_sequences, config.num_frames
    other = "sequences" if wanted else "the uplink" if spec.takes_uplink else ""
    if config.target == "eigenvectors" and other:
        raise ValueError(
            f"--model={config.model} takes {other}, which --target=eigenvectors has "
            "not: choose another network"
        )
    if wanted != (len(shape) == 4):
        have = f"sequences {shape}" if len(shape) == 4 else f"single snapshots {shape}"
        fix = "[T, N_t, N_a, 2] sequences" if wanted else "[N_t, N_a, 2] snapshots"
        raise ValueError(
            f"{config.dataset} has {have}, which --model={config.model} does not take: "
            f"choose a data set of {fix}"
        )
    if frames and not (wanted and 2 <= frames <= shape[0]):
        most = f"2 to {shape[0]}" if wanted else "0, there are no sequences"
        raise ValueError(f"--num_frames={frames}: expected {most}")
    if spec.takes_uplink and "csi_uplink" not in features:
        raise ValueError(
            f"{config.dataset} has no uplink, which --model={config.model} takes: "
            "choose a data set that has csi_uplink, such as the '_fdd' ones"
        )


def read(builder, split: str, count: int, names: set[str]) -> dict[str, np.ndarray]:
    """Features of the first examples, float32 `[count, ...]` as they are stored.

    Args:
        builder: TFDS builder with its data.
        split: name of the split.
        count: examples, at most as many as there are.
        names: features.

    Raises:
        ValueError: a file is damaged; the message names it.
    """
    arrays = {}  # made at once: a list of batches would take the memory twice
    options = tfds.ReadConfig(try_autocache=False, interleave_cycle_length=1)
    examples = builder.as_dataset(
        split=f"{split}[:{count}]",
        decoders=tfds.decode.PartialDecoding(names),
        read_config=options,
    )
    start = 0
    with records.named(builder.info.splits[split].filepaths):
        for batch in examples.batch(500).as_numpy_iterator():
            for name, values in batch.items():
                if not start:
                    arrays[name] = np.empty((count, *values.shape[1:]), np.float32)
                arrays[name][start : start + len(values)] = values
            start += len(values)
    return arrays


def scaled(
    config: ExperimentConfig, builder, stored: dict, split: str
) -> dict[str, np.ndarray]:
    """What was read under the scaling of a configuration.

    Args:
        config: dataset and scaling apply.
        builder: TFDS builder of the data.
        stored: what `read` gave.
        split: of which it is the first examples.

    Returns:
        `csi` in [0, 1], and where they were read `csi_freq`, `energy` `[n]` and the
        magnitudes `uplink` `[n, N_t, N_a, 1]` of the zero-centred uplink.

    Raises:
        ValueError: NaN, infinity or a channel of zeros; says where.
    """
    result = {}
    for name in {"csi", "csi_uplink"} & set(stored):
        csi, scale = stored[name], stored[name.replace("csi", "scale")]
        _check(f"{config.dataset} {split}", name, csi)
        result[name] = scaling.rescale(csi, scale, config.scaling, builder)
    if "csi_freq" in stored:
        factor = _norms(result["csi"]) / _norms(stored["csi"])
        stored["csi_freq"] *= factor[:, None, None, None]
        result["csi_freq"] = stored["csi_freq"]
    if "energy" in stored:
        result["energy"] = stored["energy"][:, 0] * np.square(factor)
    if "csi_uplink" in result:
        h = result.pop("csi_uplink") - np.float32(0.5)
        result["uplink"] = np.linalg.norm(h, axis=-1, keepdims=True)
    return result


def _check(place: str, name: str, csi: np.ndarray) -> None:
    """Refuse CSI in [0, 1] that no network can be trained or judged with."""
    rows = csi.reshape(len(csi), -1)
    finite = np.isfinite(rows.sum(axis=1, dtype=np.float64))
    zero = rows[:, 0] == 0.5
    zero[zero] = (rows[zero] == 0.5).all(axis=1)
    for bad, what in ((~finite, "NaN or infinity"), (zero, "a channel of zeros")):
        if bad.any():
            raise ValueError(
                f"{place}: {what} in {name} of {bad.sum()} examples, first in number "
                f"{np.flatnonzero(bad)[0]}; leave them out and build the set again"
            )


def _norms(csi: np.ndarray) -> np.ndarray:
    return np.linalg.norm(csi.reshape(len(csi), -1) - np.float32(0.5), axis=1)
