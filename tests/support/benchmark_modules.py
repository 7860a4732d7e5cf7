"""Benchmarks as modules: the flags of two have the same names."""

from __future__ import annotations

import importlib
from types import ModuleType

from absl import flags


def imported(name: str) -> ModuleType:
    """A benchmark, whose flags are taken back: tests set its values themselves.

    Args:
        name: of the module in `benchmarks`.
    """
    module = importlib.import_module(f"benchmarks.{name}")
    own = flags.FLAGS.flags_by_module_dict().get(module.__name__, ())
    for name in [flag.name for flag in own]:
        delattr(flags.FLAGS, name)
    return module
