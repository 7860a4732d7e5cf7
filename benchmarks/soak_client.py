"""Concurrent clients that compare every row of every reply, see `benchmarks.soak`."""

from __future__ import annotations

import asyncio
import collections
import signal
import time
from pathlib import Path

import grpc
import numpy as np
import tensorflow as tf
from absl import flags
from tensorflow_serving.apis import prediction_service_pb2_grpc

from serving.ue_side.decoder_client import channel_options, decode_request
from tfds_builders import cli
from zoo import files

MAX_ROWS, DAMAGED_SHARE = 8, 0.01
TIMEOUT_SECONDS = 30
TOLERANCE = 1e-4
KEPT_LATENCIES, REPORT_SECONDS = 20_000, 1.0

_ENDPOINT = flags.DEFINE_string("endpoint", None, "host:port")
_KNOWN = flags.DEFINE_string("known", None, "frames and what they decode to")
_CLIENTS = flags.DEFINE_integer("clients", 16, "concurrent clients", 1)
_SEED = flags.DEFINE_integer("seed", 0, "of rows and damage")
_REPORT = flags.DEFINE_string("report", None, "counts, written every second")


def damaged(frame: bytes, rng: np.random.Generator) -> bytes:
    """A frame that must be refused: a flipped bit, a cut, or other bytes."""
    kind = rng.integers(3)
    if kind == 0:
        octets = bytearray(frame)
        octets[rng.integers(len(octets))] ^= 1 << rng.integers(8)
        return bytes(octets)
    return frame[: rng.integers(len(frame))] if kind == 1 else rng.bytes(len(frame))


class Tally:
    """Counts, examples of what went wrong, and a sample of the latencies."""

    def __init__(self):
        self.counts: collections.Counter = collections.Counter()
        self.examples: list[str] = []
        self.latency_ms: collections.deque = collections.deque(maxlen=KEPT_LATENCIES)

    def failed(self, kind: str, example: str) -> None:
        """Count a lost or wrong reply."""
        self.counts[kind] += 1
        if len(self.examples) < 5:
            self.examples.append(f"{kind}: {example}")

    def write(self, path: Path) -> None:
        """Write all as JSON."""
        found = {"counts": self.counts, "examples": self.examples}
        files.write_json(path, {**found, "latency_ms": list(self.latency_ms)})


def check(response, rows: np.ndarray, bad: np.ndarray, h: np.ndarray) -> str:
    """What is wrong with a reply, empty if nothing is.

    Args:
        response: a PredictResponse, whatever is in it.
        rows: indices `[n]` of the known answers that were asked for.
        bad: which of the rows `[n]` were damaged.
        h: the known answers `[N, N_t, N_a, 2]`.
    """
    try:
        return _difference(response, rows, bad, h)
    except Exception as error:  # no reply may end the client that has to count it
        return f"cannot be read ({type(error).__name__}: {error})"


def _difference(response, rows, bad, h) -> str:
    found = tf.make_ndarray(response.outputs["h"])
    valid = tf.make_ndarray(response.outputs["valid"])
    if found.shape != (len(rows), *h.shape[1:]):
        return f"shape {found.shape} for {len(rows)} rows"
    if (valid == bad).any():
        return f"valid {valid.tolist()}, damaged {bad.tolist()}"
    if not np.isnan(found[bad]).all():
        return "a damaged row is not NaN"
    difference = np.abs(found[~bad] - h[rows[~bad]]).max(initial=0.0)
    return "" if difference <= TOLERANCE else f"a good row differs by {difference:.2e}"


async def client(stub, known, rng, tally: Tally, stop: asyncio.Event) -> None:
    """Ask and compare until told to stop."""
    frames, h = known
    while not stop.is_set():
        rows = rng.integers(0, len(frames), rng.integers(1, MAX_ROWS + 1))
        bad = rng.random(len(rows)) < DAMAGED_SHARE
        sent = [
            damaged(frames[i], rng) if broken else frames[i]
            for i, broken in zip(rows, bad, strict=True)
        ]
        request = decode_request(sent, name="csi_decoder")
        began = time.perf_counter()
        try:
            response = await stub.Predict(request, timeout=TIMEOUT_SECONDS)
        except grpc.aio.AioRpcError as error:
            tally.failed("lost", f"{error.code().name} {error.details()}")
            continue
        tally.latency_ms.append(1e3 * (time.perf_counter() - began))
        tally.counts.update(requests=1, rows=len(rows), damaged=int(bad.sum()))
        wrong = check(response, rows, bad, h)
        if wrong:
            tally.failed("wrong", wrong)


async def run(tally: Tally) -> None:
    """All clients until SIGTERM; the requests under way are waited for."""
    with np.load(_KNOWN.value) as stored:
        frames = [row.tobytes() for row in stored["frames"]]
        known = frames, stored["h"]
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    seeds = np.random.SeedSequence(_SEED.value).spawn(_CLIENTS.value)
    async with grpc.aio.insecure_channel(_ENDPOINT.value, channel_options()) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        clients = [
            client(stub, known, np.random.default_rng(seed), tally, stop)
            for seed in seeds
        ]
        tasks = asyncio.gather(*clients)
        while not tasks.done():
            await asyncio.wait([tasks], timeout=REPORT_SECONDS)
            tally.write(Path(_REPORT.value))
        await tasks


def main(argv: list[str]) -> None:
    cli.refuse_arguments(argv)
    tally = Tally()
    asyncio.run(run(tally))
    tally.write(Path(_REPORT.value))


if __name__ == "__main__":
    flags.mark_flags_as_required(["endpoint", "known", "report"])
    cli.run(main)
