"""Checks that the tests of single networks share."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import tensorflow as tf

from tests.conftest import ROOT
from zoo import registry
from zoo.keras_compat import Model, keras
from zoo.models.autoencoder import alone

# Options with which large networks are small at 16 x 16 and M = 64.
SMALL = {
    "csinet_lstm": {"first_dim": 96},
    "deepcmc": {"filters": 8},
    "dualnet_mp": {"magnitude_dim": 40},
    "fista_net": {"phases": 3, "channels": 4},
    "ista_net_cnn": {"phases": 2, "channels": 4},
    "tilista_joint": {"blocks": 3, "code": 520},
}


def side_inputs(name: str, csi: np.ndarray) -> tuple[tf.Tensor, ...]:
    """What a network's decoder takes beside the codeword: magnitudes, or nothing."""
    if not registry.get(name).takes_uplink:
        return ()
    h = np.random.default_rng(3).standard_normal(csi.shape) * 0.1
    return (tf.constant(np.linalg.norm(h, axis=-1, keepdims=True), tf.float32),)


def whole(model, csi, *side):
    """Output of a network's autoencoder."""
    return np.asarray(model.autoencoder(alone([tf.constant(csi), *side])))


def randomise(model, rng, scale=1.0) -> dict[str, np.ndarray]:
    """Draw all weights, variances above 0.5; returns them by `layer/name`."""
    values = {}
    for w in model.weights:
        value = (scale * rng.standard_normal(w.shape)).astype(np.float32)
        w.assign(np.abs(value) + 0.5 if "variance" in w.path else value)
        values["/".join(w.path.split("/")[-2:])] = np.asarray(w)
    return values


def assert_reloads(part, x, folder) -> None:
    """Configuration and weights file give the same output, bit by bit."""
    again = Model.from_config(part.get_config())
    part.save_weights(folder / "part.weights.h5")
    again.load_weights(folder / "part.weights.h5")
    for new, old in zip(again.weights, part.weights, strict=True):
        np.testing.assert_array_equal(new, old)
    np.testing.assert_array_equal(again(x), part(x))


def assert_gradients(loss, variables, constant=()) -> None:
    """`loss()` reaches every variable, but where the path ends in `constant`."""
    with tf.GradientTape() as tape:
        value = loss()
    gradients = tape.gradient(value, variables)
    for gradient, variable in zip(gradients, variables, strict=True):
        assert gradient is not None and np.isfinite(gradient).all(), variable.path
        if not variable.path.endswith(tuple(constant)):
            assert np.abs(gradient).max() > 0, variable.path


def in_bfloat16(build):
    """Call `build` under the mixed_bfloat16 policy."""
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        return build()
    finally:
        keras.mixed_precision.set_global_policy("float32")


def run_tflite(encoder, csi):
    """Output of a converted encoder, builtin operations only, for `[1, ...]`."""
    from ai_edge_litert.interpreter import Interpreter

    x = keras.Input(csi.shape[1:], batch_size=1)
    converter = tf.lite.TFLiteConverter.from_keras_model(Model(x, encoder(x)))
    interpreter = Interpreter(model_content=converter.convert())
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], csi)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


LEGACY_CODE = """
import sys, numpy as np
from {test} import BUILDS
from zoo.keras_compat import LEGACY
assert LEGACY
for name in sys.argv[1:]:
    network = BUILDS[name]().autoencoder
    network.load_weights(name + ".weights.h5")
    np.save(name + ".npy", network(np.load("csi.npy")))
"""


def outputs_on_tf_keras(test: str, networks: dict, csi, folder) -> dict:
    """Outputs of entries of a test module's `BUILDS` with these networks' weights."""
    np.save(folder / "csi.npy", csi)
    for name, network in networks.items():
        network.save_weights(folder / f"{name}.weights.h5")
    env = {**os.environ, "TF_USE_LEGACY_KERAS": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", LEGACY_CODE.format(test=test), *networks]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return {name: np.load(folder / f"{name}.npy") for name in networks}
