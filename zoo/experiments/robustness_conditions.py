"""What codecs meet away from the channels of a simulator, and which codecs do.

Every codec is fitted to clean training CSI of the channels it is tested on, but for
what a condition says; the arrays and the scattering of a perturbation are those of
training CSI, too. `pursuit noise known` and `pursuit noise estimated` are fitted to
noisy CSI, `pursuit calibrated` estimates the gains of the antennas. The network that
is shipped with the zoo has a quantiser fitted after its training: it is for clean
indoor channels, whatever it is tested on.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

from zoo.codecs.coded import Coded
from zoo.data.perturbations import Perturbation

CHANNELS = {
    "indoor": "cost2100_sim/indoor_quick",
    "outdoor": "cost2100_sim/outdoor_quick",
    "RMa": "tr38901/lora_rma_nlos_quick",
    "UMa": "tr38901/lora_uma_nlos_quick",
    "UMi": "tr38901/lora_umi_nlos_quick",
}
FOREIGN = {"indoor": "outdoor", "outdoor": "indoor"}
CODECS = ("pursuit", "dft", "klt_coded", "klt_mixture")
AWARE, CALIBRATED = ("known", "estimated"), "pursuit calibrated"
NETWORK = "crnet_indoor_16"
CLEAN = "as simulated"


class Condition(NamedTuple):
    """What a codec meets.

    Attributes:
        channels: it is tested on, of `CHANNELS`.
        name: what differs from them.
        fitted_on: channels of its training CSI; '': the same.
        snr_db: of the CSI that is sent.
        perturbation: of all CSI.
    """

    channels: str
    name: str = CLEAN
    fitted_on: str = ""
    snr_db: float = math.inf
    perturbation: Perturbation = Perturbation()


PERTURBATIONS = {
    "antennas 0.5 dB, 5 degrees": Perturbation(gain_db=0.5, phase_deg=5),
    "antennas 2 dB, 20 degrees": Perturbation(gain_db=2, phase_deg=20),
    "antennas 2 dB, 20 degrees, other ones in each drop": Perturbation(
        gain_db=2, phase_deg=20, arrays="each"
    ),
    **{
        f"diffuse {share:.0%}, {spread}": Perturbation(diffuse=share, spread=spread)
        for spread in ("white", "exponential")
        for share in (0.1, 0.3, 0.5)
    },
}


def conditions() -> Iterator[Condition]:
    """All of them, those that need no other fit of a codec first."""
    yield from map(Condition, CHANNELS)
    for channels, other in FOREIGN.items():
        yield Condition(channels, f"fitted {other}", other)
        for snr_db in (30, 20, 10, 0):
            yield Condition(channels, f"noise {snr_db} dB", snr_db=snr_db)
    for channels in FOREIGN:
        for name, perturbation in PERTURBATIONS.items():
            yield Condition(channels, name, perturbation=perturbation)


def systems(condition: Condition) -> Iterator[tuple[str, Coded | None]]:
    """Names of codecs in a condition, and how they are asked; None: the network."""
    errors = condition.perturbation
    for name in CODECS:
        yield name, Coded(name)
    if condition.snr_db < math.inf:
        for kind in AWARE:
            yield f"pursuit noise {kind}", Coded("pursuit", noise=kind)
    if errors.gain_db:
        yield CALIBRATED, Coded("pursuit", calibrate=True)
    if not condition.fitted_on:
        yield NETWORK, None
