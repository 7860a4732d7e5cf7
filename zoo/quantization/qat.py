"""Quantisation-aware training of an encoder inside its trained autoencoder."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from zoo.data.split import Split
from zoo.models.autoencoder import CsiAutoencoder
from zoo.quantization.precisions import QatOptions
from zoo.quantization.quantized_encoder import QuantizedEncoder
from zoo.training import losses

BETAS = (0.9, 0.99)
SMALLEST = 1e-3  # size of a variable that is about zero


def fine_tune(
    encoder: QuantizedEncoder,
    model: CsiAutoencoder,
    train: Split,
    held_out: Split,
    options: QatOptions,
) -> None:
    """Adjust kernels, biases and ranges so that int8 costs less.

    The decoder keeps its weights, so it serves the other encoders of the export, too;
    the codeword quantiser is in the loop with its straight-through gradient. What is
    kept is the epoch of the least loss on other samples, the start included.

    Args:
        encoder: calibrated; changed in place.
        model: the trained network.
        train: CSI to train on, and the loss.
        held_out: CSI to choose the epoch on.
        options: epochs, rate, batch size, order.

    Raises:
        ValueError: fewer samples than one batch, an option that is not positive, or a
            loss that is not finite.
    """
    if not (options.epochs > 0 and options.lr > 0):
        raise ValueError(
            f"--qat_epochs={options.epochs}, --qat_lr={options.lr}: expected more "
            "than 0"
        )
    seen, truth = train.h_seen, train.h
    steps = len(seen) // options.batch_size
    if not steps:
        raise ValueError(
            f"{len(seen)} samples for quantisation-aware training: expected "
            f"{options.batch_size} or more (--qat_samples)"
        )
    distance = losses.LOSSES[train.loss]
    step = _make_step(encoder, model, Adam(encoder.trained), distance)
    others = held_out.h_seen, held_out.h, distance
    least, best = float(_loss(encoder, model, *others)), _copy(encoder)
    rng = np.random.default_rng(options.seed)
    for epoch in range(options.epochs):
        order = rng.permutation(len(seen))[: steps * options.batch_size]
        each = []
        for i, rows in enumerate(np.split(order, steps)):
            progress = (epoch * steps + i) / (steps * options.epochs)
            rate = 0.5 * options.lr * (1 + np.cos(np.pi * progress))
            rate = tf.constant(rate, tf.float32)
            each.append(step(seen[rows], truth[rows], rate))
        loss = float(np.mean(each))
        if not np.isfinite(loss):
            raise ValueError(
                f"quantisation-aware training: loss {loss}; lower --qat_lr"
            )
        now = float(_loss(encoder, model, *others))
        print(
            f"qat epoch {epoch + 1}/{options.epochs}: loss {loss:.4e}, on held-out "
            f"CSI {now:.4e} (least {min(least, now):.4e})",
            flush=True,
        )
        if now < least:
            least, best = now, _copy(encoder)
    for variable, value in zip(encoder.trained, best, strict=True):
        variable.assign(value)
    encoder.refresh_scales()


def _copy(encoder: QuantizedEncoder) -> list[np.ndarray]:
    return [variable.numpy() for variable in encoder.trained]


def _loss(
    encoder: QuantizedEncoder,
    model: CsiAutoencoder,
    seen,
    truth,
    distance: Callable = losses.mean_square,
    training: bool = False,
) -> tf.Tensor:
    """Mean loss of the reconstruction; `training`: of what has a gradient."""
    sent = model.quantizer(encoder(seen), training=training)
    return tf.reduce_mean(distance(truth + 0.5, model.receive(sent)))


class Adam:
    """Adam whose steps are relative to the size of each variable.

    Folded batch norms and evened-out channels leave kernels and ranges of very
    different sizes: an absolute step that is right for one stalls another.

    Args:
        variables: what is trained; their sizes now count.
    """

    def __init__(self, variables: list[tf.Variable]):
        self.variables = variables
        self._sizes = [
            max(float(np.sqrt(np.mean(np.square(v)))), SMALLEST) for v in variables
        ]
        self._means, self._squares = (
            [tf.Variable(tf.zeros_like(v)) for v in variables] for _ in range(2)
        )
        self._count = tf.Variable(0.0)

    def apply(self, gradients, rate: tf.Tensor) -> None:
        """Take one step, `rate` times the size of each variable."""
        self._count.assign_add(1.0)
        corrections = [1 - b**self._count for b in BETAS]
        for variable, gradient, size, mean, square in zip(
            self.variables,
            gradients,
            self._sizes,
            self._means,
            self._squares,
            strict=True,
        ):
            mean.assign(BETAS[0] * mean + (1 - BETAS[0]) * gradient)
            square.assign(BETAS[1] * square + (1 - BETAS[1]) * gradient**2)
            root = tf.sqrt(square / corrections[1]) + 1e-12
            variable.assign_sub(rate * size * (mean / corrections[0]) / root)


def _make_step(
    encoder: QuantizedEncoder,
    model: CsiAutoencoder,
    optimizer: Adam,
    distance: Callable,
):
    @tf.function
    def step(seen, truth, rate):
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(optimizer.variables)
            loss = _loss(encoder, model, seen, truth, distance, training=True)
        optimizer.apply(tape.gradient(loss, optimizer.variables), rate)
        encoder.refresh_scales()
        return loss

    return step
