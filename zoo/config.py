"""Every experiment flag, once: absl flags <-> frozen ExperimentConfig <-> JSON."""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass, field
from pathlib import Path

from absl import flags


def _flag(default, text: str, choices: tuple[str, ...] = ()):
    return field(default=default, metadata={"help": text, "choices": choices})


# Flags that config.json of an older run lacks: their defaults are what it did.
_LATER = {"csi_noise", "train_snr_db", "test_snr_db"}


@dataclass(frozen=True)
class ExperimentConfig:
    """All that determines a training run; each field is the flag of the same name.

    Raises:
        ValueError: a value is out of range; the message names the flag.
    """

    model: str = _flag("crnet", "network, see python -m zoo list")
    model_args: str = _flag(
        "{}", 'the paper\'s options as JSON, e.g. \'{"head": "3x3"}\''
    )
    codeword_dim: int = _flag(512, "codeword length M; ratio is M / (2 N_t N_a)")
    quantizer: str = _flag("none", "codeword quantiser", ("none", "uniform"))
    bits: int = _flag(0, "bits per codeword entry B; 0 trains unquantised")
    dataset: str = _flag(
        "cost2100_sim/indoor",
        "TFDS name/config; NAME/CONFIG:stream simulates fresh training drops",
    )
    data_dir: str = _flag("", "TFDS data directory; empty: TFDS default")
    manual_dir: str = _flag("", "folder with the published .mat files (cost2100)")
    scaling: str = _flag(
        "stored",
        "map to [0, 1]: as stored, per sample (norm 0.9), or one global factor",
        ("stored", "per_sample", "global"),
    )
    num_train: int = _flag(
        0, "use the first training examples only (:stream: length of an epoch); 0: all"
    )
    num_validation: int = _flag(0, "use the first validation examples only; 0: all")
    num_test: int = _flag(0, "use the first test examples only; 0: all")
    stream_workers: int = _flag(1, "processes that simulate for DATASET:stream")
    csi_noise: str = _flag(
        "none",
        "noise on the network's input, its target stays clean: white in angle and "
        "delay, or of least-squares estimation from pilots over all subcarriers",
        ("none", "awgn", "ls"),
    )
    train_snr_db: float = _flag(
        math.inf, "SNR of --csi_noise in training and validation; inf: clean"
    )
    test_snr_db: float = _flag(
        math.inf, "SNR of --csi_noise in the evaluation; inf: clean"
    )
    init: str = _flag(
        "paper",
        "initial weights: the paper's, or fitted to training CSI to start at the "
        "linear KLT codec",
        ("paper", "klt"),
    )
    weights: str = _flag(
        "",
        "initial weights instead of --init: 'pretrained' for those that come with the "
        "zoo, or a .weights.h5 file",
    )
    epochs: int = _flag(1000, "passes over the training split")
    batch_size: int = _flag(200, "examples per step, over all devices")
    schedule: str = _flag("cosine", "learning rate schedule", ("constant", "cosine"))
    schedule_time: str = _flag(
        "iteration", "cosine counts iterations or epochs", ("iteration", "epoch")
    )
    lr: float = _flag(2e-3, "learning rate (cosine: peak)")
    lr_min: float = _flag(5e-5, "final rate of the cosine schedule")
    warmup_epochs: float = _flag(30.0, "warm-up of the cosine schedule, in epochs")
    adam_epsilon: float = _flag(1e-8, "epsilon of Adam (PyTorch 1e-8, Keras 1e-7)")
    seed: int = _flag(0, "seed of weights and of the order of examples")
    deterministic: bool = _flag(False, "bit-exact repeatable operations (slower)")
    strategy: str = _flag(
        "none", "tf.distribute strategy", ("none", "mirrored", "multi_worker")
    )
    logical_cpus: int = _flag(0, "split the CPU into devices for --strategy=mirrored")
    precision: str = _flag(
        "float32", "precision policy", ("float32", "mixed_float16", "mixed_bfloat16")
    )
    xla: bool = _flag(False, "compile the training step with XLA")
    cpu_step: str = _flag(
        "auto",
        "training step: layer by layer, or batch norm and activation fused (CPU, "
        "float32, one device); auto: fused where that applies",
        ("auto", "native", "fused"),
    )
    image_every: int = _flag(10, "epochs between |H| images in TensorBoard; 0: none")
    run_dir: str = _flag(
        "", "run directory; empty: runs/<model>_<dataset>_m<M>_s<seed>"
    )

    def __post_init__(self):
        for name in (
            "codeword_dim", "epochs", "batch_size", "lr", "adam_epsilon",
            "stream_workers",
        ):  # fmt: skip
            self._require(name, getattr(self, name) > 0, "more than 0")
        for name in (
            "num_train", "num_validation", "num_test", "seed", "logical_cpus",
            "image_every", "lr_min", "warmup_epochs",
        ):  # fmt: skip
            self._require(name, getattr(self, name) >= 0, "0 or more")
        self._require("bits", 0 <= self.bits <= 16, "0 to 16")
        if (self.bits > 0) != (self.quantizer != "none"):
            raise ValueError(
                f"--bits={self.bits} and --quantizer={self.quantizer} do not fit: give "
                "--quantizer=uniform --bits=1..16, or neither"
            )
        if self.weights and self.init != "paper":
            raise ValueError(
                f"--weights={self.weights} and --init={self.init} both set the initial "
                "weights: leave one out"
            )
        for item in dataclasses.fields(self):
            choices = item.metadata["choices"]
            if choices:
                known = getattr(self, item.name) in choices
                self._require(item.name, known, f"one of {', '.join(choices)}")
        self._check_noise()
        parse_model_args(self.model_args)

    def _check_noise(self) -> None:
        snr_db = {name: getattr(self, name) for name in ("train_snr_db", "test_snr_db")}
        for name, value in snr_db.items():
            self._require(name, value >= -100, "-100 or more dB, or inf for clean CSI")
        if (min(snr_db.values()) < math.inf) != (self.csi_noise != "none"):
            given = "".join(f", --{name}={value}" for name, value in snr_db.items())
            raise ValueError(
                f"--csi_noise={self.csi_noise}{given} do not fit: give awgn or ls with "
                "one SNR or both in dB, or none of them"
            )

    def _require(self, name: str, fulfilled: bool, expected: str) -> None:
        if not fulfilled:
            value = getattr(self, name)
            raise ValueError(f"--{name}={value}: expected {expected}")

    @property
    def resolved_run_dir(self) -> Path:
        """Where the run lives."""
        if self.run_dir:
            return Path(self.run_dir)
        dataset = self.dataset.replace("/", "_").replace(":", "_")
        bits = f"_b{self.bits}" if self.bits else ""
        name = f"{self.model}_{dataset}_m{self.codeword_dim}{bits}_s{self.seed}"
        return Path("runs") / name

    def to_json(self) -> dict:
        """Plain dictionary, the content of `config.json`; infinity becomes None."""
        values = dataclasses.asdict(self)
        return {k: None if v == math.inf else v for k, v in values.items()}

    @classmethod
    def from_json(cls, values: dict) -> ExperimentConfig:
        """Inverse of `to_json`.

        Raises:
            ValueError: unknown or missing fields (a run of another version).
        """
        names = {item.name for item in dataclasses.fields(cls)}
        unknown, missing = set(values) - names, names - set(values) - _LATER
        if unknown or missing:
            raise ValueError(
                "config.json does not fit this version of the zoo: unknown fields "
                f"{sorted(unknown)}, missing {sorted(missing)}"
            )
        return cls(**{k: math.inf if v is None else v for k, v in values.items()})

    def to_flags(self) -> str:
        """Flagfile that sets every flag to this configuration."""
        lines = []
        for name, value in dataclasses.asdict(self).items():
            text = str(value).lower() if isinstance(value, bool) else value
            lines.append(f"--{name}={text}")
        return "\n".join(lines) + "\n"


