"""TransNet: transformer autoencoder."""

from __future__ import annotations

from zoo.keras_compat import Model
from zoo.keras_compat import layers as keras_layers
from zoo.layers.conv import pytorch_dense
from zoo.layers.transformer import EPSILON, TransformerDecoder, TransformerEncoder
from zoo.models.autoencoder import (
    CsiAutoencoder,
    check_sizes,
    codeword_input,
    connect,
    csi_input,
    flat_size,
)
from zoo.models.spec import ModelSpec, Variant, rows

HEADS = 2
FFN = 2048


def build_transnet(
    csi_shape=(32, 32, 2),
    codeword_dim: int = 512,
    shared: bool = True,
    layers: int = 2,
) -> CsiAutoencoder:
    """TransNet, a transformer over pairs of angle rows.

    Cui, Guo, Song, "TransNet: Full Attention Network for CSI Feedback in FDD Massive
    MIMO System", IEEE Wireless Communications Letters 11(5), 2022,
    https://doi.org/10.1109/LWC.2022.3149416.

    A token is two angle rows of the real or of the imaginary part, 2 N_a = 64 values;
    the first N_t / 2 tokens are real. Tensors `[batch, 32 tokens, 64]`::

        encoder (UE): csi 32 x 32 x 2 - tokens - encoder layer - encoder layer - FC M
        decoder (BS): FC 2048 - tokens +- decoder layer - decoder layer - LayerNorm
                                       +- memory -+---------------+  - csi 32 x 32 x 2

    Layers are post-norm with 2 heads, 2048 hidden units, ReLU, no dropout and no
    positional encoding. The output is linear: it can leave [0, 1].

    Published NMSE [dB], indoor/outdoor, constant learning rate 1e-4 (README):

    | ratio | M | 400 epochs | 1000 epochs | params | MACs |
    |---|---|---|---|---|---|
    | 1/4 | 512 | -29.22/-13.99 | -32.38/-14.86 | 2,678,912 | 39,583,744 |
    | 1/8 | 256 | -21.62/-9.57 | -22.91/-9.99 | 1,630,080 | 38,535,168 |
    | 1/16 | 128 | -14.98/-6.90 | -15.00/-7.82 | 1,105,664 | 38,010,880 |
    | 1/32 | 64 | -9.83/-3.77 | -10.49/-4.13 | 843,456 | 37,748,736 |
    | 1/64 | 32 | -5.77/-2.20 | -6.08/-2.62 | 712,352 | 37,617,664 |

    The published 35.72M FLOPs at 1/4 leave all attention out: feed-forward networks
    and FC layers are 35,651,584 MACs (`functional_blind_macs` of the two stacks).

    PyTorch's `encoder.layers.*` are the tensors of the encoder's layer `transformer`,
    `decoder.layers.*` those of the decoder's, `decoder.norm` is its layer `norm`. FC
    layers see values in PyTorch's order.

    Args:
        csi_shape: (N_t, N_a, 2) with even N_t.
        codeword_dim: codeword length M.
        shared: whether the layers of each stack share their weights, as the published
            networks do; otherwise each layer has its own.
        layers: layers of each stack.

    Returns:
        Encoder, decoder and autoencoder.

    Raises:
        ValueError: a size or option is not usable.

    Deviations: the public code hands `[batch, token, value]` to a module that expects
    the tokens first, so its attention runs over the examples of a batch, and a
    reconstruction depends on the other users. Here attention runs over the tokens of
    one example, as the paper means; expect other NMSE than published. For other sizes
    a token stays two angle rows. The last LayerNorm runs in float32 under every
    precision policy. README versions differ: one prints the 1000-epoch rows as 2500
    epochs, and a few other values at 1/4, 1/32 and 1/64.
    """
    shape = check_sizes(csi_shape, codeword_dim)
    if shape[0] % 2:
        raise ValueError(
            f"csi_shape is {shape}, expected an even N_t: a token is two angle rows of "
            "one part"
        )
    if not isinstance(shared, bool):
        raise ValueError(f"shared is {shared!r}, expected True or False")
    if not isinstance(layers, int) or isinstance(layers, bool) or layers < 1:
        raise ValueError(f"layers is {layers!r}, expected a positive integer such as 2")
    stack = {"num_layers": layers, "heads": HEADS, "ffn": FFN, "shared": shared}
    return connect(
        _encoder(shape, codeword_dim, stack), _decoder(shape, codeword_dim, stack)
    )


def _encoder(csi_shape, codeword_dim: int, stack: dict) -> Model:
    csi = csi_input(csi_shape)
    x = keras_layers.Permute((3, 1, 2), name="parts_first")(csi)
    x = keras_layers.Reshape(_token_shape(csi_shape), name="tokens")(x)
    x = TransformerEncoder(**stack, name="transformer")(x)
    x = keras_layers.Flatten(name="flatten")(x)
    codeword = pytorch_dense(x, codeword_dim, "codeword")
    return Model(csi, codeword, name="transnet_encoder")


def _decoder(csi_shape, codeword_dim: int, stack: dict) -> Model:
    codeword = codeword_input(codeword_dim)
    x = pytorch_dense(codeword, flat_size(csi_shape), "expand")
    x = keras_layers.Reshape(_token_shape(csi_shape), name="tokens")(x)
    x = TransformerDecoder(**stack, name="transformer")(x)
    # From here on float32: half floats lose CSI with a std of 0.02 around 0.5. Keras 3
    # rounds a normalisation to its input's precision, hence the layer in front of it.
    full = {"dtype": "float32"}
    x = keras_layers.Activation("linear", name="full_precision", **full)(x)
    x = keras_layers.LayerNormalization(epsilon=EPSILON, name="norm", **full)(x)
    n_t, n_a, parts = csi_shape
    x = keras_layers.Reshape((parts, n_t, n_a), name="unflatten", **full)(x)
    csi_hat = keras_layers.Permute((2, 3, 1), name="csi_hat", **full)(x)
    return Model(codeword, csi_hat, name="transnet_decoder")


def _token_shape(csi_shape) -> tuple[int, int]:
    """(tokens, values per token) of the channels-first row-major vector."""
    n_t, n_a, _ = csi_shape
    return n_t, 2 * n_a


SPEC = ModelSpec(
    name="transnet",
    build=build_transnet,
    paper="Cui, Guo, Song: TransNet: Full Attention Network for CSI Feedback in FDD "
    "Massive MIMO System, IEEE Wireless Communications Letters 11(5), 2022, "
    "https://doi.org/10.1109/LWC.2022.3149416",
    licence="MIT",
    published=rows(
        [-29.22, -21.62, -14.98, -9.83, -5.77],
        [-13.99, -9.57, -6.90, -3.77, -2.20],
    ),
    variants={
        "1000 epochs": Variant(
            {},
            rows(
                [-32.38, -22.91, -15.00, -10.49, -6.08],
                [-14.86, -9.99, -7.82, -4.13, -2.62],
            ),
            {"epochs": 1000},
        ),
    },
    fitted_start="transformer",
)
