"""The quantiser of a configuration, between encoder and feedback channel."""

from __future__ import annotations

import functools
import inspect

from zoo.layers.affine_quantizer import LEARNED, AffineQuantizer
from zoo.layers.mdpq import MdpqQuantizer
from zoo.layers.polar_quantizer import PolarQuantizer
from zoo.layers.quantizers import MuLawQuantizer, SignQuantizer, UniformQuantizer
from zoo.layers.ssq import SumOfSigmoidsQuantizer

QUANTIZERS = {
    "uniform": UniformQuantizer,
    "mu_law": MuLawQuantizer,
    "sign": SignQuantizer,
    "ssq": SumOfSigmoidsQuantizer,
    "polar": PolarQuantizer,
    "mdpq": MdpqQuantizer,
    **{kind: functools.partial(AffineQuantizer, kind=kind) for kind in LEARNED},
}


def sections(quantizer, codeword_dim: int) -> tuple[tuple[int, int], ...]:
    """(Indices, bits of each) of the parts of what is sent, one behind the other."""
    return getattr(quantizer, "sections", ((codeword_dim, quantizer.bits),))


def make_quantizer(name: str, bits: int, args: dict):
    """Quantiser layer, called `quantise`.

    Args:
        name: key of `QUANTIZERS`.
        bits: B.
        args: its other options.

    Raises:
        ValueError: it has no such option, or refuses a value.
    """
    make = QUANTIZERS[name]
    known = set(inspect.signature(make).parameters) - {"bits", "kind", "kwargs"}
    unknown = sorted(set(args) - known)
    if unknown:
        raise ValueError(
            f"--quantizer_args: {name} has no option {', '.join(unknown)}; it has "
            f"{', '.join(sorted(known)) or 'none'}"
        )
    try:
        return make(bits, name="quantise", **args)
    except (TypeError, ValueError) as error:
        raise ValueError(f"--quantizer_args: {error}") from error
