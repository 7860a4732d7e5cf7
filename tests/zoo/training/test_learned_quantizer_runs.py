"""Training, staging and export of networks with learned quantisers."""

from __future__ import annotations

import json

import numpy as np
import pytest

from zoo.exporting import exporter
from zoo.training import evaluation, session

LORA = {
    "model": "lora",
    "model_args": '{"hidden": 32}',
    "normaliser": "none",
    "init": "klt",
    "lr": 1e-4,
}
LSZQ = {**LORA, "quantizer": "lszq", "bits": 4}


@pytest.fixture(scope="module")
def joint(tiny_config, tmp_path_factory):
    """LORA and LSZQ trained together."""
    return session.train(tiny_config(tmp_path_factory.mktemp("lszq") / "run", **LSZQ))


def _grid(run):
    return run.load().quantizer.frozen()


@pytest.mark.slow
def test_qat_keeps_the_fitted_grid(joint, tiny_config, tmp_path):
    fixed = session.train(tiny_config(tmp_path / "qat", **LSZQ | {"quantizer": "qat"}))
    quantizer = joint.load().quantizer
    assert not fixed.load().quantizer.trainable_weights
    assert _grid(fixed).scale == pytest.approx(float(quantizer.first_scale), rel=0.3)


def test_grid_is_fitted_and_then_trained(joint):
    bits, scale, zero = _grid(joint)
    assert bits == 4 and 0 < scale < 1
    quantizer = joint.load().quantizer
    assert float(quantizer.log_gain) != 0 and float(quantizer.shift) != 0


def test_bits_cost_what_quantising_costs(joint):
    row, _, _ = evaluation.evaluate(joint)
    assert row["feedback_bits"] == 4 * 32 and row["quantizer"] == "lszq"
    assert row["nmse_float_db"] < row["nmse_db"] < -0.5


@pytest.mark.tflite
@pytest.mark.serving
def test_export_holds_the_learned_grid(joint, tmp_path):
    """Export itself compares every artefact with the network, payload bits included."""
    codec = exporter.export(joint, tmp_path / "export")
    _, scale, zero = _grid(joint)
    assert codec["quantizer"]["scale"] == pytest.approx(float(scale))
    assert codec["quantizer"]["zero"] == pytest.approx(float(zero))
    assert codec["payload_bytes"] == 16
    stored = json.loads((tmp_path / "export" / "codec.json").read_text())
    assert stored["quantizer"] == codec["quantizer"]


@pytest.mark.slow
def test_one_grid_per_entry_is_exported(tiny_config, tmp_path):
    changes = {**LSZQ, "quantizer_args": '{"per_entry": true}', "epochs": 1}
    run = session.train(tiny_config(tmp_path / "run", **changes))
    codec = exporter.export(run, tmp_path / "export")
    assert len(codec["quantizer"]["scale"]) == len(codec["quantizer"]["zero"]) == 32


def test_later_training_moves_the_quantiser_alone(tiny_config, tmp_path):
    plain = {**LORA, "quantizer": "none", "bits": 0, "epochs": 1}
    first = session.train(tiny_config(tmp_path / "plain", **plain))
    later = {**LSZQ, "init": "paper", "train_part": "quantizer", "weights": first.path}
    second = session.train(tiny_config(tmp_path / "later", **later | _text(later)))
    before, after = first.load(), second.load()
    for part in ("encoder", "decoder"):
        pairs = zip(
            getattr(before, part).weights, getattr(after, part).weights, strict=True
        )
        assert all(np.array_equal(a, b) for a, b in pairs), part
    assert float(after.quantizer.log_gain) != 0
    third = {**later, "epochs": 1, "lr": 1e-9, "lr_min": 0.0, "weights": second.path}
    again = session.train(tiny_config(tmp_path / "third", **third | _text(third)))
    assert _grid(again).scale == pytest.approx(float(_grid(second).scale), rel=1e-5)


def _text(changes: dict) -> dict:
    return {"weights": str(changes["weights"])}


def test_a_bounded_normaliser_does_not_go_with_the_unfolded_start(
    tiny_config, tmp_path
):
    changes = {**LORA, "normaliser": "tanh", "quantizer": "uniform", "bits": 6}
    with pytest.raises(ValueError, match="give --normaliser=none"):
        session.train(tiny_config(tmp_path / "run", **changes))
