"""PyTorch files without PyTorch: both formats, types of numbers, views, state dicts.

The files are written by tests/support/torch_files.py, so that the reader is tested
where PyTorch is absent; one test compares it with PyTorch itself.
"""

from __future__ import annotations

import collections
import sys
import types

import numpy as np
import pytest

from tests.support.torch_files import SAVE, Call, Global, Storage, of_array, tensor
from zoo.importing import torch_checkpoint
from zoo.importing.unpickler import DTYPES


@pytest.fixture(params=list(SAVE))
def save(request, tmp_path):
    """Function that writes an object in one of the formats and returns the path."""

    def write(obj, **options):
        path = tmp_path / "net.pth"
        SAVE[request.param](path, obj, **options)
        return path

    return write


@pytest.mark.parametrize("kind", DTYPES)
def test_types_of_numbers(save, kind):
    numbers = np.array([0, 1, 1, 0, 1, 0], DTYPES[kind])
    expected = numbers
    if kind == "BFloat16Storage":
        # 0x4049 and 0xbf80 are the upper halves of 3.140625 and -1.0 as float32.
        numbers = np.array([0x4049, 0xBF80, 0, 0, 0x4049, 0], "u2")
        expected = np.array([3.140625, -1, 0, 0, 3.140625, 0], "f4")
    value = torch_checkpoint.load(save([tensor(Storage("7", numbers, kind), (2, 3))]))
    np.testing.assert_array_equal(value[0], expected.reshape(2, 3))
    assert value[0].dtype == expected.dtype


def test_views(save):
    numbers = np.arange(12.0)
    storage = Storage("0", numbers)
    parameter = Global("torch._utils", "_rebuild_parameter")
    value = torch_checkpoint.load(
        save(
            {
                "transposed": tensor(storage, (3, 2), (1, 3), 4),
                "every third": Call(parameter, tensor(storage, (4,), (3,)), True, {}),
                "scalar": tensor(storage, (), (), 11),
                "empty": tensor(storage, (0, 5)),
            }
        )
    )
    np.testing.assert_array_equal(value["transposed"], numbers[4:10].reshape(2, 3).T)
    np.testing.assert_array_equal(value["every third"], numbers[::3])
    assert value["scalar"] == 11 and value["scalar"].shape == ()
    assert value["empty"].shape == (0, 5)
    value["transposed"][0, 0] = 99  # an array of its own
    assert value["every third"][2] == 6


def test_trees(save):
    mapping = collections.OrderedDict(a=1, b=[True, None, 2.5, "x"])
    mapping._metadata = {"version": 1}
    shared = [of_array("0", [1, 2])]
    value = torch_checkpoint.load(save({"m": mapping, "t": (shared, shared)}))
    assert value["m"] == {"a": 1, "b": [True, None, 2.5, "x"]}
    assert list(value["m"]) == ["a", "b"]
    assert isinstance(value["t"], tuple) and value["t"][0] is value["t"][1]


@pytest.mark.parametrize("state", [None, "state_dict"])
def test_state_dict(save, state):
    weights = collections.OrderedDict()
    weights["module.fc.weight"] = of_array("0", np.eye(2))
    weights["module.fc.bias"] = of_array("1", [1, 2])
    weights["module.bn.num_batches_tracked"] = of_array("2", 7)
    weights["total_ops"] = of_array("3", [7])
    checkpoint = {"epoch": 9, state: weights} if state else weights
    tensors, ignored = torch_checkpoint.state_dict(save(checkpoint))
    assert list(tensors) == ["fc.weight", "fc.bias"]
    np.testing.assert_array_equal(tensors["fc.weight"], np.eye(2))
    counters = ["bn.num_batches_tracked", "total_ops"]
    assert ignored == (["epoch", *counters] if state else counters)


def test_no_state_dict(save):
    for value in ([1, 2], {}, {"state_dict": 3}, of_array("0", [1])):
        with pytest.raises(ValueError, match="no state dict"):
            torch_checkpoint.state_dict(save(value))
    with pytest.raises(ValueError, match="holds epoch, best and no tensors"):
        torch_checkpoint.state_dict(save({"epoch": 3, "best": None}))
    halves = {half: {"fc": of_array(half, [1])} for half in ("encoder", "decoder")}
    with pytest.raises(ValueError, match="several state dicts, encoder, decoder"):
        torch_checkpoint.state_dict(save(halves))
    with pytest.raises(ValueError, match="fc is a list, expected one tensor"):
        torch_checkpoint.state_dict(save({"fc": [1.0]}))
    twice = {"fc": of_array("0", [1]), "module.fc": of_array("1", [1])}
    with pytest.raises(ValueError, match="expected one tensor"):
        torch_checkpoint.state_dict(save(twice))


