"""FISTA-Net as its authors publish it: checkpoints made up for tests, and in NumPy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow as tf

CHANNELS, SQUEEZED = 16, 4


def tensors(codeword_dim: int, phases: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Random weights under the public names, and all that is stored beside them."""
    rng = np.random.default_rng(seed)
    c = CHANNELS

    def normal(*shape, scale=0.3):
        return rng.normal(0, scale, shape).astype("f4")

    found = {"W": normal(2048, codeword_dim, scale=0.02)}
    for t in range(phases):
        square = {f"Weights_{i}": normal(1, 1, c, c) for i in (1, 11, 2, 22)}
        phase = {
            "Variable": normal(),
            "Variable_1": np.float32(0.2 + 0.1 * t),
            "Weights_0": normal(3, 3, 2, c),
            **square,
            "Weights_3": normal(3, 3, c, 2, scale=0.05),
            "FullyConnected/W": normal(c, SQUEEZED),
            "FullyConnected/b": normal(SQUEEZED),
            "BatchNormalization/gamma": 1 + normal(SQUEEZED),
            "BatchNormalization/beta": normal(SQUEEZED),
            "BatchNormalization/moving_mean": normal(SQUEEZED),
            "BatchNormalization/moving_variance": 1 + normal(SQUEEZED) ** 2,
            "FullyConnected_1/W": normal(SQUEEZED, c),
            "FullyConnected_1/b": normal(c),
            **{f"biases_{i}": normal(c) for i in (0, 1, 11, 2, 22)},
            "biases_3": normal(1),
            "BatchNormalization/is_training": np.array(False),
        }
        found |= {f"conv_{t}/{name}": value for name, value in phase.items()}
    moments = {f"{k}/Adam": v for k, v in found.items() if k.endswith("W")}
    return {**found, **moments, "beta1_power": np.float32(0.9)}


def save(folder: Path, values: dict[str, np.ndarray]) -> Path:
    """Write a checkpoint as TensorFlow 1 does; returns its prefix."""
    folder.mkdir(exist_ok=True)
    prefix = folder / "CS_Saved_Model_300.cpkt"
    values = {name: tf.convert_to_tensor(value) for name, value in values.items()}
    slices = [""] * len(values)
    tf.raw_ops.SaveV2(
        prefix=str(prefix),
        tensor_names=list(values),
        shape_and_slices=slices,
        tensors=list(values.values()),
    )
    return prefix


def forward(values, csi: np.ndarray, phases: int) -> tuple[np.ndarray, np.ndarray]:
    """Codeword `[n, M]` and recovered CSI of CSI `[n, 32, 32, 2]` in [0, 1].

    The public network in float64: the row (part, angle, delay) is the vector x, and the
    convolutions see it reshaped to 32 x 32 x 2.
    """
    rows = (csi.astype(float) - 0.5).transpose(0, 3, 1, 2).reshape(len(csi), -1)
    matrix = values["W"].astype(float)
    codeword = rows @ matrix
    x = before = np.zeros_like(rows)
    for t in range(phases):
        phase = _phase(values, t)
        y = x + phase("Variable") * (x - before)
        r = y - phase("Variable_1") * ((y @ matrix - codeword) @ matrix.T)
        x, before = r + _refinement(phase, r.reshape(-1, 32, 32, 2)), x
    csi_hat = x.reshape(-1, 2, 32, 32).transpose(0, 2, 3, 1) + 0.5
    return codeword, csi_hat


def _phase(values, t: int):
    return lambda name: values[f"conv_{t}/{name}"].astype(float)


def _refinement(phase, image: np.ndarray) -> np.ndarray:
    """G(B(soft(F(D(r))))) as `[n, 2048]`."""
    code = _pair(_conv(image, phase("Weights_0")), phase, "1")
    magnitude = np.abs(code).mean(axis=(1, 2))
    norm = {n: phase(f"BatchNormalization/{n}") for n in ("gamma", "beta")}
    z = magnitude @ phase("FullyConnected/W") + phase("FullyConnected/b")
    z -= phase("BatchNormalization/moving_mean")
    z /= np.sqrt(phase("BatchNormalization/moving_variance") + 1e-5)
    z = np.maximum(norm["gamma"] * z + norm["beta"], 0)
    z = z @ phase("FullyConnected_1/W") + phase("FullyConnected_1/b")
    threshold = (magnitude / (1 + np.exp(-z)))[:, None, None]
    shrunk = np.sign(code) * np.maximum(np.abs(code) - threshold, 0)
    out = _conv(_pair(shrunk, phase, "2"), phase("Weights_3"))
    return out.reshape(len(image), -1)


def _pair(x, phase, number: str):
    first, second = phase(f"Weights_{number}"), phase(f"Weights_{number * 2}")
    return np.maximum(x @ first[0, 0], 0) @ second[0, 0]


def _conv(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """3 x 3 convolution with zeros at the edges."""
    rows, columns = x.shape[1:3]
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    places = [(i, j) for i in range(3) for j in range(3)]
    return sum(
        padded[:, i : i + rows, j : j + columns] @ kernel[i, j] for i, j in places
    )
