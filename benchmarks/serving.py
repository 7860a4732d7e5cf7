"""Matrices/s and latency of the served decoder against running it directly.

python -m benchmarks.serving --export=DIR [--json=FILE]

In process, one thread each: the SavedModel in a session with frames of bytes (what a
server runs) and with indices, the export's model.tflite with frames (what a server runs
with --prefer_tflite_model), and the same function of indices in ONNX Runtime, OpenVINO
and LiteRT. Over gRPC on this machine: `serving.server`, alone and with the
micro-batching of a deployment, of either file, asked by concurrent clients here, beside
a session of this process with the server's threads (one for each operation, operations
side by side on all cores), called by one thread and by as many as the clients with full
batches. Rounds of all are interleaved. Needs the extra: pip install -e '.[bench]'.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import numpy as np
import tensorflow as tf
from absl import flags

from benchmarks import backends
from serving.codec.ue_encoder import read_codec
from serving.deploying import config_files
from serving.models import lite_session
from serving.ue_side.decoder_client import channel_options, decode_request
from tfds_builders import cli
from zoo import files
from zoo.steps import server

MODEL = "csi_decoder"  # the name that the server gives by default
METHOD = "/tensorflow.serving.PredictionService/Predict"
BATCHES = (1, 8, 32)
LOADS = ((1, 1), (1, 16), (1, 64), (32, 4))  # rows of a request, clients
CALLERS = (1, LOADS[-1][1])  # threads of this process beside them
REFERENCE, LITE = "SavedModel", "model.tflite"
SERVER_THREADS = {"intra_op": 1, "inter_op": os.cpu_count() or 1}
ENGINES = ("onnxruntime", "openvino", "tf2onnx")
TOLERANCE = 1e-4

_EXPORT = flags.DEFINE_string("export", None, "export directory of a run")
_ROUNDS = flags.DEFINE_integer("rounds", 10, "rounds", 1)
_REPEATS = flags.DEFINE_integer("repeats", 20, "calls of each engine in a round", 1)
_SECONDS = flags.DEFINE_float("seconds", 2.0, "length of a load in a round")
_JSON = flags.DEFINE_string("json", "", "also write the result here")


def direct(path: Path, codec: dict, folder: Path) -> list[dict]:
    """Rows of the decoder called in this process, by engine and batch size."""
    function, spec = backends.saved_model_function(path, "decode_indices", "indices")
    onnx = backends.to_onnx(function, spec, folder / "decoder.onnx")
    rows = []
    for batch in BATCHES:
        indices = backends.make_indices(codec, batch)
        frames = np.array(backends.make_frames(codec, indices), object)
        feeds = {"decode_indices": indices, "serving_default": frames}
        session = backends.session_calls(path, feeds)
        tflite = backends.to_tflite(function, spec, batch)
        model = (path / lite_session.FILE).read_bytes()
        calls = {
            REFERENCE: session["serving_default"],
            "SavedModel, indices": session["decode_indices"],
            LITE: backends.litert_call(model, octets(frames), output="h"),
            "ONNX Runtime": backends.onnxruntime_call(onnx, indices),
            "OpenVINO": backends.openvino_call(onnx, indices),
            "LiteRT": backends.litert_call(tflite, indices),
        }
        backends.check_same(calls, REFERENCE, TOLERANCE)
        times = backends.timed(calls, _ROUNDS.value, _REPEATS.value)
        rows += [_direct_row(engine, batch, found) for engine, found in times.items()]
    return rows


def octets(frames) -> np.ndarray:
    """Frames as rows of bytes, uint8 `[n, F]`."""
    return np.frombuffer(b"".join(frames), np.uint8).reshape(len(frames), -1)


def _direct_row(engine: str, num_rows: int, found: dict) -> dict:
    rate = 1e3 * num_rows / found["p50_ms"]
    row = {"engine": engine, "rows": num_rows, "matrices_per_s": round(rate), **found}
    print_row(row)
    return row


async def load(endpoint: str, request, clients: int, seconds: float) -> list:
    """Seconds of every call that concurrent clients make in a time."""
    async with grpc.aio.insecure_channel(endpoint, channel_options()) as channel:
        call, message = channel.unary_unary(METHOD), request.SerializeToString()
        latencies: list[float] = []
        until = time.perf_counter() + seconds

        async def client() -> None:
            while (began := time.perf_counter()) < until:
                await call(message, timeout=30)
                latencies.append(time.perf_counter() - began)

        await asyncio.gather(*(client() for _ in range(clients)))
    return latencies


def servers(folder: Path) -> dict[str, tuple[str, ...]]:
    """Flags of the servers that are measured, by name; all have the same threads."""
    parameters = folder / "batching_parameters.txt"
    batching = config_files.batching_parameters(SERVER_THREADS["inter_op"])
    parameters.write_text(config_files.text(batching), encoding="utf-8")
    threads = tuple(
        f"--tensorflow_{kind}_parallelism={number}"
        for kind, number in SERVER_THREADS.items()
    )
    on = "--enable_batching", f"--batching_parameters_file={parameters}"
    kinds = {"server": threads, "server, batching": threads + on}
    lite = {f"{k}, {LITE}": (*v, "--prefer_tflite_model") for k, v in kinds.items()}
    return kinds | lite


def direct_load(call, callers: int, seconds: float) -> list:
    """Seconds of every call that concurrent threads of this process make in a time."""
    until = time.perf_counter() + seconds

    def caller(_: int) -> list[float]:
        latencies: list[float] = []
        while (began := time.perf_counter()) < until:
            call()
            latencies.append(time.perf_counter() - began)
        return latencies

    with ThreadPoolExecutor(callers) as pool:
        return [s for own in pool.map(caller, range(callers)) for s in own]


def served(path: Path, codec: dict, folder: Path) -> list[dict]:
    """Rows of the decoder behind servers, after the direct ones of the same rounds."""
    frames = backends.make_frames(codec, backends.make_indices(codec, max(BATCHES)))
    feeds = {"serving_default": np.array(frames, object)}
    (call,) = backends.session_calls(path, feeds, SERVER_THREADS).values()
    backends.turn(call, backends.WARM_UP)
    with contextlib.ExitStack() as stack:
        loads = {
            ("callers", f"{REFERENCE}, server's threads", len(frames), callers): (
                functools.partial(direct_load, call, callers, _SECONDS.value)
            )
            for callers in CALLERS
        }
        for name, extra in servers(folder).items():
            endpoint = stack.enter_context(server(path.parent, *extra)).endpoint
            for num_rows, clients in LOADS:
                asked = frames[:num_rows]
                sent = octets(asked) if LITE in name else asked
                request = decode_request(sent, name=MODEL)
                loads["clients", name, num_rows, clients] = functools.partial(
                    _ask, endpoint, request, clients
                )
        found = _interleaved(loads)
    rows = [_load_row(*key, rounds) for key, rounds in found.items()]
    fastest = max(row["matrices_per_s"] for row in rows if "callers" in row)
    for row in rows:
        if "clients" in row:
            row["over_direct"] = round(row["matrices_per_s"] / fastest, 3)
        print_row(row)
    return rows


def _ask(endpoint: str, request, clients: int) -> list:
    return asyncio.run(load(endpoint, request, clients, _SECONDS.value))


def _interleaved(loads: dict) -> dict[tuple, list]:
    """Latencies and length of every load in every round."""
    found: dict[tuple, list] = {key: [] for key in loads}
    for _ in range(_ROUNDS.value):
        for key, run_load in loads.items():
            began = time.perf_counter()
            seconds = run_load()
            found[key].append((seconds, time.perf_counter() - began))
    return found


def _load_row(who: str, name: str, num_rows: int, number: int, rounds: list) -> dict:
    every = 1e3 * np.concatenate([seconds for seconds, _ in rounds])
    rates = [num_rows * len(seconds) / elapsed for seconds, elapsed in rounds]
    return {
        "engine": name,
        "rows": num_rows,
        who: number,
        "matrices_per_s": round(float(np.median(rates))),
        "p50_ms": round(float(np.percentile(every, 50)), 3),
        "p99_ms": round(float(np.percentile(every, 99)), 3),
    }


def print_row(row: dict) -> None:
    """One line: who, how many rows, clients, matrices/s, latency."""
    who = next((who for who in ("clients", "callers") if who in row), None)
    clients = f"{row[who]} {who}" if who else "direct"
    share = f"{row['over_direct']:>7.2f} of direct" if "over_direct" in row else ""
    print(
        f"{row['engine']:<29}{row['rows']:>3} rows {clients:<11}"
        f"{row['matrices_per_s']:>7}/s  p50 {row['p50_ms']:>8.3f} ms"
        f"  p99 {row['p99_ms']:>8.3f} ms{share}",
        flush=True,
    )


def main(argv: list[str]) -> None:
    cli.refuse_arguments(argv)
    export = Path(_EXPORT.value)
    codec = read_codec(export)
    if codec.get("uplink"):
        raise ValueError(f"{export}: decoders with an uplink input are not measured")
    path = backends.latest_decoder(export)
    if not (path / lite_session.FILE).is_file():
        raise ValueError(f"{path}: no {lite_session.FILE}, export again")
    # Of the process: what its sessions ask for later is ignored.
    tf.config.threading.set_intra_op_parallelism_threads(SERVER_THREADS["intra_op"])
    with tempfile.TemporaryDirectory() as folder:
        rows = direct(path, codec, Path(folder)) + served(path, codec, Path(folder))
    if _JSON.value:
        result = {
            "model": codec["model"],
            "codeword_dim": codec["codeword_dim"],
            "threads": {
                "direct": backends.ONE_THREAD,
                "server": SERVER_THREADS,
                "direct, server's threads": SERVER_THREADS,
            },
            "rows": rows,
            **files.environment(),
            "engines": backends.versions(ENGINES),
            "origin": "ours",
        }
        files.write_json(Path(_JSON.value), result)


if __name__ == "__main__":
    flags.mark_flag_as_required("export")
    cli.run(main)
