"""Ctrl-C and SIGTERM end every command, whatever it is doing, and all it has begun."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import ROOT, TINY
from tests.support.processes import ended, wait_until

DEAF = """
import hashlib, sys
from tfds_builders import cli

def main(argv):
    print("begun", flush=True)
    hashlib.pbkdf2_hmac("sha256", b"a", b"b", 10**9)  # minutes in native code

cli.run(main)
"""
SLOW_END = """
import sys, threading
from tfds_builders import cli

def main(argv):
    threading.Thread(target=threading.Event().wait).start()  # joined at exit
    print("begun", flush=True)
    threading.Event().wait()

cli.run(main)
"""
STATUS = {signal.SIGINT: 130, signal.SIGTERM: -signal.SIGTERM}


@pytest.mark.parametrize("script", [DEAF, SLOW_END], ids=["deaf", "slow_end"])
@pytest.mark.parametrize("number", STATUS)
def test_a_command_ends_whatever_it_is_doing(script, number):
    process = subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout.readline() == "begun\n"
    began = time.monotonic()
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == STATUS[number] and time.monotonic() - began < 20
    assert "Traceback" not in said
    if number == signal.SIGINT:
        assert said.startswith("error: interrupted\n")


def descendants(pid: int) -> list[int]:
    """All processes that a process has begun, and those have, but for filters.

    The filter of standard error, a fork, ends when nobody can write to it any more.
    """
    try:
        children = Path(f"/proc/{pid}/task").glob("*/children")
        own = [int(x) for path in children for x in path.read_text().split()]
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
        own = [x for x in own if Path(f"/proc/{x}/cmdline").read_bytes() != command]
    except FileNotFoundError:  # one has just ended
        return []
    return [*own, *(x for child in own for x in descendants(child))]


PLAIN = " ".join(f"--{k}={v}" for k, v in TINY.items() if k != "epochs")
WORKING = [  # command line, and how many processes it must have begun
    ("zoo.train {plain} --epochs=1000 --run_dir={folder}/run {data}", 0),
    ("zoo.train_stages {plain} --stage=--epochs=1000 --run_dir={folder}/run {data}", 1),
    ("zoo.quickstart --directory={folder}/quick -- {plain} --epochs=1000", 1),
    ("zoo.reproduce zoo.bits --directory={folder}/all --processes=2 "
     "--flags=--num_train=160", 1),
    ("zoo.rate --codecs=pursuit --bits=512 --dataset=cost2100_sim/indoor_tiny {data} "
     "--json={folder}/rate.json", 0),
    ("tfds_builders.build tr38901/r18_dense_urban_2ghz --workers=2 "
     "--data_dir={folder}", 2),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("number", STATUS)
@pytest.mark.parametrize(("line", "begun"), WORKING)
def test_nothing_outlives_its_command(line, begun, number, data_dir, tmp_path):
    words = line.format(plain=PLAIN, data=f"--data_dir={data_dir}", folder=tmp_path)
    process = subprocess.Popen(
        [sys.executable, "-m", *words.split()], cwd=ROOT,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait_until(lambda: process.poll() or len(descendants(process.pid)) >= begun)
        time.sleep(8)  # into the work
        assert process.poll() is None
        others = descendants(process.pid)
        assert len(others) >= begun
        process.send_signal(number)
        assert process.wait(30) in (STATUS[number], -number)  # while it imports
        wait_until(lambda: all(map(ended, others)), 30)
    finally:
        process.kill()
