"""The features of CSI data sets."""

from __future__ import annotations

import numpy as np
import tensorflow_datasets as tfds

from tfds_builders.csi_examples import FREQUENCY_KEPT


def csi_features(
    uplink: bool = False,
    modes: tuple[int, int] | None = None,
    shape: tuple[int, int] = (32, 32),
    kept: int = FREQUENCY_KEPT,
) -> tfds.features.FeaturesDict:
    """Features of one example.

    `csi` float32 `[angle, delay, 2]` in [0, 1], 0.5 is zero; `scale` float32, the
    channel is (csi - 0.5) / scale; `csi_freq` float32 `[angle, subcarriers, 2]`
    zero-centred, times `scale`, in the test split (every split has the same features:
    no rows elsewhere).

    Args:
      uplink: add `csi_uplink` and `scale_uplink`, the same of the uplink carrier, and
        `energy` float32 `[1]`, that of all subcarriers times `scale`^2, in the test
        split.
      modes: subbands and layers; add `eigenvectors` float32 `[subbands, ports, layers,
        2]` and `eigenvalues` float32 `[subbands, layers]`; None: none.
      shape: angles and delays.
      kept: subcarriers of `csi_freq`.
    """
    features = {
        "csi": _tensor(*shape, 2),
        "scale": np.float32,
        "csi_freq": _tensor(None, kept, 2),
    }
    if uplink:
        features |= {"csi_uplink": _tensor(*shape, 2), "scale_uplink": np.float32}
        features["energy"] = _tensor(None)
    if modes is not None:
        num_subbands, layers = modes
        features["eigenvectors"] = _tensor(num_subbands, shape[0], layers, 2)
        features["eigenvalues"] = _tensor(num_subbands, layers)
    return tfds.features.FeaturesDict(features)


def sequence_features(
    num_times: int, num_angle: int = 32, num_delay: int = 32
) -> tfds.features.FeaturesDict:
    """Features of a moving UE: `csi` float32 `[time, angle, delay, 2]`, one `scale`."""
    csi = _tensor(num_times, num_angle, num_delay, 2)
    return tfds.features.FeaturesDict({"csi": csi, "scale": np.float32})


def _tensor(*shape: int | None) -> tfds.features.Tensor:
    return tfds.features.Tensor(shape=shape, dtype=np.float32, encoding="bytes")
