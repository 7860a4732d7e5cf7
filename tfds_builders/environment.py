"""What libraries take from the environment: fixed, or refused by name at once.

A variable that is set for another program must not change a network, a figure or the
end of a command. What only says where, how fast or how loud is left alone; the table
is in docs/start/environment.md.
"""

from __future__ import annotations

import os
import sys
import tempfile
import warnings

# Read while a library is imported: without a word they would change what is computed.
REFUSED = {
    "TF_XLA_FLAGS": "it compiles every network; --xla compiles a training",
    "TF_FUNCTION_JIT_COMPILE_DEFAULT": "as TF_XLA_FLAGS",
    "TF_JIT_COMPILE_REWRITE": "as TF_XLA_FLAGS",
    "TF2_BEHAVIOR": "TensorFlow 1 runs none of these networks",
    "TF_CONV2D_USE_FP16_ACCUMULATE": "it rounds; --precision chooses",
    "TF_USE_DEEP_CONV2D": "it rounds otherwise",
}
USUAL = {"TF2_BEHAVIOR": ("", "1", "true")}  # values as if it were not set
OFF = ("", "0", "false")  # those of the others
OF_KERAS = (  # the second one also of what is predicted
    "KERAS_MAX_EPOCHS", "KERAS_MAX_STEPS_PER_EPOCH", "KERAS_NNX_ENABLED",
)  # fmt: skip
DROPPED = (
    *OF_KERAS,
    "XLA_FLAGS",  # of JAX, more often than not; TensorFlow ends at those it lacks
    "PYTHONWARNINGS",  # "error" ends TensorFlow's import
)
SET = {"MPLBACKEND": "agg"}  # for commands draw into files


def check() -> None:
    """Refuse variables that would change what is computed.

    Raises:
        ValueError: one is set; the message names it.
    """
    for name, why in REFUSED.items():
        value = os.environ.get(name, "").strip()
        if value.lower() not in USUAL.get(name, OFF):
            raise ValueError(f"{name}={value}: {why}; unset it")


def prepare() -> None:
    """Make the environment that of a command, before it imports any library."""
    if os.environ.pop("PYTHONINSPECT", ""):  # it would stay; read when Python starts
        os.execv(sys.executable, sys.orig_argv)
    try:
        check()
        tempfile.gettempdir()  # TensorFlow's import ends without one
    except ValueError as error:
        sys.exit(f"error: {error}")
    except FileNotFoundError as error:  # it wrote to each of them
        sys.exit(f"error: {error.strerror}: make room, or set TMPDIR")
    for name in DROPPED:
        os.environ.pop(name, None)
    os.environ |= SET
    warnings.filters[:] = [f for f in warnings.filters if f[0] != "error"]
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # what cannot be printed is spelled out
            stream.reconfigure(errors="backslashreplace")
