"""Magnitude and phase of CSI, the ranking of entries, and the polar quantiser."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from serving.codec import bitstream
from tests.support.network_checks import run_tflite
from zoo.codeword.codeword_path import make_quantizer, sections
from zoo.keras_compat import Model, keras, layers
from zoo.layers import ranking
from zoo.layers.polar import FromPolar, Magnitude, Phase, phase_error, sine
from zoo.layers.ranking import Ranking

N, M_MAG, L = 64, 16, 8
ARGS = {"magnitude_dim": M_MAG, "num_signs": N}


def _csi(count: int = 3) -> np.ndarray:
    rng = np.random.default_rng(0)
    h = rng.standard_normal((count, 4, 6, 2)) * 0.1
    h[0, 0, 0] = 0  # no phase
    h[0, 0, 1] = (0.2, 0)  # |cos| = 1
    h[0, 0, 2] = (-0.2, 0)
    return (0.5 + h).astype(np.float32)


def test_polar_and_back():
    csi = _csi()
    h = csi - np.float32(0.5)
    magnitude, cosine, sign, angle = (
        layer(csi)
        for layer in (Magnitude(1.0), Phase("cosine"), Phase("sign"), Phase("angle"))
    )
    z = h[..., 0] + 1j * h[..., 1]
    np.testing.assert_allclose(magnitude[..., 0], np.abs(z), atol=1e-6)
    np.testing.assert_allclose(angle[..., 0], np.angle(z) / np.pi, atol=1e-6)
    for phase in ([cosine, sign], [angle]):
        np.testing.assert_allclose(FromPolar()([magnitude, *phase]), h, atol=1e-4)
    unsent = FromPolar()([magnitude, cosine, tf.zeros_like(sign)])
    np.testing.assert_allclose(unsent[..., 0], h[..., 0], atol=1e-6)
    assert not np.any(unsent[..., 1])
    with pytest.raises(ValueError, match="kind is 'sine'"):
        Phase("sine")


def test_sine_is_exact_and_has_a_finite_slope():
    cosine = tf.constant([-1.0, -1 + 1e-7, -0.5, 0.0, 0.6, 1 - 1e-7, 1.0])
    with tf.GradientTape() as tape:
        tape.watch(cosine)
        value = sine(cosine)
    exact = np.sqrt(1 - np.asarray(cosine, np.float64) ** 2)
    np.testing.assert_allclose(value, exact, atol=3e-4)
    assert value[0] == value[-1] == 0
    slope = tape.gradient(value, cosine).numpy()
    assert np.isfinite(slope).all() and np.abs(slope).max() < 3e3
    assert slope[4] == pytest.approx(-0.6 / 0.8, rel=1e-5)


def test_csi_error_is_the_error_of_the_parts():
    """Eq. 11 = eq. 13: with true signs the CSI's error is that of m cos and m sin."""
    rng = np.random.default_rng(1)
    m, m_hat = rng.random((2, 5, 4, 6, 1)).astype(np.float32)
    phi, phi_hat = rng.uniform(-np.pi, np.pi, (2, 5, 4, 6, 1)).astype(np.float32)
    sign = np.where(np.sin(phi) < 0, np.float32(-1), np.float32(1))
    h = m * np.concatenate([np.cos(phi), np.sin(phi)], -1)
    h_hat = FromPolar()([m_hat, np.cos(phi_hat), sign])
    root = np.sqrt(1 - np.cos(phi_hat) ** 2)
    smape = np.sum((m * np.cos(phi) - m_hat * np.cos(phi_hat)) ** 2)
    smape += np.sum((m * np.sin(phi) - m_hat * sign * root) ** 2)
    assert np.sum((h - h_hat) ** 2) == pytest.approx(smape, rel=1e-5)


def _ranking(bits: int = 6):
    rng = np.random.default_rng(2)
    kernel = rng.integers(-127, 128, (M_MAG, N)).astype(np.int8)
    bias = rng.integers(-(2**20), 2**20, N).astype(np.int32)
    kernel[:, 7], bias[7] = kernel[:, 3], bias[3]  # always equal
    return Ranking(kernel, bias, bits), rng.integers(0, 2**bits, (40, M_MAG))


