"""One drop through all steps: shapes, types and ranges are those of its page."""

from __future__ import annotations

import re

import numpy as np
import pytest

from serving.codec import frame_graph, framing
from serving.codec.nmse import nmse
from serving.codec.ue_encoder import UeEncoder
from serving.models.model_config import single
from serving.models.model_manager import ModelManager
from serving.ue_side.decoder_client import Decoder, decode_request
from tests.conftest import ROOT, TINY
from tests.support.serving_harness import MODEL, TIMEOUT, local_server
from tfds_builders import csi_examples, transforms
from tfds_builders.blocks import SPLITS
from tfds_builders.build import find_builder
from tfds_builders.cost2100_sim import simulator
from zoo.codeword.network import build_autoencoder
from zoo.data import splits, training_source
from zoo.exporting import exporter
from zoo.keras_compat import Model
from zoo.metrics import accuracy
from zoo.quantization.precisions import EncoderOptions
from zoo.run_directory import RunDirectory

pytestmark = [pytest.mark.serving, pytest.mark.tflite]

PAGE = ROOT / "docs" / "start" / "one_drop.md"
SIZES = {"codeword_dim": 128, "bits": 6, "num_test": 0, "precision": "float32"}
ROW = re.compile(
    r"\| (\w+) \| [^|]+ \| `(\w+)` \| \[[\w.]+\]\((\S+)\) \| `\[(.+?)\]` \| (\w+) \|"
    r" (?:(\S+) to (\S+) )?\|"
)


def simulated() -> dict:
    """Up to the examples, as the builder makes those of the test split."""
    seed = find_builder(TINY["dataset"]).builder_config.seed
    paths = simulator.block_paths("indoor", seed, SPLITS["test"], 0)
    taps, response = simulator.taps(paths), simulator.beam_subcarriers(paths)
    example = csi_examples.snapshot(taps, response)
    return {
        "paths": paths.amplitude,
        "taps": taps,
        "response": response,
        "example": example["csi"],
        "scale": example["scale"],
        "csi_freq": example["csi_freq"],
    }


def compressed(config, run) -> dict:
    """Up to the indices, as training sees them."""
    test = splits.load_split(config, "test")
    (batch,) = (
        training_source.training_batches(test.csi, 100, seed=0)
        .take(1)
        .as_numpy_iterator()
    )
    model = run.load()
    network = Model(model.encoder.input, model.encoder.get_layer("codeword").output)
    codeword = model.encoder(batch)
    return {
        "split": test.csi,
        "truth": test.csi_freq[:1],
        "batch": batch,
        "encoded": network(batch).numpy(),
        "codeword": codeword.numpy(),
        "indices": model.quantizer.indices(codeword).numpy(),
        "h": test.h[0],
    }


def sent(h, export) -> dict:
    """From the UE's CSI to the served matrix."""
    encoder = UeEncoder(export / "encoder.tflite")
    payload = encoder.encode_bits(h)
    frame = framing.frame(payload, encoder.model_id)
    request = decode_request([frame]).inputs["feedback_bytes"]
    found = frame_graph.parse_frames([frame], len(payload), encoder.model_id)
    indices, _ = frame_graph.unpack_sections(found.payload, encoder.codec["sections"])
    manager = ModelManager()
    manager.apply(single(MODEL, export / "decoder"))
    with (
        local_server(manager) as server,
        Decoder(server.endpoint, MODEL, TIMEOUT) as decoder,
    ):
        served, served_valid = decoder.decode([frame])
    manager.close()
    assert served_valid.all()
    return {
        "payload": np.frombuffer(payload, np.uint8),
        "frame": np.frombuffer(frame, np.uint8),
        "request": np.array(request.string_val, object),
        "valid": found.valid.numpy(),
        "arrived": indices.numpy(),
        "served": served,
    }


def measured(h, truth, served) -> dict:
    """What is said of the served matrix."""
    frequency = transforms.delay_to_frequency(accuracy.to_complex(served), 257, 125)
    return {
        "nmse": nmse(h[None], served),
        "frequency": frequency,
        "rho": accuracy.cosine_similarity(truth, frequency),
    }


@pytest.fixture(scope="module")
def walked(tiny_config, tmp_path_factory):
    """Arrays of all steps, by name; the network is as it starts, untrained."""
    directory = tmp_path_factory.mktemp("drop")
    config = tiny_config(directory / "run", **SIZES)
    run = RunDirectory.create(config)
    model = build_autoencoder(config, (32, 32, 2))
    run.save_weights(model)
    options = EncoderOptions(precisions=("fp32",))
    exporter.export(run, directory / "export", options=options)
    steps = simulated() | compressed(config, run)
    steps |= sent(steps["h"], directory / "export")
    steps["dequantised"] = model.quantizer.dequantize(steps["arrived"]).numpy()
    steps["decoded"] = model.decoder(steps["dequantised"]).numpy()
    return steps | measured(steps["h"], steps["truth"], steps["served"])


def test_the_page_names_the_steps_that_are_walked(walked):
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    names = [match[1] for match in map(ROW.match, rows[1:])]
    assert len(rows) == len(names) + 1 and set(names) == set(walked)


def test_steps_are_one_way(walked):
    """The stored split is the simulated block, and the server's answer is ours."""
    np.testing.assert_array_equal(walked["split"], walked["example"])
    h = walked["example"][0] - np.float32(0.5)
    np.testing.assert_array_equal(walked["h"], h)
    channel = accuracy.to_complex(h) / walked["scale"][0]
    np.testing.assert_allclose(
        channel, walked["taps"][0], atol=1e-6 / walked["scale"][0]
    )
    truth = accuracy.to_complex(walked["csi_freq"][0])
    np.testing.assert_array_equal(walked["truth"][0], truth)
    scaled = walked["response"][0] * walked["scale"][0]
    np.testing.assert_allclose(truth, scaled, rtol=1e-6)
    served = walked["decoded"] - np.float32(0.5)
    np.testing.assert_allclose(walked["served"], served, atol=1e-5)
    np.testing.assert_array_equal(walked["frame"][7:-4], walked["payload"])
    assert np.isfinite(walked["served"]).all() and walked["nmse"][0] > 0


@pytest.mark.parametrize("row", ROW.findall(PAGE.read_text()), ids=lambda row: row[0])
def test_shape_type_and_range_are_those_of_the_page(walked, row):
    name, call, link, shape, kind, low, high = row
    file = (PAGE.parent / link).resolve()
    assert re.search(rf"def {call}\(", file.read_text())
    value = walked[name]
    wanted = [int(n) if n.isdigit() else None for n in shape.split(", ")]
    assert value.ndim == len(wanted)
    assert all(n in (None, m) for n, m in zip(wanted, value.shape, strict=True))
    assert kind == ("string" if value.dtype == object else value.dtype.name)
    if low:
        assert float(low) <= value.min() and value.max() <= float(high)
