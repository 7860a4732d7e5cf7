"""Metrics of precoders against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from serving.codec import nmse
from zoo.data import splits
from zoo.metrics import accuracy, precoding


def random(*shape, seed=0):
    parts = np.random.default_rng(seed).standard_normal((2, *shape))
    return parts[0] + 1j * parts[1]


@pytest.fixture(scope="module")
def modes():
    """Eigenvectors of two layers and eigenvalues of random channels of 8 ports."""
    _, singular, right = np.linalg.svd(random(12, 5, 2, 8), full_matrices=False)
    return np.swapaxes(right.conj(), -1, -2), singular**2


def test_likeness_of_turned_vectors_in_closed_form(modes):
    """cos(a) v1 + sin(a) u of u at right angles to it, another angle each layer."""
    v, values = modes
    u = random(12, 5, 8, 2, seed=1)
    u -= v * np.sum(v.conj() * u, axis=2, keepdims=True)
    u /= np.linalg.norm(u, axis=2, keepdims=True)
    angles = np.random.default_rng(2).uniform(0, np.pi / 2, (12, 5, 1, 2))
    w = 3 * (np.cos(angles) * v + np.sin(angles) * u)
    found = precoding.likeness(v, w, values)
    cos = np.cos(angles)[:, :, 0]
    assert found["sgcs_by_layer"] == pytest.approx((cos**2).mean(axis=(0, 1)).tolist())
    assert found["gcs_by_layer"] == pytest.approx(cos.mean(axis=(0, 1)).tolist())
    assert found["sgcs"] == pytest.approx((cos**2).mean())
    weighted = (values * cos**2).sum(axis=(1, 2)) / values.sum(axis=(1, 2))
    assert found["sgcs_weighted"] == pytest.approx(weighted.mean())


def test_likeness_is_in_0_to_1_and_blind_to_phases(modes):
    v, values = modes
    w = random(12, 5, 8, 2, seed=3)
    turns = np.exp(2j * np.pi * np.random.default_rng(4).random((12, 5, 1, 2)))
    found, turned = (precoding.likeness(v, x, values) for x in (w, w * turns))
    for name, value in found.items():
        np.testing.assert_allclose(turned[name], value)
        assert (0 <= np.array(value)).all() and (np.array(value) <= 1).all()
    same = precoding.likeness(v, v * turns, values)
    assert same["sgcs_by_layer"] == pytest.approx([1, 1])
    assert precoding.likeness(v, 0 * w, values)["sgcs"] == 0
    with pytest.raises(ValueError, match=r"expected both \[n, subbands, P, layers\]"):
        precoding.likeness(v, w[..., :1], values)


def test_the_three_sgcs_are_one_in_double_precision():
    """Of float32 vectors too, never above 1."""
    v, w = (random(50, 8, 6, seed=s).astype(np.complex64) for s in (7, 8))
    wide = [x.astype(complex) for x in (v, w)]
    inner = np.abs(np.einsum("npc,npc->nc", wide[0].conj(), wide[1])) ** 2
    power = np.prod([np.einsum("npc,npc->nc", x.conj(), x).real for x in wide], axis=0)
    expected = pytest.approx(np.mean(inner / power), abs=1e-14)
    assert accuracy.sgcs(v, w) == expected
    assert precoding.likeness(v[:, None], w[:, None], np.ones((50, 1, 6)))["sgcs"] == (
        expected
    )
    assert nmse.sgcs(*(np.stack([x.real, x.imag], -1) for x in (v, w))) == expected
    same = nmse.cosines(v, v * np.complex64(0.3 + 0.4j))
    assert same.max() <= 1 and same.min() > 1 - 1e-6


def test_error_of_a_perfect_direction_is_finite():
    h = np.random.default_rng(9).standard_normal((500, 8, 6, 2)).astype(np.float32)
    split = splits.Split(h + 0.5, h + 0.5, None, 6, loss="sgcs")
    for h_hat in (split.h, 3 * split.h, split.h / 7):
        assert -121 < split.error_db(h_hat) < -100


def test_random_vectors_are_alike_as_one_over_their_length():
    v, w = (random(4000, 1, 8, 1, seed=s) for s in (5, 6))
    found = precoding.likeness(v, w, np.ones((4000, 1, 1)))
    assert found["sgcs"] == pytest.approx(1 / 8, abs=4 * 0.11 / 4000**0.5)


def test_nmse_in_closed_form(modes):
    v, _ = modes
    assert precoding.nmse_db(v, 0.9 * v) == pytest.approx(-20)


def test_power_and_rate_of_eigenvectors(modes):
    v, values = modes
    g = precoding.channels(v, values)
    np.testing.assert_allclose(np.sum(np.abs(g) ** 2, axis=(2, 3)).mean(axis=1), 16)
    scaled = values * 16 / values.sum(axis=-1).mean(axis=1)[:, None, None]
    expected = np.log2(1 + 10**0.5 / 2 * scaled).sum(axis=-1).mean()
    assert precoding.rate(g, v, 5.0) == pytest.approx(expected)
    first = np.log2(1 + 10**0.5 * scaled[..., 0]).mean()
    assert precoding.rate(g, 7 * v[..., :1], 5.0) == pytest.approx(first)
    assert precoding.beamforming_loss_db(g, v, 2 * v) == pytest.approx(0)
    swapped = 10 * np.log10(scaled[..., 1].sum() / scaled[..., 0].sum())
    loss = precoding.beamforming_loss_db(g, v[..., :1], v[..., 1:])
    assert loss == pytest.approx(swapped)


def test_zero_forcing_of_users_at_right_angles_is_closed_form():
    v = np.eye(4, dtype=complex)[:, None, :, None]  # four users, a port each
    values = np.full((4, 1, 1), 3.0)
    rates = precoding.zf_rates(precoding.channels(v, values), v, 13.0, 4)
    np.testing.assert_allclose(rates, np.log2(1 + 10**1.3 / 4 * 4))


def test_zero_forcing_is_that_of_its_formula(modes):
    """Plain loops; and one user alone is maximum-ratio transmission."""
    v, values = modes
    w = v[..., :1] + 0.3 * random(12, 5, 8, 1, seed=7)
    g, snr = precoding.channels(v, values), 10.0
    order = np.random.default_rng(3).permutation(12)
    expected = []
    for group in order.reshape(-1, 3):
        for user in range(3):
            rates = []
            for t in range(5):
                a = np.stack([w[u, t, :, 0] for u in group], axis=1)
                a = a / np.linalg.norm(a, axis=0)
                f = a @ np.linalg.inv(a.conj().T @ a + 3 / (snr * 8) * np.eye(3))
                f = f / np.linalg.norm(f, axis=0) * np.sqrt(snr / 3)
                received = g[group[user], t] @ f
                others = np.delete(received, user, axis=1)
                noise = others @ others.conj().T + np.eye(2)
                own = received[:, user]
                sinr = np.real(own.conj() @ np.linalg.inv(noise) @ own)
                rates.append(np.log2(1 + sinr))
            expected.append(np.mean(rates))
    np.testing.assert_allclose(precoding.zf_rates(g, w, 10.0, 3, seed=3), expected)
    alone = precoding.zf_rates(g, w, 10.0, 1)
    assert alone.mean() == pytest.approx(precoding.rate(g, w, 10.0))
    with pytest.raises(ValueError, match="num_users=13: expected 1 to 12"):
        precoding.zf_rates(g, w, 10.0, 13)


def test_interference_grows_where_reports_are_coarse(modes):
    """Perfect reports lose little to zero forcing at high SNR, coarse ones saturate."""
    v, values = modes
    w = v[..., :1] + 0.3 * random(12, 5, 8, 1, seed=8)
    found = [precoding.link_metrics(v, values, w, snr, 3) for snr in (10, 40)]
    gain = [row["zf_rate_perfect"] - row["zf_rate"] for row in found]
    assert 0 < gain[0] < gain[1]
    assert found[0]["zf_rate_5_percent"] <= found[0]["zf_rate"]
    assert found[0]["beamforming_loss_db"] < 0
    assert set(found[0]) == {
        "beamforming_loss_db", "snr_db", "num_users", "rate", "rate_perfect",
        "zf_rate", "zf_rate_perfect", "zf_rate_5_percent", "zf_rate_5_percent_perfect",
    }  # fmt: skip
