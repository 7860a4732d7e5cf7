"""Tables and figures of the CLLWCsiNet paper (Ansari, Mohassel Feghhi).

Its Figs. 4 to 6 draw the network. What Table II and Figs. 8 to 10 show is known from
the authors' public LaTeX sources (FardadAnsari/Paper-revision). At `fast` the ratio of
Figs. 2, 3 and 7 is 1/16 instead of 1/8, and networks with attention are left out.
"""

from __future__ import annotations

import functools

from zoo.experiments.cllwcsinet_figures import (
    draw_drops,
    draw_figure2,
    draw_figure3,
    drops_of,
    figure2,
    figure3,
    figure7,
)
from zoo.experiments.cllwcsinet_tables import (
    CROSS,
    layers,
    table1,
    table2,
    table3,
    table4,
    table5,
)
from zoo.experiments.cost2100 import NMSE, NMSE_OR
from zoo.experiments.drawings import curves
from zoo.experiments.target import Target

_LATENT = tuple(
    claim
    for name in ("csinet", "crnet", "acrnet")
    for claim in (
        (f"{name} loses without FC layers", name, f"cl_{name}"),
        (f"CLLWCsiNet loses less than cl_{name}", "cllwcsinet", f"cl_{name}"),
    )
)


def _flatter(name: str, series: str, other: str) -> tuple[str, str, str]:
    return f"{name} is flatter than {other}", f"{series}: spread", f"{other}: spread"


# Beside CLLWCsiNet: the paper's networks, and others.
_OF_FIGURE_7 = ("acrnet", "crnet", "csinet+dnnnet, noise")
_BESIDE_THEM = ("bcsinet", "csinet", "csinet_plus", "crnet, noise")
_PICTURES = {
    8: ("uma 28 GHz", "TR 38.901 UMa NLOS, 28 GHz"),
    9: ("uma 300 MHz", "TR 38.901 UMa NLOS, 300 MHz"),
    10: ("outdoor", "COST2100 outdoor, 300 MHz"),
}

TARGETS = {
    "cllwcsinet.table1": Target(
        "UE's side at 1/4", "parameters, flops", "count", table1
    ),
    "cllwcsinet.table2": Target(
        "Shape of CLLWCsiNet's compression", "as the series says", "ratio", table2
    ),
    "cllwcsinet.table3": Target(
        "With FC layers and without, indoor", NMSE_OR, "ratio", table3, claims=_LATENT,
    ),
    "cllwcsinet.table4": Target(
        "Networks for COST2100 outdoor on UMa channels, 1/4 (fast: 1/16)", NMSE,
        "channels", table4,
        claims=tuple(
            (f"CLLWCsiNet better than {x} on other channels", "cllwcsinet", x)
            for x in CROSS
            if x != "cllwcsinet"
        ),
        own=tuple(
            (f"{x} is worse there than no feedback", "zero output", x) for x in CROSS
        ),
    ),
    "cllwcsinet.table5": Target(
        "Quantised weights", NMSE_OR, "scenario, ratio", table5,
        claims=(
            ("int8 better than one bit per weight", "qacrnet-1x", "bacrnet-1x"),
        ),
    ),
    "cllwcsinet.layers": Target(
        "What CsiNet's layers cost, 1/4", "parameters, flops", "count", layers,
    ),
    "cllwcsinet.figure2": Target(
        "NMSE and parameters, indoor", NMSE, "parameters", figure2, draw_figure2
    ),
    "cllwcsinet.figure3": Target(
        "NMSE and MACs, indoor", NMSE, "MACs", figure3, draw_figure3
    ),
    "cllwcsinet.figure7": Target(
        "Noise on the codeword, indoor", NMSE, "SNR [dB]", figure7, curves,
        tuple(_flatter("CLLWCsiNet", "cllwcsinet", x) for x in _OF_FIGURE_7),
        (
            *(_flatter("CLLWCsiNet", "cllwcsinet", x) for x in _BESIDE_THEM),
            _flatter("CRNet trained with noise", "crnet, noise", "crnet"),
            (
                "the public code's bypass is what makes CLLWCsiNet flat",
                "cllwcsinet, bypass: spread", "cllwcsinet, noise: spread",
            ),
            _flatter("CsiNet with DNNNet", "csinet+dnnnet, noise", "csinet"),
        ),
    ),
    **{
        f"cllwcsinet.figure{number}": Target(
            f"Drops, {title}", "energy of the 32 strongest entries [%]", "channels",
            functools.partial(drops_of, channels), draw_drops,
        )
        for number, (channels, title) in _PICTURES.items()
    },
}  # fmt: skip
