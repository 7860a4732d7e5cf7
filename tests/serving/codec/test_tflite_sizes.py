"""TFLite files that announce more than they are, and damaged ones, before a runtime."""

from __future__ import annotations

import json
import shutil
import time

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from serving.codec import tflite_sizes
from serving.codec.ue_encoder import UeEncoder
from tests.serving.api.test_serving_fuzz import mutated
from tests.support.tiny_export import samples, save_encoder
from zoo import files
from zoo.quantization.tflite_slim import pack


@pytest.fixture(scope="module")
def export(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny")
    save_encoder(folder)
    return folder


def model_of(content: bytes) -> schema.ModelT:
    return schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))


def test_an_encoder_passes(export):
    content = (export / "encoder.tflite").read_bytes()
    tflite_sizes.check(export, content)
    numbers = sum(
        int(np.prod(t.shape)) for g in model_of(content).subgraphs for t in g.tensors
    )
    assert tflite_sizes._bytes(content) >= 4 * numbers


@pytest.mark.parametrize("shape", [[1 << 15, 1 << 15], [1 << 31 - 1] * 8])
def test_a_tensor_of_many_numbers(export, tmp_path, shape):
    """The hashes are those of the file: it is hostile, not damaged."""
    for name in ("encoder.tflite", "codec.json"):
        shutil.copy(export / name, tmp_path)
    path = tmp_path / "encoder.tflite"
    model = model_of(path.read_bytes())
    model.subgraphs[0].tensors[-1].shape = np.array(shape, np.int32)
    path.write_bytes(pack(model))
    codec = json.loads((tmp_path / "codec.json").read_text())
    codec["files"]["encoder.tflite"] = files.sha256(path)
    (tmp_path / "codec.json").write_text(json.dumps(codec))
    with pytest.raises(ValueError, match=r"encoder\.tflite: .*unfold to"):
        UeEncoder(path)


def test_damaged_files(export):
    """Either refused, or a size that the cap knows; nothing else is raised."""
    content = (export / "encoder.tflite").read_bytes()
    rng, refused = np.random.default_rng(0), 0
    for _ in range(300):
        damaged = bytearray(content)
        for place in rng.integers(0, 2000, 4):
            damaged[place] = rng.integers(256)
        try:
            tflite_sizes.check(export, bytes(damaged))
        except ValueError:
            refused += 1
    assert refused > 5


@pytest.mark.parametrize("number", [60, pytest.param(2800, marks=pytest.mark.slow)])
def test_hostile_files_are_refused_or_run(export, tmp_path, number):
    """Whoever damages a file can give its hash as well: one line, or an encoder."""
    codec = json.loads((export / "codec.json").read_text())
    content = (export / "encoder.tflite").read_bytes()
    path, rng = tmp_path / "encoder.tflite", np.random.default_rng(1)
    h, counts = samples(1)[0], {"refused": 0, "ran": 0}
    for _ in range(number):
        path.write_bytes(mutated(content, rng))
        codec["files"]["encoder.tflite"] = files.sha256(path)
        (tmp_path / "codec.json").write_text(json.dumps(codec))
        began = time.process_time()
        try:
            ue = UeEncoder(path)
        except ValueError as error:
            assert len(str(error).splitlines()[0]) < 400
            counts["refused"] += 1
        else:
            assert len(ue.encode_bits(h)) == codec["payload_bytes"]
            counts["ran"] += 1
        assert time.process_time() - began < 5
    assert min(counts.values()) > number // 10


def shared(count: int) -> bytes:
    """So many subgraphs, all the same one, of as many tensors, all the same one."""
    builder = flatbuffers.Builder()

    def vector(start, item):
        start(builder, count)
        for _ in range(count):
            builder.PrependUOffsetTRelative(item)
        return builder.EndVector()

    tensors = vector(schema.SubGraphStartTensorsVector, schema.TensorT().Pack(builder))
    schema.SubGraphStart(builder)
    schema.SubGraphAddTensors(builder, tensors)
    graphs = vector(schema.ModelStartSubgraphsVector, schema.SubGraphEnd(builder))
    schema.ModelStart(builder)
    schema.ModelAddSubgraphs(builder, graphs)
    builder.Finish(schema.ModelEnd(builder), b"TFL3")
    return bytes(builder.Output())


def test_subgraphs_that_share_their_tensors(tmp_path):
    """What is there once is not counted without end: 80 kB would take minutes."""
    began = time.process_time()
    with pytest.raises(ValueError, match="more tensors than it has bytes"):
        tflite_sizes.check(tmp_path / "x", shared(10_000))
    assert time.process_time() - began < 2
