"""CSI as magnitude and phase, and back."""

from __future__ import annotations

import math

import tensorflow as tf

from zoo.keras_compat import keras, layers

TINY = 1e-12
STEEPEST = 1e3  # bound of the slope of sin = sqrt(1 - cos^2) where |cos| is near 1


@keras.utils.register_keras_serializable(package="zoo")
class Magnitude(layers.Layer):
    """`[batch, N_t, N_a, 2]` in [0, 1] to gain |h| `[batch, N_t, N_a, 1]`.

    Args:
        gain: factor.
    """

    def __init__(self, gain: float, **kwargs):
        super().__init__(**kwargs)
        self.gain = gain

    def call(self, csi):
        """Magnitude of zero-centred CSI, in float32."""
        h = tf.cast(csi, "float32") - 0.5
        return self.gain * tf.sqrt(tf.reduce_sum(tf.square(h), -1, keepdims=True))

    def compute_output_shape(self, input_shape):
        """One channel."""
        return (*input_shape[:-1], 1)

    def get_config(self):
        """Constructor arguments."""
        return {**super().get_config(), "gain": self.gain}


@keras.utils.register_keras_serializable(package="zoo")
class Phase(layers.Layer):
    """`[batch, N_t, N_a, 2]` in [0, 1] to what says its phase `[batch, N_t, N_a, 1]`.

    Args:
        kind: 'cosine' (1 where h is 0), 'sign' of the sine (1 where it is 0), or
            'angle' in units of pi, from -1 to 1.

    Raises:
        ValueError: another kind.
    """

    KINDS = ("cosine", "sign", "angle")

    def __init__(self, kind: str, **kwargs):
        super().__init__(**kwargs)
        if kind not in self.KINDS:
            raise ValueError(f"kind is {kind!r}, expected one of {self.KINDS}")
        self.kind = kind

    def call(self, csi):
        """Phase of zero-centred CSI, in float32."""
        h = tf.cast(csi, "float32") - 0.5
        re, im = h[..., :1], h[..., 1:]
        if self.kind == "sign":
            return tf.where(im < 0, -1.0, 1.0)
        if self.kind == "angle":
            return tf.atan2(im, re) / math.pi
        size = tf.sqrt(tf.square(re) + tf.square(im))
        return tf.where(size > TINY, re / tf.maximum(size, TINY), 1.0)

    def compute_output_shape(self, input_shape):
        """One channel."""
        return (*input_shape[:-1], 1)

    def get_config(self):
        """Constructor arguments."""
        return {**super().get_config(), "kind": self.kind}


def phase_error(csi, csi_hat):
    """|h| (phi - phi_hat) in radians, `[batch, N_t, N_a, 1]`, of CSI in [0, 1].

    Its square is the loss MDPP of Lin, Liu, Lee, Ding, IEEE Wireless Communications
    Letters 10(10), 2021: phases differ as numbers from -pi to pi, not on the circle.
    Where the estimate is 0 it has no phase, and none is learned.
    """
    h, h_hat = (tf.cast(x, "float32") - 0.5 for x in (csi, csi_hat))
    size = tf.reduce_sum(tf.square(h_hat), axis=-1, keepdims=True)
    h_hat = tf.where(size > TINY, h_hat, [1.0, 0.0])
    error = tf.atan2(h[..., 1:], h[..., :1]) - tf.atan2(h_hat[..., 1:], h_hat[..., :1])
    return tf.norm(h, axis=-1, keepdims=True) * error


def sine(cosine):
    """sqrt(1 - cos^2) >= 0, exact at |cos| = 1 and with a finite slope there."""
    square = tf.maximum(1.0 - tf.square(cosine), 0.0)
    smooth = square > STEEPEST**-2
    root = tf.sqrt(tf.where(smooth, square, 1.0))
    return tf.where(smooth, root, STEEPEST * square)


@keras.utils.register_keras_serializable(package="zoo")
class FromPolar(layers.Layer):
    """Real and imaginary part of magnitude and phase, all `[batch, N_t, N_a, 1]`.

    `[m, cos, sign]` gives m (cos, sign sqrt(1 - cos^2)); a sign of 0, one that was not
    sent, leaves the imaginary part 0. `[m, a]` gives m (cos pi a, sin pi a).
    """

    def call(self, inputs):
        """Zero-centred `[batch, N_t, N_a, 2]` float32."""
        magnitude, phase, *sign = (tf.cast(x, "float32") for x in inputs)
        if sign:
            parts = phase, sign[0] * sine(phase)
        else:
            parts = tf.cos(math.pi * phase), tf.sin(math.pi * phase)
        return magnitude * tf.concat(parts, axis=-1)

    def compute_output_shape(self, input_shape):
        """Two channels."""
        return (*input_shape[0][:-1], 2)


@keras.utils.register_keras_serializable(package="zoo")
class Stretch(layers.Layer):
    """Multiply `[batch, L]` by learned kappa `[L]`: how fine a grid behind it is.

    kappa starts at 1: entries in (-1, 1) fill a grid over [-1, 1].
    """

    def build(self, input_shape):
        """Create kappa."""
        self.kappa = self.add_weight(
            name="kappa", shape=(input_shape[-1],), initializer="ones"
        )
        super().build(input_shape)

    def call(self, x):
        """Each entry times its kappa."""
        return x * tf.cast(self.kappa, x.dtype)

    def compute_output_shape(self, input_shape):
        """Shape of the input."""
        return input_shape


@keras.utils.register_keras_serializable(package="zoo")
class Unstretch(layers.Layer):
    """Divide `[batch, L]` by the kappa of another layer, which the BS knows too.

    Args:
        stretch: that layer.
    """

    def __init__(self, stretch: Stretch, **kwargs):
        super().__init__(**kwargs)
        self.stretch = stretch

    def build(self, input_shape):
        """Create kappa where this layer is the first to need it."""
        if not self.stretch.built:
            self.stretch.build(input_shape)
        super().build(input_shape)

    def call(self, x):
        """Each entry by its kappa."""
        return x / tf.cast(self.stretch.kappa, x.dtype)

    def compute_output_shape(self, input_shape):
        """Shape of the input."""
        return input_shape
