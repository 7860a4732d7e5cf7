"""The flags of zoo.train: defined from ExperimentConfig, parsed, and back."""

from __future__ import annotations

import dataclasses
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
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

# What a run directory has: a flagfile beside one of these is not of the user.
_OF_RUN = ("config.json", "network.json", "env.json", "card.json", "best.weights.h5")

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


def define_partner() -> None:
    """Flag of commands that take a run of one side alone."""
    flags.DEFINE_string(
        "partner", "", "of a run of one side alone: the run that handed over to it"
    )


def own(values: flags.FlagValues = flags.FLAGS) -> dict[str, str]:
    """What those flags of this command name.

    Raises:
        ValueError: code that only the flagfile of a run directory names.
    """
    named = {name: values[name].value for name in OWN}
    check_flagfiles(named, sys.argv)
    return named


def named(config: ExperimentConfig) -> list[str]:
    """The flags that name a configuration's own code to the commands of its run."""
    names = [(flag, getattr(config, flag)) for flag in OWN]
    return [f"--{flag}={name}" for flag, name in names if is_reference(name)]


def check_flagfiles(given: Mapping[str, str], args: Sequence[str]) -> None:
    """Refuse own code that is named by nothing but the flagfile of a run directory.

    What a flagfile of a run directory includes, and such a file within one of the
    user's, names no code either.

    Args:
        given: by flag, what the command is to use.
        args: the command line.

    Raises:
        ValueError: it is; the message says how to name it.
    """
    values = list(_values(args))
    named = {absolute(value) for value, of_run in values if not of_run}
    for flag, value in given.items():
        value = absolute(value)
        if is_reference(value) and value not in named and any(o for _, o in values):
            raise ValueError(
                f"{value} is code that only the flagfile of a run directory names: "
                f"add --{flag}={value} to run it"
            )


def _values(args: Sequence[str]) -> Iterator[tuple[str, bool]]:
    """Words and flags' values, and whether they are from a run directory's flagfile."""
    for word, origins in flagfiles.with_origins(args):
        of_run = any(map(_is_of_run, origins))
        value = word.partition("=")[2]
        yield from ((word, of_run), (value, of_run))
        inner = value if value.startswith("-") else word if " -" in word else ""
        if inner and not of_run:  # --stage="FLAGS", which may name a flagfile as well
            yield from _values(["stage", *shlex.split(inner)])


def _is_of_run(flagfile: Path) -> bool:
    """Whether a flagfile is in a run directory, or called as its flagfile is."""
    beside = any((flagfile.parent / name).exists() for name in _OF_RUN)
    return beside or flagfile.name == "flags.cfg"
