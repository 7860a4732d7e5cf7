"""Training on several data sets at once (`--mix`): case 3 of 3GPP's generalisation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from zoo.config import ExperimentConfig


def parts(config: ExperimentConfig) -> list[ExperimentConfig]:
    """Configuration of each data set on its own, with its share of the examples.

    Args:
        config: dataset, mix, num_train and num_validation apply.
    """
    datasets = [config.dataset, *config.mix.split(",")]
    numbers = ("num_train", "num_validation")
    shares = {name: getattr(config, name) // len(datasets) for name in numbers}
    return [replace(config, mix="", dataset=name, **shares) for name in datasets]


def order(counts: Sequence[int]) -> np.ndarray:
    """Places in parts one behind the other, such that any first ones are of all parts.

    Args:
        counts: examples of each part.
    """
    places = [(np.arange(count) + 0.5) / count for count in counts]
    return np.argsort(np.concatenate(places), kind="stable")
