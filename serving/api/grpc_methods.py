"""Methods of the gRPC services: read, limit, parse, answer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import grpc
from google.protobuf.message import DecodeError, Message

from serving.api import load
from serving.api.handlers import MAX_SECONDS
from serving.models.request_checks import ServingError

_GARBAGE = "Exception deserializing request!"  # as grpc itself says it
_NO_MESSAGE = "The method requires exactly one request message"
_FULL = "Concurrent RPC limit exceeded!"


class Method:
    """A method with one request and one answer, which reads and parses by itself.

    For grpc its requests are a stream: before a method of one request is called, it
    waits for that in a thread as long as the client likes, and what does not parse is
    kept until the client has gone.

    Args:
        costs: limits of the server.
        kind: class of the request.
        call: request and context -> answer.
    """

    def __init__(self, costs: load.Load, kind: type[Message], call: Callable):
        self._load, self._kind, self._call = costs, kind, call

    def __call__(self, messages: Iterator[bytes], context) -> bytes:
        """Answer a stream of one request."""
        answer = self._answer(messages, context)
        unsent = self._load.sending.begin(context.cancel, len(answer))
        if not context.add_callback(lambda: self._load.sending.over(unsent)):
            self._load.sending.over(unsent)  # the client has gone
        return answer

    def _answer(self, messages: Iterator[bytes], context) -> bytes:
        try:
            with self._load.reading.during(context.cancel):
                message = next(messages, None)
            if message is None:
                raise ServingError(grpc.StatusCode.UNIMPLEMENTED, _NO_MESSAGE)
            return self._worked(message, context)
        except ServingError as error:
            context.abort(error.code, error.message)

    def _worked(self, message: bytes, context) -> bytes:
        parsed = load.PARSED_BYTES * len(message)
        with (
            self._load.line.hold(len(message)),
            self._turn(context),
            self._load.work.hold(parsed, seconds_left(context)),
        ):
            return self._call(self._parsed(message), context).SerializeToString()

    @contextmanager
    def _turn(self, context) -> Iterator[None]:
        """Wait for a turn; here there is no line."""
        yield

    def _parsed(self, message: bytes) -> Message:
        try:
            return self._kind.FromString(message)
        except DecodeError as error:
            raise ServingError(grpc.StatusCode.INTERNAL, _GARBAGE) from error


class LimitedMethod(Method):
    """A method whose calls take turns.

    Args:
        costs: as of `Method`.
        kind: as of `Method`.
        call: as of `Method`.
        max_rpcs: calls worked on or in line; more are refused.
        num_turns: calls worked on at a time.
    """

    def __init__(self, costs, kind, call, max_rpcs: int, num_turns: int):
        super().__init__(costs, kind, call)
        self._room = threading.Semaphore(max_rpcs)
        self._turns = threading.Semaphore(num_turns)

    @contextmanager
    def _turn(self, context) -> Iterator[None]:
        if not self._room.acquire(blocking=False):
            raise ServingError(grpc.StatusCode.RESOURCE_EXHAUSTED, _FULL)
        try:
            if not self._turns.acquire(timeout=seconds_left(context)):
                raise ServingError(
                    grpc.StatusCode.DEADLINE_EXCEEDED, "No turn before the deadline"
                )
            try:
                if not context.is_active():
                    raise ServingError(grpc.StatusCode.CANCELLED, "The client has gone")
                yield
            finally:
                self._turns.release()
        finally:
            self._room.release()


class Watch(Method):
    """A stream of a status that does not change; it holds no thread."""

    experimental_non_blocking = True

    def __call__(self, messages, context, send: Callable[[bytes], None]) -> None:
        """Answer, and leave the stream open."""
        answer = self._answer(messages, context)
        watched = self._load.watching.begin(context.cancel)
        if not context.add_callback(lambda: self._load.watching.over(watched)):
            self._load.watching.over(watched)
        with self._load.sending.during(context.cancel, len(answer)):
            send(answer)


def seconds_left(context) -> float:
    """Seconds until the client's deadline; without one grpc says hundreds of years."""
    return min(context.time_remaining(), MAX_SECONDS)
