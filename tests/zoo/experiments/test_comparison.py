"""Networks trained alike: what is asked for, what fails, what comes out."""

from __future__ import annotations

import contextlib
import functools
import re

import pytest

import zoo
from tests.conftest import TINY, assert_one_line_error, run_command
from zoo import files, registry
from zoo.api import comparing
from zoo.baselines.catalogue import OF_EIGENVECTORS
from zoo.codecs import eigen_flags
from zoo.experiments import comparison, step_trial
from zoo.experiments.comparison_plan import CLASSIC, Case, Plan
from zoo.experiments.comparison_summary import summary
from zoo.experiments.pool import Pool
from zoo.experiments.runner import Runner

SMALL = (
    "--num_train=160 --num_validation=50 --num_test=50 --batch_size=20 "
    "--cpu_step=native"
)


def runner(data_dir, tmp_path, **changes) -> Runner:
    extra = f"--dataset={TINY['dataset']} --data_dir={data_dir} {SMALL}"
    return Runner(tmp_path, comparison.FLAGFILE, extra, **changes)


def test_a_plan_names_what_is_wrong():
    for changes, words in (
        ({}, "--minutes=None --epochs=None: expected one of the two"),
        ({"minutes": 1.0, "epochs": 2}, "--minutes=1.0 --epochs=2"),
        ({"epochs": 0}, "--epochs=0: expected one"),
        ({"epochs": 1, "bits": ()}, "--bits is empty"),
        ({"epochs": 1, "baselines": ("bm3d",)}, "--baselines=bm3d: expected some of"),
        ({"epochs": 1, "models": ("crnett",)}, "did you mean crnet"),
        ({"epochs": 1, "models": ("a/n.py:SPEC", "b/n.py:SPEC")}, "called the same"),
        ({"epochs": 1, "models": ("./klt.py:SPEC",)}, "klt is the name of a baseline"),
        ({"epochs": 1, "seeds": 0}, "--seeds=0: expected 1 or more"),
        ({"epochs": 1, "init": "foo"}, "--init=foo: expected klt or paper"),
    ):
        with pytest.raises(ValueError, match=re.escape(words)):
            Plan(**{"models": ("crnet",), "codeword_dims": (32,), **changes})


def test_a_network_of_this_process_alone_cannot_be_trained_by_others(monkeypatch):
    monkeypatch.setattr(registry, "_registered", {"mine": object()})
    with pytest.raises(ValueError, match="mine: it is registered.*give FILE.py:SPEC"):
        Plan(("mine",), (32,), epochs=1)


def test_baselines_are_those_that_can_be_compared():
    plan = Plan(("crnet",), (32,), (3, 0, 3), epochs=1, baselines=CLASSIC * 2)
    lines = [(case.network, case.bits) for case in plan.lines]
    assert lines == [("klt", 0), ("fista", 0), ("dft", 3), ("pursuit", 3)]
    assert plan.with_fitting_baselines(False) == (plan, [])
    for changes, sequences, kept, words in (
        ({"bits": (0,)}, False, ("klt", "fista"), "without dft, pursuit: they send"),
        ({"quantizer": "polar"}, False, ("klt", "fista"), "--quantizer=polar"),
        ({}, True, (), "without klt, fista, dft, pursuit: they take single"),
    ):
        plan = Plan(("crnet",), (32,), **{"bits": (4,), "epochs": 1, **changes})
        found, (note,) = plan.with_fitting_baselines(sequences)
        assert found.baselines == kept and words in note
    plan = Plan(("crnet",), (32,), (4,), epochs=1)
    found, (note,) = plan.with_fitting_baselines(False, "eigenvectors")
    assert found.baselines == ("klt",)
    assert note == "without fista, dft, pursuit: they send no eigenvectors"
    assert set(OF_EIGENVECTORS) <= set(eigen_flags.BELONGS["target"])


