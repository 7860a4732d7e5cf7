"""The way of a training batch through a network, part by part."""

from __future__ import annotations

import functools

import tensorflow as tf

from zoo.data import estimation_noise
from zoo.keras_compat import Model
from zoo.layers.entropy_model import EntropyBottleneck
from zoo.models.autoencoder import CsiAutoencoder, alone, in_a_row
from zoo.training.fused import FusedNetwork

KEY = 0xB0771E  # keeps the bottleneck's random numbers apart from all others


class Link:
    """Training-mode forward pass of a network, part by part.

    Args:
        model: network made by `connect`; parts that are not trainable are evaluated at
            inference.
        fused: evaluate the trainable parts by FusedNetwork.

    Attributes:
        encode: CSI `[batch, N_t, N_a, 2]` float32 to codeword `[batch, M]`.
        repair: received codeword to the decoder's.
        decode: codeword, true CSI and, where the decoder takes it, the uplink to CSI
            and what adds to each example's loss.
        joint: of a network that trains several rates: CSI to the CSI of every rate.
    """

    def __init__(self, model: CsiAutoencoder, fused: bool):
        def training(part):
            if part.trainable and fused and len(part.inputs) == 1:
                return FusedNetwork(part)
            return functools.partial(part, training=part.trainable)

        self.encode = training(model.encoder)
        self._path = model.path
        receiver = [] if model.receiver is None else [training(model.receiver)]
        self.repair = functools.partial(in_a_row, calls=receiver)
        if model.supervised is not None:
            supervised = training(model.supervised)
            self.decode = lambda codeword, csi: supervised([codeword, csi])
        else:
            decoder = training(model.decoder)
            self.decode = lambda codeword, csi, *uplink: (
                decoder(alone([codeword, *uplink])),
                0.0,
            )
        if model.joint is not None:
            nested = [part for part in model.joint.layers if isinstance(part, Model)]
            encode, *decoders = map(training, nested)
            self.joint = lambda csi: [
                decode(z) for decode, z in zip(decoders, encode(csi), strict=True)
            ]

    def send(self, codeword, seed: int, draw: tf.Tensor):
        """What the quantiser, or the entropy bottleneck, makes of a codeword.

        Args:
            codeword: `[batch, M]`.
            seed: together with `draw` it fixes the bottleneck's noise.
            draw: int64 scalar, another for each step and replica.

        Returns:
            `[batch, M]`, and the rate that adds to each example's loss.
        """
        rate = 0.0
        for layer in self._path:
            if isinstance(layer, EntropyBottleneck):
                key = estimation_noise.key(KEY, seed, draw)
                unit = tf.random.stateless_uniform(tf.shape(codeword), key, -0.5, 0.5)
                codeword, rate = layer.with_noise(codeword, unit)
            else:
                codeword = layer(codeword, training=True)
        return codeword, rate
