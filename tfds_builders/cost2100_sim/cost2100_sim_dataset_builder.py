"""TFDS builder of simulated COST2100 CSI (indoor hall 5.3 GHz, semi-urban 300 MHz)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from tfds_builders import transforms
from tfds_builders.cost2100_sim import simulator
from tfds_builders.cost2100_sim.examples import SPLITS, examples
from tfds_builders.cost2100_sim.parameters import load_scenario
from tfds_builders.features import csi_features
from tfds_builders.provenance import git_commit

DATASET_SEED = 2100
NUM_DELAY = 32
SCENARIOS = ("indoor", "outdoor")
SIZES = {
    "": (100_000, 30_000, 20_000),
    "_quick": (20_000, 2_000, 2_000),
    "_tiny": (400, 100, 100),
}


@dataclasses.dataclass(eq=False, kw_only=True)
class Cost2100SimConfig(tfds.core.BuilderConfig):
    """Scenario, examples per split (train, validation, test) and dataset seed."""

    scenario: str
    sizes: tuple[int, int, int]
    seed: int = DATASET_SEED

    def __post_init__(self):
        load_scenario(self.scenario)
        if any(num <= 0 or num % simulator.BLOCK for num in self.sizes):
            raise ValueError(
                f"sizes {self.sizes} must be positive multiples of {simulator.BLOCK}"
            )


def _config(scenario: str, suffix: str) -> Cost2100SimConfig:
    train, validation, test = SIZES[suffix]
    return Cost2100SimConfig(
        name=scenario + suffix,
        description=f"{scenario}, {train} / {validation} / {test} drops",
        scenario=scenario,
        sizes=SIZES[suffix],
    )


def _kept_energy(paths: simulator.Paths) -> float:
    """Mean fraction of a drop's energy in the first 32 of all 1024 delay taps."""
    h_a = simulator.taps(paths, simulator.NUM_SUBCARRIERS)
    return float(transforms.kept_energy(h_a, NUM_DELAY).mean())


class Builder(tfds.core.GeneratorBasedBuilder):
    """Simulated COST2100 angular-delay CSI; see README.md beside this file."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First release."}
    BUILDER_CONFIGS = [
        _config(scenario, suffix) for scenario in SCENARIOS for suffix in SIZES
    ]

    def _info(self) -> tfds.core.DatasetInfo:
        config = self.builder_config
        parameters = load_scenario(config.scenario)
        metadata = tfds.core.MetadataDict(
            scenario=config.scenario,
            carrier_hz=parameters.carrier_hz,
            bandwidth_hz=parameters.bandwidth_hz,
            num_subcarriers=simulator.NUM_SUBCARRIERS,
            seed=config.seed,
            git_commit=git_commit(),
        )
        return self.dataset_info_from_configs(
            features=csi_features(),
            metadata=metadata,
            disable_shuffling=True,
            homepage="https://github.com/cost2100/cost2100",
        )

    def _split_generators(
        self, dl_manager: tfds.download.DownloadManager
    ) -> dict[str, Iterator[tuple[int, dict[str, Any]]]]:
        sizes = zip(SPLITS, self.builder_config.sizes, strict=True)
        return {split: self._generate_examples(split, num) for split, num in sizes}

    def _generate_examples(
        self, split: str, num: int
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        config = self.builder_config
        for block in range(num // simulator.BLOCK):
            paths = simulator.block_paths(
                config.scenario, config.seed, SPLITS[split], block
            )
            h = simulator.taps(paths)
            if split == "train":
                self._update_metadata(h, paths if block == 0 else None)
            features = examples(h, paths if split == "test" else None)
            for row in range(simulator.BLOCK):
                key = block * simulator.BLOCK + row
                yield key, {name: value[row] for name, value in features.items()}

    def _update_metadata(
        self, h: np.ndarray, first_paths: simulator.Paths | None
    ) -> None:
        """Keep the scale that fits all of train so far and the kept energy."""
        metadata, scale = self.info.metadata, float(transforms.global_scale(h))
        if first_paths is not None:
            metadata["kept_energy"] = _kept_energy(first_paths)
            metadata["kept_energy_drops"] = len(h)
            metadata["global_scale"] = scale
        metadata["global_scale"] = min(metadata["global_scale"], scale)
