"""Every experiment flag, once: absl flags <-> frozen ExperimentConfig <-> JSON."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tfds_builders import blocks, subbands
from zoo import config_checks, files


def _flag(default, text: str, choices: tuple[str, ...] = (), own: str = ""):
    """A flag; `own` says what a name beside the choices may be."""
    metadata = {"help": text, "choices": choices, "own": own}
    return field(default=default, metadata=metadata)


def default_warmup(epochs: int) -> float:
    """Epochs of warm-up where none are asked for: 3 %, at most the 30 of CRNet."""
    return min(0.03 * epochs, 30.0)


OWN = ("model", "quantizer")  # flags that may name code of the user

# Where a run lives, how it is executed and what it is tested on may change between
# start and resume.
MAY_CHANGE = (
    "run_dir", "data_dir", "manual_dir", "image_every", "stream_workers", "test_split",
)  # fmt: skip
_IN_NAME = ("model", "dataset", "codeword_dim", "bits", "seed")


def digest(told: Mapping[str, Any], *more: str) -> str:
    """Eight digits that tell a run from another one.

    Args:
        told: values by flag name.
        *more: what else makes it another run, such as a hash of its data.
    """
    content = hashlib.sha256(json.dumps(told, sort_keys=True).encode())
    for text in more:
        content.update(text.encode())
    return content.hexdigest()[:8]


@dataclass(frozen=True)
class ExperimentConfig:
    """All that determines a training run; each field is the flag of the same name.

    Raises:
        ValueError: a value is out of range; the message names the flag.
    """

    model: str = _flag(
        "crnet",
        "network, see python -m zoo list; your own: ./my_net.py:SPEC or "
        "my_package.my_net:SPEC",
    )
    model_args: str = _flag(
        "{}", 'the paper\'s options as JSON, e.g. \'{"head": "3x3"}\''
    )
    codeword_dim: int = _flag(512, "codeword length M; ratio is M / (2 N_t N_a)")
    quantizer: str = _flag(
        "none",
        "codeword quantiser: B bits in even or mu-law steps over [-1, 1], the sign "
        "alone, or even steps whose scale and zero point are fitted to the first "
        "codewords (qat), the scale trained (lsq), or both (lszq), or a smooth "
        "staircase with trained scales (ssq); magnitudes, phases and the largest "
        "entries' signs each in their own way (polar, for dualnet_mp); magnitudes, and "
        "phases with more bits where those are large (mdpq, for dualnet_mag); your "
        "own: ./my_quantiser.py:NAME or my_package.my_quantiser:NAME",
        ("none", "uniform", "mu_law", "sign", "qat", "lsq", "lszq", "ssq", "polar")
        + ("mdpq",),
        ", or your own: ./my_quantiser.py:NAME",
    )
    quantizer_args: str = _flag(
        "{}",
        "options of qat, lsq and lszq as JSON: per_entry (false), scale and zero "
        "instead of the fitted ones, direct (false: a share of the scale is trained, "
        "true: the scale itself); of ssq: beta (25); of polar: magnitude_dim (256), "
        "magnitude_bits (6), num_signs (1024; 0 for --model_args phase=angle), "
        "sign_share (0.25), unsent (0), phase ('ssq'); of mdpq: magnitude_dim, entries "
        "(1024), shares ([0.1, 0.1]), phase_bits ([7, 3])",
    )
    bits: int = _flag(0, "bits per codeword entry B; 0 trains unquantised")
    normaliser: str = _flag(
        "tanh",
        "what brings a codeword into the quantiser's [-1, 1]: batch norm and tanh, or "
        "nothing where the network's own codeword is bounded (csinet_plus with tanh)",
        ("tanh", "none"),
    )
    feedback_snr_db: float = _flag(
        math.inf,
        "SNR of the codeword that arrives, in training and evaluation (white noise of "
        "each sample's own power); inf: exact",
    )
    feedback_snr_low_db: float = _flag(
        math.inf,
        "training draws the SNR of each sample from this to --feedback_snr_db, even in "
        "dB; inf: always --feedback_snr_db",
    )
    receiver: str = _flag(
        "none",
        "network that repairs the received codeword: DNNNet's denoiser or CsiNet+'s "
        "offset network",
        ("none", "dnnnet", "offset"),
    )
    dataset: str = _flag(
        "cost2100_sim/indoor",
        "TFDS name/config; NAME/CONFIG:stream simulates fresh training drops",
    )
    mix: str = _flag(
        "",
        "further data sets, separated by commas, whose training and validation "
        "examples are mixed with those of --dataset; --num_train and --num_validation "
        "are shared evenly",
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
    test_split: str = _flag(
        "test",
        "split that is tested on; of UEs on a track also the stretch behind it and "
        "other tracks",
        ("test", *blocks.TRACK_TESTS),
    )
    num_frames: int = _flag(
        0, "of a data set of sequences, the first frames of each only; 0: all"
    )
    target: str = _flag(
        "csi",
        "what is sent: the CSI, or the eigenvectors of its subbands, which a base "
        "station of 3GPP asks for",
        ("csi", "eigenvectors"),
    )
    rank: int = _flag(1, "layers of --target=eigenvectors, the strongest first")
    num_subbands: int = _flag(
        0, "subbands of --target=eigenvectors; 0: as many as are stored, or 13"
    )
    phase: str = _flag(
        "port",
        "what the free phases of --target=eigenvectors make real: the port that is "
        "strongest over all subbands, the strongest of each, or the product with the "
        "subband before",
        subbands.PHASES,
    )
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
        "initial weights: the paper's, or fitted to training CSI to start near the "
        "linear KLT codec; klt_exact starts closer for networks that bend the signal, "
        "and needs a tenth of the rate",
        ("paper", "klt", "klt_exact"),
    )
    weights: str = _flag(
        "",
        "initial weights instead of --init: 'pretrained' for those that come with the "
        "zoo and fit, a .weights.h5 file, or, for the parts that both have, a run "
        "directory, a name of shipped weights, a URL or hf:OWNER/REPO[@REVISION]",
    )
    weights_sha256: str = _flag("", "hash that --weights must have; empty: any")
    train_part: str = _flag(
        "all",
        "what is trained: everything, the quantiser (lsq, lszq, ssq), the receiver, "
        "receiver and decoder, or all but the branch of the magnitudes (dualnet_mp); "
        "the rest keeps its weights and statistics",
        ("all", "quantizer", "receiver", "decoder", "phase"),
    )
    loss: str = _flag(
        "csi",
        "squared error of the CSI, of the codeword behind the receiver, or of the "
        "phase in radians weighted by the true magnitude (MDPP); or 1 - SGCS of "
        "eigenvectors",
        ("csi", "codeword", "phase", "sgcs"),
    )
    collaboration: str = _flag(
        "joint",
        "which sides are trained: both, or, from the --exchange files that the other "
        "one has handed over, the UE's encoder (the network side was first) or the "
        "network's decoder (the UE was first)",
        ("joint", "nw_first", "ue_first"),
    )
    exchange: str = _flag(
        "",
        "files of python -m zoo.export --exchange to train from instead of --dataset, "
        "separated by commas",
    )
    epochs: int = _flag(1000, "passes over the training split")
    batch_size: int = _flag(200, "examples per step, over all devices")
    schedule: str = _flag("cosine", "learning rate schedule", ("constant", "cosine"))
    schedule_time: str = _flag(
        "iteration", "cosine counts iterations or epochs", ("iteration", "epoch")
    )
    lr: float = _flag(2e-3, "learning rate (cosine: peak)")
    lr_min: float = _flag(5e-5, "final rate of the cosine schedule")
    warmup_epochs: float | None = _flag(
        None,
        "warm-up of the cosine schedule, in epochs; by default 3 % of --epochs, at "
        "most 30",
    )
    dense_rate: float = _flag(
        1.0,
        "share of the rate that matrices of fully connected layers take; 0: the "
        "relative error of the start, which is the root of its NMSE, at most 1",
    )
    adam_epsilon: float = _flag(
        1e-12,
        "epsilon of Adam; PyTorch's 1e-8 and Keras' 1e-7 are as large as the gradients "
        "of a mean over all entries of the CSI",
    )
    optimizer: str = _flag(
        "adam",
        "Adam, or Adam whose step of every kernel and matrix is as long as the rate "
        "times that weight's norm, as LAMB's",
        ("adam", "lamb"),
    )
    ema: float = _flag(
        0.0,
        "average of the weights over updates that a network is validated and kept "
        "with: the share that it keeps at each, such as 0.99; 0: the weights "
        "themselves",
    )
    bn_statistics: str = _flag(
        "auto",
        "batch-norm statistics with which a network is validated and kept: the moving "
        "averages of training, or estimated on a fixed set of training batches after "
        "each epoch; auto: estimated where an epoch has fewer than 2,000 steps",
        ("auto", "estimated", "moving"),
    )
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
        "",
        "run directory; empty: runs/<model>_<dataset>_m<M>_s<seed>, and a hash of what "
        "else is not the default",
    )

    def __post_init__(self):
        for name in OWN:
            own = config_checks.absolute(getattr(self, name))
            object.__setattr__(self, name, own)
        for name in ("mix", "exchange"):  # "a, b" is "a,b"
            items = ",".join(map(str.strip, getattr(self, name).split(",")))
            object.__setattr__(self, name, items)
        if self.warmup_epochs is None:
            object.__setattr__(self, "warmup_epochs", default_warmup(self.epochs))
        config_checks.check(self)
        for name in ("model_args", "quantizer_args"):
            config_checks.parse_object(name, getattr(self, name))

    @property
    def resolved_run_dir(self) -> Path:
        """Where the run lives; by default another place for every other run."""
        if self.run_dir:
            return Path(self.run_dir)
        dataset = self.dataset.replace("/", "_").replace(":", "_")
        bits = f"_b{self.bits}" if self.bits else ""
        model = config_checks.label(self.model)
        name = f"{model}_{dataset}_m{self.codeword_dim}{bits}_s{self.seed}"
        shown = (*_IN_NAME, *MAY_CHANGE)
        told = {k: v for k, v in self.changed().items() if k not in shown}
        plain = Path("runs") / name
        if not told or self._began_in(plain):
            return plain
        return Path("runs") / f"{name}-{digest(told)}"

    def _began_in(self, path: Path) -> bool:
        """Whether a run of this configuration is there, of before names had a hash."""
        try:
            began = self.of_run(path)
        except (OSError, ValueError):
            return False
        ours, theirs = self.taken_up_by(began).to_json(), began.to_json()
        return all(ours[k] == v for k, v in theirs.items() if k not in MAY_CHANGE)

    def taken_up_by(self, began: ExperimentConfig) -> ExperimentConfig:
        """Configuration under which a run goes on that began with another one.

        Defaults are those that the run began with: a warm-up was 30 epochs, whatever
        their number, before it became a share of them, Adam's epsilon 1e-7 or 1e-8, and
        batch-norm statistics the moving ones.
        """
        kept = {}
        usual = self.warmup_epochs == default_warmup(self.epochs)
        if usual and (began.epochs, began.schedule) == (self.epochs, self.schedule):
            kept["warmup_epochs"] = began.warmup_epochs
        for name in ("adam_epsilon", "bn_statistics"):
            if getattr(self, name) == getattr(ExperimentConfig, name):
                kept[name] = getattr(began, name)
        return dataclasses.replace(self, **kept)

    def changed(self) -> dict[str, Any]:
        """Values that are not the default, by flag name."""
        usual = {item.name: item.default for item in dataclasses.fields(self)}
        usual["warmup_epochs"] = default_warmup(self.epochs)
        values = dataclasses.asdict(self)
        return {name: values[name] for name in values if values[name] != usual[name]}

    def stored(self, split: str) -> str:
        """Name of the stored split that is 'train', 'validation' or 'test'."""
        return self.test_split if split == "test" else split

    def to_json(self) -> dict:
        """Plain dictionary, the content of `config.json`; infinity becomes None."""
        values = dataclasses.asdict(self)
        return {k: None if v == math.inf else v for k, v in values.items()}

    @classmethod
    def from_json(cls, values: dict) -> ExperimentConfig:
        """Inverse of `to_json`.

        Raises:
            ValueError: unknown or missing fields (a run of another version), or
                values of another type.
        """
        return cls(**config_checks.stored(values, dataclasses.fields(cls)))

    @classmethod
    def of_run(cls, path: Path) -> ExperimentConfig:
        """Configuration of a run directory.

        Raises:
            FileNotFoundError: not a run directory.
            ValueError: config.json is damaged.
        """
        if not path.is_dir():
            raise FileNotFoundError(f"--run={path}: no such run directory")
        return cls.from_json(files.read_json(path / "config.json"))

    def flags(self, changed: bool = False) -> list[str]:
        """Every flag of this configuration, or only those that are not the default."""
        values = self.changed() if changed else dataclasses.asdict(self)
        return [
            f"--{name}={str(value).lower() if isinstance(value, bool) else value}"
            for name, value in values.items()
        ]

    def to_flags(self) -> str:
        """Flagfile that sets every flag to this configuration."""
        return "\n".join(self.flags()) + "\n"
