"""Unfolded networks against closed forms and a NumPy solver."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tests.support.network_checks import assert_gradients, randomise
from tfds_builders import transforms
from tfds_builders.cost2100_sim import simulator
from zoo import registry
from zoo.baselines import sparse
from zoo.baselines.iteration import Stop
from zoo.keras_compat import Model, keras
from zoo.layers.regularisers import CnnRegulariser, SparseCoder, soft_threshold
from zoo.metrics import accuracy, complexity, klt_line
from zoo.models.ista_net import build_ista_net
from zoo.models.lora import build_lora
from zoo.models.unfolding import SENSING
from zoo.starts import by_name
from zoo.starts.unfolded import klt_kernel

SHAPE, M = (8, 8, 2), 16
N = 128
SMALL = {
    "fista_net": {"phases": 3, "channels": 4},
    "ista_net": {"blocks": 3},
    "ista_net_cnn": {"phases": 2, "channels": 4},
    "lora": {"hidden": 24},
    "tilista_joint": {"blocks": 3, "code": 140},
}


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def _alpha(model, block: int, name: str = "alpha"):
    return getattr(model.decoder.get_layer(f"block{block}"), name)


def _between(model, block: int, v):
    """Output of a block, `[batch, N]`."""
    layer = model.decoder.get_layer(f"block{block}")
    return np.asarray(Model(model.decoder.input, layer.output)(v))


def _matrix(model) -> np.ndarray:
    """A `[M, N]`."""
    return np.asarray(model.encoder.get_layer(SENSING).kernel).T


def test_encoder_is_linear_in_zero_centred_csi(rng):
    model = build_lora(SHAPE, M)
    csi = rng.random((3, *SHAPE)).astype(np.float32)
    expected = (csi.reshape(3, N) - 0.5) @ _matrix(model).T
    np.testing.assert_allclose(model.encoder(csi), expected, atol=1e-5)
    zero = np.full((1, *SHAPE), 0.5, np.float32)
    np.testing.assert_allclose(model.autoencoder(zero), zero, atol=1e-7)


def test_first_block_is_the_scaled_adjoint(rng):
    """With x_0 = 0 and no biases the regulariser adds nothing."""
    model = build_lora(SHAPE, M, hidden=24)
    _alpha(model, 1).assign(0.37)
    v = rng.standard_normal((4, M)).astype(np.float32)
    expected = np.float32(0.37) * v @ _matrix(model)
    np.testing.assert_allclose(_between(model, 1, v), expected, atol=1e-6)


@pytest.mark.parametrize("regulariser", ["mlp", "cnn"])
def test_lora_is_its_recursion(regulariser, rng):
    model = build_lora(SHAPE, M, blocks=3, hidden=24, regulariser=regulariser)
    randomise(model.autoencoder, rng, scale=0.1)
    a = _matrix(model)
    g = model.decoder.get_layer("block1").regulariser
    v = rng.standard_normal((4, M)).astype(np.float32)
    x = np.zeros((4, N), np.float32)
    for t in (1, 2, 3):
        x = x - float(_alpha(model, t)) * ((x @ a.T - v) @ a + np.asarray(g(x)))
    got = np.asarray(model.decoder(v)).reshape(4, N) - 0.5
    np.testing.assert_allclose(got, x, atol=2e-5)


def test_without_regulariser_lora_descends_to_least_squares(rng):
    """x_T = (I - (I - alpha A^T A)^T) pinv(A) v, the path of gradient descent."""
    blocks, alpha = 6, 0.3
    model = build_lora(SHAPE, M, blocks=blocks, hidden=4)
    randomise(model.autoencoder, rng, scale=0.07)
    model.decoder.get_layer("block1").regulariser.outer.assign(np.zeros((4, N)))
    for t in range(1, blocks + 1):
        _alpha(model, t).assign(alpha)
    a, v = _matrix(model), rng.standard_normal((4, M)).astype(np.float32)
    left, singular, right = np.linalg.svd(a, full_matrices=False)
    gain = (1 - (1 - alpha * singular**2) ** blocks) / singular
    expected = (v @ left * gain) @ right
    got = np.asarray(model.decoder(v)).reshape(4, N) - 0.5
    np.testing.assert_allclose(got, expected, atol=1e-4)


@pytest.mark.parametrize("regulariser", ["mlp", "cnn"])
def test_a_small_second_matrix_starts_lora_at_its_projection(regulariser, rng):
    """Untrained: with a hundredth of Glorot's the estimate is A^T A x and g is nothing,
    with all of it the estimate is worse by each block."""
    csi = (0.5 + 0.05 * rng.standard_normal((50, *SHAPE))).astype(np.float32)
    kinds = {"regulariser": regulariser, "hidden": 256}
    for start, worse in ((0.01, False), (1.0, True)):
        keras.utils.set_random_seed(0)
        errors = []
        for blocks in (1, 4, 7):
            model = build_lora(SHAPE, M, blocks=blocks, start=start, **kinds)
            outer = np.asarray(model.decoder.get_layer("block1").regulariser.outer)
            fans = [np.prod(outer.shape[:-2]) * outer.shape[i] for i in (-2, -1)]
            bound = start * np.sqrt(6 / sum(fans))
            assert 0.95 * bound < np.abs(outer).max() <= bound * 1.0001
            h_hat = np.asarray(model.autoencoder(csi)) - np.float32(0.5)
            errors.append(accuracy.nmse_db(csi - np.float32(0.5), h_hat))
        projection = 10 * np.log10(1 - M / N)
        assert errors[0] == pytest.approx(projection, abs=0.1)
        if worse and regulariser == "mlp":
            assert errors[0] + 0.5 < errors[1] < errors[2]
        elif not worse:
            np.testing.assert_allclose(errors, projection, atol=0.12)


@pytest.mark.parametrize("regulariser", ["mlp", "cnn"])
def test_a_start_of_zero_is_the_projection(regulariser):
    model = build_lora(SHAPE, M, regulariser=regulariser, start=0)
    assert not model.decoder.get_layer("block1").regulariser.outer.numpy().any()


def test_a_start_below_zero_is_refused():
    with pytest.raises(ValueError, match="start is -1, expected 0 or more"):
        build_lora(SHAPE, M, start=-1)


def test_cnn_regulariser_is_two_convolutions(rng):
    layer = CnnRegulariser(SHAPE, hidden=5)
    layer.build((None, N))
    x = rng.standard_normal((2, N)).astype(np.float32)
    reference = keras.Sequential(
        [
            keras.Input(SHAPE),
            keras.layers.Conv2D(5, 3, padding="same", use_bias=False),
            keras.layers.ReLU(),
            keras.layers.Conv2D(2, 3, padding="same", use_bias=False),
        ]
    )
    reference.set_weights([layer.inner, layer.outer])
    expected = np.asarray(reference(x.reshape(2, *SHAPE))).reshape(2, N)
    np.testing.assert_allclose(layer(x), expected, atol=1e-5)
    assert layer.macs() == complexity.count_macs(reference)


def test_soft_threshold_is_the_proximal_map(rng):
    x, theta = rng.standard_normal(500), 0.6
    grid = np.linspace(-4, 4, 80_001)
    objective = 0.5 * (grid[:, None] - x[:40]) ** 2 + theta * np.abs(grid[:, None])
    best = grid[objective.argmin(axis=0)]
    np.testing.assert_allclose(soft_threshold(x, theta)[:40], best, atol=1e-4)
    np.testing.assert_array_equal(soft_threshold(x, 0.0), x)


def test_ista_net_runs_into_the_lasso_solution(rng):
    """Equal steps and thresholds: many blocks end where a reference solver does."""
    blocks, weight = 400, 0.3
    model = build_ista_net(SHAPE, M, blocks=blocks)
    a = rng.standard_normal((M, N)).astype(np.float32) / 4
    model.encoder.get_layer(SENSING).kernel.assign(a.T)
    v = (a @ (rng.standard_normal((N, 1)) * (rng.random((N, 1)) < 0.05))).T
    v = v.astype(np.float32)
    alpha = sparse.step_size(a)
    theta = alpha * weight * np.abs(v @ a).max()
    for t in range(1, blocks + 1):
        _alpha(model, t).assign(alpha)
        _alpha(model, t, "theta").assign(theta)
    got = np.asarray(model.decoder(v)).reshape(1, N) - 0.5
    solved = sparse.lasso(
        a.astype(float), v.astype(float), weight, Stop(1e-10, 20_000), accelerated=True
    )
    np.testing.assert_allclose(got, solved.x, atol=2e-3)
    lam, x = theta / alpha, got[0].astype(float)
    gradient = (x @ a.T - v[0]) @ a  # the fixed point's optimality condition
    np.testing.assert_array_less(np.abs(gradient), lam * 1.02)
    active = np.abs(x) > 1e-3
    np.testing.assert_allclose(
        gradient[active], -lam * np.sign(x[active]), atol=0.02 * lam
    )


def test_sparse_coder_starts_as_the_identity(rng):
    coder = SparseCoder(150)
    x = rng.standard_normal((3, N)).astype(np.float32)
    np.testing.assert_allclose(coder(x, theta=0.0), x, atol=1e-5)
    e, d = np.asarray(coder.analysis), np.asarray(coder.synthesis)
    code = x @ e
    shrunk = np.sign(code) * np.maximum(np.abs(code) - 0.4, 0)
    np.testing.assert_allclose(coder(x, theta=0.4), shrunk @ d, atol=1e-5)


@pytest.mark.parametrize("name", SMALL)
def test_gradients_reach_every_weight(name, rng):
    model = registry.build(name, SHAPE, M, SMALL[name])
    randomise(model.autoencoder, rng, scale=0.1)
    for weight in model.autoencoder.weights:
        if weight.path.endswith("theta"):
            weight.assign(1e-3)  # lets something through
    csi = rng.random((6, *SHAPE)).astype(np.float32)

    def loss():
        return tf.reduce_mean((model.autoencoder(csi, training=True) - csi) ** 2)

    ends = ("tau",) if name == "fista_net" else ()  # the first phase has no x yet
    assert_gradients(loss, model.autoencoder.trainable_weights, constant=ends)


@pytest.mark.parametrize("name", SMALL)
def test_matrix_is_one_variable(name):
    model = registry.build(name, SHAPE, M, SMALL[name])
    matrices = [w for w in model.autoencoder.weights if tuple(w.shape) == (N, M)]
    assert len(matrices) == (2 if name == "tilista_joint" else 1)
    counts = complexity.summary(model)
    total = complexity.count_params(model.autoencoder)
    assert counts["ue_params"] + counts["bs_params"] == total
    assert counts["bs_bytes_fp32"] >= 4 * N * M  # the BS holds its copy


@pytest.fixture(scope="module")
def indoor() -> np.ndarray:
    """3,000 indoor drops cropped to 8 angles and delays, in [0, 1]."""
    h = simulator.simulate("indoor", 3_000, seed=78)[:, :8, :8]
    return transforms.to_unit_range(h, transforms.per_sample_scale(h))


def test_klt_kernel_is_the_klt(indoor):
    h = indoor - np.float32(0.5)
    kernel = klt_kernel(indoor, M)
    np.testing.assert_allclose(kernel.T @ kernel, np.eye(M), atol=1e-5)
    x = h.reshape(len(h), N)
    expected = klt_line.reconstruct(h, klt_line.fit(h, M)).reshape(len(h), N)
    np.testing.assert_allclose(x @ kernel @ kernel.T, expected, atol=1e-5)


@pytest.mark.parametrize("order", ["csi", "public"])
def test_order_of_the_numbers(order, rng):
    """What a block's convolutions see, and back; A x is the same in both orders."""
    args = {**SMALL["fista_net"], "order": order}
    phase = registry.build("fista_net", SHAPE, M, args).decoder.get_layer("phase1")
    csi = rng.standard_normal((2, *SHAPE)).astype(np.float32)
    v = csi.reshape(2, N) @ np.asarray(phase.sensing.kernel)
    image = np.asarray(phase.gradient_step(csi.reshape(2, N), v, 1.0))
    public = csi.transpose(0, 3, 1, 2).reshape(csi.shape)
    np.testing.assert_allclose(image, public if order == "public" else csi, atol=1e-5)
    np.testing.assert_array_equal(phase.flat(image), image_to_csi(image, order))
    with pytest.raises(
        ValueError, match="order is 'rows', expected one of csi, public"
    ):
        registry.build("fista_net", SHAPE, M, {"order": "rows"})


def image_to_csi(image: np.ndarray, order: str) -> np.ndarray:
    parts = image.reshape(2, 2, 8, 8).transpose(0, 2, 3, 1)
    return (parts if order == "public" else image).reshape(2, N)


@pytest.mark.parametrize(
    ("name", "more"),
    [*((name, {}) for name in SMALL), ("fista_net", {"order": "public"})],
)
def test_fitted_start_is_at_the_klt_line(name, more, indoor):
    spec = registry.get(name)
    model = registry.build(name, SHAPE, M, SMALL[name] | more)
    by_name.fit(spec, model, indoor[:2_500])
    csi = indoor[2_500:]
    h, h_hat = csi - 0.5, np.asarray(model.autoencoder(csi)) - 0.5
    reached = accuracy.nmse_db(h, h_hat)
    line = klt_line.nmse_db(indoor[:2_500] - np.float32(0.5), h.astype(np.float32), M)
    if name == "ista_net_cnn":  # a random measurement knows less than the KLT's
        assert line + 1 < reached < -0.5
    else:
        assert abs(reached - line) < 0.1
