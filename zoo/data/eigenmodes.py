"""Eigenvectors per subband of any data set: stored ones, or those of its CSI."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from tfds_builders import subbands, transforms
from zoo.config import ExperimentConfig
from zoo.data import split_reader
from zoo.data.stored_splits import chosen, last_taps
from zoo.metrics import accuracy

NUM_SUBBANDS = 13  # 52 resource blocks of 10 MHz, four in each
SUBCARRIERS = 4  # of a subband at least, where eigenvectors are made of CSI
BATCH = 256  # CSI at once


class PortArray(NamedTuple):
    """Antennas of the base station in the order of TS 38.214's ports.

    Attributes:
        columns: of the first dimension.
        rows: of the second.
        polarisations: 1 or 2, the slowest.
        beams: the DFT that made angles of them: over each dimension ('each'), or over
            all of them as if they were in a line ('all').
    """

    columns: int
    rows: int = 1
    polarisations: int = 1
    beams: str = "each"

    @property
    def num_ports(self) -> int:
        """P."""
        return self.columns * self.rows * self.polarisations


class Eigenmodes(NamedTuple):
    """Eigenvectors and eigenvalues of the subbands of n channels.

    Attributes:
        vectors: complex64 `[n, subbands, P, N_r]`, unit norm, the strongest first.
        values: float64 `[n, subbands, N_r]`.
    """

    vectors: np.ndarray
    values: np.ndarray


def array_of(builder) -> PortArray:
    """Array of a data set; a linear one where it does not say.

    Args:
        builder: TFDS builder; its metadata (own channels) or an attribute `array` give
            columns, rows and polarisations.
    """
    sizes = (builder.info.metadata or {}).get("array")
    if sizes is not None:
        return PortArray(*sizes, beams="each")
    if hasattr(builder, "array"):
        return PortArray(*builder.array, beams="all")
    return PortArray(builder.info.features["csi"].shape[-3])


def num_subbands_of(builder, wanted: int = 0) -> int:
    """N3 of a data set, which need not be there yet: those stored, or `NUM_SUBBANDS`.

    Args:
        builder: TFDS builder.
        wanted: N3; 0: any.

    Raises:
        ValueError: the data set stores others, or its CSI has fewer delays: so many
            taps have no more subbands of their own.
    """
    features = builder.info.features
    if "eigenvalues" not in features:
        most = max(NUM_SUBBANDS, features["csi"].shape[-2])
        if wanted > most:
            raise ValueError(
                f"--num_subbands={wanted}: {builder.name}/{builder.builder_config.name}"
                f" keeps {features['csi'].shape[-2]} delays, expected at most {most}"
            )
        return wanted or NUM_SUBBANDS
    have = features["eigenvalues"].shape[0]
    if wanted not in (0, have):
        raise ValueError(
            f"--num_subbands={wanted}: {builder.name}/{builder.builder_config.name} "
            f"stores {have}, leave it out"
        )
    return have


def input_shape(config: ExperimentConfig, builder) -> tuple[int, int, int]:
    """(P, subbands layers, 2) of a configuration, of data that need not be there yet.

    Args:
        config: dataset, rank and num_subbands apply.
        builder: TFDS builder of its data set.

    Raises:
        ValueError: as `num_subbands_of`, or more layers than there are.
    """
    features, ports = builder.info.features, array_of(builder).num_ports
    if "eigenvalues" in features:
        layers = features["eigenvalues"].shape[1]
    else:
        layers = features["csi"].shape[-3] // ports
    check_rank(config.rank, layers, config.dataset)
    return ports, num_subbands_of(builder, config.num_subbands) * config.rank, 2


def check_rank(rank: int, layers: int, dataset: str) -> None:
    """Refuse more layers than a data set has.

    Raises:
        ValueError: it has fewer than `rank`.
    """
    if rank > layers:
        raise ValueError(
            f"--rank={rank}: {dataset} has {layers} layers, one for each receive "
            "antenna"
        )


def load(
    config: ExperimentConfig,
    split: str,
    num_subbands: int = 0,
    phase: str = "port",
    at_most: int = 0,
) -> Eigenmodes:
    """Eigenvectors of one split, one layer per receive antenna.

    Args:
        config: data set and numbers of examples apply; noise does not.
        split: 'train', 'validation' or 'test'.
        num_subbands: N3; 0: those stored, or `NUM_SUBBANDS`.
        phase: one of `subbands.PHASES`.
        at_most: read only so many; 0: no limit.

    Raises:
        ValueError: noise, other subbands than those stored, or unusable data.
    """
    if config.csi_noise != "none":
        raise ValueError(
            f"--csi_noise={config.csi_noise}: eigenvectors are those of clean "
            "channels, leave it out"
        )
    builder, stored, count = chosen(config, split, at_most)
    num_subbands = num_subbands_of(builder, num_subbands)
    if "eigenvalues" in builder.info.features:
        names = {"eigenvectors", "eigenvalues"}
        read = split_reader.read(builder, stored, count, names)
        vectors, values = accuracy.to_complex(read["eigenvectors"]), read["eigenvalues"]
    else:
        split_reader.check_fits(config, builder.info.features)
        read = split_reader.read(builder, stored, count, {"csi", "scale"})
        csi = split_reader.scaled(config, builder, read, stored)["csi"]
        h = accuracy.to_complex(csi - np.float32(0.5))
        last = last_taps(builder)
        vectors, values = of_csi(h, array_of(builder), num_subbands, last)
    return Eigenmodes(subbands.with_phase(vectors, phase), values.astype(np.float64))


def of_csi(
    h: np.ndarray, array: PortArray, num_subbands: int, last_taps: int = 0
) -> Eigenmodes:
    """Eigenvectors of truncated angular-delay CSI, phases as they come.

    The band is cut into equal subbands, with as many subcarriers each as its taps need,
    4 or more.

    Args:
        h: complex `[n, N_r P, N_a]`, receive antennas side by side.
        array: P ports.
        num_subbands: N3.
        last_taps: of the N_a delays, those that are the last of all.

    Raises:
        ValueError: angles that are no multiple of the ports.
    """
    receive, rest = divmod(h.shape[1], array.num_ports)
    if rest or not receive:
        raise ValueError(f"{h.shape[1]} angles of an array of {array.num_ports} ports")
    each = max(SUBCARRIERS, math.ceil(h.shape[2] / num_subbands))
    parts = []
    for start in range(0, len(h), BATCH):
        part = transforms.delay_to_frequency(
            h[start : start + BATCH], each * num_subbands, last=last_taps
        )
        ports = _ports(part, array).reshape(len(part), receive, array.num_ports, -1)
        ports = np.moveaxis(ports, -1, 1)
        ports = ports.reshape(len(part), num_subbands, each, *ports.shape[2:])
        parts.append(subbands.eigenmodes(ports, receive))
    return Eigenmodes(*map(np.concatenate, zip(*parts, strict=True)))


def _ports(h: np.ndarray, array: PortArray) -> np.ndarray:
    """Antennas of angles, `[n, N_r P, subcarriers]` both."""
    shape, axes = h.shape, (2, 3)
    if array.beams == "all":
        blocks, axes = h, (1,)
    else:
        blocks = h.reshape(len(h), -1, array.columns, array.rows, shape[-1])
    blocks = np.fft.ifftshift(blocks, axes=axes)
    return np.fft.ifftn(blocks, axes=axes, norm="ortho").reshape(shape)
