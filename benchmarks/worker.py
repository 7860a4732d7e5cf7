"""The line protocol of the speed workers: one line in, one line of JSON out.

    (start)   {"ready": true, "params": 2102838}  or  {"error": "..."} and exit status 1
    N         [seconds of a step, ...]  N entries, after N training steps
    quit      ends; so does the end of the input

Building, compilation and warm-up are over before `ready`; a worker is idle between
lines. Every framework is a process of its own: in one process they fight over threads.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable

from absl import flags

NETWORK = flags.DEFINE_string("network", "crnet", "network to train")
CODEWORD = flags.DEFINE_integer("codeword_dim", 512, "codeword length M", 1)
BATCH = flags.DEFINE_integer("batch_size", 200, "samples per step", 1)
THREADS = flags.DEFINE_integer("threads", 2, "threads within an operation", 1)
WARM_UP = 3
Step = Callable[[], float]


def run(prepare: Callable[[], tuple[int, Step]]) -> int:
    """Serve a training step on standard input and output; returns the exit status.

    Args:
        prepare: builds network and optimiser; gives the number of parameters and a
            function that trains one step and returns the loss.
    """
    try:
        params, step = prepare()
        for _ in range(WARM_UP):
            step()
    except Exception as error:  # a compiler fails in many ways; the driver reads one
        lines = str(error).strip().splitlines() or [""]
        _say({"error": f"{type(error).__name__}: {lines[0]}"})
        return 1
    _say({"ready": True, "params": params})
    # readline, not iteration over the file, which may read ahead and wait.
    serve(step, iter(sys.stdin.readline, ""))
    return 0


def serve(step: Step, lines: Iterable[str]) -> None:
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
        _say([_seconds(step) for _ in range(int(request))])


def _seconds(step: Step) -> float:
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


def _say(answer) -> None:
    print(json.dumps(answer), flush=True)
