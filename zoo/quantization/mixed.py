"""Which tensors of an int8 encoder stay float because int8 costs too much there."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from zoo.data.batches import in_batches
from zoo.data.split import Split
from zoo.models.autoencoder import CsiAutoencoder
from zoo.quantization.quantized_encoder import QuantizedEncoder

COSTS_ON = 100  # samples


def accurate_encoder(
    model: CsiAutoencoder, h: np.ndarray, held_out: Split, limit_db: float
) -> QuantizedEncoder:
    """Calibrate an encoder; make its costliest tensors float until it is accurate.

    Feature maps of sparse CSI have few large entries, so a grid of 256 steps may leave
    too few for the others. Where that happens depends on the weights, not only on the
    network, hence the measurement. The input and both sides of the last linear layer
    always have quantisers.

    Args:
        model: trained network.
        h: calibration CSI, zero-centred float32 `[n, N_t, N_a, 2]`.
        held_out: CSI to measure on.
        limit_db: loss of NMSE on them, through quantiser and decoder.

    Returns:
        The first encoder within the limit; where there is none, the most accurate of
        those tried until no tensor was left to release.
    """
    floats, lost_db = frozenset(), losses("int8", model, held_out)
    tried: list[tuple[float, QuantizedEncoder]] = []
    while True:
        encoder = QuantizedEncoder(model.encoder, h, floats)
        tried.append((lost_db(encoder), encoder))
        if tried[-1][0] <= limit_db:
            return encoder
        costs = encoder.costs(h[:COSTS_ON])
        if not costs:
            return min(tried, key=lambda pair: pair[0])[1]
        worst = sorted(costs, key=costs.get, reverse=True)
        share = np.cumsum([costs[name] for name in worst]) / sum(costs.values())
        floats |= set(worst[: 1 + int(np.searchsorted(share, 0.5))])


def losses(
    name: str, model: CsiAutoencoder, held_out: Split
) -> Callable[[QuantizedEncoder], float]:
    """Function that measures and shows what an encoder loses against float32 [dB].

    Args:
        name: of the precision.
        model: trained network.
        held_out: CSI to measure on.
    """
    exact = nmse_db(model, lambda h: model.encoder(h + 0.5, training=False), held_out)

    def lost_db(encoder: QuantizedEncoder) -> float:
        loss = nmse_db(model, encoder, held_out) - exact
        floats = ", ".join(sorted(encoder.floats)) or "none"
        print(f"{name}: {loss:.3f} dB lost; float: {floats}", flush=True)
        return loss

    return lost_db


def nmse_db(model: CsiAutoencoder, encoder, split: Split) -> float:
    """Error of CSI through an encoder, the codeword quantiser and the decoder.

    NMSE, or 1 - SGCS in dB of networks that were trained so.

    Args:
        model: trained network with a quantiser.
        encoder: function of zero-centred CSI `[n, N_t, N_a, 2]` to codewords.
        split: the CSI.
    """

    def reconstruct(h, *side):
        indices = model.quantizer.indices(encoder(h))
        return np.asarray(model.receive(model.quantizer.dequantize(indices), *side))

    h_hat = in_batches(reconstruct, split.h_seen, *split.side) - np.float32(0.5)
    return split.error_db(h_hat)
