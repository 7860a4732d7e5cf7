"""CLLWCsiNet: fully convolutional autoencoder that estimates the codeword's noise."""

from __future__ import annotations

from zoo.keras_compat import KERAS_BN, Model, layers, leaky_relu
from zoo.layers.activations import EARLIER_CALL
from zoo.layers.batch_noise import BatchNoise
from zoo.layers.conv import conv_bn
from zoo.layers.conv_latent import KERNEL, from_latent, latent_channels, to_latent
from zoo.models.autoencoder import (
    CsiAutoencoder,
    check_sizes,
    codeword_input,
    connect,
    csi_input,
    csi_output,
)
from zoo.models.spec import ModelSpec, rows

# Codeword channels k: hidden channels of the decoder's two branches.
BRANCH = {16: (32,), 8: (16, 32), 4: (8, 16)}
WIDE = 16  # k at 1/4: there, both branches and the path of length 7 end in a LeakyReLU
SLOPE = 0.3
NOISE_BRANCHES = ("text", "code", "none")


def build_cllwcsinet(
    csi_shape=(32, 32, 2),
    codeword_dim: int = 512,
    bypass_snr_db: float | None = None,
    bypass_low_db: float | None = None,
    noise_branch: str = "text",
) -> CsiAutoencoder:
    """CLLWCsiNet, without any fully connected layer and with a noise branch.

    Ansari, Mohassel Feghhi, "CLLWCsiNet", https://github.com/FardadAnsari/CLLWCsiNet.

    Encoder (UE), feature maps `[batch, 32, 32, channels]`, then sequences
    `[batch, 1, 32 delay, channels]` with convolutions 1x7 (k = M / 32)::

        csi 2 +- 1x7 2 - LReLU - 7x1 2 (- LReLU if k = 16) -+
              +- 1x5 2 - LReLU - 5x1 2 ---------------------+ concat 6 - 1x7 2 - LReLU
              +- 1x3 2 - LReLU - 3x1 2 ---------------------+

        angles to channels: 64 +- 32 - LReLU - 16 - LReLU (- k if k < 16) -+
                               +- k ---------------------------------------+
        concat - LReLU - k - LReLU: codeword

    Decoder (BS), all kernels along delay::

        codeword k +- E: k = 16: 32 - LReLU - 64 - LReLU      -+ E - G
                   +- G: k < 16: 2k - LReLU - .. - LReLU - 64 -+  - LReLU
        channels to angles: 2 - RefineNet - RefineNet - 1x7 2 - sigmoid

        RefineNet: x +- 1x7 8 - LReLU - 1x7 16 - LReLU - 1x7 2 -+
                     +- 1x5 8 - LReLU - 1x5 16 - LReLU - 1x5 2 -+ concat 4 - LReLU
                     +------------------------------------------- + 1x7 2 - LReLU

    The hidden channels of E and G are 32 (k = 16), 16 and 32 (k = 8) or 8 and 16
    (k = 4). Every convolution has a bias and a batch norm; LeakyReLU slope 0.3.

    Published NMSE [dB] (Tables III and IV):

    | ratio | M | k | indoor | outdoor | params | MACs |
    |---|---|---|---|---|---|---|
    | 1/4 | 512 | 16 | -15.09 | -7.89 | 70,268 | 6,742,016 |
    | 1/8 | 256 | 8 | -11.11 | - | 66,756 | 6,627,328 |
    | 1/16 | 128 | 4 | -8.62 | - | 42,608 | 5,860,352 |

    Args:
        csi_shape: (N_t, N_a, 2).
        codeword_dim: codeword length M, 16, 8 or 4 times N_a.
        bypass_snr_db: not as a base station could have it but as the public code does:
            the decoder is given the codeword before the channel, E takes it as it is,
            and noise of this SNR [dB], its power that of the whole batch, is added
            before G alone. For experiments; without --feedback_snr_db.
        bypass_low_db: each example has an SNR of its own between this and
            `bypass_snr_db`.
        noise_branch: G 'text': with the activations of E; 'code': without the last of
            them, which the public code loses to a repeated name; 'none': without G, as
            the published noise-free weights were trained.

    Returns:
        Encoder, decoder and autoencoder.

    Raises:
        ValueError: a size or option is not usable, `bypass_low_db` is not below
            `bypass_snr_db`, or noise is to bypass a G that is not there.

    Deviations: E and G both take the received codeword, which is all that a base
    station has; the public code gives E the codeword before the noise, so the published
    figures may stem from a path around the channel (`bypass_snr_db`). The noise (40 dB
    there) belongs to the codeword path, not to this network, and nothing is clipped to
    [0, 1]. G has the activations of E (`noise_branch`). The batch norm momentum is
    Keras' 0.99; that code has the literal 0.99 in PyTorch, which keeps no more than the
    last batch. Kernels as in the code where the text differs (1x7 where it says 1x1, no
    kernel along angle in RefineNet). The codeword is flattened (delay, channel). At
    another N_t, the hidden channels stay and 2 N_t takes the place of 64.
    """
    shape = check_sizes(csi_shape, codeword_dim)
    channels = latent_channels(shape, codeword_dim, BRANCH)
    noise = _bypass(bypass_snr_db, bypass_low_db)
    _check_branch(noise_branch, noise)
    decoder = _decoder(shape, channels, noise, noise_branch)
    return connect(_encoder(shape, channels), decoder)


