"""The table of published files: each kind is read, or refused by what it is."""

from __future__ import annotations

import zipfile

import h5py
import numpy as np
import pytest
import scipy.io

from tests.conftest import assert_one_line_error, run_command
from tests.support import public_cllwcsinet, public_fista, torch_files
from tests.support.published_files import randomise, save_keras2, save_pytorch
from tests.support.torch_files import Call, Global, of_array
from zoo import registry
from zoo.importing import kinds, tensor_matching
from zoo.importing.network import import_network
from zoo.importing.public_network import PublicNetwork
from zoo.importing.weight_maps import PYTORCH


def public_tensors(model: str, args: dict | None = None, biases=False):
    """Random tensors of a network of the zoo under its public names."""
    public, args = PYTORCH[model], args or {}
    network = registry.build(model, (32, 32, 2), 8, args)
    randomise(network)
    places = {place: key for key, place in public.places(args).items()}
    tensors = {}
    for path, weights in tensor_matching._weights(network).items():
        for i, weight in enumerate(weights):
            value = np.asarray(weight)
            order = (3, 2, 0, 1) if value.ndim == 4 else None
            value = value.ravel() if path.endswith("_prelu") else value
            tensors[places[path, i]] = np.transpose(value, order)
    tensors = {key: tensors[key] for key in public.places(args)}
    return tensors | ({"other.bias": np.ones(3)} if biases else {})


def trained(path, tensors, how, **other):
    """A state dict as trainers save it: key of the state dict, prefix of its names."""
    key, prefix = how
    state = {
        prefix + name: of_array(str(i), value)
        for i, (name, value) in enumerate(tensors.items())
    }
    torch_files.save_legacy(path, {**other, key: state} if key else {**state, **other})
    return [path]


TRAINERS = {
    "CRNet's": ("crnet", ("state_dict", ""), {"epoch": 2500, "best_nmse": None}),
    "a parallel one": ("clnet", ("state_dict", "module."), {"arch": "CLNet"}),
    "a bare state dict": ("bcsinet", ("", ""), {}),
    "beside an epoch": ("acrnet", ("", ""), {"epoch": 3}),
    "model_state_dict": ("crnet", ("model_state_dict", ""), {"lr_state_dict": {}}),
    "another name": ("transnet", ("net", ""), {"loss": 0.25}),
    "NumPy scalars": ("crnet", ("state_dict", ""), {"best": np.float64(-9.5)}),
}


@pytest.mark.parametrize("name", TRAINERS)
def test_pytorch_files_that_are_read(name, tmp_path):
    model, how, other = TRAINERS[name]
    tensors = public_tensors(model)
    imported = import_network(model, trained(tmp_path / "n.pth", tensors, how, **other))
    assert imported.codeword_dim == 8 and len(imported.entries) == len(tensors)
    assert imported.ignored == list(other)


@pytest.mark.parametrize("match", ["name", "order"])
@pytest.mark.parametrize("model", ["crnet", "bcsinet"])
def test_biases_before_batch_norm_are_folded(model, match, tmp_path):
    """With x + b before batch norm and its mean larger by b, nothing changes."""
    places, plain = PYTORCH[model].places({}), public_tensors(model)
    means = {path: key for key, (path, i) in places.items() if i == 2}
    rng, variant, moved = np.random.default_rng(3), {}, {}
    for key, value in plain.items():
        variant[key] = value
        path = places[key][0]
        if path.endswith("_conv"):
            bias = rng.normal(0, 0.1, value.shape[0]).astype("f4")
            variant[key.removesuffix("weight") + "bias"] = bias
            moved[means[path.removesuffix("_conv") + "_bn"]] = bias
    for mean, bias in moved.items():
        variant[mean] = variant[mean] + bias
    if match == "order":
        words = [key.rsplit(".", 1)[-1] for key in variant]
        values = zip(words, variant.values(), strict=True)
        variant = {f"x{i}.{word}": value for i, (word, value) in enumerate(values)}
    with_biases = save_pytorch(tmp_path / "b.pth", variant)
    imported = import_network(model, with_biases, match=match)
    without = import_network(model, save_pytorch(tmp_path / "a.pth", plain))
    assert len(imported.folded) == len(moved) > 5 and not without.folded
    csi = rng.random((2, 32, 32, 2), "f4")
    np.testing.assert_allclose(
        imported.network.autoencoder(csi), without.network.autoencoder(csi), atol=1e-5
    )


def test_a_bias_that_nothing_can_take(tmp_path):
    tensors = public_tensors("crnet", biases=True)
    with pytest.raises(ValueError, match="lacks nothing and has other.bias"):
        import_network("crnet", save_pytorch(tmp_path / "net.pth", tensors))
    del tensors["other.bias"]
    tensors["encoder2.conv.bias"] = np.ones(5)
    with pytest.raises(ValueError, match="has encoder2.conv.bias, which the published"):
        import_network("crnet", save_pytorch(tmp_path / "net.pth", tensors))


def _zip(path, *names):
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, b"x")


def _saved_model(path):
    path.mkdir()
    (path / "saved_model.pb").write_bytes(b"\x08\x01")


def _run_directory(path):
    path.mkdir()
    for name in ("config.json", "best.weights.h5"):
        (path / name).write_text("{}")


def _checkpoint(path):
    public_fista.save(path, public_fista.tensors(8, 1))


def _matlab(path):
    with path.open("wb") as file:
        scipy.io.savemat(file, {"W1": np.eye(2)})


def _safetensors(path):
    path.write_bytes((40).to_bytes(8, "little") + b'{"w":{"dtype":"F32"}}'.ljust(60))


def _text(content: bytes):
    return lambda path: path.write_bytes(content)


