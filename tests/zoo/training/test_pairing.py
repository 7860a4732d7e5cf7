"""A side trained apart meets the other: rows, codecs, exports, refusals."""

from __future__ import annotations

import dataclasses
import json
import shutil

import numpy as np
import pytest
import tensorflow as tf

from tests.conftest import assert_one_line_error, run_command
from tests.support.pairs import nmse_db, pair
from zoo import files, registry
from zoo.data import exchange, splits
from zoo.exporting import exporter, hand_over
from zoo.run_directory import RunDirectory
from zoo.training import evaluation, pairing, session


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
