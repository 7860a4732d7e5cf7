"""What a run reaches on its test split: one results row, truth and estimate."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from serving.codec import bitstream
from tfds_builders import subbands
from zoo import registry
from zoo.codeword import channel_noise, codeword_path
from zoo.codeword.entropy_coding import EntropyCodec
from zoo.config import ExperimentConfig
from zoo.data import splits, training_source
from zoo.data.batches import BATCH, in_batches
from zoo.layers.entropy_model import EntropyBottleneck
from zoo.metrics import accuracy, complexity, precoding
from zoo.metrics.results_row import klt_db, nmse_metrics, stored_part
from zoo.models.autoencoder import CsiAutoencoder, alone
from zoo.run_directory import RunDirectory
from zoo.training import run_row
from zoo.training.pairing import Pair


def decode(model: CsiAutoencoder, codeword: np.ndarray, *uplink) -> np.ndarray:
    """Zero-centred CSI `[snapshots, N_t, N_a, 2]` float32 of codewords `[n, M]`."""
    if model.receiver is not None:
        codeword = model.receiver.predict(codeword, batch_size=BATCH, verbose=0)
    inputs = alone([codeword, *uplink])
    csi = model.decoder.predict(inputs, batch_size=BATCH, verbose=0)
    return accuracy.frames(csi) - np.float32(0.5)


def through_bits(codeword: np.ndarray, quantizer) -> tuple[np.ndarray, int]:
    """Send normalised codewords through real payload bytes.

    Returns:
        The dequantised codewords `[n, M]` float32 and the payload bytes per CSI.
    """
    sections = codeword_path.sections(quantizer, codeword.shape[1])
    indices = in_batches(quantizer.indices, codeword)
    payload = bitstream.pack_sections(indices, sections)
    indices = bitstream.unpack_sections(payload, sections)
    return in_batches(quantizer.dequantize, indices), payload.shape[1]


def with_noise(
    settings: ExperimentConfig, csi_noise: str | None, test_snr_db: float | None
) -> ExperimentConfig:
    """Configuration with other test noise; None keeps the run's, 'none' is clean CSI.

    Raises:
        ValueError: noise without SNR, or an SNR without noise.
    """
    given = {"csi_noise": csi_noise, "test_snr_db": test_snr_db}
    changes = {name: value for name, value in given.items() if value is not None}
    if csi_noise == "none":
        changes = {"train_snr_db": math.inf, "test_snr_db": math.inf, **changes}
    return dataclasses.replace(settings, **changes)


def evaluate(
    run: RunDirectory,
    csi_noise: str | None = None,
    test_snr_db: float | None = None,
    feedback_snr_db: float | None = None,
    uplink: str = "paired",
    test_split: str | None = None,
) -> tuple[dict, np.ndarray, np.ndarray]:
    """Evaluate a run's best weights on its test split, read once.

    Args:
        run: the run; of one side alone the `Pair`.
        csi_noise: kind of test noise instead of the run's.
        test_snr_db: SNR of the test instead of the run's.
        feedback_snr_db: SNR of the codeword instead of the run's.
        uplink: 'paired', or 'shuffled' to give each decoder that of another drop.
        test_split: split that is tested on instead of the run's.

    Returns:
        The results row, and zero-centred truth and recovered CSI
        `[n, N_t, N_a, 2]` float32.

    Raises:
        FileNotFoundError, ValueError: no such run, damaged files or unusable data.
    """
    settings = with_noise(run.config(), csi_noise, test_snr_db)
    settings = dataclasses.replace(
        settings, test_split=test_split or settings.test_split
    )
    snr_db = settings.feedback_snr_db if feedback_snr_db is None else feedback_snr_db
    _check(run, settings, snr_db, uplink)
    model = run.load(splits.check(settings, ("test",)))
    builder = splits.open_builder(
        settings.dataset, settings.data_dir, settings.manual_dir
    )
    test = splits.load_split(settings, "test")
    has_train = "train" in builder.info.splits  # not where the test file is alone
    train = splits.load_split(settings, "train") if has_train else None
    csi_shape = test.csi.shape[1:]
    codeword = model.encoder.predict(test.csi, batch_size=BATCH, verbose=0)
    codeword = channel_noise.received(codeword, snr_db, settings.seed, "test")
    sent, bits = send(model, settings, codeword, train)
    side = _side(test, uplink)
    h_float = h_hat = decode(model, codeword, *side)
    if sent is not codeword:
        h_hat = decode(model, sent, *side)
    if settings.loss == "sgcs":
        h_hat = _of_unit_length(h_hat, settings.rank)
    row = {
        **run_row.describe(run, settings, builder, (csi_shape, codeword.shape[1])),
        "feedback_snr_db": None if snr_db == math.inf else snr_db,
        **bits,
        **_errors(settings, test.h, h_hat, h_float),
        "nmse_pca_db": train
        and klt_db(
            train.h, test.h, _klt_length(settings, codeword, csi_shape), test.h_seen
        ),
        "klt_data": train and _klt_data(settings, builder),
        "uplink": uplink if side else None,
        **test.frequency_metrics(h_hat),
        **complexity.summary(model),
        "num_test": len(test.csi),
        "num_train": None
        if run.origin != "ours"
        else training_source.num_train(settings, builder),
    }
    if isinstance(run, Pair):
        row |= run.describe(test.csi)
    return row, test.h, h_hat


def send(
    model: CsiAutoencoder,
    settings: ExperimentConfig,
    codeword,
    train: splits.Split | None,
) -> tuple[np.ndarray, dict]:
    """What arrives of codewords, and the bits per codeword that it took.

    Args:
        model: the network.
        settings: its quantiser applies.
        codeword: `[n, M]`.
        train: what the model of an entropy-coded codeword is fitted to, None where
            the data set has none.

    Returns:
        Codewords `[n, M]`; `feedback_bits`, None where they stay float.
    """
    if settings.bits:
        sent, payload_bytes = through_bits(codeword, model.quantizer)
        return sent, {"feedback_bits": 8 * payload_bytes}
    for layer in model.path:
        if isinstance(layer, EntropyBottleneck):
            if train is None:
                raise ValueError(
                    f"{settings.dataset} has a test split alone: --model="
                    f"{settings.model} fits its entropy coder to training CSI"
                )
            seen = model.encoder.predict(train.csi, batch_size=BATCH, verbose=0)
            return EntropyCodec(layer, seen).send(codeword)
    return codeword, {"feedback_bits": None}


def _errors(settings: ExperimentConfig, h, h_hat, h_float) -> dict:
    """NMSE of estimates behind the bits and before; none of a network without phase."""
    if settings.loss == "sgcs":
        return {"nmse_db": None, "nmse_float_db": None}
    before = accuracy.nmse_db(h, h_float)
    return nmse_metrics(h, h_hat) | {"nmse_float_db": before}


def _of_unit_length(h_hat: np.ndarray, rank: int) -> np.ndarray:
    """Recovered eigenvectors as a base station uses them."""
    vectors = precoding.unit(subbands.of_csi(h_hat, rank))
    return subbands.as_csi(vectors) - np.float32(0.5)


def _check(run: RunDirectory, settings: ExperimentConfig, snr_db: float, uplink: str):
    """Refuse what the run does not have, before any data are read."""
    if settings.bits and snr_db < math.inf:
        raise ValueError(
            f"--feedback_snr_db={snr_db}: {run.path} sends bits, which arrive or are "
            "refused; the noise is for real-valued codewords"
        )
    if uplink == "shuffled" and not registry.get(settings.model).takes_uplink:
        raise ValueError(f"--uplink=shuffled: --model={settings.model} takes no uplink")


def _side(test: splits.Split, uplink: str) -> tuple:
    """What the decoder is given beside the codeword."""
    if uplink == "shuffled":
        return tuple(np.roll(x, 1, axis=0) for x in test.side)
    return test.side


def _klt_data(settings: ExperimentConfig, builder) -> str:
    """What the KLT line is fitted to: the stored training data."""
    if settings.mix:
        return splits.read_from(settings)["train"]
    return stored_part(settings, builder, "train")


def _klt_length(settings: ExperimentConfig, codeword: np.ndarray, csi_shape) -> int:
    """Codeword entries per snapshot for the KLT line; of sequences made even.

    With an uplink those that are compressed, not the signs or phases behind them.
    """
    if registry.get(settings.model).takes_uplink:
        return settings.codeword_dim
    frames = csi_shape[:-3]
    length = codeword.shape[1] // (frames[0] if frames else 1)
    return length - length % 2 if frames else length
