"""The layers of a functional model in order, and who takes which tensor."""

from __future__ import annotations

import tensorflow as tf

from zoo.keras_compat import Model, layers


class LayerGraph:
    """Layers and connections of a functional model in which every layer is used once.

    Attributes:
        layers: all but the input, in an order in which they can be evaluated.

    Args:
        model: functional model with one input.
    """

    def __init__(self, model: Model):
        self.layers = [x for x in model.layers if not isinstance(x, layers.InputLayer)]
        self._users: dict[int, list] = {}
        for layer in self.layers:
            for tensor in tf.nest.flatten(layer.input):
                self._users.setdefault(id(tensor), []).append(layer)

    def users(self, tensor) -> list:
        """Layers that take a symbolic tensor."""
        return self._users.get(id(tensor), [])


def look_up(values: dict, tensors):
    """Values of a structure of symbolic tensors, kept by the tensors' identity."""
    return tf.nest.map_structure(lambda tensor: values[id(tensor)], tensors)