OTHERS = {
    "SavedModel": (_saved_model, "a SavedModel, .*: save its weights under Keras 2"),
    "run directory": (_run_directory, "a run directory.*zoo.evaluate --run="),
    "checkpoint": (_checkpoint, "a TensorFlow checkpoint"),
    "folder": (lambda path: path.mkdir(), "a folder"),
    "HDF5": (lambda path: h5py.File(path, "w").close(), "an HDF5 file"),
    "mat": (_matlab, "a MATLAB file.*: --matrix takes CS-CsiNet's A"),
    "mat 7.3": (_text(b"MATLAB 7.3 MAT-file, Platform"), "a MATLAB file"),
    "npy": (lambda path: np.save(path.open("wb"), np.eye(2)), "a NumPy array"),
    "npz": (lambda path: np.savez(path.open("wb"), w=np.eye(2)), "a NumPy archive"),
    "keras": (lambda path: _zip(path, "config.json", "model.weights.h5"), "a Keras 3"),
    "TorchScript": (
        lambda path: _zip(path, "net/data.pkl", "net/constants.pkl"),
        r"a TorchScript archive.*state_dict\(\)",
    ),
    "tflite": (_text(b"\x1c\0\0\0TFL3" + bytes(40)), "a TensorFlow Lite model"),
    "safetensors": (_safetensors, "a safetensors file.*torch.save"),
    "LFS": (_text(b"version https://git-lfs.github.com/spec/v1\noid"), "Git LFS"),
    "web page": (_text(b"\n<!DOCTYPE html><html>"), "a web page"),
    "gzip": (_text(b"\x1f\x8b\x08" + bytes(20)), "a gzip archive.*: unpack it"),
    "rar": (_text(b"Rar!\x1a\x07\x01\0"), "a RAR archive.*: unpack it"),
    "7z": (_text(b"7z\xbc\xaf\x27\x1c"), "a 7-Zip archive.*: unpack it"),
    "tar": (_text(b"net/".ljust(257, b"\0") + b"ustar\0"), "a tar archive.*: unpack"),
    "empty": (_text(b""), "an empty file"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_files_that_are_refused_by_what_they_are(name, tmp_path):
    write, text = OTHERS[name]
    path = tmp_path / "source"
    write(path)
    with pytest.raises(ValueError, match=text) as refused:
        import_network("crnet", [path])
    assert "weights of crnet are read from a PyTorch file" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_pytorch_files_that_are_refused_by_what_they_are(tmp_path):
    path = tmp_path / "net.pth"
    module = Call(Global("models.crnet", "CRNet"))
    for obj, text in (
        (module, r"asks for models\.crnet\.CRNet, expected nothing but tensors"),
        (
            {"encoder": {"w": of_array("0", [1])}, "epoch": 3},
            "lacks decoder_fc.* and has w",
        ),
        ({"epoch": 3, "optimizer": {}}, "holds optimizer, .*|optimizer is a dict"),
    ):
        torch_files.save_zip(path, obj)
        with pytest.raises(ValueError, match=text):
            import_network("crnet", [path])


def test_each_network_has_its_kind_of_file(tmp_path):
    """CsiNet's HDF5 and CLLWCsiNet's zip for the others, and the wrong network."""
    network = registry.build("csinet", (32, 32, 2), 32, {})
    save_keras2(tmp_path / "net.h5", network.parts, first=True)
    assert import_network("csinet", [tmp_path / "net.h5"]).codeword_dim == 32
    with pytest.raises(ValueError, match="is an HDF5 file, .*from a TensorFlow check"):
        import_network("fista_net", [tmp_path / "net.h5"])
    state = public_cllwcsinet.state_dict(4, noise_free=True)
    paths = save_pytorch(tmp_path / "net.pth", state)
    with pytest.raises(
        ValueError, match="is a PyTorch file, .*csinet are read from an"
    ):
        import_network("csinet", paths)
    with pytest.raises(ValueError, match="lacks decoder_fc.* and has _last_cov"):
        import_network("crnet", paths)


def test_damaged_zip_is_left_to_the_reader(tmp_path):
    path = tmp_path / "net.pth"
    path.write_bytes(b"PK\3\4" + bytes(50))
    assert kinds.kind(path) == ""
    with pytest.raises(ValueError, match="not a PyTorch file that can be used"):
        import_network("crnet", [path])


@pytest.mark.parametrize(
    ("value", "text"),
    [(np.float32(1), "codeword_dim is 0"), (np.ones((8, 2048, 0)), "is empty")],
)
def test_an_fc_layer_that_is_none(value, text, tmp_path):
    tensors = public_tensors("crnet") | {"encoder_fc.weight": np.asarray(value)}
    with pytest.raises(ValueError, match=text):
        import_network("crnet", save_pytorch(tmp_path / "net.pth", tensors))


def test_a_network_of_its_own_layout_only():
    """`other` is taken where all its names are there, and nowhere else."""
    wide = PublicNetwork(lambda _: {"wide.weight": ("encoder/a", 0)})
    narrow = PublicNetwork(lambda _: {"weight": ("encoder/a", 0)}, other=wide)
    assert narrow.of({"wide.weight": np.eye(2)}) is wide
    assert narrow.of({"weight": np.eye(2)}) is narrow is narrow.of({})


def test_quantizer_flags(tmp_path):
    """Refused before the file is read: nobody waits for a typing error."""
    flags = ("--model=crnet", "--source=absent.pth", f"--out={tmp_path / 'run'}")
    done = run_command("zoo.convert_weights", *flags, "--bits=4")
    assert_one_line_error(done, "--quantizer=: after the training expected uniform")
