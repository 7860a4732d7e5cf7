"""CLNet: lightweight autoencoder with attention in the encoder."""

from __future__ import annotations

from zoo.keras_compat import Model, keras, layers, leaky_relu
from zoo.layers.activations import HardSigmoid
from zoo.layers.attention import spatial_attention, squeeze_excitation
from zoo.layers.conv import conv_bn
from zoo.models.autoencoder import (
    CsiAutoencoder,
    check_sizes,
    codeword_input,
    connect,
    csi_input,
    csi_output,
    flat_size,
)
from zoo.models.crnet import cr_block, factorised_path
from zoo.models.spec import ModelSpec, Variant, rows

# Attention of each variant: (squeeze-excitation, spatial).
VARIANTS = {
    "1x1": (False, False),
    "se": (True, False),
    "cbam": (False, True),
    "full": (True, True),
}
OUTPUTS = ("hard_sigmoid", "sigmoid")
SLOPE = 0.3


def build_clnet(
    csi_shape=(32, 32, 2),
    codeword_dim: int = 512,
    variant: str = "full",
    output: str = "hard_sigmoid",
) -> CsiAutoencoder:
    """CLNet, with a pointwise layer that mixes real and imaginary part, and attention.

    Ji, Li, "CLNet: Complex Input Lightweight Neural Network Designed for Massive MIMO
    CSI Feedback", IEEE Wireless Communications Letters 10(10), 2021,
    https://arxiv.org/abs/2102.07507.

    Encoder (UE), feature maps `[batch, 32, 32, channels]`::

        csi 2 +- 3x3 2 - LReLU - 1x9 2 - LReLU - 9x1 2 - spatial attention -+
              |                                                             concat 34
              +- 1x1 32 - squeeze-excitation (hidden 2) --------------------+

        concat 34 - LReLU - 1x1 2 - LReLU - FC M

    Decoder (BS)::

        FC 2048 - reshape - 5x5 2 - LReLU - block - block - hard sigmoid

        block: CRNet's with 1x3 and 3x1 in place of 1x9 and 9x1

    Every convolution is bias-free and batch-normalised; LeakyReLU slope 0.3. The hard
    sigmoid is min(max(x + 3, 0), 6) / 6, both attentions use true sigmoids.

    Published NMSE [dB], cosine schedule, 1000 epochs (Table I), and plain MACs:

    | ratio | M | indoor | outdoor | params | MACs |
    |---|---|---|---|---|---|
    | 1/4 | 512 | -29.16 | -12.88 | 2,101,958 | 4,026,496 |
    | 1/8 | 256 | -15.60 | -8.29 | 1,053,126 | 2,977,920 |
    | 1/16 | 128 | -11.15 | -5.56 | 528,710 | 2,453,632 |
    | 1/32 | 64 | -8.95 | -3.49 | 266,502 | 2,191,488 |
    | 1/64 | 32 | -6.34 | -2.19 | 135,398 | 2,060,416 |

    Args:
        csi_shape: (N_t, N_a, 2).
        codeword_dim: codeword length M.
        variant: ablation of Table II, one of `VARIANTS`: '1x1' without attention, 'se'
            and 'cbam' with squeeze-excitation or spatial attention only, 'full'.
        output: 'hard_sigmoid', or the 'sigmoid' that the paper replaces by it.

    Returns:
        Encoder, decoder and autoencoder.

    Raises:
        ValueError: a size, the variant or the output is not usable.

    Deviations: where paper and public code differ, the code, which the published
    parameter counts fit: hidden size 2 in squeeze-excitation (the paper: half the
    channels), own weights for real and imaginary part in the 1x1 layer, [max, mean]
    order. The decoder of the ablations is not published; CLNet's is used. Features
    are flattened channels-last, so published FC weights need a permutation.
    """
    shape = check_sizes(csi_shape, codeword_dim)
    if variant not in VARIANTS:
        raise ValueError(
            f"variant is {variant!r}, expected one of {', '.join(VARIANTS)}"
        )
    if output not in OUTPUTS:
        raise ValueError(f"output is {output!r}, expected one of {', '.join(OUTPUTS)}")
    encoder = _encoder(shape, codeword_dim, *VARIANTS[variant])
    return connect(encoder, _decoder(shape, codeword_dim, output))


def _encoder(csi_shape, codeword_dim: int, channel: bool, spatial: bool) -> Model:
    csi = csi_input(csi_shape)
    a = factorised_path(csi, 2, 9, SLOPE, "path")
    if spatial:
        a = spatial_attention(a, "spatial")
    b = conv_bn(csi, 32, (1, 1), "path_b")
    if channel:
        b = squeeze_excitation(b, 2, "se")
    x = leaky_relu(SLOPE)(layers.Concatenate(name="paths")([a, b]))
    x = leaky_relu(SLOPE)(conv_bn(x, 2, (1, 1), "merge"))
    x = layers.Flatten(name="flatten")(x)
    codeword = _dense(x, codeword_dim, flat_size(csi_shape), "codeword")
    return Model(csi, codeword, name="clnet_encoder")


def _decoder(csi_shape, codeword_dim: int, output: str) -> Model:
    codeword = codeword_input(codeword_dim)
    size = flat_size(csi_shape)
    x = _dense(codeword, size, size, "expand")
    x = layers.Reshape(csi_shape, name="unflatten")(x)
    x = leaky_relu(SLOPE)(conv_bn(x, 2, (5, 5), "head1"))
    for i in range(2):
        x = cr_block(x, 3, SLOPE, f"block{i + 1}")
    if output == "sigmoid":
        csi_hat = csi_output(x)
    else:
        csi_hat = HardSigmoid(dtype="float32", name="csi_hat")(x)
    return Model(codeword, csi_hat, name="clnet_decoder")


def _dense(x, units: int, init_fan: int, name: str):
    """FC layer with U(-init_fan^-1/2, init_fan^-1/2) weights and biases.

    PyTorch's default. The public code's expansion is a transposed convolution, for
    which PyTorch takes the *outputs* as fan-in; 2 N_t N_a on both sides, then.
    """
    init = keras.initializers.RandomUniform
    bound = init_fan**-0.5
    return layers.Dense(
        units,
        kernel_initializer=init(-bound, bound),
        bias_initializer=init(-bound, bound),
        name=name,
    )(x)


SHORT = {"epochs": 500, "warmup_epochs": 30}

SPEC = ModelSpec(
    name="clnet",
    build=build_clnet,
    paper="Ji, Li: CLNet: Complex Input Lightweight Neural Network Designed "
    "for Massive MIMO CSI Feedback, IEEE Wireless Communications Letters "
    "10(10), 2021, https://arxiv.org/abs/2102.07507",
    licence="MIT",
    published=rows(
        [-29.16, -15.60, -11.15, -8.95, -6.34],
        [-12.88, -8.29, -5.56, -3.49, -2.19],
    ),
    variants={  # Table II
        "500 epochs": Variant(
            {},
            rows([-28.984, -15.487, -11.217, -8.885, -6.297]),
            SHORT,
        ),
        **{
            name: Variant({"variant": name}, rows(values), SHORT)
            for name, values in {
                "1x1": [-27.694, -15.171, -11.013, -8.525, -6.145],
                "se": [-27.903, -15.167, -11.231, -8.732, -6.201],
                "cbam": [-28.142, -15.321, -10.684, -8.613, -6.086],
            }.items()
        },
    },
)
