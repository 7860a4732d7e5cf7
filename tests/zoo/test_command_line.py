"""What a user of any command meets: subcommands, help, silence, errors before work."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time

import pytest

from tests.conftest import (
    ROOT,
    TINY,
    assert_one_line_error,
    run_command,
    tiny_flags,
)
from tfds_builders import flag_help, flagfiles, quiet
from zoo import __main__ as csizoo
from zoo import baseline, config, quickstart, registry, reproduce, train_stages
from zoo.baselines.methods import Method
from zoo.config import ExperimentConfig
from zoo.experiments import runner
from zoo.run_directory import RunDirectory
from zoo.training import evaluation, session

IMPORT = (
    "WARNING: All log messages before absl::InitializeLog() is called are written to",
    "I0000 00:00:1796006834.563658   19917 port.cc:153] oneDNN custom operations",
    "W0000 00:00:1796006834.563658   19917 computation_placer.cc:177] already regis",
    "E0000 00:00:1796006834.563658   19917 cuda_executor.cc:1] failed call to cuInit",
    "2026-11-30 02:41:00.123456: I external/tsl/cpu_feature_guard.cc:210] This Tenso",
    "INFO: Created TensorFlow Lite XNNPACK delegate for CPU.",
)
TOLD = (
    "E0000 00:00:1796006834.563658   19917 hlo_pass.cc:1] it does not compile",
    "W0000 00:00:1796006834.563658   19917 bfc_allocator.cc:5] ran out of memory",
    "W0000 00:00:1.5   7 allocator.cc:5] failed to allocate 8 GiB, out of memory",
    "F0000 00:00:1796006834.563658   19917 check.cc:1] Check failed",
    "E1130 02:41:27.123456 139 session.py:70] our own",
    "terminate called after throwing an instance of 'std::bad_alloc'",
    "error: ours",
)


def silent(text: str) -> bool:
    """Whether no line is a native library's, TFDS's or a converter's."""
    return not re.search(
        r"InitializeLog|\.cc:\d+\]|oneDNN|XNNPACK|WARNING|Saved artifact|Endpoint '|"
        "retracing|Downloading and preparing",
        text,
    )


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


@pytest.mark.parametrize("line", IMPORT)
def test_chatter_is_known(line):
    assert quiet.is_chatter(line.encode())


@pytest.mark.parametrize("line", TOLD)
def test_errors_are_no_chatter(line):
    assert not quiet.is_chatter(line.encode())


NATIVE = """
import os, subprocess, sys, time, warnings
from tfds_builders import quiet
quiet.start()
chatter = {chatter!r}
os.write(2, chatter + b"\\nE0000 00:00:1.5 1 a.cc:1] broken\\n")
code = "import os, sys; os.write(2, sys.argv[1].encode())"
subprocess.run([sys.executable, "-c", code, chatter.decode() + chr(10)])
os.write(2, b"no end of line")
print("python's own", file=sys.stderr)
warnings.warn("a warning")
{end}
"""


