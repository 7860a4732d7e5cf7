"""CRNet trained by PyTorch alone: the other side of `benchmarks.torch_curve`.

    python -m benchmarks.torch_train RUN DATA.npz

Written from the paper (Lu, Wang, Song, ICC 2020). Of the zoo it takes file formats and
nothing else: start, order, schedule, Adam, choice of the best epoch and NMSE are its
own. RUN/config.json holds the settings, named as flags of zoo.train, DATA.npz the CSI
`train`, `validation` and `test`. RUN/evaluation.json gets the curve and the test NMSE;
a run that was killed starts again.
"""

from __future__ import annotations

import copy
import math
import time
from pathlib import Path

import numpy as np
import torch
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.torch_networks import crnet
from tfds_builders import cli
from zoo import files

EVALUATED_AT_ONCE = 500
SPLITS = ("train", "validation", "test")


def learning_rate(
    update: int, updates: int, warm_up: float, highest: float, lowest: float
) -> float:
    """Rate of an update, the first being number 0: linear, then half a cosine (eq. 5).

    Args:
        update: its number.
        updates: T, of the whole training.
        warm_up: T_w, in updates.
        highest: rate at the end of the warm-up.
        lowest: rate at the end.
    """
    if update < warm_up:
        return highest * update / warm_up
    phase = math.pi * (update - warm_up) / (updates - warm_up)
    return lowest + 0.5 * (highest - lowest) * (1 + math.cos(phase))


@torch.no_grad()
def nmse_db(model: torch.nn.Module, csi: torch.Tensor) -> float:
    """10 log10 of the mean over samples of ||H - H_hat||^2 / ||H||^2.

    Args:
        model: autoencoder, left in inference mode.
        csi: float32 `[n, 2, N_t, N_a]` in [0, 1]; H is this less 0.5.
    """
    model.eval()
    ratios = []
    for part in csi.split(EVALUATED_AT_ONCE):
        error = (model(part).double() - part).square().sum((1, 2, 3))
        ratios.append(error / (part.double() - 0.5).square().sum((1, 2, 3)))
    return 10 * math.log10(torch.cat(ratios).mean().item())


def train_epoch(model, batches, optimizer, schedule) -> float:
    """Update the weights with every batch once; returns the mean loss.

    Raises:
        ValueError: the loss is no longer finite.
    """
    model.train()
    losses = []
    for (csi,) in batches:
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(model(csi), csi)
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    mean = sum(losses) / len(losses)
    if not math.isfinite(mean):
        raise ValueError(f"PyTorch: the loss became {mean}; lower --lr")
    return mean


def network(settings: dict) -> torch.nn.Module:
    """CRNet with random weights; `scales` sets batch norms of the decoder apart."""
    torch.manual_seed(settings["seed"])
    model = crnet(settings["codeword_dim"])
    for name, scale in settings["scales"].items():
        batch_norm = model.decoder.get_submodule(name.replace("_", ".")).bn
        torch.nn.init.constant_(batch_norm.weight, scale)
    return model


def optimiser(settings: dict, model: torch.nn.Module, steps: int):
    """Adam and its learning-rate schedule over epochs of `steps` updates."""
    updates, warm_up = (steps * settings[k] for k in ("epochs", "warmup_epochs"))
    highest, lowest = settings["lr"], settings["lr_min"]
    adam = torch.optim.Adam(model.parameters(), lr=1.0, eps=settings["adam_epsilon"])
    return adam, LambdaLR(
        adam, lambda t: learning_rate(t, updates, warm_up, highest, lowest)
    )


def train(settings: dict, splits: dict[str, torch.Tensor]) -> dict:
    """Train CRNet and choose the epoch that is best on the validation split.

    Args:
        settings: codeword_dim, epochs, batch_size, lr, lr_min, warmup_epochs,
            adam_epsilon, seed, and scales (of batch norms, by name) apply.
        splits: float32 `[n, 2, N_t, N_a]` in [0, 1] by name.

    Returns:
        `nmse_db` of the test split, `best_epoch`, `train_seconds`, and `curve`, a
        record per epoch; 0 is before the first update.
    """
    model = network(settings)
    examples, size = TensorDataset(splits["train"]), settings["batch_size"]
    batches = DataLoader(examples, batch_size=size, shuffle=True, drop_last=True)
    adam, schedule = optimiser(settings, model, len(batches))
    curve, best, seconds = [], math.inf, 0.0
    for epoch in range(settings["epochs"] + 1):
        began = time.monotonic()
        loss = train_epoch(model, batches, adam, schedule) if epoch else None
        seconds += time.monotonic() - began
        value = nmse_db(model, splits["validation"])
        if value < best:
            best, best_epoch = value, epoch
            weights = copy.deepcopy(model.state_dict())
        curve.append({"epoch": epoch, "loss": loss, "val_nmse_db": value})
        print(curve[-1], f"{seconds:.0f} s", flush=True)
    model.load_state_dict(weights)
    return {
        "nmse_db": nmse_db(model, splits["test"]),
        "best_epoch": best_epoch,
        "train_seconds": round(seconds, 3),
        "curve": curve,
    }


def load(path: Path) -> dict[str, torch.Tensor]:
    """Splits of DATA.npz, `[n, N_t, N_a, 2]` there and channels first here."""
    with np.load(path) as stored:
        return {
            name: torch.from_numpy(stored[name]).permute(0, 3, 1, 2).contiguous()
            for name in SPLITS
        }


def main(argv: list[str]) -> None:
    if len(argv) != 3:
        raise ValueError(f"got {argv[1:]}, expected a run directory and a .npz file")
    run, data = Path(argv[1]), Path(argv[2])
    result = train(files.read_json(run / "config.json"), load(data))
    files.write_json(run / "evaluation.json", {**result, **files.environment()})


if __name__ == "__main__":
    cli.run(main)
