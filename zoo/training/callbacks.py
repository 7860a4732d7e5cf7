"""What a user sees of a training run: progress with ETA, and TensorBoard."""

from __future__ import annotations

import io
import sys
import time
from pathlib import Path

import numpy as np
import tensorflow as tf

from zoo.metrics import plots


def format_seconds(seconds: float) -> str:
    """Compact duration: 42s, 3m07s, 2h05m."""
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds}s"
    if seconds < 3600:
        return f"{seconds // 60}m{seconds % 60:02d}s"
    return f"{seconds // 3600}h{seconds % 3600 // 60:02d}m"


class Progress:
    """One line per epoch, and on a terminal a live line within it.

    Args:
        epochs: total epochs.
        steps_per_epoch: steps of each.
        start_epoch: epochs done before this process started.
        stream: where to print.
    """

    def __init__(self, epochs, steps_per_epoch, start_epoch=0, stream=sys.stdout):
        self.epochs, self.steps_per_epoch = epochs, steps_per_epoch
        self.total = epochs * steps_per_epoch
        self.stream = stream
        self.live = stream.isatty()
        self.interval = 0.5 if self.live else 30.0
        self.start = self.last = time.monotonic()
        self.start_step = start_epoch * steps_per_epoch

    def eta(self, step: int) -> str:
        """Expected time to the end after `step` steps of the whole run."""
        done = step - self.start_step
        if done <= 0:
            return "?"
        elapsed = time.monotonic() - self.start
        return format_seconds(elapsed / done * (self.total - step))

    def on_step(self, epoch: int, step: int, loss: float) -> None:
        """Report within an epoch (at most every half second; 30 s without terminal)."""
        now = time.monotonic()
        if now - self.last < self.interval:
            return
        self.last = now
        overall = epoch * self.steps_per_epoch + step
        text = (
            f"epoch {epoch + 1}/{self.epochs} step {step}/{self.steps_per_epoch} "
            f"loss {loss:.3e} ETA {self.eta(overall)}"
        )
        end = "\r" if self.live else "\n"
        print(f"\x1b[2K{text}" if self.live else text, end=end, file=self.stream)
        self.stream.flush()

    def on_epoch(self, record: dict) -> None:
        """Report a finished epoch from its metrics record."""
        self.last = time.monotonic()
        epoch = record["epoch"]
        start = "\x1b[2K" if self.live else ""
        print(
            f"{start}epoch {epoch}/{self.epochs} loss {record['loss']:.3e} "
            f"val NMSE {record['val_nmse_db']:.2f} dB{' *' * record['best']} "
            f"lr {record['lr']:.1e} {record['samples_per_s']:.0f} samples/s "
            f"ETA {self.eta(epoch * self.steps_per_epoch)}",
            file=self.stream,
            flush=True,
        )


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
            for name in ("loss", "val_nmse_db", "lr", "samples_per_s"):
                tf.summary.scalar(name, record[name])
            if self.image_every and epoch % self.image_every == 0:
                buffer = io.BytesIO()
                plots.save_examples(h[:4], h_hat[:4], buffer)
                image = tf.io.decode_png(buffer.getvalue(), channels=4)
                tf.summary.image("true and recovered |H|", image[None])
        self.writer.flush()
