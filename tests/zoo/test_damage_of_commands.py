"""Commands that are killed, or whose disk is full, lose nothing and leave no half."""

from __future__ import annotations

import os
import random
import signal
import time

import pytest

from tests.support.writing_commands import COMMANDS, Given, content, start

KILLS = int(os.environ.get("ZOO_KILLS", "1"))  # of each command
SECONDS = 600


@pytest.fixture(scope="module")
def given(data_dir, tiny_run, tmp_path_factory) -> Given:
    from zoo.exporting import exporter

    export = tmp_path_factory.mktemp("given") / "export"
    exporter.export(tiny_run, export)
    return Given(data_dir, tiny_run.path, export)


@pytest.fixture(scope="module")
def references(given, tmp_path_factory):
    """Outcome of each command that nothing disturbs, and how long it writes [s]."""
    known: dict = {}

    def of(name: str):
        if name not in known:
            out = tmp_path_factory.mktemp(name)
            process = start(COMMANDS[name].arguments(given, out))
            begin = _begun(process, out)
            _, errors = process.communicate(timeout=SECONDS)
            assert process.returncode == 0, errors[-2000:]
            known[name] = COMMANDS[name].outcome(out), time.monotonic() - begin
        return known[name]

    return of


def _begun(process, out) -> float:
    """When a command has begun to write, or has ended."""
    before = content(out)
    while process.poll() is None and content(out) == before:
        time.sleep(0.002)
    return time.monotonic()


def _complete(arguments: list[str]) -> None:
    """Run again; what was killed behind its last rename may refuse what is there."""
    process = start(arguments)
    _, errors = process.communicate(timeout=SECONDS)
    refused = process.returncode == 1 and " exists; choose another" in errors
    assert process.returncode == 0 or refused, errors[-2000:]


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_killed_commands_complete_when_they_run_again(
    name, given, references, tmp_path
):
    """`ZOO_KILLS` of each, at random instants after the first thing it wrote."""
    expected, seconds = references(name)
    rng = random.Random(name)
    killed = 0
    for kill in range(KILLS):
        out = tmp_path / str(kill)
        out.mkdir()
        arguments = COMMANDS[name].arguments(given, out)
        process = start(arguments)
        _begun(process, out)
        time.sleep(rng.uniform(0, seconds))
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        killed += process.returncode == -signal.SIGKILL
        if process.returncode:
            _complete(arguments)
        assert COMMANDS[name].outcome(out) == expected, f"kill {kill}"
    print(f"{name}: {killed} of {KILLS} killed")


@pytest.mark.slow
@pytest.mark.parametrize("largest", [0, 1000, 20_000])
@pytest.mark.parametrize("name", COMMANDS)
def test_full_disk_is_one_line_and_nothing_is_lost(
    name, largest, given, references, tmp_path
):
    """No file can grow beyond a size, as on a disk that is full by then."""
    expected, _ = references(name)
    arguments = COMMANDS[name].arguments(given, tmp_path)
    process = start(arguments, largest)
    _, errors = process.communicate(timeout=SECONDS)
    if process.returncode:
        said = [line for line in errors.splitlines() if line.startswith("error: ")]
        said = [line for line in said if not line.endswith("see above")]  # of a parent
        assert len(said) == 1 and "Traceback" not in errors, errors[-2000:]
        _complete(arguments)
    assert COMMANDS[name].outcome(tmp_path) == expected
