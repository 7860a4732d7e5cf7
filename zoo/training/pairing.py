"""Encoder and decoder that were trained apart, joined again."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from pathlib import Path

import numpy as np

from zoo import files, registry
from zoo.config import ExperimentConfig
from zoo.config_checks import parse_object
from zoo.data import data_record
from zoo.data.batches import in_batches
from zoo.data.exchange_header import SETTINGS
from zoo.models.autoencoder import CsiAutoencoder, connect
from zoo.run_directory import RunDirectory

SHARED = tuple(SETTINGS["properties"])  # flags that both sides must agree on
DATA = ("dataset", "mix", "data_dir", "manual_dir", "num_train", "num_validation")
DATA += ("num_test", "test_split")


def shared(settings: ExperimentConfig) -> dict:
    """Flags that the other side must have as they are here."""
    told = {name: getattr(settings, name) for name in SHARED}
    return told | {"dataset": settings.dataset.partition(":")[0]}


def pairing_id(run: RunDirectory) -> str:
    """Name of a run's pair of encoder and decoder: 16 digits."""
    told = [*sorted(shared(run.config()).items()), files.sha256(run.weights)]
    return hashlib.sha256(repr(told).encode()).hexdigest()[:16]


def opened(path: Path, partner: str = "", **own: str) -> RunDirectory:
    """A run, or the pair with the run that handed over to it.

    Args:
        path: run directory.
        partner: that of the other side; '': none.
        **own: code of the user, as of `RunDirectory`.

    Raises:
        ValueError: as of `Pair`.
    """
    if partner:
        return Pair(path, **own, first=Path(partner))
    return RunDirectory(path, **own)


@dataclasses.dataclass(frozen=True)
class Pair(RunDirectory):
    """A run of one side alone with the other side, the run that handed over to it.

    It loads as the whole network: the encoder of one, the decoder of the other, with
    the training of the second side and the data of the first.

    Attributes:
        first: run directory that handed over.

    Raises:
        ValueError: the run has both sides, or is not the other side of `first`.
    """

    first: Path = Path()

    def __post_init__(self):
        if self._trained() == "joint":
            raise ValueError(
                f"--partner={self.first}: {self.path} was trained with both of its "
                "sides, leave it out"
            )
        names = [header["pairing_id"] for header in self._headers()]
        if self._id not in names:
            raise ValueError(
                f"--partner={self.first} is pair {self._id}, {self.path} was trained "
                f"for {', '.join(names) or 'none'}: give the run that handed over"
            )

    def config(self) -> ExperimentConfig:
        """Network and training of the second side, data of the first.

        The loss is that of the decoder's side: of one trained for the direction of
        eigenvectors NMSE says nothing.
        """
        theirs = self._first().config()
        data = {name: getattr(theirs, name) for name in DATA}
        if self._trained() == "nw_first":
            data["loss"] = "sgcs" if theirs.loss == "sgcs" else "csi"
        return dataclasses.replace(
            super().config(), collaboration="joint", exchange="", **data
        )

    def encoder_config(self) -> ExperimentConfig:
        """Configuration of the UE's side."""
        return self._sides()[0].config()

    @property
    def weights_sha256(self) -> str:
        """Hash of the hashes of encoder and decoder."""
        both = "".join(side.weights_sha256 for side in self._sides())
        return hashlib.sha256(both.encode()).hexdigest()

    def scaling(self) -> dict:
        """What the first side has said of it."""
        return self._header()["normalisation"]

    @property
    def label(self) -> str:
        """The pair's name, where the second side was trained for several."""
        return self._id if len(_ids(self._headers())) > 1 else ""

    def load(self, csi_shape=None) -> CsiAutoencoder:
        """The pair as one network; see `RunDirectory.load`."""
        ue, nw = (side.load_side(csi_shape) for side in self._sides())
        return connect(ue.encoder, nw.decoder, nw.path, nw.receiver)

    def describe(self, test_csi: np.ndarray) -> dict:
        """What a results row says of a pair: who was first, both networks, the target.

        Args:
            test_csi: the encoder's input of the test split.
        """
        header, kind = self._header(), self._trained()
        networks = map(_network, self._sides())
        return {
            "collaboration": kind,
            "pairing_id": self._id,
            "pairs_of_training": len(_ids(self._headers())),
            **dict(zip(("encoder", "decoder"), networks, strict=True)),
            "performance_target": header["performance"],
            "pair_train_data": header.get("train_data"),
            "num_train": data_record.read(self.data).get("num_train"),
            "index_agreement": self._agreement(test_csi)
            if kind == "nw_first"
            else None,
        }

    def _agreement(self, csi: np.ndarray) -> float:
        """Share of codeword entries for which both encoders send the same index."""
        sent = []
        for side in (self, self._first()):
            model = side.load_side(csi.shape[1:])
            codeword = in_batches(lambda x, m=model: m.encoder(x, training=False), csi)
            sent.append(np.asarray(model.quantizer.indices(codeword)))
        return float(np.mean(sent[0] == sent[1]))

    @functools.cached_property
    def _id(self) -> str:
        """Name of the pair that has handed over; its weights are read for it."""
        return pairing_id(self._first())

    def _first(self) -> RunDirectory:
        return RunDirectory(self.first)

    def _trained(self) -> str:
        """Which side was first."""
        return ExperimentConfig.of_run(self.path).collaboration

    def _headers(self) -> list[dict]:
        """Those of the files that the second side was trained on."""
        return data_record.read(self.data).get("exchange", [])

    def _header(self) -> dict:
        """That of the file that `first` has handed over."""
        return next(x for x in self._headers() if x["pairing_id"] == self._id)

    def _sides(self) -> tuple[RunDirectory, RunDirectory]:
        """Runs with the encoder and with the decoder."""
        second = RunDirectory(self.path, self.model, self.quantizer)
        sides = (second, self._first())
        return sides if self._trained() == "nw_first" else sides[::-1]


def _ids(headers: list[dict]) -> set[str]:
    return {header["pairing_id"] for header in headers}


def _network(run: RunDirectory) -> dict:
    settings = run.config()
    return {
        "model": registry.get(settings.model).name,
        "model_args": parse_object("model_args", settings.model_args),
        "seed": settings.seed,
        "weights_sha256": run.weights_sha256,
    }
