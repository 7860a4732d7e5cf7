"""Slimmed encoder files: the same bits, the same parts, fewer bytes."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from zoo.codeword.codec_graph import EncoderGraph
from zoo.codeword.network import build_autoencoder
from zoo.config import ExperimentConfig
from zoo.quantization.encoder_files import convert
from zoo.quantization.kernels import LARGE, store_int8
from zoo.quantization.operation_counts import not_int8, outside_xnnpack
from zoo.quantization.precisions import PRECISIONS
from zoo.quantization.quantized_encoder import QuantizedEncoder
from zoo.quantization.tflite_slim import ALIGNMENT, slim

pytestmark = pytest.mark.tflite
SLOWLY = [pytest.param(name, marks=pytest.mark.slow) for name in ("dynamic", "int16x8")]
SIGNATURES = {"encode": "codeword", "encode_bits": "packed"}


def sparse_csi(shape, count: int = 6) -> np.ndarray:
    rng = np.random.default_rng(3)
    h = rng.standard_normal((count, *shape)) * (rng.random((count, *shape)) < 0.1)
    return (0.5 * h / np.abs(h).max()).astype(np.float32)


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    """Function that gives a network's file as the converter writes it."""
    scratch = tmp_path_factory.mktemp("convert")

    @functools.cache
    def make(
        precision: str, name="crnet", shape=(16, 16, 2), m=16, mixed=False
    ) -> bytes:
        settings = ExperimentConfig(
            model=name, codeword_dim=m, quantizer="uniform", bits=6
        )
        model, h = build_autoencoder(settings, shape), sparse_csi(shape)
        codec = {"csi_shape": list(shape), "codeword_dim": m, "sections": [[m, 6]]}
        chosen, encoder = PRECISIONS[precision], None
        if chosen.fake_quantised:
            encoder = QuantizedEncoder(model.encoder, h)
        if mixed:
            encoder = QuantizedEncoder(model.encoder, h, set(encoder.costs(h)))
        return convert(EncoderGraph(model, codec, encoder), scratch, chosen, h)

    return make


def parsed(content: bytes) -> schema.ModelT:
    return schema.ModelT.InitFromPackedBuf(content, 0)


def answers(interpreter: Interpreter, h: np.ndarray) -> dict[str, np.ndarray]:
    found = {}
    for signature, output in SIGNATURES.items():
        run = interpreter.get_signature_runner(signature)
        found[signature] = np.stack([run(h=x[None])[output] for x in h])
    return found


@pytest.mark.parametrize("precision", ["fp32", "int8", *SLOWLY])
def test_same_bits_in_a_smaller_file(converted, precision, tmp_path):
    content = converted(precision)
    small, h = slim(content), sparse_csi((16, 16, 2))
    path = tmp_path / "slim.tflite"
    path.write_bytes(small)
    before = Interpreter(model_content=content, num_threads=1)
    after = Interpreter(str(path), num_threads=1)
    assert after.get_signature_list() == before.get_signature_list()
    expected, got = answers(before, h), answers(after, h)
    for signature in SIGNATURES:
        assert expected[signature].std() > 0
        np.testing.assert_array_equal(got[signature], expected[signature])
    # Some kilobytes of each signature's names, tables and empty buffers are gone.
    # The signatures of a dynamic-range file share the encoder: less is there twice.
    gone = 4000 if precision == "dynamic" else 5000
    assert len(small) < len(content) - gone
    assert slim(small) == small


def described(model: schema.ModelT) -> list:
    """Operations and tensors of all graphs, without names and places in the file."""
    graphs = []
    for graph in model.subgraphs:
        tensors = []
        for tensor in graph.tensors:
            grid, data = tensor.quantization, model.buffers[tensor.buffer].data
            numbers = [tensor.shape, data]
            if grid:
                numbers += [grid.scale, grid.zeroPoint]
            arrays = [None if x is None else x.tolist() for x in numbers]
            tensors.append((tensor.type, grid and grid.quantizedDimension, arrays))
        operators = []
        for op in graph.operators:
            code = model.operatorCodes[op.opcodeIndex]
            options = {
                key: np.array(value).tolist()
                for key, value in vars(op.builtinOptions or object).items()
                if not key.startswith("_")
            }
            ends = op.inputs.tolist(), op.outputs.tolist()
            operators.append((code.builtinCode, code.version, *ends, str(options)))
        ends = graph.inputs.tolist(), graph.outputs.tolist()
        graphs.append((tensors, operators, ends))
    return graphs


def test_every_part_is_kept(converted):
    content = converted("int8")
    before, after = parsed(content), parsed(slim(content))
    assert described(after) == described(before)
    assert len(after.buffers) < len(before.buffers)
    names = {t.name for graph in after.subgraphs for t in graph.tensors}
    assert names == {b"", b"h", b"codeword", b"packed"}
    assert not after.metadata and len({t.name for t in before.subgraphs[0].tensors}) > 9


def test_weights_are_aligned(converted):
    """As the schema demands and the generated `Pack` does not see to."""
    content = slim(converted("int8"))
    model = schema.Model.GetRootAs(content, 0)
    starts = [
        buffer._tab.Vector(buffer._tab.Offset(4))
        for buffer in map(model.Buffers, range(model.BuffersLength()))
        if buffer.DataLength()
    ]
    assert len(starts) > 9 and all(start % ALIGNMENT == 0 for start in starts)


@pytest.mark.slow
def test_large_kernels_of_float_operations_are_int8(converted):
    content = slim(converted("int8", "cllwcsinet", m=64, mixed=True))
    model, float_operations = parsed(content), not_int8(content)["encode"]
    assert "CONV_2D" in float_operations and outside_xnnpack(content) == []
    for graph in model.subgraphs:
        made = {i for op in graph.operators for i in op.outputs}
        for i, tensor in enumerate(graph.tensors):
            if tensor.type == schema.TensorType.FLOAT32 and i not in made:
                assert np.prod(tensor.shape) < LARGE or tensor.name == b"h"
    assert len(content) < 0.5 * len(slim(converted("fp32", "cllwcsinet", m=64)))


def test_kernels_that_are_not_large_stay_as_they_are(converted):
    content = converted("int8")
    assert store_int8(content) == content


@pytest.mark.slow
@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize(
    ("name", "share"),
    [("crnet", 0.27), ("acrnet", 0.27), ("clnet", 0.27), ("cllwcsinet", 0.37)],
)
def test_size_of_int8_over_float32(converted, name, share, mixed):
    network = name, (32, 32, 2), 128
    int8 = len(slim(converted("int8", *network, mixed=mixed)))
    assert int8 <= share * len(slim(converted("fp32", *network)))
