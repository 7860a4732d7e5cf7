"""Convolutions that let a signal through: the first half of `--init=klt`.

A network is walked layer by layer with a few hundred samples. Every convolution starts
with its central tap only, every batch norm at the statistics of these samples:

* a convolution to more than the two CSI parts copies its input, with alternating signs
  and with thresholds, so that its LeakyReLUs span piecewise-linear functions;
* a convolution to the two parts is fitted by ridge regression such that what follows
  (skip connection, LeakyReLU) gives the target again.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from zoo.keras_compat import Model, keras, layers
from zoo.layers.grouped_conv import GroupedConv2D
from zoo.layers.non_local import NonLocalBlock
from zoo.models.layer_graph import Walk
from zoo.starts import latent_start
from zoo.starts.regression import weighted_ridge

OFF_CENTRE = 1e-5  # of a Glorot bound: breaks ties between equal copies
KNOTS = (0.5, 0.85, 0.2)  # thresholds, as fractions of the input's energy
GOOD_FIT = 1e-3
ADDED = 2e-4  # standard deviation that a residual branch behind tanh starts with
CONVOLUTIONS = (layers.Conv2D, GroupedConv2D)
LEAKY = (layers.LeakyReLU, layers.PReLU)
ENDS = (layers.Flatten, layers.Permute, layers.Add, NonLocalBlock)


def _latent_channels(model: Model) -> int | None:
    """Channels of an encoder's codeword, if it is made by convolutions."""
    codeword, csi = model.output.shape, model.input.shape
    return codeword[1] // csi[2] if len(codeword) == 2 else None


def let_through(model: Model, inputs, target, weight=None, shift: bool = False) -> None:
    """Initialise all convolutions and batch norms of an encoder or decoder.

    Args:
        model: functional model whose dense layers are set already (a decoder's) or come
            last (an encoder's).
        inputs: `[n, ...]` float32 input of the model.
        target: `[n, N_t, N_a, 2]` float32, what the last activations should hold.
        weight: `[n, N_t, N_a, 2]` of the squared error; equal by default.
        shift: keep a signal that cannot pass a LeakyReLU otherwise above zero by adding
            a constant (for what ends in a dense layer).
    """
    walk = Walk(model, inputs)
    start = _ConvStart(walk, target, weight, shift, _latent_channels(model))
    for layer in walk.layers:
        if isinstance(layer, CONVOLUTIONS):
            start.initialise(layer)
        elif isinstance(layer, layers.Dense) and layer.activation is (
            keras.activations.sigmoid
        ):
            layer.kernel.assign(tf.zeros_like(layer.kernel))  # a gate starts constant
        if not walk.has_run(layer):
            walk.run(layer)