@pytest.mark.parametrize(
    ("end", "status", "last"),
    [
        ("", 0, "a warning"),
        ("1 / 0", 1, "ZeroDivisionError: division by zero"),
        ("os._exit(3)", 3, "a warning"),
        ("os.kill(os.getpid(), 9)", -9, "a warning"),
    ],
)
def test_filter_passes_on_all_else(end, status, last):
    text = NATIVE.format(chatter="\n".join(IMPORT).encode(), end=end)
    command = [sys.executable, "-c", text]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == status
    assert silent(done.stderr.replace("a.cc:1] broken", ""))
    for words in ("a.cc:1] broken", "no end of line", "python's own", last):
        assert words in done.stderr
    shown = subprocess.run(
        [*command, "--verbose"], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert shown.stderr.count("InitializeLog") == 2


def test_filter_ends_with_its_process():
    text = (
        "import os\nfrom tfds_builders import quiet\nquiet.start()\nos.write(2, b'x')"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", text], cwd=ROOT, stderr=subprocess.PIPE
    )
    assert process.stderr.read() == b"x"  # until nobody holds the pipe
    assert process.wait() == 0


@pytest.fixture(scope="module")
def trained(data_dir, tmp_path_factory):
    """A tiny run made by the command, and what the command printed."""
    path = tmp_path_factory.mktemp("command") / "run"
    changes = {"epochs": 1, "warmup_epochs": "", "data_dir": data_dir}
    flags = [x for x in tiny_flags(**changes, run_dir=path) if "warmup" not in x]
    return path, run_command("zoo.train", *flags), flags


def test_training_says_only_what_differs(trained):
    path, done, flags = trained
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


def test_verbose_says_everything(trained):
    _, _, flags = trained
    done = run_command("zoo.train", *flags, "--verbose")
    assert "--lr=0.002\n" in done.stdout and done.returncode == 0


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


def test_warm_up_by_default_is_a_share_of_all_epochs():
    assert ExperimentConfig().warmup_epochs == 30.0  # of 1000, as before
    assert ExperimentConfig(epochs=10).warmup_epochs == pytest.approx(0.3)
    assert ExperimentConfig(epochs=2500).warmup_epochs == 30.0
    with pytest.raises(ValueError, match="--warmup_epochs=30.*--epochs=10"):
        ExperimentConfig(epochs=10, warmup_epochs=30.0)
    ExperimentConfig(epochs=10, warmup_epochs=30.0, schedule="constant")


def test_no_flagfile_leaves_the_warm_up_of_a_cosine_to_its_epochs():
    """Their meaning does not depend on the default, but at 1000 epochs and more."""
    for path in sorted((ROOT / "zoo" / "flagfiles").rglob("*.cfg")):
        args = [x for x in flagfile_lines(path) if not x.startswith("--stage")]
        values = config.parse(args, str(path))
        settings = config.from_flags(values)
        given = values["warmup_epochs"].present or settings.epochs == 1000
        assert given or settings.schedule == "constant", path


def flagfile_lines(path) -> list[str]:
    return flagfiles.expand(["train", f"--flagfile={path}"])[1:]


BEFORE_DATA = [
    ({"model": "crnett"}, "did you mean crnet"),
    ({"dataset": "cost21/indoor"}, "unknown dataset 'cost21'"),
    ({"dataset": "cost2100_sim/indor"}, "no configuration 'indor'"),
    ({"dataset": "cost2100_sim/indoor:strem"}, "expected ':stream'"),
    ({"model": "cl_csinet", "codeword_dim": 31}, "31"),
    ({"model_args": '{"head": "4x4"}'}, "head"),
    ({"model_args": '{"hed": "3x3"}'}, "no option hed"),
    ({"model": "deepcmc"}, "without --quantizer"),
    ({"model": "csinet_lstm"}, "choose a data set with '_track'"),
    ({"quantizer_args": '{"beta": 3}'}, "no option beta"),
    ({"weights": "nowhere.weights.h5"}, "no such file"),
    ({"weights": "pretrained"}, "--weights=pretrained: 0 fit"),
    ({"model": "tilista_joint", "init": "klt"}, "give --normaliser=none"),
    ({"model": "attention_csinet", "init": "klt"}, "--init=klt cannot start"),
    ({"num_train": 10**6}, "--num_train=1000000"),
    ({"batch_size": 161}, "160 training examples"),
    ({"train_part": "phase", "weights": "x"}, "no branch of the magnitudes"),
]


@pytest.mark.parametrize(("changes", "word"), BEFORE_DATA)
def test_checks_that_need_no_data_come_before_them(changes, word, tmp_path):
    values = {**TINY, "data_dir": str(tmp_path / "tfds"), **changes}
    settings = ExperimentConfig(**values, run_dir=str(tmp_path / "run"))
    with pytest.raises((ValueError, OSError), match=re.escape(word)):
        session.train(settings)
    assert not any(tmp_path.iterdir())


def test_wrong_name_fails_in_a_second_and_leaves_nothing(tmp_path):
    flags = [f"--data_dir={tmp_path / 'tfds'}", f"--run_dir={tmp_path / 'run'}"]
    for command in (["zoo.train"], ["zoo.train_stages", "--stage=--epochs=1"]):
        for wrong in ("--model=crnett", "--dataset=cost21/indoor"):
            began = time.monotonic()
            done = run_command(*command, wrong, *flags)
            assert_one_line_error(done, "crnet" if "model" in wrong else "cost2100")
            assert time.monotonic() - began < 3 and not any(tmp_path.iterdir())


def test_run_directory_is_checked_before_data(tmp_path, tiny_run):
    (tmp_path / "file").write_text("")
    values = {**TINY, "data_dir": str(tmp_path / "tfds")}
    with pytest.raises(OSError, match="no directory that can be written to"):
        session.train(
            ExperimentConfig(**values, run_dir=str(tmp_path / "file" / "run"))
        )
    with pytest.raises(ValueError, match="holds a run with other flags"):
        session.train(
            ExperimentConfig(**values | {"lr": 0.1}, run_dir=str(tiny_run.path))
        )
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"feedback_snr_db": 3.0}, "sends bits"),
        ({"uplink": "shuffled"}, "takes no uplink"),
        ({"csi_noise": "awgn"}, "do not fit"),
    ],
)
def test_evaluation_checks_before_data(options, word, tiny_run, tmp_path, monkeypatch):
    moved = run_elsewhere(tiny_run, tmp_path)
    with pytest.raises(ValueError, match=word):
        evaluation.evaluate(moved, **options)
    moved.weights.unlink()
    with pytest.raises(FileNotFoundError, match="at least one epoch"):
        evaluation.evaluate(moved)
    assert not (tmp_path / "tfds").exists()


@pytest.mark.parametrize(
    ("method", "codeword_dim", "word"),
    [("klt", 31, "give an even one"), ("lasso", 3000, "expected 1 to 2048")],
)
def test_baseline_checks_before_data(method, codeword_dim, word, tmp_path):
    settings = ExperimentConfig(
        codeword_dim=codeword_dim, dataset=TINY["dataset"], data_dir=str(tmp_path)
    )
    with pytest.raises(ValueError, match=word):
        baseline.evaluate_baseline(
            None if method == "klt" else Method(method), settings
        )
    assert not any(tmp_path.iterdir())


