"""Tables and figures of the CLLWCsiNet paper (Ansari, Mohassel Feghhi).

Its Figs. 4 to 6 draw the network. What Table II and Figs. 8 to 10 show is known from
the authors' public LaTeX sources (FardadAnsari/Paper-revision). At `fast` the ratio of
Figs. 2, 3 and 7 is 1/16 instead of 1/8, and networks with attention are left out.
"""

from __future__ import annotations

import functools
from statistics import mean

from zoo.experiments.claims import Claim, spread
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
    BACKBONES,
    CROSS,
    LATENT_RATIOS,
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
    for name in BACKBONES
    for claim in (
        Claim(f"{name} loses without FC layers", name, f"cl_{name}"),
        Claim(
            f"{name} takes fewer operations without FC layers",
            f"cl_{name} flops", f"{name} flops",
        ),
        Claim(f"CLLWCsiNet loses less than cl_{name}", "cllwcsinet", f"cl_{name}"),
    )
)  # fmt: skip
_SMALL = (
    Claim("CLLWCsiNet is within 2.5 dB of CsiNet", "cllwcsinet", "csinet", by=-2.5),
    Claim("CLLWCsiNet has fewer parameters", "cllwcsinet params", "csinet params"),
)


def _flatter(name: str, series: str, other: str) -> Claim:
    return Claim(f"{name} is flatter than {other}", series, other, over=spread)


# Beside CLLWCsiNet: the paper's networks, and others.
_OF_FIGURE_7 = ("acrnet", "crnet", "csinet+dnnnet, noise")
_BY_SNR = (
    *(
        Claim(
            f"CLLWCsiNet better than {x} where noise exceeds the signal",
            "cllwcsinet", x, at=(-5, 0),
        )
        for x in _OF_FIGURE_7
    ),
    *(
        Claim(
            f"{x} better than CLLWCsiNet beyond 20 dB", x, "cllwcsinet",
            at=(25, 30, 35, 40),
        )
        for x in ("acrnet", "crnet")
    ),
    Claim(
        "CLLWCsiNet is at -11 dB below 20 dB, on average", "cllwcsinet", -11.0,
        at=(-5, 0, 5, 10, 15), by=-0.5, over=mean,
    ),
)  # fmt: skip
_BESIDE_THEM = ("bcsinet", "csinet", "csinet_plus", "crnet, noise")
# The text has CLLWCsiNet first at both carriers; its Table IV has ACRNet at 28 GHz.
_AHEAD_AT = {"acrnet": ("uma 300 MHz",), "crnet": (), "bcsinet": ()}
_WHERE = [
    f"{place} {ratio}" for ratio in LATENT_RATIOS for place in ("indoor", "outdoor")
]
_INT8 = (
    *(
        Claim(f"int8 costs accuracy, {width}", f"acrnet-{width}", f"qacrnet-{width}")
        for width in ("1x", "10x")
    ),
    Claim(
        "int8 better than one bit per weight, but at 1/8 indoor",
        "qacrnet-1x", "bacrnet-1x", tuple(x for x in _WHERE if x != "indoor 1/8"),
    ),
    *(
        Claim(
            f"QACRNet-10x better than {x}, but at 1/4 indoor",
            "qacrnet-10x", x, tuple(x for x in _WHERE if x != "indoor 1/4"),
        )
        for x in ("qacrnet-1x", "bacrnet-10x", "bcsinet")
    ),
)  # fmt: skip
_PICTURES = {
    8: ("uma 28 GHz", "TR 38.901 UMa NLOS, 28 GHz"),
    9: ("uma 300 MHz", "TR 38.901 UMa NLOS, 300 MHz"),
    10: ("outdoor", "COST2100 outdoor, 300 MHz"),
}

TARGETS = {
    "cllwcsinet.table1": Target(
        "UE's side at 1/4", "parameters, flops", "count", table1,
        claims=(Claim("a UE needs more than a million parameters", 1e6, "params"),),
    ),
    "cllwcsinet.table2": Target(
        "Shape of CLLWCsiNet's compression", "as the series says", "ratio", table2
    ),
    "cllwcsinet.table3": Target(
        "With FC layers and without, indoor", NMSE_OR, "ratio", table3,
        claims=_LATENT + _SMALL,
    ),
    "cllwcsinet.table4": Target(
        "Networks for COST2100 outdoor on UMa channels, 1/4 (fast: 1/16)", NMSE,
        "channels", table4,
        claims=(
            *(
                Claim(f"{x} fails on other channels: above -1 dB", -1.0, x)
                for x in CROSS
            ),
            *(
                Claim(
                    f"CLLWCsiNet better than {x} on other channels", "cllwcsinet", x, at
                )
                for x, at in _AHEAD_AT.items()
            ),
        ),
        own=tuple(
            (f"{x} is worse there than no feedback", "zero output", x) for x in CROSS
        ),
    ),
    "cllwcsinet.table5": Target(
        "Quantised weights", NMSE_OR, "scenario, ratio", table5,
        claims=_INT8,
    ),
    "cllwcsinet.layers": Target(
        "What CsiNet's layers cost, 1/4", "parameters, flops", "count", layers,
        claims=(
            ("CsiNet is lighter without FC layers", "csinet without FC", "csinet"),
            Claim(
                "larger kernels cost operations", "csinet", "csinet 7x7", at=("flops",)
            ),
        ),
    ),
    "cllwcsinet.figure2": Target(
        "NMSE and parameters, indoor", NMSE, "parameters", figure2, draw_figure2,
        tuple(
            Claim(f"{x} better than CsiNet at its parameters", x, "csinet", over=min)
            for x in ("acrnet", "crnet")
        ),
    ),
    "cllwcsinet.figure3": Target(
        "NMSE and MACs, indoor", NMSE, "MACs", figure3, draw_figure3
    ),
    "cllwcsinet.figure7": Target(
        "Noise on the codeword, indoor", NMSE, "SNR [dB]", figure7, curves,
        (*(_flatter("CLLWCsiNet", "cllwcsinet", x) for x in _OF_FIGURE_7), *_BY_SNR),
        (
            *(_flatter("CLLWCsiNet", "cllwcsinet", x) for x in _BESIDE_THEM),
            _flatter("CRNet trained with noise", "crnet, noise", "crnet"),
            Claim(
                "the public code's bypass is what makes CLLWCsiNet flat",
                "cllwcsinet, bypass", "cllwcsinet, noise", over=spread,
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
