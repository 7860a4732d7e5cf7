"""TransNet and Attention-CsiNet start near the KLT line."""

from __future__ import annotations

import numpy as np
import pytest

from tests.zoo.starts.test_klt_start import CODEWORD_DIM, SHAPE, _nmse_db, csi, pca_db  # noqa: F401
from zoo import registry
from zoo.keras_compat import keras
from zoo.models.transnet import build_transnet
from zoo.starts import by_name


@pytest.mark.parametrize(
    ("name", "behind"), [("transnet", 0.6), ("attention_csinet", 4.0)]
)
def test_start_is_near_the_klt_line(name, behind, csi, pca_db):  # noqa: F811
    keras.utils.set_random_seed(0)
    model = registry.build(name, SHAPE, CODEWORD_DIM)
    assert _nmse_db(model.autoencoder, csi[1_500:]) > 0
    by_name.fit(registry.get(name), model, csi[:1_500])
    assert _nmse_db(model.autoencoder, csi[1_500:]) < pca_db + behind


def test_a_normalisation_is_linear_beside_its_carrier(csi):  # noqa: F811
    """It takes the mean away, which the two values that were given up then hold."""
    keras.utils.set_random_seed(0)
    model = build_transnet(SHAPE, CODEWORD_DIM, layers=1)
    by_name.fit(registry.get("transnet"), model, csi[:1_500])
    n_t, n_a, _ = SHAPE
    h = (csi[1_500:] - np.float32(0.5)).astype(float)
    tokens = h.transpose(0, 3, 1, 2).reshape(len(h), n_t, 2 * n_a)
    x = tokens.reshape(-1, 2 * n_a)
    stack = model.encoder.get_layer("transformer")
    seen = stack(np.float32(tokens + 0.5)).numpy().reshape(x.shape)
    weakest = np.argsort(np.mean(x**2, axis=0))[:2]
    carrier = np.zeros(2 * n_a)
    carrier[weakest] = np.sqrt(n_a) * np.array([1, -1])
    linear = x - x.mean(-1, keepdims=True) + carrier
    signal = np.mean((linear - carrier) ** 2)
    assert np.mean((seen - linear) ** 2) < 5e-3 * signal
