"""Adam with a rate of its own for fully connected layers."""

from __future__ import annotations

import tensorflow as tf

from zoo.keras_compat import keras


class Adam(keras.optimizers.Adam):
    """Adam that moves matrices by a share of the learning rate.

    Adam moves every weight by about the rate. An entry of a fully connected layer of
    2 N_t N_a inputs is about (2 N_t N_a)^-1/2, small beside the weights of a
    convolution: a rate at which these learn undoes in some steps what a fitted start
    has put there.

    Args:
        learning_rate: rate or schedule, of all other weights.
        dense_rate: share of it that weights of two dimensions take.
        **options: of Keras' Adam.
    """

    def __init__(self, learning_rate, dense_rate: float = 1.0, **options):
        super().__init__(learning_rate, **options)
        self.dense_rate = dense_rate

    def update_step(self, gradient, variable, *rate):
        """Update one weight; only Keras 3 hands the rate over."""
        if self.dense_rate == 1 or len(variable.shape) != 2:
            super().update_step(gradient, variable, *rate)
            return
        before = tf.identity(variable)
        super().update_step(gradient, variable, *rate)
        change = tf.convert_to_tensor(variable) - before
        variable.assign(before + self.dense_rate * change)
