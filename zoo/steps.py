"""Commands of the project as steps of a larger job: run one, or keep a server up."""

from __future__ import annotations

import contextlib
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, TextIO

from tfds_builders import workers

STOP_SECONDS = 60
ERROR = "error: "  # begins the line of a command that failed


def _show(command: str, output: TextIO | None = None) -> None:
    """Print a command as a user would type it, on a terminal after an empty line."""
    gap = "\n" if output is None and sys.stdout.isatty() else ""
    print(f"{gap}$ {command}", file=output, flush=True)


def step(module: str, *args, log: Path | None = None) -> None:
    """Run `python -m module args`.

    Args:
        module: what to run.
        *args: of its command line.
        log: file that its output is appended to; None: it is passed through.

    Raises:
        ValueError: the command failed (it has said why).
    """
    command = [sys.executable, "-m", module, *map(str, args)]
    with contextlib.ExitStack() as stack:
        output = stack.enter_context(log.open("a", encoding="utf-8")) if log else None
        _show(f"python -m {module} {shlex.join(command[3:])}", output)
        errors = output or sys.__stderr__  # past the filter of `tfds_builders.quiet`
        bound = [*workers.bound(), *command]
        status = subprocess.run(bound, stdout=output, stderr=errors).returncode
    if status:
        where = f"{_last_line(log)}, see {log}" if log else "see above"
        raise ValueError(f"python -m {module} ended with status {status}: {where}")


def _last_line(log: Path) -> str:
    """Error of the command that wrote last, or the last line of its output."""
    said = log.read_text(encoding="utf-8", errors="replace").rpartition(
        "\n$ python -m "
    )[2]
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith(ERROR)]
    return (errors or lines)[-1].removeprefix(ERROR)


class Server(NamedTuple):
    """A running reference server: gRPC host:port and process number."""

    endpoint: str
    pid: int


@contextlib.contextmanager
def server(model_base_path: Path, *extra: str) -> Iterator[Server]:
    """Run the reference server on free ports until the context ends.

    Args:
        model_base_path: holds the decoder's versions.
        *extra: further flags of the server.

    Raises:
        ValueError: the server ended instead of becoming ready.
    """
    ports = ["--port=0", "--rest_api_port=0"]
    args = [f"--model_base_path={model_base_path}", *ports, *extra]
    _show(f"python -m serving.server {shlex.join(args)} &")
    process = subprocess.Popen(
        [*workers.bound(), sys.executable, "-m", "serving.server", *args],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        ready = process.stdout.readline().strip()
        if "grpc " not in ready:
            raise ValueError(f"serving.server did not start: {ready or 'see above'}")
        print(ready, flush=True)
        yield Server(ready.split("grpc ")[1].split(",")[0], process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        print("server stopped", flush=True)
