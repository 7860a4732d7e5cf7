"""The commands as functions, and codecs: what they give, refuse, and agree on."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import zoo
from tests.conftest import TINY
from tfds_builders import transforms
from zoo import files
from zoo.data import splits
from zoo.metrics import accuracy

pytestmark = pytest.mark.tflite


@pytest.fixture(scope="module")
def exported(tiny_run, tmp_path_factory):
    out = tmp_path_factory.mktemp("api") / "export"
    return zoo.export(tiny_run, out, precision=["fp32"]), out


@pytest.fixture(scope="module")
def codec(tiny_run):
    return zoo.load(tiny_run.path)


@pytest.fixture(scope="module")
def h(tiny_run):
    return splits.load_split(tiny_run.config(), "test").h[:20]


@pytest.fixture(scope="module")
def float_run(data_dir, tmp_path_factory):
    changes = {"quantizer": "none", "bits": 0, "epochs": 1, "model_args": {}}
    places = {"data_dir": data_dir, "run_dir": tmp_path_factory.mktemp("r") / "float"}
    return zoo.train(**{**TINY, **changes, **places})


def test_run_and_export_send_the_same_bits(codec, exported, h):
    frames, others = codec.encode(h), exported[0].encode(h)
    assert np.mean([a == b for a, b in zip(frames, others, strict=True)]) > 0.9
    ours, valid = codec.decode(others)
    theirs, _ = exported[0].decode(others)
    assert valid.all() and np.abs(ours - theirs).max() < 1e-5
    assert exported[0].feedback_bits == codec.feedback_bits == 32 * 6
    assert zoo.load(exported[1]).about == exported[0].about


def test_a_codec_reaches_what_the_evaluation_says(codec, tiny_run, tmp_path):
    row = zoo.evaluate(tiny_run, json=tmp_path / "row.json")
    assert files.read_json(tmp_path / "row.json")["nmse_db"] == row["nmse_db"]
    h = splits.load_split(tiny_run.config(), "test").h
    nmse_db = accuracy.nmse_db(h, codec.reconstruct(h))
    assert nmse_db == pytest.approx(row["nmse_db"], abs=1e-4)


def test_damaged_frames_do_no_harm(codec, h):
    frames = codec.encode(h[:3])
    frames[1] = frames[1][:-1] + bytes([frames[1][-1] ^ 1])
    h_hat, valid = codec.decode(frames)
    assert valid.tolist() == [True, False, True]
    assert np.isnan(h_hat[1]).all() and np.isfinite(h_hat[[0, 2]]).all()


def test_the_kind_that_came_in_is_given_back(codec, h):
    as_complex = accuracy.to_complex(h)
    assert codec.encode(as_complex) == codec.encode(h)
    out = codec.reconstruct(as_complex)
    assert out.dtype == np.complex64 and out.shape == h.shape[:-1]
    np.testing.assert_array_equal(out, accuracy.to_complex(codec.reconstruct(h)))
    assert codec.codeword(h).shape == (20, codec.codeword_dim)
    assert codec.csi_shape == (32, 32, 2) and "192 bits" in repr(codec)


def test_channels_of_any_power_are_scaled(codec, h):
    channel = 1e-6 * accuracy.to_complex(h)
    wanted = channel * transforms.per_sample_scale(channel)[:, None, None]
    np.testing.assert_allclose(codec.scaled(channel), wanted, rtol=1e-5)


def test_channels_whose_scaling_nobody_knows(codec, h, monkeypatch):
    rule = {"dataset": "x/y", "constant": None, "scale": None, "says": "unknown: z"}
    monkeypatch.setitem(codec.about, "normalisation", rule)
    with pytest.raises(ValueError, match="trained on x/y, scaling: unknown: z"):
        codec.scaled(h)
    monkeypatch.setitem(codec.about, "normalisation", rule | {"constant": 3.0})
    np.testing.assert_array_equal(codec.scaled(h), np.float32(3) * h)


@pytest.mark.parametrize(
    "spoil, words",
    [
        (lambda h: h[0], r"shape \[32, 32, 2\]: expected complex \[n, 32, 32\]"),
        (lambda h: h[:0], r"shape \[0, 32, 32, 2\]"),
        (lambda h: h.astype(int), "dtype int64"),
        (lambda h: h * np.nan, "NaN or Inf"),
    ],
)
def test_what_is_no_csi(codec, h, spoil, words):
    with pytest.raises(ValueError, match=words):
        codec.encode(spoil(h))


def test_an_uplink_that_is_not_taken(codec, h):
    with pytest.raises(ValueError, match="takes no uplink"):
        codec.decode(codec.encode(h[:1]), np.zeros((1, 32, 32)))


def test_without_quantiser(float_run, h, tmp_path):
    codec = zoo.load(float_run)
    assert codec.feedback_bits is None and "no bits" in repr(codec)
    assert codec.reconstruct(h).shape == h.shape
    for call in (lambda: codec.encode(h), lambda: codec.decode([b""])):
        with pytest.raises(ValueError, match="fits a quantiser"):
            call()
    fitted = zoo.export(float_run, tmp_path / "out", quantizer="uniform", bits=8)
    assert fitted.decode(fitted.encode(h))[1].all()
    assert fitted.feedback_bits == 32 * 8
    with pytest.raises(ValueError, match="give --quantizer=uniform with it"):
        zoo.export(float_run, tmp_path / "no", bits=8)


def test_what_cannot_be_trained_or_found(tmp_path):
    with pytest.raises(ValueError, match="no flag 'epoch', did you mean epochs"):
        zoo.train(epoch=3)
    with pytest.raises(ValueError, match="did you mean crnet"):
        zoo.train(model="crnett")
    with pytest.raises(ValueError, match="--flagfile"):
        zoo.train("crnett", epochs=3)
    with pytest.raises(FileNotFoundError, match="there are .*crnet_indoor_16"):
        zoo.load("nothing")


def test_what_cannot_be_compared(tmp_path):
    data = "cost2100_sim/indoor_tiny"
    for models, words in (
        (["crnett"], "did you mean crnet"),
        ([], "--models is empty"),
    ):
        with pytest.raises(ValueError, match=words):
            zoo.compare(models, data, epochs=1, directory=tmp_path)
    with pytest.raises(ValueError, match="expected one of the two"):
        zoo.compare(["crnet"], data, directory=tmp_path)
    with pytest.raises(ValueError, match="unknown dataset 'cost21'"):
        zoo.compare(["crnet"], "cost21/indoor", epochs=1, directory=tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_resumed_training_is_the_same_run(float_run):
    settings = float_run.config()
    flags = dataclasses.asdict(settings)
    again = zoo.train(**flags)
    assert again == float_run and len(again.read_metrics()) == settings.epochs
