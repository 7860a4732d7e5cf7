"""TFDS builder of simulated COST2100 CSI against the simulator and the transforms."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow_datasets as tfds

from tests.conftest import ROOT
from tfds_builders import blocks, generation, transforms
from tfds_builders.cost2100_sim import cost2100_sim_dataset_builder as dataset
from tfds_builders.cost2100_sim import motion, simulator

TINY = {"train": 400, "validation": 100, "test": 100}
SCENARIOS = ["indoor", "outdoor"]


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("tfds")
    for scenario in SCENARIOS:
        tfds.builder(
            f"cost2100_sim/{scenario}_tiny", data_dir=folder
        ).download_and_prepare()
    return folder


def read(data_dir: Path, config: str, split: str) -> dict[str, np.ndarray]:
    """All examples of a split, stacked, in the order of the file."""
    builder = tfds.builder(f"cost2100_sim/{config}", data_dir=data_dir)
    examples = list(tfds.as_numpy(builder.as_dataset(split=split)))
    return {key: np.stack([ex[key] for ex in examples]) for key in examples[0]}


class Cost2100SimBuilderTest(tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = dataset.Builder
    BUILDER_CONFIG_NAMES_TO_TEST = ["dualnet_indoor_fdd_tiny"]
    SPLITS = TINY
    EXAMPLE_DIR = str(Path(__file__).parent)  # nothing is read: no dummy data


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize(("split", "stream"), [("train", 0), ("validation", 1)])
def test_csi_is_the_scaled_simulation(data_dir, scenario, split, stream):
    examples = read(data_dir, f"{scenario}_tiny", split)
    h = simulator.simulate(scenario, TINY[split], dataset.DATASET_SEED, stream)
    scale = transforms.per_sample_scale(h)
    np.testing.assert_allclose(examples["scale"], scale, rtol=1e-6)
    np.testing.assert_allclose(
        examples["csi"], transforms.to_unit_range(h, scale), atol=1e-6
    )
    assert examples["csi"].dtype == np.float32
    assert examples["csi"].min() >= 0 and examples["csi"].max() <= 1
    assert examples["csi_freq"].shape == (TINY[split], 0, 125, 2)
    back = transforms.from_unit_range(examples["csi"], examples["scale"])
    error = np.linalg.norm(back - h, axis=(1, 2)) / np.linalg.norm(h, axis=(1, 2))
    assert error.max() < 3e-6


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_frequency_response_of_the_test_split(data_dir, scenario):
    examples = read(data_dir, f"{scenario}_tiny", "test")
    paths = simulator.block_paths(scenario, dataset.DATASET_SEED, 2, 0)
    scaled = simulator.beam_subcarriers(paths) * examples["scale"][:, None, None]
    expected = np.stack([scaled.real, scaled.imag], axis=-1)
    assert examples["csi_freq"].shape == (100, 32, 125, 2)
    np.testing.assert_allclose(examples["csi_freq"], expected, rtol=1e-5, atol=1e-8)
    # Of the same drop and in the same units: only the taps cut off are missing.
    h = transforms.from_unit_range(examples["csi"], 1.0)
    truncated = transforms.delay_to_frequency(h, 257, 125)
    overlap = np.sum(truncated.conj() * scaled, axis=(1, 2))
    energy = np.sum(np.abs(scaled) ** 2, axis=(1, 2))
    np.testing.assert_allclose(np.median(np.abs(overlap / energy - 1)), 0, atol=0.1)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_metadata_survives_reloading(data_dir, scenario):
    builder = tfds.builder(f"cost2100_sim/{scenario}_tiny", data_dir=data_dir)
    metadata = dict(builder.info.metadata)
    h = simulator.simulate(scenario, 400, dataset.DATASET_SEED)
    expected = float(transforms.global_scale(h))
    assert metadata["global_scale"] == pytest.approx(expected, rel=1e-6)
    assert metadata["num_subcarriers"] == 1024
    assert metadata["carrier_hz"] == {"indoor": 5.3e9, "outdoor": 300e6}[scenario]
    assert metadata["bandwidth_hz"] == 20e6
    assert metadata["seed"] == dataset.DATASET_SEED
    assert metadata["git_commit"] == "unknown" or len(metadata["git_commit"]) >= 40
    assert metadata["package_version"] and metadata["normalisation"].startswith("min(")


def test_common_scale_keeps_every_stored_example_in_range():
    features = blocks.simulator_of("cost2100_sim")({"scenario": "indoor"}, 0, 0, 3)
    scale = np.float32(generation.common_scale(features))
    parts = (features["csi"] - np.float32(0.5)) / features["scale"][:, None, None, None]
    csi = np.float32(0.5) + scale * parts
    assert (csi.min() == 0 or csi.max() == 1) and csi.min() >= 0 and csi.max() <= 1


def test_kept_energy_is_that_of_the_full_delay_axis(data_dir):
    builder = tfds.builder("cost2100_sim/indoor_tiny", data_dir=data_dir)
    metadata = dict(builder.info.metadata)
    paths = simulator.block_paths("indoor", dataset.DATASET_SEED, 0, 0)
    # Parseval: energies on the 1024 subcarriers need no inverse transform.
    frequency = simulator.beam_subcarriers(paths, 1024, keep=1024)
    full = np.sum(np.abs(frequency) ** 2, axis=(1, 2), dtype=np.float64)
    taps = np.abs(simulator.taps(paths)) ** 2
    kept = np.mean(taps.sum(axis=(1, 2), dtype=np.float64) / full)
    assert metadata["kept_energy"] == pytest.approx(kept, rel=1e-4)
    assert 0.8 < metadata["kept_energy"] <= 1
    assert metadata["kept_energy_drops"] == 100


def test_uplink_and_downlink_of_the_same_drops(tmp_path):
    name = "dualnet_indoor_fdd_tiny"
    builder = dataset.Builder(config=name, data_dir=tmp_path)
    builder.download_and_prepare()
    examples = read(tmp_path, name, "train")
    paths = simulator.paths("indoor_dualnet", 400, dataset.DATASET_SEED)
    pair = simulator.fdd_pair(paths, 5.1e9, 16, 16)
    channels = []
    for suffix, h in zip(("", "_uplink"), pair, strict=True):
        csi, scale = examples[f"csi{suffix}"], examples[f"scale{suffix}"]
        channels.append(transforms.from_unit_range(csi, scale))
        norm = np.linalg.norm(h, axis=(1, 2))
        assert (np.linalg.norm(channels[-1] - h, axis=(1, 2)) < 3e-6 * norm).all()
    flat = [np.abs(h).reshape(len(h), -1) for h in channels]
    magnitude = [np.corrcoef(*rows)[0, 1] for rows in zip(*flat, strict=True)]
    cosines = [np.cos(np.angle(h)).reshape(len(h), -1) for h in channels]
    phase = [np.corrcoef(*rows)[0, 1] for rows in zip(*cosines, strict=True)]
    assert 0.70 < np.mean(magnitude) < 0.85 and abs(np.mean(phase)) < 0.02
    metadata = builder.info.metadata
    assert metadata["last_taps"] == 16 and metadata["uplink_hz"] == 5.1e9
    assert metadata["kept_energy"] > 0.98
    assert str(builder.version) == "1.1.0" and examples["energy"].shape == (400, 0)


def test_moving_terminals(tmp_path):
    builder = dataset.Builder(config="outdoor_track_tiny", data_dir=tmp_path)
    builder.download_and_prepare()
    examples = read(tmp_path, "outdoor_track_tiny", "test")
    assert set(examples) == {"csi", "scale"}
    assert examples["csi"].shape == (100, 10, 32, 32, 2)
    times = builder.info.metadata["times_s"]
    assert times == pytest.approx(0.04 * np.arange(10))
    track = motion.block_track("outdoor", dataset.DATASET_SEED, 2, 0, 0.9, times)
    scale = examples["scale"][:, None, None, None]
    h = motion.sequence_taps(track) * scale
    expected = np.stack([h.real, h.imag], axis=-1) + 0.5
    np.testing.assert_allclose(examples["csi"], expected, atol=1e-5)
    assert examples["csi"].min() >= 0 and examples["csi"].max() <= 1


def test_k_factors_are_those_of_the_drops():
    for scenario in SCENARIOS:
        k = blocks.k_factors("cost2100_sim", {"scenario": scenario}, 3, 0, 150)
        power = np.abs(simulator.paths(scenario, 150, 3).amplitude) ** 2
        np.testing.assert_allclose(k, power[:, 0] / power[:, 1:].sum(axis=1))
        assert (k > 0).any() == (scenario == "outdoor")
    simulation = {"preset": "lora_umi_nlos", "release": "v16"}
    assert not blocks.k_factors("tr38901", simulation, 3, 0, 50).any()


def test_splits_hold_different_drops(data_dir):
    first = [read(data_dir, "indoor_tiny", split)["csi"][:100] for split in TINY]
    rows = np.concatenate(first).reshape(300, -1)
    assert len(np.unique(rows, axis=0)) == 300


def test_a_smaller_config_is_a_prefix_of_a_larger_one(data_dir, tmp_path):
    larger = dataclasses.replace(
        dataset.Builder.builder_configs["indoor_tiny"],
        name="indoor_larger",
        sizes=(600, 200, 200),
    )
    builder = dataset.Builder(config=larger, data_dir=tmp_path)
    builder.download_and_prepare()
    for split, num in TINY.items():
        tiny = read(data_dir, "indoor_tiny", split)
        prefix = list(tfds.as_numpy(builder.as_dataset(split=f"{split}[:{num}]")))
        assert builder.info.splits[split].num_examples > num
        for key, expected in tiny.items():
            np.testing.assert_array_equal([ex[key] for ex in prefix], expected)
    assert builder.info.metadata["global_scale"] <= float(
        tfds.builder("cost2100_sim/indoor_tiny", data_dir=data_dir).info.metadata[
            "global_scale"
        ]
    )


def test_load_by_name_batches_with_and_without_the_frequency(data_dir):
    load = {"name": "cost2100_sim/outdoor_tiny", "data_dir": data_dir}
    batch = next(iter(tfds.load(split="test", **load).batch(50)))
    assert batch["csi_freq"].shape == (50, 32, 125, 2)
    only_csi = tfds.decode.PartialDecoding({"csi": True, "scale": True})
    train = tfds.load(split="train", decoders=only_csi, **load)
    assert set(train.element_spec) == {"csi", "scale"}
    assert next(iter(train.batch(400)))["csi"].shape == (400, 32, 32, 2)


def test_published_sizes():
    sizes = {name: c.sizes for name, c in dataset.Builder.builder_configs.items()}
    for scenario in SCENARIOS:
        assert sizes[scenario] == (100_000, 30_000, 20_000)
        assert sizes[f"{scenario}_quick"] == (20_000, 2_000, 2_000)
        assert sizes[f"{scenario}_tiny"] == tuple(TINY.values())
        assert sizes[f"{scenario}_track"] == (75_000, 12_500, 12_500)
    assert sizes["dualnet_indoor_fdd"] == (60_000, 20_000, 20_000)
    assert sizes["outdoor_released"] == (100_000, 30_000, 20_000)
    assert len(sizes) == 18


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sizes": (150, 100, 100)}, r"sizes \(150, 100, 100\) .*multiples of 100"),
        ({"sizes": (0, 100, 100)}, "must be positive"),
        ({"scenario": "urban"}, "'urban': choose one of indoor, outdoor"),
    ],
)
def test_config_errors(change, message):
    config = dataset.Builder.builder_configs["indoor_tiny"]
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(config, **change)


# What `tfds build` runs; the command itself also imports Apache Beam.
TFDS_BUILD = """
import simple_parsing
from tensorflow_datasets.scripts.cli import build
parser = simple_parsing.ArgumentParser()
parser.add_arguments(build.Args, dest="build")
parser.parse_args().build.execute()
"""


@pytest.mark.slow
def test_tfds_build_by_path(tmp_path):
    command = [sys.executable, "-c", TFDS_BUILD, "tfds_builders/cost2100_sim"]
    command += ["--config", "indoor_tiny", "--data_dir", str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    builder = tfds.builder("cost2100_sim/indoor_tiny", data_dir=tmp_path)
    sizes = {name: info.num_examples for name, info in builder.info.splits.items()}
    assert sizes == TINY
