"""Unlike antennas and diffuse scattering against closed forms."""

import numpy as np
import pytest

from serving.codec.angle_delay_grid import AngleDelayGrid
from tests.zoo.codecs.paths import N_C, channels
from zoo.config import ExperimentConfig
from zoo.data.perturbations import DECAY, Perturbation
from zoo.data.split import Split

GRID = AngleDelayGrid("ula:16", N_C, 16, oversampling=4)
H = channels(200, seed=1)


def energy(h):
    return np.sum(np.abs(h) ** 2, axis=(1, 2))


@pytest.mark.parametrize(
    ("array", "beams"), [("ula:16", "each"), ("upa:4x2x2", "each"), ("upa:4x4", "all")]
)
def test_antennas_are_those_of_the_responses(array, beams):
    """A phase that rises over the antennas by whole turns moves every beam by one."""
    grid = AngleDelayGrid(array, N_C, 16, beams=beams)
    assert np.allclose(grid.antennas @ grid.antennas.conj().T, np.eye(16))
    line = AngleDelayGrid("ula:16", N_C, 16)
    turned = np.exp(2j * np.pi * np.arange(16) / 16)[:, None] * line.antennas
    assert np.allclose(turned, np.roll(line.antennas, 1, axis=1))


def test_antennas_of_a_panel_are_its_columns_and_rows():
    """The response of a direction, antenna by antenna."""
    grid = AngleDelayGrid("upa:4x2x2", N_C, 8, oversampling=2)
    antennas = grid.angles @ grid.antennas.conj().T
    second = antennas[8 * 4 :]
    assert np.allclose(second[:, :8], 0) and np.allclose(
        np.abs(second[:, 8:]) ** 2, 1 / 8
    )
    wave = antennas[3 * 4 + 1, :8].reshape(4, 2) * np.sqrt(8)
    column = np.exp(2j * np.pi * np.arange(4) * 3 / 8)
    assert np.allclose(wave, np.outer(column, [1, np.exp(2j * np.pi / 4)]))


def test_gains_of_antennas_are_in_the_responses():
    rng = np.random.default_rng(0)
    gains = rng.standard_normal(16) + 1j * rng.standard_normal(16)
    pairs = tuple(zip(gains.real, gains.imag, strict=True))
    uneven = AngleDelayGrid("ula:16", N_C, 16, oversampling=4, gains=pairs)
    antennas = uneven.angles @ GRID.antennas.conj().T
    expected = (GRID.angles @ GRID.antennas.conj().T) * gains
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(antennas, expected, atol=1e-12)


@pytest.mark.parametrize("arrays", ["one", "each"])
def test_errors_of_antennas_have_their_size(arrays):
    """Closed form: the phases leave E[g] = exp(-p^2 / 2) of the mean response."""
    phase = Perturbation(phase_deg=20, arrays=arrays)
    h = phase.applied(H, GRID, "test")
    np.testing.assert_allclose(energy(h), energy(H), rtol=1e-5)
    ratio = (GRID.antennas.conj() @ h) / (GRID.antennas.conj() @ H)
    gains = ratio[:, :, 0] if arrays == "each" else ratio[:1, :, 0]
    assert np.abs(gains).std() < 1e-3
    spread = np.exp(-(np.deg2rad(20) ** 2) / 2)
    tolerance = 3 * np.sqrt((1 - spread**2) / gains.size)
    assert gains.mean().real == pytest.approx(spread, abs=tolerance)
    gain = Perturbation(gain_db=2, arrays="each").applied(H, GRID, "test")
    size = np.abs((GRID.antennas.conj() @ gain) / (GRID.antennas.conj() @ H))[:, :, 0]
    within = 20 * np.log10(size / np.exp(np.log(size).mean(axis=1, keepdims=True)))
    assert within.std() == pytest.approx(2 * np.sqrt(15 / 16), rel=0.05)


