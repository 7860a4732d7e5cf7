"""What DualNet-MAG and DualNet-MP share: cores, and the branch of the magnitudes."""

from __future__ import annotations

import math

from zoo.keras_compat import keras, layers, leaky_relu
from zoo.layers.circular import CORES as CONVOLUTIONS
from zoo.layers.circular import core_conv
from zoo.layers.polar import Magnitude
from zoo.models.autoencoder import check_sizes

SLOPE = 0.3
GAIN = 2.0  # brings the largest magnitude of usual CSI near 1
MAGNITUDE = "magnitude"  # how the names of that branch's layers begin
CORES = (*CONVOLUTIONS, "dnn")
ENCODER = {5: (16, 8, 4, 2, 1), 4: (16, 8, 4, 1)}
PAPER = (
    "Lin, Liu, Lee, Ding: Deep Learning Phase Compression for MIMO CSI Feedback by "
    "Exploiting FDD Channel Reciprocity, IEEE Wireless Communications Letters 10(10), "
    "2021, https://arxiv.org/abs/2103.00432"
)
LICENCE = "none; the public code's circular convolution is GPL-3.0"


def check_options(csi_shape, codeword_dim, core: str, convs: int):
    """Validate what both networks take; returns the shape as a tuple.

    Raises:
        ValueError: a value is not usable.
    """
    shape = check_sizes(csi_shape, codeword_dim)
    if core not in CORES:
        raise ValueError(f"core is {core!r}, expected one of {', '.join(CORES)}")
    if convs not in ENCODER:
        raise ValueError(
            f"convs is {convs!r}, expected 5 (public code) or 4 (the paper's text)"
        )
    return shape


def uplink_input(csi_shape):
    """Decoder input `[batch, N_t, N_a, 1]`, the uplink's magnitude as it is."""
    return keras.Input((*csi_shape[:2], 1), name="uplink")


def stack(x, filters, size: int, core: str, name: str, activations):
    """Convolutions of one size, or two FC layers in their place.

    Args:
        x: `[batch, N_t, N_a, channels]`.
        filters: output channels of each convolution.
        size: rows and columns of the kernels.
        core: 'circular', 'zero' or 'dnn'.
        name: prefix of the layer names.
        activations: of each convolution: 'leaky', a Keras name, or None. Of the FC
            layers the hidden one has the first and the other the last.

    Returns:
        `[batch, N_t, N_a, filters[-1]]`.
    """
    if core == "dnn":
        return _dense_stack(x, filters[-1], name, activations)
    for i, (width, activation) in enumerate(zip(filters, activations, strict=True), 1):
        x = core_conv(x, width, size, core, f"{name}_conv{i}")
        x = _activate(x, activation, f"{name}_act{i}")
    return x


def _dense_stack(x, channels: int, name: str, activations):
    entries = math.prod(x.shape[1:3])
    hidden = entries if channels == 1 else 5 * entries // 16
    shape = (*x.shape[1:3], channels)
    x = layers.Flatten(name=f"{name}_flatten")(x)
    x = _activate(layers.Dense(hidden, name=f"{name}_fc1")(x), "leaky", f"{name}_act1")
    x = layers.Dense(math.prod(shape), name=f"{name}_fc2")(x)
    x = _activate(x, activations[-1], f"{name}_act2")
    return layers.Reshape(shape, name=f"{name}_unflatten")(x)


def _activate(x, activation: str | None, name: str):
    if activation is None:
        return x
    if activation == "leaky":
        return leaky_relu(SLOPE, name=name)(x)
    return layers.Activation(activation, name=name)(x)


def encode_magnitude(csi, magnitude_dim: int, core: str, convs: int):
    """Codeword `[batch, magnitude_dim]` of the magnitudes of `[batch, N_t, N_a, 2]`."""
    filters = ENCODER[convs]
    x = Magnitude(GAIN, name="magnitude")(csi)
    activations = ["leaky"] * (convs - 1) + ["relu"]
    x = stack(x, filters, 7, core, "magnitude_encoder", activations)
    x = layers.Flatten(name="magnitude_flatten")(x)
    return layers.Dense(magnitude_dim, name="magnitude_codeword")(x)


def decode_magnitude(codeword, uplink, core: str):
    """Magnitudes of the downlink `[batch, N_t, N_a, 1]`.

    Args:
        codeword: `[batch, magnitude_dim]`.
        uplink: magnitudes of the uplink `[batch, N_t, N_a, 1]`.
        core: as in `stack`.
    """
    shape = tuple(uplink.shape[1:])
    x = layers.Dense(math.prod(shape), name="magnitude_expand")(codeword)
    x = layers.Reshape(shape, name="magnitude_map")(x)
    gained = layers.Rescaling(GAIN, name="magnitude_uplink")(uplink)
    x = layers.Concatenate(name="magnitude_maps")([x, gained])
    activations = ["leaky"] * 4 + ["relu"]
    x = stack(x, (16, 8, 4, 2, 1), 7, core, "magnitude_decoder", activations)
    return layers.Rescaling(1 / GAIN, dtype="float32", name="magnitude_hat")(x)


def csi_of(h):
    """Zero-centred `[batch, N_t, N_a, 2]` to CSI around 0.5, in float32."""
    return layers.Rescaling(1.0, 0.5, dtype="float32", name="csi_hat")(h)
