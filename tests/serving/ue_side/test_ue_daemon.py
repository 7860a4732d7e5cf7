"""The reporting UE: its schedule, its account of every period, its connection."""

from __future__ import annotations

import json
import signal
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest

from serving.codec.ue_encoder import UeEncoder
from serving.ue_side import daemon
from serving.ue_side.csi_source import FileSource
from serving.ue_side.daemon import OUTCOMES, Link, Schedule, UeDaemon
from serving.ue_side.decoder_client import Decoder as Client
from tests.support.decoder_process import NumpyDecoders, serve
from tests.support.processes import wait_until
from tests.support.serving_harness import MODEL, TIMEOUT, command
from tests.support.tiny_export import (
    BITS,
    DIRECTIONS,
    MODEL_ID,
    decode,
    samples,
    save_encoder,
)
from zoo.metrics import accuracy

pytestmark = [pytest.mark.serving, pytest.mark.tflite]
H = samples(40)


@pytest.fixture(scope="module")
def export(tmp_path_factory):
    directory = tmp_path_factory.mktemp("export")
    save_encoder(directory)
    np.savez(directory / "h.npz", h=H)
    return directory


@pytest.fixture
def clock(monkeypatch):
    """Time that passes only where the test says so; `stop.wait` passes it."""
    now = SimpleNamespace(seconds=100.0)
    now.monotonic = now.perf_counter = lambda: now.seconds
    monkeypatch.setattr(daemon, "time", now)

    def wait(seconds):
        now.seconds += seconds

    now.stop = SimpleNamespace(is_set=lambda: False, wait=wait)
    return now


def test_schedule_does_not_drift_and_counts_what_it_misses(clock):
    schedule = Schedule(0.02)
    for work, missed in ((0.005, 0), (0.019, 0), (0.03, 0), (0.05, 2), (0.0, 0)):
        clock.seconds += work
        assert schedule.next(clock.stop) == missed
    # 5 instants that were used or waited for, and the 2 missed
    assert schedule.due == pytest.approx(100 + 7 * 0.02)
    assert clock.seconds == pytest.approx(schedule.due)


class Decoder:
    """Plays a script: an answer (valid or not) or an exception per report."""

    def __init__(self, script):
        self.script, self.closed = script, 0

    def decode(self, frames, uplink):
        step = self.script.pop(0)
        if isinstance(step, Exception):
            raise step
        return np.zeros((1, 32, 32, 2), np.float32), np.array([step])

    def close(self):
        self.closed += 1


def make_daemon(clock, export, script, connect=None, repeat=True):
    encoder = UeEncoder(export / "encoder.tflite")
    source = FileSource(export / "h.npz", repeat=repeat)
    decoder = Decoder(script)
    link = Link(connect or (lambda: decoder))
    return UeDaemon(encoder, source, link, Schedule(1.0)), decoder


def test_every_period_is_accounted_for(clock, export):
    script = [True, ConnectionError("gone"), ValueError("no"), False, True]
    daemon, decoder = make_daemon(clock, export, script)
    daemon.run(clock.stop, 5, lambda: None)
    summary = daemon.summary()
    counts = {name: summary[name] for name in OUTCOMES if summary[name]}
    assert counts == {"valid": 2, "invalid": 1, "refused": 1, "dropped": 1}
    assert summary["periods"] == sum(counts.values()) == 5
    # The zero answer has NMSE 0 dB.
    assert summary["nmse_db"] == pytest.approx(0)
    assert (summary["connections"], decoder.closed) == (3, 2)
    assert daemon.last_error == "the decoder refused the frame"


def test_late_answers_and_missed_periods(clock, export):
    daemon, decoder = make_daemon(clock, export, [True, True, True])
    answer = decoder.decode

    def slow(frames, uplink):
        clock.seconds += 2.5 if len(decoder.script) == 2 else 0.1
        return answer(frames, uplink)

    decoder.decode = slow
    daemon.run(clock.stop, 4, lambda: None)
    summary = daemon.summary()
    assert (summary["late"], summary["missed"], summary["valid"]) == (1, 1, 3)
    assert summary["periods"] == 4
    assert summary["round_trip_ms"]["p99"] > 2000 > summary["round_trip_ms"]["p50"]


def test_connection_is_tried_at_growing_intervals(clock, export):
    tries = []

    def connect():
        tries.append(clock.seconds)
        raise ConnectionError("away")

    daemon, _ = make_daemon(clock, export, [], connect)
    daemon._schedule = Schedule(0.01)
    daemon.run(clock.stop, 3000, lambda: None)
    gaps = np.diff(tries)
    assert daemon.counts["dropped"] == 3000
    assert 0.05 <= gaps[0] <= 0.12 and 2.5 <= gaps[-1] <= 5.02
    assert len(tries) < 20
    assert (gaps[:6] >= 0.05 * 2.0 ** np.arange(6)).all()


