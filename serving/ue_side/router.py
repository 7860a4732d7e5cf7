"""One endpoint, several models: the header of a frame says which one decodes it."""

from __future__ import annotations

import json
from pathlib import Path

import grpc
import numpy as np

from serving.codec import bitstream
from serving.ue_side.decoder_client import Decoder

MAX_ROWS = 32  # of a request, where routes.json does not say


def read_routes(path: str | Path) -> dict:
    """Read the routes.json of `python -m serving.deployment`.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not a routes.json.
    """
    try:
        routes = json.loads(Path(path).read_text(encoding="utf-8"))
        names = [route["name"] for route in routes["models"].values()]
        routes["csi_shape"] = tuple(routes["csi_shape"])
        if routes.get("max_rows", MAX_ROWS) < 1:
            raise ValueError(f"max_rows {routes['max_rows']}")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{path} is not the routes.json of python -m serving.deployment"
        ) from error
    if not names:
        raise ValueError(f"{path} routes to no model")
    return routes


def model_id(frame: bytes) -> bytes:
    """The 4 bytes that name the encoder of a frame; fewer where it is cut short."""
    return frame[1 : 1 + bitstream.MODEL_ID_BYTES]


class Router:
    """Sends each frame to the model of its encoder.

    Attributes:
        unknown: frames so far whose model id no route knows, damaged ones included.

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
        self.unknown = 0
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
        self, frames: list[bytes], uplink: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Decode frames of any of the models, each model's in requests of `max_rows`.

        The first request that fails ends the call, and with it go the answers of the
        models that were asked before: send all frames again, or those of each model
        (`model_id`) by themselves.

        Args:
            frames: one for each CSI.
            uplink: magnitudes float32 `[n, 32, 32]`, for the models that take them.

        Returns:
            CSI float32 `[n, 32, 32, 2]` and valid bool `[n]`, in the order of `frames`;
            NaN and not valid where no model knows the frame.

        Raises:
            ConnectionError: the server has gone or is too slow.
            ValueError: the server refuses a request or answers another one, or
                `uplink` is missing.
        """
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
        return h, valid

    def _side(self, key: bytes, uplink, rows: list[int]) -> np.ndarray | None:
        if not self._takes_uplink[key]:
            return None
        if uplink is None:
            raise ValueError(f"model {key.hex()} takes the uplink: give it")
        return uplink[rows]
