"""What comes later on a command line wins; defaults that follow from other flags."""

from __future__ import annotations

import shlex

import pytest

from tests.conftest import (
    ROOT,
    assert_one_line_error,
    run_command,
    tiny_flags,
)
from tfds_builders import flagfiles
from zoo import (
    config_flags,
    quickstart,
    reproduce,
    train_stages,
)
from zoo.config import ExperimentConfig
from zoo.experiments import runner


def test_warm_up_by_default_is_a_share_of_all_epochs():
    assert ExperimentConfig().warmup_epochs == 30.0  # of 1000, as before
    assert ExperimentConfig(epochs=10).warmup_epochs == pytest.approx(0.3)
    assert ExperimentConfig(epochs=2500).warmup_epochs == 30.0
    words = "--warmup_epochs=30.*--epochs=10, such as 0.3"
    with pytest.raises(ValueError, match=words):
        ExperimentConfig(epochs=10, warmup_epochs=30.0)
    ExperimentConfig(epochs=10, warmup_epochs=30.0, schedule="constant")


def test_no_flagfile_leaves_the_warm_up_of_a_cosine_to_its_epochs():
    """Their meaning does not depend on the default, but at 1000 epochs and more."""
    for path in sorted((ROOT / "zoo" / "flagfiles").rglob("*.cfg")):
        args = [x for x in flagfile_lines(path) if not x.startswith("--stage")]
        values = config_flags.parse(args, str(path))
        settings = config_flags.from_flags(values)
        given = values["warmup_epochs"].present or settings.warmup_epochs == 30.0
        assert given or settings.schedule == "constant", path


def test_fewer_epochs_than_a_papers_warm_up():
    values = config_flags.parse(["--flagfile=published/crnet_4_indoor"], "test")
    assert config_flags.from_flags(values).warmup_epochs == 30.0
    args = ["--flagfile=published/crnet_4_indoor", "--epochs=10"]
    settings = config_flags.from_flags(config_flags.parse(args, "test"))
    assert settings.warmup_epochs == pytest.approx(0.3)


def flagfile_lines(path) -> list[str]:
    return flagfiles.expand(["train", f"--flagfile={path}"])[1:]


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
    settings = config_flags.from_flags(config_flags.parse(flags, "training"))
    assert (settings.epochs, settings.run_dir) == (1, str(tmp_path / "x"))
