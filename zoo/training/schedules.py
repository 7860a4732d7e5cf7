"""Learning-rate schedules of the papers, evaluated per optimiser step."""

from __future__ import annotations

import math

import tensorflow as tf

from zoo.keras_compat import keras


@keras.utils.register_keras_serializable(package="zoo")
class WarmUpCosine(keras.optimizers.schedules.LearningRateSchedule):
    """Linear warm-up, then half a cosine (CRNet eq. 5).

    t < T_w: lr_max t / T_w; else
    lr_min + (lr_max - lr_min) / 2 (1 + cos(pi (t - T_w) / (T - T_w))).

    The paper counts t in epochs, the public code in iterations; both are offered. By
    iteration the very first update has rate 0, as in that code.

    Args:
        lr_max: peak rate.
        lr_min: final rate.
        warmup_epochs: T_w in epochs.
        epochs: T in epochs.
        steps_per_epoch: iterations per epoch.
        time: 'iteration' or 'epoch'.
    """

    def __init__(
        self,
        lr_max: float,
        lr_min: float,
        warmup_epochs: float,
        epochs: int,
        steps_per_epoch: int,
        time: str = "iteration",
    ):
        if not 0 <= warmup_epochs < epochs:
            raise ValueError(
                f"warmup_epochs is {warmup_epochs}, expected at least 0 and less than "
                f"epochs = {epochs}"
            )
        if time not in ("iteration", "epoch"):
            raise ValueError(f"time is {time!r}, expected 'iteration' or 'epoch'")
        self.lr_max, self.lr_min = lr_max, lr_min
        self.warmup_epochs, self.epochs = warmup_epochs, epochs
        self.steps_per_epoch, self.time = steps_per_epoch, time

    def __call__(self, step):
        """Rate of update number `step` (the first is 0), float32 scalar."""
        t = tf.cast(step, "float32") / self.steps_per_epoch
        if self.time == "epoch":
            t = tf.floor(t)
        ramp = self.lr_max * t / max(self.warmup_epochs, 1e-12)
        span = self.epochs - self.warmup_epochs
        phase = tf.minimum((t - self.warmup_epochs) / span, 1.0)
        cosine = 0.5 * (self.lr_max - self.lr_min) * (1 + tf.cos(math.pi * phase))
        return tf.where(t < self.warmup_epochs, ramp, self.lr_min + cosine)

    def get_config(self):
        """Constructor arguments."""
        names = ("lr_max", "lr_min", "warmup_epochs", "epochs", "steps_per_epoch")
        return {name: getattr(self, name) for name in (*names, "time")}


def make_schedule(config, steps_per_epoch: int):
    """Learning rate of an ExperimentConfig: a float or a WarmUpCosine."""
    if config.schedule == "constant":
        return config.lr
    return WarmUpCosine(
        config.lr,
        config.lr_min,
        config.warmup_epochs,
        config.epochs,
        steps_per_epoch,
        config.schedule_time,
    )