@pytest.mark.parametrize("key", ["state_dict", "model_state_dict", "net", None])
def test_what_trainers_save_beside_the_weights(save, key):
    """Epoch, learning rate, optimiser, and a best result that is a NumPy scalar."""
    weights = {"fc.weight": of_array("0", np.eye(2))}
    moments = {"state": {0: {"exp_avg": of_array("1", [1])}}, "param_groups": [{}]}
    best = {"best": np.float64(-9.5), "step": np.int32(7), "ok": np.bool_(True)}
    other = {"epoch": 9, "optimizer_state_dict": moments, "lr": None, **best}
    if key is None:  # no place of its own
        del other["optimizer_state_dict"]
    path = save({**other, **({key: weights} if key else weights)})
    tensors, ignored = torch_checkpoint.state_dict(path)
    assert list(tensors) == ["fc.weight"] and ignored == list(other)
    loaded = torch_checkpoint.load(path)
    assert [loaded[name] for name in best] == [-9.5, 7, True]
    assert type(loaded["best"]) is float


def test_numpy_scalar_of_another_type(save):
    with pytest.raises(ValueError, match="NumPy scalar of type 'S3', not a number"):
        torch_checkpoint.load(save([np.bytes_(b"abc")]))
    with pytest.raises(ValueError, match="refused: .*_reconstruct"):
        torch_checkpoint.load(save([np.arange(3)]))


def test_best_result_of_the_trainer(save, monkeypatch):
    """The named tuple beside the weights becomes a plain tuple, its class unseen."""
    result = collections.namedtuple("Result", ("nmse", "rho"), module="utils.solver")
    solver = types.ModuleType("utils.solver")
    solver.Result = result
    monkeypatch.setitem(sys.modules, "utils", types.ModuleType("utils"))
    monkeypatch.setitem(sys.modules, "utils.solver", solver)
    path = save({"state_dict": {"w": of_array("0", [1])}, "best": result(-9.5, 0.9)})
    monkeypatch.delitem(sys.modules, "utils.solver")
    best = torch_checkpoint.load(path)["best"]
    assert best == (-9.5, 0.9) and type(best) is tuple
    assert torch_checkpoint.state_dict(path)[1] == ["best"]


@pytest.mark.parity
@pytest.mark.parametrize("new", [True, False])
def test_files_of_pytorch(tmp_path, new):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    kinds = ("float32", "float64", "float16", "bfloat16", "int64", "int32", "uint8")
    values = {k: torch.randint(0, 9, (3, 4)).to(getattr(torch, k)) for k in kinds}
    values["bool"] = torch.tensor([True, False])
    base = torch.randn(5, 6)
    values["row"], values["transposed"] = base[2], base.T[1:3]
    values["parameter"] = torch.nn.Parameter(torch.randn(2))
    values["scalar"] = torch.tensor(2.5)
    module = torch.nn.Sequential(torch.nn.Conv2d(2, 3, 1), torch.nn.BatchNorm2d(3))
    optimiser = torch.optim.Adam(module.parameters())
    module(torch.randn(1, 2, 4, 4)).sum().backward()
    optimiser.step()
    checkpoint = {
        "values": values,
        "state_dict": module.state_dict(),
        "optimizer": optimiser.state_dict(),
        "epoch": 3,
    }
    path = tmp_path / "net.pth"
    torch.save(checkpoint, path, _use_new_zipfile_serialization=new)
    loaded = torch_checkpoint.load(path)
    for name, expected in values.items():
        if name == "bfloat16":
            expected = expected.float()
        np.testing.assert_array_equal(loaded["values"][name], expected.detach())
        assert loaded["values"][name].dtype == expected.detach().numpy().dtype
    tensors, ignored = torch_checkpoint.state_dict(path)
    assert ignored == ["values", "optimizer", "epoch", "1.num_batches_tracked"]
    for name, expected in module.state_dict().items():
        if name != "1.num_batches_tracked":
            np.testing.assert_array_equal(tensors[name], expected)
