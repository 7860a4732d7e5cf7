"""PyTorch's side of the training curves, and what is made of both."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest
import tensorflow as tf

from tests.conftest import ROOT, TINY, assert_one_line_error, run_command
from zoo.metrics import accuracy
from zoo.training.schedules import WarmUpCosine

torch = pytest.importorskip(
    "torch", reason="PyTorch is only in the 'bench' extra: pip install -e .[bench]"
)

from benchmarks import torch_curve, torch_train  # noqa: E402
from benchmarks.torch_networks import crnet  # noqa: E402
from tests.benchmarks.test_torch_networks import ATTRIBUTES  # noqa: E402
from tests.benchmarks.test_torch_networks import _as_torch as as_torch  # noqa: E402
from tests.benchmarks.test_torch_networks import _keras_variables as keras_variables  # noqa: E402
from tests.benchmarks.test_torch_networks import _torch_tensors as torch_tensors  # noqa: E402
from zoo.codeword.network import build_autoencoder  # noqa: E402
from zoo.config import ExperimentConfig  # noqa: E402
from zoo.experiments.runner import Runner, settings_of  # noqa: E402
from zoo.keras_compat import keras, set_precision  # noqa: E402
from zoo.training.trainer import Trainer  # noqa: E402

SMALL = ("dataset", "num_train", "num_validation", "num_test", "epochs", "batch_size")
SETTINGS = {
    "codeword_dim": 32,
    "epochs": 2,
    "batch_size": 8,
    "lr": 1e-2,
    "lr_min": 1e-4,
    "warmup_epochs": 0.5,
    "adam_epsilon": 1e-12,
    "seed": 3,
    "scales": torch_curve.SCALES,
}


@pytest.fixture(scope="module")
def splits() -> dict:
    """Random CSI around one half, channels first."""
    rng = np.random.default_rng(0)
    csi = 0.5 + 0.02 * rng.standard_normal((40, 2, 32, 32)).astype(np.float32)
    parts = csi[:24], csi[24:32], csi[32:]
    return {
        name: torch.from_numpy(part)
        for name, part in zip(torch_train.SPLITS, parts, strict=True)
    }


@pytest.mark.parity
def test_learning_rate_is_the_zoos():
    ours = WarmUpCosine(2e-3, 5e-5, 1.5, epochs=4, steps_per_epoch=10)
    rates = [torch_train.learning_rate(t, 40, 15, 2e-3, 5e-5) for t in range(40)]
    assert rates[0] == 0 and max(rates) == rates[15] == 2e-3
    np.testing.assert_allclose(rates, ours(tf.range(40)), rtol=1e-5)


@pytest.mark.parity
def test_nmse_is_the_zoos(splits):
    model, csi = crnet(32).eval(), splits["train"]
    with torch.no_grad():
        csi_hat = model(csi).numpy()
    h, h_hat = (x - np.float32(0.5) for x in (csi.numpy(), csi_hat))
    value = torch_train.nmse_db(model, csi)
    assert value == pytest.approx(accuracy.nmse_db(h, h_hat), abs=1e-6)
    assert value > 0  # random weights


@pytest.fixture
def double_precision():
    """Keras builds float64 layers."""
    set_precision("float64")
    yield
    set_precision("float32")


@pytest.mark.parity
def test_updates_are_the_zoos(splits, double_precision):
    settings = ExperimentConfig(**{k: SETTINGS[k] for k in SETTINGS if k != "scales"})
    keras.utils.set_random_seed(0)
    settings = dataclasses.replace(settings, cpu_step="native")
    trainer = Trainer(settings, tf.distribute.get_strategy(), (32, 32, 2), 3)
    model = crnet(SETTINGS["codeword_dim"])
    tensors = torch_tensors(model)
    for layer, attribute, variable in keras_variables(trainer.model):
        value = torch.from_numpy(as_torch(layer, attribute, variable).copy())
        tensors[layer, ATTRIBUTES.get(attribute, attribute)].data = value
    batches = splits["train"].double().split(SETTINGS["batch_size"])
    for batch in [*batches, *batches]:
        trainer.step(tf.constant(batch.permute(0, 2, 3, 1).numpy(), tf.float32))
    adam, schedule = torch_train.optimiser(SETTINGS, model, len(batches))
    torch_train.train_epoch(model, [(x,) for x in (*batches, *batches)], adam, schedule)
    for layer, attribute, variable in keras_variables(trainer.model):
        ours = as_torch(layer, attribute, variable)
        theirs = tensors[layer, ATTRIBUTES.get(attribute, attribute)].detach().numpy()
        # PyTorch's running variance is the unbiased one, n / (n - 1) times Keras'.
        error = 5e-4 if attribute == "moving_variance" else 2e-5
        np.testing.assert_allclose(theirs, ours, rtol=error, atol=error, err_msg=layer)


def test_training_keeps_the_best_epoch(splits):
    result = torch_train.train(SETTINGS, splits)
    values = [record["val_nmse_db"] for record in result["curve"]]
    assert [record["epoch"] for record in result["curve"]] == [0, 1, 2]
    assert values[result["best_epoch"]] == min(values)
    again = torch_train.train(SETTINGS, splits)
    assert again["nmse_db"] == pytest.approx(result["nmse_db"], abs=1e-3)
    other = torch_train.train({**SETTINGS, "seed": 4}, splits)
    assert abs(other["nmse_db"] - result["nmse_db"]) > 1e-2


def test_zoo_starts_from_the_papers_weights_but_for_the_scales(tmp_path):
    extra = f"{torch_curve.RECIPE} --codeword_dim=32"
    runner = Runner(tmp_path, torch_curve.FLAGFILE, extra)
    settings = runner.settings("x", seed=1)
    keras.utils.set_random_seed(1)
    paper, start = (build_autoencoder(settings, (32, 32, 2)).trained for _ in "ab")
    start.load_weights(torch_curve.start(runner, seed=1))
    changed = {
        x.path: x.numpy()
        for x, y in zip(start.variables, paper.variables, strict=True)
        if not np.array_equal(x, y)
    }
    assert [path for path in changed if "gamma" not in path] == []
    names = [path.removesuffix("_bn/gamma") for path in changed]
    assert names == list(torch_curve.SCALES)
    for name, values in zip(names, changed.values(), strict=True):
        np.testing.assert_array_equal(values, np.float32(torch_curve.SCALES[name]))


def test_branches_start_silent():
    decoder = torch_train.network(SETTINGS).decoder
    scales = [m.bn.weight for m in (decoder.head1, decoder.block1.merge)]
    assert [set(scale.tolist()) for scale in scales] == [{np.float32(0.1)}, {0.0}]
    assert set(decoder.block1.a1.bn.weight.tolist()) == {1.0}


def test_training_that_diverges_is_refused(splits):
    broken = {**splits, "train": splits["train"] * math.inf}
    with pytest.raises(ValueError, match="loss became nan; lower --lr"):
        torch_train.train(SETTINGS, broken)


def test_arguments_are_a_run_and_its_data(tmp_path):
    assert_one_line_error(
        run_command("benchmarks.torch_train", tmp_path), str(tmp_path), ".npz"
    )


@pytest.mark.parametrize(
    ("flag", "words"),
    [
        ("--init=klt", "changes init"),
        ("--seed=1", "changes seed"),
        ("--dataset=cost2100_sim/indoor_quick:stream", "drop ':stream'"),
    ],
)
def test_settings_that_pytorch_does_not_know_are_refused(flag, words):
    extra = f"{torch_curve.RECIPE} {flag}"
    with pytest.raises(ValueError, match=words):
        torch_curve.check(settings_of(torch_curve.FLAGFILE, extra))


def test_comparison_is_of_the_means_over_seeds(tmp_path, capsys):
    def run(system, seed, nmse_db, *curve):
        names = ("system", "seed", "nmse_db", "val_nmse_db")
        return dict(zip(names, (system, seed, nmse_db, curve), strict=True))

    runs = [
        run("zoo", 0, -5.0, 1.0, -5.0),
        run("torch", 0, -6.0, 2.0, -6.0),
        run("zoo", 1, -6.0, 3.0, -6.0),
        run("torch", 1, -5.8, 2.0, -5.0),
    ]
    result = torch_curve.compare(runs)
    assert result["nmse_db_mean"] == {"zoo": -5.5, "torch": pytest.approx(-5.9)}
    assert result["difference_db"] == pytest.approx(0.4) and result["close"]
    assert result["curve_difference_db"] == [0.0, 0.0]
    runs[1]["nmse_db"] = -6.4
    assert not torch_curve.compare(runs)["close"]
    torch_curve.write({**result, "rows": runs}, tmp_path / "curve.json")
    assert "difference 0.40 dB" in capsys.readouterr().out
    assert (tmp_path / "curve.png").read_bytes()[1:4] == b"PNG"


@pytest.mark.slow
def test_both_sides_train_on_the_same_arrays(data_dir, tmp_path):
    changes = [f"--{name}={TINY[name]}" for name in SMALL]
    changes += [f"--data_dir={data_dir}", "--codeword_dim=32", "--cpu_step=native"]
    target = tmp_path / "curve.json"
    arguments = (
        "--seeds=1",
        f"--directory={tmp_path / 'runs'}",
        f"--flags={' '.join(changes)}",
        f"--json={target}",
    )
    done = run_command("benchmarks.torch_curve", *arguments, timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]
    result = json.loads(target.read_text())
    ours, theirs = result["rows"]
    assert [ours["system"], theirs["system"]] == ["zoo", "torch"]
    curves = [run["val_nmse_db"] for run in result["rows"]]
    assert [len(curve) for curve in curves] == [TINY["epochs"] + 1] * 2
    assert result["recipe"]["num_train"] == TINY["num_train"]
    assert result["versions"]["torch"] == torch.__version__
    # Silent branches, a head at the level of the CSI: both start near the level of H.
    assert all(abs(curve[0]) < 5 for curve in curves)
    (arrays,) = (tmp_path / "runs").glob("data-*.npz")
    assert [len(x) for x in np.load(arrays).values()] == [160, 50, 50]
    again = run_command("benchmarks.torch_curve", *arguments, timeout=300)
    assert again.returncode == 0 and "$ python -m" not in again.stdout
    assert json.loads(target.read_text())["rows"] == result["rows"]


def test_recipe_is_one_that_both_sides_know():
    settings = settings_of(ROOT / torch_curve.FLAGFILE, torch_curve.RECIPE)
    torch_curve.check(settings)
    assert settings.model == "crnet" and settings.schedule == "cosine"
    assert settings.init == "paper"
