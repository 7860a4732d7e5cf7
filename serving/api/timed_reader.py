"""A connection that must have sent its request within a time."""

from __future__ import annotations

import socket
import time

READ_SECONDS = 10


class TimedReader(socket.SocketIO):
    """Reads a connection until a deadline, however slowly its bytes drip in.

    Reading raises TimeoutError `READ_SECONDS` after the start or the last `restart`.
    """

    def __init__(self, connection: socket.socket):
        super().__init__(connection, "r")
        self._connection = connection
        self.restart()

    def restart(self) -> None:
        """Begin the time anew."""
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
