"""Entry point shared by all commands: absl flags in, one-line errors out."""

from __future__ import annotations

import logging as python_logging
import os
import signal
import stat
import sys
import threading
import time
from collections.abc import Callable

from absl import app, flags, logging

from tfds_builders import flag_help, flagfiles, quiet

INTERRUPTED = 130  # exit status, as of shells
INTERRUPT_SECONDS = 3.0

flags.DEFINE_bool("verbose", False, "show all flags and all messages of libraries")


def _parse_flags(argv: list[str]) -> list[str]:
    try:
        return flags.FLAGS(flagfiles.expand(argv))
    except flags.Error as error:
        _fail(error, code=2)


def _fail(error: BaseException, code: int) -> None:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    # TensorFlow puts "in user code:" and a trace before the message itself.
    message = lines[-1].strip() if lines[0].endswith("user code:") else lines[0]
    print(f"error: {message}", file=sys.stderr)
    sys.exit(code)


def refuse_arguments(argv: list[str]) -> None:
    """Refuse anything but flags on the command line.

    Raises:
        ValueError: `argv` holds more than the program's name.
    """
    if len(argv) > 1:
        raise ValueError(f"unexpected argument {argv[1]!r}; every option is a --flag")


def require(*names: str) -> None:
    """Refuse a command line without some flags.

    Raises:
        ValueError: one has no value; the message is the command's usage.
    """
    missing = [name for name in names if not flags.FLAGS[name].value]
    if missing:
        usage = " ".join(f"--{name}={name.upper()}" for name in names)
        raise ValueError(
            f"--{missing[0]} is missing; usage: {flag_help.program()} {usage} "
            "[--flag=value ...], --help shows all flags"
        )


def _refuse_pipes_and_devices() -> None:
    """Refuse them as values of flags: they have no end, no size, or nobody to write.

    A flagfile is text that is read once; a shell's <(...) may be one.

    Raises:
        ValueError: one is given.
    """
    for name in flags.FLAGS:
        given = flags.FLAGS[name].value if name != "flagfile" else ""
        for text in given if isinstance(given, list) else [given]:
            words = text.split(",") if isinstance(text, str) else []
            for word in words:
                for path in (word, word.rpartition(":")[0]):  # FILE.py:NAME
                    if kind := _special(path):
                        raise ValueError(
                            f"--{name}={text}: {path} is {kind}, expected a regular "
                            "file or a folder"
                        )


def _special(path: str) -> str:
    """What a path is that is no file or folder; '' where it is one, or none."""
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return ""
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
        return ""
    return "a pipe" if stat.S_ISFIFO(mode) else "a device or socket"


def _end_on_interrupt() -> None:
    """Let Ctrl-C end a command whose main thread is in native code for long.

    Python hears it when that thread comes back; another one hears it at once, gives the
    command some seconds to end by itself, and ends it.
    """
    source, sink = os.pipe()
    os.set_blocking(sink, False)
    signal.set_wakeup_fd(sink, warn_on_full_buffer=False)

    def watch() -> None:
        while number := os.read(source, 1):
            ours = signal.getsignal(signal.SIGINT) is signal.default_int_handler
            if number[0] == signal.SIGINT and ours:
                time.sleep(INTERRUPT_SECONDS)
                os.write(2, b"error: interrupted\n")
                os._exit(INTERRUPTED)

    threading.Thread(target=watch, daemon=True).start()


def _be_quiet() -> None:
    """Silence Python's side of TensorFlow but for errors; no more without --verbose."""
    if flags.FLAGS.verbose:
        quiet.stop()
        return
    python_logging.getLogger("tensorflow").setLevel(python_logging.ERROR)
    if not flags.FLAGS["verbosity"].present:
        logging.set_verbosity(logging.ERROR)


def run(main: Callable[[list[str]], int | None]) -> None:
    """Parse flags, run `main(argv)`, exit with its status.

    `--help` prints the flags in groups and exits with 0. ValueError, OSError and
    ModuleNotFoundError (bad input, missing file, full disk, missing extra) become one
    line on standard error and exit status 1, an unknown flag exit status 2. Ctrl-C ends
    a command within seconds with 130, SIGTERM at once. Anything else is a bug and keeps
    its traceback; `ZOO_TRACEBACK=1` keeps all of them.
    """

    def guarded(argv: list[str]) -> int | None:
        _be_quiet()
        try:
            _refuse_pipes_and_devices()
            return main(argv)
        except (ValueError, OSError, ModuleNotFoundError) as error:
            if os.environ.get("ZOO_TRACEBACK"):
                raise
            _fail(error, code=1)
        except KeyboardInterrupt:
            _fail(InterruptedError("interrupted"), code=INTERRUPTED)

    quiet.start()
    _end_on_interrupt()
    flag_help.show_if_asked(sys.argv[1:])
    app.run(guarded, flags_parser=_parse_flags)
