"""The frame around one payload: what a UE sends (NumPy and the standard library only).

    offset  bytes  field
    0       1      version, 1 or 2
    1       4      model id (names the encoder/decoder pair)
    5       2      payload length P, big-endian
    7       0 4    sequence number, big-endian (version 2)
    7 11    P      payload
    ...     4 8    CRC-32 (zlib's), version 2: CRC-64 (XZ's), of everything before it

An export says in codec.json which version its two ends speak. The sequence number lets
a receiver refuse a frame that it has had (`ReplayGuard`), and whoever asked a decoder
see that an answer is that of his own frame. Neither version says who sent a frame: that
is what the radio link's own integrity protection and TLS are for.
"""

from __future__ import annotations

import struct
import time
import zlib
from collections.abc import Callable, Hashable
from typing import NamedTuple

import numpy as np

from serving.codec.bitstream import BitstreamError
from serving.codec.crc64 import crc64

MODEL_ID_BYTES = 4
MAX_PAYLOAD_BYTES = 0xFFFF
PREFIX_BYTES = 7  # of both versions: version, model id, payload length
_PREFIX = struct.Struct(f">B{MODEL_ID_BYTES}sH")
_SEQUENCES = 1 << 32
TICKS = 100  # sequence numbers per second that a UE may use


class Format(NamedTuple):
    """Sizes of one version, and its CRC: `crc(data, crc of what comes before)`."""

    version: int
    sequence_bytes: int
    crc_bytes: int
    crc: Callable[..., int]

    @property
    def header_bytes(self) -> int:
        """Bytes before the payload."""
        return PREFIX_BYTES + self.sequence_bytes

    @property
    def overhead_bytes(self) -> int:
        """Bytes of a frame that are not payload."""
        return self.header_bytes + self.crc_bytes


FORMATS = {1: Format(1, 0, 4, zlib.crc32), 2: Format(2, 4, 8, crc64)}


def format_of(codec: dict) -> Format:
    """The format of an export; one that does not say has version 1.

    Args:
        codec: content of codec.json.

    Raises:
        ValueError: a version that is not known here.
    """
    version = codec.get("frame_version", 1)
    if version not in FORMATS:
        raise ValueError(
            f"codec.json: frame_version is {version!r}, expected one of "
            f"{sorted(FORMATS)}: made by a newer version of this project?"
        )
    return FORMATS[version]


def prefix(payload_bytes: int, model_id: bytes, version: int = 1) -> bytes:
    """The first `PREFIX_BYTES` of every frame of one encoder/decoder pair."""
    if len(model_id) != MODEL_ID_BYTES:
        raise BitstreamError(
            f"model id of {len(model_id)} bytes: expected {MODEL_ID_BYTES}"
        )
    if not 1 <= payload_bytes <= MAX_PAYLOAD_BYTES:
        raise BitstreamError(
            f"payload of {payload_bytes} bytes: expected 1 to {MAX_PAYLOAD_BYTES}"
        )
    return _PREFIX.pack(version, bytes(model_id), payload_bytes)


def frame(payload: bytes, model_id: bytes, sequence: int | None = None) -> bytes:
    """Wrap one payload: version 1 without a sequence number, version 2 with one."""
    form = FORMATS[1 if sequence is None else 2]
    message = prefix(len(payload), model_id, form.version)
    if sequence is not None:
        if not 0 <= sequence < _SEQUENCES:
            raise BitstreamError(
                f"sequence number {sequence}: expected 0 to {_SEQUENCES - 1}"
            )
        message += sequence.to_bytes(form.sequence_bytes, "big")
    message += bytes(payload)
    return message + form.crc(message).to_bytes(form.crc_bytes, "big")


def unframe(frame: bytes, model_id: bytes | None = None, version: int = 1) -> bytes:
    """Check one frame and return its payload.

    Args:
        frame: the received bytes, exactly one frame.
        model_id: 4 bytes the frame must carry; None accepts every model.
        version: that the frame must have: a receiver of version 2 that took version 1
            as well would check no more than that.

    Raises:
        BitstreamError: wrong version, length, CRC or model id.
    """
    form = FORMATS[version]
    if len(frame) <= form.overhead_bytes:
        raise BitstreamError(
            f"frame of {len(frame)} bytes: expected more than {form.overhead_bytes}"
        )
    received_version, received_id, length = _PREFIX.unpack_from(frame)
    if received_version != version:
        raise BitstreamError(f"frame version {received_version}: expected {version}")
    if len(frame) != length + form.overhead_bytes:
        raise BitstreamError(
            f"frame length {len(frame)} bytes: "
            f"expected {length + form.overhead_bytes} by its header"
        )
    message, received = frame[: -form.crc_bytes], frame[-form.crc_bytes :]
    expected = form.crc(message).to_bytes(form.crc_bytes, "big")
    if received != expected:
        raise BitstreamError(
            f"frame CRC {received.hex()}: expected {expected.hex()}, frame is damaged"
        )
    if model_id is not None and received_id != model_id:
        raise BitstreamError(
            f"frame model id {received_id.hex()}: expected {bytes(model_id).hex()}, "
            "use the encoder and decoder of one export"
        )
    return bytes(message[form.header_bytes :])


