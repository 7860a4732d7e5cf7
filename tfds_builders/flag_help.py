"""What `--help` prints: a command's flags in groups, wrapped to the terminal."""

from __future__ import annotations

import re
import shutil
import signal
import sys
import textwrap

from absl import flags

SHORT, FULL = ("--help", "-help", "-h", "-?", "--helpshort", "-helpshort"), "--helpfull"
GROUPS = ("data", "network", "codeword", "training", "output", "general")
WIDEST, NARROWEST = 100, 40
COLUMN = 24  # where the texts begin
OURS = ("zoo.", "serving.", "tfds_builders.", "benchmarks.", "__main__")

called_as = ""  # set by who runs a command's module under another name
about_it = ""  # and by a module of several commands: what this one does


def program() -> str:
    """How this command was called: python -m zoo.train, or csizoo train."""
    return called_as or module_command() or sys.argv[0]


def module_command() -> str:
    """'python -m MODULE' of a module that runs as a command, else ''."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    return f"python -m {spec.name.removesuffix('.__main__')}" if spec else ""


def show_if_asked(args: list[str]) -> None:
    """Print the help that `args` ask for and exit with 0, or do nothing."""
    before = args[: args.index("--")] if "--" in args else args
    full = FULL in before or FULL[1:] in before
    if not full and not set(SHORT) & set(before):
        return
    width = shutil.get_terminal_size().columns
    about = about_it or sys.modules["__main__"].__doc__ or ""
    show(text(about, flags.FLAGS, max(NARROWEST, min(width, WIDEST)), full))


def show(help_text: str) -> None:
    """Print a help, also to a reader that leaves (`| head`), and exit with 0."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    print(help_text)
    sys.exit(0)


def group(name: str, names, values: flags.FlagValues = flags.FLAGS) -> None:
    """Show flags under a heading of `GROUPS` instead of the command's name."""
    for flag in names:
        values[flag].group = name


def text(about: str, values: flags.FlagValues, width: int, full: bool = False) -> str:
    """The help.

    Args:
        about: of the command, printed first as it is.
        values: all flags.
        width: of a line, in characters.
        full: whether to show the flags of libraries too.
    """
    groups: dict[str, list[flags.Flag]] = {program(): []}
    groups |= {name: [] for name in GROUPS}
    for module, found in values.flags_by_module_dict().items():
        if module != sys.argv[0] and not module.startswith(OURS):
            if full:
                groups.setdefault(module, []).extend(found)
            continue
        for flag in found:
            default = "general" if flag.name == "verbose" else program()
            groups[getattr(flag, "group", default)].append(flag)
    parts = [about.strip(), f"usage: {program()} [--flag=value ...]"]
    for name, found in groups.items():
        lines = [_entry(flag, width) for flag in found]
        if lines:
            parts.append("\n".join([f"{name}:", *lines]))
    return "\n\n".join(parts)


def _entry(flag: flags.Flag, width: int) -> str:
    """A flag's name, text and default, the text beside or below the name."""
    name = f"  --[no]{flag.name}" if flag.boolean else f"  --{flag.name}"
    said = re.sub(r"^<[^>]*>: ", "", " ".join((flag.help or "").split())).rstrip(".")
    choices = getattr(flag.parser, "enum_values", None)
    if choices:
        said += f"; one of {', '.join(choices)}"
    if flag.default not in (None, "", []):
        said += f" (default: {flag.default_as_str})".replace("'", "")
    indent = " " * COLUMN
    body = textwrap.fill(
        said,
        width,
        initial_indent=indent,
        subsequent_indent=indent,
        break_on_hyphens=False,
    )
    if len(name) > COLUMN - 2:
        return f"{name}\n{body}"
    return name + body[len(name) :]
