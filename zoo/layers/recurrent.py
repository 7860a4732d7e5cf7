"""Long short-term memory over time slots, fully connected and convolutional.

Equations, gate order (input, forget, cell, output) and weights are those of Keras'
LSTM and ConvLSTM2D with the logistic function at the gates, which in ConvLSTM2D is not
the default of every version. Keras 3's layers also keep a random generator among their
variables. Here all slots' inputs are one product, and the recursion over the few slots
is unrolled: operations that every device and TFLite have.
"""

from __future__ import annotations

import math

import tensorflow as tf

from zoo.keras_compat import keras, layers


def _recur(inputs, recurrent):
    """Hidden states h of all slots, h[-1] = c[-1] = 0.

        i, f, g, o = inputs[t] + recurrent(h[t - 1])
        c[t] = sigmoid(f) c[t - 1] + sigmoid(i) tanh(g)
        h[t] = sigmoid(o) tanh(c[t])

    Args:
        inputs: `[batch, T, ..., 4 n]`, the inputs' share of the four gates.
        recurrent: function from `[batch, ..., n]` to `[batch, ..., 4 n]`.

    Returns:
        `[batch, T, ..., n]`.
    """
    cell, hidden = None, []
    for gates in tf.unstack(inputs, axis=1):
        if hidden:
            gates += recurrent(hidden[-1])
        i, f, g, o = tf.split(gates, 4, axis=-1)
        new = tf.sigmoid(i) * tf.tanh(g)
        cell = new if cell is None else tf.sigmoid(f) * cell + new
        hidden.append(tf.sigmoid(o) * tf.tanh(cell))
    return tf.stack(hidden, axis=1)


def _forget_bias(shape, dtype=None):
    """Zero, and one at the forget gate."""
    return tf.repeat(tf.constant([0, 1, 0, 0], dtype or "float32"), shape[0] // 4)


def _add_weights(layer, kernel, recurrent) -> None:
    """Give a layer the two kernels and the bias of its four gates."""
    for name, shape, initializer in (
        ("kernel", kernel, "glorot_uniform"),
        ("recurrent_kernel", recurrent, "orthogonal"),
        ("bias", kernel[-1:], _forget_bias),
    ):
        weight = layer.add_weight(name=name, shape=shape, initializer=initializer)
        setattr(layer, name, weight)


def _macs(layer, positions: int) -> int:
    """MACs of T slots; the first has no hidden state to multiply."""
    slots = layer.output.shape[1]
    inputs, recurrent = (
        math.prod(w.shape) for w in (layer.kernel, layer.recurrent_kernel)
    )
    return (slots * inputs + (slots - 1) * recurrent) * positions


@keras.utils.register_keras_serializable(package="zoo")
class LSTM(layers.Layer):
    """LSTM that returns the hidden state of every slot.

    Args:
        units: size n of the hidden state.
    """

    def __init__(self, units: int, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, input_shape):
        """Create kernels `[inputs, 4 n]` and `[n, 4 n]` and the bias `[4 n]`."""
        gates = 4 * self.units
        _add_weights(self, (input_shape[-1], gates), (self.units, gates))
        super().build(input_shape)

    def call(self, x):
        """Map `[batch, T, inputs]` to `[batch, T, units]`."""
        gates = tf.nn.bias_add(tf.tensordot(x, self.kernel, 1), self.bias)
        kernel = tf.convert_to_tensor(self.recurrent_kernel)
        return _recur(gates, lambda hidden: tf.matmul(hidden, kernel))

    def macs(self) -> int:
        """Multiply-accumulates of one example."""
        return _macs(self, positions=1)

    def compute_output_shape(self, input_shape):
        """Input shape with `units` features."""
        return (*input_shape[:-1], self.units)

    def get_config(self):
        """Constructor arguments."""
        return {**super().get_config(), "units": self.units}


@keras.utils.register_keras_serializable(package="zoo")
class ConvLSTM(layers.Layer):
    """LSTM whose products are same-padded convolutions over angle and delay.

    Args:
        filters: channels n of the hidden state.
        kernel_size: (along angle, along delay), of both convolutions.
    """

    def __init__(self, filters: int, kernel_size=(3, 3), **kwargs):
        super().__init__(**kwargs)
        self.filters, self.kernel_size = filters, tuple(kernel_size)

    def build(self, input_shape):
        """Create kernels `[rows, cols, channels, 4 n]` and the bias `[4 n]`."""
        size, gates = self.kernel_size, 4 * self.filters
        _add_weights(
            self, (*size, input_shape[-1], gates), (*size, self.filters, gates)
        )
        super().build(input_shape)

    def call(self, x):
        """Map `[batch, T, N_t, N_a, channels]` to `[batch, T, N_t, N_a, filters]`."""
        slots, angles, delays, channels = x.shape[1:]
        maps = tf.reshape(x, [-1, angles, delays, channels])
        kernel = tf.convert_to_tensor(self.kernel)
        gates = tf.nn.conv2d(maps, kernel, strides=1, padding="SAME")
        gates = tf.nn.bias_add(gates, self.bias)
        gates = tf.reshape(gates, [-1, slots, angles, delays, 4 * self.filters])
        kernel = tf.convert_to_tensor(self.recurrent_kernel)
        return _recur(gates, lambda h: tf.nn.conv2d(h, kernel, 1, "SAME"))

    def macs(self) -> int:
        """Multiply-accumulates of one example."""
        return _macs(self, positions=math.prod(self.output.shape[2:4]))

    def compute_output_shape(self, input_shape):
        """Input shape with `filters` channels."""
        return (*input_shape[:-1], self.filters)

    def get_config(self):
        """Constructor arguments."""
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
        }
