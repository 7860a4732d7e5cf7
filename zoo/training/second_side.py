"""Training of one side alone, from what the other one has handed over (Type 3).

The UE's side, where the network side was first: its encoder is to say the codewords of
the file. What it says before the quantiser is pulled to the point that the code bits
stand for, entry by entry in the mean square. The network's decoder is not there, so a
*nominal* one of the UE's own is fitted to the same pairs of codeword and CSI beside it:
it takes no part in the encoder's gradient, and the epoch that is kept is that with the
least error of the CSI through encoder, bits and nominal decoder.

The network's side, where the UE was first: its decoder is trained on the codewords of
the file as they are; the encoder of the run is never trained.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from zoo.data import splits
from zoo.data.batches import in_batches
from zoo.data.exchange import Exchange
from zoo.metrics import accuracy
from zoo.models.autoencoder import CsiAutoencoder
from zoo.training import losses
from zoo.training.trainer import Trainer


class EncoderTrainer(Trainer):
    """Trainer of an encoder for the decoder of the other side."""

    def _losses(self, csi, codeword, *, draw):
        del draw
        said = tf.cast(self._link.encode(csi), codeword.dtype)
        mismatch = losses.mean_square(codeword, said)
        csi_hat, penalty = self._link.decode(self._link.repair(codeword), csi)
        return mismatch + self._distance(csi, csi_hat) + penalty


class DecoderTrainer(Trainer):
    """Trainer of a decoder for the encoders of the other side."""

    def _losses(self, csi, codeword, *, draw):
        del draw
        csi_hat, penalty = self._link.decode(self._link.repair(codeword), csi)
        return self._distance(csi, csi_hat) + penalty

    def validate(self, split: splits.Split) -> tuple[float, np.ndarray]:
        """Error in dB of what the file's codewords become, and the recovered CSI."""
        csi_hat = in_batches(self.receive, split.codeword)
        h_hat = accuracy.frames(csi_hat) - np.float32(0.5)
        return split.error_db(h_hat), h_hat


TRAINERS = {"joint": Trainer, "nw_first": EncoderTrainer, "ue_first": DecoderTrainer}


def check(model: CsiAutoencoder, files: list[Exchange]) -> None:
    """Refuse files whose points are not those of their quantiser.

    Args:
        model: network with that quantiser.
        files: of the other side.

    Raises:
        ValueError: they are others.
    """
    for file in files:
        ours = np.asarray(model.quantizer.dequantize(np.arange(len(file.points))))
        if not np.allclose(ours, file.points, atol=1e-6):
            raise ValueError(
                f"{file.path}: points from {file.points[0]:g} to {file.points[-1]:g}, "
                f"expected those of --quantizer={file.header['settings']['quantizer']},"
                f" {ours[0]:g} to {ours[-1]:g}"
            )
