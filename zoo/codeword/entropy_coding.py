"""Feedback of networks with an entropy bottleneck: real bytes per CSI."""

from __future__ import annotations

import numpy as np

from serving.codec import prefix_coder
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
        shares = np.diff(bottleneck.cdf(self.low, self.high, prefix_coder.TOTAL))
        self.tables = prefix_coder.check_tables(shares)
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
        models = [prefix_coder.Model(table) for table in self.tables]
        for sent in (symbols[:CODED] - self.low).tolist():
            known = [models[m % len(models)] for m in range(len(sent))]
            payload = prefix_coder.encode(zip(sent, known, strict=True))
            decoder = prefix_coder.PrefixDecoder(payload)
            if [decoder.next(model) for model in known] != sent:
                raise ValueError("the range coder lost symbols; please report it")
            sizes.append(8 * len(payload))
        ideal = float(np.mean(self._bottleneck.bits(codeword)))
        return symbols.astype(np.float32), {
            "feedback_bits": float(np.mean(sizes)),
            "feedback_bits_min_max": [min(sizes), max(sizes)],
            "feedback_bits_ideal": ideal,
        }
