"""Prune or cluster an encoder's large kernels with TF-MOT, in a process of its own.

TF-MOT takes only tf_keras models, so this runs with TF_USE_LEGACY_KERAS=1 set before
TensorFlow is imported; `python -m zoo.export --precision=pruned,clustered` does that.
By hand:

    TF_USE_LEGACY_KERAS=1 python -m zoo.quantization.compression --run=DIR \
        --method=pruned --out=pruned.weights.h5
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from absl import flags

from tfds_builders import cli
from zoo import config_flags, files, registry
from zoo.data import splits
from zoo.keras_compat import LEGACY, Model, keras, layers
from zoo.models.autoencoder import CsiAutoencoder, connect
from zoo.quantization.precisions import check_strength
from zoo.run_directory import RunDirectory
from zoo.training import losses

METHODS = ("pruned", "clustered")
LARGE = 4096  # weights of a kernel that is worth it
BATCH = 100


def large_layers(encoder: Model) -> list:
    """Dense layers with a large kernel: those that can be pruned or clustered."""
    return [
        layer
        for layer in encoder.layers
        if type(layer) is layers.Dense and np.prod(layer.kernel.shape) >= LARGE
    ]


def compress(
    model: CsiAutoencoder,
    train: splits.Split,
    method: str,
    strength: float,
    epochs: int,
    lr: float,
) -> list[list[np.ndarray]]:
    """Compress the encoder's large kernels and fine-tune it in its autoencoder.

    The decoder with its receiver and all batch norms keep what they are; the codeword
    quantiser is in the loop.

    Args:
        model: trained network on tf_keras; of no use afterwards.
        train: 100 CSI or more to train on, and the loss.
        method: 'pruned' or 'clustered'.
        strength: share of zeros, or number of different values.
        epochs: passes over them.
        lr: learning rate of Adam.

    Returns:
        The weights of each layer of the encoder, in order.

    Raises:
        ValueError: no large kernel, or fewer samples than one batch.
    """
    if len(train.csi) < BATCH:
        raise ValueError(
            f"{len(train.csi)} samples to fine-tune on: expected {BATCH} or more "
            "(--qat_samples)"
        )
    large = large_layers(model.encoder)
    if not large:
        raise ValueError(
            f"{model.encoder.name} has no dense kernel of {LARGE} or more weights: "
            "nothing to prune or cluster; export it without pruned and clustered"
        )
    wrap, strip, callbacks = _method(method, strength)
    encoder = keras.models.clone_model(
        model.encoder, clone_function=lambda x: wrap(x) if x in large else x
    )
    model.decoder.trainable = False
    if model.receiver is not None:
        model.receiver.trainable = False
    for layer in (*model.path, *encoder.layers):
        if isinstance(layer, layers.BatchNormalization) or layer in model.path:
            layer.trainable = False
    whole = connect(encoder, model.decoder, model.path, model.receiver).autoencoder
    whole.compile(keras.optimizers.Adam(lr), losses.LOSSES[train.loss])
    pairs = train.csi, train.csi_clean
    whole.fit(*pairs, BATCH, epochs, verbose=2, callbacks=callbacks)
    return [_weights(layer) for layer in strip(encoder).layers]


def _weights(layer) -> list[np.ndarray]:
    """Weights of a layer; TF-MOT leaves more than those in a clustered one."""
    if type(layer) is layers.Dense:
        return [np.array(x) for x in (layer.kernel, layer.bias) if x is not None]
    return layer.get_weights()


def _method(method: str, strength: float):
    """How TF-MOT wraps a layer, unwraps a model, and what it does at every step."""
    import tensorflow_model_optimization as tfmot

    if method == "pruned":
        sparsity = tfmot.sparsity.keras
        schedule = sparsity.ConstantSparsity(strength, begin_step=0, frequency=1)
        return (
            lambda layer: sparsity.prune_low_magnitude(layer, schedule),
            sparsity.strip_pruning,
            [sparsity.UpdatePruningStep()],
        )
    clustering = tfmot.clustering.keras
    start = clustering.CentroidInitialization.KMEANS_PLUS_PLUS
    return (
        lambda layer: clustering.cluster_weights(layer, int(strength), start),
        clustering.strip_clustering,
        [],
    )


def main(argv: list[str]) -> None:
    """Command line."""
    values = flags.FLAGS
    cli.refuse_arguments(argv)
    if not LEGACY:
        raise ValueError("TF-MOT needs tf_keras: set TF_USE_LEGACY_KERAS=1 before")
    check_strength(values.sparsity, values.clusters)
    own = config_flags.own()
    registry.check_run(Path(values.run), **own)
    run = RunDirectory(Path(values.run), **own)
    settings = run.config()
    if registry.get(settings.model).takes_uplink:
        raise ValueError(f"--model={settings.model}: a decoder with uplink stays as is")
    train = splits.load_fine_tuning(settings, values.samples)
    model, target = (run.load(train.csi.shape[1:]) for _ in range(2))
    strength = values.sparsity if values.method == "pruned" else values.clusters
    tuning = values.epochs, values.lr
    weights = compress(model, train, values.method, strength, *tuning)
    for layer, arrays in zip(target.encoder.layers, weights, strict=True):
        layer.set_weights(arrays)
    with files.atomic_path(values.out) as temporary:
        target.encoder.save_weights(temporary)


def define_flags() -> None:
    """Flags of this command."""
    flags.DEFINE_string("run", "", "run directory of a training")
    config_flags.define_own()
    flags.DEFINE_string("out", "encoder.weights.h5", "the encoder's weights")
    flags.DEFINE_enum("method", "pruned", METHODS, "what to do")
    flags.DEFINE_float("sparsity", 0.5, "pruned: share of zeros in a large kernel")
    flags.DEFINE_integer("clusters", 16, "clustered: values in a large kernel")
    flags.DEFINE_integer("samples", 10_000, "training CSI; 0: all")
    flags.DEFINE_integer("epochs", 3, "passes over them")
    flags.DEFINE_float("lr", 1e-4, "learning rate of Adam")


if __name__ == "__main__":
    define_flags()
    cli.run(main)
