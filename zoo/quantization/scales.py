"""Channel scales of a folded encoder, evened out before it is quantised.

One int8 grid serves all channels of a tensor, so a channel of small values gets few
steps. Scaling an output channel of a linear node by s and the weights that read it by
1/s changes nothing in float, as long as all between is homogeneous (cross-layer
equalisation, Nagel et al., ICCV 2019, https://arxiv.org/abs/1906.04721).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from zoo.quantization.nodes import LINEAR, Node

THROUGH = ("identity", "leaky_relu", "prelu", "relu", "pool", "multiply", "scale")
SMALLEST = 1e-3  # scales are within this factor of the largest channel


class Readers:
    """Who reads which channels of a node.

    Args:
        nodes: folded encoder.
    """

    def __init__(self, nodes: list[Node]):
        self._widths, self.origins = {"h": 2}, {"h": "h"}
        self.joined: list[list[str]] = []  # linear nodes behind each concatenation
        self._users: dict[str, list[Node]] = {}
        for node in nodes:
            for source in node.inputs:
                self._users.setdefault(source, []).append(node)
            self._describe(node)

    def _describe(self, node: Node) -> None:
        """Note channels of a node's output and the linear node that they are from."""
        name, first = node.name, node.inputs[0]
        self._widths[name], self.origins[name] = self._widths[first], first
        if node.kind in LINEAR:
            self._widths[name] = node.weights["kernel"].shape[-1]
            self.origins[name] = name
            return
        self.origins[name] = self.origins[first]
        if node.kind == "concatenate":
            self._widths[name] = sum(self._widths[x] for x in node.inputs)
            self.joined.append([self.origins[x] for x in node.inputs])

    def of(self, name: str, channels: int, first: int = 0, width: int = 0):
        """Linear nodes behind a node and the rows of their kernels, by channel.

        Args:
            name: the node.
            channels: how many of its channels are asked for.
            first: index of the first of them in the tensor.
            width: channels of the tensor; 0: no more than those.

        Returns:
            Pairs of node and rows `[channels, positions]` of its kernel's input axis;
            None where something between is not homogeneous.
        """
        found, width = [], width or channels
        for node in self._users.get(name, []):
            rows = self._through(node, name, channels, first, width)
            if rows is None:
                return None
            found += rows
        return found or None

    def _through(self, node: Node, name: str, channels: int, first: int, width: int):
        if node.kind in LINEAR:
            return self._rows(node, channels, first, width)
        if node.kind == "multiply" and node.inputs[0] != name:
            return None
        if node.kind in THROUGH:
            return self.of(node.name, channels, first, width)
        if node.kind == "concatenate":
            before = node.inputs.index(name)
            widths = [self._widths[source] for source in node.inputs]
            first += sum(widths[:before])
            return self.of(node.name, channels, first, sum(widths))
        if node.kind == "reshape":
            return self.of(node.name, channels, first, width)
        return None

    @staticmethod
    def _rows(node: Node, channels: int, first: int, width: int):
        size = node.weights["kernel"].shape[2]
        if size % width:
            return None
        rows = np.arange(size).reshape(-1, width)[:, first : first + channels]
        return [(node, rows.T)]


def equalise(
    nodes: list[Node], largest: dict[str, np.ndarray], is_int8: Callable[[str], bool]
) -> None:
    """Give all channels of each linear node's output the same largest value.

    Except where no tensor up to the next linear nodes has a quantiser: there it would
    only make the channels of their kernels uneven.

    Args:
        nodes: folded encoder, changed in place.
        largest: by name of linear nodes, largest magnitude of each output channel
            `[channels]` on calibration samples.
        is_int8: whether the tensor of a name has a quantiser.
    """
    readers = Readers(nodes)
    found = {}
    for node in nodes:
        if node.kind in LINEAR and not node.options.get("fixed"):
            read = readers.of(node.name, len(largest[node.name])) or []
            between = node.name, *(reader.inputs[0] for reader, _ in read)
            fixed = any(reader.options.get("fixed") for reader, _ in read)
            if read and not fixed and any(map(is_int8, between)):
                found[node.name] = read
    for node in nodes:
        if node.name in found:
            target = _target(node.name, readers.joined, found, largest)
            scale = np.maximum(largest[node.name] / target, SMALLEST)
            _rescale(node, scale.astype(np.float32), found[node.name])


def _target(name: str, joined: list, found: dict, largest: dict) -> float:
    """Largest value to give all channels: that of tensors in the same concatenation."""
    group = {x for names in joined if name in names for x in names if x in largest}
    group = {x for x in group if x not in found} or group | {name}
    return max(float(largest[x].max()) for x in group)


def _rescale(node: Node, scale: np.ndarray, read: list) -> None:
    for key in ("kernel", "bias"):
        node.weights[key] = node.weights[key] / scale
    for reader, rows in read:
        kernel = reader.weights["kernel"]
        for channel, positions in enumerate(rows):
            kernel[:, :, positions] *= scale[channel]
