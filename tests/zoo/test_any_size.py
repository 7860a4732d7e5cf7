"""Other sizes than 32 x 32, from the data to the served matrix."""

from __future__ import annotations

import numpy as np
import pytest

from serving import golden
from tests.conftest import run_command
from tests.support import any_size
from tests.support.serving_harness import running_server
from zoo import files, registry
from zoo.exporting import exporter
from zoo.quantization.precisions import EncoderOptions
from zoo.reporting import network_list
from zoo.run_directory import RunDirectory
from zoo.training import evaluation, session

SIZES = [
    (64, 13),
    *(pytest.param(*s, marks=pytest.mark.slow) for s in ((64, 32), (16, 32), (32, 52))),
]


@pytest.mark.serving
@pytest.mark.parametrize("num_antennas, num_delays", SIZES)
def test_from_channels_to_the_served_matrix(
    tiny_config, tmp_path, num_antennas, num_delays
):
    shape = num_antennas, num_delays, 2
    data = {"dataset": any_size.add(tmp_path, num_antennas, num_delays)}
    data |= {"data_dir": str(tmp_path), "num_train": 0}
    data |= {"num_validation": 0, "num_test": 0}
    config = tiny_config(tmp_path / "run", **data, model="csinet", codeword_dim=12)
    run = session.train(config)
    assert run.csi_shape() == shape == run.load().encoder.input.shape[1:]
    row, h, h_hat = evaluation.evaluate(run)
    assert h_hat.shape[1:] == shape and row["csi_shape"] == list(shape)
    assert row["ratio"] == 12 / np.prod(shape)
    options = EncoderOptions(("fp32", "int8"))
    codec = exporter.export(run, tmp_path / "export", options=options)
    assert codec["csi_shape"] == list(shape)
    assert golden.main([f"--export={tmp_path / 'export'}"]) == 0
    _serve(tmp_path / "export", h, row["nmse_db"])


def _serve(export, h, nmse_db):
    """Client, conformance and deployment of an export."""
    samples = export.with_name("h.npz")
    np.savez(samples, h=h)
    with running_server(export / "decoder") as server:
        flags = [f"--encoder={export / 'encoder.tflite'}", f"--samples={samples}"]
        report = export.with_name("client.json")
        flags += [f"--json={report}", f"--endpoint={server.endpoint}"]
        sent = run_command("serving.client", *flags)
        flags = [f"--endpoint={server.endpoint}", f"--codec={export / 'codec.json'}"]
        done = run_command("serving.conformance", *flags)
    assert sent.returncode == 0, sent.stderr[-2000:]
    served = files.read_json(report)
    assert served["nmse_db"] == pytest.approx(nmse_db, abs=1e-3)
    assert done.returncode == 0, done.stdout[-2000:]
    out = export.with_name("deploy")
    done = run_command("serving.deployment", f"--export={export}", f"--out={out}")
    assert done.returncode == 0, done.stderr[-2000:]
    assert files.read_json(out / "routes.json")["csi_shape"] == list(h.shape[1:])


@pytest.mark.parametrize(
    "name", ["crnet", "clnet", "csinet", "cllwcsinet", "klt_residual"]
)
@pytest.mark.parametrize("shape", [(64, 32, 2), (16, 32, 2), (32, 52, 2), (64, 13, 2)])
def test_networks_are_built_at_any_size(name, shape):
    try:
        model = registry.build(name, shape, 64)
    except ValueError as error:  # one that has lengths of its own says which
        assert name == "cllwcsinet" and f"for csi_shape {shape}" in str(error)
        return
    assert model.decoder.output.shape[1:] == shape
    assert model.encoder.output.shape[1:] == (64,)


def test_the_transformer_says_which_sizes_it_takes():
    with pytest.raises(ValueError, match=r"csi_shape is \(33, 8, 2\).*even N_t"):
        registry.build("transnet", (33, 8, 2), 16)
    assert registry.build("transnet", (6, 5, 2), 4).decoder.output.shape[1:] == (
        6,
        5,
        2,
    )


def test_summary_counts_at_a_size():
    small = network_list.summary("csinet", 16, csi_shape=(16, 32, 2))
    large = network_list.summary("csinet", 16, csi_shape=(64, 13, 2))
    assert small["csi_shape"] == (16, 32, 2)
    assert (small["ue_macs"], large["ue_macs"]) == (
        16 * 32 * (9 * 2 * 2 + 2 * 16),
        64 * 13 * (9 * 2 * 2 + 2 * 16),
    )


def test_data_of_another_size_than_the_run_s_are_refused(tiny_run):
    with pytest.raises(ValueError, match="trained at CSI .*32, 32, 2.*the data have"):
        RunDirectory(tiny_run.path).load((16, 32, 2))
