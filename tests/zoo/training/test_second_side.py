"""One side trained from files of the other: what is learned, and from what."""

from __future__ import annotations

import dataclasses
import json
import shutil

import numpy as np
import pytest
import tensorflow as tf

from tests.conftest import TINY, assert_one_line_error, run_command
from zoo import files, registry
from zoo.codeword.network import build_autoencoder
from zoo.config import ExperimentConfig
from zoo.data import exchange, splits
from zoo.exporting import exporter, hand_over
from zoo.keras_compat import keras
from zoo.run_directory import RunDirectory
from zoo.starts import second_side as second_start
from zoo.training import evaluation, pairing, second_side, session


@pytest.fixture(scope="module")
def handed(tiny_run, tmp_path_factory):
    """File of the tiny run."""
    path = tmp_path_factory.mktemp("exchange") / "x.npz"
    hand_over.hand_over(tiny_run, path)
    return path


@pytest.fixture(scope="module")
def settings(tiny_config, handed):
    """Function that makes the configuration of the second side."""

    def make(run_dir, **changes):
        whole = tiny_config(run_dir, exchange=str(handed), **changes)
        return exchange.filled(whole)

    return make


@pytest.fixture(scope="module")
def trained(settings, tmp_path_factory):
    """Second sides by who was first, with another backbone."""
    folder = tmp_path_factory.mktemp("second")
    short = {"model": "csinet", "num_train": 60, "epochs": 1, "image_every": 0}
    return {
        kind: session.train(settings(folder / kind, collaboration=kind, **short))
        for kind in ("nw_first", "ue_first")
    }


def pair(run, first) -> pairing.Pair:
    return pairing.Pair(run.path, first=first.path)


def nmse_db(h_hat, h) -> float:
    """Mean over samples, in float64."""
    error, power = (
        np.sum(np.square(x, dtype=float), axis=(1, 2, 3)) for x in (h_hat - h, h)
    )
    return 10 * np.log10(np.mean(error / power))


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


@pytest.mark.parametrize("kind", ["nw_first", "ue_first"])
def test_a_pair_is_evaluated_over_real_bits(trained, tiny_run, kind):
    run = trained[kind]
    row, h, h_hat = evaluation.evaluate(pair(run, tiny_run))
    sides = (run, tiny_run) if kind == "nw_first" else (tiny_run, run)
    ue, nw = (side.load_side() for side in sides)
    test = splits.load_split(tiny_run.config(), "test")
    sent = ue.quantizer(ue.encoder.predict(test.csi, verbose=0))
    expected = nw.decoder.predict(np.asarray(sent), verbose=0) - 0.5
    np.testing.assert_allclose(h_hat, expected, atol=1e-5)
    assert row["nmse_db"] == pytest.approx(nmse_db(expected, h), abs=1e-3)
    assert row["collaboration"] == kind and row["feedback_bits"] == 8 * 24
    names = [row[side]["model"] for side in ("encoder", "decoder")]
    assert names == (["csinet", "crnet"] if kind == "nw_first" else ["crnet", "csinet"])
    assert row["pairing_id"] == pairing.pairing_id(tiny_run)
    assert row["train_data"].endswith(f"of file {files.sha256(_file(run))[:16]}")
    if kind == "ue_first":
        assert row["index_agreement"] is None
        return
    theirs = nw.quantizer.indices(nw.encoder.predict(test.csi, verbose=0))
    same = np.mean(
        ue.quantizer.indices(ue.encoder.predict(test.csi, verbose=0)) == theirs
    )
    assert row["index_agreement"] == pytest.approx(same)


def _file(run):
    return run.config().exchange


@pytest.mark.parametrize("kind", ["nw_first", "ue_first"])
def test_a_codec_names_both_sides(trained, tiny_run, tmp_path, kind):
    """Its id changes with either side's weights; settings are the encoder's."""
    run = trained[kind]

    def codec_of(first):
        joined = pair(run, first)
        return exporter.make_codec(joined, joined.config(), joined.load())

    codec = codec_of(tiny_run)
    assert codec["model"] == ("csinet" if kind == "nw_first" else "crnet")
    assert codec["weights_sha256"] not in map(
        files.sha256, (run.weights, tiny_run.weights)
    )
    row = evaluation.evaluate(pair(run, tiny_run))[0]
    assert row["weights_sha256"] == codec["weights_sha256"]
    assert row["pair_train_data"] == tiny_run.trained_on()
    other = RunDirectory(shutil.copytree(tiny_run.path, tmp_path / "other"))
    model = other.load()
    model.decoder.variables[0].assign(model.decoder.variables[0] + 1)
    other.save_weights(model)
    _also_trained_for(run, other, tmp_path / "run")
    again = RunDirectory(tmp_path / "run")
    joined = pair(again, other)
    other_codec = exporter.make_codec(joined, joined.config(), joined.load())
    assert other_codec["model_id"] != codec["model_id"]
    assert other_codec["normalisation"]["constant"] == 2.0
    first = pair(again, tiny_run)
    assert first.label == pairing.pairing_id(tiny_run) and not pair(run, tiny_run).label
    assert first.scaling() == exchange.read(_file(run)).header["normalisation"]


def _also_trained_for(run, first, target) -> None:
    """Copy of a run whose record names another pair, of another scale, too."""
    shutil.copytree(run.path, target)
    told = files.read_json(run.data)
    other = told["exchange"][0] | {"pairing_id": pairing.pairing_id(first)}
    other["normalisation"] = other["normalisation"] | {"constant": 2.0}
    files.write_json(
        target / "data.json", told | {"exchange": [*told["exchange"], other]}
    )