def test_ranking_is_exact_everywhere(tmp_path):
    """Integers in NumPy, float32 products, single rows and TFLite: the same entries."""
    rank, indices = _ranking()
    scores = (indices - 32) @ rank.kernel.astype(np.int64) + rank.bias
    expected = np.argsort(-scores, axis=1, kind="stable")[:, :20]
    batch = tf.constant(indices, tf.int32)
    np.testing.assert_array_equal(rank.largest(batch, 20), expected)
    single = [rank.largest(batch[i : i + 1], 20)[0] for i in range(len(indices))]
    np.testing.assert_array_equal(single, expected)
    largest = layers.Lambda(
        lambda x: tf.cast(rank.largest(tf.cast(x, tf.int32), 20), tf.float32)
    )
    x = keras.Input((M_MAG,), batch_size=1)
    model = Model(x, largest(x))
    for row, found in zip(indices[:5], expected, strict=False):
        got = run_tflite(model, row[None].astype(np.float32))
        np.testing.assert_array_equal(got[0], found)


def test_ranking_finds_the_large_entries():
    rng = np.random.default_rng(3)
    mixing = rng.standard_normal((M_MAG, N))
    indices = rng.integers(0, 64, (500, M_MAG))
    magnitude = indices @ mixing
    kernel, bias = ranking.fit(indices[:400], magnitude[:400], 6)
    assert kernel.dtype == np.int8 and np.abs(kernel.astype(int)).max() == 127
    found = Ranking(kernel, bias, 6).largest(tf.constant(indices[400:], tf.int32), 16)
    truth = np.argsort(-magnitude[400:], axis=1)[:, :16]
    common = [len({*a} & {*b}) for a, b in zip(found.numpy(), truth, strict=True)]
    assert np.mean(common) > 15


def _fitted(bits: int = 8, **args):
    rng = np.random.default_rng(4)
    layer = make_quantizer("polar", bits, {**ARGS, **args})
    signs = np.sign(rng.standard_normal((300, layer.num_signs)))
    parts = [rng.normal(0, 2, (300, M_MAG)), rng.uniform(-1, 1, (300, L)), signs]
    codeword = np.concatenate(parts, axis=1).astype(np.float32)
    layer.build(codeword.shape)
    assert layer.needs_fit
    layer.fit(codeword)
    layer.magnitudes.fit_ranking(codeword, np.abs(parts[0]) @ rng.random((M_MAG, N)))
    assert not layer.needs_fit
    return layer, codeword


@pytest.mark.parametrize("frozen", [False, True])
def test_codeword_through_real_bytes(frozen):
    layer, codeword = _fitted()
    grid = layer.frozen() if frozen else layer
    indices = np.asarray(grid.indices(codeword))
    parts = sections(layer, codeword.shape[1])
    assert parts == ((M_MAG, 6), (L, 8), (16, 1))
    payload = bitstream.pack_sections(indices, parts)
    assert payload.shape == (300, 12 + 8 + 2)
    received = bitstream.unpack_sections(payload, parts)
    np.testing.assert_array_equal(received, indices)
    arrived = np.asarray(grid.dequantize(received))
    error = np.abs(arrived - codeword)
    step = float(layer.magnitudes.scale)
    assert error[:, :M_MAG].max() <= step / 2 * 1.001
    assert error[:, M_MAG : M_MAG + L].max() <= 1 / 128 + 1e-6  # 1 is above the last
    signs = arrived[:, M_MAG + L :]
    assert (np.count_nonzero(signs, axis=1) == 16).all()
    assert (signs * codeword[:, M_MAG + L :] >= 0).all()
    np.testing.assert_allclose(layer(codeword), arrived, atol=1e-6)


def test_what_stands_for_a_sign_that_was_not_sent():
    layer, codeword = _fitted(unsent=1.0, sign_share=0.5)
    signs = np.asarray(layer(codeword))[:, M_MAG + L :]
    np.testing.assert_array_equal(np.abs(signs), 1)
    wrong = signs != codeword[:, M_MAG + L :]
    assert 0.2 < wrong.mean() < 0.3  # half of those that are not sent


def test_one_bit_phases_and_none_of_the_signs():
    layer, codeword = _fitted(1, phase="straight", num_signs=0)
    arrived = np.asarray(layer(codeword[:, : M_MAG + L]))
    np.testing.assert_array_equal(arrived[:, M_MAG:], np.sign(codeword[:, M_MAG:]) / 2)
    assert layer.sections == ((M_MAG, 6), (L, 1))


