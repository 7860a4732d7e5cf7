"""Tables and figures of the LORA paper (IEEE TWC 23(1), 2024) on TR 38.901 tracks.

Its UE moves on a line, and so does ours: test positions lie between those of the
training. Its text gives neither the ratios of its figures nor their values, the SNRs of
Fig. 10, what Fig. 5 shows or how its quantisers start: what is chosen here is in the
functions below, the system in `lora_system`. Published values are linear NMSE; they are
shown in dB.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator

from zoo import config_flags
from zoo.experiments.claims import Claim, beats, chain
from zoo.experiments.drawings import curves
from zoo.experiments.lora_quantisers import QUANTIZERS, figure11, joint
from zoo.experiments.lora_system import (
    ORDER,
    WIDER,
    codeword_dim,
    data_set,
    network,
    ratios,
    rows_of,
)
from zoo.experiments.lora_tables import (
    draw_figure5,
    figure5,
    table1,
    table2,
    table3,
    table4,
    table5,
)
from zoo.experiments.lora_track import track
from zoo.experiments.target import Entry, Lab, Target, klt

FIGURE_NETWORKS = ("csinet_plus", "crnet", "ista_net", "tilista_joint", "lora")


def ratio_sweep(scenario: str, methods: tuple[str, ...], lab: Lab) -> Iterator[Entry]:
    """NMSE of some methods and of the KLT over the ratio, on a track in a scenario.

    The test positions lie between those of the training. The paper's text has neither
    ratios nor values.
    """
    for ratio in ratios(lab):
        shared = {
            "codeword_dim": codeword_dim(lab, ratio),
            "dataset": data_set(lab, scenario),
        }
        for method in methods:
            name = f"{method.replace(', 2N', '')}_{scenario}_{ratio[2:]}"
            rows = rows_of(lab, name.replace(" ", "_"), method, **shared)
            yield Entry(method, ratio, rows)
        yield klt(ratio, rows)


def figure10(lab: Lab) -> Iterator[Entry]:
    """NMSE at 1/64 with white noise of an SNR on the input, in training and test.

    The paper's text has no SNRs; at `fast` they are 0, 10 and 20 dB.
    """
    for snr_db in lab.of((0, 10, 20), (0, 5, 10, 15, 20, 25)):
        for model in ("tilista_joint", "lora"):
            rows = lab.rows(
                f"{model}_noise{snr_db}_64",
                codeword_dim=codeword_dim(lab, "1/64"),
                csi_noise="awgn",
                train_snr_db=float(snr_db),
                test_snr_db=float(snr_db),
                **network(lab, model),
            )
            yield Entry(model, snr_db, rows)
        yield klt(snr_db, rows)


def _sweep(scenario: str, methods=FIGURE_NETWORKS):
    return functools.partial(ratio_sweep, scenario, methods)


_GAINS = (
    *(
        Claim(f"LSZQ gains more at 8 bits, {ratio}", f"{ratio}, 8 bit",
              f"{ratio}, 4 bit", at=("lszq",), minus="qat")
        for ratio in ("1/4", "1/8", "1/16", "1/32")
    ),
    *(
        Claim(f"LSZQ gains more at 1/4, {bits} bits", f"1/4, {bits} bit",
              f"1/32, {bits} bit", at=("lszq",), minus="qat")
        for bits in (4, 8)
    ),
)  # fmt: skip
NMSE = "NMSE [dB]"
TARGETS = {
    "lora.table1": Target(
        "NMSE after each block, 1/16, RMa NLOS", NMSE, "block", table1,
        claims=(
            ("the MLP is the better regulariser", "mlp", "cnn"),
            ("four blocks are better than one", 4, 1),
            *(
                Claim(f"block {block} improves on the one before", block, block - 1,
                      at=("mlp",))
                for block in (2, 3, 4)
            ),
        ),
    ),
    "lora.table2": Target("l1 norm of the output, 1/16", "l1 norm", "scenario", table2,
        claims=(("ISTA-NET's output is sparser than LORA's", "ista_net", "lora"),),
    ),
    "lora.table3": Target(
        "Blocks and width, 1/64, RMa NLOS", NMSE, "blocks", table3,
        claims=(
            ("1024 is better than 512", "width N/2", "width N/4"),
            ("1024 is better than 4096", "width N/2", "width 2N"),
            ("seven blocks are better than four", 7, 4),
        ),
        own=(
            ("a small second matrix is the better start", "width N/2",
             "width N/2, Glorot start"),
        ),
    ),
    "lora.table4": Target("Parameters", "parameters", "ratio, side", table4),
    "lora.table5": Target(
        "Seconds per epoch, 1/64", "seconds", "phase", table5,
        claims=beats("lora", "csinet_plus", "tilista_joint", "ista"),
    ),
    "lora.figure5": Target(
        "One drop after the last block, 1/16, RMa NLOS", NMSE, "block", figure5,
        draw_figure5, own=(("the MLP is the better regulariser", "mlp", "cnn"),),
    ),
    "lora.figure6": Target(
        "Model-driven methods over the ratio, RMa NLOS", NMSE, "ratio",
        _sweep("rma", (*ORDER, WIDER)), curves, chain(ORDER),
        own=beats(WIDER, "lora", "klt"),
    ),
    **{
        f"lora.figure{number}": Target(
            f"Networks over the ratio, {scenario} NLOS", NMSE, "ratio",
            _sweep(scenario.lower()), curves,
            chain(ORDER[1:]) + beats("lora", "csinet_plus", "crnet"),
        )
        for number, scenario in ((7, "RMa"), (8, "UMa"), (9, "UMi"))
    },
    "lora.figure10": Target(
        "Estimation noise, 1/64, RMa NLOS", NMSE, "SNR [dB]", figure10, curves,
        chain(ORDER[2:]),
    ),
    "lora.figure11": Target(
        "Codeword quantisers, RMa NLOS", NMSE, "ratio and bits", figure11, curves,
        chain(QUANTIZERS) + _GAINS,
        own=tuple((f"{x}: a fitted start is better", f"{x}, fitted start", x)
                  for x in QUANTIZERS),
    ),
    "lora.track": Target(
        "On a track and elsewhere, 1/32, RMa NLOS", NMSE, "tested on", track,
        own=(
            ("the stretch behind the training's is harder", "same segment",
             "stretch behind it"),
            ("other tracks are harder still", "stretch behind it", "other tracks"),
        ),
    ),
    "lora.joint": Target(
        "Joint or later training of LSZQ, 1/4", NMSE, "ratio", joint,
        claims=(("joint training is better", "joint", "quantiser alone"),),
    ),
}  # fmt: skip
FLAGFILES = {
    "fast": config_flags.FLAGFILES / "lora_track_fast.cfg",
    "full": config_flags.FLAGFILES / "lora.cfg",
}
