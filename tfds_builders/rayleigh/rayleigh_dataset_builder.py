"""TFDS builder of Rayleigh-fading taps, see `examples`."""

from __future__ import annotations

import dataclasses

import tensorflow_datasets as tfds

from tfds_builders import blocks, generation
from tfds_builders.blocks import SMALLER
from tfds_builders.csi_examples import PER_SAMPLE
from tfds_builders.features import csi_features
from tfds_builders.provenance import source
from tfds_builders.rayleigh.examples import NUM_SUBCARRIERS

DATASET_SEED = 1985
SIZES = (100_000, 30_000, 20_000)


@dataclasses.dataclass(eq=False, kw_only=True)
class RayleighConfig(tfds.core.BuilderConfig):
    """Samples of delay in which the power falls to 1 / e, sizes and dataset seed."""

    sizes: tuple[int, int, int]
    decay: float = 4.0
    seed: int = DATASET_SEED

    def __post_init__(self):
        blocks.check_sizes(self.sizes)

    @property
    def simulation(self) -> dict[str, float]:
        """What determines the drops beside the seed, see `blocks`."""
        return {"decay": self.decay}


class Builder(tfds.core.GeneratorBasedBuilder):
    """Angular-delay CSI of Rayleigh-fading taps; see README.md beside this file."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First release."}
    BUILDER_CONFIGS = [
        RayleighConfig(
            name=f"taps{suffix}",
            description=f"32 taps, {' / '.join(map(str, sizes))} drops",
            sizes=sizes,
        )
        for suffix, sizes in {"": SIZES, **SMALLER}.items()
    ]

    normalisation = PER_SAMPLE
    examples_of = staticmethod(generation.simulated)  # or as tfds_builders.build says

    def _info(self) -> tfds.core.DatasetInfo:
        config = self.builder_config
        metadata = tfds.core.MetadataDict(
            scenario="rayleigh",
            decay_samples=config.decay,
            num_subcarriers=NUM_SUBCARRIERS,
            seed=config.seed,
            normalisation=self.normalisation,
            git_commit=source().commit,
            package_version=source().version,
        )
        return self.dataset_info_from_configs(
            features=csi_features(False),
            metadata=metadata,
            disable_shuffling=True,
            homepage="https://github.com/FardadAnsari/CLLWCsiNet",
        )

    def _split_generators(
        self, dl_manager: tfds.download.DownloadManager
    ) -> dict[str, generation.KeyedExamples]:
        return generation.all_splits(self, 1.0)  # no path is beyond the kept delays

    def _generate_examples(self, split: str) -> generation.KeyedExamples:
        return self.examples_of(self, split)
