"""The codebooks by name, all used alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from zoo.codecs.codebooks import etype2_bits, etype2_encoder, type2_bits
from zoo.codecs.codebooks.etype2 import MOST_SUBBANDS, EnhancedTypeII
from zoo.codecs.codebooks.fields import Report
from zoo.codecs.codebooks.panel import Panel
from zoo.codecs.codebooks.type1 import TypeI
from zoo.codecs.codebooks.type2 import TypeII


class Codebook(NamedTuple):
    """How a codebook is used.

    Attributes:
        options: of it beside panel, subbands and rank, and their defaults.
        make: function of panel, N3, rank and options to a configuration, which has
            `decode`.
        encode: of a configuration and eigenvectors `[n, N3, P, rank]`.
        pack: of a configuration and indices.
        unpack: of a configuration and reports.
    """

    options: dict[str, Any]
    make: Callable[..., Any]
    encode: Callable[[Any, np.ndarray], NamedTuple]
    pack: Callable[[Any, NamedTuple], list[Report]]
    unpack: Callable[[Any, list[Report]], NamedTuple]

    def reports(self, configuration, vectors) -> list[Report]:
        """Reports of eigenvectors `[n, N3, P, rank]`."""
        return self.pack(configuration, self.encode(configuration, vectors))

    def precoders(self, configuration, reports: list[Report]) -> np.ndarray:
        """What a base station reads out of them, `[n, N3, P, rank]`."""
        return configuration.decode(self.unpack(configuration, reports))


def _etype2(panel: Panel, num_subbands: int, rank: int, param_combination: int):
    """With two subbands of the PMI in one of the CQI where one is not enough."""
    return EnhancedTypeII(
        panel,
        num_subbands,
        param_combination,
        rank,
        per_cqi_subband=1 if num_subbands <= MOST_SUBBANDS else 2,
    )


def _type2(panel, num_subbands, rank, num_beams, num_phases, subband_amplitude):
    return TypeII(panel, num_subbands, num_beams, num_phases, subband_amplitude, rank)


CODEBOOKS = {
    "etype2": Codebook(
        {"param_combination": 4},
        _etype2,
        etype2_encoder.encode,
        etype2_bits.pack,
        etype2_bits.unpack,
    ),
    "type2": Codebook(
        {"num_beams": 4, "num_phases": 8, "subband_amplitude": False},
        _type2,
        TypeII.encode,
        type2_bits.pack,
        type2_bits.unpack,
    ),
    "type1": Codebook({}, TypeI, TypeI.encode, TypeI.pack, TypeI.unpack),
}
