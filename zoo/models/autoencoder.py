"""What every model function returns, and how encoder and decoder are joined."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

from zoo.keras_compat import Model, keras, layers


class CsiAutoencoder(NamedTuple):
    """Encoder, decoder and their connection; the three models share weights.

    Attributes:
        encoder: `[batch, N_t, N_a, 2]` in [0, 1] to the codeword `[batch, M]`.
        decoder: codeword `[batch, M]` to `[batch, N_t, N_a, 2]` in [0, 1]. It may have
            a second input: magnitudes of the uplink, which the BS knows,
            `[batch, N_t, N_a, 1]`.
        autoencoder: what `transmit` and `receive` do, float32 output.
        path: layers between encoder and feedback channel, such as a quantiser.
        receiver: codeword to codeword at the BS, before the decoder; may be missing.
        joint: what is trained where that is more than the autoencoder: one output
            `[batch, N_t, N_a, 2]` per rate, all from one encoder.
        supervised: the decoder in training where the paper's loss has further terms:
            codeword and true CSI to the decoder's output and those terms, `[batch]`.
    """

    encoder: Model
    decoder: Model
    autoencoder: Model
    path: tuple = ()
    receiver: Model | None = None
    joint: Model | None = None
    supervised: Model | None = None

    @property
    def trained(self) -> Model:
        """The model that holds all weights of a run."""
        return self.joint or self.autoencoder

    @property
    def quantizer(self):
        """The layer of the path that makes indices of a codeword, or None."""
        return next((x for x in self.path if hasattr(x, "indices")), None)

    @property
    def parts(self) -> dict[str, Model]:
        """The models that transmit and receive, in order."""
        parts = {"encoder": self.encoder, "receiver": self.receiver}
        parts["decoder"] = self.decoder
        return {name: part for name, part in parts.items() if part is not None}

    def transmit(self, csi):
        """CSI `[batch, N_t, N_a, 2]` to what is sent `[batch, M]`, at inference."""
        return in_a_row(self.encoder(csi, training=False), self.path)

    def receive(self, codeword, *uplink):
        """Received codeword `[batch, M]` to `[batch, N_t, N_a, 2]`, at inference.

        Args:
            codeword: what arrived.
            *uplink: its magnitudes, where the decoder takes them.
        """
        if self.receiver is not None:
            codeword = self.receiver(codeword, training=False)
        arrived = list(map(tf.convert_to_tensor, (codeword, *uplink)))
        return self.decoder(alone(arrived), training=False)

    def encode(self, h):
        """Zero-centred CSI `[batch, N_t, N_a, 2]` to the codeword, at inference."""
        return self.encoder(h + 0.5, training=False)

    def recover(self, codeword, *uplink):
        """As `receive`, to zero-centred CSI."""
        return self.receive(codeword, *uplink) - 0.5


def in_a_row(x, calls):
    """Apply functions or layers one after another."""
    return functools.reduce(lambda value, call: call(value), calls, x)


def alone(values: list):
    """The list, or the one value in it: how Keras models take their inputs."""
    return values if len(values) > 1 else values[0]


def connect(
    encoder: Model,
    decoder: Model,
    path: Sequence = (),
    receiver: Model | None = None,
    supervised: Model | None = None,
) -> CsiAutoencoder:
    """Join an encoder and a decoder through the codeword's way.

    Args:
        encoder: model with one codeword output `[batch, M]`.
        decoder: model with one codeword input `[batch, M]`, perhaps one of the uplink.
        path: layers that the codeword passes before it is sent.
        receiver: model from the received codeword to the decoder's, or None.
        supervised: see `CsiAutoencoder`.

    Returns:
        The autoencoder with its parts.
    """
    csi = keras.Input(encoder.input.shape[1:], name="csi")
    uplink = [keras.Input(x.shape[1:], name="uplink") for x in decoder.inputs[1:]]
    behind = [receiver] if receiver is not None else []
    codeword = in_a_row(csi, [encoder, *path, *behind])
    csi_hat = decoder(alone([codeword, *uplink]))
    autoencoder = Model(
        alone([csi, *uplink]), csi_hat, name=f"{encoder.name}_autoencoder"
    )
    return CsiAutoencoder(
        encoder, decoder, autoencoder, tuple(path), receiver, supervised=supervised
    )


def check_sizes(csi_shape, codeword_dim: int) -> tuple[int, int, int]:
    """Validate the two arguments that every model function has.

    Raises:
        ValueError: `csi_shape` is not (N_t, N_a, 2) or `codeword_dim` is not positive.
    """
    shape = tuple(csi_shape)
    if len(shape) != 3 or shape[2] != 2 or min(shape) < 1:
        raise ValueError(
            f"csi_shape is {csi_shape}, expected (N_t, N_a, 2) such as (32, 32, 2)"
        )
    if not isinstance(codeword_dim, int) or codeword_dim < 1:
        raise ValueError(
            f"codeword_dim is {codeword_dim!r}, expected a positive integer such as 512"
        )
    return shape


def check_count(name: str, value) -> None:
    """Refuse an option that is not a positive number of something.

    Raises:
        ValueError: it is not.
    """
    if not isinstance(value, int) or value < 1:
        raise ValueError(f"{name} is {value!r}, expected a positive integer")


def csi_input(csi_shape, name: str = "csi"):
    """Encoder input `[batch, N_t, N_a, 2]`, float32 in [0, 1]."""
    return keras.Input(shape=tuple(csi_shape), name=name)


def codeword_input(codeword_dim: int):
    """Decoder input `[batch, M]`, float32."""
    return keras.Input(shape=(codeword_dim,), name="codeword")


def csi_output(x, name: str = "csi_hat"):
    """Final sigmoid, in float32: half floats lose CSI with a std of 0.02 around 0.5."""
    return layers.Activation("sigmoid", dtype="float32", name=name)(x)


def flat_size(csi_shape) -> int:
    """Number of real values of one CSI matrix, 2 N_t N_a."""
    return math.prod(csi_shape)
