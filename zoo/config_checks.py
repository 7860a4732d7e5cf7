"""Which experiment configurations make sense; messages name the flag and the fix."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Iterable
from pathlib import Path

from tfds_builders.untrusted import json_files

POSITIVE = (
    "codeword_dim", "epochs", "batch_size", "lr", "adam_epsilon", "stream_workers",
)  # fmt: skip
NOT_NEGATIVE = (
    "num_train", "num_validation", "num_test", "seed", "logical_cpus", "image_every",
    "lr_min", "warmup_epochs", "num_frames", "dense_rate", "num_subbands",
)  # fmt: skip
LATER = {  # flags that config.json of an older run lacks: it did what is the default
    "quantizer_args", "csi_noise", "train_snr_db", "test_snr_db", "normaliser",
    "feedback_snr_db", "feedback_snr_low_db", "receiver", "train_part", "loss",
    "num_frames", "weights_sha256", "dense_rate", "test_split", "optimizer", "ema",
    "collaboration", "exchange", "mix",
    "target", "rank", "num_subbands", "phase",
}  # fmt: skip
THEN = {"bn_statistics": "moving"}  # or this is what it did
APART = {  # what a training from --exchange files may be
    "train_part": ("all",), "csi_noise": ("none",), "feedback_snr_db": (math.inf,),
    "num_frames": (0,), "loss": ("csi", "sgcs"), "init": ("paper", "klt"),
    "mix": ("",),
}  # fmt: skip
SNR_DB = ("train_snr_db", "test_snr_db", "feedback_snr_db", "feedback_snr_low_db")


# Flags of eigenvectors, as they are of CSI; and those of CSI, as they may be of them.
EIGEN = {"rank": 1, "num_subbands": 0, "phase": "port"}
CSI_ALONE = {
    "scaling": ("stored",),
    "csi_noise": ("none",),
    "num_frames": (0,),
    "loss": ("csi", "codeword", "sgcs"),
}
TRAINED = ("lsq", "lszq", "ssq")  # quantisers with weights of their own
EXAMPLES = {"model_args": '{"head": "3x3"}', "quantizer_args": '{"per_entry": true}'}


def is_reference(name: str) -> bool:
    """Whether a name is of the user's own code: FILE.py:NAME or package.module:NAME."""
    return ":" in name


def absolute(name: str) -> str:
    """A reference to a file by the file's absolute path; any other name as it is."""
    place, _, attribute = name.rpartition(":")
    if not place.endswith(".py"):
        return name
    return f"{Path(place).expanduser().resolve()}:{attribute}"


def label(name: str) -> str:
    """A name for files and tables: of ./my_net.py:SPEC it is my_net."""
    if not is_reference(name):
        return name
    place, _, attribute = name.rpartition(":")
    stem = Path(place).stem if place.endswith(".py") else place.rpartition(".")[2]
    full = stem if attribute == "SPEC" else f"{stem}_{attribute}"
    return re.sub(r"[^\w.-]+", "_", full)


def parse_object(name: str, text: str) -> dict:
    """Read the JSON object that a flag holds.

    Raises:
        ValueError: not a JSON object.
    """
    try:
        args = json.loads(text)
    except (ValueError, RecursionError) as error:  # not JSON, or a number too long
        raise ValueError(
            f"--{name}={text:.200}: not JSON ({error}); write for example "
            f"--{name}='{EXAMPLES[name]}'"
        ) from error
    if not isinstance(args, dict):
        raise ValueError(
            f"--{name}={text}: expected a JSON object such as {EXAMPLES[name]}"
        )
    return args


