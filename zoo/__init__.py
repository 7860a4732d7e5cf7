"""CSI-feedback zoo: networks, training, evaluation, export.

    import zoo

    run = zoo.train("crnet_quickstart", epochs=5)
    codec = zoo.export(run, "export")
    h_hat, valid = codec.decode(codec.encode(h))

Nothing is imported before it is used: `import zoo` takes no TensorFlow. The commands
are modules of the same names (`python -m zoo.train`); `zoo.train` is the function, also
after `import zoo.train`. The module is `importlib.import_module("zoo.train")`.
"""

from __future__ import annotations

import importlib
import os
import sys
import types
from typing import TYPE_CHECKING

from tfds_builders import provenance

if TYPE_CHECKING:
    from zoo.api.codec import Codec as Codec
    from zoo.api.comparing import compare as compare
    from zoo.api.loading import load as load
    from zoo.api.models import create as create
    from zoo.api.models import list_models as list_models
    from zoo.api.models import register as register
    from zoo.api.runs import evaluate as evaluate
    from zoo.api.runs import export as export
    from zoo.api.runs import train as train

    __version__: str

# Both are read when TensorFlow is imported. It leaves oneDNN off on CPUs without
# AVX-512; there, too, it runs the narrow convolutions of this zoo several times faster.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

_API = {
    "Codec": "codec",
    "compare": "comparing",
    "create": "models",
    "list_models": "models",
    "register": "models",
    "evaluate": "runs",
    "export": "runs",
    "load": "loading",
    "train": "runs",
}
__all__ = ["__version__", *_API]


class _Package(types.ModuleType):
    """Importing a module binds its name in the package, but not over a function."""

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in _API and isinstance(value, types.ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> object:
    """Import a public name when it is first asked for."""
    if name == "__version__":
        return provenance.version()
    if name not in _API:
        raise AttributeError(f"module 'zoo' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"zoo.api.{_API[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
