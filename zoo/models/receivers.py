"""Networks at the base station that repair the received codeword before the decoder."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from zoo.keras_compat import Model, keras, layers, leaky_relu
from zoo.models.autoencoder import codeword_input

WIDEST = 1024
SLOPE = 0.3
SIGMOID_GAIN = 4  # 1 / slope of the sigmoid: a signal keeps its size through layers


def build_dnnnet(codeword_dim: int) -> Model:
    """DNNNet: the noise on a codeword is estimated and subtracted.

    Ye, Gao, Qian, Wang, Li, "Deep Learning based Denoise Network for CSI Feedback in
    FDD Massive MIMO Systems", IEEE Communications Letters 24(8), 2020 (there: DNNet)::

        s + n -+- FC sigmoid - ... - FC 1024 sigmoid - ... - FC M -+
               +---------------------------------------------------+ - : s_hat

    Widths double from M to 1024 and halve again, as in the code of the authors of
    CLLWCsiNet: 1,050,112 / 1,313,024 / 1,378,944 / 1,399,680 parameters at M = 512 /
    256 / 128 / 64.

    Args:
        codeword_dim: codeword length M.

    Returns:
        Received codeword `[batch, M]` to its estimate `[batch, M]`, float32.

    Deviations: the noise is subtracted (that code has the opposite sign), its estimate
    is linear and zero at first. No sparsity penalty: its weight is not published.
    Hidden weights start four times Glorot's, the gain that a sigmoid needs. With one
    hidden layer (M = 512) it learns at once; the deep ones need patience: in 300 steps
    on synthetic codewords nine layers had learnt nothing.
    """
    rising = [codeword_dim] if codeword_dim == 64 else []  # as published
    width = 2 * codeword_dim
    while width < WIDEST:
        rising.append(width)
        width *= 2
    falling = [w for w in reversed(rising) if w > codeword_dim]
    received = codeword_input(codeword_dim)
    noise = received
    for i, units in enumerate([*rising, WIDEST, *falling]):
        noise = layers.Dense(
            units,
            activation="sigmoid",
            kernel_initializer=keras.initializers.VarianceScaling(
                SIGMOID_GAIN**2, "fan_avg", "uniform"
            ),
            name=f"noise{i + 1}",
        )(noise)
    noise = _zero_dense(noise, codeword_dim, "noise")
    estimate = layers.Subtract(dtype="float32", name="denoised")([received, noise])
    return Model(received, estimate, name="dnnnet")


def build_offset(codeword_dim: int) -> Model:
    """Offset network of CsiNet+: corrects the error of quantisation.

    Guo, Wen, Jin, Li, "Convolutional Neural Network-Based Multiple-Rate Compressive
    Sensing for Massive MIMO CSI Feedback", IEEE Transactions on Wireless Communications
    19(4), 2020, https://arxiv.org/abs/1906.06007::

        z_hat -+- FC M - LReLU - FC M - LReLU - FC M - LReLU -+
               +----------------------------------------------+ +

    3 (M^2 + M) parameters, 787,968 at M = 512.

    Args:
        codeword_dim: codeword length M.

    Returns:
        Dequantised codeword `[batch, M]` to its estimate `[batch, M]`, float32.

    Deviations: the last layer starts at zero, so that training starts at the identity.
    """
    received = codeword_input(codeword_dim)
    x = received
    for i in range(2):
        x = leaky_relu(SLOPE)(layers.Dense(codeword_dim, name=f"offset{i + 1}")(x))
    x = leaky_relu(SLOPE)(_zero_dense(x, codeword_dim, "offset3"))
    estimate = layers.Add(dtype="float32", name="corrected")([received, x])
    return Model(received, estimate, name="offset")


def _zero_dense(x, units: int, name: str):
    return layers.Dense(units, kernel_initializer="zeros", name=name)(x)


class Receiver(NamedTuple):
    """A network of the base station, by the codeword length, and its source."""

    build: Callable[[int], Model]
    paper: str


RECEIVERS = {
    "dnnnet": Receiver(
        build_dnnnet,
        "Ye, Gao, Qian, Wang, Li: Deep Learning based Denoise Network for CSI Feedback "
        "in FDD Massive MIMO Systems, IEEE Communications Letters 24(8), 2020",
    ),
    "offset": Receiver(
        build_offset,
        "Guo, Wen, Jin, Li: Convolutional Neural Network-Based Multiple-Rate "
        "Compressive Sensing for Massive MIMO CSI Feedback, IEEE Transactions on "
        "Wireless Communications 19(4), 2020, https://arxiv.org/abs/1906.06007",
    ),
}
