"""The directory of one training run: configuration, checkpoint, metrics, weights."""

from __future__ import annotations

import dataclasses
import math
import os
from dataclasses import dataclass
from pathlib import Path

from tfds_builders.untrusted.json_files import TEXT, record
from zoo import files
from zoo.codeword import checkpoint_file, network_record, weights_file
from zoo.codeword.network import build_autoencoder
from zoo.config import MAY_CHANGE, OWN, ExperimentConfig
from zoo.data import data_record
from zoo.keras_compat import set_precision
from zoo.metrics import metrics_file
from zoo.models.autoencoder import CsiAutoencoder


@dataclass(frozen=True)
class RunDirectory:
    """Paths and contents of `runs/<name>/`.

    Attributes:
        path: of the directory.
        model: reference to the user's own network, instead of the run's.
        quantizer: reference to the user's own quantiser, instead of the run's.
    """

    path: Path
    model: str = ""
    quantizer: str = ""

    @property
    def checkpoint(self) -> Path:
        """State after the last complete epoch."""
        return self.path / "ckpt" / "last.npz"

    @property
    def weights(self) -> Path:
        """Weights of the best validation epoch."""
        return self.path / "best.weights.h5"

    @property
    def data(self) -> Path:
        """What was read for the training; runs of before lack it."""
        return self.path / data_record.NAME

    @property
    def origin(self) -> str:
        """Whose weights: 'ours', or what the source.json of imported ones says."""
        source = self.path / "source.json"
        if not source.is_file():
            return "ours"
        return files.read_json(source, record({"origin": TEXT}))["origin"]

    @property
    def weights_sha256(self) -> str:
        """Hash of the weights."""
        return files.sha256(self.weights)

    @property
    def metrics(self) -> Path:
        """One JSON object per epoch."""
        return self.path / "metrics.jsonl"

    def check(self, config: ExperimentConfig) -> None:
        """Refuse a directory that cannot become that of a run; nothing is written.

        Raises:
            ValueError: it holds a run of another configuration.
            OSError: it cannot be written.
        """
        if self.checkpoint.exists():
            self._check_same(self.taken_up(config))
            changed = network_record.changed(self.path, config)
            if changed:
                raise ValueError(
                    f"{changed} has changed since {self.path} began: choose another "
                    "--run_dir, or give it back its content of then"
                )
            return
        places = (self.path, *self.path.absolute().parents)
        place = next(path for path in places if path.exists())
        if not (place.is_dir() and os.access(place, os.W_OK | os.X_OK)):
            raise OSError(
                f"--run_dir={self.path}: {place} is no directory that can be written to"
            )

    @classmethod
    def create(cls, config: ExperimentConfig, csi_shape=None) -> RunDirectory:
        """Start a run directory, or open the one that the same configuration began.

        Until the first checkpoint nothing is lost by starting again, with any flags.

        Args:
            config: of the run.
            csi_shape: (N_t, N_a, 2) of its data; None: the network's own.

        Raises:
            ValueError: the directory holds a run of another configuration.
            OSError: it cannot be written.
        """
        run = cls(config.resolved_run_dir)
        run.check(config)
        if run.checkpoint.exists():
            return run
        run.path.mkdir(parents=True, exist_ok=True)
        files.write_text(run.path / "flags.cfg", config.to_flags())
        files.write_json(run.path / "env.json", files.environment())
        files.write_json(run.path / "config.json", config.to_json())
        network_record.write(run.path, config, csi_shape)
        return run

    def taken_up(self, config: ExperimentConfig) -> ExperimentConfig:
        """Configuration under which a run goes on, where it has begun."""
        if not self.checkpoint.exists():
            return config
        return config.taken_up_by(self.config())

    def _check_same(self, config: ExperimentConfig) -> None:
        old, new = self.config().to_json(), config.to_json()
        free = (*MAY_CHANGE, "exchange")  # whose content `check_data` compares
        changed = [k for k in new if old[k] != new[k] and k not in free]
        if changed:
            changes = ", ".join(f"--{k}: {old[k]} -> {new[k]}" for k in changed)
            raise ValueError(
                f"{self.path} holds a run with other flags ({changes}); choose another "
                "--run_dir or remove that directory"
            )

    def trained_on(self) -> str:
        """Data set and part that the weights were trained on, or 'unknown: ...'.

        Where the training began with weights of another one, also what those saw.
        """
        if self.origin != "ours":
            return f"unknown: weights of others ({self.origin}), see source.json"
        if self.data.is_file():
            data = data_record.read(self.data)
            before = data["weights_trained_on"]
            return data["train"] + (f"; before: {before}" if before else "")
        try:
            dataset = self.config().dataset
        except (OSError, ValueError):  # another program's, or none
            return f"unknown: no run directory around {self.path.name}"
        return f"{dataset} as configured, version and part are not on record"

    def record_data(self, data: dict[str, str], weights: Path | None) -> None:
        """Write down what the training reads.

        Args:
            data: see `zoo.data.splits.read_from`.
            weights: file that it began with, if any.
        """
        before = RunDirectory(weights.parent).trained_on() if weights else None
        files.write_json(self.data, data | {"weights_trained_on": before})

    def check_data(self, data: dict[str, str]) -> None:
        """Refuse to go on with other data than those that the training began with.

        Raises:
            ValueError: other data; the message names both.
        """
        began = data_record.read(self.data) if self.data.is_file() else data
        for part in ("train", "validation"):
            if began[part] != data[part]:
                raise ValueError(
                    f"{self.path} was trained on {began[part]}, now there is "
                    f"{data[part]}: give the same --data_dir, or another --run_dir"
                )

    def config(self) -> ExperimentConfig:
        """Configuration of the run, with own code where this object says it is.

        Raises:
            FileNotFoundError: not a run directory.
            ValueError: config.json is damaged.
        """
        settings = ExperimentConfig.of_run(self.path)
        own = {name: getattr(self, name) for name in OWN if getattr(self, name)}
        if settings.manual_dir and not _has_published_files(settings):
            own["manual_dir"] = ""  # what was built of them is still there
        return dataclasses.replace(settings, **own) if own else settings

    def encoder_config(self) -> ExperimentConfig:
        """Configuration of the run that the encoder is of."""
        return self.config()

    def scaling(self) -> dict | None:
        """How the channels of the training were scaled; None where that is unknown."""
        return (
            data_record.read(self.data)["normalisation"]
            if self.data.is_file()
            else None
        )

    def csi_shape(self) -> tuple[int, ...]:
        """(N_t, N_a, 2) that it was trained at; of runs of before the network's own."""
        return network_record.csi_shape(self.path, self.config())

    def load(self, csi_shape=None) -> CsiAutoencoder:
        """Network of the run with its best weights, in float32.

        Args:
            csi_shape: (N_t, N_a, 2) of the data it is for; None: the run's.

        Raises:
            FileNotFoundError: no weights (no epoch was finished).
            ValueError: own code that nobody has named, data of another shape, one side
                of a pair alone, or the weights file is damaged or of another network.
        """
        if self.config().collaboration != "joint":
            raise ValueError(
                f"{self.path} is one side alone: give --partner=DIR, the run that has "
                "handed over to it (zoo.evaluate, zoo.export)"
            )
        return self.load_side(csi_shape)

    def load_side(self, csi_shape=None) -> CsiAutoencoder:
        """As `load`, also where only one side of the network means anything."""
        settings, shape = self.config(), tuple(csi_shape or self.csi_shape())
        network_record.check(self.path, settings, shape)
        place, most = self.path / "config.json", math.prod(shape)
        network_record.check_size(place, settings, most)
        set_precision("float32")
        model = build_autoencoder(settings, shape)
        weights_file.load(model.trained, self.weights)
        return model

    def save_weights(self, model: CsiAutoencoder) -> None:
        """Write the weights as best.weights.h5 and their hash, atomically.

        Raises:
            OSError: no room or no permission; the previous file is kept.
        """
        weights_file.save(model.trained, self.weights)

    def save_checkpoint(self, variables: list, progress: dict) -> None:
        """Write all variables and the progress as one file, atomically."""
        checkpoint_file.save(self.checkpoint, variables, progress)

    def restore_checkpoint(self, variables: list) -> dict | None:
        """Load the last checkpoint into variables; its progress, None without one."""
        if not self.checkpoint.is_file():
            return None
        return checkpoint_file.restore(self.checkpoint, variables)

    def append_metrics(self, record: dict) -> None:
        """Append one epoch's record to metrics.jsonl."""
        metrics_file.append(self.metrics, record)

    def read_metrics(self) -> list[dict]:
        """All records of metrics.jsonl, see `metrics_file.read`."""
        return metrics_file.read(self.metrics)

    def rewind_metrics(self, epochs: int) -> None:
        """Drop records after the given number of epochs (left by a killed run)."""
        metrics_file.rewind(self.metrics, epochs)

    def worker(self, index: int) -> RunDirectory:
        """Directory of a worker that is not the chief: its own metrics only."""
        return dataclasses.replace(self, path=self.path / f"worker{index}")


def _has_published_files(settings: ExperimentConfig) -> bool:
    """Whether the folder of published files that a run was given still has some."""
    files_of = Path(settings.manual_dir).glob("DATA_H*.mat")
    return settings.dataset.startswith("cost2100/") and any(files_of)
