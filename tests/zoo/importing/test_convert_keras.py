"""Keras 2 weights of CsiNet and CS-CsiNet into the zoo, parity, the run directory."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import scipy.io

from tests.conftest import SHARED, TINY, run_command
from tests.support.published_files import assert_same_weights, randomise, save_keras2
from tests.tfds_builders.test_cost2100 import ROWS, write_scenario
from zoo import convert_weights, files, registry
from zoo.config import ExperimentConfig
from zoo.data import splits
from zoo.importing import parity, tensor_matching
from zoo.importing.network import import_network
from zoo.metrics import accuracy
from zoo.run_directory import RunDirectory
from zoo.training import evaluation

PUBLISHED = SHARED / "csinet_indoor_m32.h5"
RECORDED = SHARED / "csinet_indoor_m32_io.npz"


@pytest.fixture(scope="module")
def csinet(tmp_path_factory):
    """CsiNet of the channels-last kind and its weights file."""
    network = registry.build("csinet", codeword_dim=8)
    randomise(network)
    path = tmp_path_factory.mktemp("h5") / "csinet.h5"
    save_keras2(path, network.parts, first=False)
    return network, path


def reference(path, network, first: bool, **changes) -> Path:
    """Inputs and outputs of a network as a reference file."""
    csi = np.random.default_rng(1).uniform(0.4, 0.6, (3, 32, 32, 2)).astype("f4")
    codeword = np.asarray(network.encoder(csi))
    arrays = {"inputs": csi, "outputs": np.asarray(network.decoder(codeword))}
    if first:
        arrays = {key: value.transpose(0, 3, 1, 2) for key, value in arrays.items()}
    np.savez(path, **(arrays | {"codeword": codeword} | changes))
    return path


@pytest.mark.golden
@pytest.mark.skipif(not PUBLISHED.is_file(), reason=f"{PUBLISHED} is not here")
def test_published_csinet_reproduces_its_recorded_outputs(tmp_path):
    out = tmp_path / "run"
    done = run_command(
        "zoo.convert_weights", "--model=csinet", f"--source={PUBLISHED}",
        f"--out={out}", f"--reference={RECORDED}",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert "48 tensors" in done.stdout and "'bn': 'delay'" in done.stdout
    assert "examples 16, outputs" in done.stdout
    source = json.loads((out / "source.json").read_text())
    assert source["origin"] == "published_checkpoint"
    sha256 = files.sha256(PUBLISHED)
    assert source["files"] == [{"name": PUBLISHED.name, "sha256": sha256}]
    assert source["licence"] == "none stated"
    settings = RunDirectory(out).config()
    assert (settings.model, settings.codeword_dim) == ("csinet", 32)
    assert settings.dataset == "cost2100/indoor"
    network = RunDirectory(out).load()
    with np.load(RECORDED) as recorded:
        csi = recorded["input"].transpose(0, 2, 3, 1)
        csi_hat = recorded["output"].transpose(0, 2, 3, 1)
    ours = network.autoencoder(csi, training=False)
    assert csi_hat.std() > 0.01
    np.testing.assert_allclose(ours, csi_hat, rtol=0, atol=1e-5)


def test_channels_last_csinet(csinet):
    network, path = csinet
    imported = import_network("csinet", [path])
    assert imported.model_args == {"bn": "channel"} and imported.codeword_dim == 8
    assert_same_weights(imported.network, network)
    with pytest.raises(ValueError, match=r"gamma is float32 \(2,\).*\(32,\)"):
        import_network("csinet", [path], {"bn": "delay"})
    last = imported.entries[-1]
    with pytest.raises(ValueError, match=f"has nothing for {last.place[0]}"):
        tensor_matching.assign(network, imported.entries[:-1])
    with pytest.raises(ValueError, match="the network has no decoder/output_conv for"):
        tensor_matching.assign(network, [*imported.entries, last])


@pytest.mark.parametrize("suffix", [".npy", ".mat"])
def test_cs_csinet(tmp_path, suffix):
    network = registry.build("cs_csinet", codeword_dim=4, model_args={"bn": "delay"})
    randomise(network)
    path, matrix = tmp_path / "cs.h5", tmp_path / f"A4{suffix}"
    save_keras2(path, {"decoder": network.decoder}, first=True)
    a = np.random.default_rng(3).uniform(-0.5, 0.5, (4, 2048))
    np.save(matrix, a) if suffix == ".npy" else scipy.io.savemat(matrix, {"A": a})
    imported = import_network("cs_csinet", [path], matrix=matrix)
    assert imported.paths == [path, matrix]
    csi = np.random.default_rng(4).random((2, 2, 32, 32))
    codeword = imported.network.encoder(csi.transpose(0, 2, 3, 1).astype("f4"))
    np.testing.assert_allclose(codeword, csi.reshape(2, 2048) @ a.T, atol=1e-4)
    z = np.random.default_rng(5).normal(size=(2, 4)).astype("f4")
    np.testing.assert_array_equal(imported.network.decoder(z), network.decoder(z))


def test_matrices_that_do_not_fit(csinet, tmp_path):
    path = tmp_path / "a"
    for name, value, text in (
        ("a.npy", np.zeros((3, 2048)), r"matrix/kernel is float64 \(2048, 3\)"),
        ("flat.npy", np.zeros(2048), "holds no matrix"),
        ("pickled.npy", np.array([print], object), "expected a .npy file"),
        ("b.mat", b"no matrix", "variable A"),
        ("missing.mat", None, "missing.mat: no such file"),
    ):
        path = tmp_path / name
        if isinstance(value, bytes):
            path.write_bytes(value)
        elif value is not None:
            np.save(path, value)
        with pytest.raises((ValueError, FileNotFoundError), match=text):
            _import_with(csinet, path)


def _import_with(csinet, matrix: Path):
    """CS-CsiNet from CsiNet's decoder and a matrix."""
    network, _ = csinet
    path = matrix.with_suffix(".h5")
    save_keras2(path, {"decoder": network.decoder}, first=False)
    return import_network("cs_csinet", [path], matrix=matrix)


