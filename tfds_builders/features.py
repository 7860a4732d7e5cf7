"""The features that every CSI data set has."""

from __future__ import annotations

import numpy as np
import tensorflow_datasets as tfds


def csi_features() -> tfds.features.FeaturesDict:
    """Features of one example.

    `csi` float32 `[32 angle, 32 delay, 2]` in [0, 1], 0.5 is zero; `scale` float32, the
    channel is (csi - 0.5) / scale; `csi_freq` float32 `[32 angle, 125 subcarriers, 2]`
    zero-centred, times `scale`, in the test split (every split has the same features:
    no rows elsewhere).
    """

    def tensor(*shape):
        return tfds.features.Tensor(shape=shape, dtype=np.float32, encoding="bytes")

    return tfds.features.FeaturesDict(
        {
            "csi": tensor(32, 32, 2),
            "scale": np.float32,
            "csi_freq": tensor(None, 125, 2),
        }
    )
