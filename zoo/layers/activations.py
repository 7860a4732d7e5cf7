"""Activations that Keras 3 and tf_keras define differently, or with other defaults."""

from __future__ import annotations

import tensorflow as tf

from zoo.keras_compat import keras, layers

# Ends the name of a LeakyReLU whose module the authors' code calls again later: some
# counts of operations keep the last call of a module only (`zoo.metrics.flops`).
EARLIER_CALL = "_earlier_call"


@keras.utils.register_keras_serializable(package="zoo")
class HardSigmoid(layers.Layer):
    """Piecewise linear sigmoid, min(max(x + 3, 0), 6) / 6.

    A layer of our own because `hard_sigmoid` has slope 1/6 in Keras 3 and 1/5 in
    tf_keras. Gradient 1/6 on (-3, 3), 0 outside.
    """

    def call(self, x):
        """Map `[...]` of any range to `[...]` in [0, 1]."""
        return tf.nn.relu6(x + 3.0) / 6.0

    def compute_output_shape(self, input_shape):
        """Shape of the input."""
        return input_shape


def prelu(name: str, slope: float = 0.3):
    """PReLU layer with one learned negative slope per channel.

    Args:
        name: layer name.
        slope: initial value of every slope.

    Returns:
        Layer from `[batch, N_t, N_a, channels]` to the same shape.
    """
    return layers.PReLU(
        alpha_initializer=keras.initializers.Constant(slope),
        shared_axes=[1, 2],
        name=name,
    )
