"""What the blocks of an unfolded iteration share: learned regularisers, transforms."""

from __future__ import annotations

import math

import tensorflow as tf

from zoo.keras_compat import keras, layers


def soft_threshold(x, threshold):
    """Proximal map of threshold ||x||_1: sign(x) max(|x| - threshold, 0)."""
    return tf.sign(x) * tf.nn.relu(tf.abs(x) - threshold)


@keras.utils.register_keras_serializable(package="zoo")
class MlpRegulariser(layers.Layer):
    """g(x) = W2 relu(W1 x) without biases, LORA's gradient of a learned regulariser.

    Args:
        hidden: rows of W1.
    """

    def __init__(self, hidden: int = 1024, **kwargs):
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)
        self.hidden = hidden

    def build(self, input_shape):
        """Create W1 and W2, transposed, for `[batch, N]`."""
        size = input_shape[-1]
        self.inner = self.add_weight(name="inner", shape=(size, self.hidden))
        self.outer = self.add_weight(name="outer", shape=(self.hidden, size))
        super().build(input_shape)

    def call(self, x):
        """`[batch, N]` to `[batch, N]`."""
        return tf.matmul(tf.nn.relu(tf.matmul(x, self.inner)), self.outer)

    def macs(self) -> int:
        """Multiply-accumulates of one example."""
        return 2 * math.prod(self.inner.shape)

    def get_config(self):
        """Constructor arguments."""
        return {**super().get_config(), "hidden": self.hidden}


@keras.utils.register_keras_serializable(package="zoo")
class CnnRegulariser(layers.Layer):
    """g(x) = conv(relu(conv(x))), 3x3 without biases: LORA's ablation of the MLP.

    Args:
        csi_shape: (N_t, N_a, 2) of the matrix that x `[batch, N]` is.
        hidden: channels between the two convolutions.
    """

    def __init__(self, csi_shape, hidden: int = 32, **kwargs):
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)
        self.csi_shape, self.hidden = tuple(csi_shape), hidden

    def build(self, input_shape):
        """Create the two kernels."""
        parts = self.csi_shape[-1]
        shapes = {"inner": (3, 3, parts, self.hidden)}
        shapes["outer"] = (3, 3, self.hidden, parts)
        for name, shape in shapes.items():
            setattr(self, name, self.add_weight(name=name, shape=shape))
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
        own = {"csi_shape": self.csi_shape, "hidden": self.hidden}
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
