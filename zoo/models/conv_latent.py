"""CL-CsiNet, CL-CRNet, CL-ACRNet: a convolutional codeword in place of FC layers."""

from __future__ import annotations

import tensorflow as tf

from zoo.keras_compat import KERAS_BN, PYTORCH_BN, Model, layers, leaky_relu
from zoo.layers.conv import conv_bn
from zoo.layers.conv_latent import KERNEL, from_latent, latent_channels, to_latent
from zoo.models.acrnet import build_acrnet
from zoo.models.autoencoder import (
    CsiAutoencoder,
    check_sizes,
    codeword_input,
    connect,
)
from zoo.models.crnet import build_crnet
from zoo.models.csinet import build_csinet
from zoo.models.layer_graph import LayerGraph, look_up
from zoo.models.spec import ModelSpec, rows

SLOPE = 0.3


def build_cl_csinet(csi_shape=(32, 32, 2), codeword_dim: int = 512) -> CsiAutoencoder:
    """CL-CsiNet: CsiNet with a convolutional codeword.

    Ansari, Mohassel Feghhi, "CLLWCsiNet", https://github.com/FardadAnsari/CLLWCsiNet;
    CsiNet itself: see `zoo.models.csinet`.

    Sequences are `[batch, 1, 32 delay, channels]`, k = M / 32::

        encoder (UE): CsiNet's features 2 - angles to channels 64 - 1x7 k - BN - LReLU
        decoder (BS): 1x7 64 - BN - LReLU - channels to angles 2 - CsiNet's decoder

    The 1x7 convolutions have no bias; LeakyReLU slope 0.3.

    Published NMSE [dB] (Table III):

    | ratio | M | indoor | params | MACs |
    |---|---|---|---|---|
    | 1/4 | 512 | -9.72 | 17,900 | 3,776,512 |
    | 1/8 | 256 | -3.56 | 10,716 | 3,547,136 |
    | 1/16 | 128 | -2.19 | 7,124 | 3,432,448 |

    Args:
        csi_shape: (N_t, N_a, 2).
        codeword_dim: codeword length M, a multiple of N_a.

    Returns:
        Encoder, decoder and autoencoder.

    Raises:
        ValueError: a size is not usable.

    Deviations: the network that the table's counts describe; the public file under
    this name is another one (1x7 kernels throughout, 44,634 parameters). The added
    batch norms have CsiNet's momentum and epsilon, which nothing public tells. Without
    published weights to load, the codeword is flattened (delay, channel).
    """
    return _convolutional("cl_csinet", build_csinet, csi_shape, codeword_dim, KERAS_BN)


def build_cl_crnet(csi_shape=(32, 32, 2), codeword_dim: int = 512) -> CsiAutoencoder:
    """CL-CRNet: CRNet with a convolutional codeword.

    Ansari, Mohassel Feghhi, "CLLWCsiNet", https://github.com/FardadAnsari/CLLWCsiNet;
    CRNet itself: see `zoo.models.crnet`.

    Sequences are `[batch, 1, 32 delay, channels]`, k = M / 32::

        encoder (UE): CRNet's features 2 - angles to channels 64 - 1x7 k - BN - LReLU
        decoder (BS): 1x7 64 - BN - LReLU - channels to angles 2 - CRNet's decoder

    Published NMSE [dB] (Table III):

    | ratio | M | indoor | params | MACs |
    |---|---|---|---|---|
    | 1/4 | 512 | -7.35 | 17,622 | 3,483,648 |
    | 1/8 | 256 | -4.34 | 10,438 | 3,254,272 |
    | 1/16 | 128 | -2.49 | 6,846 | 3,139,584 |

    Args:
        csi_shape: (N_t, N_a, 2).
        codeword_dim: codeword length M, a multiple of N_a.

    Returns:
        Encoder, decoder and autoencoder.

    Raises:
        ValueError: a size is not usable.

    Deviations: without published weights to load, the codeword is flattened
    (delay, channel); nothing else differs from the public code.
    """
    return _convolutional("cl_crnet", build_crnet, csi_shape, codeword_dim, PYTORCH_BN)


