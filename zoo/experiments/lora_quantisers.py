"""LORA's codeword quantisers: Fig. 11, and joint or later training."""

from __future__ import annotations

import json
from collections.abc import Iterator

from zoo.experiments.lora_system import codeword_dim, network, ratios
from zoo.experiments.pool import PendingRow
from zoo.experiments.target import Entry, Lab, decibel, klt

QUANTIZERS = ("qat", "lsq", "lszq")
QUANTISED = {"epochs": 5}  # at `fast`: 1,000 steps


def by_hand(bits: int) -> dict:
    """Quantiser that starts without a look at codewords: 2^B cells over [-1, 1]."""
    return {"scale": 2.0 ** (1 - bits), "zero": 0.0, "direct": True}


def figure11(lab: Lab) -> Iterator[Entry]:
    """NMSE of LORA with its three quantisers, 4 and 8 bits, trained jointly.

    As the paper says, scale and zero point are set by hand, for QAT for good, and then
    trained themselves; by hand are even steps over [-1, 1], which bounds the codewords
    of the first network. Those fitted start at the range of the codewords. At `fast`
    there are 1,000 steps.
    """
    for ratio in lab.of(ratios(lab), ("1/4", "1/8", "1/16", "1/32")):
        for bits in (4, 8):
            for quantizer in QUANTIZERS:
                for series, args in (
                    (quantizer, by_hand(bits)),
                    (f"{quantizer}, fitted start", {}),
                ):
                    name = f"lora_{quantizer}{bits}{'' if args else '_fitted'}"
                    rows = _quantised(
                        lab, f"{name}_{ratio[2:]}", quantizer, bits, ratio,
                        quantizer_args=json.dumps(args), **lab.of(QUANTISED, {}),
                    )  # fmt: skip
                    yield Entry(series, f"{ratio}, {bits} bit", rows)
            yield klt(f"{ratio}, {bits} bit", rows)


def _quantised(lab: Lab, name, quantizer, bits, ratio, **own) -> list[PendingRow]:
    return lab.rows(
        name,
        codeword_dim=codeword_dim(lab, ratio),
        quantizer=quantizer,
        bits=bits,
        normaliser="none",
        **network(lab, "lora"),
        **own,
    )


def joint(lab: Lab) -> Iterator[Entry]:
    """LSZQ with 4 bits at 1/4: trained with LORA, or alone on a trained LORA.

    The paper's text says neither which quantiser its two values are of, nor its bits.
    """
    rows = _quantised(lab, "lora_joint_4", "lszq", 4, "1/4")
    yield Entry("joint", "1/4", rows, decibel(0.0053))
    same = network(lab, "lora") | {"codeword_dim": codeword_dim(lab, "1/4")}
    plain = lab.rows("lora_plain_4", **same)
    later = lab.continued(
        "lora_later_4",
        plain,
        quantizer="lszq",
        bits=4,
        normaliser="none",
        init="paper",
        train_part="quantizer",
        **same,
    )
    yield Entry("quantiser alone", "1/4", later, decibel(0.0069))
    yield klt("1/4", plain)
