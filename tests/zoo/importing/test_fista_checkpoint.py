"""FISTA-Net's public TensorFlow checkpoints: import, evaluation, export, server."""

from __future__ import annotations

import numpy as np
import pytest

from serving.codec import framing
from serving.codec.ue_encoder import UeEncoder
from serving.models import model_config
from serving.models.model_manager import ModelManager
from tests.conftest import SHARED, TINY
from tests.support import public_fista
from tests.support.serving_harness import MODEL, local_server, outputs, predict
from zoo import convert_weights, registry
from zoo.data import splits
from zoo.exporting import exporter
from zoo.importing.network import import_network
from zoo.quantization.precisions import EncoderOptions
from zoo.run_directory import RunDirectory
from zoo.training import evaluation

M, PHASES = 8, 2
PUBLISHED = SHARED / "published"


@pytest.fixture(scope="module")
def values():
    return public_fista.tensors(M, PHASES)


@pytest.fixture(scope="module")
def prefix(values, tmp_path_factory):
    return public_fista.save(tmp_path_factory.mktemp("fista"), values)


@pytest.fixture(scope="module")
def imported(prefix):
    return import_network("fista_net", [prefix])


def test_against_numpy(imported, values):
    csi = np.random.default_rng(1).random((3, 32, 32, 2), "f4")
    codeword, csi_hat = public_fista.forward(values, csi, PHASES)
    ours = imported.network.encoder(csi)
    np.testing.assert_allclose(ours, codeword, atol=1e-5)
    atol = 1e-5 * np.abs(csi_hat).max()
    np.testing.assert_allclose(imported.network.decoder(ours), csi_hat, atol=atol)
    other = registry.build("fista_net", (32, 32, 2), M, {"phases": PHASES})
    other.autoencoder.set_weights(imported.network.autoencoder.get_weights())
    wrong = np.abs(other.autoencoder(csi) - csi_hat).max()
    assert wrong > 0.1 * np.abs(csi_hat - 0.5).max()  # the order of numbers matters


def test_what_is_imported(imported, prefix):
    assert imported.model_args == {"order": "public", "phases": PHASES, "channels": 16}
    assert imported.codeword_dim == M and len(imported.entries) == 1 + 16 * PHASES
    names = {name.rsplit("/", 1)[-1] for name in imported.ignored}
    biases = {f"biases_{i}" for i in (0, 1, 11, 2, 22, 3)}
    assert names == {"Adam", "beta1_power", "is_training", *biases}
    suffixes = [path.name.removeprefix(prefix.name) for path in imported.paths]
    assert suffixes == [".index", ".data-00000-of-00001"]


@pytest.mark.parametrize("source", ["folder", ".index", ".data-00000-of-00001"])
def test_other_names_of_the_source(imported, prefix, source):
    path = (
        prefix.parent if source == "folder" else prefix.with_name(prefix.name + source)
    )
    again = import_network("fista_net", [path])
    assert again.paths == imported.paths and again.codeword_dim == M


def test_what_is_refused(prefix, values, tmp_path):
    with pytest.raises(ValueError, match="matched by name; got 2 and --match=name"):
        import_network("fista_net", [prefix, prefix])
    with pytest.raises(ValueError, match="got 1 and --match=order"):
        import_network("fista_net", [prefix], match="order")
    less = {k: v for k, v in values.items() if k != "conv_1/FullyConnected/b"}
    with pytest.raises(ValueError, match="lacks conv_1/FullyConnected/b and has noth"):
        import_network("fista_net", [public_fista.save(tmp_path / "less", less)])
    more = values | {"conv_1/Weights_4": np.ones(3, "f4")}
    with pytest.raises(ValueError, match="lacks nothing and has conv_1/Weights_4"):
        import_network("fista_net", [public_fista.save(tmp_path / "more", more)])
    flat = values | {"W": np.ones(3, "f4")}
    with pytest.raises(ValueError, match="W is float32 .*expects"):
        import_network("fista_net", [public_fista.save(tmp_path / "flat", flat)])


def served(run: RunDirectory, out, h: np.ndarray) -> np.ndarray:
    """CSI of zero-centred CSI through the exported UE encoder and a server."""
    options = EncoderOptions(precisions=("fp32",), calibration_samples=10)
    exporter.export(run, out, options=options)
    encoder = UeEncoder(out / "encoder.tflite")
    manager = ModelManager()
    manager.apply(model_config.single(MODEL, out / "decoder"))
    with local_server(manager) as server:
        payloads = [encoder.encode_bits(sample) for sample in h]
        frames = [framing.frame(payload, encoder.model_id) for payload in payloads]
        answer = server.prediction.Predict(predict(feedback_bytes=frames))
    manager.close()
    return outputs(answer)["h"]


def fitted_run(imported, out, data_dir, dataset: str, bits: int) -> RunDirectory:
    data = {"dataset": dataset, "data_dir": str(data_dir)}
    convert_weights.write_fitted(imported, out, {}, "uniform", bits, **data)
    return RunDirectory(out)


def test_from_checkpoint_to_server(imported, values, data_dir, tmp_path):
    """What the server answers is the public network's, of the dequantised codeword."""
    run = fitted_run(imported, tmp_path / "run", data_dir, TINY["dataset"], 16)
    assert run.origin == "published_checkpoint"
    assert run.config().run_dir == str(run.path)
    row, h, h_hat = evaluation.evaluate(run)
    _, csi_hat = public_fista.forward(values, h + np.float32(0.5), PHASES)
    scale = np.abs(csi_hat - 0.5).max()
    np.testing.assert_allclose(h_hat, csi_hat - 0.5, atol=2e-3 * scale)
    assert row["origin"] == "published_checkpoint" and row["feedback_bits"] == 16 * M
    answer = served(run, tmp_path / "out", h[:4])
    np.testing.assert_allclose(answer, h_hat[:4], atol=2e-3 * scale)


@pytest.mark.slow
@pytest.mark.skipif(not PUBLISHED.is_dir(), reason="published weights are not here")
@pytest.mark.parametrize(("name", "nmse_db"), [("16", -17.51), ("64", -8.54)])
def test_published_weights(name, nmse_db, tmp_path):
    """About what is published, from the file to the server's answer."""
    imported = import_network("fista_net", [PUBLISHED / f"fista_net_indoor_{name}"])
    data = {"dataset": "cost2100_sim/indoor_tiny", "data_dir": str(tmp_path / "data")}
    splits.open_builder(data["dataset"], data["data_dir"])
    run = fitted_run(imported, tmp_path / "run", data["data_dir"], data["dataset"], 12)
    row, h, h_hat = evaluation.evaluate(run)
    assert row["nmse_float_db"] == pytest.approx(nmse_db, abs=2.0)  # 100 other drops
    assert row["nmse_db"] == pytest.approx(row["nmse_float_db"], abs=0.1)
    answer = served(run, tmp_path / "out", h[:4])
    assert np.abs(answer - h_hat[:4]).max() < 1e-3
