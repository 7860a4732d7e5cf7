"""Transformer stacks over the tokens of one example, post-norm or pre-norm."""

from __future__ import annotations

import functools

import tensorflow as tf

from zoo.keras_compat import keras, layers

EPSILON = 1e-5  # of every layer normalisation, PyTorch's default


@keras.utils.register_keras_serializable(package="zoo")
class TransformerEncoder(layers.Layer):
    """Stack of transformer encoder layers, as PyTorch's `nn.TransformerEncoder`.

    One layer, x `[batch, T, d]`, no dropout::

        x +- self_attn -+ + - norm1 -+- linear1 - ReLU - linear2 -+ + - norm2
          +-------------+            +----------------------------+

    and with the norms first, x unchanged while the last matrices are zero::

        x +- norm1 - self_attn -+ + -+- norm2 - linear1 - ReLU - linear2 -+ +
          +---------------------+    +------------------------------------+

    Every head computes softmax(Q K^T / sqrt(d / heads)) V over the T tokens of one
    example, softmax and normalisation in float32 under every precision policy.

    `tensors` holds the weights under PyTorch's names (`layers.0.linear1.weight`), one
    per PyTorch tensor and in PyTorch's order. Matrices are stored (inputs, outputs),
    which is the transpose of PyTorch's; Q, K and V are one matrix (d, 3 d).

    Args:
        num_layers: number of layers.
        heads: attention heads; must divide d.
        ffn: hidden units of the feed-forward network.
        shared: whether all layers use the weights of `layers.0`.
        norm_first: whether each norm is in front of what it belongs to (pre-norm).

    Raises:
        ValueError: `heads` does not divide d.
    """

    attentions: tuple[str, ...] = ("self_attn",)

    def __init__(
        self,
        num_layers: int,
        heads: int,
        ffn: int,
        shared: bool = False,
        norm_first: bool = False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.num_layers, self.heads = num_layers, heads
        self.ffn, self.shared, self.norm_first = ffn, shared, norm_first

    def build(self, input_shape):
        """Create the weights for tokens `[batch, T, d]`."""
        self.tokens, self.width = tuple(input_shape)[1:]
        if self.width % self.heads:
            raise ValueError(
                f"tokens of {self.width} values in {self.heads} heads: expected a "
                "number of heads that divides the values"
            )
        sizes = self.attentions, self.width, self.ffn
        self.tensors = {
            f"layers.{i}.{name}": self.add_weight(
                name=f"layers.{i}.{name}", shape=shape, initializer=initializer
            )
            for i in range(1 if self.shared else self.num_layers)
            for name, (shape, initializer) in layer_tensors(*sizes).items()
        }
        super().build(input_shape)

    def call(self, x):
        """Transform `[batch, T, d]`; the input is also what a decoder attends to."""
        memory = x
        for i in range(self.num_layers):
            w = self._layer(0 if self.shared else i)
            for n, name in enumerate(self.attentions):
                attend = functools.partial(self._attend, memory if n else None, w, name)
                x = self._add(x, attend, w, f"norm{n + 1}")
            feed = functools.partial(_feed_forward, w)
            x = self._add(x, feed, w, f"norm{len(self.attentions) + 1}")
        return x

    def _attend(self, memory, w: dict, name: str, x):
        """Attention to the memory; without one to x itself."""
        return attention(x, x if memory is None else memory, w, name, self.heads)

    def _add(self, x, branch, w: dict, norm: str):
        """Sum of x and what a branch makes of it."""
        if self.norm_first:
            return x + branch(_norm(x, w, norm))
        return _norm(x + branch(x), w, norm)

    def _layer(self, i: int) -> dict:
        """Weights of layer i without their prefix."""
        prefix = f"layers.{i}."
        return {
            name.removeprefix(prefix): tensor
            for name, tensor in self.tensors.items()
            if name.startswith(prefix)
        }

    def macs(self) -> int:
        """Multiply-accumulates of one example.

        Per attention the four projections and the products Q K^T and A V, plus the
        feed-forward networks; shared layers count as often as they run.
        """
        projections = 4 * self.tokens * self.width**2
        products = 2 * self.tokens**2 * self.width
        attentions = self.num_layers * len(self.attentions)
        return attentions * (projections + products) + self.functional_blind_macs()

    def functional_blind_macs(self) -> int:
        """Feed-forward products only, which is all that TransNet's FLOPs count."""
        return self.num_layers * 2 * self.tokens * self.width * self.ffn

    def compute_output_shape(self, input_shape):
        """Shape of the input."""
        return tuple(input_shape)

    def get_config(self):
        """Constructor arguments."""
        return {
            **super().get_config(),
            "num_layers": self.num_layers,
            "heads": self.heads,
            "ffn": self.ffn,
            "shared": self.shared,
            "norm_first": self.norm_first,
        }


@keras.utils.register_keras_serializable(package="zoo")
class Positions(layers.Layer):
    """Adds a trained vector to each token of `[batch, T, d]`."""

    def build(self, input_shape):
        """Create one vector a token, normal with a standard deviation of 0.02."""
        initializer = keras.initializers.RandomNormal(stddev=0.02)
        self.positions = self.add_weight(
            name="positions", shape=tuple(input_shape)[1:], initializer=initializer
        )
        super().build(input_shape)

    def call(self, x):
        """Same shape as x."""
        return x + tf.cast(self.positions, x.dtype)

    def macs(self) -> int:
        """Additions alone."""
        return 0

    def compute_output_shape(self, input_shape):
        """Shape of the input."""
        return tuple(input_shape)


@keras.utils.register_keras_serializable(package="zoo")
class TransformerDecoder(TransformerEncoder):
    """Stack of transformer decoder layers, as PyTorch's `nn.TransformerDecoder`.

    An encoder layer with a second attention (`multihead_attn`, `norm2`; the last norm
    is `norm3`) whose keys and values come from the memory. Target and memory are the
    same tensor, the input. The final layer normalisation is a layer of its own.
    """

    attentions = ("self_attn", "multihead_attn")


def layer_tensors(attentions, width: int, ffn: int) -> dict[str, tuple]:
    """PyTorch name to (shape, initialiser) of one layer's weights, in order.

    Xavier uniform matrices and zero attention biases; the feed-forward biases are
    U(-1/sqrt(inputs), 1/sqrt(inputs)), as PyTorch leaves them.
    """
    tensors = {}
    for name in attentions:
        tensors |= {
            f"{name}.in_proj_weight": ((width, 3 * width), "glorot_uniform"),
            f"{name}.in_proj_bias": ((3 * width,), "zeros"),
            f"{name}.out_proj.weight": ((width, width), "glorot_uniform"),
            f"{name}.out_proj.bias": ((width,), "zeros"),
        }
    for name, inputs, outputs in (("linear1", width, ffn), ("linear2", ffn, width)):
        bias = keras.initializers.RandomUniform(-(inputs**-0.5), inputs**-0.5)
        tensors[f"{name}.weight"] = (inputs, outputs), "glorot_uniform"
        tensors[f"{name}.bias"] = (outputs,), bias
    for n in range(len(attentions) + 1):
        tensors[f"norm{n + 1}.weight"] = (width,), "ones"
        tensors[f"norm{n + 1}.bias"] = (width,), "zeros"
    return tensors


def linear(x, kernel, bias):
    """Map `[batch, ..., inputs]` to x kernel + bias, `[batch, ..., outputs]`."""
    y = tf.matmul(tf.reshape(x, (-1, x.shape[-1])), kernel) + bias
    return tf.reshape(y, (-1, *x.shape[1:-1], y.shape[-1]))


def attention(target, memory, w: dict, name: str, heads: int):
    """Multi-head attention of the target's tokens to the memory's.

    Args:
        target: `[batch, T, d]`, makes the queries.
        memory: `[batch, S, d]`, makes keys and values.
        w: weights of the layer.
        name: prefix of the attention's weights.
        heads: number of heads.

    Returns:
        `[batch, T, d]`.
    """
    width = target.shape[-1]
    kernel, bias = w[f"{name}.in_proj_weight"], w[f"{name}.in_proj_bias"]
    q = linear(target, kernel[:, :width], bias[:width])
    k, v = tf.split(linear(memory, kernel[:, width:], bias[width:]), 2, axis=-1)
    q, k, v = (_split_heads(x, heads) for x in (q, k, v))
    scores = tf.cast(tf.matmul(q, k, transpose_b=True), "float32")
    scores = tf.nn.softmax(scores * (width / heads) ** -0.5)
    y = tf.transpose(tf.matmul(tf.cast(scores, v.dtype), v), (0, 2, 1, 3))
    y = tf.reshape(y, (-1, *target.shape[1:]))
    return linear(y, w[f"{name}.out_proj.weight"], w[f"{name}.out_proj.bias"])


def _feed_forward(w: dict, x):
    """Two linear maps with a ReLU between them, `[batch, T, d]`."""
    y = tf.nn.relu(linear(x, w["linear1.weight"], w["linear1.bias"]))
    return linear(y, w["linear2.weight"], w["linear2.bias"])


def _split_heads(x, heads: int):
    """`[batch, T, d]` to `[batch, heads, T, d / heads]`."""
    _, tokens, width = x.shape
    x = tf.reshape(x, (-1, tokens, heads, width // heads))
    return tf.transpose(x, (0, 2, 1, 3))


def _norm(x, w: dict, name: str):
    """Layer normalisation over the values of each token, in float32."""
    gain = tf.cast(w[f"{name}.weight"], "float32")
    bias = tf.cast(w[f"{name}.bias"], "float32")
    y = tf.cast(x, "float32")
    mean, variance = tf.nn.moments(y, axes=-1, keepdims=True)
    y = (y - mean) * tf.math.rsqrt(variance + EPSILON)
    return tf.cast(y * gain + bias, x.dtype)
