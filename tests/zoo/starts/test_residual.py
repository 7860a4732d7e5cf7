"""klt_residual begins as the linear KLT codec."""

from __future__ import annotations

import numpy as np
import pytest

from tests.zoo.starts.test_klt_start import CODEWORD_DIM, SHAPE, csi  # noqa: F401
from zoo import registry
from zoo.codeword.network import build_autoencoder
from zoo.config import ExperimentConfig
from zoo.metrics import accuracy, klt_line
from zoo.starts import by_name

SPEC = registry.get("klt_residual")


def nmse_db(model, csi) -> float:  # noqa: F811
    """NMSE of a network on `[n, N_t, N_a, 2]`."""
    csi_hat = np.asarray(model.receive(model.transmit(csi)))
    return accuracy.nmse_db(csi - np.float32(0.5), csi_hat - np.float32(0.5))


@pytest.fixture(scope="module")
def klt_db(csi) -> float:  # noqa: F811
    """The KLT line of the first 1,500 drops on the others."""
    h = csi - np.float32(0.5)
    return klt_line.nmse_db(h[:1_500], h[1_500:], CODEWORD_DIM)


@pytest.mark.parametrize("encoder_channels", [0, 8])
def test_untrained_it_is_the_klt(encoder_channels, csi, klt_db):  # noqa: F811
    args = {"encoder_channels": encoder_channels}
    model = registry.build("klt_residual", SHAPE, CODEWORD_DIM, args)
    by_name.fit(SPEC, model, csi[:1_500])
    assert nmse_db(model, csi[1_500:]) == pytest.approx(klt_db, abs=1e-4)


@pytest.mark.parametrize(
    ("path", "behind_db"),
    [
        ({"quantizer": "uniform", "bits": 8}, 1.5),
        ({"quantizer": "lsq", "bits": 8, "normaliser": "none"}, 0.2),
        ({"feedback_snr_db": 40.0, "receiver": "dnnnet"}, 3.0),
    ],
)
def test_with_a_codeword_path_it_is_near(path, behind_db, csi, klt_db):  # noqa: F811
    settings = ExperimentConfig(model="klt_residual", codeword_dim=CODEWORD_DIM, **path)
    model = build_autoencoder(settings, SHAPE)
    by_name.fit(SPEC, model, csi[:1_500])
    assert nmse_db(model, csi[1_500:]) < klt_db + behind_db


def test_odd_codewords_are_refused(csi):  # noqa: F811
    model = registry.build("klt_residual", SHAPE, 7)
    with pytest.raises(ValueError, match="codeword_dim is 7, expected even"):
        by_name.fit(SPEC, model, csi[:200])
