"""The coded stream of an exported pursuit: both ends of it (no TensorFlow).

The encoder file gives a codeword of atoms. The UE sends them entropy-coded, and what is
behind the receiver makes a codeword again, which a served decoder takes as it is
(signature `decode_float`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from serving.codec import atom_file, framing
from serving.codec.angle_delay_grid import AngleDelayGrid
from serving.codec.atom_decoder import AtomDecoder
from serving.codec.bitstream import BitstreamError
from serving.codec.ue_encoder import UeEncoder

PART = 4  # numbers of an atom in a codeword


def read_tables(directory: Path, codec: dict) -> AtomDecoder:
    """Tables of the coded stream of an export.

    Args:
        directory: the export.
        codec: content of its codec.json.

    Raises:
        FileNotFoundError: they are missing.
        ValueError: the export has none, or they are damaged or of another export.
    """
    name = codec.get("tables")
    sha256 = codec["files"].get(name) if isinstance(name, str) else None
    if not sha256:
        raise ValueError(
            f"{directory}: model {codec['model']} has no coded stream, only exports of "
            "python -m zoo.export --codec=pursuit have one"
        )
    return atom_file.read(directory / Path(name).name, sha256)


def atoms_of(grid: AngleDelayGrid, codeword: np.ndarray) -> tuple[np.ndarray, ...]:
    """Angle, delay and complex value `[n, atoms]` of codewords `[n, 4 atoms]`."""
    parts = codeword.reshape(len(codeword), -1, PART).astype(np.float64)
    angle, delay = (
        np.rint(parts[..., i] * size).astype(np.int64)
        for i, size in enumerate((grid.num_angles, grid.num_delays))
    )
    return angle, delay, parts[..., 2:] @ np.array([1, 1j])


def codeword_of(grid: AngleDelayGrid, angle, delay, value, atoms: int) -> np.ndarray:
    """Codewords float32 `[n, 4 atoms]` of so many atoms, value 0 where there are fewer.

    Args:
        grid: what the atoms are.
        angle: grid index `[n, at most atoms]`.
        delay: grid index.
        value: complex.
        atoms: of a codeword.
    """
    codeword = np.zeros((len(angle), atoms, PART), np.float32)
    shares = angle / grid.num_angles, delay / grid.num_delays
    each = np.stack([*shares, value.real, value.imag], axis=-1)
    codeword[:, : each.shape[1]] = each
    return codeword.reshape(len(angle), -1)


class CodedEncoder:
    """An encoder file whose reports are coded; used as `UeEncoder` is.

    Args:
        path: encoder.tflite of an export of the pursuit.
        report_bits: that no report exceeds, 8 or more; 0: those of the plain stream.
            One encoder serves all of them: a shorter report is a coarser CSI.
        runtime: of `UeEncoder`.
        any_csi: of `UeEncoder`.

    Raises:
        FileNotFoundError, ValueError: as `UeEncoder` and `read_tables`, or fewer bits.
    """

    def __init__(
        self,
        path: str | Path,
        report_bits: int = 0,
        runtime: str = "interpreter",
        any_csi: bool = False,
    ):
        if report_bits and report_bits < 8:
            raise ValueError(f"report_bits={report_bits}: expected 8 or more, or 0")
        self._encoder = UeEncoder(path, runtime, any_csi)
        self.codec, self.model_id = self._encoder.codec, self._encoder.model_id
        self.tables = read_tables(Path(path).parent, self.codec)
        self._bits = report_bits or 8 * self.codec["payload_bytes"]

    def encode_bits(self, h: np.ndarray) -> bytes:
        """Compress zero-centred CSI float `[N_t, N_a, 2]` to a payload.

        Raises:
            ValueError: as `UeEncoder.encode`.
        """
        codeword = self._encoder.encode(h)[None]
        angle, delay, value = (x[0] for x in atoms_of(self.tables.grid, codeword))
        levels = self.tables.tables.quantise(value)
        return self.tables.tables.encode(angle, delay, *levels, bits=self._bits)


class CodedReceiver:
    """Frames of coded reports to the codewords that a served decoder takes.

    Args:
        tables: of the export.
        codec: its codec.json.
    """

    def __init__(self, tables: AtomDecoder, codec: dict):
        self._tables = tables
        self._model_id = bytes.fromhex(codec["model_id"])
        self._version = framing.format_of(codec).version
        self._atoms = codec["codeword_dim"] // PART
        self.csi_shape = tuple(codec["csi_shape"])

    def codewords(self, received: Sequence[bytes]) -> tuple[np.ndarray, np.ndarray]:
        """Codewords float32 `[n, M]`, and whether a frame is whole, bool `[n]`."""
        payloads, valid = [], np.zeros(len(received), bool)
        for i, frame in enumerate(received):
            try:
                payloads.append(framing.unframe(frame, self._model_id, self._version))
                valid[i] = True
            except BitstreamError:
                payloads.append(b"")
        found = self._tables.atoms(payloads)
        return codeword_of(self._tables.grid, *found, self._atoms), valid
