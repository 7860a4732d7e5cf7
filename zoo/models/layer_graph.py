"""The layers of a functional model in order, and who takes which tensor."""

from __future__ import annotations

import numpy as np
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


class Walk(LayerGraph):
    """Values of a functional model's tensors on calibration samples.

    Args:
        model: functional model; every layer is used once.
        inputs: `[n, ...]` float32, the model's input.
    """

    def __init__(self, model: Model, inputs: np.ndarray):
        super().__init__(model)
        self._values = {id(model.inputs[0]): tf.constant(inputs)}

    def value(self, tensor) -> np.ndarray:
        """Value of a tensor that has been run."""
        return self._values[id(tensor)].numpy()

    def has_run(self, layer) -> bool:
        """Whether the layer has been run."""
        return id(layer.output) in self._values

    def run(self, layer) -> np.ndarray:
        """Evaluate a layer whose inputs have been run, at inference."""
        inputs = look_up(self._values, layer.input)
        self._values[id(layer.output)] = layer(inputs, training=False)
        return self.value(layer.output)

    def user(self, tensor, kinds):
        """First layer of some kinds that takes a tensor, also within a concatenation.

        Returns:
            The layer or None.
        """
        for layer in self.users(tensor):
            if isinstance(layer, kinds):
                return layer
            if isinstance(layer, layers.Concatenate):
                found = self.user(layer.output, kinds)
                if found is not None:
                    return found
        return None
