"""What a trained run makes of other codewords, or channels, than in its evaluation.

Nothing is trained: noise or bits of a codeword, and the channels it is made of, change
on the test split alone.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import NamedTuple

import numpy as np

from tfds_builders import subbands
from zoo.codeword import channel_noise
from zoo.codeword.codeword_path import make_quantizer
from zoo.config import ExperimentConfig
from zoo.data import splits, training_source
from zoo.metrics import accuracy, klt_line, precoding
from zoo.models.autoencoder import CsiAutoencoder
from zoo.run_directory import RunDirectory
from zoo.training import evaluation
from zoo.training.session import QUANTIZER_EXAMPLES

KEPT = 8  # runs, or data sets, in memory
GRID = {"per_entry": True}  # each codeword entry has its own range


class Tested(NamedTuple):
    """A run and a test split.

    Attributes:
        model: network with its best weights.
        test: the split.
        codeword: of the split, `[n, M]`.
    """

    model: CsiAutoencoder
    test: splits.Split
    codeword: np.ndarray

    def nmse_db(self, codeword: np.ndarray) -> float:
        """NMSE [dB] of what the decoder makes of received codewords `[n, M]`."""
        return accuracy.nmse_db(self.test.h, evaluation.decode(self.model, codeword))


def on(
    settings: ExperimentConfig, dataset: str = "", split: str = ""
) -> ExperimentConfig:
    """Configuration with another data set or test split; '' keeps its own."""
    return dataclasses.replace(
        settings,
        dataset=dataset or settings.dataset,
        mix="" if dataset else settings.mix,
        test_split=split or settings.test_split,
    )


@functools.lru_cache(KEPT)
def tested(run: RunDirectory, dataset: str = "", split: str = "") -> Tested:
    """A run on a test split of its data set or another, scaled as its own is."""
    test = splits.load_split(on(run.config(), dataset, split), "test")
    model = run.load(test.csi.shape[1:])
    codeword = model.encoder.predict(test.csi, batch_size=evaluation.BATCH, verbose=0)
    return Tested(model, test, codeword)


@functools.cache
def cross_db(
    run: RunDirectory, dataset: str = "", snr_db: float = math.inf, split: str = ""
) -> float:
    """NMSE [dB] on a test split, also of other channels than those of the training.

    Args:
        run: the run.
        dataset: of the test split; '' is the run's own.
        snr_db: SNR of the codeword, the only one at the decoder.
        split: one of the data set's test splits; '' is the run's own.
    """
    found = tested(run, dataset, split)
    return found.nmse_db(
        channel_noise.received(found.codeword, snr_db, run.config().seed, "test")
    )


@functools.cache
def lost_sgcs(run: RunDirectory, dataset: str = "") -> float:
    """1 - SGCS [%] of eigenvectors behind the bits of a run, on a test split.

    Args:
        run: the run.
        dataset: of the test split; '' is the run's own.
    """
    found = tested(run, dataset)
    codeword, _ = evaluation.through_bits(found.codeword, found.model.quantizer)
    vectors = subbands.of_csi(
        evaluation.decode(found.model, codeword), run.config().rank
    )
    truth = found.test.eigen
    v = truth.vectors[..., : truth.rank]
    return 100 * (1 - precoding.likeness(v, vectors, truth.values)["sgcs"])


def noisy_db(run: RunDirectory, snr_db: float) -> float:
    """NMSE [dB] with noise of an SNR on the codeword, the only one at the decoder."""
    return cross_db(run, "", snr_db)


def zero_db(run: RunDirectory, dataset: str = "") -> float:
    """NMSE [dB] of the estimate 0, which takes no feedback."""
    h = splits.load_split(on(run.config(), dataset), "test").h
    return accuracy.nmse_db(h, np.zeros_like(h))


@functools.lru_cache(KEPT)
def _fitted(run: RunDirectory):
    """First training codewords, for a quantiser's grid, and the run's test."""
    csi = training_source.training_examples(run.config(), QUANTIZER_EXAMPLES)
    found = tested(run)
    given = found.model.encoder.predict(csi, batch_size=evaluation.BATCH, verbose=0)
    return given, found


def quantised_db(run: RunDirectory, bits: int) -> float:
    """NMSE [dB] with B bits per codeword entry of a run trained without quantiser.

    The grid is the one that `--quantizer=qat` starts with: even steps over each entry's
    range in 2,000 training CSI.
    """
    given, found = _fitted(run)
    quantizer = make_quantizer("qat", bits, GRID)
    quantizer.build(given.shape)
    quantizer.fit(given)
    return found.nmse_db(evaluation.through_bits(found.codeword, quantizer)[0])


@functools.lru_cache(KEPT)
def _basis(settings: ExperimentConfig) -> np.ndarray:
    """KLT of the stored training CSI of a configuration."""
    return klt_line.fit(splits.load_split(settings, "train").h, settings.codeword_dim)


def klt_cross_db(run: RunDirectory, dataset: str = "", split: str = "") -> float:
    """NMSE [dB] of the linear KLT of a run's training CSI on other channels."""
    h = splits.load_split(on(run.config(), dataset, split), "test").h
    return accuracy.nmse_db(h, klt_line.reconstruct(h, _basis(run.config())))


def klt_noisy_db(run: RunDirectory, snr_db: float) -> float:
    """NMSE [dB] of the linear KLT with noise of an SNR on its M real numbers."""
    settings = run.config()
    basis, h = _basis(settings), tested(run).test.h
    x = accuracy.to_complex(h).reshape(len(h), -1)
    sent = (x @ basis.conj()).astype(np.complex64).view(np.float32)
    arrived = channel_noise.received(sent, snr_db, settings.seed, "test")
    x_hat = arrived.view(np.complex64) @ basis.T
    return accuracy.nmse_db(x, x_hat)
