"""The features of CSI data sets."""

from __future__ import annotations

import numpy as np
import tensorflow_datasets as tfds

from tfds_builders.csi_examples import FREQUENCY_KEPT


def csi_features(
    uplink: bool = False, num_subbands: int = 0
) -> tfds.features.FeaturesDict:
    """Features of one example.

    `csi` float32 `[32 angle, 32 delay, 2]` in [0, 1], 0.5 is zero; `scale` float32, the
    channel is (csi - 0.5) / scale; `csi_freq` float32 `[32 angle, 125 subcarriers, 2]`
    zero-centred, times `scale`, in the test split (every split has the same features:
    no rows elsewhere).

    Args:
      uplink: add `csi_uplink` and `scale_uplink`, the same of the uplink carrier.
      num_subbands: add `eigenvectors` float32 `[num_subbands, 32 ports, 2]`; 0: none.
    """
    features = {
        "csi": _tensor(32, 32, 2),
        "scale": np.float32,
        "csi_freq": _tensor(None, FREQUENCY_KEPT, 2),
    }
    if uplink:
        features |= {"csi_uplink": _tensor(32, 32, 2), "scale_uplink": np.float32}
    if num_subbands:
        features["eigenvectors"] = _tensor(num_subbands, 32, 2)
    return tfds.features.FeaturesDict(features)


def sequence_features(num_times: int) -> tfds.features.FeaturesDict:
    """Features of a moving UE: `csi` float32 `[num_times, 32, 32, 2]`, one `scale`."""
    return tfds.features.FeaturesDict(
        {"csi": _tensor(num_times, 32, 32, 2), "scale": np.float32}
    )


def _tensor(*shape: int | None) -> tfds.features.Tensor:
    return tfds.features.Tensor(shape=shape, dtype=np.float32, encoding="bytes")
