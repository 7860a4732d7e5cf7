"""The codecs by name: fitted to a data set's training CSI, measured in real bytes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from serving.codec.angle_delay_grid import AngleDelayGrid
from tfds_builders.csi_examples import real_pairs
from zoo.codecs import (
    klt_mixture,
    learned_context,
    pursuit_choice,
    sending,
    transform_codec,
    transforms,
)
from zoo.codecs.coded import Coded, grid_of, load
from zoo.codecs.sending import Codec
from zoo.config import ExperimentConfig
from zoo.data import splits
from zoo.metrics import accuracy

OVERSAMPLING = (2, 4, 8, 16)
LEAST_ATOM_BITS = 14  # of an atom in the mean: so many atoms a report can have
SPREAD = 1.5  # atoms of the longest report over those of the mean one


class Method(NamedTuple):
    """How a codec is fitted.

    Attributes:
        fit: function of grids to choose from, training CSI complex `[n, N_t, N_a]`,
            bits and seed.
        examples: training CSI that it takes at most.
    """

    fit: Callable[..., Codec]
    examples: int


def _pursuit(
    grids: list[AngleDelayGrid], h: np.ndarray, bits: float, seed: int, **options
) -> Codec:
    """Fitted on the grid that serves the last tenth of the training CSI best."""
    return pursuit_choice.choose(grids, h, bits, most_atoms(bits), **options)


def most_atoms(bits: float) -> int:
    """Atoms of a pursuit's report at most, for so many bits in the mean."""
    return int(SPREAD * bits / LEAST_ATOM_BITS) + 2


def _learned(grids, h: np.ndarray, bits: float, seed: int) -> Codec:
    """The pursuit with a context of positions, on the grid of the plain one."""
    plain = _pursuit(grids, h[: METHODS["pursuit"].examples], bits, seed)
    return learned_context.learned(plain, h, bits, seed)


def _transform(kind) -> Callable[..., Codec]:
    return lambda grids, h, bits, seed: transform_codec.fit(kind.fit(h), h, bits)


def _mixture(num_kinds: int) -> Callable[..., Codec]:
    return lambda grids, h, bits, seed: klt_mixture.fit(h, bits, num_kinds, seed)


METHODS: dict[str, Method] = {
    "pursuit": Method(_pursuit, 1_000),
    "pursuit_learned": Method(_learned, learned_context.EXAMPLES),
    "dft": Method(_transform(transforms.Dft), 1_000),
    "klt_coded": Method(_transform(transforms.Karhunen), 20_000),
    "klt_mixture": Method(_mixture(16), 20_000),
}


def fitted(
    coded: Coded, settings: ExperimentConfig, array: dict | None = None
) -> tuple[Codec, dict]:
    """A codec fitted to training CSI.

    Args:
        coded: which one, for how many bits.
        settings: data set, noise and seed apply.
        array: what `array_of` says of the data set; None: a linear one.

    Returns:
        The codec; its part of the results row.

    Raises:
        ValueError: unusable data, or bits that the codec cannot take.
    """
    method = METHODS[coded.name]
    train = load(settings, "train", coded.perturbation, array, method.examples)
    if coded.noise != "none":
        train = splits.as_noisy(settings, train)
    h = accuracy.to_complex(train.h_seen)
    grids = [
        grid_of(train, array, over)
        for over in ([coded.oversampling] if coded.oversampling else OVERSAMPLING)
    ]
    began = time.monotonic()
    codec = method.fit(grids, h, coded.bits, settings.seed, **coded.fitting(train))
    return codec, {
        "model_args": coded.options() | codec_options(codec),
        "num_train": len(h),
        "fit_seconds": round(time.monotonic() - began, 2),
    }


def sent(
    coded: Coded,
    settings: ExperimentConfig,
    test: splits.Split,
    array: dict | None = None,
) -> tuple[np.ndarray, dict]:
    """Send test CSI through real bytes, with a codec fitted to training CSI.

    Args:
        coded: how.
        settings: data set, noise and seed apply.
        test: what is sent.
        array: what `array_of` says of the data set; None: a linear one.

    Returns:
        Zero-centred estimate `[n, N_t, N_a, 2]` float32; its part of the results row.

    Raises:
        ValueError: unusable data, or bits that the codec cannot take.
    """
    codec, about = fitted(coded, settings, array)
    h_hat, found = through_bytes(codec, test, coded)
    return h_hat, about | found


def array_of(builder) -> dict | None:
    """Array of a data set as `AngleDelayGrid` takes it; None: it does not say.

    Args:
        builder: TFDS builder with its data. Receive antennas that stand side by side on
            the angle axis are further blocks.
    """
    sizes, beams = (builder.info.metadata or {}).get("array"), "each"
    if sizes is None and hasattr(builder, "array"):
        sizes, beams = builder.array, "all"
    if sizes is None:
        return None
    columns, rows, _ = sizes
    blocks = builder.info.features["csi"].shape[-3] // (columns * rows)
    return {"array": f"upa:{columns}x{rows}x{blocks}", "beams": beams}


def codec_options(codec: Codec) -> dict:
    """What a codec chose for itself."""
    grid = getattr(codec, "grid", None)
    if grid is None:
        return {}
    return {"oversampling": grid.oversampling} | ({"gains": True} if grid.gains else {})


def through_bytes(
    codec: Codec, test: splits.Split, coded: Coded
) -> tuple[np.ndarray, dict]:
    """Send test CSI through real bytes.

    Args:
        codec: fitted.
        test: what is sent.
        coded: rate and what it does about noise apply.

    Returns:
        Zero-centred estimate `[n, N_t, N_a, 2]` float32; what it took.
    """
    h, budget = accuracy.to_complex(test.h_seen), coded.bits if coded.fixed else 0
    h_hat, found = sending.through_bytes(codec, h, budget, **coded.sending(test))
    return real_pairs(h_hat), found
