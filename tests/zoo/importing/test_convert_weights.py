"""PyTorch weights into the zoo without PyTorch: names, order, refusals."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from tests.conftest import assert_one_line_error, run_command
from tests.support import torch_files
from tests.support.published_files import (
    assert_same_weights,
    channels_first,
    randomise,
    save_pytorch,
    variables,
)
from zoo import registry
from zoo.importing import tensor_matching
from zoo.importing.network import import_network
from zoo.importing.weight_maps import PYTORCH

CODEWORD_DIM = 8


@pytest.fixture(scope="module")
def crnet():
    network = registry.build("crnet", codeword_dim=CODEWORD_DIM)
    randomise(network)
    return network


@pytest.fixture
def published(crnet):
    """Tensors of a published CRNet, by public name."""
    places = {place: key for key, place in PYTORCH["crnet"].places({}).items()}
    tensors = {}
    for path, i, value in variables(crnet.parts):
        value = channels_first(value, path)
        value = value.transpose(3, 2, 0, 1) if value.ndim == 4 else value.T
        tensors[places[path, i]] = value
    return {key: tensors[key] for key in PYTORCH["crnet"].places({})}


@pytest.mark.parametrize("save_format", torch_files.SAVE.values())
def test_crnet_without_pytorch(crnet, published, tmp_path, save_format):
    tensors = {f"module.{key}": value for key, value in published.items()}
    tensors["module.encoder2.bn.num_batches_tracked"] = np.array(5.0)
    paths = save_pytorch(tmp_path / "in_256.pth", tensors, save_format, epoch=2500)
    imported = import_network("crnet", paths)
    assert_same_weights(imported.network, crnet)
    assert imported.codeword_dim == CODEWORD_DIM and imported.model_args == {}
    assert imported.ignored == ["epoch", "encoder2.bn.num_batches_tracked"]


def test_other_names_in_the_same_order(crnet, published, tmp_path):
    tensors = {
        f"layer{i}.{key.rsplit('.', 1)[-1]}": value
        for i, (key, value) in enumerate(published.items())
    }
    paths = save_pytorch(tmp_path / "renamed.pth", tensors)
    with pytest.raises(ValueError, match="lacks .* and 91 more.*--match=order"):
        import_network("crnet", paths)
    imported = import_network("crnet", paths, match="order")
    assert_same_weights(imported.network, crnet)
    # All but the FC layers' four tensors and the kernels 1x9, 9x1, 1x1 of the encoder
    # and 5x5 of the decoder have a twin.
    assert tensor_matching.ambiguous(imported.entries) == len(tensors) - 8
    swapped = dict(reversed(tensors.items()))
    with pytest.raises(
        ValueError, match="stands where encoder1.conv3x3_bn.conv.weight"
    ):
        import_network(
            "crnet", save_pytorch(tmp_path / "b.pth", swapped), match="order"
        )
    swapped.popitem()
    with pytest.raises(ValueError, match="93 tensors, the published network 94"):
        import_network(
            "crnet", save_pytorch(tmp_path / "c.pth", swapped), match="order"
        )


def test_tensors_that_do_not_fit(published, tmp_path):
    path = tmp_path / "net.pth"
    key = "encoder_conv.conv1x1_bn.conv.weight"
    value = published.pop(key)
    with pytest.raises(ValueError, match=f"lacks {key} and has nothing"):
        import_network("crnet", save_pytorch(path, published))
    published[key] = value
    extra = published | {"attention.weight": value}
    with pytest.raises(ValueError, match="lacks nothing and has attention.weight"):
        import_network("crnet", save_pytorch(path, extra))
    wide = published | {key: np.zeros((2, 4, 3, 3))}
    with pytest.raises(ValueError, match=rf"{key} is .*\(3, 3, 4, 2\).*\(1, 1, 4, 2\)"):
        import_network("crnet", save_pytorch(path, wide))
    storage = torch_files.Storage("99", np.zeros(8), "LongStorage")
    whole = published | {key: torch_files.tensor(storage, (2, 4, 1, 1))}
    with pytest.raises(ValueError, match=rf"{key} is int64"):
        import_network("crnet", save_pytorch(path, whole))
    with pytest.raises(ValueError, match=r"conv5x5_bn.conv.weight is .*\(7, 7, 2, 2\)"):
        import_network("crnet", save_pytorch(path, published), {"head": "7x7"})


def test_other_refusals(published, tmp_path):
    paths = save_pytorch(tmp_path / "net.pth", published)
    with pytest.raises(ValueError, match="known for acrnet, bcsinet"):
        import_network("bacrnet", paths)
    with pytest.raises(ValueError, match="unknown model 'crnett'"):
        import_network("crnett", paths, {"head": "5x5"})
    with pytest.raises(ValueError, match="no option heads"):
        import_network("crnet", paths, {"heads": "5x5"})
    with pytest.raises(ValueError, match="hold the same tensors"):
        import_network("crnet", paths * 2)
    with pytest.raises(ValueError, match="3 files, expected one"):
        import_network("crnet", paths * 3)
    with pytest.raises(FileNotFoundError, match="no.pth: no such file"):
        import_network("crnet", [tmp_path / "no.pth"])
    with pytest.raises(
        ValueError, match="is a PyTorch file.*csinet are read from an HDF5"
    ):
        import_network("csinet", paths)
    h5py.File(tmp_path / "net.h5", "w").close()
    with pytest.raises(ValueError, match="--matrix=FILE"):
        import_network("cs_csinet", [tmp_path / "net.h5"])


@pytest.mark.parametrize("head", "ABC")
@pytest.mark.parametrize("blocks", [2, 3])
def test_options_of_bcsinet_are_those_of_its_tensors(head, blocks):
    public, args = PYTORCH["bcsinet"], {"head": head, "blocks": blocks}
    assert public.options(public.places(args)) == args


def test_malicious_file(tmp_path):
    """The command ends with one line, runs nothing and writes nothing."""
    marker, path, out = (tmp_path / name for name in ("was_here", "net.pth", "run"))
    call = torch_files.Call(torch_files.Global("os", "system"), f"touch {marker}")
    torch_files.save_legacy(path, {"state_dict": {"fc.weight": call}})
    flags = ("--model=crnet", f"--source={path}", f"--out={out}")
    done = run_command("zoo.convert_weights", *flags)
    assert_one_line_error(done, str(path), "refused", "os.system")
    assert not marker.exists() and not out.exists()
