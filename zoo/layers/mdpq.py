"""Phases quantised without a network, finer where the magnitude is large: MDPQ."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from zoo.keras_compat import keras, layers
from zoo.layers import ranking
from zoo.layers.affine_quantizer import AffineGrid
from zoo.layers.quantizers import check_bits
from zoo.layers.ranked_magnitudes import RankedMagnitudes
from zoo.layers.ranking import Ranking


class MdpqGrid(NamedTuple):
    """Codeword `[magnitudes | N phases in units of pi]` to indices and back.

    Attributes:
        magnitude: grid of the magnitudes' entries.
        ranking: which phases are sent, with how many bits.
        sections: (entries, bits) of the magnitudes and of each group of phases, those
            of the largest entries first.
        entries: N.
    """

    magnitude: AffineGrid
    ranking: Ranking
    sections: tuple
    entries: int

    def positions(self, magnitude_indices):
        """Entries whose phases are sent, int32 `[batch, their number]`."""
        count = sum(count for count, _ in self.sections[1:])
        return self.ranking.largest(magnitude_indices, count)

    def halves(self):
        """2^(b-1) of the b bits of each phase that is sent, float32."""
        groups = [
            np.full(count, 2.0 ** (bits - 1)) for count, bits in self.sections[1:]
        ]
        return np.concatenate(groups).astype(np.float32)

    def indices(self, codeword):
        """Quantise `[batch, M]` float32 to int32 `[batch, what is sent]`."""
        first = self.sections[0][0]
        magnitude = self.magnitude.indices(codeword[:, :first])
        chosen = tf.gather(
            codeword[:, first:], self.positions(magnitude), axis=1, batch_dims=1
        )
        halves = self.halves()
        level = tf.round((tf.cast(chosen, "float32") + 1.0) * halves)
        level -= 2.0 * halves * tf.floor(level / (2.0 * halves))  # a circle
        return tf.concat([magnitude, tf.cast(level, tf.int32)], axis=1)

    def dequantize(self, indices):
        """Map int32 indices to `[batch, M]` float32; a phase that is not sent is 0."""
        first = self.sections[0][0]
        magnitude, level = indices[:, :first], indices[:, first:]
        phase = tf.cast(level, "float32") / self.halves() - 1.0
        where = self.positions(magnitude)
        arrived = [
            self.magnitude.dequantize(magnitude),
            ranking.scatter(phase, where, self.entries),
        ]
        return tf.concat(arrived, axis=1)


@keras.utils.register_keras_serializable(package="zoo")
class MdpqQuantizer(layers.Layer):
    """Magnitude-dependent phase quantisation, of DualNet-MAG.

    Of Lin, Liu, Lee, Ding, IEEE Wireless Communications Letters 10(10), 2021,
    https://arxiv.org/abs/2103.00432: the phases of the largest entries are sent in even
    steps over the circle, with more bits the larger the entry; all others are 0. The
    defaults are the paper's at 1/8 (7 bits for the largest tenth, 3 for the next);
    at 1/16 it has shares [0.1] and phase_bits [5].

    Args:
        bits: of an entry of the magnitudes, 1 to 8.
        magnitude_dim: their number.
        entries: N, phases in the codeword.
        shares: of the entries in each group, the largest entries first.
        phase_bits: of a phase in each group.

    Raises:
        ValueError: an argument is out of range.

    Deviations: the paper sorts by thresholds of the magnitudes' distribution; here each
    CSI has the same number of entries in a group, so that every report is as long.
    """

    def __init__(
        self,
        bits: int,
        magnitude_dim: int = 256,
        entries: int = 1024,
        shares=(0.1, 0.1),
        phase_bits=(7, 3),
        **kwargs,
    ):
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)
        for value in phase_bits:
            check_bits(value)
        fits = len(shares) == len(phase_bits) > 0 and sum(shares) <= 1
        if not fits or min(shares) * entries < 1:
            raise ValueError(
                f"shares {shares} and phase_bits {phase_bits} do not fit: expected as "
                "many of both, shares of at least one entry that sum up to 1 or less"
            )
        self.bits, self.shares, self.phase_bits = bits, shares, phase_bits
        self.magnitudes = RankedMagnitudes(
            magnitude_dim, bits, entries, name="magnitudes"
        )

    def build(self, input_shape):
        """Create the magnitudes' grid and the ranking for `[batch, M]`."""
        expected = self.magnitudes.dim + self.magnitudes.entries
        if input_shape[-1] != expected:
            raise ValueError(
                f"a codeword of {input_shape[-1]} entries, expected {expected}: "
                "magnitude_dim and as many phases as the CSI has entries"
            )
        self.magnitudes.build()
        super().build(input_shape)

    @property
    def sections(self) -> tuple[tuple[int, int], ...]:
        """(Entries, bits) of the parts of what is sent."""
        counts = [round(share * self.magnitudes.entries) for share in self.shares]
        groups = zip(counts, self.phase_bits, strict=True)
        return ((self.magnitudes.dim, self.bits), *groups)

    @property
    def needs_fit(self) -> bool:
        """Whether the magnitudes' grid is still missing."""
        return self.magnitudes.needs_fit

    def fit(self, codeword: np.ndarray) -> None:
        """Set the magnitudes' grid from codewords `[n, M]` of training CSI."""
        self.magnitudes.fit(codeword)

    def frozen(self, frozen: bool = True) -> MdpqGrid:
        """The grid as constants, for exported graphs."""
        grid, rank = self.magnitudes.grid(frozen), self.magnitudes.ranking(frozen)
        return MdpqGrid(grid, rank, self.sections, self.magnitudes.entries)

    def indices(self, codeword):
        """Quantise `[batch, M]` float32 to int32 `[batch, what is sent]`."""
        return self.frozen(False).indices(codeword)

    def dequantize(self, indices):
        """Map int32 indices to the codeword `[batch, M]` float32 that arrives."""
        return self.frozen(False).dequantize(indices)

    def call(self, codeword):
        """What arrives of `[batch, M]`; the gradient passes straight through."""
        codeword = tf.cast(codeword, "float32")
        arrived = self.dequantize(self.indices(codeword))
        return codeword + tf.stop_gradient(arrived - codeword)

    def agreed(self) -> dict:
        """What both sides must know, for codec.json."""
        return {
            "scale": float(self.magnitudes.scale),
            "zero": float(self.magnitudes.zero),
            "sections": [list(section) for section in self.sections],
        }

    def compute_output_shape(self, input_shape):
        """Shape of the input."""
        return input_shape

    def get_config(self):
        """Constructor arguments."""
        own = {
            "bits": self.bits,
            "magnitude_dim": self.magnitudes.dim,
            "entries": self.magnitudes.entries,
            "shares": self.shares,
            "phase_bits": self.phase_bits,
        }
        return {**super().get_config(), **own}
