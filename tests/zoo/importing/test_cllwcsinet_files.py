"""CLLWCsiNet's public PyTorch files against an independent NumPy forward pass."""

from __future__ import annotations

import numpy as np
import pytest

from tests.conftest import SHARED
from tests.support import public_cllwcsinet, torch_files
from zoo import registry
from zoo.data import splits
from zoo.importing.network import import_network
from zoo.metrics import accuracy

PUBLISHED = SHARED / "published"


def write(path, state) -> list:
    """A checkpoint as the authors' notebooks save it."""
    weights = {
        key: torch_files.of_array(str(i), value)
        for i, (key, value) in enumerate(state.items())
    }
    optimiser = {"state": {}, "param_groups": [{"lr": 1e-3}]}
    other = {"optimizer_state_dict": optimiser, "lr_state_dict": {"last_epoch": 500}}
    torch_files.save_zip(path, {"epoch": 500, "model_state_dict": weights, **other})
    return [path]


@pytest.mark.parametrize("k", [4, 8, 16])
@pytest.mark.parametrize("noise_free", [True, False])
def test_against_numpy(k, noise_free, tmp_path):
    state = public_cllwcsinet.state_dict(k, noise_free)
    imported = import_network("cllwcsinet", write(tmp_path / "net.pth", state))
    trained = "text" if k == 16 else "code"
    branch = "none" if noise_free else trained
    assert imported.model_args == {"noise_branch": branch}
    assert imported.codeword_dim == 32 * k
    csi = np.random.default_rng(1).random((2, 32, 32, 2), "f4")
    how = "none" if noise_free else "trained"
    codeword, csi_hat = public_cllwcsinet.forward(state, k, csi, how)
    ours = np.asarray(imported.network.encoder(csi))
    np.testing.assert_allclose(
        ours.reshape(2, 32, k).transpose(0, 2, 1), codeword, atol=1e-5
    )
    assert csi_hat.std() > 0.01
    np.testing.assert_allclose(imported.network.decoder(ours), csi_hat, atol=1e-5)
    left = {name.split(".")[0] for name in imported.ignored if "tracked" not in name}
    noise = {"remove_AGN"} if noise_free else set()
    assert left == {"epoch", "optimizer_state_dict", "lr_state_dict"} | noise


def test_the_branch_that_is_asked_for(tmp_path):
    """The user's word is above what the tensors show; then G is used as it is."""
    state = public_cllwcsinet.state_dict(4, noise_free=True)
    paths = write(tmp_path / "net.pth", state)
    imported = import_network("cllwcsinet", paths, {"noise_branch": "code"})
    csi = np.random.default_rng(1).random((1, 32, 32, 2), "f4")
    _, csi_hat = public_cllwcsinet.forward(state, 4, csi, "trained")
    np.testing.assert_allclose(imported.network.autoencoder(csi), csi_hat, atol=1e-5)


def test_noise_branches():
    def layers(branch, codeword_dim=128):
        args = {"noise_branch": branch}
        network = registry.build("cllwcsinet", (32, 32, 2), codeword_dim, args)
        return {layer.name for layer in network.decoder.layers if "noise" in layer.name}

    assert layers("text") - layers("code") == {"noise2_lrelu"}
    assert layers("text", 512) - layers("code", 512) == {"noise_last_lrelu"}
    assert not layers("none")
    with pytest.raises(ValueError, match="noise_branch is 'paper', expected one of"):
        layers("paper")
    with pytest.raises(ValueError, match="there is no G for that noise"):
        args = {"noise_branch": "none", "bypass_snr_db": 10.0}
        registry.build("cllwcsinet", (32, 32, 2), 128, args)


@pytest.mark.slow
@pytest.mark.skipif(not PUBLISHED.is_dir(), reason="published weights are not here")
def test_published_weights(data_dir, tiny_config, tmp_path):
    """-8.62 dB are published; with the noise branch, which was never trained, -0.8."""
    test = splits.load_split(tiny_config(tmp_path), "test")
    path = PUBLISHED / "cllwcsinet_indoor_16.pth"

    def nmse_db(**args):
        network = import_network("cllwcsinet", [path], args).network
        csi_hat = network.autoencoder.predict(test.csi, verbose=0)
        return accuracy.nmse_db(test.h, csi_hat - np.float32(0.5))

    assert nmse_db() < -7.5
    assert nmse_db(noise_branch="code") > -2
