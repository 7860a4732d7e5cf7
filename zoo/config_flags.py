"""The flags of zoo.train: defined from ExperimentConfig, parsed, and back."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from absl import flags

from tfds_builders import flag_help, flagfiles
from zoo.config import OWN, ExperimentConfig
from zoo.config_checks import absolute, is_reference

FLAGFILES = Path(__file__).parent / "flagfiles"
flagfiles.ship(FLAGFILES)

# Fields from the first one named on, until the next, are shown under a heading.
_GROUPS = {
    "model": "network",
    "quantizer": "codeword",
    "dataset": "data",
    "init": "training",
    "image_every": "output",
}

_DEFINE = {
    "str": flags.DEFINE_string,
    "int": flags.DEFINE_integer,
    "float": flags.DEFINE_float,
    "bool": flags.DEFINE_bool,
    "float | None": flags.DEFINE_float,
}


def define_flags(values: flags.FlagValues = flags.FLAGS) -> None:
    """Define one absl flag per field of ExperimentConfig."""
    heading = ""
    for item in dataclasses.fields(ExperimentConfig):
        choices = list(item.metadata["choices"])
        listed = choices and not item.metadata["own"]
        kind = (flags.DEFINE_enum, choices) if listed else (_DEFINE[item.type],)
        define, *extra = kind
        text = item.metadata["help"]
        define(item.name, item.default, *extra, text, flag_values=values)
        heading = _GROUPS.get(item.name, heading)
        flag_help.group(heading, [item.name], values)


def parse(
    args: Sequence[str], origin: str, known_only: bool = False
) -> flags.FlagValues:
    """Read flags of zoo.train apart from those of this process.

    Args:
        args: as on a command line; the last setting of a flag wins.
        origin: where they are from, for the message.
        known_only: whether to pass over what is no flag of zoo.train.

    Raises:
        ValueError: an unknown flag, an unusable value, or a word that is no flag.
    """
    values = flags.FlagValues()
    define_flags(values)
    try:
        rest = values(flagfiles.expand(["train", *args]), known_only)[1:]
    except flags.Error as error:
        raise ValueError(f"{origin}: {error}") from error
    if rest and not known_only:
        raise ValueError(f"{origin}: {rest} are not flags")
    return values


def from_flags(values: flags.FlagValues = flags.FLAGS, **changes) -> ExperimentConfig:
    """Configuration of the parsed flags.

    Args:
        values: the flags.
        **changes: by flag name; they win.
    """
    names = [item.name for item in dataclasses.fields(ExperimentConfig)]
    return ExperimentConfig(**{name: values[name].value for name in names} | changes)


def define_own(quantizer: str = "") -> None:
    """Flags of commands that take a run: which code of the user it may import.

    Args:
        quantizer: what else that flag may be, for its help.
    """
    for name in OWN:
        text = f"own {name} of the run: FILE.py:NAME or package.module:NAME"
        text += quantizer if name == "quantizer" else ""
        flags.DEFINE_string(name, "", text)


def own(values: flags.FlagValues = flags.FLAGS) -> dict[str, str]:
    """What those flags name."""
    return {name: values[name].value for name in OWN}


def named(config: ExperimentConfig) -> list[str]:
    """The flags that name a configuration's own code to the commands of its run."""
    names = [(flag, getattr(config, flag)) for flag in OWN]
    return [f"--{flag}={name}" for flag, name in names if is_reference(name)]


def check_flagfiles(config: ExperimentConfig, args: Sequence[str]) -> None:
    """Refuse own code that is named by nothing but the flags.cfg of a run directory.

    Args:
        config: of the command line.
        args: the command line.

    Raises:
        ValueError: it is; the message says how to name it.
    """
    words = [word for word in args if "flagfile" not in word.partition("=")[0]]
    behind = [b for a, b in zip(args, args[1:], strict=False) if a.endswith("flagfile")]
    paths = [word.partition("=")[2] for word in args if "flagfile=" in word] + behind
    folders = [Path(path).expanduser().resolve().parent for path in paths]
    named = {absolute(word.partition("=")[2] or word) for word in words}
    for flag in OWN:
        value = getattr(config, flag)
        of_run = any((folder / "config.json").is_file() for folder in folders)
        if is_reference(value) and of_run and value not in named:
            raise ValueError(
                f"{value} is code that only the flagfile of a run directory names: "
                f"add --{flag}={value} to run it"
            )
