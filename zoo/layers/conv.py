"""Convolution blocks shared by the networks."""

from __future__ import annotations

from zoo.keras_compat import PYTORCH_BN, keras, layers


def conv_bn(
    x,
    filters: int,
    kernel: tuple[int, int],
    name: str,
    *,
    use_bias: bool = False,
    batch_norm: dict | None = None,
    bn_axis: int = -1,
):
    """Same-padded convolution followed by batch normalisation.

    The PyTorch networks (CRNet, CLNet, ...) use no bias, momentum 0.9 and eps 1e-5 (the
    default here; PyTorch's momentum 0.1 is Keras' 0.9); CsiNet uses a bias and Keras'
    own 0.99 and 1e-3.

    Args:
        x: `[batch, N_t, N_a, channels]`.
        filters: output channels.
        kernel: (along angle, along delay).
        name: prefix of both layers' names.
        use_bias: whether the convolution has a bias.
        batch_norm: momentum and epsilon.
        bn_axis: axis that owns the statistics (-1 channels, 2 delay).

    Returns:
        `[batch, N_t, N_a, filters]`.
    """
    x = layers.Conv2D(
        filters,
        kernel,
        padding="same",
        use_bias=use_bias,
        kernel_initializer="glorot_uniform",
        name=f"{name}_conv",
    )(x)
    norm = PYTORCH_BN if batch_norm is None else batch_norm
    return layers.BatchNormalization(axis=bn_axis, name=f"{name}_bn", **norm)(x)


def pytorch_dense(x, units: int, name: str):
    """Fully connected layer as PyTorch-family networks initialise it.

    Glorot-uniform weights; the bias keeps PyTorch's default U(-1/sqrt(fan_in),
    1/sqrt(fan_in)).

    Args:
        x: `[batch, fan_in]`.
        units: outputs.
        name: layer name.

    Returns:
        `[batch, units]`.
    """
    bound = x.shape[-1] ** -0.5
    bias = keras.initializers.RandomUniform(-bound, bound)
    return layers.Dense(
        units,
        kernel_initializer="glorot_uniform",
        bias_initializer=bias,
        name=name,
    )(x)
