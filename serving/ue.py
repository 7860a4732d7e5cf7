r"""A UE that reports its CSI at a fixed period, until told to stop.

    python -m serving.ue --encoder=export/crnet/encoder.tflite --source=h.npz \
        --endpoint=127.0.0.1:8500 --period_ms=20

Each period one CSI is encoded, framed and sent. Where the server is away the report is
dropped, since CSI ages, and the connection is tried again at growing intervals. SIGTERM
or SIGINT end it with one line of JSON: periods = valid + invalid + refused (by the
server) + dropped + bad_csi + idle (no new CSI) + missed (still busy with the one
before), `late` answers, NMSE, times.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

os.environ.setdefault("GRPC_VERBOSITY", "NONE")

from absl import flags
from tqdm import tqdm

from serving.stop_signals import stop_event
from serving.ue_side import client_tls, streams
from serving.ue_side.csi_source import open_source
from tfds_builders import cli, progress

if TYPE_CHECKING:
    from serving.ue_side.daemon import Link, UeDaemon
    from serving.ue_side.decoder_client import Decoder
    from serving.ue_side.router import Router

# After SIGTERM: of a report under way, and of the process whatever it is doing.
LAST_REPORT_SECONDS, END_SECONDS = 2, 10


def _define_flags() -> None:
    flags.DEFINE_string("encoder", None, "encoder.tflite beside its codec.json.")
    flags.DEFINE_string(
        "source",
        None,
        "Zero-centred CSI: .npz with key h (and uplink where the decoder takes it), "
        ".npy, or a directory.",
    )
    flags.DEFINE_bool("repeat", False, "Begin again at the end of the file.")
    flags.DEFINE_string("endpoint", "127.0.0.1:8500", "host:port of the gRPC server.")
    flags.DEFINE_string("model_name", "csi_decoder", "Model to ask for.")
    flags.DEFINE_string("routes", "", "routes.json that names the model instead.")
    flags.DEFINE_string("label", "", "Version label to ask for; empty: the latest.")
    flags.DEFINE_float("period_ms", 20, "Reporting period.", lower_bound=0.1)
    flags.DEFINE_integer("reports", 0, "Stop after so many periods; 0: go on.")
    flags.DEFINE_float("timeout", 5, "Seconds to wait for one answer.")
    streams.define_flags()
    client_tls.define_flags()


def _connect(
    values: flags.FlagValues, csi_shape: list[int]
) -> Callable[[], Decoder | Router]:
    from serving.ue_side.decoder_client import Decoder
    from serving.ue_side.router import Router, read_routes

    where = {"timeout": values.timeout, "label": values.label}
    where["credentials"] = client_tls.credentials(values)
    if values.routes:
        routes = read_routes(values.routes)
        return lambda: Router(values.endpoint, routes, **where)
    where["csi_shape"] = csi_shape
    return lambda: Decoder(values.endpoint, values.model_name, **where)


def _progress(daemon: UeDaemon, shown: tqdm) -> Callable[[], None]:
    def show() -> None:
        named = ("valid", "late", "dropped", "missed")
        counts = ", ".join(f"{daemon.counts[name]} {name}" for name in named)
        shown.set_postfix_str(counts, refresh=False)
        shown.update(daemon.periods - shown.n)

    return show


def _close_after(stop: threading.Event, link: Link) -> None:
    """End a report that is still under way after a stop; it counts as dropped."""
    stop.wait()
    time.sleep(LAST_REPORT_SECONDS)
    link.close()


def main(argv: list[str]) -> None:
    """Report until SIGTERM, SIGINT, the end of the source or of --reports."""
    values = flags.FLAGS
    cli.refuse_arguments(argv)
    cli.require("encoder", "source")
    # TensorFlow's protocol buffers: seconds that no wrong flag waits for.
    from serving.ue_side.daemon import Link, Schedule, UeDaemon

    stop = stop_event(END_SECONDS)
    encoder, received = streams.encoder(values)
    if values.routes and values.stream == "coded":
        raise ValueError(
            "--stream=coded has one decoder: give --model_name, no --routes"
        )
    codec = encoder.codec
    source = open_source(
        values.source, codec.get("uplink", False), values.repeat, codec
    )
    connect = _connect(values, codec["csi_shape"])
    link = Link(lambda: received(connect()))
    daemon = UeDaemon(encoder, source, link, Schedule(values.period_ms / 1e3))
    threading.Thread(target=_close_after, args=(stop, link), daemon=True).start()
    with progress.bar(values.reports or None, "reports", " reports") as shown:
        daemon.run(stop, values.reports, _progress(daemon, shown))
    link.close()
    summary = daemon.summary()
    print(json.dumps(summary), flush=True)
    tried = summary["periods"] - summary["idle"]
    if tried and not summary["valid"]:
        raise ValueError(f"none of {tried} reports was decoded: {daemon.last_error}")


if __name__ == "__main__":
    _define_flags()
    cli.run(main)
