"""Encoder and decoder that were trained apart, joined again."""

from __future__ import annotations

import dataclasses
import hashlib

import numpy as np

from zoo import files, registry
from zoo.config import ExperimentConfig
from zoo.config_checks import parse_object
from zoo.data import data_record
from zoo.data.batches import in_batches
from zoo.data.exchange import SETTINGS
from zoo.models.autoencoder import CsiAutoencoder, connect
from zoo.run_directory import RunDirectory

SHARED = tuple(SETTINGS["properties"])  # flags that both sides must agree on
DATA = ("dataset", "mix", "data_dir", "manual_dir", "num_train", "num_validation")
DATA += ("num_test",)


def shared(settings: ExperimentConfig) -> dict:
    """Flags that the other side must have as they are here."""
    told = {name: getattr(settings, name) for name in SHARED}
    return told | {"dataset": settings.dataset.partition(":")[0]}


def pairing_id(run: RunDirectory) -> str:
    """Name of a run's pair of encoder and decoder: 16 digits."""
    told = [*sorted(shared(run.config()).items()), files.sha256(run.weights)]
    return hashlib.sha256(repr(told).encode()).hexdigest()[:16]


def check(run: RunDirectory, first: RunDirectory | None) -> None:
    """Refuse a run that is not whole, or that is no other side of `first`.

    Args:
        run: to evaluate.
        first: the run that handed over; None: none is given.

    Raises:
        ValueError: as said.
    """
    apart = run.config().collaboration != "joint"
    if apart and first is None:
        raise ValueError(
            f"{run.path} is one side alone: give --partner=DIR, the run that has "
            "handed over to it"
        )
    if first is None:
        return
    if not apart:
        raise ValueError(
            f"--partner={first.path}: {run.path} was trained with both of its sides, "
            "leave it out"
        )
    names = [x["pairing_id"] for x in data_record.read(run.data).get("exchange", [])]
    if pairing_id(first) not in names:
        raise ValueError(
            f"--partner={first.path} is pair {pairing_id(first)}, {run.path} was "
            f"trained for {', '.join(names) or 'none'}: give the run that handed over"
        )


def settings_of(run: RunDirectory, first: RunDirectory) -> ExperimentConfig:
    """Network and training of the second side, data of the first."""
    theirs = first.config()
    data = {name: getattr(theirs, name) for name in DATA}
    return dataclasses.replace(run.config(), collaboration="joint", exchange="", **data)


def load(run: RunDirectory, first: RunDirectory, csi_shape) -> CsiAutoencoder:
    """The pair as one network.

    Args:
        run: the second side.
        first: the run that handed over.
        csi_shape: (N_t, N_a, 2) of the data.
    """
    ue, nw = run.load(csi_shape), first.load(csi_shape)
    if run.config().collaboration == "ue_first":
        ue, nw = nw, ue
    return connect(ue.encoder, nw.decoder, nw.path, nw.receiver)


def agreement(run: RunDirectory, first: RunDirectory, csi: np.ndarray) -> float:
    """Share of codeword entries for which both encoders send the same index.

    Args:
        run: an encoder for the decoder of `first`.
        first: the run that handed over.
        csi: `[n, N_t, N_a, 2]` float32 in [0, 1].
    """
    sent = []
    for side in (run, first):
        model = side.load(csi.shape[1:])
        codeword = in_batches(lambda x, m=model: m.encoder(x, training=False), csi)
        sent.append(np.asarray(model.quantizer.indices(codeword)))
    return float(np.mean(sent[0] == sent[1]))


def describe(run: RunDirectory, first: RunDirectory, test_csi: np.ndarray) -> dict:
    """What a results row says of a pair: who was first, both networks, the target.

    Args:
        run: the second side.
        first: the run that handed over.
        test_csi: the encoder's input of the test split.
    """
    record, kind = data_record.read(run.data), run.config().collaboration
    sides = (run, first) if kind == "nw_first" else (first, run)
    header = next(x for x in record["exchange"] if x["pairing_id"] == pairing_id(first))
    is_encoder = kind == "nw_first"
    return {
        "collaboration": kind,
        "pairing_id": header["pairing_id"],
        "pairs_of_training": len({x["pairing_id"] for x in record["exchange"]}),
        **dict(zip(("encoder", "decoder"), map(_network, sides), strict=True)),
        "performance_target": header["performance"],
        "num_train": record["num_train"],
        "index_agreement": agreement(run, first, test_csi) if is_encoder else None,
    }


def _network(run: RunDirectory) -> dict:
    settings = run.config()
    return {
        "model": registry.get(settings.model).name,
        "model_args": parse_object("model_args", settings.model_args),
        "seed": settings.seed,
        "weights_sha256": files.sha256(run.weights),
    }
