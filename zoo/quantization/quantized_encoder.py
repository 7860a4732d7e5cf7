"""Encoders in int8: fake quantisers around every operation, calibrated on CSI.

The TFLite converter turns an operation between fake quantisers into its int8 kernel.
Weights have one symmetric scale per output channel, activations one range per tensor,
chosen on calibration samples for the least squared error. What quantisation-aware
training adjusts (`zoo.quantization.qat`) is the same encoder, so both convert alike.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from zoo.data.batches import in_batches
from zoo.keras_compat import Model
from zoo.quantization.fold import Folder
from zoo.quantization.kernels import LARGE
from zoo.quantization.nodes import LINEAR, MOVES, OPERATIONS, Node, Quantisers, linear
from zoo.quantization.scales import equalise

# Kernels of LOGISTIC and TANH have these output grids, whatever the data.
FIXED_RANGES = {"sigmoid": (0.0, 255 / 256), "tanh": (-1.0, 127 / 128)}
SHRINK = np.geomspace(1, 0.3, 6, dtype=np.float32)
CHOSEN_ON = 64  # samples
FLAT = 1e-3  # least width of a range: some tensors never move


def _keep(name, x):
    return x


class QuantizedEncoder(tf.Module):
    """A folded encoder with fake quantisers.

    Args:
        encoder: trained functional model.
        h: calibration samples, zero-centred float32 `[n, N_t, N_a, 2]`.
        floats: tensors without quantiser; what makes or takes them computes in float,
            though a large kernel has int8 values all the same.

    Raises:
        ValueError: a layer is not in the table of `zoo.quantization.fold`.
    """

    def __init__(self, encoder: Model, h: np.ndarray, floats=frozenset()):
        super().__init__()
        self.floats = frozenset(floats)
        largest = max(float(np.abs(h).max()), 1e-6)
        self.nodes = Folder(encoder, largest).nodes
        self._kinds = {node.name: node.kind for node in self.nodes}
        self._quantiser = Quantisers(self.nodes)
        self.values = _variables(self.nodes)
        _check_same(self.nodes[-1], encoder(h[:4] + 0.5), self.run(h[:4], exact=True))
        equalise(self.nodes, self._channel_sizes(h), self._is_int8)
        self.values = _variables(self.nodes)
        self.ranges: dict[str, tf.Variable] = {}
        self.scales = {
            node.name: tf.Variable(tf.zeros(node.weights["kernel"].shape[-1]))
            for node in self.nodes
            if node.kind in LINEAR and self._has_grid(node)
        }
        self.refresh_scales()
        self._calibrate(h)

    @property
    def trained(self) -> list[tf.Variable]:
        """What quantisation-aware training adjusts."""
        fixed = {node.name for node in self.nodes if node.options.get("fixed")}
        return [
            variable
            for name, weights in self.values.items()
            for key, variable in weights.items()
            if key in ("bias", "slope") or (key == "kernel" and name not in fixed)
        ] + list(self.ranges.values())

    def refresh_scales(self) -> None:
        """Fit the grid of every kernel to its weights, one scale per output."""
        for name, scale in self.scales.items():
            kernel = self.values[name]["kernel"]
            scale.assign(tf.maximum(tf.reduce_max(tf.abs(kernel), [0, 1, 2]), 1e-8))

    def __call__(self, h):
        """Zero-centred CSI `[batch, N_t, N_a, 2]` to the codeword `[batch, M]`."""
        return self.run(h, self._fake_quantise)

    def run(self, h, observe=_keep, exact: bool = False):
        """Evaluate with a function (name, tensor) -> tensor at every quantiser.

        Args:
            h: zero-centred CSI `[batch, N_t, N_a, 2]`.
            observe: gives what goes on of a tensor; by default all of it.
            exact: leave the kernels as they are.
        """
        values = {"h": observe("h", h)}
        for node in self.nodes:
            xs = [values[name] for name in node.inputs]
            weights = self.values[node.name]
            if node.kind in LINEAR:
                kernel = weights["kernel"]
                if not exact and node.name in self.scales:
                    kernel = self._quantised_kernel(node.name, kernel)
                y = linear(node, xs[0], kernel) + weights["bias"]
            else:
                y = OPERATIONS[node.kind](node, weights, *xs)
            if node.kind not in MOVES:
                y = observe(node.name, y)
            values[node.name] = y
        return values[self.nodes[-1].name]

    def _quantised_kernel(self, name: str, kernel):
        scale = tf.convert_to_tensor(self.scales[name])
        return tf.quantization.fake_quant_with_min_max_vars_per_channel(
            kernel, -scale, scale, num_bits=8, narrow_range=True
        )

    def _has_grid(self, node: Node) -> bool:
        """Whether a linear node computes in int8 or has a kernel that is stored so."""
        computes = self._is_int8(node.inputs[0]) and self._is_int8(node.name)
        return computes or node.weights["kernel"].size >= LARGE

    def _is_int8(self, name: str) -> bool:
        """Whether a tensor has a quantiser."""
        return self._quantiser(name) not in self.floats

    def _fake_quantise(self, name: str, x):
        name = self._quantiser(name)
        if name in self.floats:
            return x
        if name not in self.ranges:
            low, high = FIXED_RANGES[self._kinds[name]]
        else:
            low, high = tf.unstack(tf.convert_to_tensor(self.ranges[name]))
        return tf.quantization.fake_quant_with_min_max_vars(x, low, high)

    def _calibrate(self, h: np.ndarray) -> None:
        """Choose the range of every tensor: extremes, shrunk where that is better.

        Better is a smaller error of the codeword, not of the tensor: most entries of
        a feature map of sparse CSI do not matter.
        """
        extremes = self._extremes(h)
        h = h[:: max(1, len(h) // CHOSEN_ON)]
        means = self._means(h, _keep, exact=True)
        target = self.run(h, exact=True)
        for name, ends in extremes.items():
            if self._kinds.get(name) not in FIXED_RANGES and name not in self.floats:
                self.ranges[name] = tf.Variable(ends)
                if name != "h":  # its largest entry is the constant of the first layer
                    self._shrink(name, h, target)
            for node in self.nodes:
                if node.kind in LINEAR and self._quantiser(node.name) == name:
                    shifted = self._means(h, self._where_known)[node.name]
                    bias = self.values[node.name]["bias"]
                    bias.assign_add(means[node.name] - shifted)

    def _shrink(self, name: str, h: np.ndarray, target: tf.Tensor) -> None:
        """Shrink the range of a tensor to where the codeword's error is least."""
        ends, errors = self.ranges[name].numpy(), []
        for shrink in SHRINK:
            self.ranges[name].assign(shrink * ends)
            codeword = self.run(h, self._where_known)
            errors.append(float(tf.reduce_sum(tf.square(codeword - target))))
        self.ranges[name].assign(SHRINK[int(np.argmin(errors))] * ends)

    def costs(self, h: np.ndarray) -> dict[str, float]:
        """Squared error of the codeword by the only quantiser that causes it.

        The quantiser of the input and those before and behind the last linear node,
        where nearly all weights are, are not among them.

        Args:
            h: zero-centred float32 `[n, N_t, N_a, 2]`.
        """
        last = [node for node in self.nodes if node.kind in LINEAR][-1]
        kept = {"h", *map(self._quantiser, (last.inputs[0], last.name))}
        exact, costs = self.run(h, exact=True), {}
        for name in self.ranges.keys() - kept:

            def alone(tensor, x, name=name):
                known = self._quantiser(tensor) == name
                return self._fake_quantise(tensor, x) if known else x

            error = self.run(h, alone, exact=True) - exact
            error -= tf.reduce_mean(error, axis=0)
            costs[name] = float(tf.reduce_mean(tf.square(error)))
        return costs

    def _channel_sizes(self, h: np.ndarray) -> dict[str, np.ndarray]:
        """Largest magnitude of each output channel of the linear nodes."""
        sizes = {}

        def record(name, x):
            if self._kinds.get(name) in LINEAR:
                size = np.abs(x).reshape(-1, x.shape[-1]).max(axis=0)
                sizes[name] = np.maximum(size, sizes.get(name, 1e-12))
            return x

        in_batches(lambda x: self.run(x, record, exact=True).numpy(), h)
        return sizes

    def _extremes(self, h: np.ndarray) -> dict[str, np.ndarray]:
        """Least and largest value of every tensor, zero included."""
        extremes = {}

        def record(name, x):
            shared = self._quantiser(name)
            low, high = extremes.get(shared, (0.0, FLAT))
            ends = min(low, np.min(x)), max(high, np.max(x))
            extremes[shared] = np.array(ends, np.float32)
            return x

        in_batches(lambda x: self.run(x, record, exact=True).numpy(), h)
        largest = np.abs(extremes["h"]).max() / 127
        extremes["h"] = np.array([-128 * largest, 127 * largest], np.float32)
        return extremes

    def _means(self, h: np.ndarray, observe, exact: bool = False) -> dict:
        """Mean of each channel of every tensor."""
        means = {}

        def record(name, x):
            x = observe(name, x)
            means[name] = np.asarray(x).reshape(-1, x.shape[-1]).mean(axis=0)
            return x

        self.run(h, record, exact)
        return means

    def _where_known(self, name: str, x):
        shared = self._quantiser(name)
        known = shared in self.ranges or self._kinds.get(shared) in FIXED_RANGES
        return self._fake_quantise(name, x) if known else x


def _variables(nodes: list[Node]) -> dict[str, dict[str, tf.Variable]]:
    """Weights of the nodes as variables, by node and name."""
    return {
        node.name: {k: tf.Variable(w, dtype="float32") for k, w in node.weights.items()}
        for node in nodes
    }


def _check_same(node: Node, expected, got) -> None:
    difference = float(np.max(np.abs(np.asarray(expected) - np.asarray(got))))
    if not difference <= 1e-3 * max(1.0, float(np.max(np.abs(expected)))):
        raise ValueError(
            f"the folded encoder differs from the network by {difference:.2e} at "
            f"{node.name}: a layer is not folded rightly"
        )