def build_cl_acrnet(csi_shape=(32, 32, 2), codeword_dim: int = 512) -> CsiAutoencoder:
    """CL-ACRNet-1x: ACRNet-1x with a convolutional codeword.

    Ansari, Mohassel Feghhi, "CLLWCsiNet", https://github.com/FardadAnsari/CLLWCsiNet;
    ACRNet itself: see `zoo.models.acrnet`.

    Sequences are `[batch, 1, 32 delay, channels]`, k = M / 32::

        encoder (UE): ACRNet's features 2 - angles to channels 64 - 1x7 k - BN - LReLU
        decoder (BS): 1x7 64 - BN - LReLU - channels to angles 2 - ACRNet's decoder

    Published NMSE [dB] (Table III, which prints 7.12K for the 17.12K at 1/4):

    | ratio | M | indoor | params | MACs |
    |---|---|---|---|---|
    | 1/4 | 512 | -8.76 | 17,128 | 3,006,464 |
    | 1/8 | 256 | -7.72 | 9,944 | 2,777,088 |
    | 1/16 | 128 | -6.038 | 6,352 | 2,662,400 |

    Args:
        csi_shape: (N_t, N_a, 2).
        codeword_dim: codeword length M, a multiple of N_a.

    Returns:
        Encoder, decoder and autoencoder.

    Raises:
        ValueError: a size is not usable.

    Deviations: without published weights to load, the codeword is flattened
    (delay, channel); nothing else differs from the public code.
    """
    return _convolutional(
        "cl_acrnet", build_acrnet, csi_shape, codeword_dim, PYTORCH_BN
    )


def _convolutional(name: str, build, csi_shape, codeword_dim: int, batch_norm: dict):
    """Cut both FC layers out of a network and put 1x7 convolutions in their place."""
    shape = check_sizes(csi_shape, codeword_dim)
    channels = latent_channels(shape, codeword_dim)
    original = build(shape, codeword_dim=1)  # whose FC layers are dropped: any length
    csi = original.encoder.input
    x = to_latent(original.encoder.get_layer("flatten").input)
    x = _latent_conv(x, channels, batch_norm, "compress")
    encoder = Model(csi, layers.Flatten(name="codeword")(x), name=f"{name}_encoder")
    codeword = codeword_input(codeword_dim)
    x = layers.Reshape((1, shape[1], channels), name="latent")(codeword)
    x = _latent_conv(x, 2 * shape[0], batch_norm, "extend")
    csi_hat = _rebuild_after(original.decoder, "unflatten", from_latent(x))
    return connect(encoder, Model(codeword, csi_hat, name=f"{name}_decoder"))


def _latent_conv(x, filters: int, batch_norm: dict, name: str):
    x = conv_bn(x, filters, KERNEL, name, batch_norm=batch_norm)
    return leaky_relu(SLOPE, f"{name}_lrelu")(x)


def _rebuild_after(model: Model, name: str, x):
    """Output of fresh copies of all layers behind one layer, applied to `x`.

    Copies, because a layer that is called twice has no single output any more.
    """
    values = {id(model.get_layer(name).output): x}
    for layer in LayerGraph(model).layers:
        if all(id(tensor) in values for tensor in tf.nest.flatten(layer.input)):
            copy = type(layer).from_config(layer.get_config())
            values[id(layer.output)] = copy(look_up(values, layer.input))
    return values[id(model.output)]


_PAPER = (
    "Ansari, Mohassel Feghhi: CLLWCsiNet, https://github.com/FardadAnsari/CLLWCsiNet"
)

SPECS = tuple(
    ModelSpec(
        name=name,
        build=build,
        paper=_PAPER,
        licence="none stated",
        published=rows(indoor),
        codeword_dims=(512, 256, 128),
    )
    for name, build, indoor in (
        ("cl_csinet", build_cl_csinet, [-9.72, -3.56, -2.19]),
        ("cl_crnet", build_cl_crnet, [-7.35, -4.34, -2.49]),
        ("cl_acrnet", build_cl_acrnet, [-8.76, -7.72, -6.038]),
    )
)
