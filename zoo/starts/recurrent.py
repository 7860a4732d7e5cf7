"""Attention-CsiNet that starts near the linear KLT codec: `--init=klt`."""

from __future__ import annotations

import numpy as np

from zoo.models.attention_csinet import ResidualLSTM
from zoo.models.autoencoder import CsiAutoencoder
from zoo.starts import klt_start


def start(model: CsiAutoencoder, csi: np.ndarray) -> None:
    """Let the LSTMs add nothing to the rows yet; all else as other networks.

    Args:
        model: network with `ResidualLSTM` layers.
        csi: training CSI `[n, N_t, N_a, 2]` float32 in [0, 1].

    Raises:
        ValueError: as of `klt_start.initialise`.
    """
    for part in (model.encoder, model.decoder):
        for layer in part.layers:
            if isinstance(layer, ResidualLSTM):
                output = layer.tensors["output_kernel"]
                output.assign(np.zeros(output.shape, np.float32))
    klt_start.initialise(model, csi)
