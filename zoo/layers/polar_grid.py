"""Grid of a codeword that holds magnitudes, phases and signs."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from zoo.layers import ranking
from zoo.layers.affine_quantizer import AffineGrid
from zoo.layers.ranking import Ranking


class PolarGrid(NamedTuple):
    """Codeword `[magnitudes | phases | signs]` to indices and back.

    Attributes:
        magnitude: grid of the magnitudes' entries.
        ranking: which signs are sent.
        sections: (entries, bits) of magnitudes, phases and signs that are sent; without
            the last where the codeword has no signs.
        num_signs: N, signs in the codeword.
        unsent: what the BS puts for a sign that is not sent.
    """

    magnitude: AffineGrid
    ranking: Ranking
    sections: tuple
    num_signs: int
    unsent: float

    def split(self, values):
        """Magnitudes, phases and signs of `[batch, ...]`, codeword or indices."""
        first = self.sections[0][0]
        second = first + self.sections[1][0]
        return values[:, :first], values[:, first:second], values[:, second:]

    @property
    def half(self) -> float:
        """2^(K-1) of the K bits of a phase."""
        return 2.0 ** (self.sections[1][1] - 1)

    @property
    def middle(self) -> float:
        """Levels are the integers; the two of one bit lie at -1/2 and 1/2."""
        return 0.5 if self.half == 1 else 0.0

    def indices(self, codeword):
        """Quantise `[batch, M]` float32 to int32 `[batch, what is sent]`."""
        magnitude, phase, sign = self.split(codeword)
        level = tf.round(tf.cast(phase, "float32") * self.half - self.middle)
        level = tf.clip_by_value(level, -self.half, self.half - 1)
        sent = [
            self.magnitude.indices(magnitude),
            tf.cast(level + self.half, tf.int32),
        ]
        if self.num_signs:
            chosen = tf.gather(sign, self.positions(sent[0]), axis=1, batch_dims=1)
            sent.append(tf.cast(chosen > 0, tf.int32))
        return tf.concat(sent, axis=1)

    def dequantize(self, indices):
        """Map int32 indices to the codeword `[batch, M]` float32 that arrives."""
        magnitude, phase, sign = self.split(indices)
        level = tf.cast(phase, "float32") - self.half + self.middle
        arrived = [self.magnitude.dequantize(magnitude), level / self.half]
        if self.num_signs:
            signs = 2.0 * tf.cast(sign, "float32") - 1.0
            where = self.positions(magnitude)
            arrived.append(ranking.scatter(signs, where, self.num_signs, self.unsent))
        return tf.concat(arrived, axis=1)

    def positions(self, magnitude_indices):
        """Entries whose signs are sent, int32 `[batch, their number]`."""
        return self.ranking.largest(magnitude_indices, self.sections[2][0])