class _ConvStart:
    def __init__(self, walk: Walk, target, weight, shift: bool, latent_channels):
        self.walk, self.target, self.shift = walk, target, shift
        self.weight = np.ones_like(target) if weight is None else weight
        self.latent_channels = latent_channels
        self.rng = np.random.default_rng(0)
        self.knot = 0

    def initialise(self, conv) -> None:
        """Set a convolution and its batch norm; run both."""
        norm = self.walk.user(conv.output, layers.BatchNormalization)
        inputs = self.walk.value(conv.input)
        if conv.filters == 1 or self._is_subtracted(norm):
            self._normalise(conv, norm, 0.0, 0.0)  # a constant gate, no noise estimate
            return
        if self._is_added_by_tanh(norm):
            self._normalise(conv, norm, ADDED / self.walk.run(conv).std(), 0.0)
            return
        fitted = conv.filters == 2
        if latent_start.is_sequence(conv):
            last = conv.filters == 2 * self.target.shape[1]
            fitted = last or conv.filters == self.latent_channels
        if fitted and conv.filters > 2:
            centred = norm is not None and self._is_codeword(norm)
            taps, offset = latent_start.fit(conv, inputs, self.target, last, centred)
        elif isinstance(conv, GroupedConv2D):
            taps, offset = _group_copies(conv), np.zeros(conv.filters)
        elif fitted:
            taps, offset = self._fit(conv, norm, inputs)
        else:
            taps, offset = self._copies(inputs, conv.filters)
        if norm is None:
            self._set_kernel(conv, taps, 1.0)
            conv.bias.assign(offset)
            return
        bound = np.sqrt(6 / np.prod(conv.kernel.shape[:2]) / sum(taps.shape))
        scale = bound / max(np.abs(taps).max(), 1e-12)  # batch norm undoes it
        self._set_kernel(conv, taps, scale, OFF_CENTRE * bound)
        if fitted:
            self._normalise(conv, norm, 1 / scale, offset)
        else:
            self._normalise(conv, norm, None, offset * scale)

    def _behind(self, norm, kinds):
        """Layer of some kinds behind a batch norm or its LeakyReLU, and its input."""
        out = norm.output
        leaky = self.walk.user(out, LEAKY)
        for tensor in [out, *([leaky.output] if leaky else [])]:
            found = self.walk.user(tensor, kinds)
            if found is not None:
                return found, tensor
        return None, out

    def _is_codeword(self, norm) -> bool:
        return self._behind(norm, layers.Flatten)[0] is not None

    def _is_subtracted(self, norm) -> bool:
        found, tensor = self._behind(norm, layers.Subtract) if norm else (None, None)
        return found is not None and found.input[1] is tensor

    def _is_added_by_tanh(self, norm) -> bool:
        found = self.walk.user(norm.output, layers.Activation) if norm else None
        return found is not None and found.activation is keras.activations.tanh

    def _set_kernel(self, conv, taps, scale: float, noise: float = 0.0) -> None:
        kernel = noise * self.rng.standard_normal(conv.kernel.shape)
        height, width = kernel.shape[:2]
        kernel[(height - 1) // 2, (width - 1) // 2] += taps * scale
        conv.kernel.assign(kernel)
        if getattr(conv, "bias", None) is not None:
            conv.bias.assign(tf.zeros_like(conv.bias))

    def _normalise(self, conv, norm, gain, offset) -> None:
        """Make batch norm v -> gain v + offset; gain None: (v + offset) / std(v)."""
        v = self.walk.run(conv)
        axes = tuple(i for i in range(v.ndim) if i != norm.axis % v.ndim)
        mean, variance = v.mean(axes), v.var(axes)
        std = np.sqrt(variance + norm.epsilon)
        if gain is None:
            gain, offset = 1 / std, offset / std
        norm.moving_mean.assign(mean)
        norm.moving_variance.assign(variance)
        norm.gamma.assign(gain * std)
        norm.beta.assign(gain * mean + offset)
        self.walk.run(norm)

    def _copies(self, inputs, filters: int):
        """Taps `[channels, filters]` and offsets `[filters]` of signed copies."""
        channels = inputs.shape[-1]
        taps, offset = np.zeros((channels, filters)), np.zeros(filters)
        if channels == filters:
            return np.eye(channels), offset
        for j in range(filters):
            source, turn = j % channels, j // channels
            if turn >= 2:  # each convolution begins with another channel
                source = (source + self.knot) % channels
            taps[source, j] = -1 if turn % 2 else 1
            if turn >= 2:
                knot = KNOTS[(self.knot + turn // 2 - 1) % len(KNOTS)]
                offset[j] = -_energy_quantile(inputs[..., source], knot)
        self.knot += 1
        return taps, offset

    def _fit(self, conv, norm, inputs):
        """Taps `[channels, 2]` and bias `[2]` with which the target comes out."""
        out = conv.output if norm is None else norm.output
        add = self.walk.user(out, layers.Add)
        leaky = self.walk.user(add.output if add else out, LEAKY)
        slope = _slope(leaky)
        skip, weight = 0.0, self.weight
        if add is not None:
            (other,) = [t for t in add.input if t is not out]
            skip = self.walk.value(other)
            weight = weight * np.where(self.target > 0, 1, slope**2)
        goals = [np.where(self.target > 0, self.target, self.target / slope) - skip]
        if self.shift:
            goals.append(self.target + 1.1 * np.abs(self.target).max() - skip)
        if add is None and leaky is not None:
            direct = self.walk.user(leaky.output, ENDS)
            if not (self.shift and direct):
                goals.insert(1, -self.target)
        for goal in goals:
            taps, bias, error = weighted_ridge(inputs, goal, weight)
            if error < GOOD_FIT * np.mean(weight * self.target**2):
                break
        else:
            fits = [weighted_ridge(inputs, goal, weight) for goal in goals]
            taps, bias, _ = min(fits, key=lambda fit: fit[2])
        return taps, bias


def _slope(leaky) -> float:
    if leaky is None:
        return 1.0
    if isinstance(leaky, layers.PReLU):
        return float(np.mean(leaky.alpha))
    return float(leaky.negative_slope)


def _group_copies(conv: GroupedConv2D) -> np.ndarray:
    """Taps `[channels per group, filters]` that copy each group to itself."""
    channels = conv.kernel.shape[2]
    return np.eye(channels)[:, np.arange(conv.filters) % channels]


def _energy_quantile(x: np.ndarray, fraction: float) -> float:
    """Magnitude below which lies a fraction of the energy of x."""
    magnitude = np.sort(np.abs(x), axis=None).astype(np.float64)
    energy = np.cumsum(magnitude**2)
    return magnitude[np.searchsorted(energy, fraction * energy[-1])]