def test_connection_that_refuses_is_tried_at_growing_intervals(clock, export):
    daemon, _ = make_daemon(clock, export, [ValueError("no such label")] * 3000)
    daemon._schedule = Schedule(0.01)
    daemon.run(clock.stop, 3000, lambda: None)
    assert daemon.counts["refused"] == daemon.summary()["connections"] < 20
    assert daemon.counts["dropped"] == 3000 - daemon.counts["refused"]


def test_file_source_ends_or_repeats(export, clock):
    daemon, _ = make_daemon(clock, export, [True] * 40, repeat=False)
    daemon.run(clock.stop, 0, lambda: None)
    assert daemon.periods == 40
    source = FileSource(export / "h.npz", repeat=True)
    read = [source.read().h for _ in range(41)]
    np.testing.assert_array_equal(read[40], H[0])


def test_bad_csi_is_counted(clock, export, tmp_path):
    for value, words in (
        (np.nan, "2048 NaN or Inf"), (0.0, "zero everywhere"), (0.5, "subtract 0.5")
    ):  # fmt: skip
        np.savez(tmp_path / "h.npz", h=np.full((3, 32, 32, 2), value, np.float32))
        encoder = UeEncoder(export / "encoder.tflite")
        link = Link(lambda: Decoder([]))
        daemon = UeDaemon(encoder, FileSource(tmp_path / "h.npz"), link, Schedule(1.0))
        daemon.run(clock.stop, 0, lambda: None)
        assert daemon.counts["bad_csi"] == daemon.periods == 3
        assert words in daemon.last_error
    with pytest.raises(ValueError, match="2048 NaN or Inf values in float32"):
        encoder.encode(np.full((32, 32, 2), 1e300))


def start(export, port: int, *args: str):
    return command(
        "serving.ue",
        f"--encoder={export / 'encoder.tflite'}",
        f"--source={export / 'h.npz'}",
        f"--endpoint=127.0.0.1:{port}",
        *args,
    )


def test_command_outlives_its_server_and_ends_on_sigterm(export):
    decoders = NumpyDecoders({MODEL: MODEL_ID})
    server, port = serve(decoders)
    process = start(export, port, "--period_ms=20", "--repeat")
    try:
        wait_until(lambda: len(decoders.requests) >= 20, TIMEOUT)
        server.stop(None).wait()
        time.sleep(0.5)
        before = len(decoders.requests)
        server, _ = serve(decoders, port)
        wait_until(lambda: len(decoders.requests) >= before + 20, TIMEOUT)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=TIMEOUT)
    finally:
        process.kill()
        server.stop(None)
    assert process.returncode == 0, err
    assert "Traceback" not in err and "no answer from" in err
    summary = json.loads(out)
    assert summary["periods"] == sum(summary[name] for name in OUTCOMES)
    assert summary["dropped"] >= 5 and summary["connections"] == 2
    assert 0 <= len(decoders.requests) - summary["valid"] <= 1
    assert summary["nmse_db"] < -10


def test_nmse_is_that_of_the_decoded_reports(export):
    server, port = serve(NumpyDecoders({MODEL: MODEL_ID}))
    encoder = UeEncoder(export / "encoder.tflite")
    link = Link(lambda: Client(f"127.0.0.1:{port}", MODEL, TIMEOUT))
    source = FileSource(export / "h.npz")
    daemon = UeDaemon(encoder, source, link, Schedule(0.05))
    daemon.run(threading.Event(), 8, lambda: None)
    link.close()
    server.stop(None)
    summary = daemon.summary()
    assert summary["periods"] >= 8 and summary["valid"] >= 1
    ratios = np.array([frame_nmse(h) for h in H[: summary["valid"]]])
    assert summary["nmse_db"] == pytest.approx(10 * np.log10(ratios.mean()), abs=1e-4)


def frame_nmse(h: np.ndarray) -> float:
    levels = np.floor((h.ravel() @ DIRECTIONS + 1) * 2 ** (BITS - 1))
    indices = np.clip(levels, 0, 2**BITS - 1).astype(np.int32)
    return float(accuracy.nmse(h[None], decode(indices[None]))[0])


@pytest.mark.slow
def test_command_fails_with_one_line_where_nothing_is_decoded(export):
    process = start(export, 1, "--period_ms=10", "--reports=5")
    out, err = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 1
    assert json.loads(out)["dropped"] >= 1
    last = err.splitlines()[-1]
    assert last.startswith("error: none of ") and "no answer from 127.0.0.1:1" in last
    assert "Traceback" not in err


def test_stop_ends_the_wait():
    stop = threading.Event()
    schedule = Schedule(60)
    threading.Timer(0.1, stop.set).start()
    begin = time.monotonic()
    schedule.next(stop)
    assert time.monotonic() - begin < 30
