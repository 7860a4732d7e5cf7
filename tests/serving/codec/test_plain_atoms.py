"""The plain stream of atoms: sizes, levels in closed form, hostile payloads."""

import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest

from serving.codec import plain_atoms
from serving.codec.angle_delay_grid import AngleDelayGrid
from serving.codec.bitstream import BitstreamError
from serving.codec.plain_atoms import PlainAtoms
from tests.zoo.codecs.paths import N_C

GRID = AngleDelayGrid("ula:8", N_C, 8, oversampling=4)
STREAM = PlainAtoms(GRID, 6, 0.5, (256,), (8, 3))


def random_atoms(num: int, seed: int = 0):
    rng = np.random.default_rng(seed)
    shape = num, STREAM.num_atoms
    value = rng.normal(size=(*shape, 2)) @ [1, 1j] / 2 ** np.arange(shape[1])
    angle, delay = (rng.integers(n, size=shape) for n in (32, GRID.num_delays))
    return angle, delay, 0.2 * value


def test_sections_and_bytes():
    """5 bits for 32 angles, 6 for 48 delays; 4 and 2 atoms of two parts."""
    assert STREAM.sections == [(6, 5), (6, 6), (8, 8), (4, 3)]
    assert STREAM.payload_bytes == 4 + 5 + 8 + 2
    assert {len(x) for x in STREAM.encode(*random_atoms(5))} == {19}


def test_positions_arrive_and_values_within_half_a_level():
    angle, delay, value = random_atoms(200)
    found = STREAM.atoms(STREAM.indices(angle, delay, value))
    np.testing.assert_array_equal(found[0], angle)
    np.testing.assert_array_equal(found[1], delay)
    error = np.abs((found[2] - value)[:, :4].view(float))
    inside = np.abs(value[:, :4].view(float)) < 0.5
    assert error[inside].max() <= 0.5 / 2**8 * 1.0001


def test_later_values_are_on_the_scale_of_the_last_one():
    """Closed form: 3 bits on +-1 times the size of the fourth value."""
    zeros, value = np.zeros((1, 6), int), np.full((1, 6), 0.1 + 0.1j)
    value[0, 4:] = 0.03 - 1j, -0.2
    fourth = (np.floor((0.1 / 0.5 + 1) * 128) + 0.5) / 128 - 1
    scale = 0.5 * fourth * np.sqrt(2)
    found = STREAM.atoms(STREAM.indices(zeros, zeros, value))[2][0, 4:]
    levels = np.floor((0.03 / scale + 1) * 4)
    assert found[0].real == pytest.approx(((levels + 0.5) / 4 - 1) * scale, rel=1e-6)
    assert found[0].imag == pytest.approx(-0.875 * scale, rel=1e-6)  # clipped
    assert found[1].real == pytest.approx(-0.875 * scale, rel=1e-6)


def test_a_channel_of_the_grid_comes_back():
    h = GRID.angles[7][None, :, None] * GRID.delays[19][None, None] * 0.4j
    value = np.zeros((1, 6), complex)
    value[0, 0] = 0.4j
    places = [np.full((1, 6), x) for x in (7, 19)]
    error = np.abs(STREAM.decode(STREAM.encode(*places, value)) - h).max()
    assert error < 0.01


def test_its_facts_survive_json():
    facts = json.loads(json.dumps(STREAM.agreed()))
    assert plain_atoms.of(facts) == STREAM


def test_any_payload_is_decoded_or_refused():
    rng, refused = np.random.default_rng(0), 0
    for _ in range(300):
        payload = bytearray(rng.bytes(19))
        payload[3] &= 0b11111100  # padding of the sections
        payload[8] &= 0b11110000
        payload[18] &= 0b11110000
        try:
            assert np.isfinite(STREAM.decode([bytes(payload)])).all()
        except BitstreamError as error:
            refused += 1
            assert "the grid has 32 and 48" in str(error)
    assert 0 < refused < 300
    with pytest.raises(BitstreamError, match="expected"):
        STREAM.decode([bytes(18)])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_atoms": 0}, "0 atoms"),
        ({"widths": (8,)}, "6 atoms and 1 widths"),
        ({"widths": (8, 17)}, "bits=17"),
        ({"reach": ()}, r"reach=\(\): expected 1"),
        ({"reach": (0,)}, r"reach=\(0,\)"),
        ({"largest": float("nan")}, "largest=nan"),
    ],
)
def test_bad_facts_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(STREAM, **changes)


def test_a_window_keeps_the_delays_in_it():
    whole = dataclasses.replace(GRID, window=())
    part = dataclasses.replace(GRID, window=[-1, 3])
    assert whole.window == (-2, 10) and part.num_delays == len(part.delays) == 16
    np.testing.assert_array_equal(part.delays, whole.delays[4:20])
    for window in [(-3, 4), (2, 2), (0, 11), (0,)]:
        with pytest.raises(ValueError, match="expected two taps from -2 to 10"):
            dataclasses.replace(GRID, window=window)


def test_neither_stream_needs_tensorflow_or_the_zoo():
    """What a UE or a base station of one's own takes."""
    heavy = "{'tensorflow', 'zoo'} & set(sys.modules)"
    names = "import serving.codec.coded_atoms, serving.codec.plain_atoms, sys"
    done = subprocess.run(
        [sys.executable, "-c", f"{names}; assert not {heavy}, {heavy}"]
    )
    assert done.returncode == 0
