"""A SavedModel is a program: what its graph may do, looked at before it is loaded.

Operations such as ReadFile and WriteFile run with the rights of the server, for whoever
sends a request. Only those are allowed that the exports of the zoo are made of, or that
own networks are likely to have: arithmetic without state. That holds for the functions
of the graph's library as well. The part that saves and restores variables uses files;
it must not be reached by a request.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from google.protobuf.message import DecodeError
from tensorflow.core.framework import attr_value_pb2, node_def_pb2
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2

FILE = "saved_model.pb"
ANY = "any"
FLAG = (
    "Operations of graphs beside those that decoders are made of; any: all, since you "
    "trust whoever made the models."
)
DEFAULT = frozenset(
    # What every SavedModel has, frames and bits
    "Const EnsureShape Identity NoOp PartitionedCall Placeholder "
    "StatefulPartitionedCall All BitwiseAnd DecodePaddedRaw Equal Fill IsFinite "
    "LogicalAnd RightShift SelectV2 StringLength "
    # Shapes
    "Cast ConcatV2 GatherV2 Pack Pad Range Reshape Shape Split SplitV Squeeze "
    "StopGradient StridedSlice TensorScatterUpdate TopKV2 Transpose Unpack ZerosLike "
    # Arithmetic
    "Abs AddN AddV2 BatchMatMulV2 Cholesky Complex Conj Cos Exp Greater GreaterEqual "
    "Imag Less MatMul MatrixTriangularSolve Maximum Mean Minimum Mul Neg Real RealDiv "
    "Round Rsqrt Sign Sin Sqrt Square SquaredDifference Sub Sum "
    # Layers
    "BiasAdd Conv2D Conv2DBackpropInput DepthwiseConv2dNative LeakyRelu MaxPool Relu "
    "Relu6 Sigmoid Softmax Tanh "
    # Own networks
    "ArgMax ArgMin AvgPool BatchToSpaceND BitwiseOr BitwiseXor BroadcastTo Ceil "
    "ClipByValue Conv3D Cumsum DepthToSpace Einsum Elu Erf Erfc ExpandDims Expm1 Floor "
    "FloorDiv FloorMod FusedBatchNormV3 GatherNd IsNan LeftShift LessEqual Log Log1p "
    "LogSoftmax LogicalNot LogicalOr Max MaxPool3D Min MirrorPad NotEqual OneHot PadV2 "
    "Pow Prod Rank Reciprocal ResizeBilinear ResizeNearestNeighbor ReverseV2 Selu Size "
    "Slice Softplus Softsign SpaceToBatchND SpaceToDepth Tile Xlogy".split()
)
# TensorFlow's saver: part of every SavedModel, run while one is loaded.
_RESTORES = frozenset(["RestoreV2"])
_SAVES = frozenset(["MergeV2Checkpoints", "SaveV2", "ShardedFilename"])
_SAVER_TEXT = frozenset(["Select", "StaticRegexFullMatch", "StringJoin"])
_OP_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_>]*")


def allowed(names: Iterable[str]) -> frozenset[str] | None:
    """What --allow_ops allows beside `DEFAULT`; None: everything.

    Raises:
        ValueError: a name that no operation can have.
    """
    names = list(names)
    if names == [ANY]:
        return None
    for name in names:
        if name == ANY or not _OP_NAME.fullmatch(name):
            raise ValueError(
                f"--allow_ops={','.join(names)}: {name!r} is no operation; expected "
                f"names such as Conv2D, or {ANY} alone"
            )
    return DEFAULT | frozenset(names)


def check(directory: Path, allowed_ops: frozenset[str] | None) -> None:
    """Refuse a SavedModel whose graph does more than it may.

    Args:
        directory: of the version.
        allowed_ops: names of operations; None: all.

    Raises:
        ValueError: the first operations that are not allowed, no saved_model.pb, or one
            that is damaged.
    """
    if allowed_ops is None:
        return
    path = directory / FILE
    try:
        model = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    except FileNotFoundError as error:
        raise ValueError(f"no {FILE}, the one form whose graph is looked at") from error
    except DecodeError as error:
        raise ValueError(f"{FILE} is damaged: no SavedModel") from error
    for meta_graph in model.meta_graphs:
        found = sorted(_MetaGraph(meta_graph).forbidden(allowed_ops))
        if found:
            more = f" and {len(found) - 5} more" if len(found) > 5 else ""
            raise ValueError(
                f"its graph has {', '.join(found[:5])}{more}, which decoders are not "
                "made of: a SavedModel is a program with the rights of this server. "
                "Where it comes from somebody you trust: "
                f"--allow_ops={','.join(found[:5])}"
            )


class _MetaGraph:
    """Operations of a graph, by what calls them."""

    def __init__(self, meta_graph: meta_graph_pb2.MetaGraphDef):
        self._meta, graph = meta_graph, meta_graph.graph_def
        self._nodes = graph.node
        self._library = {f.signature.name: f for f in graph.library.function}

    def forbidden(self, allowed_ops: frozenset[str]) -> set[str]:
        """Operations that are not allowed where they are."""
        saver = self._meta.saver_def
        used = self._used()
        more = {
            _node_name(saver.save_tensor_name): _SAVER_TEXT | _SAVES,
            _node_name(saver.restore_op_name): _SAVER_TEXT | _RESTORES,
        }
        found, unchecked = set(), set(self._library)
        for node in self._nodes:
            operations, functions = self._run_by(node)
            if node.name in more and node.name not in used:
                operations -= more[node.name]
                unchecked -= functions
            found |= operations - allowed_ops
        for name in unchecked:  # whatever may call it
            found |= {node.op for node in self._library[name].node_def} - allowed_ops
        if any("api_implements" in f.attr for f in self._library.values()):
            # The optimiser may put such a function in the place of another one.
            found.add("api_implements")
        return found

    def _used(self) -> set[str]:
        """Nodes that others take, that requests ask for, or that are run at once."""
        names = [name for node in self._nodes for name in node.input]
        for signature in self._meta.signature_def.values():
            names += [tensor.name for tensor in signature.outputs.values()]
        for collection in self._meta.collection_def.values():
            names += collection.node_list.value
        return {_node_name(name) for name in names}

    def _run_by(self, node: node_def_pb2.NodeDef) -> tuple[set[str], set[str]]:
        """Operations of a node and of what it calls, and the functions it calls."""
        operations, functions, waiting = set(), set(), [node]
        while waiting:
            current = waiting.pop()
            operations.add(current.op)
            called = {current.op, *_functions(current.attr)} & self._library.keys()
            for name in called - functions:
                waiting += self._library[name].node_def
            functions |= called
        return operations, functions


def _functions(attributes: Mapping[str, attr_value_pb2.AttrValue]) -> Iterator[str]:
    """Names of the functions in attributes, and in those that these are given."""
    waiting = [attributes]
    while waiting:
        for value in waiting.pop().values():
            for function in (value.func, *value.list.func):
                if function.name:
                    yield function.name
                    waiting.append(function.attr)


def _node_name(tensor: str) -> str:
    return tensor.removeprefix("^").partition(":")[0]
