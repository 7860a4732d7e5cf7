"""An encoder as a list of plain operations: batch norm folded, input zero-centred.

An int8 grid over [0, 1] has steps as large as a fifth of the standard deviation of
CSI around 0.5. The folded encoder therefore takes h itself. The offset 0.5 becomes a
bias of the first layer; where that is a convolution, whose padding makes a pattern of
it along the edges, one more input channel that holds a constant.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from zoo.keras_compat import Model, layers
from zoo.layers.activations import HardSigmoid
from zoo.layers.attention import ChannelStatistics
from zoo.layers.binary import BinaryDense
from zoo.layers.grouped_conv import GroupedConv2D
from zoo.layers.random_projection import RandomProjection
from zoo.models.layer_graph import LayerGraph
from zoo.quantization.nodes import LINEAR, Node

OFFSET = 0.5  # the networks' input is h + 0.5


class Folder:
    """Turns a Keras encoder into nodes, layer by layer.

    Args:
        encoder: functional model from CSI in [0, 1] to the codeword.
        constant: value of the constant channel, on the int8 grid of h.

    Raises:
        ValueError: a layer is not in the table.
    """

    def __init__(self, encoder: Model, constant: float):
        self.constant = constant
        self.graph = LayerGraph(encoder)
        self.nodes: list[Node] = []
        self._source = {id(encoder.inputs[0]): "h"}
        self._offset = {"h": OFFSET}  # values that are zero-centred in their node
        for layer in self.graph.layers:
            if type(layer) not in TABLE:
                raise ValueError(
                    f"layer {layer.name} ({type(layer).__name__}) is not in the table "
                    "of quantisable layers: export this network with fp32, fp16 "
                    "or dynamic"
                )
            inputs = [self._source[id(x)] for x in tf.nest.flatten(layer.input)]
            TABLE[type(layer)](self, layer, inputs)
            self._source[id(layer.output)] = self.nodes[-1].name

    def add(self, name: str, kind: str, inputs: list[str], weights=None, **options):
        """Append a node."""
        self.nodes.append(Node(name, kind, inputs, weights or {}, options))

    def add_activation(self, layer, kind: str, inputs: list[str], **options) -> None:
        """Append a node that needs its input as it is, not zero-centred."""
        for i, source in enumerate(inputs):
            if self._offset.get(source):
                name = f"{source}_offset"
                value = np.float32(self._offset[source])
                self.add(name, "shift", [source], {"shift": value})
                inputs[i] = name
        self.add(layer.name, kind, inputs, **options)

    def move(self, layer, kind: str, inputs: list[str], **options) -> None:
        """Append a node that only moves values, and with them their offset."""
        self.add(layer.name, kind, inputs, **options)
        self._offset[layer.name] = self._offset.get(inputs[0], 0)

    def add_linear(self, layer, kind: str, inputs: list[str], kernel, **options):
        """Append a linear node; its input's offset becomes a bias."""
        kernel = np.array(kernel)
        bias = getattr(layer, "bias", None)
        bias = np.zeros(kernel.shape[-1]) if bias is None else np.array(bias)
        weights = {"kernel": kernel, "bias": bias.astype(np.float32)}
        node = Node(layer.name, kind, inputs, weights, options)
        offset = self._offset.get(inputs[0], 0)
        if offset and kernel.shape[:2] != (1, 1) and options["padding"] == "SAME":
            gain = offset / self.constant * kernel.sum(axis=2, keepdims=True)
            weights["kernel"] = np.concatenate([kernel, gain], axis=2)
            options["constant"] = self.constant
        elif offset:
            weights["bias"] += offset * kernel.sum(axis=(0, 1, 2))
        self.nodes.append(node)
        self._activation(layer, inputs)

    def _activation(self, layer, inputs) -> None:
        """Append the activation that a linear layer has itself."""
        name = getattr(getattr(layer, "activation", None), "__name__", "linear")
        if name == "linear":
            return
        _check_activation(layer, name)
        self.add(f"{layer.name}_{name}", name, [self.nodes[-1].name])

    def add_norm(self, layer, inputs: list[str]) -> None:
        """Fold a batch norm into the linear node before it, or append a scaling."""
        epsilon = layer.epsilon
        mean, variance = np.array(layer.moving_mean), np.array(layer.moving_variance)
        gain = np.array(layer.gamma) / np.sqrt(variance + epsilon)
        shift = np.array(layer.beta) - mean * gain
        before = next((n for n in self.nodes if n.name == inputs[0]), None)
        axis = tf.nest.flatten(layer.axis)[0]
        last = axis in (-1, len(layer.input.shape) - 1)
        alone = len(self.graph.users(layer.input)) == 1
        if last and alone and before is not None and before.kind in LINEAR:
            for weight in before.weights:
                before.weights[weight] = before.weights[weight] * gain
            before.weights["bias"] += shift
            self.add(layer.name, "identity", inputs)
            return
        if not last:
            gain, shift = (x.reshape(-1, *[1] * (-axis - 1)) for x in (gain, shift))
        # x gain + shift as (x + shift / gain) gain: no large intermediate value.
        name = f"{layer.name}_centre"
        self.add_activation(layer, "shift", inputs)
        self.nodes[-1].name = name
        self.nodes[-1].weights = {"shift": (shift / gain).astype(np.float32)}
        self.add(layer.name, "scale", [name], {"scale": gain.astype(np.float32)})

    def add_rescaling(self, layer, inputs: list[str]) -> None:
        """Scale, where it is not 1; the offset becomes a bias further on."""
        scale = float(layer.scale)
        if scale == 1:
            self.add(layer.name, "identity", inputs)
        else:
            self.add(layer.name, "scale", inputs, {"scale": np.float32(scale)})
        offset = scale * self._offset.get(inputs[0], 0) + float(layer.offset)
        self._offset[layer.name] = offset


