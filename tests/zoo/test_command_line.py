"""What a user of any command meets: subcommands, help, silence."""

from __future__ import annotations

import importlib
import json
import re
import resource
import signal
import subprocess
import sys

import pytest

from tests.conftest import (
    ROOT,
    assert_one_line_error,
    run_command,
    tiny_flags,
)
from tests.support.processes import silent
from tfds_builders import flag_help
from zoo import __main__ as csizoo
from zoo import registry
from zoo.config import ExperimentConfig


def seconds() -> float:
    """Processor time of the commands so far: TensorFlow's import alone takes two."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime


def in_process(words: list[str], *args) -> subprocess.CompletedProcess:
    """Run the console script, which is not installed in every environment."""
    start = "import sys; sys.argv[0] = 'csizoo'; from zoo.__main__ import main; main()"
    return subprocess.run(
        [sys.executable, *args, "-c", start, *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_csizoo_lists_all_commands_without_tensorflow():
    for words in ([], ["--help"]):
        done = in_process(words, "-X", "importtime")
        assert done.returncode == 0
        for name in (*csizoo.LOOK, *csizoo.COMMANDS):
            assert f"\n  {name} " in done.stdout
        assert len(done.stdout.splitlines()) == len(csizoo.LOOK | csizoo.COMMANDS) + 4
        assert not re.search(r"\| +(tensorflow|numpy|keras)$", done.stderr, re.M)


def test_every_command_is_a_module():
    for module, _ in csizoo.COMMANDS.values():
        path = ROOT / f"{module.replace('.', '/')}.py"
        assert 'if __name__ == "__main__":' in path.read_text()


def test_unknown_subcommand_names_close_ones():
    done = in_process(["trian"])
    assert_one_line_error(done, "'trian'", "train", code=2)


def test_subcommand_is_the_module():
    done = in_process(["train", "--model=crnett"])
    assert_one_line_error(done, "did you mean crnet")
    done = in_process(["export"])
    assert_one_line_error(done, "--run is missing; usage: csizoo export --run=RUN")


def test_names_of_the_registry_are_those_of_the_specs():
    assert [spec.name for spec in registry.MODELS.values()] == list(registry.MODELS)
    with pytest.raises(KeyError):
        registry.MODELS["crnett"]


def test_help_is_grouped_wrapped_and_no_error():
    done = run_command("zoo.train", "--help", env={"COLUMNS": "60"})
    assert done.returncode == 0 and not done.stderr
    headings = re.findall(r"^(\S.*):$", done.stdout, re.M)
    assert headings == [*flag_help.GROUPS]
    groups = dict(re.findall(r"^(\w+):\n((?:  .*\n)+)", done.stdout + "\n", re.M))
    for group, flag in [
        ("data", "dataset"), ("network", "codeword_dim"), ("codeword", "bits"),
        ("training", "epochs"), ("output", "run_dir"), ("general", "[no]verbose"),
    ]:  # fmt: skip
        assert f"\n  --{flag} " in "\n" + groups[group]
    flags = done.stdout.partition("data:")[2].splitlines()
    assert max(map(len, flags)) <= 60
    text = " ".join(done.stdout.split())
    assert "(default: crnet)" in text and "one of constant, cosine" in text
    for item in ExperimentConfig.__dataclass_fields__:
        assert re.search(
            rf"^  --(\[no\])?{item}$|^  --(\[no\])?{item} ", done.stdout, re.M
        )


def test_full_help_has_the_libraries_flags_too():
    done = run_command("zoo.evaluate", "--helpfull")
    assert done.returncode == 0 and "--[no]alsologtostderr" in done.stdout
    assert "python -m zoo.evaluate:" in done.stdout
    assert "alsologtostderr" not in run_command("zoo.evaluate", "-h").stdout


@pytest.fixture(scope="module")
def trained(data_dir, tmp_path_factory):
    """A tiny run made by the command, and what the command printed."""
    path = tmp_path_factory.mktemp("command") / "run"
    changes = {"epochs": 1, "warmup_epochs": "", "data_dir": data_dir}
    flags = [x for x in tiny_flags(**changes, run_dir=path) if "warmup" not in x]
    return path, run_command("zoo.train", *flags)


def test_training_says_only_what_differs(trained):
    path, done = trained
    assert done.returncode == 0, done.stderr[-2000:]
    assert silent(done.stdout) and not done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("flags: --codeword_dim=32 --quantizer=uniform --bits=6")
    assert "--lr=" not in lines[0] and "--model=" not in lines[0]
    assert lines[1] == "warm-up: 0.03 of 1 epochs (--warmup_epochs)"
    assert lines[2].startswith("epoch 1/1 loss ") and len(lines) == 4
    stored = json.loads((path / "config.json").read_text())
    assert stored["warmup_epochs"] == 0.03
    assert "--lr=0.002" in (path / "flags.cfg").read_text().splitlines()


def test_verbose_says_everything(capsys):
    importlib.import_module("zoo.train").show(ExperimentConfig(), every=True)
    assert "--lr=0.002\n" in capsys.readouterr().out


@pytest.mark.slow
def test_exporting_and_serving_are_silent(trained, tmp_path):
    done = run_command("zoo.export", f"--run={trained[0]}", f"--out={tmp_path / 'out'}")
    assert done.returncode == 0 and silent(done.stdout) and not done.stderr
    ports = ["--port=0", "--rest_api_port=0"]
    command = ["serving.server", f"--model_base_path={tmp_path / 'out' / 'decoder'}"]
    process = subprocess.Popen(
        [sys.executable, "-m", *command, *ports],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    ready = process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    out, errors = process.communicate(timeout=60)
    assert process.returncode == 0 and ready.startswith("serving csi_decoder")
    assert not out and not errors


def test_listing_is_silent():
    done = run_command("zoo", "list", "cr*")
    assert done.returncode == 0 and silent(done.stdout) and not done.stderr