def check(config) -> None:
    """Refuse a configuration that cannot be run.

    Args:
        config: ExperimentConfig.

    Raises:
        ValueError: a value is out of range, or two do not fit.
    """
    for name in POSITIVE:
        _require(config, name, getattr(config, name) > 0, "more than 0")
    for name in NOT_NEGATIVE:
        _require(config, name, getattr(config, name) >= 0, "0 or more")
    for name in SNR_DB:
        fulfilled = getattr(config, name) >= -100
        _require(config, name, fulfilled, "-100 or more dB, or inf for no noise")
    _require(config, "bits", 0 <= config.bits <= 16, "0 to 16")
    for item in dataclasses.fields(config):
        choices = item.metadata["choices"]
        if choices:
            value, own = getattr(config, item.name), item.metadata["own"]
            known = value in choices or (bool(own) and is_reference(value))
            _require(config, item.name, known, f"one of {', '.join(choices)}{own}")
    _require(config, "ema", 0 <= config.ema < 1, "0 to less than 1, such as 0.99")
    _check_warmup(config)
    _check_initial_weights(config)
    _check_dense_rate(config)
    _check_quantizer(config)
    _check_csi_noise(config)
    _check_feedback(config)
    _check_stage(config)
    _check_collaboration(config)
    _check_mix(config)
    _check_target(config)


def _require(config, name: str, fulfilled: bool, expected: str) -> None:
    if not fulfilled:
        raise ValueError(f"--{name}={getattr(config, name)}: expected {expected}")


def _check_warmup(config) -> None:
    fits = config.schedule == "constant" or config.warmup_epochs < config.epochs
    expected = f"less than --epochs={config.epochs}, such as {0.03 * config.epochs:g}"
    _require(config, "warmup_epochs", fits, expected)


def _check_initial_weights(config) -> None:
    if config.weights_sha256 and not config.weights:
        raise ValueError(
            f"--weights_sha256={config.weights_sha256}: there are no --weights that "
            "must have it; give them, or leave it out"
        )
    if config.weights and config.init != "paper":
        raise ValueError(
            f"--weights={config.weights} and --init={config.init} both set the initial "
            "weights: leave one out"
        )


def _check_dense_rate(config) -> None:
    if config.dense_rate == 0 and config.init == "paper" and not config.weights:
        raise ValueError(
            "--dense_rate=0 is the relative error of a start that is not the paper's: "
            "give --init=klt, --weights or another --dense_rate"
        )


def _check_quantizer(config) -> None:
    if (config.bits > 0) != (config.quantizer != "none"):
        raise ValueError(
            f"--bits={config.bits} and --quantizer={config.quantizer} do not fit: give "
            "--quantizer=uniform --bits=1..16, or neither"
        )
    if config.quantizer == "sign" and config.bits != 1:
        raise ValueError(f"--bits={config.bits}: --quantizer=sign sends 1")
    trained = config.quantizer in TRAINED or is_reference(config.quantizer)
    if config.train_part == "quantizer" and not trained:
        raise ValueError(
            f"--train_part=quantizer: --quantizer={config.quantizer} has nothing to "
            f"train; give one of {', '.join(TRAINED)}"
        )


def _check_csi_noise(config) -> None:
    snr_db = {name: getattr(config, name) for name in ("train_snr_db", "test_snr_db")}
    if (min(snr_db.values()) < math.inf) != (config.csi_noise != "none"):
        given = "".join(f", --{name}={value}" for name, value in snr_db.items())
        raise ValueError(
            f"--csi_noise={config.csi_noise}{given} do not fit: give awgn or ls with "
            "one SNR or both in dB, or none of them"
        )


def _check_feedback(config) -> None:
    noisy = config.feedback_snr_db < math.inf
    if noisy and config.bits:
        raise ValueError(
            f"--feedback_snr_db={config.feedback_snr_db} and --bits={config.bits}: the "
            "noise is for real-valued codewords, bits arrive or are refused; leave one "
            "out"
        )
    low = config.feedback_snr_low_db
    if low < math.inf and not low < config.feedback_snr_db < math.inf:
        raise ValueError(
            f"--feedback_snr_low_db={low}: expected less than --feedback_snr_db="
            f"{config.feedback_snr_db}, and that finite"
        )
    if config.receiver != "none" and not (noisy or config.bits):
        raise ValueError(
            f"--receiver={config.receiver} has nothing to repair: give "
            "--feedback_snr_db, or --quantizer and --bits"
        )


