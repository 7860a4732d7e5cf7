"""Feedback of networks with an entropy bottleneck: real bytes per CSI."""

from __future__ import annotations

import numpy as np

from serving.codec import arithmetic_coder
from zoo.layers.entropy_model import EntropyBottleneck

CODED = 200  # examples that are really coded; the ideal length is of all
MARGIN = 8  # symbols beyond those of the training examples


class EntropyCodec:
    """Symbol tables that both ends share, made from training codewords.

    Args:
        bottleneck: trained layer.
        codeword: training codewords `[n, M]`; their symbols, and a margin, get a share.
    """

    def __init__(self, bottleneck: EntropyBottleneck, codeword: np.ndarray):
        symbols = np.asarray(bottleneck.symbols(codeword))
        self.low = int(symbols.min()) - MARGIN
        self.high = int(symbols.max()) + MARGIN
        self.tables = bottleneck.cdf(self.low, self.high)
        self._bottleneck = bottleneck

    def symbols(self, codeword: np.ndarray) -> np.ndarray:
        """Integers `[n, M]` from `low` to `high`; what lies outside is clipped."""
        symbols = np.asarray(self._bottleneck.symbols(codeword))
        return np.clip(symbols, self.low, self.high)

    def send(self, codeword: np.ndarray) -> tuple[np.ndarray, dict[str, float]]:
        """Send codewords, the first `CODED` through real bytes.

        Args:
            codeword: `[n, M]` float32.

        Returns:
            What arrives, float32, and mean bits per codeword: of the bytes
            (`feedback_bits`; `feedback_bits_min_max`) and of an ideal code
            (`feedback_bits_ideal`).

        Raises:
            ValueError: the decoded symbols differ from those sent.
        """
        symbols = self.symbols(codeword)
        sizes = []
        for sent in symbols[:CODED] - self.low:
            payload = arithmetic_coder.encode(sent, self.tables)
            arrived = arithmetic_coder.decode(payload, self.tables, len(sent))
            if not np.array_equal(arrived, sent):
                raise ValueError("the arithmetic coder lost symbols; please report it")
            sizes.append(8 * len(payload))
        ideal = float(np.mean(self._bottleneck.bits(codeword)))
        return symbols.astype(np.float32), {
            "feedback_bits": float(np.mean(sizes)),
            "feedback_bits_min_max": [min(sizes), max(sizes)],
            "feedback_bits_ideal": ideal,
        }
