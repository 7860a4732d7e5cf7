"""A SavedModel that does more than decode is not loaded."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.python.framework import op_def_registry

from serving.codec import bitstream
from serving.models import allowed_ops
from serving.models.servable import Runtime, Servable
from tests.support.network_checks import SMALL
from tests.support.serving_harness import TIMEOUT, command, predict
from zoo import registry
from zoo.codeword import codeword_path
from zoo.codeword.codec_graph import DecoderGraph
from zoo.exporting import directory
from zoo.layers.quantizers import UniformQuantizer

pytest_plugins = ["tests.support.serving_fixtures", "tests.support.pursuit_export"]
pytestmark = pytest.mark.serving
SHAPE, M, BITS = (16, 16, 2), 64, 4
SINGLE = [n for n in registry.MODELS if not registry.get(n).takes_sequences]
QUICK = ("crnet",)
QUANTIZERS = {
    "mu_law": (M, {}),
    "sign": (M, {}),
    "lszq": (M, {}),
    "ssq": (M, {}),
    "polar": (16 + 32 + 512, {"magnitude_dim": 16, "num_signs": 512}),
    "mdpq": (16 + 256, {"magnitude_dim": 16, "entries": 256}),
}


class Writer(tf.Module):
    """Writes what is sent into a file, and reads another one."""

    def __init__(self, folder, hidden: bool):
        super().__init__()
        self._folder, self._hidden = str(folder), hidden

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "feedback_bytes")])
    def serving_default(self, feedback_bytes):
        def act(x):
            tf.io.write_file(self._folder + "/written", x[0])
            return tf.io.read_file(self._folder + "/secret")[None]

        return {
            "h": tf.function(act)(feedback_bytes)
            if self._hidden
            else act(x=feedback_bytes)
        }


def save_writer(folder, hidden: bool):
    """A version directory, and beside it a secret."""
    (folder / "secret").write_bytes(b"0815")
    module, version = Writer(folder, hidden), folder / "decoder" / "1"
    tf.saved_model.save(
        module, str(version), {"serving_default": module.serving_default}
    )
    return version


def edited(version, edit):
    """Change the MetaGraph of a version."""
    path = version / allowed_ops.FILE
    model = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    edit(model.meta_graphs[0])
    path.write_bytes(model.SerializeToString())
    return version


@pytest.mark.parametrize("hidden", [False, True], ids=["in the graph", "in a function"])
def test_a_graph_that_uses_files_is_refused(tmp_path, hidden):
    version = save_writer(tmp_path, hidden)
    match = "cannot serve .*its graph has ReadFile, WriteFile, which decoders"
    with pytest.raises(ValueError, match=match):
        Servable(version)
    assert not (tmp_path / "written").exists()
    allowed = allowed_ops.allowed(["ReadFile", "WriteFile"])
    for runtime in (Runtime(allowed_ops=allowed), Runtime(allowed_ops=None)):
        servable = Servable(version, runtime)
        answer = servable.predict(predict(feedback_bytes=[b"x"]))
        assert answer["h"].tolist() == [b"0815"]  # it would have done so
        servable.close()


@pytest.mark.slow
def test_the_server_refuses_it_with_one_line(tmp_path):
    version = save_writer(tmp_path, True)
    process = command(
        "serving.server", f"--model_base_path={version.parent}", "--port=0"
    )
    out, err = process.communicate(timeout=TIMEOUT)
    assert (process.returncode, out) == (1, "") and "Traceback" not in err
    assert "--allow_ops=ReadFile,WriteFile" in err.splitlines()[-1]


def test_functions_given_to_functions_are_looked_at(install):
    """A function that nobody calls by name may be what another one is given."""

    def hide(meta_graph):
        library = meta_graph.graph_def.library
        evil = library.function.add()
        evil.signature.name = "evil"
        evil.node_def.add(name="x", op="WriteFile")

    with pytest.raises(ValueError, match="its graph has WriteFile"):
        allowed_ops.check(edited(install(1), hide), allowed_ops.DEFAULT)


@pytest.mark.parametrize("way", ["output", "input", "collection"])
def test_the_saver_is_not_for_requests(install, way):
    """Of a SavedModel's own saver a request would make a program that writes."""

    def reach(meta_graph):
        saver = meta_graph.saver_def.save_tensor_name
        if way == "output":
            outputs = meta_graph.signature_def["serving_default"].outputs
            outputs["h"].name = saver
        elif way == "input":
            meta_graph.graph_def.node.add(name="x", op="Identity", input=[saver])
        else:
            meta_graph.collection_def["main_op"].node_list.value.append(saver)

    version = install(1)
    allowed_ops.check(version, allowed_ops.DEFAULT)
    with pytest.raises(ValueError, match="MergeV2Checkpoints, SaveV2"):
        allowed_ops.check(edited(version, reach), allowed_ops.DEFAULT)


