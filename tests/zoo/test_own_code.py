"""Networks and quantisers of the user: found where named, never run unnamed."""

from __future__ import annotations

import dataclasses
import sys
from importlib import metadata

import pytest

from tests.conftest import assert_one_line_error, run_command
from zoo import config_flags, files, registry
from zoo.codeword import network_record
from zoo.config import ExperimentConfig
from zoo.models import references
from zoo.models.csinet import SPEC
from zoo.run_directory import RunDirectory

MARK = "import pathlib; pathlib.Path({mark!r}).touch()\n"
NETWORK = """
import dataclasses
from zoo.models.csinet import SPEC
SPEC = dataclasses.replace(SPEC, name="mine")
OTHER = 3
"""


@pytest.fixture
def network(tmp_path):
    path = tmp_path / "my_net.py"
    path.write_text(NETWORK)
    return path


def test_a_file_is_loaded_once_and_by_any_way_of_writing_it(network, monkeypatch):
    monkeypatch.chdir(network.parent)
    registry.admit("./my_net.py:SPEC")
    found = registry.get(f"{network}:SPEC")
    assert found.name == "mine" and found is registry.get("my_net.py:SPEC")
    assert registry.build("my_net.py:SPEC", (8, 12, 2), 6).decoder.output.shape[1:] == (
        8, 12, 2,
    )  # fmt: skip
    assert references.digest("model", f"{network}:SPEC") == files.sha256(network)


def test_a_module_and_its_name_for_files(network, monkeypatch):
    monkeypatch.syspath_prepend(network.parent)
    registry.admit("my_net:SPEC")
    assert registry.get("my_net:SPEC").name == "mine"
    config = ExperimentConfig(model=f"{network}:SPEC", dataset="own/x")
    assert config.resolved_run_dir.name == "my_net_own_x_m512_s0"
    other = dataclasses.replace(config, model="pkg.nets:WIDE NET")
    assert other.resolved_run_dir.name == "nets_WIDE_NET_own_x_m512_s0"
    sys.modules.pop("my_net")


@pytest.mark.parametrize(
    "content, name, words",
    [
        (None, "SPEC", "no such file"),
        (NETWORK, "SPECS", "no 'SPECS' in .*which has SPEC, OTHER"),
        (NETWORK, "OTHER", "got int 3, expected a zoo.models.spec.ModelSpec"),
        (NETWORK, "", "expected FILE.py:NAME"),
        ("x = 1\ny = x / 0\n", "SPEC", "line 2: ZeroDivisionError"),
        ("x = (\n", "SPEC", "SyntaxError"),
        ("raise SystemExit(0)\n", "SPEC", "line 1: SystemExit: 0"),
        ("import no_such_thing\n", "SPEC", "line 1: ModuleNotFoundError"),
        (NETWORK.replace("mine", "crnet"), "SPEC", "'crnet' is that of a network of"),
        (NETWORK.replace("mine", "My net"), "SPEC", "lower case"),
    ],
)
def test_what_is_no_network_is_said_in_a_line(tmp_path, content, name, words):
    path = tmp_path / "my_net.py"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ValueError, match=words):
        registry.admit(f"{path}:{name}")


def test_a_module_that_ends_the_process(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "a_script.py").write_text("import sys\nsys.exit(main())\n")
    (tmp_path / "b_script.py").write_text("import sys\nsys.exit()\n")
    for name in ("a_script", "b_script"):
        with pytest.raises(ValueError, match="NameError|SystemExit"):
            registry.admit(f"{name}:SPEC")


def test_the_record_of_a_run_with_a_module_that_nobody_named(tmp_path):
    config = ExperimentConfig(quantizer="no_such_package.q:Q", bits=2)
    record = {"name": "crnet", "csi_shape": [32, 32, 2], "own_sha256": {}}
    files.write_json(tmp_path / "network.json", record)
    with pytest.raises(ValueError, match="only where you name it"):
        network_record.check(tmp_path, config, (32, 32, 2))


def test_a_missing_package_is_said():
    with pytest.raises(ValueError, match="pip install"):
        registry.admit("no_such_package.nets:SPEC")


def test_registered_names(monkeypatch):
    monkeypatch.setattr(registry, "_registered", {})
    spec = dataclasses.replace(SPEC, name="mine")
    assert registry.register(spec) is registry.get("mine")
    assert "mine" in registry.own()
    with pytest.raises(ValueError, match="'csinet' is that of"):
        registry.register(SPEC)
    with pytest.raises(ValueError, match="did you mean mine"):
        registry.get("minee")


def test_entry_points_of_packages(network, monkeypatch):
    monkeypatch.syspath_prepend(network.parent)
    info = network.parent / "their_package-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Name: their-package\nVersion: 1.2\n")
    group = f"[{registry.ENTRY_POINTS}]\n"
    points = "mine = my_net:SPEC\nbroken = my_net:NONE\nwrong = my_net:SPEC\n"
    (info / "entry_points.txt").write_text(group + points)
    registry._installed.cache_clear()
    monkeypatch.setattr(registry, "_registered", {})
    try:
        assert metadata.version("their-package") == "1.2"
        assert registry.get("mine").name == "mine"
        for name, words in (
            ("broken", "AttributeError"),
            ("wrong", "is called 'mine'"),
        ):
            with pytest.raises(ValueError, match=f"their-package 1.2: .*{words}"):
                registry.get(name)
    finally:
        registry._installed.cache_clear()
        sys.modules.pop("my_net", None)


