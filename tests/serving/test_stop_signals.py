"""SIGTERM ends the server and the UE within seconds, whatever they are doing."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from serving.ue_side.decoder_client import open_channel
from tests.support.decoder_process import NumpyDecoders, serve
from tests.support.serving_harness import (
    MODEL,
    PATH,
    ROOT,
    TIMEOUT,
    command,
    running_server,
)
from tests.support.tiny_export import MODEL_ID, samples, save_encoder

pytest_plugins = ["tests.support.serving_fixtures"]
pytestmark = pytest.mark.serving
METHOD = "/tensorflow.serving.PredictionService/Predict"
SECONDS = 20  # a busy machine; a few on an idle one

EVENT = """
import signal
from serving.stop_signals import stop_event

stop = stop_event()
with stop._cond:  # as inside stop.wait()
    signal.raise_signal(signal.SIGTERM)
assert stop.wait(30)
"""
BUSY = """
import os, sys, threading
from serving.stop_signals import stop_event

stop_event(0.2)
print("ready", flush=True)
if sys.argv[1] == "lock":
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()
os.open(sys.argv[1], os.O_RDONLY)  # a FIFO that nobody writes
"""


def test_a_signal_in_the_middle_of_the_wait_ends_it():
    done = subprocess.run([sys.executable, "-c", EVENT], cwd=ROOT, timeout=60)
    assert done.returncode == 0


@pytest.mark.parametrize("kind", ["lock", "fifo"])
def test_a_process_that_does_not_end_is_ended(tmp_path, kind):
    if kind == "fifo":
        kind = tmp_path / "fifo"
        os.mkfifo(kind)
    process = subprocess.Popen(
        [sys.executable, "-c", BUSY, str(kind)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 1
    assert err == "error: not ended 0.2 s after the signal\n"


@pytest.mark.slow
def test_the_server_ends_under_slow_clients(tiny_export):
    stop = threading.Event()
    with running_server(tiny_export / "decoder") as server:
        with open_channel(server.endpoint) as channel:
            for _ in range(50):
                channel.stream_unary(METHOD).future(iter(stop.wait, True))
            address = ("127.0.0.1", server.rest_port)
            slow = [socket.create_connection(address) for _ in range(20)]
            for connection in slow:
                head = f"POST {PATH}:predict HTTP/1.0\r\nContent-Length: 999\r\n\r\n"
                connection.sendall(head.encode())
            time.sleep(0.5)
            begin = time.monotonic()
            assert server.stop() == 0
            assert time.monotonic() - begin < SECONDS
            stop.set()
        assert "Traceback" not in server.log()


@pytest.mark.slow
def test_the_server_ends_while_it_loads(tmp_path):
    version = tmp_path / "1"
    version.mkdir()
    os.mkfifo(version / "saved_model.pb")
    args = (f"--model_base_path={tmp_path}", "--port=0", "--rest_api_port=-1")
    process = command("serving.server", *args)
    time.sleep(10)  # until it waits for the file
    begin = time.monotonic()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=TIMEOUT)
    assert time.monotonic() - begin < SECONDS
    assert process.returncode


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["full", "closed"])
def test_the_server_ends_where_nobody_can_read_that_it_is_ready(tiny_export, kind):
    if kind == "full":
        target = os.open("/dev/full", os.O_WRONLY)
    else:
        read, target = os.pipe()
        os.close(read)
    model = f"--model_base_path={tiny_export / 'decoder'}"
    process = subprocess.Popen(
        [sys.executable, "-m", "serving.server", model, "--port=0"]
        + ["--rest_api_port=0"],
        cwd=ROOT,
        stdout=target,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(target)
    _, err = process.communicate(timeout=TIMEOUT)
    assert process.returncode and "Traceback" not in err
    assert [line for line in err.splitlines() if line.startswith("error: ")]


class Silent(NumpyDecoders):
    """Knows its model and never answers."""

    def Predict(self, request, context):
        self.requests.append(request)
        time.sleep(60)


@pytest.mark.slow
def test_the_ue_ends_without_an_answer_and_gives_its_account(tmp_path):
    save_encoder(tmp_path)
    np.savez(tmp_path / "h.npz", h=samples(3))
    decoders = Silent({MODEL: MODEL_ID})
    server, port = serve(decoders)
    process = command(
        "serving.ue",
        f"--encoder={tmp_path / 'encoder.tflite'}",
        f"--source={tmp_path / 'h.npz'}",
        f"--endpoint=127.0.0.1:{port}",
        "--timeout=50",
    )
    end = time.monotonic() + TIMEOUT
    while not decoders.requests and time.monotonic() < end:
        time.sleep(0.05)
    begin = time.monotonic()
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=TIMEOUT)
    server.stop(None)
    assert time.monotonic() - begin < SECONDS
    assert '"dropped": 1' in out and "Traceback" not in err
