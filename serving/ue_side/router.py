"""One endpoint, several models: the header of a frame says which one decodes it."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from pathlib import Path

import grpc
import numpy as np

from serving.codec import ue_encoder
from serving.codec.framing import MODEL_ID_BYTES, ReplayGuard
from serving.ue_side.decoder_client import Decoder
from tfds_builders.untrusted import json_files
from tfds_builders.untrusted.json_files import FLAG, POSITIVE, TEXT, record

MAX_ROWS = 32  # of a request, where routes.json does not say
_ROUTE = record({"name": TEXT, "uplink": FLAG})
SCHEMA = record(
    {
        "csi_shape": ue_encoder.SCHEMA["properties"]["csi_shape"],
        "models": {
            "type": "object",
            "patternProperties": {"^[0-9a-f]{8}$": _ROUTE},
            "additionalProperties": False,
        },
    },
    {"max_rows": POSITIVE},
)  # of routes.json


def read_routes(path: str | Path) -> dict:
    """Read the routes.json of `python -m serving.deployment`.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not a routes.json.
    """
    try:
        routes = json_files.read(path, SCHEMA)
    except ValueError as error:
        raise ValueError(
            f"{path} is not the routes.json of python -m serving.deployment ({error})"
        ) from error
    if not routes["models"]:
        raise ValueError(f"{path} routes to no model")
    routes["csi_shape"] = tuple(routes["csi_shape"])
    return routes


def model_id(frame: bytes) -> bytes:
    """The 4 bytes that name the encoder of a frame; fewer where it is cut short."""
    return frame[1 : 1 + MODEL_ID_BYTES]


class Router:
    """Sends each frame to the model of its encoder.

    Attributes:
        unknown: frames so far whose model id no route knows, damaged ones included.
        replayed: frames so far that their sender had sent before, or newer ones.
        guard: keeps the last number of each sender; `guard.forget(sender)` where one
            was set up anew.

    Args:
        endpoint: host:port of the gRPC server that has all models.
        routes: content of routes.json, by `read_routes`.
        timeout: seconds to wait for one answer.
        label: version label to ask for, such as `stable`; empty: the latest version.
        credentials: of TLS; None: plain connections.

    Raises:
        ConnectionError: nothing answers at `endpoint`.
        ValueError: the server does not have one of the models.
    """

    def __init__(
        self,
        endpoint: str,
        routes: dict,
        timeout: float,
        label: str = "",
        credentials: grpc.ChannelCredentials | None = None,
    ):
        self.unknown, self.replayed = 0, 0
        self.guard = ReplayGuard()
        self._shape = tuple(routes["csi_shape"])
        self._max_rows = routes.get("max_rows", MAX_ROWS)
        self._takes_uplink, self._decoders = {}, {}
        try:
            for model_id, route in routes["models"].items():
                key, name = bytes.fromhex(model_id), route["name"]
                decoder = Decoder(
                    endpoint, name, timeout, label, credentials, self._shape
                )
                self._decoders[key] = decoder
                self._takes_uplink[key] = route["uplink"]
        except (ConnectionError, ValueError):
            self.close()
            raise

    def __enter__(self) -> Router:
        return self

    def __exit__(self, *exc_info) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        for decoder in self._decoders.values():
            decoder.close()

    def decode(
        self,
        frames: list[bytes],
        uplink: np.ndarray | None = None,
        senders: Sequence[Hashable] | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Decode frames of any of the models, each model's in requests of `max_rows`.

        The first request that fails ends the call, and with it go the answers of the
        models that were asked before: send all frames again, or those of each model
        (`model_id`) by themselves.

        Args:
            frames: one for each CSI.
            uplink: magnitudes float32 `[n, 32, 32]`, for the models that take them.
            senders: who sent each frame, as the link below knows it. A frame of version
                2 that is not newer than the last one of its sender is not valid.

        Returns:
            CSI float32 `[n, 32, 32, 2]` and valid bool `[n]`, in the order of `frames`;
            NaN and not valid where no model knows the frame.

        Raises:
            ConnectionError: the server has gone or is too slow.
            ValueError: the server refuses a request or answers another one, `uplink` is
                missing, or there are not as many senders as frames.
        """
        if senders is not None and len(senders) != len(frames):
            raise ValueError(f"{len(senders)} senders of {len(frames)} frames")
        h = np.full((len(frames), *self._shape), np.nan, np.float32)
        valid = np.zeros(len(frames), bool)
        groups: dict[bytes, list[int]] = {}
        for position, frame in enumerate(frames):
            groups.setdefault(model_id(frame), []).append(position)
        for key, group in groups.items():
            if key not in self._decoders:
                self.unknown += len(group)
                continue
            for start in range(0, len(group), self._max_rows):
                rows = group[start : start + self._max_rows]
                side = self._side(key, uplink, rows)
                sent = [frames[row] for row in rows]
                h[rows], valid[rows] = self._decoders[key].decode(sent, side)
        if senders is not None:
            self._refuse_replays(frames, senders, h, valid)
        return h, valid

    def _refuse_replays(self, frames, senders, h, valid) -> None:
        # Valid frames only: a damaged one could claim any number.
        for row in np.flatnonzero(valid):
            if not self.guard.is_new(senders[row], frames[row]):
                valid[row], h[row] = False, np.nan
                self.replayed += 1

    def _side(self, key: bytes, uplink, rows: list[int]) -> np.ndarray | None:
        if not self._takes_uplink[key]:
            return None
        if uplink is None:
            raise ValueError(f"model {key.hex()} takes the uplink: give it")
        return uplink[rows]
