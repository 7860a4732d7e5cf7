"""Training steps of the zoo and of PyTorch, side by side in interleaved rounds.

python -m benchmarks.train [--networks=crnet,clnet] [--json=FILE]

Every system is a process of its own that trains the same network on the same batch;
in each round all run some steps one after another, so that what else the machine does
meets all of them. PyTorch needs the extra: pip install -e '.[bench]'.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from absl import flags

from tfds_builders import cli
from zoo import files

# name: module, mode, environment
SYSTEMS = {
    "keras, oneDNN off": ("keras_speed", "native", {"TF_ENABLE_ONEDNN_OPTS": "0"}),
    "keras": ("keras_speed", "native", {"TF_ENABLE_ONEDNN_OPTS": "1"}),
    "fused": ("keras_speed", "fused", {"TF_ENABLE_ONEDNN_OPTS": "1"}),
    "torch eager": ("torch_speed", "eager", {}),
    "torch channels_last": ("torch_speed", "channels_last", {}),
    "torch.compile": ("torch_speed", "compile", {}),
}
OURS, RIVAL = "fused", "torch.compile"

_NETWORKS = flags.DEFINE_list(
    "networks", ["crnet", "clnet", "csinet", "acrnet"], "networks to train"
)
_CODEWORD = flags.DEFINE_integer("codeword_dim", 512, "codeword length M", 1)
_BATCH = flags.DEFINE_integer("batch_size", 200, "samples per step", 1)
_THREADS = flags.DEFINE_integer("threads", os.cpu_count(), "threads", 1)
_ROUNDS = flags.DEFINE_integer("rounds", 5, "rounds", 1)
_STEPS = flags.DEFINE_integer("steps", 4, "steps of each system in a round", 1)
_JSON = flags.DEFINE_string("json", "", "also write the result here")


def available() -> list[str]:
    """Systems that can run here."""
    if importlib.util.find_spec("torch"):
        return list(SYSTEMS)
    print("without PyTorch, which is not installed: pip install -e '.[bench]'")
    return [name for name, system in SYSTEMS.items() if system[0] != "torch_speed"]


@contextlib.contextmanager
def started(system: str, network: str) -> Iterator[subprocess.Popen]:
    """Worker process of a system, warmed up; it ends with the context.

    Raises:
        ValueError: it did not become ready; the message says why.
    """
    module, mode, environment = SYSTEMS[system]
    command = [
        *(sys.executable, "-m", f"benchmarks.{module}", f"--mode={mode}"),
        *(f"--network={network}", f"--codeword_dim={_CODEWORD.value}"),
        *(f"--batch_size={_BATCH.value}", f"--threads={_THREADS.value}"),
    ]
    process = subprocess.Popen(
        command,
        env={**os.environ, **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        answer = json.loads(process.stdout.readline() or '{"error": "see above"}')
        if "error" in answer:
            raise ValueError(f"{system}, {network}: {answer['error']}")
        yield process
    finally:
        process.kill()
        process.wait()


def ask(process: subprocess.Popen, steps: int) -> list[float]:
    """Seconds of each of some training steps of a worker."""
    process.stdin.write(f"{steps}\n")
    process.stdin.flush()
    return json.loads(process.stdout.readline())


def measure(network: str, systems: list[str]) -> dict:
    """Medians of the seconds per step of all systems, and what they give."""
    seconds: dict[str, list[float]] = {system: [] for system in systems}
    with contextlib.ExitStack() as stack:
        workers = {s: stack.enter_context(started(s, network)) for s in systems}
        for _ in range(_ROUNDS.value):
            for system, process in workers.items():
                seconds[system] += ask(process, _STEPS.value)
    medians = {system: float(np.median(values)) for system, values in seconds.items()}
    row = {
        "network": network,
        "codeword_dim": _CODEWORD.value,
        "batch_size": _BATCH.value,
        "threads": _THREADS.value,
        "step_ms": {s: round(1e3 * value, 1) for s, value in medians.items()},
        "ours_over": {s: round(medians[s] / medians[OURS], 2) for s in systems},
    }
    print_row(row)
    return row


def print_row(row: dict) -> None:
    """One network: per system milliseconds, samples/s and how much faster ours is."""
    print(f"\n{row['network']}, M = {row['codeword_dim']}, batch {row['batch_size']}")
    for system, milliseconds in row["step_ms"].items():
        rate = 1e3 * row["batch_size"] / milliseconds
        ratio = row["ours_over"][system]
        print(f"  {system:<22}{milliseconds:>8.1f} ms{rate:>8.0f}/s{ratio:>7.2f} x")


def main(argv: list[str]) -> None:
    cli.refuse_arguments(argv)
    systems = available()
    rows = [measure(network, systems) for network in _NETWORKS.value]
    print(f"\nx: steps of '{OURS}' in the time of one step")
    if _JSON.value:
        versions = {"torch": _torch_version()} if RIVAL in systems else {}
        result = {"rows": rows, **files.environment(), "origin": "ours"} | versions
        files.write_json(Path(_JSON.value), result)


def _torch_version() -> str:
    from importlib.metadata import version

    return version("torch")


if __name__ == "__main__":
    cli.run(main)
