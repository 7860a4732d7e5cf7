"""The magnitudes' part of a codeword: its grid, and the order of the CSI's entries."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from zoo.keras_compat import keras, layers
from zoo.layers import ranking
from zoo.layers.affine_quantizer import AffineGrid
from zoo.layers.quantizers import check_bits
from zoo.layers.ranking import Ranking


@keras.utils.register_keras_serializable(package="zoo")
class RankedMagnitudes(layers.Layer):
    """Even grid over the range of `[batch, M_mag]`, and the ranking of N entries by it.

    `fit` and `fit_ranking` come before all else; before them the grid gives NaN.

    Args:
        dim: M_mag, entries of the magnitudes' codeword.
        bits: of each, 1 to 8.
        entries: N, entries of the CSI matrix; 0: no ranking.

    Raises:
        ValueError: an argument is out of range.
    """

    def __init__(self, dim: int, bits: int, entries: int, **kwargs):
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)
        check_bits(bits)
        if bits > 8:
            raise ValueError(f"magnitude_bits is {bits}, expected 1 to 8")
        self.dim, self.bits, self.entries = dim, bits, entries

    def build(self, input_shape=None):
        """Create what is fitted."""

        def weight(name, *shape):
            return self.add_weight(
                name=name, shape=shape, initializer="zeros", trainable=False
            )

        self.scale, self.zero = weight("scale"), weight("zero")
        self.kernel = weight("rank_kernel", self.dim, self.entries)
        self.bias = weight("rank_bias", self.entries)
        super().build(input_shape)

    @property
    def needs_fit(self) -> bool:
        """Whether the grid is still missing."""
        return not np.any(self.scale)

    def fit(self, codeword: np.ndarray) -> None:
        """Set the grid: its cells tile the range of the first entries of `[n, M]`."""
        magnitude = codeword[:, : self.dim]
        low, high = float(magnitude.min()), float(magnitude.max())
        scale = max(high - low, 1e-6) / 2**self.bits
        self.scale.assign(scale)
        self.zero.assign(low + scale / 2 + scale * 2.0 ** (self.bits - 1))

    def fit_ranking(self, codeword: np.ndarray, magnitude: np.ndarray) -> None:
        """Set the ranking.

        Args:
            codeword: `[n, M]`, what the encoder gives for training CSI.
            magnitude: of that CSI, `[n, N]`.
        """
        if not self.entries:
            return
        indices = np.asarray(self.grid().indices(codeword[:, : self.dim]))
        kernel, bias = ranking.fit(indices, magnitude, self.bits)
        self.kernel.assign(kernel.astype(np.float32))
        self.bias.assign(bias.astype(np.float32))

    def grid(self, frozen: bool = False) -> AffineGrid:
        """Grid of the magnitudes' entries, of constants for exported graphs."""
        value = np.array if frozen else tf.convert_to_tensor
        return AffineGrid(self.bits, value(self.scale), value(self.zero))

    def ranking(self, frozen: bool = False) -> Ranking:
        """The ranking, of constants for exported graphs."""
        if frozen:
            kernel = np.array(self.kernel).astype(np.int8)
            return Ranking(kernel, np.array(self.bias), self.bits)
        value = tf.convert_to_tensor
        return Ranking(value(self.kernel), value(self.bias), self.bits)

    def get_config(self):
        """Constructor arguments."""
        own = {"dim": self.dim, "bits": self.bits, "entries": self.entries}
        return {**super().get_config(), **own}