@pytest.fixture
def hostile(tmp_path, tiny_run):
    """A run directory of somebody else that refers to code inside itself."""
    folder, mark = tmp_path / "run", tmp_path / "executed"
    folder.mkdir()
    evil = folder / "evil.py"
    evil.write_text(MARK.format(mark=str(mark)) + NETWORK)
    (folder / "best.weights.h5").write_bytes(tiny_run.weights.read_bytes())
    config = tiny_run.config().to_json() | {"run_dir": str(folder)}

    def refer(model, quantizer="uniform"):
        changed = config | {"model": model, "quantizer": quantizer}
        files.write_json(folder / "config.json", changed)
        settings = ExperimentConfig.from_json(changed)
        files.write_text(folder / "flags.cfg", settings.to_flags())
        return folder

    return refer, evil, mark


@pytest.mark.parametrize("kind", ["file", "relative", "module", "quantizer"])
def test_a_run_directory_never_executes_code(hostile, kind, monkeypatch):
    refer, evil, mark = hostile
    monkeypatch.chdir(evil.parent)
    monkeypatch.syspath_prepend(evil.parent.parent)  # as python -m does
    names = {"file": f"{evil}:SPEC", "relative": "./evil.py:SPEC"}
    name = {**names, "module": "run.evil:SPEC"}.get(kind, "crnet")
    other = f"{evil}:SPEC" if kind == "quantizer" else "uniform"
    run = refer(name, other)
    flag = "quantizer" if kind == "quantizer" else "model"
    for call in (
        lambda: RunDirectory(run).load((32, 32, 2)),
        lambda: registry.check_run(run),
    ):
        with pytest.raises(ValueError, match=f"only where you name it.*{flag}"):
            call()
    own = {flag: getattr(ExperimentConfig.of_run(run), flag)}
    named = f"--{flag}={own[flag]}"
    mine = run.parent / "mine.cfg"
    mine.write_text(f"--flagfile={run}/flags.cfg\n")
    theirs = [f"--flagfile={run}/flags.cfg"]
    included = [f"--flagfile={mine}"]
    staged = [f"--stage=--bits=2 --flagfile={run}/flags.cfg"]
    for args in (theirs, included, staged):
        with pytest.raises(ValueError, match=f"add --{flag}="):
            config_flags.check_flagfiles(own, ["train", *args])
        config_flags.check_flagfiles(own, ["train", named, *args])
        config_flags.check_flagfiles(own, ["train", f"--stage={named} --lr=1", *args])
    mine.write_text(f"--flagfile={run}/flags.cfg\n{named}\n")
    config_flags.check_flagfiles(own, ["train", "--flagfile", str(mine)])
    (run / "config.json").unlink()
    (run / "best.weights.h5").unlink()
    (run / "flags.cfg").write_text("--flagfile=sub/more.cfg\n")
    (run / "sub").mkdir()
    (run / "sub" / "more.cfg").write_text(f"{named}\n")
    with pytest.raises(ValueError, match=f"add --{flag}="):
        config_flags.check_flagfiles(own, ["train", *theirs])
    assert not mark.exists()


def test_no_command_takes_code_from_the_flagfile_of_a_run(hostile):
    refer, evil, mark = hostile
    run = refer(f"{evil}:SPEC")
    (run / "more.cfg").write_text(f"--run={run}\n--model={evil}:SPEC\n")
    for module, *more in (("zoo.evaluate",), ("zoo.export", "--out=x")):
        done = run_command(module, f"--flagfile={run}/more.cfg", *more)
        assert_one_line_error(done, f"add --model={evil}:SPEC")
    assert not mark.exists()


def test_the_command_line_to_give_is_printed(hostile):
    refer, evil, mark = hostile
    run = refer(f"{evil}:SPEC")
    for module, extra in (("zoo.evaluate", ""), ("zoo.export", f"--out={run}/x")):
        done = run_command(module, *filter(None, [f"--run={run}", extra]))
        assert_one_line_error(done, f"give python -m {module} --run={run}")
        assert f"--model={evil}:SPEC" in done.stderr
    done = run_command("zoo.train", f"--flagfile={run / 'flags.cfg'}")
    assert_one_line_error(done, "only the flagfile of a run directory")
    assert not mark.exists()
    evil.rename(evil.with_name("moved.py"))
    with pytest.raises(ValueError, match="is gone: add --model=ITS_NEW_PLACE"):
        registry.check_run(run)
    registry.check_run(run, model=f"{evil.with_name('moved.py')}:SPEC")
    assert mark.exists()  # now the user has named it