def _check_stage(config) -> None:
    partly = config.train_part != "all" or config.loss == "codeword"
    if partly and not config.weights:
        raise ValueError(
            f"--train_part={config.train_part} --loss={config.loss} continue a trained "
            "network: give --weights, a run directory or a file"
        )
    alone = config.train_part == "receiver" or config.loss == "codeword"
    if alone and config.receiver == "none":
        raise ValueError(
            f"--train_part={config.train_part} --loss={config.loss} need a receiver: "
            "give --receiver=dnnnet or offset"
        )
    if config.loss == "codeword" and config.train_part != "receiver":
        raise ValueError(
            "--loss=codeword trains the receiver alone: give --train_part=receiver"
        )


def require_default(config, name: str, expected: str) -> None:
    """Refuse a flag that is not its default.

    Raises:
        ValueError: it is another value, and `expected` was.
    """
    usual = {item.name: item.default for item in dataclasses.fields(config)}
    _require(config, name, getattr(config, name) == usual[name], expected)


def _check_collaboration(config) -> None:
    if (config.collaboration == "joint") != (not config.exchange):
        raise ValueError(
            f"--collaboration={config.collaboration} --exchange={config.exchange}: "
            "give --collaboration=nw_first or ue_first with --exchange=FILE of the "
            "side that was first, or neither"
        )
    if config.collaboration == "joint":
        return
    for name, only in APART.items():
        expected = " or ".join(map(str, only))
        expected += f" with --collaboration={config.collaboration}"
        _require(config, name, getattr(config, name) in only, expected)


def _check_mix(config) -> None:
    names = [config.dataset, *config.mix.split(",")]
    if not config.mix:
        return
    if len(set(names)) < len(names) or any(x.endswith(":stream") for x in names):
        raise ValueError(
            f"--mix={config.mix}: expected stored data sets, each another one, "
            f"and than --dataset={config.dataset}, separated by commas"
        )
    for name in ("num_train", "num_validation"):
        fits = getattr(config, name) == 0 or getattr(config, name) >= len(names)
        _require(config, name, fits, f"0 or at least {len(names)}, the data sets")


def _check_target(config) -> None:
    """Flags of eigenvectors, and those that are for CSI alone."""
    if config.target == "csi":
        own = {name: getattr(config, name) for name in EIGEN}
        other = [name for name, value in own.items() if value != EIGEN[name]]
        alone = config.loss == "sgcs" and not config.exchange  # or the file says
        if other or alone:
            name = other[0] if other else "loss"
            raise ValueError(
                f"--{name}={getattr(config, name)} is of eigenvectors: give "
                "--target=eigenvectors, or leave it out"
            )
        return
    _require(config, "rank", 1 <= config.rank <= 4, "1 to 4")
    for name, of_csi in CSI_ALONE.items():
        if getattr(config, name) not in of_csi:
            raise ValueError(
                f"--{name}={getattr(config, name)}: of CSI alone, not of "
                f"--target=eigenvectors; give {' or '.join(map(str, of_csi))}"
            )
    if config.dataset.endswith(":stream"):
        raise ValueError(
            f"--dataset={config.dataset}: a stream has no eigenvectors, leave out "
            "':stream'"
        )


def stored(values: dict, fields: Iterable[dataclasses.Field]) -> dict:
    """Values of config.json by flag, those that an older run lacks added.

    Args:
        values: content of the file.
        fields: of the configuration.

    Raises:
        ValueError: unknown or missing fields (a run of another version), or values of
            another type.
    """
    kinds = {
        "str": json_files.TEXT,
        "int": {"type": "integer", "maximum": (1 << 53) - 1},
        "bool": json_files.FLAG,
    }
    types = {x.name: kinds.get(x.type, json_files.NUMBER_OR_NONE) for x in fields}
    json_files.check("config.json", values, json_files.record({}, types))
    unknown = set(values) - set(types)
    values = THEN | values
    missing = set(types) - set(values) - LATER
    if unknown or missing:
        raise ValueError(
            "config.json does not fit this version of the zoo: unknown fields "
            f"{sorted(unknown)}, missing {sorted(missing)}"
        )
    return {k: math.inf if v is None else v for k, v in values.items()}
