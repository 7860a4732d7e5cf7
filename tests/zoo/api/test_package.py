"""`import zoo`: lazy, quick, functions that modules of the same name do not hide."""

from __future__ import annotations

import importlib
import resource
import subprocess
import sys

import pytest

import zoo
from tests.conftest import ROOT
from zoo import registry
from zoo.models.autoencoder import connect
from zoo.models.crnet import build_crnet
from zoo.models.spec import ModelSpec

QUICK = """
import sys, zoo
assert zoo.list_models(pretrained=True) == ["crnet", "klt_residual"]
assert zoo.list_models("*ista_net*", pretrained=False)
assert "train" in dir(zoo) and zoo.__version__
heavy = {"tensorflow", "keras", "numpy", "h5py"} & set(sys.modules)
assert heavy <= {"h5py", "numpy"}, heavy
"""
SHADOW = """
import importlib, types
import zoo, zoo.train, zoo.evaluate
from zoo import export, train
module = importlib.import_module("zoo.train")
assert isinstance(module, types.ModuleType) and callable(module.main)
import zoo.export
for name in ("train", "evaluate", "export"):
    assert isinstance(getattr(zoo, name), types.FunctionType), name
assert train is zoo.train and export is zoo.export
import zoo.config
assert isinstance(zoo.config, types.ModuleType)
"""


def python(text: str, *options: str) -> subprocess.CompletedProcess:
    done = subprocess.run(
        [sys.executable, *options, "-c", text],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done


def seconds(text: str) -> float:
    """Processor time, that of Python's start included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    python(text)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_importing_takes_no_time_and_no_tensorflow():
    assert min(seconds("import zoo") for _ in range(3)) < 0.3
    python(QUICK)


def test_functions_win_over_modules_of_their_names():
    python(SHADOW)


def test_public_names_are_there_and_documented():
    for name in zoo.__all__:
        value = getattr(zoo, name)
        assert isinstance(value, str) or (value.__doc__ or "").count("\n") > 3, name
    assert dir(zoo) == sorted(zoo.__all__)
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        zoo.trian  # noqa: B018


def test_names_for_type_checkers_are_those_of_the_package():
    text = (ROOT / "zoo" / "__init__.py").read_text()
    for name in zoo.__all__[1:]:
        module = importlib.import_module(f"zoo.api.{zoo._API[name]}")
        assert f"from {module.__name__} import {name} as {name}\n" in text
        assert getattr(module, name) is getattr(zoo, name)


def test_a_network_by_name():
    model = zoo.create("crnet", (16, 32, 2), 24, head="3x3")
    assert model.encoder.output.shape == (None, 24)
    assert model.decoder.output.shape == (None, 16, 32, 2)
    with pytest.raises(ValueError, match="did you mean crnet"):
        zoo.create("crnett")
    with pytest.raises(ValueError, match="no option hed"):
        zoo.create("crnet", hed="3x3")


def test_a_network_of_the_user(monkeypatch):
    monkeypatch.setattr(registry, "_registered", {})

    def build(csi_shape=(32, 32, 2), codeword_dim=512):
        parts = build_crnet(csi_shape, codeword_dim)
        return connect(parts.encoder, parts.decoder)

    zoo.register(ModelSpec("mine", build, "none", "none"))
    assert "mine" in zoo.list_models("mi*")
    assert zoo.create("mine", codeword_dim=8).encoder.output.shape == (None, 8)
