"""TFDS builder of TR 38.901 channels against the simulator."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow_datasets as tfds

from tfds_builders import inspect, inspect_page
from tfds_builders.tr38901 import examples, presets, simulator
from tfds_builders.tr38901 import tr38901_dataset_builder as dataset

TINY = {"train": 400, "validation": 100, "test": 100}
CONFIGS = ["dualnet_umi_nlos_fdd_tiny", "r18_dense_urban_2ghz_tiny"]


class Tr38901BuilderTest(tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = dataset.Builder
    BUILDER_CONFIG_NAMES_TO_TEST = CONFIGS[1:]
    SPLITS = TINY
    EXAMPLE_DIR = str(Path(__file__).parent)  # nothing is read: no dummy data


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> dict:
    folder = tmp_path_factory.mktemp("tfds")
    result = {}
    for name in CONFIGS:
        result[name] = dataset.Builder(config=name, data_dir=folder)
        result[name].download_and_prepare()
    return result


@pytest.mark.parametrize("name", CONFIGS)
def test_examples_are_those_of_the_simulator(built, name):
    builder = built[name]
    config = builder.builder_config
    for split, number in (("train", 0), ("test", 2)):
        expected = examples.block_examples(config.simulation, config.seed, number, 0)
        stored = list(tfds.as_numpy(builder.as_dataset(split=f"{split}[:100]")))
        assert set(stored[0]) == set(expected)
        for key, value in expected.items():
            got = np.stack([example[key] for example in stored])
            np.testing.assert_array_equal(got, value)


@pytest.mark.parametrize("name", CONFIGS)
def test_metadata(built, name):
    builder = built[name]
    preset = presets.load_preset(builder.builder_config.preset)
    metadata = builder.info.metadata
    assert metadata["release"] == "v16" and len(metadata["git_commit"]) >= 7
    assert metadata["carrier_hz"] == preset.setting.carrier_hz
    assert 0.8 < metadata["kept_energy"] < 1
    csi = np.stack([e["csi"] for e in tfds.as_numpy(builder.as_dataset(split="train"))])
    scale = [e["scale"] for e in tfds.as_numpy(builder.as_dataset(split="train"))]
    peak = np.max(np.abs(csi - 0.5).max(axis=(1, 2, 3)) / scale)
    assert metadata["global_scale"] == pytest.approx(0.5 / peak, rel=1e-4)


@pytest.mark.parametrize("name", CONFIGS)
def test_a_page_to_look_at_it(built, name, tmp_path):
    builder, page = built[name], tmp_path / "page.html"
    samples = inspect.read_samples(builder, "train", 20)
    inspect_page.write(page, name, {}, samples, dict(builder.info.metadata))
    text = page.read_text(encoding="utf-8")
    assert ("Uplink and downlink</h2>" in text) == ("fdd" in name)


def test_kept_energy_is_that_of_all_taps(built):
    preset = presets.load_preset("dualnet_umi_nlos_fdd")
    drops = simulator.block_drops(preset.setting, dataset.DATASET_SEED, 0, 0)
    every = simulator.port_taps(drops, tuple(range(1024)))[:, 0]
    energy = np.sum(np.abs(every) ** 2, axis=1)
    inside = energy[:, :16].sum(axis=1) + energy[:, -16:].sum(axis=1)
    kept = np.mean(inside / energy.sum(axis=1))
    stored = built["dualnet_umi_nlos_fdd_tiny"].info.metadata["kept_energy"]
    assert stored == pytest.approx(kept, rel=1e-3)


def test_configurations_have_the_sizes_of_the_papers():
    sizes = {c.name: c.sizes for c in dataset.Builder.BUILDER_CONFIGS}
    assert len(sizes) == len(presets.preset_names()) * 2 * 3
    assert sizes["lora_rma_nlos"][::2] == (40_000, 10_000)
    assert sizes["dualnet_umi_nlos_fdd"] == (60_000, 20_000, 20_000)
    assert sizes["cllw_uma_nlos_28ghz"][2] == 20_000
    assert sizes["lora_rma_nlos_v19_tiny"] == (400, 100, 100)