def test_gradients_and_training():
    layer, codeword = _fitted(4)
    r = tf.constant(codeword)
    with tf.GradientTape() as tape:
        tape.watch(r)
        total = tf.reduce_sum(layer(r, training=True))
    slope = tape.gradient(total, r).numpy()
    np.testing.assert_array_equal(slope[:, :M_MAG], 1)
    assert slope[:, M_MAG : M_MAG + L].std() > 0.5  # the staircase's own
    rounded, smooth = layer(r), layer(r, training=True)
    assert np.abs(rounded - smooth)[:, M_MAG : M_MAG + L].max() <= 1 / 8 + 1e-3


def test_mdpq_gives_the_largest_entries_the_finest_phases():
    layer = make_quantizer("mdpq", 6, {"magnitude_dim": M_MAG, "entries": N})
    rng = np.random.default_rng(5)
    magnitude, phase = rng.normal(0, 2, (300, M_MAG)), rng.uniform(-1, 1, (300, N))
    phase[:, :4] = (1, -1, 0.999, -0.999)  # the seam of the circle
    codeword = np.concatenate([magnitude, phase], axis=1).astype(np.float32)
    layer.build(codeword.shape)
    layer.fit(codeword)
    layer.magnitudes.fit_ranking(codeword, np.abs(magnitude) @ rng.random((M_MAG, N)))
    parts = sections(layer, codeword.shape[1])
    assert parts == ((M_MAG, 6), (6, 7), (6, 3))
    grid = layer.frozen()
    indices = np.asarray(grid.indices(codeword))
    payload = bitstream.pack_sections(indices, parts)
    arrived = np.asarray(grid.dequantize(bitstream.unpack_sections(payload, parts)))
    np.testing.assert_allclose(layer(codeword), arrived, atol=1e-6)
    error = np.abs(np.exp(1j * np.pi * (arrived - codeword)[:, M_MAG:]) - 1)
    order = np.asarray(grid.positions(tf.constant(indices[:, :M_MAG])))
    for places, bits in ((order[:, :6], 7), (order[:, 6:], 3)):
        worst = np.take_along_axis(error, places, axis=1).max()
        assert 0.5 * np.pi / 2**bits < worst < 1.001 * np.pi / 2**bits
    left = np.put_along_axis(got := arrived[:, M_MAG:].copy(), order, 0, axis=1)
    assert left is None and not got.any()
    with pytest.raises(ValueError, match="do not fit"):
        make_quantizer("mdpq", 6, {"shares": [0.1]})
    with pytest.raises(ValueError, match="expected 1280"):
        make_quantizer("mdpq", 6, {}).build((None, 1000))


def test_phase_error_is_the_weighted_difference():
    rng = np.random.default_rng(6)
    m, phi, phi_hat = rng.random((3, 2, 4, 5, 1)).astype(np.float32)
    csi, csi_hat = (
        0.5 + m * np.concatenate([np.cos(x), np.sin(x)], -1) for x in (phi, phi_hat)
    )
    np.testing.assert_allclose(
        phase_error(csi, csi_hat), m * (phi - phi_hat), atol=1e-5
    )
    nothing = tf.Variable(np.full_like(csi, 0.5))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.square(phase_error(csi, nothing)))
    assert np.isfinite(tape.gradient(loss, nothing)).all()


def test_refusals():
    for word, args in (
        ("sign_share is 0", {"sign_share": 0}),
        ("phase is 'round'", {"phase": "round"}),
        ("expected 1 to 8", {"magnitude_bits": 9}),
        ("has no option width", {"width": 3}),
    ):
        with pytest.raises(ValueError, match=word):
            make_quantizer("polar", 8, args)
    with pytest.raises(ValueError, match="too short"):
        make_quantizer("polar", 8, ARGS).build((None, M_MAG + N))
    with pytest.raises(bitstream.BitstreamError, match=r"expected \[..., 3\]"):
        bitstream.pack_sections(np.zeros((1, 4), int), [(1, 2), (2, 3)])
    with pytest.raises(bitstream.BitstreamError, match=r"expected \[..., 2\]"):
        bitstream.unpack_sections(b"abc", [(1, 2), (2, 3)])
    with pytest.raises(bitstream.BitstreamError, match="padding"):
        bitstream.unpack_sections(b"\x01\x00", [(1, 2), (2, 3)])
