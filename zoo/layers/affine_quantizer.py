"""Uniform quantisers with learned scale and zero point: QAT, LSQ and LSZQ."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from zoo.keras_compat import keras, layers
from zoo.layers.quantizers import check_bits

LEARNED = {"qat": (), "lsq": ("scale",), "lszq": ("scale", "zero")}


class AffineGrid(NamedTuple):
    """The values s q + z of a B-bit code, q from n = -2^(B-1) to p = 2^(B-1) - 1.

    Attributes:
        bits: B.
        scale: s > 0, scalar or `[M]`.
        zero: z, scalar or `[M]`.
    """

    bits: int
    scale: object
    zero: object

    @property
    def lowest(self) -> float:
        """The bound n."""
        return -(2.0 ** (self.bits - 1))

    def _clipped(self, r):
        u = (tf.cast(r, "float32") - self.zero) / self.scale
        return tf.clip_by_value(u, self.lowest, -self.lowest - 1)

    def indices(self, r):
        """Quantise `[batch, M]` float32 to `[batch, M]` int32 in [0, 2^B - 1]."""
        return tf.cast(tf.round(self._clipped(r)) - self.lowest, "int32")

    def dequantize(self, indices):
        """Map `[batch, M]` int32 indices to `[batch, M]` float32."""
        q = tf.cast(indices, "float32") + self.lowest
        return q * self.scale + self.zero

    def quantise(self, r):
        """Quantise and reconstruct `[batch, M]`; the rounding's gradient is 1."""
        u = self._clipped(r)
        return (u + tf.stop_gradient(tf.round(u) - u)) * self.scale + self.zero


@keras.utils.register_keras_serializable(package="zoo")
class AffineQuantizer(layers.Layer):
    """Uniform B-bit quantiser whose scale s and zero point z can be trained.

    Of LORA's paper (Hu, Liu, Xie, Xue, Meng, Gunduz, IEEE Transactions on Wireless
    Communications 23(1), 2024), eq. 31-33, with u = (r - z) / s::

        q = round(clip(u, n, p)),  r_hat = s q + z
                                 n < u < p       else
        d r_hat / d s            round(u) - u    n or p
        d r_hat / d z            0               1
        d r_hat / d r            1               0

    s_0 and z_0, where the two start, come from `fit`, or are given by hand as in the
    paper; before it the layer gives NaN. Trained are by default a and b of
    s = s_0 exp(a) and z = z_0 + s_0 b: an optimiser's step changes s by a share of
    itself and z by a share of a grid step, whatever the range of the codeword. With
    `direct` s and z themselves are trained, as the paper says: the same step is then a
    large part of a fine grid's (of |s|, which an optimiser may drive below 0). No
    factor scales their gradients: Adam's steps do not depend on it. Runs in float32
    under every precision policy.

    Args:
        bits: B, 1 to 16.
        kind: 'qat' (s and z stay as fitted), 'lsq' (s is trained) or 'lszq' (both).
        per_entry: an s and z for each of the M entries instead of one for all.
        scale: s_0 instead of the fitted one, more than 0.
        zero: z_0 instead of the fitted one.
        direct: s and z are trained themselves.

    Raises:
        ValueError: an argument is out of range.
    """

    def __init__(
        self,
        bits: int,
        kind: str = "lszq",
        per_entry: bool = False,
        scale: float | None = None,
        zero: float | None = None,
        direct: bool = False,
        **kwargs,
    ):
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)
        check_bits(bits)
        if kind not in LEARNED:
            raise ValueError(f"kind is {kind!r}, expected one of {', '.join(LEARNED)}")
        if scale is not None and not scale > 0:
            raise ValueError(f"scale is {scale}, expected more than 0")
        self.bits, self.kind, self.per_entry = bits, kind, per_entry
        self.by_hand, self.direct = (scale, zero), direct

    def build(self, input_shape):
        """Create s_0, z_0 (or s and z) and what is trained for `[batch, M]`."""
        shape = (input_shape[-1],) if self.per_entry else ()

        def weight(name, trainable):
            return self.add_weight(
                name=name, shape=shape, initializer="zeros", trainable=trainable
            )

        learned = LEARNED[self.kind]
        self.log_gain = self.shift = None
        if self.direct:
            self.first_scale = weight("scale", "scale" in learned)
            self.first_zero = weight("zero", "zero" in learned)
        else:
            self.first_scale = weight("first_scale", False)
            self.first_zero = weight("first_zero", False)
            self.log_gain = weight("log_gain", True) if "scale" in learned else None
            self.shift = weight("shift", True) if "zero" in learned else None
        super().build(input_shape)

    @property
    def needs_fit(self) -> bool:
        """Whether s_0 and z_0 are still missing."""
        return not np.any(self.first_scale)

    def fit(self, codeword: np.ndarray) -> None:
        """Set s_0 and z_0: the 2^B cells of the grid tile the codeword's range.

        Args:
            codeword: `[n, M]`, what the encoder gives for training CSI.
        """
        axis = 0 if self.per_entry else None
        low, high = codeword.min(axis), codeword.max(axis)
        step = np.maximum(high - low, 1e-6 * max(np.abs(codeword).max(), 1e-6))
        scale = step / 2**self.bits
        zero = low + scale / 2 + scale * 2.0 ** (self.bits - 1)
        for weight, fitted, given in zip(
            (self.first_scale, self.first_zero),
            (scale, zero),
            self.by_hand,
            strict=True,
        ):
            value = fitted if given is None else np.full(weight.shape, given)
            weight.assign(value.astype(np.float32))

    @property
    def grid(self) -> AffineGrid:
        """The grid with the current s and z, which gradients reach."""
        first = scale = tf.abs(tf.convert_to_tensor(self.first_scale))
        zero = tf.convert_to_tensor(self.first_zero)
        if self.log_gain is not None:
            scale = first * tf.exp(self.log_gain)
        if self.shift is not None:
            zero = zero + first * self.shift
        return AffineGrid(self.bits, scale, zero)

    def frozen(self) -> AffineGrid:
        """The grid as constants, for exported graphs."""
        bits, scale, zero = self.grid
        return AffineGrid(bits, scale.numpy(), zero.numpy())

    def indices(self, r):
        """Quantise `[batch, M]` float32 to `[batch, M]` int32 in [0, 2^B - 1]."""
        return self.grid.indices(r)

    def dequantize(self, indices):
        """Map `[batch, M]` int32 indices to `[batch, M]` float32."""
        return self.grid.dequantize(indices)

    def call(self, r):
        """Quantise and reconstruct `[batch, M]`."""
        return self.grid.quantise(r)

    def agreed(self) -> dict:
        """What both sides must know, for codec.json."""
        _, scale, zero = self.frozen()
        return {"scale": scale.tolist(), "zero": zero.tolist()}

    def compute_output_shape(self, input_shape):
        """Shape of the input."""
        return input_shape

    def get_config(self):
        """Constructor arguments."""
        scale, zero = self.by_hand
        own = {"bits": self.bits, "kind": self.kind, "per_entry": self.per_entry}
        own |= {"scale": scale, "zero": zero, "direct": self.direct}
        return {**super().get_config(), **own}