def test_one_array_serves_all_splits_and_another_seed_has_another():
    errors = {"gain_db": 1, "phase_deg": 10}
    one = Perturbation(**errors)
    h = one.applied(H, GRID, "train")
    np.testing.assert_array_equal(h, one.applied(H, GRID, "test"))
    np.testing.assert_allclose(h[:20], one.applied(H[:20], GRID, "train"))
    assert not np.allclose(h, Perturbation(**errors, seed=1).applied(H, GRID, "train"))
    each = Perturbation(**errors, arrays="each")
    first = each.applied(H, GRID, "train")
    assert not np.allclose(first, each.applied(H, GRID, "test"))
    np.testing.assert_allclose(first[:20], each.applied(H[:20], GRID, "train"))


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_scattering_has_its_share_of_the_energy(share):
    h = Perturbation(diffuse=share).applied(H, GRID, "test")
    np.testing.assert_allclose(energy(h), energy(H), rtol=1e-5)
    along = np.abs(np.sum(H.conj() * h, axis=(1, 2))) ** 2 / energy(H) / energy(h)
    assert along.mean() == pytest.approx(1 - share, abs=0.01)
    other = Perturbation(diffuse=share).applied(H, GRID, "train")
    assert not np.allclose(h, other)


def test_scattering_is_white_or_falls_exponentially():
    white = Perturbation(diffuse=1).applied(H, GRID, "test")
    power = np.mean(np.abs(white) ** 2, axis=0) / np.mean(np.abs(white) ** 2)
    assert np.abs(power.mean(axis=0) - 1).max() < 0.1
    assert np.abs(power.mean(axis=1) - 1).max() < 0.1
    grid = AngleDelayGrid("ula:16", N_C, 16, last_taps=2)
    falls = Perturbation(diffuse=1, spread="exponential").applied(H, grid, "test")
    taps = np.mean(np.abs(falls) ** 2, axis=(0, 1))
    assert np.allclose(taps[-2:], 0)
    slope = np.polyfit(np.arange(14), np.log(taps[:14]), 1)[0]
    assert slope == pytest.approx(-1 / DECAY, rel=0.05)


def test_a_split_is_perturbed_whole():
    csi = np.stack([H.real, H.imag], axis=-1).astype(np.float32) + np.float32(0.5)
    split = Split(csi, csi, np.zeros(1), N_C)
    settings = ExperimentConfig(csi_noise="awgn", train_snr_db=10, test_snr_db=10)
    found = Perturbation(diffuse=0.3).of_split(split, GRID, settings, "test")
    noise = np.sum((found.csi - found.csi_clean) ** 2) / np.sum(found.h**2)
    assert noise == pytest.approx(0.1, rel=0.03) and found.csi_freq is None
    clean = Perturbation(diffuse=0.3).of_split(split, GRID, ExperimentConfig(), "test")
    assert clean.csi is clean.csi_clean
    assert found.csi.dtype == np.float32 and found.csi.shape == csi.shape
    h = Perturbation(diffuse=0.3).applied(H, GRID, "test")
    np.testing.assert_allclose(found.h[..., 0] + 1j * found.h[..., 1], h, atol=1e-6)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1]", "expected a JSON object"),
        ('{"gain": 1}', "gain_db, phase_deg"),
        ('{"diffuse": 1.5}', "share of 0 to 1"),
        ('{"diffuse": NaN}', "share of 0 to 1"),
        ('{"gain_db": NaN}', "gain_db=nan.*finite errors of 0 or more"),
        ('{"phase_deg": Infinity}', "phase_deg=inf.*finite errors"),
        ('{"gain_db": 1, "phase_deg": NaN}', "phase_deg=nan"),
        ('{"seed": 1.5}', "seed=1.5: expected a whole number"),
        ('{"seed": -1}', "seed=-1: expected a whole number, 0 or more"),
        ('{"arrays": "many"}', "one or each"),
        ('{"spread": "pink"}', "white or exponential"),
    ],
)
def test_what_is_no_perturbation_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        Perturbation.of(text)


def test_options_are_what_is_given():
    found = Perturbation.of('{"gain_db": 2, "phase_deg": 20}')
    assert found.options() == {"gain_db": 2, "phase_deg": 20}
    for nothing in ('{"spread": "exponential"}', '{"arrays": "each"}', '{"seed": 3}'):
        assert Perturbation.of(nothing).options() == {}


@pytest.mark.parametrize("errors", [{"gain_db": 2}, {"diffuse": 0.3}])
def test_a_csi_of_zeros_stays_one(errors):
    h = H[:3] * np.array([0, 1, 1])[:, None, None]
    found = Perturbation(**errors).applied(h, GRID, "test")
    assert not found[0].any()
    np.testing.assert_allclose(energy(found), energy(h), rtol=1e-5)
