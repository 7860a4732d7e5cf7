"""The only module that imports Keras: Keras 3 by default, tf_keras on request.

`TF_USE_LEGACY_KERAS=1`, set before TensorFlow is imported, selects `tf_keras`, which
TF-MOT needs. Network and layer files import everything from here and use only what
both versions have. What a user's `keras.json` or environment would change of a network
is set here, once.
"""

from __future__ import annotations

import os

from tfds_builders import environment

environment.check()
for _name in environment.OF_KERAS:
    os.environ.pop(_name, None)
# The values that TensorFlow itself takes for a yes.
LEGACY = os.environ.get("TF_USE_LEGACY_KERAS") in ("1", "true", "True")

if LEGACY:
    import tf_keras as keras
else:
    os.environ["KERAS_BACKEND"] = "tensorflow"
    import keras

    if keras.backend.backend() != "tensorflow":
        raise ImportError(
            f"keras was imported with the backend {keras.backend.backend()} before: "
            "import zoo first, its networks are TensorFlow's"
        )

keras.backend.set_image_data_format("channels_last")
keras.backend.set_floatx("float32")
keras.backend.set_epsilon(1e-7)
keras.mixed_precision.set_global_policy("float32")
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
