"""A connection that must have sent its request within a time."""

from __future__ import annotations

import socket
import time

from serving.api.load import READ_SECONDS


class TimedReader(socket.SocketIO):
    """Reads a connection until a deadline, however slowly its bytes drip in.

    Reading raises TimeoutError `READ_SECONDS` after the start.
    """

    def __init__(self, connection: socket.socket):
        super().__init__(connection, "r")
        self._connection = connection
        self._deadline = time.monotonic() + READ_SECONDS

    def readinto(self, buffer) -> int | None:
        """Read some bytes into `buffer`; returns their number, 0 at the end."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"no complete request within {READ_SECONDS} s")
        self._connection.settimeout(left)
        try:
            return super().readinto(buffer)
        except TimeoutError as error:
            raise TimeoutError(
                f"no complete request within {READ_SECONDS} s"
            ) from error
