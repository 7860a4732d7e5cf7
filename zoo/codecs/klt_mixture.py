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
        found = [kind.levels(h) for kind in self.kinds]
        label = np.stack(self._costs(h, found), axis=1).argmin(axis=1)
        first = prefix_coder.model(self.labels)
        reports = []
        for i, k in enumerate(label.tolist()):
            kind, levels = self.kinds[k], found[k][i]
            contexts = kind.transform.contexts(levels[None])[0]
            symbols = kind.tables.symbols(levels, contexts)
            reports.append(prefix_coder.encode([(k, first), *symbols]))
        return [r[: budget // 8] if budget else r for r in reports]

    def _costs(self, h: np.ndarray, found: list[np.ndarray]) -> list[np.ndarray]:
        """Lagrangian cost of each CSI in each kind."""
        costs = []
        for k, (kind, levels) in enumerate(zip(self.kinds, found, strict=True)):
            error = np.abs(kind.csi(levels) - h) ** 2
            bits = kind.lengths(levels) - np.log2(self.labels[k] / prefix_coder.TOTAL)
            costs.append(error.sum(axis=(1, 2)) + self.weight * bits)
        return costs

    def decode(self, reports: Sequence[bytes]) -> np.ndarray:
        """CSI complex128 `[n, N_t, N_a]` of reports, or of their first bytes."""
        first = prefix_coder.model(self.labels)
        h = np.zeros((len(reports), *self.kinds[0].shape), np.complex128)
        for i, report in enumerate(reports):
            decoder = prefix_coder.PrefixDecoder(report)
            label = decoder.next(first)
            if label is not None:
                kind = self.kinds[label]
                h[i] = kind.csi(kind.decode_levels(decoder)[None])[0]
        return h


def fit(h: np.ndarray, bits: float, num_kinds: int, seed: int = 0) -> MixtureCodec:
    """Codec whose reports of training CSI have so many bits in the mean.

    Args:
        h: zero-centred training CSI, complex `[n, N_t, N_a]`.
        bits: mean bits of a report.
        num_kinds: K.
        seed: of the first labels.
    """
    common = Karhunen.fit(h).basis[:COMMON]
    z = h.reshape(len(h), -1) @ common.conj().T
    label = _labels(z.astype(np.complex64), num_kinds, seed)
    parts = [z[label == k] for k in range(num_kinds) if (label == k).any()]
    own = [Karhunen.fit(part) for part in parts]
    x = [basis.coefficients(p) for basis, p in zip(own, parts, strict=True)]
    transforms = [Karhunen(basis.basis @ common) for basis in own]
    share = np.array([len(part) / len(h) for part in parts])

    def at(step: float) -> _AllFitted:
        each = [
            transform_codec.fitted(t, part, step)
            for t, part in zip(transforms, x, strict=True)
        ]
        mean = sum(f.mean_bits * s for f, s in zip(each, share, strict=True))
        return _AllFitted(each, mean - float((share * np.log2(share)).sum()), step)

    largest = max(np.abs(part).max() for part in x)
    found = bisect(at, largest, bits, transform_codec.TRIALS)
    kinds = [
        transform_codec.made(t, f, h.shape[1:])
        for t, f in zip(transforms, found.each, strict=True)
    ]
    weight = 2 * np.log(2) / 6 * found.step**2
    return MixtureCodec(kinds, prefix_coder.tables_of(share), weight)


class _AllFitted(NamedTuple):
    each: list[transform_codec.Fitted]
    mean_bits: float
    step: float


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
