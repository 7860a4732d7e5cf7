"""Tables and figures of the LORA paper (IEEE TWC 23(1), 2024) on our TR 38.901 drops.

Its text gives neither the ratios of its figures nor their values, the SNRs of Fig. 10,
what Fig. 5 shows or how its quantisers start: what is chosen here is in the functions
below. Published
values are linear NMSE; they are shown in dB.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator

from zoo import config_flags
from zoo.experiments.claims import Claim, beats, chain
from zoo.experiments.drawings import curves
from zoo.experiments.lora_tables import (
    HALF,
    data_set,
    draw_figure5,
    figure5,
    table1,
    table2,
    table3,
    table4,
    table5,
)
from zoo.experiments.pool import PendingRow
from zoo.experiments.target import Entry, Lab, Target, decibel, klt
from zoo.models.spec import RATIOS

ORDER = ("ista", "ista_net", "tilista_joint", "lora")
QUANTIZERS = ("qat", "lsq", "lszq")
FIGURE_NETWORKS = ("csinet_plus", "crnet", "ista_net", "tilista_joint", "lora")
AUTOENCODERS = FIGURE_NETWORKS[:2]
AHEAD = "starts at the linear KLT, the unfolded networks at random"


def _ratios(lab: Lab) -> tuple[str, ...]:
    return lab.of(("1/16",), tuple(RATIOS))


def ratio_sweep(scenario: str, models: tuple[str, ...], lab: Lab) -> Iterator[Entry]:
    """NMSE of some networks and of the KLT over the ratio in a scenario.

    The paper's text has neither ratios nor values; at `fast` the ratio is 1/16, where
    CRNet and CsiNet+ start at the linear KLT: at random they learn nothing in minutes.
    """
    for ratio in _ratios(lab):
        shared = {"codeword_dim": RATIOS[ratio], "dataset": data_set(lab, scenario)}
        for model in models:
            name = f"{model}_{scenario}_{ratio[2:]}"
            start, handicap = {}, ""
            if model in AUTOENCODERS and lab.budget == "fast":
                start, handicap = {"init": "klt"}, AHEAD
            if model == "ista":
                rows = [
                    lab.runner.baseline(
                        f"{name}_s{seed}", method="lasso", seed=seed, **shared
                    )
                    for seed in range(lab.seeds)
                ]
            else:
                rows = lab.rows(name, model=model, **shared, **start)
            yield Entry(model, ratio, rows, handicap=handicap)
        yield klt(ratio, rows)


def figure10(lab: Lab) -> Iterator[Entry]:
    """NMSE at 1/64 with white noise of an SNR on the input, in training and test.

    The paper's text has no SNRs; at `fast` they are 0 and 20 dB, with two epochs.
    """
    for snr_db in lab.of((0, 20), (0, 5, 10, 15, 20, 25)):
        for model in ("tilista_joint", "lora"):
            rows = lab.rows(
                f"{model}_noise{snr_db}_64",
                model=model,
                codeword_dim=RATIOS["1/64"],
                csi_noise="awgn",
                train_snr_db=float(snr_db),
                test_snr_db=float(snr_db),
                **lab.of(HALF, {}),
            )
            yield Entry(model, snr_db, rows)
        yield klt(snr_db, rows)


def figure11(lab: Lab) -> Iterator[Entry]:
    """NMSE of LORA with its three quantisers, 4 and 8 bits, trained jointly.

    All start at the range of the codewords: the paper does not say how they start.
    """
    for ratio in lab.of(("1/16",), ("1/4", "1/8", "1/16", "1/32")):
        for bits in (4, 8):
            for quantizer in QUANTIZERS:
                name = f"lora_{quantizer}{bits}_{ratio[2:]}"
                rows = _quantised(lab, name, quantizer, bits, RATIOS[ratio])
                yield Entry(quantizer, f"{ratio}, {bits} bit", rows)
            yield klt(f"{ratio}, {bits} bit", rows)


def _quantised(
    lab: Lab, name, quantizer, bits, codeword_dim, **own
) -> list[PendingRow]:
    return lab.rows(
        name,
        model="lora",
        codeword_dim=codeword_dim,
        quantizer=quantizer,
        bits=bits,
        normaliser="none",
        **own,
    )


def joint(lab: Lab) -> Iterator[Entry]:
    """LSZQ with 4 bits at 1/4: trained with LORA, or alone on a trained LORA.

    The paper's text says neither which quantiser its two values are of, nor its bits.
    """
    dim, bits = RATIOS["1/4"], 4
    rows = _quantised(lab, "lora_joint_4", "lszq", bits, dim)
    yield Entry("joint", "1/4", rows, decibel(0.0053))
    plain = lab.rows("lora_plain_4", model="lora", codeword_dim=dim)
    later = lab.continued(
        "lora_later_4",
        plain,
        model="lora",
        codeword_dim=dim,
        quantizer="lszq",
        bits=bits,
        normaliser="none",
        init="paper",
        train_part="quantizer",
    )
    yield Entry("quantiser alone", "1/4", later, decibel(0.0069))
    yield klt("1/4", plain)


def _sweep(scenario: str, models=FIGURE_NETWORKS):
    return functools.partial(ratio_sweep, scenario, models)


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
            ("1024 is better than 512", "width 1024", "width 512"),
            ("1024 is better than 4096", "width 1024", "width 4096"),
            ("seven blocks are better than four", 7, 4),
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
        _sweep("rma", ORDER), curves, chain(ORDER),
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
    ),
    "lora.joint": Target(
        "Joint or later training of LSZQ, 1/4", NMSE, "ratio", joint,
        claims=(("joint training is better", "joint", "quantiser alone"),),
    ),
}  # fmt: skip
FLAGFILES = {
    "fast": config_flags.FLAGFILES / "lora_fast.cfg",
    "full": config_flags.FLAGFILES / "lora.cfg",
}