def parse_model_args(text: str) -> dict:
    """Read the JSON object of `--model_args`.

    Raises:
        ValueError: not a JSON object.
    """
    try:
        args = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(
            f"--model_args={text}: not JSON ({error}); write for example "
            '--model_args=\'{"head": "3x3"}\''
        ) from error
    if not isinstance(args, dict):
        raise ValueError(
            f'--model_args={text}: expected a JSON object such as {{"head": "3x3"}}'
        )
    return args


_DEFINE = {
    "str": flags.DEFINE_string,
    "int": flags.DEFINE_integer,
    "float": flags.DEFINE_float,
    "bool": flags.DEFINE_bool,
}


def define_flags(values: flags.FlagValues = flags.FLAGS) -> None:
    """Define one absl flag per field of ExperimentConfig."""
    for item in dataclasses.fields(ExperimentConfig):
        choices = list(item.metadata["choices"])
        kind = (flags.DEFINE_enum, choices) if choices else (_DEFINE[item.type],)
        define, *extra = kind
        text = item.metadata["help"]
        define(item.name, item.default, *extra, text, flag_values=values)


def from_flags(values: flags.FlagValues = flags.FLAGS) -> ExperimentConfig:
    """Configuration of the parsed flags."""
    names = [item.name for item in dataclasses.fields(ExperimentConfig)]
    return ExperimentConfig(**{name: values[name].value for name in names})
