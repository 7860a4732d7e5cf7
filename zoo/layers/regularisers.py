"""What the blocks of an unfolded iteration share: learned regularisers, transforms."""

from __future__ import annotations

import math

import tensorflow as tf

from zoo.keras_compat import keras, layers


def scaled_glorot(share: float):
    """Glorot's uniform start times a share; 0.01 leaves almost none of a matrix."""
    if share == 0:
        return keras.initializers.Zeros()
    return keras.initializers.VarianceScaling(share**2, "fan_avg", "uniform")


def soft_threshold(x, threshold):
    """Proximal map of threshold ||x||_1: sign(x) max(|x| - threshold, 0)."""
    return tf.sign(x) * tf.nn.relu(tf.abs(x) - threshold)


@keras.utils.register_keras_serializable(package="zoo")
class MlpRegulariser(layers.Layer):
    """g(x) = W2 relu(W1 x) without biases, LORA's gradient of a learned regulariser.

    Args:
        hidden: rows of W1.
        start: W2 begins at this share of Glorot's.
    """

    def __init__(self, hidden: int = 1024, start: float = 1.0, **kwargs):
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)
        self.hidden, self.start = hidden, start

    def build(self, input_shape):
        """Create W1 and W2, transposed, for `[batch, N]`."""
        size = input_shape[-1]
        self.inner = self.add_weight(name="inner", shape=(size, self.hidden))
        self.outer = self.add_weight(
            name="outer",
            shape=(self.hidden, size),
            initializer=scaled_glorot(self.start),
        )
        super().build(input_shape)

    def call(self, x):
        """`[batch, N]` to `[batch, N]`."""
        return tf.matmul(tf.nn.relu(tf.matmul(x, self.inner)), self.outer)

    def macs(self) -> int:
        """Multiply-accumulates of one example."""
        return 2 * math.prod(self.inner.shape)

    def get_config(self):
        """Constructor arguments."""
        own = {"hidden": self.hidden, "start": self.start}
        return {**super().get_config(), **own}


@keras.utils.register_keras_serializable(package="zoo")
class CnnRegulariser(layers.Layer):
    """g(x) = conv(relu(conv(x))), 3x3 without biases: LORA's ablation of the MLP.

    Args:
        csi_shape: (N_t, N_a, 2) of the matrix that x `[batch, N]` is.
        hidden: channels between the two convolutions.
        start: the second kernel begins at this share of Glorot's.
    """

    def __init__(self, csi_shape, hidden: int = 32, start: float = 1.0, **kwargs):
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)
        self.csi_shape, self.hidden = tuple(csi_shape), hidden
        self.start = start

    def build(self, input_shape):
        """Create the two kernels."""
        parts = self.csi_shape[-1]
        self.inner = self.add_weight(name="inner", shape=(3, 3, parts, self.hidden))
        self.outer = self.add_weight(
            name="outer",
            shape=(3, 3, self.hidden, parts),
            initializer=scaled_glorot(self.start),
        )
        super().build(input_shape)

    def call(self, x):
        """`[batch, N]` to `[batch, N]`."""
        y = tf.reshape(x, (-1, *self.csi_shape))
        y = tf.nn.relu(tf.nn.conv2d(y, self.inner, 1, "SAME"))
        return tf.reshape(tf.nn.conv2d(y, self.outer, 1, "SAME"), tf.shape(x))

    def macs(self) -> int:
        """Multiply-accumulates of one example."""
        return 2 * math.prod(self.inner.shape) * math.prod(self.csi_shape[:2])

    def get_config(self):
        """Constructor arguments."""
        own = {"hidden": self.hidden, "start": self.start}
        own["csi_shape"] = self.csi_shape
        return {**super().get_config(), **own}


@keras.utils.register_keras_serializable(package="zoo")
class SparseCoder(layers.Layer):
    """TiLISTA's sparse auto-encoder: D soft(E x, theta), no biases.

    At first D = E^T and the columns of E are orthonormal, so that the pair is the
    identity where theta is 0.

    Args:
        units: length of the sparse code, N or more.
    """

    def __init__(self, units: int, **kwargs):
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)
        self.units = units

    def build(self, input_shape):
        """Create E and D, transposed, for `[batch, N]`."""
        size = input_shape[-1]
        self.analysis = self.add_weight(
            name="analysis", shape=(size, self.units), initializer="orthogonal"
        )
        self.synthesis = self.add_weight(name="synthesis", shape=(self.units, size))
        self.synthesis.assign(tf.transpose(self.analysis))
        super().build(input_shape)

    def call(self, x, theta):
        """`[batch, N]` and a threshold to `[batch, N]`."""
        code = soft_threshold(tf.matmul(x, self.analysis), theta)
        return tf.matmul(code, self.synthesis)

    def macs(self) -> int:
        """Multiply-accumulates of one example."""
        return 2 * math.prod(self.analysis.shape)

    def get_config(self):
        """Constructor arguments."""
        return {**super().get_config(), "units": self.units}
