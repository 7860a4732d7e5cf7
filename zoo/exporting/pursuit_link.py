"""The pursuit with a plain stream, as the graphs of both ends take a network."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from serving.codec.coded_atoms import codeword_of
from serving.codec.plain_atoms import UNIT, PlainAtoms
from zoo.codecs.search import search

RIDGE = 1e-9  # added to the Gram matrix, which is singular where an atom comes twice


class PursuitLink:
    """Encoder, quantiser and decoder of a codeword of atoms.

    The codeword, float32 `[n, 4 atoms]`, holds for each atom its angle and delay, as
    shares of the grid's points, and its value, real and imaginary part. The plain
    stream sends the first K of them.

    Attributes:
        grid: what the atoms are.
        num_atoms: of the codeword.
        quantizer: codeword <-> indices of the plain stream.
    """

    def __init__(self, plain: PlainAtoms, num_atoms: int):
        self.grid, self.num_atoms = plain.grid, max(num_atoms, plain.num_atoms)
        self.quantizer = AtomQuantizer(plain, self.num_atoms)

    def encode(self, h: np.ndarray) -> np.ndarray:
        """Codeword of zero-centred CSI float32 `[n, N_t, N_a, 2]`, by NumPy."""
        found = search(self.grid, h[..., 0] + 1j * h[..., 1], self.num_atoms)
        atoms = found.angle, found.delay, found.value
        return codeword_of(self.grid, *atoms, self.num_atoms)

    def recover(self, codeword) -> tf.Tensor:
        """Zero-centred CSI float32 `[n, N_t, N_a, 2]` of a codeword.

        The basis is that of `serving.codec.atoms`, by the Cholesky factor of the Gram
        matrix of the atoms; in double precision.
        """
        angle, delay, value = _parts(codeword, self.num_atoms)
        left = tf.gather(tf.constant(self.grid.angles), _index(angle, self.grid.angles))
        right = tf.gather(
            tf.constant(self.grid.delays), _index(delay, self.grid.delays)
        )
        gram = tf.matmul(left, left, adjoint_b=True)
        gram *= tf.matmul(right, right, adjoint_b=True)
        # Rows are atoms: the inner products of atom i with j stand in row j.
        gram = tf.math.conj(gram) + RIDGE * np.eye(self.num_atoms)
        factor = tf.linalg.cholesky(gram)
        weights = tf.linalg.triangular_solve(factor, value[..., None], adjoint=True)
        h = tf.matmul(left * weights, right, transpose_a=True)
        return tf.cast(tf.stack([tf.math.real(h), tf.math.imag(h)], -1), tf.float32)


class AtomQuantizer:
    """Codeword of atoms <-> indices of a plain stream, as graphs.

    Args:
        plain: the stream.
        num_atoms: of the codeword.
    """

    def __init__(self, plain: PlainAtoms, num_atoms: int):
        self._plain, self._num_atoms = plain, num_atoms

    def frozen(self) -> AtomQuantizer:
        """The same map without variables: there are none."""
        return self

    def agreed(self) -> dict:
        """What both sides must know beside the name, for codec.json."""
        return self._plain.agreed()

    def indices(self, codeword) -> tf.Tensor:
        """Codeword float32 `[n, 4 atoms]`, or more atoms, to int32 `[n, indices]`."""
        plain = self._plain
        atoms = tf.reshape(
            codeword, [codeword.shape[0] or -1, codeword.shape[1] // 4, 4]
        )
        grid = plain.grid
        sizes = np.float32([grid.num_angles, grid.num_delays])
        places = tf.cast(tf.round(atoms[:, : plain.num_atoms, :2] * sizes), tf.int32)
        found, scale = [places[..., 0], places[..., 1]], np.float32(plain.largest)
        for i, (group, width) in enumerate(
            zip(plain.groups, plain.widths, strict=True)
        ):
            level = _levels(atoms[:, group, 2:], scale, width)
            found.append(tf.reshape(level, [-1, level.shape[1] * 2]))
            if i < len(plain.reach):
                scale = _next_scale(plain.reach[i], _middles(level, scale, width))
        return tf.concat(found, axis=1)

    def dequantize(self, indices) -> tf.Tensor:
        """Indices int32 `[n, indices]` to the codeword, zero behind the K-th atom."""
        plain = self._plain
        counts = [count for count, _ in plain.sections]
        angle, delay, *rest = tf.split(indices, counts, axis=1)
        scale, parts = np.float32(plain.largest), []
        for i, (level, width) in enumerate(zip(rest, plain.widths, strict=True)):
            level = tf.reshape(level, [-1, level.shape[1] // 2, 2])
            parts.append(_middles(level, scale, width))
            if i < len(plain.reach):
                scale = _next_scale(plain.reach[i], parts[-1])
        sizes = np.float32([plain.grid.num_angles, plain.grid.num_delays])
        places = tf.cast(tf.stack([angle, delay], axis=-1), tf.float32) / sizes
        places = tf.where(places < 1, places, np.nan)  # off the grid: not valid
        atoms = tf.concat([places, tf.concat(parts, axis=1)], axis=-1)
        more = self._num_atoms - plain.num_atoms
        return tf.reshape(
            tf.pad(atoms, [[0, 0], [0, more], [0, 0]]), [-1, 4 * self._num_atoms]
        )


def _levels(parts, scale, width: int):
    level = tf.floor((parts / scale + 1) * np.float32(2 ** (width - 1)))
    return tf.cast(tf.clip_by_value(level, 0, 2**width - 1), tf.int32)


def _middles(level, scale, width: int):
    share = (tf.cast(level, tf.float32) + 0.5) * np.float32(2 ** (1 - width))
    return (share - 1) * scale


def _next_scale(reach: int, parts):
    last = parts[:, -1:]
    return np.float32(reach / UNIT) * tf.sqrt(
        tf.reduce_sum(last * last, axis=2, keepdims=True)
    )


def _parts(codeword, num_atoms: int):
    """Shares of angle and delay float32, value complex128 `[n, atoms]`."""
    atoms = tf.reshape(codeword, [-1, num_atoms, 4])
    value = tf.cast(atoms[..., 2:], tf.float64)
    return atoms[..., 0], atoms[..., 1], tf.complex(value[..., 0], value[..., 1])


def _index(share, rows: np.ndarray):
    """Grid index of a share of its points; of no number, or outside, any one."""
    share = tf.where(tf.math.is_finite(share), share, 0.0)
    inside = tf.clip_by_value(tf.round(share * len(rows)), 0, len(rows) - 1)
    return tf.cast(inside, tf.int32)
