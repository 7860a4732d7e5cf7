"""Layers of unfolded iterations that recover CSI x from its measurement v = A x.

A block is one iteration. What all blocks and the encoder share (the matrix A, a learned
transform or regulariser) is a layer that each block holds, so its weights exist once.
Blocks take the measurement alone, and then start from x = 0, or the pair (x, v). All
of them run in float32 under every precision policy: A x - v is a small difference.
"""

from __future__ import annotations

import math

import tensorflow as tf

from zoo.keras_compat import keras, layers
from zoo.layers.regularisers import soft_threshold


def residual(x, v, kernel):
    """A x - v, A transposed is `kernel` `[N, M]`; x None stands for 0."""
    return -v if x is None else tf.matmul(x, kernel) - v


def adjoint(r, kernel):
    """A^T r of `[batch, M]`, A transposed is `kernel` `[N, M]`."""
    return tf.matmul(r, kernel, transpose_b=True)


def build_once(layer, input_shape) -> None:
    """Build a layer that several blocks hold."""
    if not layer.built:
        layer.build(input_shape)


class Block(layers.Layer):
    """One iteration; subclasses say how x and v make the next x.

    Args:
        sensing: the encoder's built FC layer without bias, its kernel is A^T `[N, M]`.
    """

    def __init__(self, sensing, **kwargs):
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)
        self.sensing = sensing

    def scalar(self, name: str, value: float):
        """Create a learned scalar."""
        start = keras.initializers.Constant(value)
        return self.add_weight(name=name, shape=(), initializer=start)

    def call(self, inputs):
        """Next x `[batch, N]` of v `[batch, M]`, or of `[x, v]`."""
        x, v = inputs if isinstance(inputs, (list, tuple)) else (None, inputs)
        return self.iterate(x, v)

    def sensing_macs(self) -> int:
        """Multiply-accumulates of A x, unless x is 0, and of A^T."""
        products = 2 if isinstance(self.input, (list, tuple)) else 1
        return products * math.prod(self.sensing.kernel.shape)

    def compute_output_shape(self, input_shape):
        """`[batch, N]`."""
        first = input_shape[0]
        batch = first[0] if isinstance(first, (list, tuple)) else first
        return (batch, self.sensing.kernel.shape[0])


class DescentBlock(Block):
    """LORA: x - alpha (A^T (A x - v) + g(x)), alpha learned.

    Args:
        sensing: see `Block`.
        regulariser: layer g, `[batch, N]` to `[batch, N]`.
    """

    def __init__(self, sensing, regulariser, **kwargs):
        super().__init__(sensing, **kwargs)
        self.regulariser = regulariser

    def build(self, input_shape):
        """Create alpha."""
        self.alpha = self.scalar("alpha", 1.0)
        build_once(self.regulariser, (None, self.sensing.kernel.shape[0]))
        super().build(input_shape)

    def iterate(self, x, v):
        """Next x; g(0) of the first block is evaluated once for the batch."""
        kernel = self.sensing.kernel
        data = adjoint(residual(x, v, kernel), kernel)
        start = tf.zeros((1, kernel.shape[0])) if x is None else x
        return start - self.alpha * (data + self.regulariser(start))

    def start_neutral(self, theta: float) -> None:
        """Leave only the gradient step: alpha 1, g 0."""
        self.alpha.assign(1.0)
        self.regulariser.outer.assign(tf.zeros_like(self.regulariser.outer))

    def macs(self) -> int:
        """Multiply-accumulates of one example, g(0) of the first block included."""
        return self.sensing_macs() + self.regulariser.macs()


class ShrinkageBlock(Block):
    """ISTA: soft(x - alpha A^T (A x - v), theta), alpha and theta learned.

    Args:
        sensing: see `Block`.
        alpha: initial step.
        theta: initial threshold.
    """

    def __init__(self, sensing, alpha: float = 1.0, theta: float = 1e-3, **kwargs):
        super().__init__(sensing, **kwargs)
        self.initial = alpha, theta

    def build(self, input_shape):
        """Create alpha and theta."""
        alpha, theta = self.initial
        self.alpha, self.theta = (
            self.scalar("alpha", alpha),
            self.scalar("theta", theta),
        )
        super().build(input_shape)

    def iterate(self, x, v):
        """Next x."""
        kernel = self.sensing.kernel
        step = -self.alpha * adjoint(residual(x, v, kernel), kernel)
        return soft_threshold(step if x is None else x + step, self.theta)

    def start_neutral(self, theta: float) -> None:
        """Leave the gradient step and almost no shrinkage: alpha 1."""
        self.alpha.assign(1.0)
        self.theta.assign(theta)

    def macs(self) -> int:
        """Multiply-accumulates of one example."""
        return self.sensing_macs()


class TiedBlock(ShrinkageBlock):
    """TiLISTA: D soft(E (x - alpha W^T (A x - v)), theta), alpha and theta learned.

    Args:
        sensing: see `Block`.
        back: built FC layer without bias, its kernel is W^T `[N, M]`.
        coder: `SparseCoder`, E and D.
        **kwargs: of `ShrinkageBlock`.
    """

    def __init__(self, sensing, back, coder, **kwargs):
        super().__init__(sensing, **kwargs)
        self.back, self.coder = back, coder

    def build(self, input_shape):
        """Create alpha and theta."""
        build_once(self.coder, (None, self.sensing.kernel.shape[0]))
        super().build(input_shape)

    def iterate(self, x, v):
        """Next x."""
        error = residual(x, v, self.sensing.kernel)
        step = -self.alpha * adjoint(error, self.back.kernel)
        return self.coder(step if x is None else x + step, theta=self.theta)

    def macs(self) -> int:
        """Multiply-accumulates of one example."""
        return self.sensing_macs() + self.coder.macs()
