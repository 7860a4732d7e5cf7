"""The quantiser of a configuration, between encoder and feedback channel."""

from __future__ import annotations

import functools
import inspect

from zoo.config_checks import is_reference, label
from zoo.layers.affine_quantizer import LEARNED, AffineQuantizer
from zoo.layers.mdpq import MdpqQuantizer
from zoo.layers.polar_quantizer import PolarQuantizer
from zoo.layers.quantizers import MuLawQuantizer, SignQuantizer, UniformQuantizer
from zoo.layers.ssq import SumOfSigmoidsQuantizer
from zoo.models import references

QUANTIZERS = {
    "uniform": UniformQuantizer,
    "mu_law": MuLawQuantizer,
    "sign": SignQuantizer,
    "ssq": SumOfSigmoidsQuantizer,
    "polar": PolarQuantizer,
    "mdpq": MdpqQuantizer,
    **{kind: functools.partial(AffineQuantizer, kind=kind) for kind in LEARNED},
}
PARTS = ("bits", "indices", "dequantize", "frozen", "agreed")  # what it must have


def sections(quantizer, codeword_dim: int) -> tuple[tuple[int, int], ...]:
    """(Indices, bits of each) of the parts of what is sent, one behind the other."""
    return getattr(quantizer, "sections", ((codeword_dim, quantizer.bits),))


def make_quantizer(name: str, bits: int, args: dict):
    """Quantiser layer, called `quantise`.

    Args:
        name: key of `QUANTIZERS`, or a reference that was admitted before.
        bits: B.
        args: its other options.

    Raises:
        ValueError: it has no such option, refuses a value, or is no quantiser.
    """
    make = _own(name) if is_reference(name) else QUANTIZERS[name]
    known = set(inspect.signature(make).parameters) - {"bits", "kind", "kwargs"}
    unknown = sorted(set(args) - known)
    if unknown:
        raise ValueError(
            f"--quantizer_args: {label(name)} has no option {', '.join(unknown)}; "
            f"it has {', '.join(sorted(known)) or 'none'}"
        )
    try:
        layer = make(bits, name="quantise", **args)
    except (TypeError, ValueError) as error:
        raise ValueError(f"--quantizer_args: {error}") from error
    lacking = [part for part in PARTS if not hasattr(layer, part)]
    if lacking:
        raise ValueError(
            f"--quantizer={name}: its layer has no {', '.join(lacking)}; derive it "
            "from zoo.layers.quantizers.UniformQuantizer"
        )
    return layer


def _own(name: str):
    """What makes a quantiser of the user, once it can be called."""
    make = references.loaded("quantizer", name)
    if not callable(make):
        raise ValueError(
            f"--quantizer={name}: got {type(make).__name__} {make!r:.60}, expected a "
            "layer's class such as a subclass of zoo.layers.quantizers.UniformQuantizer"
        )
    return make
