"""`--flagfile=NAME` replaced by the flags in the file, as absl does, but for NAME.

absl takes a name relative to the current directory alone. Here it is, in this order,
relative to the file that includes it, relative to the current directory, or one of the
flagfiles that come with a package, where '.cfg' may be left out:

    --flagfile=mine.cfg   --flagfile=crnet   --flagfile=published/crnet_4_indoor

Everything else is absl's: later flags win, lines that begin with # or // are comments,
the directive of a file is replaced in its place, what follows `--` is left alone.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from pathlib import Path

from absl import flags

_DIRECTIVES = ("--flagfile", "-flagfile")
_shipped: list[Path] = []


def ship(folder: Path) -> None:
    """Let the flagfiles of a package be found by name: `folder/NAME.cfg`.

    Their path in a checkout (the last two parts of `folder`) names them as well, from
    wherever a command is started.
    """
    if folder not in _shipped:
        _shipped.append(folder)


def expand(argv: Sequence[str]) -> list[str]:
    """Command line without `--flagfile`: its files' flags in their places.

    Args:
      argv: program and arguments.

    Raises:
      absl.flags.Error: a file is missing or no text, or files include each other in a
        circle; one line that says who includes it and where it was looked for.
    """
    return [argument for argument, _ in with_origins(argv)]


def with_origins(argv: Sequence[str]) -> list[tuple[str, tuple[Path, ...]]]:
    """As `expand`, each argument with the flagfiles that it comes from.

    They go from the file that the command line names to the one that holds the
    argument; there are none around an argument of the command line itself.
    """
    result, rest = [(program, ()) for program in argv[:1]], iter(argv[1:])
    for argument in rest:
        if argument == "--":
            return [*result, *((word, ()) for word in (argument, *rest))]
        if argument in _DIRECTIVES:
            argument = f"{argument}={next(rest, '')}"
        result += _expanded(argument, ())
    return result


def _expanded(
    argument: str, includers: tuple[Path, ...]
) -> Iterator[tuple[str, tuple[Path, ...]]]:
    """An argument, or the flags of the file that it names, each with its includers.

    Args:
      argument: of the command line or a file.
      includers: files from the outermost to the one that holds it.
    """
    directive, _, name = argument.partition("=")
    if directive not in _DIRECTIVES:
        yield argument, includers
    elif name.strip():
        path = _find(name.strip(), includers)
        if path in includers:
            circle = " includes ".join(map(str, [*includers, path]))
            raise flags.Error(f"flagfiles in a circle: {circle}")
        for line in _lines(path):
            yield from _expanded(line, (*includers, path))


def _lines(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise flags.CantOpenFlagFileError(
            f"--flagfile={path}: cannot be read as text ({error})"
        ) from error
    lines = [line.strip() for line in text.splitlines()]
    return [line for line in lines if line and not line.startswith(("#", "//"))]


def _find(name: str, includers: tuple[Path, ...]) -> Path:
    """The file of a name; arguments as `_expanded`."""
    try:
        given = Path(name).expanduser()
    except RuntimeError as error:  # ~somebody who has no home
        raise flags.CantOpenFlagFileError(f"--flagfile={name}: {error}") from error
    folders = [path.parent for path in includers[-1:]] + [Path.cwd()]
    candidates = [folder / given for folder in folders]
    for folder in () if given.is_absolute() else _shipped:
        inside = _inside(given, folder)
        candidates += [folder / inside, folder / f"{inside}.cfg"]
    for path in candidates:
        if path.is_file():
            return path.resolve()
    looked = [given.parent] if given.is_absolute() else [*folders, *_shipped]
    includer = f" (in {includers[-1]})" if includers else ""
    close = _close(given, folders)
    raise flags.CantOpenFlagFileError(
        f"--flagfile={given}{includer}: no such file in "
        f"{' or '.join(dict.fromkeys(map(str, looked)))}"
        + (f"; close to it: {', '.join(close)}" if close else "")
    )


def _inside(given: Path, folder: Path) -> Path:
    """A name relative to a package's folder, `zoo/flagfiles/` in front left out."""
    in_checkout = Path(*folder.parts[-2:])
    return given.relative_to(in_checkout) if in_checkout in given.parents else given


def _close(given: Path, folders: list[Path]) -> list[str]:
    """Names of flagfiles that look like one that is missing."""
    if not given.name:
        return []
    known = {
        str(path.relative_to(folder).with_suffix(""))
        for folder in _shipped
        for path in folder.rglob("*.cfg")
    }
    for folder in folders:
        siblings = (folder / given).parent.glob("*.cfg")
        known |= {str(given.with_name(path.name)) for path in siblings}
    text = str(given)
    for folder in _shipped:
        text = str(_inside(given, folder).with_suffix(""))
    return difflib.get_close_matches(text, sorted(known), n=3)
