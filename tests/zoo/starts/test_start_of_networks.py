"""`--init=klt` for every network that says it can be started so."""

from __future__ import annotations

import numpy as np
import pytest

from tests.zoo.starts.test_klt_start import CODEWORD_DIM, SHAPE, _nmse_db, csi, pca_db  # noqa: F401
from zoo import registry
from zoo.keras_compat import keras
from zoo.metrics import accuracy, klt_line
from zoo.starts import by_name, klt_start
from zoo.training import session

# How far from the KLT line [dB]. One-bit weights, random ones, LeakyReLUs that bend the
# signal and one matrix for all delays cannot come near; test_klt_start has klt_exact.
BEHIND = {
    "acrnet": 5.0,
    "bcsinet": 5.0,
    "cl_acrnet": 9.5,
    "cl_crnet": 9.5,
    "cl_csinet": 9.5,
    "cllwcsinet": 9.5,
    "clnet": 0.5,
    "crnet": 0.5,
    "csinet": 4.0,
    "cs_csinet": 4.5,
    "csinet_plus": 1.5,
    "ds_nlcsinet": 3.5,
}


def test_every_network_is_in_one_list():
    fitted = {
        name for name, spec in registry.MODELS.items() if spec.fitted_start == "linear"
    }
    assert fitted == set(BEHIND)


@pytest.mark.parametrize("name", BEHIND)
def test_start_is_better_than_none(name, csi, pca_db):  # noqa: F811
    keras.utils.set_random_seed(0)
    model = registry.build(name, SHAPE, CODEWORD_DIM)
    before = _nmse_db(model.autoencoder, csi[1_500:])
    klt_start.initialise(model, csi[:1_500])
    start = _nmse_db(model.autoencoder, csi[1_500:])
    assert start < min(pca_db + BEHIND[name], -0.5) and start < before - 0.5


@pytest.mark.parametrize(
    "name",
    ["csinet_plus_sm", pytest.param("csinet_plus_pm", marks=pytest.mark.slow)],
)
def test_all_rates_start_near_their_klt_lines(name, csi):  # noqa: F811
    model = registry.build(name, SHAPE, 64)
    by_name.fit(registry.get(name), model, csi[:1_500])
    h = csi - np.float32(0.5)
    outputs = model.joint(csi[1_500:], training=False)
    for dim, csi_hat in zip((128, 64, 32, 16), outputs, strict=True):
        line = klt_line.nmse_db(h[:1_500], h[1_500:], dim)
        assert accuracy.nmse_db(h[1_500:], np.asarray(csi_hat) - 0.5) < line + 2.5
    np.testing.assert_array_equal(model.autoencoder(csi[1_500:]), outputs[1])


@pytest.mark.parametrize("name", ["cllwcsinet", "cl_csinet"])
def test_a_convolutional_codeword_is_no_constant(name, csi):  # noqa: F811
    """Of its power; a LeakyReLU behind zero mean leaves a seventh."""
    keras.utils.set_random_seed(0)
    model = registry.build(name, SHAPE, CODEWORD_DIM)
    klt_start.initialise(model, csi[:1_500])
    codeword = model.encoder(csi[1_500:]).numpy()
    assert np.sum(codeword.mean(0) ** 2) < 0.3 * np.mean(np.sum(codeword**2, 1))


def test_networks_that_no_signal_passes_are_refused(tiny_config, tmp_path):
    settings = tiny_config(tmp_path / "run", model="bacrnet", init="klt")
    with pytest.raises(ValueError, match="--model=bacrnet: no signal passes"):
        session.train(settings)


def test_one_bit_decoder_is_refused():
    model = registry.build("bacrnet", SHAPE, CODEWORD_DIM)
    csi = np.full((200, *SHAPE), 0.5, np.float32)  # noqa: F811
    with pytest.raises(ValueError, match="one bit per weight"):
        klt_start.initialise(model, csi)
