"""A small network that says where in its coarse cell an atom lies.

It sees the correlations around the cell, 3 x 3, over that of the cell, and replaces the
steps of refinement of the search. It is fitted to what these steps find.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from serving.codec import atoms
from serving.codec.angle_delay_grid import AngleDelayGrid
from zoo.codecs.search import COARSE, coarse_angles, search

HIDDEN = 64
ATOMS = 24  # of each training CSI
EPOCHS = 30
BATCH = 256


class Offsets(NamedTuple):
    """Three dense layers, float32.

    Attributes:
        weights: `[16, HIDDEN]`, `[HIDDEN, HIDDEN]`, `[HIDDEN, 2]`.
        biases: one vector each.
    """

    weights: list[np.ndarray]
    biases: list[np.ndarray]

    def __call__(self, patches: np.ndarray) -> np.ndarray:
        """Offsets `[n, 2]` in coarse steps of correlations `[n, 3, 3]`."""
        x = _features(patches)
        for weight, bias in zip(self.weights[:2], self.biases[:2], strict=True):
            x = np.maximum(x @ weight + bias, 0)
        return (x @ self.weights[2] + self.biases[2]).clip(-1, 1)

    @property
    def macs(self) -> int:
        """Real multiplications of one call."""
        return sum(x.size for x in self.weights)


def fit(grid: AngleDelayGrid, h: np.ndarray, seed: int) -> Offsets:
    """Network fitted to the search in training CSI, complex `[n, N_t, N_a]`.

    Raises:
        ValueError: the array is not linear.
    """
    from zoo.keras_compat import keras, layers  # TensorFlow only where it is needed

    if grid.index_shape[0] > 1 or grid.index_shape[2] > 1:
        raise ValueError(f"array={grid.array}: proposals take linear arrays")
    patches, offsets = _examples(grid, h)
    keras.utils.set_random_seed(seed)
    dense = [layers.Dense(HIDDEN, "relu") for _ in range(2)] + [layers.Dense(2)]
    model = keras.Sequential([keras.Input((16,)), *dense])
    steps = -(-EPOCHS * len(offsets) // BATCH)
    rate = keras.optimizers.schedules.CosineDecay(4e-3, steps)
    model.compile(keras.optimizers.Adam(rate), "mse")
    model.fit(_features(patches), offsets, BATCH, EPOCHS, verbose=0)
    weights, biases = zip(*(layer.get_weights() for layer in dense), strict=True)
    return Offsets(list(weights), list(biases))


def _features(patches: np.ndarray) -> np.ndarray:
    """What the network sees, float32 `[n, 16]`."""
    flat = patches.reshape(len(patches), 9)
    near = np.delete(flat, 4, axis=1) / (flat[:, 4:5] + 1e-20)
    return np.concatenate([near.real, near.imag], axis=1).astype(np.float32)


def _examples(grid: AngleDelayGrid, h: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Correlations `[m, 3, 3]` around coarse cells, offsets float32 `[m, 2]`."""
    found, stride = search(grid, h, ATOMS), grid.oversampling // COARSE
    angles, delays = grid.single
    coarse = angles[coarse_angles(grid)], delays[::stride].T
    basis, each = atoms.Basis(grid, len(h), ATOMS), np.arange(len(h))[:, None]
    residual, near = h.astype(np.complex64), np.array([-1, 0, 1])
    patches, offsets = [], []
    for k in range(ATOMS):
        inner = coarse[0] @ residual @ coarse[1]
        rows, columns = inner.shape[1:]
        i, j = np.divmod(np.abs(inner).reshape(len(h), -1).argmax(axis=1), columns)
        over = (i[:, None] + near) % rows, (j[:, None] + near).clip(0, columns - 1)
        patches.append(inner[each[..., None], over[0][:, :, None], over[1][:, None]])
        half, angle, delay = grid.num_angles // 2, found.angle[:, k], found.delay[:, k]
        across = (angle - i * stride + half) % grid.num_angles - half
        offsets.append(np.stack([across, delay - j * stride], axis=1) / stride)
        basis.append(angle, delay)
        residual -= basis.newest(found.value[:, k]).astype(np.complex64)
    return np.concatenate(patches), np.concatenate(offsets).astype(np.float32)
