"""The reporting loop of a UE: one CSI per period, and an account of every period."""

from __future__ import annotations

import math
import random
import threading
import time
from collections import Counter, deque
from collections.abc import Callable

import numpy as np
from absl import logging

from serving.codec import nmse
from serving.codec.framing import Framer
from serving.codec.ue_encoder import UeEncoder
from serving.ue_side.csi_source import DirectorySource, FileSource, Sample
from serving.ue_side.decoder_client import Decoder
from serving.ue_side.router import Router

KEPT_TIMES = 10_000
FIRST_WAIT, LONGEST_WAIT = 0.1, 5.0  # seconds before the next try to connect
OUTCOMES = ("valid", "invalid", "refused", "dropped", "bad_csi", "idle", "missed")


class Schedule:
    """Instants `start + k period`, so that no delay adds up.

    Args:
        period: seconds.
    """

    def __init__(self, period: float):
        self.period = period
        self._start, self._k = time.monotonic(), 0

    @property
    def due(self) -> float:
        """The instant at hand, `time.monotonic()` seconds."""
        return self._start + self._k * self.period

    def next(self, stop: threading.Event) -> int:
        """Wait for the next instant, or until `stop`; return how many were missed.

        An instant is missed when the one after it has come too.
        """
        self._k += 1
        missed = max(0, math.floor((time.monotonic() - self.due) / self.period))
        self._k += missed
        stop.wait(max(0.0, self.due - time.monotonic()))
        return missed


class Link:
    """A connection that is opened again, at growing intervals, after it was lost.

    Args:
        connect: opens it; raises ConnectionError or ValueError.
    """

    def __init__(self, connect: Callable[[], Decoder | Router]):
        self._connect = connect
        self._decoder: Decoder | Router | None = None
        self._retry_at, self._wait = 0.0, FIRST_WAIT
        self.connections = 0

    def decoder(self) -> Decoder | Router | None:
        """The open connection, or None while it waits for the next try.

        Raises:
            ConnectionError: the server is still away.
            ValueError: it does not have the model (yet).
        """
        if self._decoder is None and time.monotonic() >= self._retry_at:
            try:
                self._decoder = self._connect()
            except (ConnectionError, ValueError):
                self.lost()
                raise
            self.connections += 1
        return self._decoder

    def answered(self) -> None:
        """The connection is of use: after its loss the next try comes soon."""
        self._wait = FIRST_WAIT

    def lost(self) -> None:
        """Close the connection and set the time of the next try."""
        if self._decoder is not None:
            self._decoder.close()
            self._decoder = None
        # At random, or all UEs of a cell would come back in the same instant.
        self._retry_at = time.monotonic() + self._wait * random.uniform(0.5, 1)
        self._wait = min(2 * self._wait, LONGEST_WAIT)

    def close(self) -> None:
        """Close the connection, from any thread; a call under way ends."""
        if (decoder := self._decoder) is not None:
            decoder.close()


class UeDaemon:
    """Encodes, frames and sends one CSI per period.

    `counts` accounts for every period under one of `OUTCOMES`; `late` counts those of
    `valid` and `invalid` whose answer came after the period was over.

    Args:
        encoder: the UE's encoder.
        source: gives the CSI.
        link: to the decoder.
        schedule: the periods.
    """

    def __init__(
        self,
        encoder: UeEncoder,
        source: FileSource | DirectorySource,
        link: Link,
        schedule: Schedule,
    ):
        self._encoder, self._source = encoder, source
        self._framed = Framer(encoder.codec)
        self._link, self._schedule = link, schedule
        self.counts: Counter[str] = Counter()
        self.last_error = ""
        self._about = encoder.codec.get("eigenvectors", {})
        self._ratio_sum = self._sgcs_sum = 0.0
        self._encode_seconds: deque[float] = deque(maxlen=KEPT_TIMES)
        self._trip_seconds: deque[float] = deque(maxlen=KEPT_TIMES)

    def run(
        self, stop: threading.Event, reports: int, progress: Callable[[], None]
    ) -> None:
        """Report until `stop`, the end of the source, or `reports` periods (0: none).

        `progress` is called once a period.
        """
        while not stop.is_set() and not self._source.ended:
            self.counts[self._report()] += 1
            progress()
            if reports and self.periods >= reports:
                break
            self.counts["missed"] += self._schedule.next(stop)

    @property
    def periods(self) -> int:
        """Periods so far."""
        return sum(self.counts[outcome] for outcome in OUTCOMES)

    def _report(self) -> str:
        try:
            sample = self._source.read()
            if sample is None:
                return "idle"
        except ValueError as error:
            return self._note("bad_csi", error)
        try:
            decoder = self._link.decoder()
        except (ConnectionError, ValueError) as error:
            return self._note("dropped", error)
        if decoder is None:
            return "dropped"
        begin = time.perf_counter()
        try:
            payload = self._encoder.encode_bits(sample.h)
            if not np.any(sample.h):
                raise ValueError("CSI is zero everywhere: its NMSE has no meaning")
        except ValueError as error:
            return self._note("bad_csi", error)
        self._encode_seconds.append(time.perf_counter() - begin)
        return self._send(decoder, sample, payload)

    def _send(self, decoder: Decoder | Router, sample: Sample, payload: bytes) -> str:
        frame = self._framed(payload)
        uplink = None if sample.uplink is None else sample.uplink[np.newaxis]
        begin = time.perf_counter()
        try:
            h_hat, valid = decoder.decode([frame], uplink)
        except ConnectionError as error:
            self._link.lost()
            return self._note("dropped", error)
        except ValueError as error:
            self._link.lost()
            return self._note("refused", error)
        self._link.answered()
        self._trip_seconds.append(time.perf_counter() - begin)
        self.counts["late"] += (
            time.monotonic() > self._schedule.due + self._schedule.period
        )
        if not valid[0]:
            return self._note("invalid", ValueError("the decoder refused the frame"))
        h = sample.h[np.newaxis]
        self._ratio_sum += float(nmse.nmse(h, h_hat)[0])
        if self._about:
            self._sgcs_sum += nmse.sgcs(h, h_hat)
        return "valid"

    def _note(self, outcome: str, error: Exception) -> str:
        if str(error) != self.last_error:
            self.last_error = str(error)
            logging.error("report %d %s: %s", self.periods + 1, outcome, error)
        return outcome

    def summary(self) -> dict:
        """Counts, errors of the valid reports, milliseconds of the last 10,000.

        Errors are NMSE in dB, of eigenvectors SGCS too, or alone where they are
        recovered without length.
        """
        valid, nmse_db, more = self.counts["valid"], None, {}
        if valid and not self._about.get("direction_alone"):
            nmse_db = float(nmse.to_db(self._ratio_sum / valid))
        if valid and self._about:
            more = {"sgcs": self._sgcs_sum / valid}
        return {
            "model": self._encoder.codec["model"],
            "period_ms": 1e3 * self._schedule.period,
            "periods": self.periods,
            **{name: self.counts[name] for name in (*OUTCOMES, "late")},
            "superseded": self._source.superseded,
            "connections": self._link.connections,
            "nmse_db": nmse_db,
            **more,
            "encode_ms": _milliseconds(self._encode_seconds),
            "round_trip_ms": _milliseconds(self._trip_seconds),
        }


def _milliseconds(seconds: deque[float]) -> dict[str, float] | None:
    if not seconds:
        return None
    p50, p99 = 1e3 * np.percentile(seconds, [50, 99])
    return {"p50": p50, "p99": p99}
