"""Seconds per PyTorch training step; a worker driven through standard input.

    python -m benchmarks.torch_speed --network=crnet --mode=eager --threads=2

It is a process of its own because PyTorch and TensorFlow in one process fight over
threads. One line in, one line of JSON out:

    (start)   {"ready": true, "params": 2102838}  or  {"error": "..."} and exit status 1
    N         [seconds of a step, ...]  N entries, after N training steps
    quit      ends; so does the end of the input

A step is zero_grad, forward, MSE loss, backward, Adam and reading the loss. Building,
compilation and warm-up are over before `ready`; the worker is idle between lines.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable

import torch
from absl import flags

from benchmarks.torch_networks import CSI_SHAPE, NETWORKS
from zoo import cli

MODES = ("eager", "channels_last", "compile")
WARM_UP = 3

_NETWORK = flags.DEFINE_enum("network", "crnet", list(NETWORKS), "Network to train.")
_CODEWORD = flags.DEFINE_integer("codeword_dim", 512, "Codeword length M.", 1)
_BATCH = flags.DEFINE_integer("batch_size", 200, "Samples per step.", 1)
_MODE = flags.DEFINE_enum("mode", "eager", list(MODES), "How PyTorch runs the network.")
_THREADS = flags.DEFINE_integer("threads", 2, "Threads within an operation.", 1)


def training_step(
    model: torch.nn.Module, csi: torch.Tensor, mode: str
) -> Callable[[], float]:
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


def prepare(
    network: str, codeword_dim: int, batch_size: int, mode: str
) -> tuple[int, Callable[[], float]]:
    """Parameter count and warmed-up training step on fixed random CSI.

    The CSI is uniform in [0.45, 0.55], a little wider than real CSI around 0.5.
    """
    torch.manual_seed(0)
    model = NETWORKS[network](codeword_dim).train()
    csi = 0.45 + 0.1 * torch.rand(batch_size, *CSI_SHAPE)
    step = training_step(model, csi, mode)
    for _ in range(WARM_UP):
        step()
    return sum(p.numel() for p in model.parameters()), step


def timed(step: Callable[[], float], count: int) -> list[float]:
    """Seconds of each of `count` steps."""
    seconds = []
    for _ in range(count):
        start = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - start)
    return seconds


def serve(step: Callable[[], float], lines: Iterable[str]) -> None:
    """Answer every line N with the seconds of N steps, until `quit` or the end.

    Raises:
        ValueError: a line is neither a positive number nor `quit`.
    """
    for line in lines:
        request = line.strip()
        if request == "quit":
            return
        if not request.isdecimal() or int(request) < 1:
            raise ValueError(
                f"input line is {request!r}, expected a number of steps or 'quit'"
            )
        _say(timed(step, int(request)))


def _say(answer) -> None:
    print(json.dumps(answer), flush=True)


def main(argv: list[str]) -> int:
    cli.refuse_arguments(argv)
    torch.set_num_threads(_THREADS.value)
    try:
        params, step = prepare(
            _NETWORK.value, _CODEWORD.value, _BATCH.value, _MODE.value
        )
    except Exception as error:  # a compiler fails in many ways; the driver reads one
        lines = str(error).strip().splitlines() or [""]
        _say({"error": f"{type(error).__name__}: {lines[0]}"})
        return 1
    _say({"ready": True, "params": params})
    # readline, not iteration over the file, which may read ahead and wait.
    serve(step, iter(sys.stdin.readline, ""))
    return 0


if __name__ == "__main__":
    cli.run(main)
