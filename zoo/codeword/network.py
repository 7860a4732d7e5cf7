"""The network of a configuration with its codeword path."""

from __future__ import annotations

from zoo import registry
from zoo.codeword import channel_noise
from zoo.codeword.codeword_path import make_quantizer
from zoo.config import ExperimentConfig
from zoo.config_checks import parse_object
from zoo.layers.quantizers import normalise
from zoo.models.autoencoder import CsiAutoencoder, connect
from zoo.models.receivers import RECEIVERS


def build_autoencoder(config: ExperimentConfig, csi_shape) -> CsiAutoencoder:
    """Network of a configuration with its codeword path.

    Args:
        config: model, model_args, codeword_dim, quantizer, quantizer_args,
            bits, normaliser and receiver apply.
        csi_shape: (N_t, N_a, 2).

    Returns:
        The network; with a quantiser its encoder ends in the codeword normaliser.

    Raises:
        ValueError: the network refuses an option, or trains several rates at once and
            has no codeword path.
    """
    args = parse_object("model_args", config.model_args)
    parts = registry.build(config.model, csi_shape, config.codeword_dim, args)
    plain = config.quantizer == "none" and config.receiver == "none"
    if parts.joint is not None and (not plain or channel_noise.is_noisy(config)):
        raise ValueError(
            f"--model={config.model} trains several rates at once: without "
            "--quantizer, --receiver and --feedback_snr_db"
        )
    if plain:
        return parts
    if parts.path and config.quantizer != "none":
        raise ValueError(
            f"--model={config.model} rounds and codes its codeword itself: without "
            "--quantizer"
        )
    encoder, path, receiver = parts.encoder, list(parts.path), None
    if config.quantizer != "none":
        if config.normaliser == "tanh":
            encoder = normalise(encoder)
        own = parse_object("quantizer_args", config.quantizer_args)
        path.append(make_quantizer(config.quantizer, config.bits, own))
    if config.receiver != "none":
        receiver = RECEIVERS[config.receiver].build(parts.encoder.output.shape[-1])
    return connect(encoder, parts.decoder, path, receiver, parts.supervised)
