"""A faster training step on CPUs: batch norm, skip and LeakyReLU in one pass.

The networks' feature maps have 2 to 16 channels, so that batch norm and activations,
each a pass or more over memory, take as long as the convolutions (BUILD_NOTES.md has
the profile). Here the functional graph is evaluated layer by layer with the same
variables, and each group of batch norm, Add and LeakyReLU or PReLU is one kernel (see
`zoo.training.fused_norm`). Convolutions and everything else stay the layers' own. Only
the training step uses this: evaluation and exported artefacts see ordinary Keras
models.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from zoo.config import ExperimentConfig
from zoo.keras_compat import Model, layers
from zoo.models.layer_graph import LayerGraph, look_up
from zoo.training.fused_norm import Form, kernel


def use_fused(settings: ExperimentConfig) -> bool:
    """Whether a run takes the fused step.

    Raises:
        ValueError: `--cpu_step=fused` where it does not apply.
    """
    obstacles = {
        "--strategy": settings.strategy != "none",
        "--precision": settings.precision != "float32",
        "--xla": settings.xla,
        "a GPU": bool(tf.config.list_logical_devices("GPU")),
    }
    found = [name for name, present in obstacles.items() if present]
    if settings.cpu_step == "fused" and found:
        raise ValueError(
            f"--cpu_step=fused does not go with {', '.join(found)}: it is for one CPU "
            "device in float32; use --cpu_step=auto"
        )
    return settings.cpu_step != "native" and not found


class Group(NamedTuple):
    """What follows a batch norm and is computed with it.

    Attributes:
        outputs: tensors that hold the group's result.
        skip: tensor added before the activation, or None.
        activation: LeakyReLU or PReLU layer, or None.
    """

    outputs: list
    skip: object | None
    activation: object | None


class FusedNetwork:
    """Training-mode forward pass of a functional model, batch norms fused.

    Args:
        model: functional model without nested models. Batch norms over the last axis of
            `[batch, N_t, N_a, channels]` are fused, all others stay as they are.
    """

    def __init__(self, model: Model):
        self._model = model
        self._graph = LayerGraph(model)
        self._groups = {
            id(layer): self._group(layer, position)
            for position, layer in enumerate(self._graph.layers)
            if _can_fuse(layer)
        }

    def __call__(self, inputs):
        """Evaluate as `model(inputs, training=True)`, moving statistics updated.

        Args:
            inputs: the model's input, float32.

        Returns:
            The model's output, or the list of them.
        """
        values = {id(self._model.inputs[0]): inputs}
        for layer in self._graph.layers:
            if id(layer.output) in values:
                continue  # computed with an earlier group
            x = look_up(values, layer.input)
            if id(layer) in self._groups:
                group = self._groups[id(layer)]
                skip = () if group.skip is None else (values[id(group.skip)],)
                out = _evaluate(layer, group, x, skip)
                values |= {id(tensor): out for tensor in group.outputs}
            else:
                values[id(layer.output)] = layer(x, training=True)
        found = [values[id(tensor)] for tensor in self._model.outputs]
        return found if len(found) > 1 else found[0]

    def _only_user(self, tensor, kinds):
        users = self._graph.users(tensor)
        return users[0] if len(users) == 1 and isinstance(users[0], kinds) else None

    def _group(self, norm, position: int) -> Group:
        tensor, skip = norm.output, None
        add = self._only_user(tensor, layers.Add)
        if add is not None and len(add.input) == 2:
            (other,) = [t for t in add.input if t is not tensor]
            earlier = [id(layer.output) for layer in self._graph.layers[:position]]
            if id(other) in [*earlier, id(self._model.inputs[0])]:
                skip, tensor = other, add.output
        activation = self._only_user(tensor, (layers.LeakyReLU, layers.PReLU))
        outputs = [norm.output, tensor]
        if activation is not None:
            outputs.append(activation.output)
        return Group(outputs, skip, activation)


def _can_fuse(layer) -> bool:
    return (
        isinstance(layer, layers.BatchNormalization)
        and len(layer.output.shape) == 4
        and layer.axis in (-1, 3)
        and layer.compute_dtype == "float32"
    )


def _evaluate(norm, group: Group, x, skip: tuple):
    slope, learned = 1.0, ()
    if isinstance(group.activation, layers.PReLU):
        slope, learned = None, (tf.reshape(group.activation.alpha, [-1]),)
    elif group.activation is not None:
        slope = float(group.activation.negative_slope)
    form = Form(x.shape[2], x.shape[3], float(norm.epsilon), bool(skip), slope)
    gamma, beta = tf.convert_to_tensor(norm.gamma), tf.convert_to_tensor(norm.beta)
    out, mean, variance = kernel(form)(x, gamma, beta, *skip, *learned)
    for moving, batch in ((norm.moving_mean, mean), (norm.moving_variance, variance)):
        moving.assign(moving * norm.momentum + batch * (1.0 - norm.momentum))
    return out
