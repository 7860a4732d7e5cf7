"""A convolutional network behind the pursuit's decoder, which starts as the identity.

It sees decoded CSI of unit variance and the number of atoms, and adds what it expects
to be missing. Its last convolution starts at zero, so that it begins at the plain
codec. One network serves all rates.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from serving.codec import atoms
from zoo.codecs import stops
from zoo.codecs.pursuit import PursuitCodec
from zoo.codecs.search import Pursuit
from zoo.keras_compat import Model, keras, layers, leaky_relu
from zoo.metrics import accuracy

WIDTH = 16
EPOCHS = 8
BATCH = 32


class Pairs(NamedTuple):
    """Decoded CSI and what it lacks, each over the root mean square of the decoded.

    Attributes:
        decoded: float32 `[n, N_t, N_a, 2]`.
        missing: float32, likewise.
        num_atoms: binary logarithm, float32 `[n]`.
        scale: float64 `[n]`.
    """

    decoded: np.ndarray
    missing: np.ndarray
    num_atoms: np.ndarray
    scale: np.ndarray


def pairs(codec: PursuitCodec, h: np.ndarray, found: Pursuit) -> Pairs:
    """What the receiver of a codec has of CSI `[n, N_t, N_a]`, and what it lacks."""
    kept, _ = stops.worth(codec.tables, found)
    most = int(kept.max())
    values = codec.tables.values(*codec.tables.quantise(found.value[:, :most]))
    values = values * (np.arange(most) < kept[:, None])
    decoded = atoms.combine(
        codec.grid, found.angle[:, :most], found.delay[:, :most], values
    )
    scale = np.sqrt(np.mean(np.abs(decoded) ** 2, axis=(1, 2)) / 2)
    parts = [x / scale[:, None, None] for x in (decoded, h - decoded)]
    real = [np.stack([x.real, x.imag], -1).astype(np.float32) for x in parts]
    return Pairs(*real, np.log2(kept).astype(np.float32), scale)


def build(csi_shape: tuple[int, int, int]) -> Model:
    """Network of decoded CSI and the number of atoms; all zero at first."""
    decoded, number = keras.Input(csi_shape), keras.Input((1,))
    x = layers.Reshape((1, 1, 1))(number)
    x = layers.UpSampling2D(csi_shape[:2])(x)
    x = layers.Concatenate()([decoded, x])
    for size in (5, 3):
        x = layers.Conv2D(WIDTH, size, padding="same")(x)
        x = leaky_relu(0.3)(x)
    x = layers.Conv2D(2, 3, padding="same", kernel_initializer="zeros")(x)
    return Model([decoded, number], x)


def train(given: list[Pairs], seed: int) -> Model:
    """Network fitted to training pairs, one of each rate; rates count alike."""
    keras.utils.set_random_seed(seed)
    model = build(given[0].decoded.shape[1:])
    weight = [np.full(len(p.scale), 1 / np.mean(p.missing**2)) for p in given]
    steps = -(-EPOCHS * sum(len(p.scale) for p in given) // BATCH)
    rate = keras.optimizers.schedules.CosineDecay(2e-3, steps)
    model.compile(keras.optimizers.Adam(rate), "mse")
    inputs = [
        np.concatenate([getattr(p, x) for p in given]) for x in ("decoded", "num_atoms")
    ]
    missing = np.concatenate([p.missing for p in given])
    weights = np.concatenate(weight)[:, None, None]  # of the mean over re and im
    model.fit(inputs, missing, BATCH, EPOCHS, verbose=0, sample_weight=weights)
    return model


def gain(model: Model, given: Pairs, h: np.ndarray) -> dict:
    """NMSE [dB] of CSI `[n, N_t, N_a]` without and with the network."""
    added = model.predict([given.decoded, given.num_atoms], verbose=0)
    scale = given.scale[:, None, None]
    plain, better = (
        scale * accuracy.to_complex(x) for x in (given.decoded, given.decoded + added)
    )
    return {
        "nmse_db": accuracy.nmse_db(h, plain),
        "with_network_db": accuracy.nmse_db(h, better),
    }
