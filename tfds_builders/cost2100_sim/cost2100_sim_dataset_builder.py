"""TFDS builder of simulated COST2100 CSI (indoor hall 5.3 GHz, semi-urban 300 MHz)."""

from __future__ import annotations

import dataclasses

import tensorflow_datasets as tfds

from tfds_builders import blocks, generation, transforms
from tfds_builders.blocks import SMALLER, SPLITS
from tfds_builders.cost2100_sim import simulator
from tfds_builders.cost2100_sim.examples import NUM_DELAY
from tfds_builders.cost2100_sim.parameters import load_scenario
from tfds_builders.csi_examples import PER_SAMPLE, PER_SEQUENCE
from tfds_builders.features import csi_features, sequence_features
from tfds_builders.provenance import source

DATASET_SEED = 2100
SCENARIOS = ("indoor", "outdoor")
# Wang et al., "Deep Learning-based CSI Feedback Approach for Time-varying Massive MIMO
# Channels", IEEE Wireless Communications Letters 8(2), 2019: ten frames, 40 ms apart.
SPEEDS = {"indoor": 0.001, "outdoor": 0.9}
TIMES = tuple(round(0.04 * frame, 2) for frame in range(10))
PUBLISHED, FDD_SIZES = (100_000, 30_000, 20_000), (60_000, 20_000, 20_000)
TRACK_SIZES = (75_000, 12_500, 12_500)


@dataclasses.dataclass(eq=False, kw_only=True)
class Cost2100SimConfig(tfds.core.BuilderConfig):
    """What is simulated, examples per split and dataset seed.

    Attributes:
      scenario: column of `parameters.json`.
      sizes: examples of train, validation and test.
      seed: of the data set.
      uplink_hz: carrier of an uplink of the same drops; None: no uplink.
      last_taps: of the 32 kept delay taps, those from the end.
      speed: of UEs in m/s that move; None: they rest.
      times: of the snapshots of a moving UE, s.
    """

    scenario: str
    sizes: tuple[int, int, int]
    seed: int = DATASET_SEED
    uplink_hz: float | None = None
    last_taps: int = 0
    speed: float | None = None
    times: tuple[float, ...] = ()

    def __post_init__(self):
        load_scenario(self.scenario)
        blocks.check_sizes(self.sizes)

    @property
    def simulation(self) -> dict:
        """What determines the drops beside the seed, see `blocks`."""
        simulation = {"scenario": self.scenario}
        if self.uplink_hz is not None:
            simulation |= {"uplink_hz": self.uplink_hz, "last_taps": self.last_taps}
        if self.speed is not None:
            simulation |= {"speed": self.speed, "times": list(self.times)}
        return simulation


def _configs(
    name: str, about: str, sizes: tuple[int, int, int], **settings
) -> list[Cost2100SimConfig]:
    """A configuration and its smaller variants."""
    return [
        Cost2100SimConfig(
            name=name + suffix,
            description=f"{about}, {' / '.join(map(str, numbers))} drops",
            sizes=numbers,
            **settings,
        )
        for suffix, numbers in {"": sizes, **SMALLER}.items()
    ]


def _all_configs() -> list[Cost2100SimConfig]:
    configs = []
    for scenario in SCENARIOS:
        configs += _configs(scenario, scenario, PUBLISHED, scenario=scenario)
        about = f"{scenario}, UE moving at {SPEEDS[scenario]} m/s"
        track = {"speed": SPEEDS[scenario], "times": TIMES}
        configs += _configs(
            f"{scenario}_track", about, TRACK_SIZES, scenario=scenario, **track
        )
    about = "outdoor, as sparse as the released drops"
    configs += _configs(
        "outdoor_released", about, PUBLISHED, scenario="outdoor_released"
    )
    return configs + _configs(
        "dualnet_indoor_fdd",
        "DualNet-MP: indoor, downlink 5.3 GHz and uplink 5.1 GHz",
        FDD_SIZES,
        scenario="indoor_dualnet",
        uplink_hz=5.1e9,
        last_taps=16,
        version="1.1.0",
    )


def _kept_energy(config: Cost2100SimConfig) -> float:
    """Mean fraction of a resting drop's energy in the kept of all 1024 delay taps."""
    first = simulator.block_paths(config.scenario, config.seed, SPLITS["train"], 0)
    h_a, last = simulator.taps(first, simulator.NUM_SUBCARRIERS), config.last_taps
    return float(transforms.kept_energy(h_a, NUM_DELAY - last, last).mean())


class Builder(tfds.core.GeneratorBasedBuilder):
    """Simulated COST2100 angular-delay CSI; see README.md beside this file."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {
        "1.0.0": "First release.",
        "1.1.0": "FDD pairs: DualNet's cell, and the energy of all subcarriers.",
    }
    BUILDER_CONFIGS = _all_configs()

    examples_of = staticmethod(generation.simulated)  # or as tfds_builders.build says

    @property
    def normalisation(self) -> str:
        """What `scale` is, for data that were made before the metadata said it."""
        return PER_SAMPLE if self.builder_config.speed is None else PER_SEQUENCE

    def _info(self) -> tfds.core.DatasetInfo:
        config = self.builder_config
        parameters = load_scenario(config.scenario)
        metadata = tfds.core.MetadataDict(
            scenario=config.scenario,
            carrier_hz=parameters.carrier_hz,
            bandwidth_hz=parameters.bandwidth_hz,
            num_subcarriers=simulator.NUM_SUBCARRIERS,
            seed=config.seed,
            normalisation=self.normalisation,
            git_commit=source().commit,
            package_version=source().version,
        )
        features = csi_features(config.uplink_hz is not None)
        if config.uplink_hz is not None:
            metadata |= {"uplink_hz": config.uplink_hz, "last_taps": config.last_taps}
        if config.speed is not None:
            metadata |= {"speed": config.speed, "times_s": list(config.times)}
            features = sequence_features(len(config.times))
        return self.dataset_info_from_configs(
            features=features,
            metadata=metadata,
            disable_shuffling=True,
            homepage="https://github.com/cost2100/cost2100",
        )

    def _split_generators(
        self, dl_manager: tfds.download.DownloadManager
    ) -> dict[str, generation.KeyedExamples]:
        return generation.all_splits(self, _kept_energy(self.builder_config))

    def _generate_examples(self, split: str) -> generation.KeyedExamples:
        return self.examples_of(self, split)
