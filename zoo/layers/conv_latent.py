"""Codewords made by convolutions along delay, which read the angles as channels.

A feature map `[batch, N_t, N_a, 2]` becomes the sequence `[batch, 1, N_a, 2 N_t]`: one
step per delay, one channel per angle and part. Convolutions of length 7 along delay
compress it to k channels, and the codeword is what they give, M = k N_a numbers. A
height of 1 keeps the tensors 4-D, as two-dimensional layers and
`zoo.training.fused` want them.
"""

from __future__ import annotations

from zoo.keras_compat import layers

KERNEL = (1, 7)


def latent_channels(csi_shape, codeword_dim: int, allowed=None) -> int:
    """Codeword channels k = M / N_a.

    Args:
        csi_shape: (N_t, N_a, 2).
        codeword_dim: codeword length M.
        allowed: the k that the network exists for; any by default.

    Raises:
        ValueError: M is not a multiple of N_a or k is not allowed.
    """
    n_a = csi_shape[1]
    if allowed:
        lengths = [k * n_a for k in allowed]
        if codeword_dim not in lengths:
            raise ValueError(
                f"codeword_dim is {codeword_dim}, expected one of "
                f"{', '.join(map(str, lengths))} for csi_shape {tuple(csi_shape)}"
            )
    elif codeword_dim % n_a:
        raise ValueError(
            f"codeword_dim is {codeword_dim}, expected a multiple of N_a = {n_a} such "
            f"as {n_a} or {2 * n_a}: a convolutional codeword has whole channels"
        )
    return codeword_dim // n_a


def to_latent(x):
    """Make channels of the angles: channel p N_t + a is part p of angle a.

    Args:
        x: `[batch, N_t, N_a, 2]`.

    Returns:
        `[batch, 1, N_a, 2 N_t]`.
    """
    n_t, n_a, parts = x.shape[1:]
    x = layers.Permute((2, 3, 1), name="angle_last")(x)
    return layers.Reshape((1, n_a, parts * n_t), name="angle_channels")(x)


def from_latent(x):
    """Make angles of the channels again, the inverse of `to_latent`.

    Args:
        x: `[batch, 1, N_a, 2 N_t]`.

    Returns:
        `[batch, N_t, N_a, 2]`.
    """
    n_a, channels = x.shape[2:]
    x = layers.Reshape((n_a, 2, channels // 2), name="channel_angles")(x)
    return layers.Permute((3, 1, 2), name="angle_first")(x)
