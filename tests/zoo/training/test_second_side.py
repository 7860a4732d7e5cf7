"""One side trained from files of the other: what is learned, and from what."""

from __future__ import annotations

import dataclasses
import shutil

import numpy as np
import pytest
import tensorflow as tf

from tests.conftest import TINY, assert_one_line_error, run_command
from tests.support.pairs import nmse_db, pair
from zoo import files, registry
from zoo.codeword.network import build_autoencoder
from zoo.config import ExperimentConfig
from zoo.data import exchange, splits
from zoo.exporting import hand_over
from zoo.keras_compat import keras
from zoo.starts import second_side as second_start
from zoo.training import evaluation, second_side, session


def test_the_file_is_what_the_pair_sends(tiny_run, handed):
    """The decoder makes of the file's codewords what the whole network makes."""
    found = exchange.read(str(handed))
    config = tiny_run.config()
    csi = splits.load_split(config, "validation").csi
    np.testing.assert_array_equal(found.csi["validation"], csi)
    assert [len(x) for x in found.csi.values()] == [160, 50]
    model = tiny_run.load(csi.shape[1:])
    ours = model.receive(found.codeword["validation"])
    np.testing.assert_allclose(ours, model.autoencoder(csi, training=False), atol=1e-5)
    row = evaluation.evaluate(tiny_run)[0]
    assert found.header["performance"]["value"] == pytest.approx(row["nmse_db"])
    assert found.header["settings"]["bits"] == TINY["bits"]


def _initial(run):
    keras.utils.set_random_seed(run.config().seed)
    return build_autoencoder(run.config(), run.csi_shape())


def _changed(before, after) -> list[bool]:
    pairs = zip(before.variables, after.variables, strict=True)
    return [not np.array_equal(a, b) for a, b in pairs]


def test_the_network_side_trains_no_encoder(trained):
    run = trained["ue_first"]
    before, after = _initial(run), run.load_side()
    assert not any(_changed(before.encoder, after.encoder))
    assert any(_changed(before.decoder, after.decoder))


def test_the_error_of_a_decoder_is_that_of_the_files_codewords(trained, handed):
    run, found = trained["ue_first"], exchange.read(str(handed))
    csi_hat = run.load_side().decoder.predict(found.codeword["validation"], verbose=0)
    expected = nmse_db(csi_hat - 0.5, found.csi["validation"] - 0.5)
    best = min(record["val_nmse_db"] for record in run.read_metrics())
    assert best == pytest.approx(expected, abs=1e-3)


def test_an_encoder_is_pulled_to_the_points_of_the_file(settings, handed, tmp_path):
    """Loss and gradients, the nominal decoder's apart from the encoder's."""
    config = settings(tmp_path / "x", collaboration="nw_first", model="csinet")
    strategy = tf.distribute.get_strategy()
    trainer = second_side.EncoderTrainer(config, strategy, (32, 32, 2), 8)
    csi, codeword = (x[:20] for x in exchange.examples(config, "train"))
    start = tf.constant(0, tf.int64)
    with tf.GradientTape() as tape:
        losses = trainer._losses(csi, codeword, draw=start)
    encoder, decoder = trainer.model.encoder, trainer.model.decoder
    gradients = tape.gradient(losses, encoder.trainable_variables)
    with tf.GradientTape() as tape:
        said = encoder(csi, training=True)
        mismatch = tf.reduce_mean((said - codeword) ** 2, axis=1)
    alone = tape.gradient(mismatch, encoder.trainable_variables)
    for ours, expected in zip(gradients, alone, strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-3, atol=1e-6)
    csi_hat = decoder(codeword, training=True)
    nominal = np.mean((csi_hat - csi) ** 2, axis=(1, 2, 3))
    np.testing.assert_allclose(losses, mismatch + nominal, rtol=1e-3)


@pytest.mark.slow
def test_eigenvectors_apart(eigen_config, tmp_path):
    """Loss and target follow the side that has the decoder, and the file."""
    common = {"num_train": 100, "num_validation": 20, "epochs": 1, "batch_size": 20}
    common |= {"cpu_step": "native", "warmup_epochs": 0.1, "image_every": 0}
    own = {"target": "eigenvectors", "loss": "sgcs", "codeword_dim": 8, "bits": 2}
    first = session.train(
        dataclasses.replace(
            eigen_config, run_dir=str(tmp_path / "first"), model="csinet",
            quantizer="uniform", **common, **own,
        )
    )  # fmt: skip
    header = hand_over.hand_over(first, tmp_path / "x.npz")
    assert header["payload_id"] == "8x2" and header["performance"]["metric"] == "sgcs"
    told = {"exchange": str(tmp_path / "x.npz"), "model": "csinet"}
    for kind in ("nw_first", "ue_first"):
        run = session.train(
            ExperimentConfig(
                run_dir=str(tmp_path / kind), collaboration=kind, **told, **common
            )
        )
        assert run.config().target == "eigenvectors" and run.config().loss == "csi"
        row = evaluation.evaluate(pair(run, first))[0]
        assert 0 < row["sgcs"] < 1 and row["sent"] == "eigenvectors"
        assert (row["nmse_db"] is None) == (kind == "nw_first")


