"""Networks by name: which there are, one of them built, one's own beside them."""

from __future__ import annotations

import fnmatch
from typing import TYPE_CHECKING, Any

from zoo import registry
from zoo.importing import weights_by_name

if TYPE_CHECKING:
    from zoo.models.autoencoder import CsiAutoencoder
    from zoo.models.spec import ModelSpec


def list_models(pattern: str = "*", pretrained: bool | None = None) -> list[str]:
    """Names of the networks, one's own included, without TensorFlow.

    Args:
        pattern: with `*` and `?`, such as '*ista*'.
        pretrained: True: those with weights that come with the zoo; False: the others.
    """
    trained = {card["model"] for card in weights_by_name.cards()}
    return [
        name
        for name in [*registry.MODELS, *registry.own()]
        if fnmatch.fnmatch(name, pattern) and pretrained in (None, name in trained)
    ]


def create(
    name: str,
    csi_shape: tuple[int, ...] = (32, 32, 2),
    codeword_dim: int = 512,
    **options: Any,
) -> CsiAutoencoder:
    """Build a network with fresh weights.

    Args:
        name: of the registry, or the user's own: './my_net.py:SPEC'.
        csi_shape: (N_t, N_a, 2); of networks for sequences (T, N_t, N_a, 2).
        codeword_dim: codeword length M.
        **options: the paper's, such as `head="3x3"`; `python -m zoo info NAME`.

    Returns:
        Keras models `encoder`, `decoder` and `autoencoder` that share weights: CSI
        `[n, N_t, N_a, 2]` float32 around 0.5 to codeword `[n, M]`, and back.

    Raises:
        ValueError: unknown network or option, or a size that it does not have.
    """
    registry.admit(name)
    return registry.build(name, csi_shape, codeword_dim, options)


def register(spec: ModelSpec) -> ModelSpec:
    """Give this process a network of the user's own, under `spec.name`.

    Args:
        spec: name and model function; see `zoo.models.spec`.

    Raises:
        ValueError: no ModelSpec, or a name that is taken or not lower_snake.
    """
    return registry.register(spec)