def sequence(frame: bytes) -> int | None:
    """Sequence number of a frame as it stands there, unchecked; None: it has none."""
    form = FORMATS.get(frame[0]) if frame else None
    if form is None or not form.sequence_bytes or len(frame) < form.header_bytes:
        return None
    return int.from_bytes(frame[PREFIX_BYTES : form.header_bytes], "big")


class Framer:
    """Makes the frames of one UE, numbered where the export asks for it.

    Numbers go up by one with each frame, from the time in hundredths of a second on.
    So a UE that starts anew is ahead of what it sent before, as long as it reports at
    most 100 times a second.

    The attribute `form` is their format.

    Args:
        codec: content of codec.json.
        start: first sequence number; None: the time.
    """

    def __init__(self, codec: dict, start: int | None = None):
        self._model_id = bytes.fromhex(codec["model_id"])
        self.form = format_of(codec)
        self._next = int(time.time() * TICKS) if start is None else start

    def __call__(self, payload: bytes) -> bytes:
        """The next frame, around `payload`."""
        if not self.form.sequence_bytes:
            return frame(payload, self._model_id)
        number = self._next % _SEQUENCES
        self._next += 1
        return frame(payload, self._model_id, number)


def is_newer(number: int, last: int) -> bool:
    """Whether a sequence number comes after another; they start anew after 2**32."""
    return 0 < (number - last) % _SEQUENCES < _SEQUENCES // 2


class ReplayGuard:
    """Tells frames of a sender that are new from those that it has had.

    Who the sender is, the receiver knows from the link that a frame came in by. Ask
    about frames whose CRC was right only.
    """

    def __init__(self):
        self._last: dict[Hashable, int] = {}

    def is_new(self, sender: Hashable, frame: bytes) -> bool:
        """Whether a frame is newer than its sender's last; if so, it now is the last.

        Frames of version 1 have no number and are always new.
        """
        number = sequence(frame)
        if number is None:
            return True
        last = self._last.get(sender)
        if last is not None and not is_newer(number, last):
            return False
        self._last[sender] = number
        return True

    def forget(self, sender: Hashable) -> None:
        """Forget a sender that has left, or was set up anew."""
        self._last.pop(sender, None)


def crc_affine(num_bytes: int, form: Format) -> tuple[np.ndarray, np.ndarray]:
    """The CRC of a fixed-length message as an affine map over GF(2).

    `crc bits = (message bits @ matrix + constant) mod 2`, most significant bit first on
    both sides, so a matrix product checks a CRC where only tensor operations exist.

    Args:
        num_bytes: message length, at least 1.
        form: whose CRC, of C bytes.

    Returns:
        `matrix` uint8 `[8 * num_bytes, 8 * C]` and `constant` uint8 `[8 * C]`.
    """
    if num_bytes < 1:
        raise ValueError(f"num_bytes={num_bytes}: expected at least 1")
    zero_byte = form.crc(b"\0")
    # What one set bit adds depends only on the bytes after it: start with none and
    # append a zero byte per step.
    row = [form.crc(bytes([0x80 >> bit])) ^ zero_byte for bit in range(8)]
    rows = [row]
    for _ in range(num_bytes - 1):
        row = [form.crc(b"\0", crc) ^ zero_byte for crc in row]
        rows.append(row)
    added = [crc for row in rows[::-1] for crc in row]
    matrix = _crc_bits(added, form.crc_bytes)
    return matrix, _crc_bits([form.crc(bytes(num_bytes))], form.crc_bytes)[0]


def _crc_bits(crcs: list[int], crc_bytes: int) -> np.ndarray:
    octets = b"".join(crc.to_bytes(crc_bytes, "big") for crc in crcs)
    rows = np.frombuffer(octets, np.uint8).reshape(-1, crc_bytes)
    return np.unpackbits(rows, axis=-1)
