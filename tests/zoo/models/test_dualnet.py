"""DualNet-MAG and DualNet-MP: counts, equivariance, two stages on an FDD data set."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import tensorflow as tf

from serving import client
from serving.codec import bitstream, framing
from serving.codec.ue_encoder import UeEncoder
from serving.ue_side import csi_source
from serving.ue_side.csi_source import open_source
from serving.ue_side.daemon import Link, Schedule, UeDaemon
from serving.ue_side.decoder_client import Decoder
from serving.ue_side.router import Router
from tests.conftest import assert_one_line_error, run_command
from tests.support.network_checks import assert_gradients, side_inputs, whole
from tfds_builders import transforms
from tfds_builders.cost2100_sim import simulator
from tfds_builders.cost2100_sim.cost2100_sim_dataset_builder import DATASET_SEED
from zoo import registry, steps
from zoo.codeword.codeword_path import make_quantizer
from zoo.data import split_reader, splits
from zoo.exporting import exporter
from zoo.keras_compat import Model, keras
from zoo.metrics import accuracy, complexity
from zoo.training import evaluation, session

SHAPE = (16, 16, 2)
FDD = {
    "dataset": "cost2100_sim/dualnet_indoor_fdd_tiny", "quantizer": "none", "bits": 0,
    "cpu_step": "native",
}  # fmt: skip
MAG = {**FDD, "model": "dualnet_mag", "codeword_dim": 32, "lr": 1e-3, "epochs": 1}
MP = {
    **MAG, "epochs": 2, "model": "dualnet_mp", "codeword_dim": 96,
    "train_part": "phase", "model_args": '{"magnitude_dim": 32}',
    "quantizer": "polar", "bits": 8, "normaliser": "none",
    "quantizer_args": '{"magnitude_dim": 32}',
}  # fmt: skip


@pytest.fixture(autouse=True)
def seeded():
    """On random numbers a single-channel ReLU may start at 0 everywhere."""
    keras.utils.set_random_seed(0)


@pytest.mark.parametrize(
    ("codeword_dim", "args", "params"),
    [
        (384, {}, (412_018, 414_904)),
        (384, {"convs": 4}, (411_426, 414_904)),
        (320, {}, (346_354, 349_368)),
        (384, {"phase": "angle", "combine": "always"}, (412_018, 414_904)),
        (384, {"phase": "angle"}, (412_018, 414_904 - 5_030)),
    ],
)
def test_counts(codeword_dim, args, params):
    counts = complexity.summary(
        registry.build("dualnet_mp", codeword_dim=codeword_dim, model_args=args)
    )
    assert (counts["ue_params"], counts["bs_params"]) == params
    if codeword_dim == 384 and not args:
        assert sum(params) == 826_922
        assert (counts["ue_macs"], counts["bs_macs"]) == (19_058_688, 20_410_368)


def test_dense_core_has_the_papers_size():
    model = registry.build("dualnet_mp", codeword_dim=384, model_args={"core": "dnn"})
    counts = complexity.summary(model)
    assert round((counts["ue_params"] + counts["bs_params"]) / 1e6, 1) == 11.5


@pytest.mark.parametrize(("core", "equal"), [("circular", True), ("zero", False)])
def test_features_move_with_the_channel(core, equal):
    args = {"magnitude_dim": 40, "core": core}
    encoder = registry.build("dualnet_mp", SHAPE, 64, args).encoder
    flat = ("magnitude_flatten", "phase_flatten")
    maps = [encoder.get_layer(name).input for name in flat]
    features = Model(encoder.input, maps)
    csi = np.random.default_rng(0).random((2, *SHAPE)).astype(np.float32)
    moved = features(np.roll(csi, (3, -5), axis=(1, 2)))
    for before, after in zip(features(csi), moved, strict=True):
        shifted = np.roll(before, (3, -5), axis=(1, 2))
        assert np.allclose(after, shifted, atol=1e-5) == equal


def test_every_weight_learns():
    model = registry.build("dualnet_mp", SHAPE, 64, {"magnitude_dim": 40})
    csi = np.random.default_rng(0).random((4, *SHAPE)).astype(np.float32)
    csi[:, 0, 0] = (0.7, 0.5)  # |cos| = 1
    side = side_inputs("dualnet_mp", csi)
    variables = model.autoencoder.trainable_variables
    inputs = [tf.constant(csi), *side]
    assert_gradients(
        lambda: tf.reduce_mean(tf.square(model.autoencoder(inputs) - csi)),
        variables,
        constant=("kappa",),  # undone at the BS where nothing is quantised
    )


def test_a_coded_phase_has_the_same_network_behind_it():
    """MSE0 and MDPP: what repairs h_0 sees it and adds to it, as for SMAPE."""
    args = {"magnitude_dim": 40, "phase": "angle", "combine": "always"}
    decoder = registry.build("dualnet_mp", SHAPE, 64, args).decoder
    rng = np.random.default_rng(0)
    inputs = [rng.normal(size=(2, 64)), rng.random((2, *SHAPE[:2], 1))]
    h_0, repaired, h = Model(
        decoder.inputs,
        [decoder.get_layer(x).output for x in ("h_0", "combine_act4", "h")],
    )([np.float32(x) for x in inputs])
    np.testing.assert_allclose(h, h_0 + repaired, atol=1e-6)
    assert np.abs(repaired).max() > 1e-4


def test_uplink_reaches_the_decoder_alone():
    model = registry.build("dualnet_mag", SHAPE, 40)
    csi = np.random.default_rng(0).random((2, *SHAPE)).astype(np.float32)
    (uplink,) = side_inputs("dualnet_mag", csi)
    assert len(model.encoder.inputs) == 1
    other = whole(model, csi, uplink + 0.3)
    assert not np.allclose(whole(model, csi, uplink), other)


@pytest.mark.parametrize(
    ("args", "word"),
    [
        ({"core": "ring"}, "core is 'ring'"),
        ({"convs": 3}, "convs is 3"),
        ({"phase": "sine"}, "phase is 'sine'"),
        ({"combine": "angle"}, "combine is 'angle'"),
        ({"magnitude_dim": 64}, "magnitude_dim is 64"),
    ],
)
def test_refused_options(args, word):
    with pytest.raises(ValueError, match=word):
        registry.build("dualnet_mp", SHAPE, 64, args)


@pytest.fixture(scope="module")
def first(data_dir, tiny_config, tmp_path_factory):
    """Stage 1, the magnitudes, on the tiny FDD pairs."""
    splits.open_builder(FDD["dataset"], str(data_dir))
    return session.train(tiny_config(tmp_path_factory.mktemp("fdd") / "mag", **MAG))


@pytest.fixture(scope="module")
def second(first, tiny_config, tmp_path_factory):
    """Stage 2, the phases, behind the frozen magnitudes."""
    path = tmp_path_factory.mktemp("fdd") / "mp"
    return session.train(tiny_config(path, **MP, weights=str(first.path)))


def test_error_of_exact_phases_is_that_of_the_magnitudes(first):
    row, h, h_hat = evaluation.evaluate(first)
    size = [np.linalg.norm(x, axis=-1) for x in (h, h_hat)]
    error = ((size[0] - size[1]) ** 2).sum((1, 2)) / (size[0] ** 2).sum((1, 2))
    assert row["nmse_db"] == pytest.approx(10 * np.log10(error.mean()), abs=0.01)
    assert row["uplink"] == "paired" and row["nmse_freq_db"] > row["nmse_db"]
    assert row["nmse_all_db"] > row["nmse_db"]


def test_nmse_over_all_subcarriers(first):
    """Eq. 16 from the responses of the drops themselves, not by Parseval."""
    row, h, h_hat = evaluation.evaluate(first)
    builder = splits.open_builder(FDD["dataset"], first.config().data_dir)
    scale = split_reader.read(builder, "test", 50, {"scale"})["scale"]
    paths = simulator.block_paths("indoor_dualnet", DATASET_SEED, 2, 0)
    truth = simulator.beam_subcarriers(paths, 1024, 1024)[:50] * scale[:, None, None]
    estimate = transforms.delay_to_frequency(accuracy.to_complex(h_hat), 1024, last=16)
    assert row["nmse_all_db"] == pytest.approx(
        accuracy.nmse_db(truth, estimate), abs=1e-3
    )


def test_second_stage_keeps_the_magnitudes(first, second):
    before, after = first.load(), second.load()
    for part in ("encoder", "decoder"):
        theirs = {x.name: x.weights for x in getattr(before, part).layers}
        for layer in getattr(after, part).layers:
            if layer.name.startswith("magnitude"):
                for ours, value in zip(layer.weights, theirs[layer.name], strict=True):
                    np.testing.assert_array_equal(ours, value)
    losses = [record["loss"] for record in second.read_metrics()[1:]]
    assert losses[-1] < losses[0]


@pytest.mark.tflite
@pytest.mark.serving
def test_over_the_air(second, tmp_path):
    """encoder.tflite -> stream of three sections -> server that knows the uplink."""
    row, _, _ = evaluation.evaluate(second)
    assert row["feedback_bits"] == 32 * 6 + 64 * 8 + 256 and row["quantizer"] == "polar"
    codec = exporter.export(second, tmp_path / "export")
    assert codec["sections"] == [[32, 6], [64, 8], [256, 1]] and codec["uplink"]
    samples = tmp_path / "samples.npz"
    test = splits.load_split(second.config(), "test")
    np.savez(samples, h=test.h, uplink=test.uplink)
    encoder = UeEncoder(tmp_path / "export" / "encoder.tflite")
    uplink = csi_source.load_samples(samples, key="uplink")[..., 0]
    with steps.server(tmp_path / "export" / "decoder") as running:
        with Decoder(running.endpoint, "csi_decoder", 30) as decoder:
            report = client.measure(encoder, decoder, test.h, 10, uplink=uplink)
            broken = uplink[:2].copy()
            broken[1, 0, 0] = np.nan
            payload = encoder.encode_bits(test.h[0])
            frames = [framing.frame(payload, encoder.model_id)] * 2
            h_hat, valid = decoder.decode(frames, broken)
            with pytest.raises(ValueError, match="INVALID_ARGUMENT"):
                decoder.decode(frames)
        # A UE that reports on, to the model that its frames name.
        route = {"name": "csi_decoder", "uplink": True}
        routes = {"csi_shape": codec["csi_shape"]}
        routes["models"] = {codec["model_id"]: route}
        link = Link(lambda: Router(running.endpoint, routes, 30))
        source = open_source(samples, encoder.codec["uplink"])
        ue = UeDaemon(encoder, source, link, Schedule(0.01))
        ue.run(threading.Event(), 20, lambda: None)
        link.close()
    assert ue.counts["valid"] >= 1 and ue.last_error == ""
    assert report["payload_bits_per_csi"] == row["feedback_bits"]
    assert report["nmse_db"] == pytest.approx(row["nmse_db"], abs=0.05)
    assert valid.tolist() == [True, False] and np.isnan(h_hat[1]).all()
    with pytest.raises(ValueError, match=r"expected \.npz with h and uplink"):
        np.save(tmp_path / "h.npy", test.h)
        csi_source.load_samples(tmp_path / "h.npy", key="uplink")


@pytest.mark.parametrize(("codeword_dim", "share"), [(384, 0.25), (320, 0.125)])
def test_bits_per_phase_entry(codeword_dim, share):
    """K CR + R_s, 1.25 and 0.625, in packed bytes."""
    layer = make_quantizer("polar", 8, {"sign_share": share})
    layer.build((None, codeword_dim + 1024))
    layer.magnitudes.scale.assign(1.0)
    codeword = np.zeros((1, codeword_dim + 1024), np.float32)
    indices = np.asarray(layer.indices(codeword))
    payload = bitstream.pack_sections(indices, layer.sections)
    magnitudes = bitstream.payload_size(*layer.sections[0])
    bits = 8 * (payload.shape[1] - magnitudes)
    assert bits / 1024 == {384: 1.25, 320: 0.625}[codeword_dim]


def test_refusals_of_the_commands(first, tiny_config, tmp_path, data_dir):
    row = evaluation.evaluate(first, uplink="shuffled")[0]
    assert row["uplink"] == "shuffled"
    with pytest.raises(ValueError, match="choose a data set that has csi_uplink"):
        other = {**MAG, "dataset": "cost2100_sim/indoor_tiny"}
        session.train(tiny_config(tmp_path / "a", **other))
    with pytest.raises(ValueError, match="uplinks are not streamed"):
        stream = {**MAG, "dataset": FDD["dataset"] + ":stream"}
        session.train(tiny_config(tmp_path / "b", **stream))
    with pytest.raises(ValueError, match="no branch of the magnitudes"):
        other = {**FDD, "model": "crnet", "train_part": "phase"}
        session.train(tiny_config(tmp_path / "c", **other, weights=str(first.path)))
    flags = ["--model=crnet", "--train_part=phase"]
    assert_one_line_error(run_command("zoo.train", *flags), "give --weights")
