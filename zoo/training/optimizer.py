"""Adam with rates by kind of weight, and a look at its epsilon."""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf

from zoo.keras_compat import LEGACY, keras

FAR = 10  # times epsilon: gradients above it take nearly the whole rate


class Adam(keras.optimizers.Adam):
    """Adam that moves matrices by a share of the learning rate.

    Adam moves every weight by about the rate. An entry of a fully connected layer of
    2 N_t N_a inputs is about (2 N_t N_a)^-1/2, small beside the weights of a
    convolution: a rate at which these learn undoes in some steps what a fitted start
    has put there.

    Args:
        learning_rate: rate or schedule, of all other weights.
        dense_rate: share of it that weights of two dimensions take.
        relative: make the step of a weight of two or more dimensions as long as the
            rate times its norm, as LAMB does (You et al., "Large Batch Optimization for
            Deep Learning", 2020, https://arxiv.org/abs/1904.00962); of a weight that is
            zero it stays Adam's.
        ema: share of the weights' average that an update keeps; 0: no average.
        **options: of Keras' Adam.

    Raises:
        ValueError: an average on tf_keras.
    """

    def __init__(
        self,
        learning_rate,
        dense_rate: float = 1.0,
        relative: bool = False,
        ema: float = 0.0,
        **options,
    ):
        if ema and LEGACY:
            raise ValueError(
                f"--ema={ema:g}: tf_keras averages from before the fitted start on; "
                "leave out TF_USE_LEGACY_KERAS, or --ema"
            )
        averaging = {"use_ema": True, "ema_momentum": ema} if ema else {}
        super().__init__(learning_rate, **averaging, **options)
        self.dense_rate, self.relative = dense_rate, relative

    def update_step(self, gradient, variable, *rate):
        """Update one weight; only Keras 3 hands the rate over."""
        share = self.dense_rate if len(variable.shape) == 2 else 1
        relative = self.relative and len(variable.shape) > 1
        if share == 1 and not relative:
            super().update_step(gradient, variable, *rate)
            return
        before = tf.identity(variable)
        super().update_step(gradient, variable, *rate)
        change = share * (tf.convert_to_tensor(variable) - before)
        if relative:
            full = tf.cast(rate[0] if rate else self.learning_rate, change.dtype)
            length = share * full * tf.norm(before)
            scale = tf.math.divide_no_nan(length, tf.norm(change))
            change *= tf.where(length > 0, scale, 1.0)
        variable.assign(before + change)

    def median_gradient(self) -> float:
        """Median over the weights of their gradients' root mean square.

        It is that of the last 1 / (1 - beta_2) updates, from Adam's own second moments.
        Weights that never had a gradient do not count; NaN where none had.
        """
        squares = np.concatenate([np.ravel(moment) for moment in self._velocities])
        squares = squares[squares > 0].astype(np.float64)
        if not squares.size:
            return math.nan
        bias = 1 - float(self.beta_2) ** int(np.asarray(self.iterations))
        return math.sqrt(np.median(squares) / bias)

    def damped(self) -> str:
        """One line if epsilon holds most weights back, else nothing.

        An update is rate x gradient / (|gradient| + epsilon) where gradients keep their
        sign: at |gradient| = 10 epsilon it is 9 % short.
        """
        gradient = self.median_gradient()
        if not gradient < FAR * self.epsilon:
            return ""
        below = 10.0 ** math.floor(math.log10(gradient / FAR**2))
        return (
            f"warning: half of the weights have gradients below {gradient:.1e}, near "
            f"--adam_epsilon={self.epsilon:g}, and move by less than the learning "
            f"rate: take --adam_epsilon={below:g} or less, in a new run"
        )
