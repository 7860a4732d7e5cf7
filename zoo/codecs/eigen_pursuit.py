"""Pursuit of eigenvectors: a few beams and delays over the ports and subbands.

An eigenvector over its subbands is a sum of paths, as CSI is: a path is a beam of the
panel in one polarisation of one layer, and a delay over the subbands, both of an
oversampled grid. The enhanced Type II codebook has the same form on a fixed grid, L
beams times M delays of which it sends the largest. Here each path has a place of its
own, entropy-coded as in `pursuit`.

Every layer and subband has a free phase. As that codebook's encoder does, this one
turns them onto what the base station would read, and repeats.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from serving.codec.angle_delay_grid import AngleDelayGrid
from zoo.codecs import methods, pursuit_choice
from zoo.codecs.pursuit import PursuitCodec
from zoo.codecs.search import check_number, search
from zoo.data.eigenmodes import PortArray
from zoo.metrics import precoding

ROUNDS = 3  # of turning
OVERSAMPLING = (2, 4, 8)  # of the grids that are tried


@dataclass(frozen=True)
class EigenPursuit:
    """Encoder and decoder at one operating point.

    Attributes:
        codec: of eigenvectors as CSI, see `as_csi`.
        layers: of a report.
    """

    codec: PursuitCodec
    layers: int

    def encode(self, vectors: np.ndarray, budget: int = 0) -> list[bytes]:
        """Report of each channel.

        Args:
            vectors: complex `[n, N3, P, layers]`; neither norms nor phases of a layer
                and subband matter.
            budget: bits that no report exceeds, 8 or more; 0: no limit.

        Raises:
            ValueError: vectors of another shape, not finite, or a budget below a byte.
        """
        grid = self.codec.grid
        ports = grid.num_antennas // self.layers
        _check_shape(vectors, (grid.num_delay, ports, self.layers))
        if not len(vectors):
            return []
        vectors = aligned(vectors)
        for _ in range(ROUNDS):
            reports = self._reports(vectors, budget)
            vectors = turned(vectors, self.decode(reports))
        return self._reports(vectors, budget)

    def _reports(self, vectors: np.ndarray, budget: int) -> list[bytes]:
        return self.codec.encode(_first_real(self.codec.grid, vectors), budget)

    def decode(self, reports: list[bytes]) -> np.ndarray:
        """Precoders complex128 `[n, N3, P, layers]` of reports, or their first bytes.

        Columns have norm 1, or 0 where a report says nothing of them.
        """
        h = self.codec.decode(reports)
        return precoding.unit(as_vectors(self.codec.grid, h, self.layers))


def fit(
    array: PortArray,
    vectors: np.ndarray,
    bits: float,
    fixed: bool = False,
    oversampling: int = 0,
) -> EigenPursuit:
    """Codec of training eigenvectors.

    Args:
        array: P ports.
        vectors: complex `[n, N3, P, layers]`, 2 or more.
        bits: mean bits of a report.
        fixed: whether they are a budget that no report exceeds.
        oversampling: of the grid; 0: the best for the training channels.

    Raises:
        ValueError: bad eigenvectors, or bits that a report cannot have.
    """
    check_number(vectors)
    vectors = aligned(vectors)
    subbands, _, layers = vectors.shape[1:]
    _check_shape(vectors, (subbands, array.num_ports, layers))
    options = [oversampling] if oversampling else OVERSAMPLING
    grids = [grid_of(array, subbands, layers, over) for over in options]
    most = methods.most_atoms(bits)
    for _ in range(ROUNDS):
        h = _first_real(grids[0], vectors)
        codec = pursuit_choice.choose(grids, h, bits, most, fixed=fixed)
        sent = codec.decode(codec.encode(h, int(bits) if fixed else 0))
        vectors = turned(vectors, as_vectors(codec.grid, sent, layers))
        grids = [codec.grid]
    return EigenPursuit(codec, layers)


def _check_shape(vectors: np.ndarray, expected: tuple[int, int, int]) -> None:
    if np.shape(vectors)[1:] != expected:
        raise ValueError(
            f"eigenvectors of shape {list(np.shape(vectors))}, expected [n, "
            f"{', '.join(map(str, expected))}]: n, N3, ports, layers"
        )


def grid_of(
    array: PortArray, num_subbands: int, layers: int, oversampling: int
) -> AngleDelayGrid:
    """Paths of a panel: polarisations of all layers are blocks, delays wrap around."""
    blocks = array.polarisations * layers
    early = num_subbands // 2
    return AngleDelayGrid(
        f"upa:{array.columns}x{array.rows}x{blocks}",
        num_subcarriers=num_subbands,
        num_delay=num_subbands,
        last_taps=early,
        oversampling=oversampling,
        window=(-early, num_subbands - early),
    )


def as_csi(grid: AngleDelayGrid, vectors: np.ndarray) -> np.ndarray:
    """Eigenvectors `[n, N3, P, layers]` in angles and delays, `[n, layers P, N3]`."""
    n, subbands = vectors.shape[:2]
    ports = np.moveaxis(vectors, (3, 1), (1, 3)).reshape(n, -1, subbands)
    return np.fft.ifft(grid.antennas.T @ ports, axis=-1, norm="ortho")


def as_vectors(grid: AngleDelayGrid, h: np.ndarray, layers: int) -> np.ndarray:
    """Inverse of `as_csi`."""
    ports = np.fft.fft(grid.antennas.conj() @ h, axis=-1, norm="ortho")
    ports = ports.reshape(len(h), layers, ports.shape[1] // layers, h.shape[-1])
    return np.moveaxis(ports, (1, 3), (3, 1))


def _first_real(grid: AngleDelayGrid, vectors: np.ndarray) -> np.ndarray:
    """`as_csi` with the first path of each layer real: its phase need not be sent."""
    h, layers = as_csi(grid, vectors), vectors.shape[-1]
    *panel, blocks = grid.dimensions
    single = "x".join(map(str, (*panel, blocks // layers)))
    one = dataclasses.replace(grid, array=f"upa:{single}")
    first = search(one, h.reshape(-1, one.num_antennas, h.shape[-1]), 1).value
    turns = np.exp(-1j * np.angle(first)).reshape(len(h), layers, 1, 1)
    return (h.reshape(len(h), layers, -1, h.shape[-1]) * turns).reshape(h.shape)


def aligned(vectors: np.ndarray) -> np.ndarray:
    """Unit eigenvectors, subbands turned onto what they have most in common.

    Raises:
        ValueError: not `[n, N3, P, layers]`, NaN or infinity.
    """
    if np.ndim(vectors) != 4 or not np.isfinite(vectors).all():
        raise ValueError(
            f"eigenvectors of shape {list(np.shape(vectors))}: expected finite ones, "
            "[n, N3, P, layers]"
        )
    vectors = precoding.unit(vectors)
    common = np.linalg.svd(np.moveaxis(vectors, 3, 1))[2][:, :, 0]  # [n, layers, P]
    return turned(vectors, np.moveaxis(common, 1, 2)[:, None])


def turned(vectors: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Eigenvectors whose products with a target are real and positive."""
    inner = np.sum(target.conj() * vectors, axis=2, keepdims=True)
    return vectors * np.exp(-1j * np.angle(inner))