def run_elsewhere(run, folder) -> RunDirectory:
    """A copy of a run whose data are not there yet."""
    moved = RunDirectory(folder / "run")
    moved.path.mkdir()
    for file in (run.weights, run.metrics, run.path / "config.json"):
        (moved.path / file.name).write_bytes(file.read_bytes())
    values = run.config().to_json() | {"data_dir": str(folder / "tfds")}
    (moved.path / "config.json").write_text(json.dumps(values))
    return moved


@pytest.mark.parametrize("module", ["zoo.evaluate", "zoo.export", "zoo.pretrained"])
def test_missing_run_is_said_at_once(module, tmp_path):
    more = {"zoo.export": [f"--out={tmp_path / 'x'}"], "zoo.pretrained": ["--name=x"]}
    began = time.monotonic()
    done = run_command(module, f"--run={tmp_path / 'no'}", *more.get(module, []))
    assert_one_line_error(done, "no such run directory")
    assert time.monotonic() - began < 3 and not any(tmp_path.iterdir())


STAGED = ["--epochs=9", "--stage=--epochs=5 --lr=0.1", "--stage=--lr=0.2"]


@pytest.mark.parametrize(
    ("before", "after", "epochs", "rates"),
    [
        ([], [], [5, 9], [0.1, 0.2]),
        (["--lr=0.3"], [], [5, 9], [0.1, 0.2]),
        ([], ["--epochs=1"], [1, 1], [0.1, 0.2]),
        ([], ["--lr", "0.3"], [5, 9], [0.3, 0.3]),
        (["--epochs=2"], ["--verbose"], [5, 9], [0.1, 0.2]),
    ],
)
def test_later_flags_win_in_all_stages(before, after, epochs, rates):
    stages = train_stages.stage_settings([*before, *STAGED, *after])
    assert [s.epochs for s in stages] == epochs
    assert [s.lr for s in stages] == rates
    assert [bool(s.weights) for s in stages] == [False, True]


def test_flag_between_stages_wins_over_those_before_it():
    args = ["--stage=--lr=0.1", "--lr=0.3", "--stage=--lr=0.2"]
    assert [s.lr for s in train_stages.stage_settings(args)] == [0.3, 0.2]


def test_epochs_after_a_flagfile_of_stages():
    args = [*flagfile_lines(ROOT / "zoo" / "flagfiles" / "dnnnet.cfg"), "--epochs=1"]
    stages = train_stages.stage_settings(args)
    assert [s.epochs for s in stages] == [1, 1, 1]
    assert [s.receiver for s in stages] == ["none", "dnnnet", "dnnnet"]


def test_a_later_stage_is_checked_before_the_first_is_trained(tmp_path):
    common = [*tiny_flags(tmp_path / "tfds", tmp_path / "run"), "--epochs=1"]
    stages = ["--stage=--lr=1e-3", "--stage=--codeword_dim=0"]
    done = run_command("zoo.train_stages", *common, *stages)
    assert_one_line_error(done, "--codeword_dim=0")
    stages = [stages[0], "--stage=--quantizer_args=" + shlex.quote('{"beta": 1}')]
    done = run_command("zoo.train_stages", *common, *stages)
    assert_one_line_error(done, "no option beta")
    assert not any(tmp_path.iterdir())


def test_flags_of_a_reproduction_win_over_the_target():
    flagfile = ROOT / "zoo" / "flagfiles" / "lora_fast.cfg"
    settings = runner.settings_of(flagfile, "--lr=0.5", lr=0.1, codeword_dim=64)
    assert (settings.lr, settings.codeword_dim) == (0.5, 64)
    assert runner.settings_of(flagfile, lr=0.1).lr == 0.1


@pytest.mark.parametrize("flag", sorted(reproduce.OWN))
def test_flags_that_every_run_has_of_its_own_are_refused(flag):
    with pytest.raises(ValueError, match=f"--flags=--{flag}: every run has its own"):
        reproduce.check_flags(f"--{flag}=3")


def test_overrides_of_the_quickstart_win(tmp_path):
    flags = quickstart.training_flags(
        tmp_path, quickstart.FLAGFILE, ["--epochs=1", f"--run_dir={tmp_path / 'x'}"]
    )
    settings = config.from_flags(config.parse(flags, "training"))
    assert (settings.epochs, settings.run_dir) == (1, str(tmp_path / "x"))


@pytest.mark.parametrize(
    ("override", "word"),
    [
        ("--model=crnett", "did you mean crnet"),
        ("--epocs=1", "epocs"),
        ("--dataset=cost21/indoor", "unknown dataset"),
        ("--quantizer=none --bits=0", "sends bits"),
    ],
)
def test_quickstart_checks_before_it_moves_an_earlier_one(override, word, tmp_path):
    (tmp_path / "kept").mkdir()
    flags = [f"--directory={tmp_path / 'kept'}", "--", *override.split()]
    assert_one_line_error(run_command("zoo.quickstart", *flags), word)
    assert os.listdir(tmp_path) == ["kept"]
