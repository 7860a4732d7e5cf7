"""What a user sees of a training run: progress with ETA, and TensorBoard."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import tensorflow as tf

from tfds_builders import progress
from zoo.metrics import metrics_file, plots

SCALARS = ("loss", "val_loss", "val_nmse_db", "val_sgcs", "lr", "samples_per_s")


class Progress:
    """One line per epoch on standard output, and progress within it.

    Args:
        epochs: total epochs.
        steps_per_epoch: steps of each.
        start_epoch: epochs done before this process started.
    """

    def __init__(self, epochs: int, steps_per_epoch: int, start_epoch: int = 0):
        self.epochs, self._warned = epochs, False
        done = start_epoch * steps_per_epoch
        self._bar = progress.bar(epochs * steps_per_epoch, "training", " steps", done)

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *error) -> None:
        self._bar.close()

    def on_step(self, epoch: int, loss: float) -> None:
        """Count a step of the epoch with this number, from 0 on."""
        self._bar.set_description_str(f"epoch {epoch + 1}/{self.epochs}", False)
        self._bar.set_postfix_str(f"loss {loss:.3e}", False)
        self._bar.update()

    def on_epoch(self, record: dict) -> None:
        """Report a finished epoch from its metrics record."""
        state = self._bar.format_dict
        done, left = state["n"] - state["initial"], state["total"] - state["n"]
        seconds = state["elapsed"] / max(1, done) * left
        progress.say(
            f"epoch {record['epoch']}/{self.epochs} loss {record['loss']:.3e} "
            f"val {metrics_file.reached(record)}{' *' * record['best']} "
            f"lr {record['lr']:.1e} {record['samples_per_s']:.0f} samples/s "
            f"ETA {self._bar.format_interval(seconds)}"
        )
        self._bar.last_print_t = self._bar.start_t + state["elapsed"]  # that was a line

    def warn(self, text: str) -> None:
        """Print a warning, if there is one and it is the first."""
        if text and not self._warned:
            progress.say(text)
            self._warned = True


class TensorBoard:
    """Scalars of each epoch and images of true and recovered |H|.

    Args:
        directory: event files go here.
        image_every: epochs between images; 0 for none.
    """

    def __init__(self, directory: Path, image_every: int):
        self.writer = tf.summary.create_file_writer(str(directory))
        self.image_every = image_every

    def on_epoch(self, record: dict, h: np.ndarray, h_hat: np.ndarray) -> None:
        """Write one epoch; `h`, `h_hat` are `[n, N_t, N_a, 2]` zero-centred."""
        epoch = record["epoch"]
        with self.writer.as_default(step=epoch):
            for name in SCALARS:
                if record.get(name) is not None:
                    tf.summary.scalar(name, record[name])
            if self.image_every and epoch % self.image_every == 0:
                buffer = io.BytesIO()
                plots.save_examples(h[:4], h_hat[:4], buffer)
                image = tf.io.decode_png(buffer.getvalue(), channels=4)
                tf.summary.image("true and recovered |H|", image[None])
        self.writer.flush()
