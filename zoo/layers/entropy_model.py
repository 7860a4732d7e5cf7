"""Rounding of a codeword together with a learned model of its symbols."""

from __future__ import annotations

import itertools
import math

import numpy as np
import tensorflow as tf

from zoo.keras_compat import keras, layers

WIDTHS = (1, 3, 3, 3, 1)  # of the cumulative's K = 4 layers
SPREAD = 10.0  # the density starts about this wide
SMALLEST = 1e-7  # of the difference of two log probabilities, so that its log is finite


@keras.utils.register_keras_serializable(package="zoo")
class EntropyBottleneck(layers.Layer):
    """Uniform quantiser of step 1 with a learned density per channel.

    Inference rounds to integers, which an entropy coder with the tables of `cdf` sends.
    Training (`with_noise`) adds noise from U(-1/2, 1/2) in place of rounding, and

        rate_weight * mean(bits per codeword entry)

    to the loss, which with mean squared error is a rate-distortion Lagrangian. An entry
    has the probability

        P(q) = C(q + 1/2) - C(q - 1/2),  C = sigmoid(f4(f3(f2(f1(.)))))
        fk(x) = y + tanh(a) tanh(y),  y = softplus(H) x + b;  f4(x) = y

    of the fully factorised model in Balle, Minnen, Singh, Hwang, Johnston,
    "Variational Image Compression with a Scale Hyperprior", ICLR 2018, appendix 6.1.
    softplus(H) > 0 and tanh(a) > -1 make C increase. Runs in float32 under every
    precision policy.

    Args:
        channels: the codeword's entry m belongs to channel m mod `channels`.
        rate_weight: loss per bit and codeword entry.

    Raises:
        ValueError: the codeword length is not a multiple of `channels`.
    """

    def __init__(self, channels: int, rate_weight: float, **kwargs):
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)
        self.channels, self.rate_weight = channels, rate_weight

    def build(self, input_shape):
        """Create H `[channels, out, in]`, b and a `[channels, out, 1]` of each f."""
        if input_shape[-1] % self.channels:
            raise ValueError(
                f"codeword of length {input_shape[-1]} with {self.channels} channels, "
                "expected a multiple of the channels"
            )
        depth = len(WIDTHS) - 1
        self._stages = []
        for k, (inputs, outputs) in enumerate(itertools.pairwise(WIDTHS)):
            # softplus(start) is such that the slope of all f together is 1 / SPREAD.
            start = math.log(math.expm1(SPREAD ** (-1 / depth) / outputs))
            constant = keras.initializers.Constant(start)
            uniform = keras.initializers.RandomUniform(-0.5, 0.5)
            stage = [
                self._weight(f"matrix{k}", outputs, inputs, constant),
                self._weight(f"bias{k}", outputs, 1, uniform),
            ]
            if k < depth - 1:
                stage.append(self._weight(f"factor{k}", outputs, 1, "zeros"))
            self._stages.append(stage)
        super().build(input_shape)

    def _weight(self, name: str, rows: int, cols: int, initializer):
        shape = (self.channels, rows, cols)
        return self.add_weight(name=name, shape=shape, initializer=initializer)

    def _logits(self, x):
        """Logits of C at `[channels, 1, n]`, float32."""
        for matrix, bias, *factor in self._stages:
            x = tf.matmul(tf.nn.softplus(matrix), x) + bias
            if factor:
                x += tf.tanh(factor[0]) * tf.tanh(x)
        return x

    def _code_length(self, values):
        """Bits -log2 P of each entry of `[batch, M]`."""
        x = tf.transpose(tf.reshape(values, [-1, self.channels]))[:, None]
        upper, lower = self._logits(x + 0.5), self._logits(x - 0.5)
        # Where both sigmoids would round to 1, use 1 - sigmoid(x) = sigmoid(-x).
        mirror = upper + lower > 0
        near = tf.math.log_sigmoid(tf.where(mirror, -lower, upper))
        far = tf.math.log_sigmoid(tf.where(mirror, -upper, lower))
        gap = tf.maximum(near - far, SMALLEST)
        nats = -near - tf.math.log(-tf.math.expm1(-gap))
        return tf.reshape(tf.transpose(nats[:, 0]), tf.shape(values)) / math.log(2)

    def call(self, codeword):
        """Round `[batch, M]`; float32."""
        return tf.round(tf.cast(codeword, "float32"))

    def with_noise(self, codeword, noise):
        """Training's stand-in for rounding.

        Args:
            codeword: `[batch, M]`.
            noise: `[batch, M]` float32 from U(-1/2, 1/2).

        Returns:
            The noisy codeword, float32, and the rate loss `[batch]` of the examples.
        """
        noisy = tf.cast(codeword, "float32") + noise
        bits = tf.reduce_mean(self._code_length(noisy), axis=1)
        return noisy, self.rate_weight * bits

    def symbols(self, codeword):
        """Integers that are sent for a codeword `[batch, M]`, int32."""
        return tf.cast(tf.round(tf.cast(codeword, "float32")), "int32")

    def bits(self, codeword):
        """Ideal code length of the symbols of a codeword `[batch, M]`.

        Returns:
            `[batch]` float32, bits of each example; an arithmetic coder comes within
            two bits, apart from the rounding of its tables.
        """
        symbols = tf.cast(self.symbols(codeword), "float32")
        return tf.reduce_sum(self._code_length(symbols), axis=1)

    def cdf(self, low: int, high: int, total: int) -> np.ndarray:
        """Cumulative frequencies for an entropy coder.

        Symbol s of channel c has the share [table[c, s - low], table[c, s - low + 1])
        of `total`, never empty; the tails belong to `low` and `high`, to which the
        sender clips. Both ends need the same table: store it, since other hardware may
        round differently.

        Args:
            low: smallest symbol.
            high: largest symbol.
            total: sum of the frequencies.

        Returns:
            int64 `[channels, high - low + 2]`, from 0 to `total`.

        Raises:
            ValueError: no symbols, or more than `total`.
        """
        num = high - low + 1
        if not 0 < num <= total:
            raise ValueError(
                f"symbols from {low} to {high}: expected 1 to {total} symbols"
            )
        edges = np.arange(low, high, dtype=np.float32) + np.float32(0.5)
        x = tf.tile(edges[None, None], [self.channels, 1, 1])
        inner = np.asarray(tf.sigmoid(self._logits(x)))[:, 0].astype(np.float64)
        inner = np.floor(np.maximum.accumulate(inner, axis=1) * (total - num))
        table = np.zeros((self.channels, num + 1), np.int64)
        table[:, 1:-1] = inner + np.arange(1, num)
        table[:, -1] = total
        return table

    def macs(self) -> int:
        """None: sender and receiver round and look up tables."""
        return 0

    def compute_output_shape(self, input_shape):
        """Shape of the input."""
        return input_shape

    def get_config(self):
        """Constructor arguments."""
        return {
            **super().get_config(),
            "channels": self.channels,
            "rate_weight": self.rate_weight,
        }
