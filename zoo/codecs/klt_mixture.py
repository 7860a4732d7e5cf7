"""Several KLTs, each for channels of its own kind: a label, then the coefficients.

All components share one step (one water level), so that a bit is worth the same in each
of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from serving.codec import prefix_coder
from zoo.codecs import transform_codec
from zoo.codecs.step_search import bisect
from zoo.codecs.transform_codec import TransformCodec
from zoo.codecs.transforms import Karhunen

ROUNDS = 6  # of labels and bases, each fitted to the other
HELD_OUT = 1_000  # training CSI that the bits are counted of, a tenth at most
COMMON = 400  # leading components of all channels, within which the kinds differ


@dataclass(frozen=True)
class MixtureCodec:
    """Encoder and decoder at one operating point.

    Attributes:
        kinds: codecs of one step.
        labels: frequencies of the kinds, `[kinds]`, see `prefix_coder`.
        weight: squared error that a bit is worth.
    """

    kinds: list[TransformCodec]
    labels: np.ndarray
    weight: float

    def __post_init__(self):
        labels = prefix_coder.check_tables(self.labels, "labels")
        if labels.ndim != 1 or len(labels) != len(self.kinds):
            raise ValueError(f"{len(labels)} labels of {len(self.kinds)} kinds")

    def encode(self, h: np.ndarray, budget: int = 0) -> list[bytes]:
        """Report of each CSI `[n, N_t, N_a]`, cut to `budget` bits (0: not)."""
        label, found, _ = self.choice(h)
        first = prefix_coder.Model(self.labels)
        reports = []
        for i, k in enumerate(label.tolist()):
            kind, levels = self.kinds[k], found[k][i]
            contexts = kind.transform.contexts(levels[None])[0]
            symbols = kind.tables.symbols(levels, contexts)
            reports.append(prefix_coder.encode([(k, first), *symbols]))
        return [r[: budget // 8] if budget else r for r in reports]

    def choice(self, h: np.ndarray) -> tuple[np.ndarray, list[np.ndarray], np.ndarray]:
        """The kind of the least Lagrangian cost.

        Args:
            h: CSI, complex `[n, N_t, N_a]`.

        Returns:
            Label `[n]`; levels in each kind; ideal bits of the label's `[n]`.
        """
        found = [kind.levels(h) for kind in self.kinds]
        costs, bits = [], []
        for kind, levels, share in zip(self.kinds, found, self.labels, strict=True):
            error = np.sum(np.abs(kind.csi(levels) - h) ** 2, axis=(1, 2))
            bits.append(kind.lengths(levels) - np.log2(share / prefix_coder.TOTAL))
            costs.append(error + self.weight * bits[-1])
        label = np.argmin(costs, axis=0)
        return label, found, np.take_along_axis(np.array(bits), label[None], 0)[0]

    def decode(self, reports: Sequence[bytes]) -> np.ndarray:
        """CSI complex128 `[n, N_t, N_a]` of reports, or of their first bytes."""
        first = prefix_coder.Model(self.labels)
        h = np.zeros((len(reports), *self.kinds[0].shape), np.complex128)
        for i, report in enumerate(reports):
            decoder = prefix_coder.PrefixDecoder(report)
            label = decoder.next(first)
            if label is not None:
                kind = self.kinds[label]
                h[i] = kind.csi(kind.decode_levels(decoder)[None])[0]
        return h


def fit(h: np.ndarray, bits: float, num_kinds: int, seed: int = 0) -> MixtureCodec:
    """Codec whose reports have so many bits in the mean.

    The bits are those of training CSI that the kinds were not fitted to: of the others
    each kind knows its own too well.

    Args:
        h: zero-centred training CSI, complex `[n, N_t, N_a]`, 20 or more.
        bits: mean bits of a report.
        num_kinds: K.
        seed: of the first labels.
    """
    num = min(HELD_OUT, len(h) // 10)
    h, later = h[:-num], h[-num:]
    common = Karhunen.fit(h).basis[:COMMON]
    z = h.reshape(len(h), -1) @ common.conj().T
    label = _labels(z.astype(np.complex64), num_kinds, seed)
    parts = [z[label == k] for k in range(num_kinds) if (label == k).any()]
    own = [Karhunen.fit(part) for part in parts]
    x = [basis.coefficients(p) for basis, p in zip(own, parts, strict=True)]
    transforms = [Karhunen(basis.basis @ common) for basis in own]
    labels = prefix_coder.tables_of(np.array([len(part) for part in parts]))

    def at(step: float) -> _AtStep:
        kinds = [
            transform_codec.made(t, transform_codec.fitted(t, part, step), h.shape[1:])
            for t, part in zip(transforms, x, strict=True)
        ]
        codec = MixtureCodec(kinds, labels, 2 * np.log(2) / 6 * step**2)
        return _AtStep(codec, float(codec.choice(later)[2].mean()))

    largest = max(np.abs(part).max() for part in x)
    return bisect(at, largest, bits, transform_codec.TRIALS).codec


class _AtStep(NamedTuple):
    codec: MixtureCodec
    mean_bits: float


def _labels(z: np.ndarray, num_kinds: int, seed: int) -> np.ndarray:
    """Kind of each CSI: the Gaussian that it is most likely of, found in turns."""
    noise = np.mean(np.abs(z) ** 2) / 10
    first = z[np.random.default_rng(seed).choice(len(z), num_kinds, replace=False)]
    likeness = np.abs(z @ first.conj().T) / np.linalg.norm(first, axis=1)
    label = likeness.argmax(axis=1)
    for _ in range(ROUNDS):
        costs = [_cost(z, z[label == k], noise) for k in range(num_kinds)]
        label = np.stack(costs, axis=1).argmin(axis=1)
    return label


def _cost(z: np.ndarray, part: np.ndarray, noise: float) -> np.ndarray:
    """Minus log-likelihood of coefficients under the Gaussian of some of them."""
    variance, vectors = np.linalg.eigh(part.T @ part.conj() / max(len(part), 1))
    variance = np.maximum(variance, 0) + noise
    return (np.abs(z @ vectors.conj()) ** 2 / variance).sum(1) + np.log(variance).sum()
