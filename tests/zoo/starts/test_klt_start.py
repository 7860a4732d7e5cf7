"""Initial weights from data: closed forms, the start near the KLT line, training."""

from __future__ import annotations

import numpy as np
import pytest

from tfds_builders import transforms
from tfds_builders.cost2100_sim import simulator
from zoo import registry
from zoo.codeword.network import build_autoencoder
from zoo.config import ExperimentConfig
from zoo.metrics import accuracy
from zoo.starts import klt_start
from zoo.training import session

SHAPE = (16, 16, 2)
CODEWORD_DIM = 64
NETWORKS = ("crnet", "csinet", "clnet", "acrnet")


@pytest.fixture(scope="module")
def csi() -> np.ndarray:
    """2,000 indoor drops cropped to 16 angles and delays, in [0, 1]."""
    h = simulator.simulate("indoor", 2_000, seed=77)[:, :16, :16]
    return transforms.to_unit_range(h, transforms.per_sample_scale(h))


@pytest.fixture(scope="module")
def pca_db(csi) -> float:
    """NMSE of the real PCA of the first 1,500 drops on the others."""
    h = csi.reshape(len(csi), -1) - 0.5
    train_h, test_h = h[:1_500], h[1_500:]
    mean = train_h.mean(0)
    _, _, rows = np.linalg.svd(train_h - mean, full_matrices=False)
    basis = rows[:CODEWORD_DIM]
    h_hat = (test_h - mean) @ basis.T @ basis + mean
    return 10 * np.log10(np.mean(np.sum((test_h - h_hat) ** 2, 1) / _energy(test_h)))


def _energy(h):
    return np.sum(h**2, axis=1)


def _nmse_db(network, csi, training=False) -> float:
    csi_hat = np.asarray(network(csi, training=training))
    return accuracy.nmse_db(csi - 0.5, csi_hat - 0.5)


def test_reduced_rank_regression_of_itself_is_pca():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((500, 12)) @ rng.standard_normal((12, 12))
    kernel, bias = klt_start.reduced_rank_regression(x, x, 5)
    _, _, rows = np.linalg.svd(x - x.mean(0), full_matrices=False)
    span, expected = np.linalg.qr(kernel)[0], rows[:5].T
    np.testing.assert_allclose(span @ span.T, expected @ expected.T, atol=1e-3)
    outputs = x @ kernel + bias
    np.testing.assert_allclose(outputs.mean(0), 0, atol=1e-9)
    assert np.mean(outputs.var(0)) == pytest.approx(1, rel=1e-3)


def test_reduced_rank_regression_finds_the_informative_direction():
    """Of a strong useless feature and a weak useful one it keeps the useful one."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2_000, 2)) * [10, 1]
    kernel, _ = klt_start.reduced_rank_regression(x, x[:, 1:] * [3.0], 1)
    assert abs(kernel[0, 0]) < 1e-3 * abs(kernel[1, 0])


def test_ridge_regression_recovers_an_affine_map():
    rng = np.random.default_rng(0)
    x, kernel, bias = rng.normal(2, 3, (400, 6)), rng.random((6, 4)), rng.random(4)
    found = klt_start.ridge_regression(x, x @ kernel + bias)
    np.testing.assert_allclose(found[0], kernel, atol=1e-4)
    np.testing.assert_allclose(found[1], bias, atol=1e-3)


@pytest.mark.parametrize("name", NETWORKS)
def test_untrained_network_is_near_the_klt_line(name, csi, pca_db):
    model = registry.build(name, SHAPE, CODEWORD_DIM, {})
    before = _nmse_db(model.autoencoder, csi[1_500:])
    klt_start.initialise(model, csi[:1_500], exact=True)
    start = _nmse_db(model.autoencoder, csi[1_500:])
    assert start < pca_db + 0.5 < before
    in_training = _nmse_db(model.autoencoder, csi[1_500:], training=True)
    assert in_training < start + 0.5  # batch norms hold the statistics of the data


def test_every_weight_still_learns(csi):
    """No fitted zero blocks the gradient of another weight."""
    import tensorflow as tf

    model = registry.build("crnet", SHAPE, CODEWORD_DIM, {})
    klt_start.initialise(model, csi[:500])
    with tf.GradientTape() as tape:
        csi_hat = model.autoencoder(csi[:50], training=True)
        loss = tf.reduce_mean(tf.square(csi_hat - csi[:50]))
    variables = model.autoencoder.trainable_variables
    for gradient, variable in zip(
        tape.gradient(loss, variables), variables, strict=True
    ):
        assert np.abs(gradient).max() > 0, variable.path


def test_start_with_a_quantiser(csi, pca_db):
    settings = ExperimentConfig(
        model="crnet", codeword_dim=CODEWORD_DIM, quantizer="uniform", bits=8
    )
    model = build_autoencoder(settings, SHAPE)
    klt_start.initialise(model, csi[:1_500])
    assert _nmse_db(model.autoencoder, csi[1_500:]) < pca_db + 1.5
    z = np.asarray(model.encoder(csi[:1_500]))
    assert np.abs(z.mean(0)).max() < 0.1
    assert 0.25 < z.std(0).mean() < 0.45


def test_it_is_repeatable(csi):
    results = []
    for _ in range(2):
        model = registry.build("csinet", SHAPE, 8, {})
        klt_start.initialise(model, csi[:300])
        results.append(np.asarray(model.autoencoder(csi[:5])))
    np.testing.assert_array_equal(*results)


def test_too_few_examples(csi):
    model = registry.build("csinet", SHAPE, CODEWORD_DIM, {})
    with pytest.raises(ValueError, match="63 training examples .* 64 codeword entries"):
        klt_start.initialise(model, csi[:63])


def test_training_begins_at_the_fitted_start(tiny_config, tmp_path, monkeypatch):
    changes = {"init": "klt", "epochs": 1, "quantizer": "none", "bits": 0}
    run = session.train(tiny_config(tmp_path / "run", **changes, lr=1e-9, lr_min=0))
    start, epoch = run.read_metrics()
    assert start["epoch"] == 0 and start["loss"] is None
    assert start["val_nmse_db"] < -0.5
    assert epoch["val_nmse_db"] == pytest.approx(start["val_nmse_db"], abs=0.5)

    def fitted_again(*args):
        raise AssertionError("initialised again")

    monkeypatch.setattr(klt_start, "initialise", fitted_again)
    session.train(tiny_config(tmp_path / "run", **changes, lr=1e-9, lr_min=0))
    assert [r["epoch"] for r in run.read_metrics()] == [0, 1]