def test_a_restore_that_saves_is_refused(install):
    def swap(meta_graph):
        saver = meta_graph.saver_def
        saver.restore_op_name = saver.save_tensor_name.removesuffix(":0")

    with pytest.raises(ValueError, match="SaveV2"):
        allowed_ops.check(edited(install(1), swap), allowed_ops.DEFAULT)


def test_functions_that_replace_others_are_refused(install):
    def replace(meta_graph):
        function = meta_graph.graph_def.library.function[0]
        function.attr["api_implements"].s = b"x"

    with pytest.raises(ValueError, match="api_implements"):
        allowed_ops.check(edited(install(1), replace), allowed_ops.DEFAULT)


def test_another_form_of_the_file_is_refused(install):
    version = install(1)
    path = version / allowed_ops.FILE
    path.rename(path.with_suffix(".pbtxt"))
    with pytest.raises(ValueError, match="no saved_model.pb, the one form"):
        Servable(version)
    path.write_bytes(b"\xff" * 40)
    with pytest.raises(ValueError, match="saved_model.pb is damaged"):
        Servable(version)


def test_what_is_allowed_is_arithmetic_without_state():
    found = {name: op_def_registry.get(name) for name in allowed_ops.DEFAULT}
    assert not [name for name, op in found.items() if op is None]
    stateful = {name for name, op in found.items() if op.is_stateful}
    assert stateful == {"StatefulPartitionedCall"}
    assert not [n for n in found if "File" in n or n.startswith(("Py", "Save"))]


def test_the_flag():
    assert allowed_ops.allowed([]) == allowed_ops.DEFAULT
    assert allowed_ops.allowed(["any"]) is None
    assert allowed_ops.allowed(["X", "Y"]) == allowed_ops.DEFAULT | {"X", "Y"}
    for names in (["a b"], ["any", "X"], [""]):
        with pytest.raises(ValueError, match="is no operation; expected names such as"):
            allowed_ops.allowed(names)


def written(model, m: int, sections, uplink: bool, path):
    """The decoder of a model as an export has it."""
    codec = {
        "csi_shape": list(SHAPE),
        "codeword_dim": m,
        "uplink": uplink,
        "sections": sections,
        "payload_bytes": sum(bitstream.payload_size(*s) for s in sections),
        "model_id": "0badcafe",
    }
    directory.save_decoder(DecoderGraph(model, codec), path)
    return path


def check_network(name: str, path) -> None:
    spec = registry.get(name)
    model = registry.build(name, SHAPE, M, SMALL.get(name))
    model = model._replace(path=(UniformQuantizer(BITS),))
    m = model.encoder.output.shape[-1]
    version = written(model, m, [[m, BITS]], spec.takes_uplink, path)
    allowed_ops.check(version, allowed_ops.DEFAULT)


@pytest.mark.parametrize("name", QUICK)
def test_exports_of_networks_pass(name, tmp_path):
    check_network(name, tmp_path / "1")


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(SINGLE) - set(QUICK)))
def test_exports_of_every_network_pass(name, tmp_path):
    check_network(name, tmp_path / "1")


@pytest.mark.slow
@pytest.mark.parametrize("name", QUANTIZERS)
def test_exports_of_every_quantiser_pass(name, tmp_path):
    m, args = QUANTIZERS[name]
    quantizer = codeword_path.make_quantizer(name, 1 if name == "sign" else BITS, args)
    z = 0.3 * np.random.default_rng(0).normal(size=(32, m)).astype(np.float32)
    quantizer(z)
    if hasattr(quantizer, "fit"):
        quantizer.fit(z)
    weights = tf.ones([m, np.prod(SHAPE)])
    model = SimpleNamespace(
        quantizer=quantizer, recover=lambda z: tf.reshape(z @ weights, [-1, *SHAPE])
    )
    sections = codeword_path.sections(quantizer, m)
    version = written(model, m, sections, False, tmp_path / "1")
    allowed_ops.check(version, allowed_ops.DEFAULT)


@pytest.mark.slow
def test_exports_of_the_pursuit_pass(pursuit_files):
    version = pursuit_files.path / "decoder" / "1"
    allowed_ops.check(version, allowed_ops.DEFAULT)
