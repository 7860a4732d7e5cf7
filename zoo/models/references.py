"""Code of the user: `FILE.py:NAME` and `package.module:NAME`.

It runs only where the user names it: `load` imports what a command line or a caller
says. A run directory that refers to it gets from `loaded` what was named before, and
imports nothing.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import shlex
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

from tfds_builders import flag_help
from zoo import files
from zoo.config_checks import absolute

_loaded: dict[str, Any] = {}


def load(flag: str, reference: str) -> Any:
    """Import what a reference names; once in a process.

    Args:
        flag: that it was given by, for the message.
        reference: FILE.py:NAME or package.module:NAME.

    Raises:
        ValueError: there is no such file, module or name in it, or its code fails.
    """
    key = absolute(reference)
    if key in _loaded:
        return _loaded[key]
    place, _, name = key.rpartition(":")
    origin = f"--{flag}={reference}"
    if not place or not name:
        raise ValueError(f"{origin}: expected FILE.py:NAME or package.module:NAME")
    found = _file if place.endswith(".py") else _module
    module = found(place, origin)
    if not hasattr(module, name):
        public = [n for n in vars(module) if n.isupper() or n[:1].isupper()]
        raise ValueError(
            f"{origin}: no {name!r} in {place}, which has "
            f"{', '.join(public) or 'no name in capitals'}"
        )
    _loaded[key] = getattr(module, name)
    return _loaded[key]


def loaded(flag: str, reference: str) -> Any:
    """What a reference named that this process was given before.

    Raises:
        ValueError: it was not named; the message says how.
    """
    key = absolute(reference)
    if key not in _loaded:
        raise ValueError(
            f"{key} is code of your own, which is imported only where you name it; "
            f"{_advice(flag, key)}"
        )
    return _loaded[key]


def _advice(flag: str, key: str) -> str:
    """How a command is given again so that it names a reference."""
    place, _, name = key.rpartition(":")
    if place.endswith(".py") and not Path(place).is_file():
        return f"the file is gone: add --{flag}=ITS_NEW_PLACE.py:{name}"
    program = flag_help.called_as or flag_help.module_command()
    if not program:
        return f"zoo.models.references.load({flag!r}, {key!r}) does"
    return f"give {program} {shlex.join([*sys.argv[1:], f'--{flag}={key}'])}"


def digest(flag: str, reference: str) -> str | None:
    """SHA-256 of the file that a named reference is in; None of an extension.

    Raises:
        ValueError: it was not named; the message says how.
    """
    loaded(flag, reference)
    place = absolute(reference).rpartition(":")[0]
    module = sys.modules.get(place)
    source = place if place.endswith(".py") else getattr(module, "__file__", None)
    return files.sha256(source) if source and Path(source).is_file() else None


def _file(path: str, origin: str) -> ModuleType:
    if not Path(path).is_file():
        raise ValueError(f"{origin}: no such file {path}")
    mark = hashlib.sha256(path.encode()).hexdigest()[:8]
    name = f"{Path(path).stem}_{mark}"  # files of one name in two folders
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        sys.modules[name] = importlib.util.module_from_spec(spec)
        try:
            spec.loader.exec_module(sys.modules[name])
        except (Exception, SystemExit) as error:
            del sys.modules[name]
            raise _failed(origin, path, error) from error
    return sys.modules[name]


def _module(name: str, origin: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if not f"{name}.".startswith(f"{error.name}."):  # one that it imports
            raise _failed(origin, name, error) from error
        raise ValueError(
            f"{origin}: no module {error.name!r} in this environment; pip install its "
            "package, or give the file, ./my_net.py:SPEC"
        ) from error
    except (Exception, SystemExit) as error:
        raise _failed(origin, name, error) from error


def _failed(origin: str, place: str, error: BaseException) -> ValueError:
    """An error inside the user's code, with its line."""
    where = traceback.extract_tb(error.__traceback__)
    lines = [entry.lineno for entry in where if entry.filename == place]
    at = f", line {lines[-1]}" if lines else ""
    message = (str(error).splitlines() or [""])[0]
    return ValueError(
        f"{origin}: {place}{at}: {type(error).__name__}: {message} (ZOO_TRACEBACK=1 "
        "shows all of it)"
    )
