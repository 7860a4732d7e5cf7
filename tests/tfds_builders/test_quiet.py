"""Chatter of native libraries is kept back, everything else is passed on."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.conftest import (
    ROOT,
)
from tests.support.processes import silent
from tfds_builders import quiet

IMPORT = (
    "WARNING: All log messages before absl::InitializeLog() is called are written to",
    "I0000 00:00:1796006834.563658   19917 port.cc:153] oneDNN custom operations",
    "W0000 00:00:1796006834.563658   19917 computation_placer.cc:177] already regis",
    "E0000 00:00:1796006834.5   7 cuda_platform.cc:5] failed call to cuInit: INTERNAL: "
    "CUDA error: Failed call to cuInit: UNKNOWN ERROR (303)",
    "E0000 00:00:1796006834.5   7 cuda_diagnostics.cc:1] failed call to cuInit: "
    "CUDA_ERROR_NO_DEVICE: no CUDA-capable device is detected",
    "2026-11-30 02:41:00.123456: I external/tsl/cpu_feature_guard.cc:210] This Tenso",
    "INFO: Created TensorFlow Lite XNNPACK delegate for CPU.",
)
TOLD = (
    "E0000 00:00:1796006834.563658   19917 hlo_pass.cc:1] it does not compile",
    "W0000 00:00:1796006834.563658   19917 bfc_allocator.cc:5] ran out of memory",
    "W0000 00:00:1.5   7 allocator.cc:5] failed to allocate 8 GiB, out of memory",
    "E0000 00:00:1796006834.5   7 cuda_platform.cc:5] failed call to cuInit: "
    "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH: driver and library differ",
    "F0000 00:00:1796006834.563658   19917 check.cc:1] Check failed",
    "E1130 02:41:27.123456 139 session.py:70] our own",
    "terminate called after throwing an instance of 'std::bad_alloc'",
    "error: ours",
)


@pytest.mark.parametrize("line", IMPORT)
def test_chatter_is_known(line):
    assert quiet.is_chatter(line.encode())


@pytest.mark.parametrize("line", TOLD)
def test_errors_are_no_chatter(line):
    assert not quiet.is_chatter(line.encode())


NATIVE = """
import os, subprocess, sys, time, warnings
from tfds_builders import quiet
quiet.start()
chatter = {chatter!r}
os.write(2, chatter + b"\\nE0000 00:00:1.5 1 a.cc:1] broken\\n")
code = "import os, sys; os.write(2, sys.argv[1].encode())"
subprocess.run([sys.executable, "-c", code, chatter.decode() + chr(10)])
os.write(2, b"no end of line")
print("python's own", file=sys.stderr)
warnings.warn("a warning")
{end}
"""


@pytest.mark.parametrize(
    ("end", "status", "last"),
    [
        ("", 0, "a warning"),
        ("1 / 0", 1, "ZeroDivisionError: division by zero"),
        ("os._exit(3)", 3, "a warning"),
        ("os.kill(os.getpid(), 9)", -9, "a warning"),
    ],
)
def test_filter_passes_on_all_else(end, status, last):
    text = NATIVE.format(chatter="\n".join(IMPORT).encode(), end=end)
    command = [sys.executable, "-c", text]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == status
    assert silent(done.stderr.replace("a.cc:1] broken", ""))
    for words in ("a.cc:1] broken", "no end of line", "python's own", last):
        assert words in done.stderr
    shown = subprocess.run(
        [*command, "--verbose"], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert shown.stderr.count("InitializeLog") == 2


def test_filter_ends_with_its_process():
    text = (
        "import os\nfrom tfds_builders import quiet\nquiet.start()\nos.write(2, b'x')"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", text], cwd=ROOT, stderr=subprocess.PIPE
    )
    assert process.stderr.read() == b"x"  # until nobody holds the pipe
    assert process.wait() == 0


ERROR = b"E0000 00:00:1.5 1 a.cc:1] broken"
SMALL = (
    f"import os; from tfds_builders import quiet; quiet.start(); os.write(2, {ERROR})"
)


def shell(line: str) -> subprocess.CompletedProcess:
    command = ["bash", "-c", line, "bash", sys.executable, SMALL]
    return subprocess.run(command, cwd=ROOT, capture_output=True, timeout=60)


def test_a_file_is_complete_when_the_command_has_ended(tmp_path):
    for _ in range(20):
        done = shell(f'"$1" -c "$2" 2> {tmp_path}/log; cat {tmp_path}/log')
        assert done.stdout == ERROR


def test_a_closed_standard_input_changes_nothing():
    assert shell('"$1" -c "$2" <&-').stderr == ERROR


def test_many_inherited_descriptors_do_not_keep_the_filter():
    many = 'for i in $(seq 10 300); do eval "exec $i< /dev/null"; done; '
    done = shell(many + 'exec "$1" -c "$2" 2>&1 | cat')
    assert done.stdout == ERROR and not done.stderr


def test_what_is_said_of_a_gpu_counts_where_there_is_one(monkeypatch, tmp_path):
    line = b"W0000 00:00:1.5 7 gpu_device.cc:1] Cannot dlopen some GPU libraries."
    monkeypatch.setattr(quiet, "GPU", str(tmp_path / "none"))
    assert quiet.is_chatter(line)
    monkeypatch.setattr(quiet, "GPU", str(tmp_path))
    assert not quiet.is_chatter(line)
    assert quiet.is_chatter(IMPORT[1].encode())
