"""The only module that imports Keras: Keras 3 by default, tf_keras on request.

`TF_USE_LEGACY_KERAS=1`, set before TensorFlow is imported, selects `tf_keras`, which
TF-MOT needs. Network and layer files import everything from here and use only what
both versions have.
"""

from __future__ import annotations

import os

LEGACY = os.environ.get("TF_USE_LEGACY_KERAS") == "1"

if LEGACY:
    import tf_keras as keras
else:
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    import keras

layers = keras.layers
Model = keras.Model

PYTORCH_BN = {"momentum": 0.9, "epsilon": 1e-5}
KERAS_BN = {"momentum": 0.99, "epsilon": 1e-3}


def leaky_relu(negative_slope: float, name: str | None = None):
    """LeakyReLU layer; Keras 3 and tf_keras name the slope differently."""
    slope = {"alpha" if LEGACY else "negative_slope": negative_slope}
    return layers.LeakyReLU(name=name, **slope)


def set_precision(policy: str) -> None:
    """Set the global precision policy.

    Args:
        policy: 'float32', 'mixed_float16' or 'mixed_bfloat16'.
    """
    keras.mixed_precision.set_global_policy(policy)
