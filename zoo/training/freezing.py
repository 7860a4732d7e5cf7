"""Parts of a network that a training leaves as they are."""

from __future__ import annotations

from zoo.config import ExperimentConfig
from zoo.models.autoencoder import CsiAutoencoder
from zoo.models.dualnet_branches import MAGNITUDE


def trained_part(settings: ExperimentConfig) -> str:
    """What a configuration trains, as of `--train_part`.

    Where the UE was first, the decoder alone; where the network side was, the encoder
    and, beside it, a nominal decoder (`zoo.training.second_side`).
    """
    return "decoder" if settings.collaboration == "ue_first" else settings.train_part


def freeze(model: CsiAutoencoder, train_part: str) -> None:
    """Make the parts that are not trained keep weights and statistics.

    Args:
        model: network.
        train_part: 'all', 'quantizer', 'receiver', 'decoder' for receiver and
            decoder, or 'phase' for all but the branch of the magnitudes.

    Raises:
        ValueError: 'phase' of a network without such a branch.
    """
    if train_part == "phase":
        _freeze_magnitudes(model)
        return
    trained = {"decoder": ("receiver", "decoder")}.get(train_part, (train_part,))
    if train_part == "all":
        return
    for name, part in {**model.parts, "quantizer": model.quantizer}.items():
        if part is not None and name not in trained:
            part.trainable = False


def _freeze_magnitudes(model: CsiAutoencoder) -> None:
    found = [layer for part in model.parts.values() for layer in part.layers]
    frozen = [layer for layer in found if layer.name.startswith(MAGNITUDE)]
    if not frozen:
        raise ValueError(
            "--train_part=phase: the network has no branch of the magnitudes; it is "
            "for --model=dualnet_mp"
        )
    for layer in frozen:
        layer.trainable = False