def _check_activation(layer, name: str) -> None:
    if name not in ("relu", "sigmoid", "tanh"):
        raise ValueError(
            f"layer {layer.name}: activation {name} is not in the table of quantisable "
            "layers, expected relu, sigmoid or tanh"
        )


def _conv(fold: Folder, layer, inputs) -> None:
    options = {"strides": list(layer.strides), "padding": layer.padding.upper()}
    fold.add_linear(layer, "conv", inputs, layer.kernel, **options)


def _dense(fold: Folder, layer, inputs) -> None:
    fold.add_linear(layer, "dense", inputs, np.array(layer.kernel)[None, None])


def _binary(fold: Folder, layer, inputs) -> None:
    kernel = np.array(layer.binary_kernel())[None, None]
    fold.add_linear(layer, "dense", inputs, kernel, fixed=True)


def _projection(fold: Folder, layer, inputs) -> None:
    _dense(fold, layer, inputs)
    fold.nodes[-1].options["fixed"] = True


def _grouped(fold: Folder, layer, inputs) -> None:
    """A plain convolution, zero between the groups: int8 kernels know no others."""
    grouped = np.array(layer.kernel)
    inside, outside = grouped.shape[2], grouped.shape[3] // layer.groups
    kernel = np.zeros((*grouped.shape[:2], inside * layer.groups, grouped.shape[3]))
    for g in range(layer.groups):
        block = slice(g * outside, (g + 1) * outside)
        kernel[:, :, g * inside : (g + 1) * inside, block] = grouped[..., block]
    kernel = kernel.astype(np.float32)
    fold.add_linear(layer, "conv", inputs, kernel, strides=[1, 1], padding="SAME")


def _leaky(fold: Folder, layer, inputs) -> None:
    slope = layer.negative_slope
    fold.add_activation(layer, "leaky_relu", inputs, slope=float(slope))


def _prelu(fold: Folder, layer, inputs) -> None:
    fold.add_activation(layer, "prelu", inputs)
    fold.nodes[-1].weights = {"slope": np.array(layer.alpha)}


def _activation(fold: Folder, layer, inputs) -> None:
    _check_activation(layer, layer.activation.__name__)
    fold.add_activation(layer, layer.activation.__name__, inputs)


def _shape(fold: Folder, layer, inputs) -> None:
    fold.move(layer, "reshape", inputs, shape=[-1, *layer.output.shape[1:]])


def _permute(fold: Folder, layer, inputs) -> None:
    fold.move(layer, "transpose", inputs, perm=[0, *layer.dims])


def _simple(kind: str) -> Callable:
    return lambda fold, layer, inputs: fold.add_activation(layer, kind, inputs)


TABLE: dict[type, Callable] = {
    layers.Conv2D: _conv,
    layers.Dense: _dense,
    BinaryDense: _binary,
    RandomProjection: _projection,
    GroupedConv2D: _grouped,
    layers.BatchNormalization: Folder.add_norm,
    layers.Rescaling: Folder.add_rescaling,
    layers.LeakyReLU: _leaky,
    layers.PReLU: _prelu,
    layers.Activation: _activation,
    HardSigmoid: _simple("hard_sigmoid"),
    layers.Add: _simple("add"),
    layers.Multiply: _simple("multiply"),
    layers.Concatenate: _simple("concatenate"),
    ChannelStatistics: _simple("statistics"),
    layers.GlobalAveragePooling2D: _simple("pool"),
    layers.Flatten: _shape,
    layers.Reshape: _shape,
    layers.Permute: _permute,
}