@pytest.mark.slow
def test_the_same_encoder_agrees_with_itself(settings, tiny_run, tmp_path):
    """A UE that begins with the network's own encoder and moves by nothing."""
    still = {"lr": 1e-12, "lr_min": 0.0, "epochs": 1, "bn_statistics": "moving"}
    start = {"weights": str(tiny_run.path), "collaboration": "nw_first"}
    run = session.train(settings(tmp_path / "x", **still, **start))
    row = evaluation.evaluate(pair(run, tiny_run))[0]
    assert row["index_agreement"] > 0.85  # the moving averages alone have moved
    goal = row["performance_target"]["value"]
    assert row["nmse_db"] == pytest.approx(goal, abs=0.3)


@pytest.mark.parametrize("kind", ["nw_first", "ue_first"])
def test_starts_are_least_squares(settings, handed, tmp_path, kind):
    """A fitted start does what regressions on the pairs do."""
    found = exchange.read(str(handed))
    csi, codeword = found.csi["train"], found.codeword["train"]
    h = (csi - 0.5).reshape(160, -1)
    config = settings(tmp_path / "x", collaboration=kind, init="klt", model="csinet")
    network = build_autoencoder(config, (32, 32, 2))
    spec = registry.get("csinet")
    second_start.fit(spec, network, csi, codeword, encoder=kind == "nw_first")
    said = network.encoder.predict(csi, verbose=0)
    if kind == "nw_first":  # 2,048 features of 160 examples: nearly exact
        assert np.mean((said - codeword) ** 2) < 0.02 * np.var(codeword)
    else:
        assert np.mean((said - codeword) ** 2) > 0.5 * np.var(codeword)
    x = np.c_[codeword, np.ones(160)]
    linear = x @ np.linalg.lstsq(x, h, rcond=None)[0]
    start = network.decoder.predict(codeword, verbose=0) - 0.5
    best_db = nmse_db(linear.reshape(csi.shape), csi - 0.5)
    assert nmse_db(start, csi - 0.5) == pytest.approx(best_db, abs=0.5)


def test_points_of_another_quantiser(handed, settings, tmp_path):
    arrays = dict(np.load(handed))
    arrays["points"] = arrays["points"] * np.float32(0.9)
    np.savez(tmp_path / "x.npz", **arrays)
    config = settings(tmp_path / "run", collaboration="ue_first")
    config = dataclasses.replace(config, exchange=str(tmp_path / "x.npz"))
    with pytest.raises(ValueError, match=r"expected those of --quantizer=uniform"):
        session.train(config)
    assert not (tmp_path / "run").exists()


def test_a_run_goes_on_with_a_file_that_was_moved(trained, handed, tmp_path):
    run, moved = trained["nw_first"], shutil.copy(handed, tmp_path / "moved.npz")
    config = dataclasses.replace(run.config(), exchange=str(moved))
    assert session.train(config).path == run.path  # complete: nothing to do


def test_a_resumed_run_refuses_another_file(trained, handed, tmp_path):
    run = trained["ue_first"]
    config = run.config()
    arrays = dict(np.load(handed))
    arrays["train_csi"] = arrays["train_csi"][::-1].copy()
    whole = handed.read_bytes()
    try:
        np.savez(handed, **arrays)
        with pytest.raises(ValueError, match="was trained on .* now there is"):
            session.train(config)
    finally:
        handed.write_bytes(whole)
    assert session.train(config).path == run.path  # complete: nothing to do


@pytest.mark.slow
def test_both_ways_in_processes_of_their_own(data_dir, tmp_path):
    """The second side in a folder without the first one's run, or its data set."""
    common = {"num_train": 160, "num_validation": 50, "epochs": 1, "batch_size": 20}
    common |= {"warmup_epochs": 0.5, "image_every": 0, "cpu_step": "native"}
    flags = [f"--{k}={v}" for k, v in common.items()]
    first = tmp_path / "first"
    data = [f"--data_dir={data_dir}", "--num_test=50"]
    pair = [f"--dataset={TINY['dataset']}", "--codeword_dim=32", *data]
    pair += ["--quantizer=uniform", "--bits=2", f"--run_dir={first}"]
    commands = [("zoo.train", *flags, *pair)]
    file = tmp_path / "handed" / "x.npz"
    commands.append(("zoo.export", f"--run={first}", f"--exchange={file}"))
    for kind in ("nw_first", "ue_first"):
        run = tmp_path / kind
        own = [f"--exchange={file}", f"--collaboration={kind}", f"--run_dir={run}"]
        nothing = f"--data_dir={tmp_path / 'nothing'}"
        commands.append(("zoo.train", "--model=csinet", *flags, *own, nothing))
        commands.append(("zoo.evaluate", f"--run={run}", f"--partner={first}"))
    for module, *args in commands:
        if module == "zoo.evaluate" and first.with_name("away").exists():
            first.with_name("away").rename(first)
        elif module == "zoo.train" and file.exists():
            first.rename(first.with_name("away"))
        done = run_command(module, *args)
        assert done.returncode == 0, f"{module} {args}\n{done.stderr[-2000:]}"
    row = files.read_json(tmp_path / "nw_first" / "evaluation.json")
    assert row["encoder"]["model"] == "csinet" and row["feedback_bits"] == 64
    done = run_command("zoo.evaluate", f"--run={tmp_path / 'nw_first'}")
    assert_one_line_error(done, "--partner=DIR")
    done = run_command("zoo.export", f"--run={first}", f"--exchange={file}", "--out=x")
    assert_one_line_error(done, "--out has no effect with --exchange")
    file.write_bytes(file.read_bytes()[:1000])
    done = run_command("zoo.train", f"--exchange={file}", "--collaboration=nw_first")
    assert_one_line_error(done, "x.npz")