def test_damaged_h5(csinet, tmp_path):
    path = tmp_path / "cut.h5"
    path.write_bytes(csinet[1].read_bytes()[:9000])
    with pytest.raises(
        ValueError, match="not an HDF5 file|not a weights file of Keras 2"
    ):
        import_network("csinet", [path])
    csinet[0].autoencoder.save_weights(tmp_path / "keras3.weights.h5")
    with pytest.raises(ValueError, match="weights of Keras 3, expected"):
        import_network("csinet", [tmp_path / "keras3.weights.h5"])
    save_keras2(path, {"decoder": csinet[0].decoder}, first=False)
    with pytest.raises(ValueError, match="40 tensors, the network 48"):
        import_network("csinet", [path])
    with pytest.raises(FileNotFoundError, match="no.h5: no such file"):
        import_network("csinet", [tmp_path / "no.h5"])


@pytest.mark.parametrize("first", [False, True])
def test_parity(csinet, tmp_path, first):
    network, _ = csinet
    good = reference(tmp_path / "good.npz", network, first)
    checked = parity.check(network, good, 1e-5)
    assert checked["examples"] == 3 and set(checked) == {
        "examples",
        "codeword",
        "outputs",
    }
    codeword = np.load(good)["codeword"]
    for name, changed in (("bad", codeword * 1.001), ("nan", codeword * np.nan)):
        bad = reference(tmp_path / f"{name}.npz", network, first, codeword=changed)
        with pytest.raises(ValueError, match="expected at most 1e-05"):
            parity.check(network, bad, 1e-5)
    bad = reference(tmp_path / "m.npz", network, first, codeword=codeword[:, 1:])
    with pytest.raises(ValueError, match=r"codeword has shape \(3, 7\)"):
        parity.check(network, bad, 1e-5)


def test_references_that_are_none(csinet, tmp_path):
    path = tmp_path / "x.npz"
    with pytest.raises(FileNotFoundError, match="--reference=.*no such file"):
        parity.parity(csinet[0], path)
    np.savez(path, inputs=np.zeros((2, 2, 16, 16)), outputs=np.zeros((2, 2, 16, 16)))
    with pytest.raises(ValueError, match="needs inputs"):
        parity.parity(csinet[0], path)
    np.savez(path, inputs=np.zeros((2, 2, 32, 32)))
    with pytest.raises(ValueError, match="needs outputs"):
        parity.parity(csinet[0], path)
    path.write_bytes(b"PK")
    with pytest.raises(ValueError, match="no whole .npy or .npz"):
        parity.parity(csinet[0], path)


def test_evaluation_takes_the_run(csinet, data_dir, tmp_path):
    network, path = csinet
    imported = import_network("csinet", [path])
    run = RunDirectory(tmp_path / "run")
    place = {"dataset": TINY["dataset"], "data_dir": str(data_dir)}
    source = convert_weights.write_run(imported, run.path, {}, **place)
    assert "not checked" in convert_weights.report(imported, source)
    assert_same_weights(run.load(), network)
    row, h, h_hat = evaluation.evaluate(run)
    assert (row["model"], row["codeword_dim"]) == ("csinet", 8)
    assert row["train_data"].startswith("unknown: weights of others")
    assert row["epochs"] == 0 and row["weights_sha256"] == files.sha256(run.weights)
    np.testing.assert_allclose(network.autoencoder(h + 0.5) - 0.5, h_hat, atol=1e-5)


def test_evaluation_needs_the_test_files_alone(csinet, tmp_path):
    network, path = csinet
    folder = write_scenario(tmp_path / "files", "in", "v7")
    for name in ("train", "val"):
        (folder / f"DATA_H{name}in.mat").unlink()
    place = {"dataset": "cost2100/indoor_test", "data_dir": str(tmp_path / "data")}
    run = RunDirectory(tmp_path / "run")
    imported = import_network("csinet", [path])
    convert_weights.write_run(imported, run.path, {}, **place, manual_dir=str(folder))
    row, h, h_hat = evaluation.evaluate(run)
    np.testing.assert_allclose(network.autoencoder(h + 0.5) - 0.5, h_hat, atol=1e-5)
    assert row["nmse_pca_db"] is row["klt_data"] is None
    assert row["nmse_freq_db"] == pytest.approx(row["nmse_db"], abs=1)  # 4 CSI


@pytest.mark.parametrize("scale", [1e-5, 80.0])
def test_errors_on_subcarriers_are_those_of_the_taps(tmp_path, monkeypatch, scale):
    monkeypatch.setitem(ROWS, "test", 300)
    folder = write_scenario(tmp_path / "files", "in", "v7")
    path = folder / "DATA_HtestFin_all.mat"
    scipy.io.savemat(path, {"HF_all": scale * scipy.io.loadmat(path)["HF_all"]})
    place = {"data_dir": str(tmp_path / "data"), "manual_dir": str(folder)}
    settings = ExperimentConfig(dataset="cost2100/indoor_test", **place)
    test = splits.load_split(settings, "test")
    error = np.random.default_rng(0).normal(scale=0.02, size=test.h.shape)
    found = test.kept_subcarriers(test.h + error.astype("f4"))["nmse_freq_db"]
    assert found == pytest.approx(accuracy.nmse_db(test.h, test.h + error), abs=0.1)