def test_records_of_before(trained, tiny_run, tmp_path):
    """A pair without the number of its examples, or with runs of several losses."""
    run = RunDirectory(shutil.copytree(trained["nw_first"].path, tmp_path / "run"))
    told = files.read_json(run.data)
    del told["num_train"], told["exchange"][0]["train_data"]
    files.write_json(run.data, told)
    for record in (records := run.read_metrics()):
        record["val_sgcs"] = record.pop("val_nmse_db")  # as of --loss=sgcs
    run.metrics.write_text("".join(f"{json.dumps(x)}\n" for x in records))
    row = evaluation.evaluate(pair(run, tiny_run))[0]
    assert row["num_train"] is None and row["pair_train_data"] is None
    assert row["start_nmse_db"] is None and row["nmse_db"] is not None


def test_the_test_is_that_of_the_first(trained, tiny_run, tmp_path):
    first = RunDirectory(shutil.copytree(tiny_run.path, tmp_path / "first"))
    told = first.config().to_json() | {"test_split": "test_stretch"}
    files.write_json(first.path / "config.json", told)
    assert pair(trained["nw_first"], first).config().test_split == "test_stretch"


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


def test_pairs_that_do_not_belong_together(trained, tiny_run, tmp_path):
    run = trained["nw_first"]
    with pytest.raises(ValueError, match="one side alone: give --partner=DIR"):
        evaluation.evaluate(run)
    with pytest.raises(ValueError, match="trained with both of its sides"):
        evaluation.evaluate(pair(tiny_run, tiny_run))
    other = RunDirectory(tmp_path / "other")
    shutil.copytree(tiny_run.path, other.path)
    with other.weights.open("ab") as weights:
        weights.write(b"x")
    with pytest.raises(
        ValueError, match=r"other is pair .* was trained for [0-9a-f]+:"
    ):
        evaluation.evaluate(pair(run, other))
    with pytest.raises(ValueError, match="one side alone: expected both sides"):
        hand_over.hand_over(run, tmp_path / "x.npz")
    floats = dataclasses.replace(tiny_run.config(), quantizer="none", bits=0)
    with pytest.raises(ValueError, match="--quantizer=none, whose points are its own"):
        hand_over.check(tiny_run, floats)
    network = tmp_path / "my_net.py"
    network.write_text(
        "import dataclasses\nfrom zoo.models.csinet import SPEC\n"
        "SPEC = dataclasses.replace(SPEC, name='mine')\n"
    )
    own = dataclasses.replace(tiny_run.config(), model=f"{network}:SPEC")
    registry.admit(own.model)
    with pytest.raises(ValueError, match="SPEC, own code, which no --partner may name"):
        hand_over.check(tiny_run, own)


def test_what_is_handed_over_is_what_was_trained(tiny_run, tmp_path):
    command = "zoo.export", f"--run={tiny_run.path}", f"--exchange={tmp_path / 'x.npz'}"
    done = run_command(*command, "--quantizer=mu_law")
    assert_one_line_error(done, "--quantizer=mu_law:", "has its own")
    done = run_command(*command, "--frame_version=2")
    assert_one_line_error(done, "--frame_version has no effect with --exchange")


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
@pytest.mark.tflite
def test_a_pair_is_exported(trained, tiny_run, tmp_path):
    """Encoder of the UE, decoder of the network: each file verified by the export."""
    run, out = trained["nw_first"], tmp_path / "export"
    with pytest.raises(ValueError, match="one side alone: give --partner=DIR"):
        exporter.export(run, out)
    assert not out.exists()
    codec = exporter.export(pair(run, tiny_run), out)
    assert codec["model"] == "csinet" and codec["sections"] == [[32, 6]]
    served = tf.saved_model.load(str(out / "decoder" / "1"))
    found = exchange.read(run.config().exchange)
    decoded = served.signatures["decode_float"](tf.constant(found.codeword["train"]))
    ours = tiny_run.load().receive(found.codeword["train"])
    np.testing.assert_allclose(decoded["h"], ours - 0.5, atol=1e-5)


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


@pytest.mark.slow
def test_several_ues_of_one_network_side(settings, handed, tiny_run, tmp_path):
    """A decoder from the files of two UEs serves the encoders of both."""
    second = tmp_path / "y.npz"
    other = session.train(
        dataclasses.replace(
            tiny_run.config(), run_dir=str(tmp_path / "other"), seed=3, model="csinet"
        )
    )
    hand_over.hand_over(other, second)
    config = settings(tmp_path / "nw", collaboration="ue_first", epochs=1)
    config = dataclasses.replace(config, exchange=f"{handed},{second}", num_train=100)
    run = session.train(config)
    assert RunDirectory(run.path).trained_on().count("train[:100]") == 2
    command = "zoo.evaluate", f"--run={run.path}", f"--partner={other.path}"
    assert run_command(*command).returncode == 0
    row = files.read_json(run.path / f"evaluation_{pairing.pairing_id(other)}.json")
    assert row["encoder"]["model"] == "csinet"
    for ue in (tiny_run, other):
        row = evaluation.evaluate(pair(run, ue))[0]
        assert row["pairs_of_training"] == 2 and row["num_train"] == 200
        assert row["encoder"]["model"] == ue.config().model
