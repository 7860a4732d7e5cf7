"""The fitted start of a network, by the name that its specification gives."""

from __future__ import annotations

import numpy as np

from zoo.models.autoencoder import CsiAutoencoder
from zoo.models.spec import ModelSpec
from zoo.starts import (
    klt_start,
    nested_rates,
    recurrent,
    residual,
    tokens,
    transformer,
    unfolded,
)

STARTS = {
    "linear": klt_start.initialise,
    "unfolded": unfolded.start,
    "tied": unfolded.start_tied,
    "estimate": unfolded.start_estimate,
    "nested_rates": nested_rates.start,
    "residual": residual.start,
    "recurrent": recurrent.start,
    "transformer": transformer.start,
    "tokens": tokens.start,
}


CHECKS = {
    "linear": klt_start.check,
    "unfolded": unfolded.check,
    "tied": unfolded.check,
    "tokens": tokens.check,
}


def check(spec: ModelSpec, model: CsiAutoencoder, exact=False) -> None:
    """Refuse a network that cannot start so, before there are any CSI.

    Args:
        spec: of the network.
        model: the network.
        exact: as of `fit`.

    Raises:
        ValueError: no signal passes the network's layers linearly, or its start does
            not suit this codeword path.
    """
    if not spec.fitted_start:
        raise ValueError(
            f"--init={'klt_exact' if exact else 'klt'} cannot start "
            f"--model={spec.name}: no signal passes its layers linearly; use "
            "--init=paper"
        )
    if spec.fitted_start in CHECKS:
        CHECKS[spec.fitted_start](model)


def fit(spec: ModelSpec, model: CsiAutoencoder, csi: np.ndarray, exact=False) -> None:
    """Set a network's initial weights from training CSI.

    Args:
        spec: of the network.
        model: the network.
        csi: `[n, N_t, N_a, 2]` float32 in [0, 1].
        exact: as of `klt_start.initialise`; the other starts have no such choice.

    Raises:
        ValueError: as of `check`, or too few CSI.
    """
    check(spec, model, exact)
    options = {"exact": exact} if spec.fitted_start == "linear" else {}
    STARTS[spec.fitted_start](model, csi, **options)