def _check_branch(noise_branch: str, noise: BatchNoise | None) -> None:
    if noise_branch not in NOISE_BRANCHES:
        raise ValueError(
            f"noise_branch is {noise_branch!r}, expected one of "
            f"{', '.join(NOISE_BRANCHES)}"
        )
    if noise is not None and noise_branch == "none":
        raise ValueError(
            f"bypass_snr_db is {noise.snr_db} and noise_branch 'none': there is no G "
            "for that noise, leave one out"
        )


def _bypass(snr_db: float | None, low_db: float | None) -> BatchNoise | None:
    """Noise before G alone, or none."""
    if low_db is not None and (snr_db is None or low_db >= snr_db):
        raise ValueError(
            f"bypass_low_db is {low_db}, expected less than bypass_snr_db, {snr_db}"
        )
    return None if snr_db is None else BatchNoise(snr_db, low_db, name="bypassed_noise")


def _encoder(csi_shape, channels: int) -> Model:
    csi = csi_input(csi_shape)
    x = to_latent(_features(csi, channels))
    deep = x
    for i, filters in enumerate((32, 16)):
        deep = _activated(deep, filters, KERNEL, f"deep{i + 1}")
    if channels != WIDE:
        deep = _conv(deep, channels, KERNEL, "deep3")
    shallow = _conv(x, channels, KERNEL, "shallow")
    x = layers.Concatenate(name="depths")([deep, shallow])
    x = leaky_relu(SLOPE, f"compress{EARLIER_CALL}")(x)
    x = _activated(x, channels, KERNEL, "compress")
    return Model(csi, layers.Flatten(name="codeword")(x), name="cllwcsinet_encoder")


def _features(csi, channels: int):
    """Three resolutions, merged to `[batch, N_t, N_a, 2]`."""
    paths = []
    for length in (7, 5, 3):
        x = _activated(csi, 2, (1, length), f"path{length}_1")
        conv = _activated if (channels, length) == (WIDE, 7) else _conv
        paths.append(conv(x, 2, (length, 1), f"path{length}_2"))
    x = layers.Concatenate(name="paths")(paths)
    return leaky_relu(SLOPE, f"merge{EARLIER_CALL}")(_conv(x, 2, KERNEL, "merge"))


def _decoder(csi_shape, channels: int, noise: BatchNoise | None, branch: str) -> Model:
    n_t, n_a, _ = csi_shape
    codeword = codeword_input(channels * n_a)
    latent = layers.Reshape((1, n_a, channels), name="latent")(codeword)
    x = _branch(latent, 2 * n_t, "expand")
    if branch != "none":
        noisy = latent if noise is None else noise(latent)
        g = _branch(noisy, 2 * n_t, "noise", last_activation=branch == "text")
        x = layers.Subtract(name="denoised")([x, g])
    if branch != "none" or channels != WIDE:
        x = leaky_relu(SLOPE)(x)
    x = from_latent(x)
    for i in range(2):
        x = _refine(x, f"refine{i + 1}")
    x = _conv(x, 2, KERNEL, "output")
    return Model(codeword, csi_output(x), name="cllwcsinet_decoder")


def _branch(x, outputs: int, name: str, last_activation: bool = True):
    """E or G, `[batch, 1, N_a, k]` to `[batch, 1, N_a, outputs]`."""
    channels = x.shape[-1]
    filters = [*BRANCH[channels], outputs]
    names = [*(f"{name}{i + 1}" for i in range(len(filters) - 1)), f"{name}_last"]
    activated = len(filters) if channels == WIDE else len(filters) - 1
    activated -= not last_activation
    for i, (size, layer) in enumerate(zip(filters, names, strict=True)):
        conv = _activated if i < activated else _conv
        x = conv(x, size, KERNEL, layer)
    return x


def _refine(x, name: str):
    paths = []
    for length in (7, 5):
        y = x
        for i, filters in enumerate((8, 16)):
            y = _activated(y, filters, (1, length), f"{name}_{length}_{i + 1}")
        paths.append(_conv(y, 2, (1, length), f"{name}_{length}_3"))
    y = layers.Concatenate(name=f"{name}_paths")(paths)
    y = leaky_relu(SLOPE, f"{name}{EARLIER_CALL}")(y)
    y = _conv(y, 2, KERNEL, f"{name}_merge")
    return leaky_relu(SLOPE)(layers.Add(name=f"{name}_skip")([x, y]))


def _conv(x, filters: int, kernel: tuple[int, int], name: str):
    return conv_bn(x, filters, kernel, name, use_bias=True, batch_norm=KERAS_BN)


def _activated(x, filters: int, kernel: tuple[int, int], name: str):
    return leaky_relu(SLOPE, f"{name}_lrelu")(_conv(x, filters, kernel, name))


SPEC = ModelSpec(
    name="cllwcsinet",
    build=build_cllwcsinet,
    paper="Ansari, Mohassel Feghhi: CLLWCsiNet, "
    "https://github.com/FardadAnsari/CLLWCsiNet",
    licence="none stated; an older copy (ansarifardad2024/CLLWCsiNet) is MIT",
    published=rows([-15.09, -11.11, -8.62], [-7.89]),
    codeword_dims=(512, 256, 128),
)
