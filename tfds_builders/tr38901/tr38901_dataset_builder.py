"""TFDS builder of simulated 3GPP TR 38.901 CSI: the papers' scenarios."""

from __future__ import annotations

import dataclasses

import numpy as np
import tensorflow_datasets as tfds

from tfds_builders import blocks, generation
from tfds_builders.blocks import SMALLER, SPLITS, TRACK_TESTS
from tfds_builders.csi_examples import FREQUENCY_GRID, PER_SAMPLE
from tfds_builders.features import csi_features
from tfds_builders.provenance import source
from tfds_builders.tr38901 import simulator
from tfds_builders.tr38901.parameters import RELEASES
from tfds_builders.tr38901.presets import Preset, load_preset, preset_names

DATASET_SEED = 38901


@dataclasses.dataclass(eq=False, kw_only=True)
class Tr38901Config(tfds.core.BuilderConfig):
    """Preset, release of the tables, examples per split and dataset seed."""

    preset: str
    sizes: tuple[int, int, int]
    release: str = RELEASES[0]
    seed: int = DATASET_SEED

    def __post_init__(self):
        load_preset(self.preset, self.release)
        blocks.check_sizes(self.sizes)

    @property
    def simulation(self) -> dict[str, str]:
        """What determines the drops beside the seed, see `blocks`."""
        return {"preset": self.preset, "release": self.release}

    @property
    def further_tests(self) -> dict[str, int]:
        """Splits beside `test`, see `blocks.splits_of`: those of a track."""
        track = load_preset(self.preset, self.release).setting.cell.track
        return TRACK_TESTS if track else {}


def _config(preset: str, release: str, suffix: str) -> Tr38901Config:
    about, sizes = load_preset(preset).about, load_preset(preset).sizes
    sizes = SMALLER.get(suffix, sizes)
    newer = "" if release == RELEASES[0] else f"_{release}"
    newer_features = load_preset(preset).uplink_hz is not None or (
        load_preset(preset).num_subbands > 0
    )
    return Tr38901Config(
        name=preset + newer + suffix,
        description=f"{about}; tables {release}; {' / '.join(map(str, sizes))} drops",
        preset=preset,
        release=release,
        sizes=sizes,
        version="1.1.0" if newer_features else None,
    )


def _kept_energy(preset: Preset, seed: int) -> float:
    """Mean fraction of a drop's energy in the kept of all delay taps.

    By Parseval, with all energy as the mean over a coarser grid of subcarriers.
    """
    drops = simulator.block_drops(preset.setting, seed, SPLITS["train"], 0)
    response = simulator.port_frequency(drops, FREQUENCY_GRID, FREQUENCY_GRID)[:, 0]
    taps = simulator.port_taps(drops, preset.taps)[:, 0]
    total, kept = (np.sum(np.abs(h) ** 2, axis=(1, 2)) for h in (response, taps))
    scale = preset.setting.num_subcarriers / FREQUENCY_GRID
    return float(np.mean(kept / total) / scale)


class Builder(tfds.core.GeneratorBasedBuilder):
    """Simulated TR 38.901 angular-delay CSI; see README.md beside this file."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {
        "1.0.0": "First release.",
        "1.1.0": (
            "FDD pairs: the energy of all subcarriers. Subbands: eigenvectors of all "
            "layers, with eigenvalues."
        ),
    }
    BUILDER_CONFIGS = [
        _config(preset, release, suffix)
        for preset in preset_names()
        for release in RELEASES
        for suffix in ("", *SMALLER)
    ]

    normalisation = PER_SAMPLE  # of data that were made before the metadata said it
    examples_of = staticmethod(generation.simulated)  # or as tfds_builders.build says

    @property
    def _preset(self) -> Preset:
        return load_preset(self.builder_config.preset, self.builder_config.release)

    def _info(self) -> tfds.core.DatasetInfo:
        config, preset = self.builder_config, self._preset
        setting = preset.setting
        metadata = tfds.core.MetadataDict(
            scenario=setting.scenario.name,
            release=config.release,
            carrier_hz=setting.carrier_hz,
            bandwidth_hz=setting.bandwidth_hz,
            num_subcarriers=setting.num_subcarriers,
            last_taps=preset.last_taps,
            seed=config.seed,
            normalisation=self.normalisation,
            git_commit=source().commit,
            package_version=source().version,
        )
        if preset.uplink_hz is not None:
            metadata["uplink_hz"] = preset.uplink_hz
        if setting.cell.track:
            metadata["track_m"] = dataclasses.asdict(setting.cell.track)
        shape = len(setting.bs), len(preset.taps)
        return self.dataset_info_from_configs(
            features=csi_features(preset.uplink_hz is not None, preset.modes, shape),
            metadata=metadata,
            disable_shuffling=True,
            homepage="https://www.3gpp.org/dynareport/38901.htm",
        )

    @property
    def array(self) -> list[int]:
        """Columns, rows and polarisations of the BS; one DFT is over all its ports."""
        bs = self._preset.setting.bs
        sizes = [len(np.unique(bs.position[:, axis].round(9))) for axis in (1, 2)]
        return [*sizes, len(np.unique(bs.slant))]

    def _split_generators(
        self, dl_manager: tfds.download.DownloadManager
    ) -> dict[str, generation.KeyedExamples]:
        return generation.all_splits(
            self, _kept_energy(self._preset, self.builder_config.seed)
        )

    def _generate_examples(self, split: str) -> generation.KeyedExamples:
        return self.examples_of(self, split)
