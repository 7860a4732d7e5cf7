"""Seconds per PyTorch training step; a worker, see `benchmarks.worker`.

    python -m benchmarks.torch_speed --network=crnet --mode=eager --threads=2

A step is zero_grad, forward, MSE loss, backward, Adam and reading the loss.
"""

from __future__ import annotations

import torch
from absl import flags

from benchmarks import worker
from benchmarks.torch_networks import CSI_SHAPE, NETWORKS
from tfds_builders import cli

MODES = ("eager", "channels_last", "compile")

_MODE = flags.DEFINE_enum("mode", "eager", list(MODES), "How PyTorch runs the network.")


def training_step(model: torch.nn.Module, csi: torch.Tensor, mode: str) -> worker.Step:
    """Function that trains `model` one step on `csi` and returns the loss."""
    if mode == "channels_last":
        model = model.to(memory_format=torch.channels_last)
        csi = csi.to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    loss_function = torch.nn.MSELoss()
    forward = torch.compile(model) if mode == "compile" else model

    def step() -> float:
        optimizer.zero_grad(set_to_none=True)
        loss = loss_function(forward(csi), csi)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def prepare() -> tuple[int, worker.Step]:
    """Parameter count and training step on fixed random CSI.

    The CSI is uniform in [0.45, 0.55], a little wider than real CSI around 0.5.
    """
    torch.manual_seed(0)
    model = NETWORKS[worker.NETWORK.value](worker.CODEWORD.value).train()
    csi = 0.45 + 0.1 * torch.rand(worker.BATCH.value, *CSI_SHAPE)
    step = training_step(model, csi, _MODE.value)
    return sum(p.numel() for p in model.parameters()), step


def main(argv: list[str]) -> int:
    cli.refuse_arguments(argv)
    torch.set_num_threads(worker.THREADS.value)
    return worker.run(prepare)


if __name__ == "__main__":
    cli.run(main)
