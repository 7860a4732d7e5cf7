"""What the environment says of other programs changes no network, no command."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys

import pytest

from tests.conftest import ROOT, TINY, assert_one_line_error, run_command
from tfds_builders import environment

NETWORK = """
import json, numpy as np
from zoo import registry
from zoo.keras_compat import keras
keras.utils.set_random_seed(0)
model = registry.build("crnet", codeword_dim=32)
csi = np.linspace(0, 1, 2048, dtype=np.float32).reshape(1, 32, 32, 2)
print(json.dumps([
    model.encoder.count_params(), str(model.encoder.dtype),
    keras.layers.Dense(2).dtype, keras.layers.BatchNormalization().axis,
    np.asarray(model.encoder(csi)).ravel().tolist(), keras.backend.epsilon(),
    len(model.encoder.predict(csi.repeat(3, 0), batch_size=1, verbose=0)),
]))
"""
KERAS_JSON = {
    "floatx": "float16",
    "epsilon": 0.01,
    "backend": "jax",
    "image_data_format": "channels_first",
}


def network(**environment):
    """Facts of a network that is built in a process of its own."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    done = subprocess.run(
        [sys.executable, "-c", NETWORK], env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("legacy", ["0", "true"])
def test_keras_settings_of_the_user_change_no_network(tmp_path, legacy):
    (tmp_path / "keras.json").write_text(json.dumps(KERAS_JSON))
    common = {"TF_USE_LEGACY_KERAS": legacy, "TF_ENABLE_ONEDNN_OPTS": "0"}
    found = network(KERAS_HOME=str(tmp_path), **common)
    limits = {"KERAS_MAX_EPOCHS": "1", "KERAS_MAX_STEPS_PER_EPOCH": "1"}
    backend = network(KERAS_BACKEND="jax", **limits, **common)
    (tmp_path / "keras.json").unlink()
    assert found == backend == network(KERAS_HOME=str(tmp_path), **common)


def test_keras_of_another_backend_is_refused():
    script = "import sys; sys.modules['keras'] = K; from zoo import keras_compat"
    fake = (
        "import types; K = types.ModuleType('keras');"
        "K.backend = types.SimpleNamespace(backend=lambda: 'jax');"
    )
    done = subprocess.run(
        [sys.executable, "-c", fake + script],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
    )  # fmt: skip
    assert "imported with the backend jax before" in done.stderr


def test_commands_draw_whatever_the_backend_of_notebooks(data_dir, tiny_run, tmp_path):
    page, plot = tmp_path / "page.html", tmp_path / "evaluation_nmse.png"
    for command in (
        ("tfds_builders.inspect", TINY["dataset"], f"--data_dir={data_dir}",
         "--num=20", f"--out={page}"),
        ("zoo.evaluate", f"--run={tiny_run.path}",
         f"--json={tmp_path / 'evaluation.json'}"),
    ):  # fmt: skip
        done = run_command(*command, env={"MPLBACKEND": "nonsense"})
        assert done.returncode == 0, done.stderr[-2000:]
    assert page.is_file() and plot.is_file()


@pytest.mark.parametrize("name", environment.REFUSED)
def test_variables_that_change_what_is_computed_are_refused(name, monkeypatch):
    monkeypatch.setenv(name, "0" if name == "TF2_BEHAVIOR" else "2")
    with pytest.raises(ValueError, match=f"^{name}=[02]: .*; unset it$"):
        environment.check()
    monkeypatch.setenv(name, "1" if name == "TF2_BEHAVIOR" else "")
    environment.check()


@pytest.mark.parametrize("command", ["zoo list crnet", "tfds_builders.build --help"])
def test_commands_refuse_them_at_once(command):
    done = run_command(*command.split(), env={"TF_XLA_FLAGS": "--tf_xla_auto_jit=2"})
    assert_one_line_error(done, "TF_XLA_FLAGS=--tf_xla_auto_jit=2: it compiles every")
    assert not done.stdout


@pytest.mark.parametrize("encoding", ["ascii", "latin-1:strict"])
def test_what_cannot_be_printed_is_spelled_out(encoding, tmp_path):
    page = tmp_path / "Größe_π.md"
    page.write_text("no table", encoding="utf-8")
    env = {"LANG": "C", "LC_ALL": "C", "PYTHONIOENCODING": encoding}
    done = subprocess.run(
        [sys.executable, "-m", "zoo.report", f"--readme={page}"],
        cwd=ROOT, env={**os.environ, **env}, capture_output=True, encoding="latin-1",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert r"_\u03c0.md: as it was" in done.stdout.replace("\\", "\\")
    assert not done.stderr


def test_warnings_and_inspection_of_python_change_no_command():
    env = {"PYTHONWARNINGS": "error", "PYTHONINSPECT": "1", "XLA_FLAGS": "--nonsense"}
    done = subprocess.run(
        [sys.executable, "-m", "zoo", "summary", "crnet", "--codeword_dim=32"],
        cwd=ROOT, env={**os.environ, **env}, input="print('still here')\n",
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert "still here" not in done.stdout and not done.stderr


def test_a_matplotlibrc_changes_no_figure(tmp_path):
    text = "figure.facecolor: red\ntext.usetex: True\n"
    (tmp_path / "matplotlibrc").write_text(text, encoding="utf-8")
    script = (
        "from tfds_builders import inspect_figures as figures; import matplotlib as m;"
        "print(m.rcParams['text.usetex'], figures.render(1, print)[0, 0]);"
        "print(m.rcParams['text.usetex']);"
        "from zoo.metrics import plots; print(m.rcParams['text.usetex'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "MPLCONFIGDIR": str(tmp_path)},
    )  # fmt: skip
    words = done.stdout.splitlines()
    assert words[1:] == ["True [255 255 255 255]", "True", "False"], done.stderr


OTHERS = {  # `open` of these reads no text, `write_text` and `read_text` name it
    "os", "zipfile", "image", "Image", "archive", "files", "serving_protos",
}  # fmt: skip


def without_encoding(source: str):
    """Calls that read or write text in whatever encoding the locale has."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or isinstance(node.func, ast.Subscript):
            continue
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        owner = ast.unparse(getattr(node.func, "value", ast.Constant("")))
        if name not in ("open", "read_text", "write_text") or owner in OTHERS:
            continue
        words = {word.arg for word in node.keywords}
        modes = [ast.unparse(a) for a in node.args]
        modes += [ast.unparse(k.value) for k in node.keywords if k.arg == "mode"]
        if "encoding" not in words and not any(BINARY.search(mode) for mode in modes):
            yield node


BINARY = re.compile(r"['\"][rwax]\+?b\+?['\"]")


@pytest.mark.parametrize("package", ["zoo", "serving", "tfds_builders", "benchmarks"])
def test_no_file_depends_on_the_locale(package):
    own = "write_text(path, "  # of zoo.files, inside itself
    found = [
        f"{path}:{node.lineno}: {ast.unparse(node)}"
        for path in sorted((ROOT / package).rglob("*.py"))
        for node in without_encoding(path.read_text(encoding="utf-8"))
        if not ast.unparse(node).startswith(own)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("open(x)", 1), ("p.open('a')", 1), ("p.read_text()", 1), ("p.open('rb')", 0),
        ("p.write_text(s, encoding='utf-8')", 0), ("os.open(x, 0)", 0),
        ("p.open('ab' if size else 'wb')", 0), ("open('b')", 1),
    ],
)  # fmt: skip
def test_calls_that_take_the_locale_are_found(source, count):
    assert len(list(without_encoding(source))) == count