def test_cases_are_trained_alike_but_for_their_own_rates_and_starts():
    plan = Plan(("crnet", "transnet"), (64, 32), (0, 4), epochs=1)
    assert len(plan.cases) == 8 and plan.cases[0].name == "crnet_m64_b0"
    float_one, quantised = (plan.overrides(Case("crnet", 64, b)) for b in (0, 4))
    assert float_one["init"] == "klt" and float_one["lr"] == 2e-3
    assert "bits" not in float_one
    assert (quantised["bits"], quantised["quantizer"]) == (4, "uniform")
    other = plan.overrides(Case("transnet", 64, 0))
    assert other["init"] == "klt" and other["lr"] == 1e-4
    without = Plan(("bacrnet",), (64,), (0,), epochs=1)
    assert without.overrides(Case("bacrnet", 64, 0))["init"] == "paper"


def test_equal_minutes_are_epochs_by_measured_steps(data_dir, tmp_path):
    """Measured once: a resumed command, and another number of minutes, take it up."""
    times = [0.0, 5.0, 6.6, 8.0]  # of epochs 0 to 3; 8 steps, the first compiles
    called = []

    def train(job):
        called.append(job.name)
        (job.directory / job.name).mkdir()
        lines = [f'{{"epoch": {i}, "seconds": {s}}}\n' for i, s in enumerate(times)]
        (job.directory / job.result).write_text("".join(lines))

    pool = Pool(engine=train, go_on=True)
    own = runner(data_dir, tmp_path, pool=pool)
    flags = {"model": "crnet", "codeword_dim": 32}
    with contextlib.closing(pool):
        row = step_trial.row(own, "a", 0.5, **flags).result()
    assert row["step_seconds"] == pytest.approx(1.4 / 8)
    assert row["epochs"] == round(30 / 1.4)
    trials = [path for path in tmp_path.glob("*_trial_*") if path.is_dir()]
    assert not trials and len(called) == 1
    text = next(tmp_path.glob("*_trial_*.cfg")).read_text()
    assert "--epochs=3\n" in text and "--num_train=160\n" in text
    with contextlib.closing(Pool(engine=train)) as pool:
        own = runner(data_dir, tmp_path, pool=pool)
        assert step_trial.row(own, "a", 1e-6, **flags).result()["epochs"] == 1
    assert len(called) == 1
    with contextlib.closing(Pool(engine=train)) as pool:
        pool.place = "ray_4cpus_0gpus"  # times of other cores are other times
        own = runner(data_dir, tmp_path, pool=pool)
        step_trial.row(own, "a", 0.5, **flags).result()
    assert len(called) == 2


def test_what_fails_is_a_row_and_not_the_end(data_dir, tmp_path, capsys):
    """Of own code, of flags, of a command: each says why."""

    def work(job):
        if "csinet" in job.name:
            raise ValueError("python -m zoo.train ended with status 1: no luck")
        result = job.directory / job.result
        result.parent.mkdir(exist_ok=True)
        row = {"model": "crnet", "codeword_dim": 32, "bits": 0, "nmse_db": -5.0}
        files.write_json(result, {**row, "ue_macs": 9, "num_train": 160})

    plan = Plan(("no.py:SPEC", "csinet", "crnet"), (32,), (0, 2), "sign", epochs=1)
    own = runner(data_dir, tmp_path)
    content = comparison.make(plan, own, lambda: Pool(engine=work, go_on=True))
    errors = {(x["network"], x["bits"]): x["error"] for x in content["failures"]}
    assert "no.py" in errors["no", 0] and "no.py" in errors["no", 2]
    assert errors["crnet", 2] == "--bits=2: --quantizer=sign sends 1"
    assert "no luck" in errors["csinet", 0]
    assert [row["network"] for row in content["rows"]] == ["crnet"]
    lines = [(x["network"], x["bits"]) for x in content["baselines"]]  # at equal bits
    assert lines == [("klt", 0), ("fista", 0), ("dft", 2), ("pursuit", 2)]
    assert "no luck; " in capsys.readouterr().out


