"""The operations that a folded encoder consists of."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import tensorflow as tf

LINEAR = ("conv", "dense")
MOVES = ("identity", "reshape", "transpose")


@dataclass
class Node:
    """One operation.

    Attributes:
        name: of the layer; the output's name, too.
        kind: what it computes, one of `LINEAR` or `OPERATIONS`.
        inputs: names of the nodes whose outputs it takes; 'h' is the input.
        weights: arrays; of linear kinds `kernel` and `bias`.
        options: constants such as strides or the negative slope; `constant` of a
            convolution is the value of the channel to append to its input.
    """

    name: str
    kind: str
    inputs: list[str]
    weights: dict[str, np.ndarray] = field(default_factory=dict)
    options: dict = field(default_factory=dict)


class Quantisers:
    """Whose quantiser each tensor has: copies of values share one.

    Args:
        nodes: folded encoder.
    """

    def __init__(self, nodes: list[Node]):
        self._moved = {node.name: node.inputs[0] for node in nodes if _moves(node)}
        self._shared = {}
        for node in nodes:
            for source in node.inputs if node.kind == "concatenate" else ():
                self._shared[self._made(source)] = node.name

    def __call__(self, name: str) -> str:
        """Name of the quantiser of a tensor."""
        name = self._made(name)
        while name in self._shared:
            name = self._shared[name]
        return name

    def _made(self, name: str) -> str:
        """Name of the node that made the values of a tensor."""
        while name in self._moved:
            name = self._moved[name]
        return name


def _moves(node: Node) -> bool:
    return node.kind in MOVES


def linear(node: Node, x, kernel):
    """Convolution or product of a linear node, without bias.

    Args:
        node: of a linear kind.
        x: `[batch, N_t, N_a, channels]` or `[batch, n]`.
        kernel: its kernel, as stored.
    """
    if node.kind == "dense":
        # A 1x1 convolution, whose int8 kernel has one scale for each output.
        y = tf.nn.conv2d(tf.reshape(x, [-1, 1, 1, x.shape[-1]]), kernel, 1, "VALID")
        return tf.reshape(y, [-1, kernel.shape[-1]])
    if "constant" in node.options:
        ones = tf.ones_like(x[..., :1])
        x = tf.concat([x, node.options["constant"] * ones], axis=-1)
    return tf.nn.conv2d(x, kernel, node.options["strides"], node.options["padding"])


def _statistics(node: Node, weights, x):
    reductions = (tf.reduce_max, tf.reduce_mean)
    return tf.concat([reduce(x, -1, keepdims=True) for reduce in reductions], -1)


OPERATIONS = {
    "identity": lambda node, weights, x: x,
    "reshape": lambda node, weights, x: tf.reshape(x, node.options["shape"]),
    "transpose": lambda node, weights, x: tf.transpose(x, node.options["perm"]),
    "shift": lambda node, weights, x: x + weights["shift"],
    "scale": lambda node, weights, x: x * weights["scale"],
    "leaky_relu": lambda node, weights, x: tf.nn.leaky_relu(x, node.options["slope"]),
    "prelu": lambda node, weights, x: (
        tf.nn.relu(x) + -weights["slope"] * tf.nn.relu(-x)
    ),
    "relu": lambda node, weights, x: tf.nn.relu(x),
    "sigmoid": lambda node, weights, x: tf.nn.sigmoid(x),
    "tanh": lambda node, weights, x: tf.nn.tanh(x),
    "hard_sigmoid": lambda node, weights, x: tf.nn.relu6(x + 3.0) / 6.0,
    "add": lambda node, weights, *xs: tf.add(*xs),
    "multiply": lambda node, weights, *xs: tf.multiply(*xs),
    "concatenate": lambda node, weights, *xs: tf.concat(xs, -1),
    "pool": lambda node, weights, x: tf.reduce_mean(x, [1, 2]),
    "statistics": _statistics,
}
