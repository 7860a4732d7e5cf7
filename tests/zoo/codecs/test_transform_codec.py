"""KLT, mixture of KLTs and DFT taps through real bytes."""

import numpy as np
import pytest

from tests.zoo.codecs.paths import channels, nmse_db
from zoo.codecs import klt_mixture, transform_codec
from zoo.codecs.transforms import Dft, Karhunen

TRAIN = channels(400, array=(8,), num_delay=8, seed=1)
TEST = channels(60, array=(8,), num_delay=8, seed=2)


@pytest.fixture(scope="module", params=["klt", "dft", "mixture"])
def codec(request):
    if request.param == "mixture":
        return klt_mixture.fit(TRAIN, 150, num_kinds=3)
    kind = {"klt": Karhunen, "dft": Dft}[request.param]
    return transform_codec.fit(kind.fit(TRAIN), TRAIN, 150)


def test_bytes_carry_the_channel(codec):
    # A mixture counts the bits of training CSI that its kinds were not fitted to.
    is_mixture = isinstance(codec, klt_mixture.MixtureCodec)
    sizes = [8 * len(report) for report in codec.encode(TEST if is_mixture else TRAIN)]
    assert np.mean(sizes) == pytest.approx(150, rel=0.1)
    reports = codec.encode(TEST)
    assert nmse_db(TEST, codec.decode(reports)) < -4


def test_what_arrives_is_what_was_sent(codec):
    """Levels through bytes are the levels of the encoder."""
    if isinstance(codec, klt_mixture.MixtureCodec):
        kind = codec.kinds[0]
    else:
        kind = codec
    levels = kind.levels(TEST)
    one = transform_codec.TransformCodec(
        kind.transform, kind.tables, kind.shape, kind.count
    )
    np.testing.assert_allclose(one.decode(one.encode(TEST)), one.csi(levels))


def test_a_cut_report_is_worse_but_decodes(codec):
    whole = codec.encode(TEST)
    cut = codec.encode(TEST, 80)
    assert [r[:10] for r in whole] == cut
    short, long = (nmse_db(TEST, codec.decode(r)) for r in (cut, whole))
    assert long < short < 0.5


def test_random_bytes_decode_to_something_finite(codec):
    rng = np.random.default_rng(0)
    h = codec.decode([rng.bytes(size) for size in range(60)])
    assert h.shape == (60, 8, 8) and np.isfinite(h).all()


def test_the_klt_is_that_of_numpy():
    klt = Karhunen.fit(TRAIN)
    x = klt.coefficients(TRAIN)
    flat = TRAIN.reshape(len(TRAIN), -1)
    variance = np.linalg.svd(flat, compute_uv=False) ** 2
    z = x[:, ::2] + 1j * x[:, 1::2]
    np.testing.assert_allclose(
        np.sum(np.abs(z) ** 2, axis=0), variance, rtol=1e-5, atol=1e-9
    )
    np.testing.assert_allclose(klt.csi(x), flat, atol=1e-6)


def test_contexts_of_the_receiver_are_those_of_the_sender():
    dft = Dft.fit(TRAIN)
    levels = np.random.default_rng(0).integers(-5, 6, (4, 90))
    contexts = dft.contexts(levels)
    for row, expected in zip(levels.tolist(), contexts.tolist(), strict=True):
        assert [dft.context_of(i, row[:i]) for i in range(90)] == expected