def test_summary_is_over_seeds_and_the_best_is_first():
    def row(network, nmse_db, **changes):
        values = {"network": network, "codeword_dim": 32, "bits": 4, "rho": 0.5}
        values |= {"nmse_db": nmse_db, "feedback_bits": 128, "train_seconds": 30.0}
        return {**values, "ue_macs": 10, "epochs": 2, "init": "klt", **changes}

    rows = [row("a", -4.0), row("a", -6.0), row("b", -5.5), row("c", -9, bits=8)]
    failure = {"network": "b", "codeword_dim": 32, "bits": 4, "error": "why"}
    lost = {**failure, "network": "d", "codeword_dim": 16}
    line = {**row("klt", -7.0), "bits": None, "feedback_bits": None}
    found = summary(rows, [line], [failure, lost])
    assert [x["network"] for x in found] == ["c", "klt", "b", "a", "d"]
    _, klt, b, a, d = found
    assert (a["nmse_db"], a["nmse_db_min_max"], a["minutes"]) == (-5, [-6, -4], 0.5)
    assert (klt["feedback_bits"], klt["ue_bytes_fp32"]) == (1024, 20)
    (fista,) = summary([], [{**line, "network": "fista"}], [])
    assert fista["ue_bytes_fp32"] == 40
    assert (b["seeds"], b["failed"], b["error"]) == (1, 1, "why")
    assert (d["seeds"], d["nmse_db"], d["feedback_bits"]) == (0, None, 64)


def test_wrong_command_lines_are_one_line(tmp_path):
    given = ("--dataset=cost2100_sim/indoor_tiny", "--models=crnet", "--epochs=1")
    for flags, words in (
        (given[1:], "--dataset is missing"),
        ((*given, "--flags=--seed=3"), "--flags=--seed: the comparison sets it"),
        ((*given, "--codeword_dims=a"), "--codeword_dims"),
        (
            (*given, "--cpus_per_run=2"),
            "--cpus_per_run has no effect on --engine=local",
        ),
        ((*given, "--dataset=nothing/at_all"), "nothing"),
    ):
        done = run_command("zoo.compare", *flags, f"--directory={tmp_path}")
        assert_one_line_error(done, words)


@pytest.mark.slow
def test_killed_comparison_goes_on(data_dir, tmp_path):
    """End to end: two networks and one that fails, killed between two trainings."""
    plan = Plan(("csinet", "csinet_lstm", "crnet"), (32,), (4,), epochs=2)
    given = plan, TINY["dataset"], [f"--data_dir={data_dir}", *SMALL.split()], tmp_path

    class Killed(Pool):
        def _report(self, name, said, began):
            super()._report(name, said, began)
            if name.startswith("csinet_m"):
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        comparing.carry_out(*given, functools.partial(Killed, go_on=True))
    (weights,) = tmp_path.glob("*/best.weights.h5")
    began = weights.stat().st_mtime_ns
    content = comparing.carry_out(*given, lambda: Pool(go_on=True))
    assert weights.stat().st_mtime_ns == began
    assert {row["network"] for row in content["rows"]} == {"csinet", "crnet"}
    (failure,) = content["failures"]
    assert "has single snapshots" in failure["error"]
    assert files.read_json(tmp_path / "comparison.json")["summary"]
    for name in ("leaderboard.md", "leaderboard.tex", "comparison_macs.pdf"):
        assert (tmp_path / name).stat().st_size > 200


@pytest.mark.slow
def test_a_comparison_in_python(data_dir, tmp_path):
    small = dict(word.removeprefix("--").split("=") for word in SMALL.split())
    flags = {**small, "data_dir": data_dir, "model_args": {}}
    content = zoo.compare(
        ["csinet"], TINY["dataset"], [32], [4], epochs=1, baselines=("klt",),
        flags=flags, directory=tmp_path,
    )  # fmt: skip
    assert not content["failures"]
    assert [line["network"] for line in content["summary"]] == ["klt", "csinet"]
    assert content["rows"][0]["feedback_bits"] == 128
    assert (tmp_path / "comparison.html").is_file()
