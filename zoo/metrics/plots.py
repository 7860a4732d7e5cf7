"""Plots of CSI, errors and training, as PNG."""

from __future__ import annotations

import matplotlib
import numpy as np

from zoo.metrics import accuracy

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402


def save_examples(h: np.ndarray, h_hat: np.ndarray, target) -> None:
    """True over recovered |H|, one column per example.

    Args:
        h: zero-centred truth `[n, N_t, N_a, 2]`.
        h_hat: recovered, same shape.
        target: path or binary file for the PNG.
    """
    count = len(h)
    figure, axes = plt.subplots(
        2, count, figsize=(2.2 * count, 4.4), squeeze=False, layout="constrained"
    )
    errors = accuracy.to_db(accuracy.nmse(h, h_hat))
    for i in range(count):
        magnitudes = [np.abs(accuracy.to_complex(x[i])) for x in (h, h_hat)]
        for row, magnitude in enumerate(magnitudes):
            axes[row, i].imshow(magnitude, vmin=0, vmax=magnitudes[0].max())
        axes[0, i].set_title("true")
        axes[1, i].set_title(f"recovered, {errors[i]:.1f} dB")
        axes[1, i].set_xlabel("delay")
    for row in axes:
        row[0].set_ylabel("angle")
    save(figure, target)


def save_nmse_histogram(ratios: np.ndarray, target) -> None:
    """Histogram of per-sample NMSE in dB with the global value as a line."""
    figure, axis = plt.subplots(figsize=(5, 3.2), layout="constrained")
    axis.hist(accuracy.to_db(ratios), bins=60)
    average = accuracy.to_db(ratios.mean())
    axis.axvline(average, color="black", label=f"global NMSE {average:.2f} dB")
    axis.set_xlabel("per-sample NMSE [dB]")
    axis.set_ylabel("samples")
    axis.legend()
    save(figure, target)


def save_training_curve(records: list[dict], target, reference_db=None) -> None:
    """Training loss and validation NMSE against epochs.

    Args:
        records: lines of metrics.jsonl.
        target: path or binary file for the PNG.
        reference_db: NMSE of the KLT line, drawn dashed.
    """
    epochs = [r["epoch"] for r in records]
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
    loss = np.array([r["loss"] for r in records], float)  # None at epoch 0: NaN
    left.semilogy(epochs, loss)
    left.set_ylabel("training loss (MSE)")
    right.plot(epochs, [r["val_nmse_db"] for r in records], label="validation")
    if reference_db is not None:
        right.axhline(reference_db, color="grey", linestyle="--", label="KLT (linear)")
    right.set_ylabel("NMSE [dB]")
    right.legend()
    for axis in (left, right):
        axis.set_xlabel("epoch")
    save(figure, target)


def save_curves(result: dict, target) -> None:
    """Curves of a reproduced figure, one per series, with the spread over seeds.

    The linear KLT is dashed.

    Args:
        result: see `zoo.reproduce.make`.
        target: path or binary file for the PNG.
    """
    figure, axis = plt.subplots(figsize=(6, 4), layout="constrained")
    for series in dict.fromkeys(e["series"] for e in result["entries"]):
        own = [e for e in result["entries"] if e["series"] == series]
        x = [str(e["x"]) for e in own]
        style = {"color": "grey", "linestyle": "--"} if series == "klt" else {}
        ours = [e["ours"] for e in own]
        (line,) = axis.plot(x, ours, marker="o", label=series, **style)
        for place, e in zip(x, own, strict=True):
            seeds = e["ours_by_seed"]
            axis.plot([place] * len(seeds), seeds, "_", color=line.get_color())
    axis.set_title(result["title"])
    axis.set_xlabel(result["x"])
    axis.set_ylabel(result["unit"])
    axis.legend()
    save(figure, target)


def save(figure, target) -> None:
    """Write a figure as PNG and forget it.

    Args:
        figure: of Matplotlib.
        target: path or binary file.
    """
    figure.savefig(target, format="png", dpi=120)
    plt.close(figure)
