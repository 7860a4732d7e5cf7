"""Bits of a codeword entry, in the training or after it: zoo.bits.

CRNet 1/16, trained without quantiser, is continued in equal steps: as it is, and with
the quantiser of each number of bits. After the training means that the former is
quantised with the grid that the latter starts with.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator

from zoo.experiments import codewords
from zoo.experiments.cost2100 import NMSE, overrides, rows_of
from zoo.experiments.drawings import curves
from zoo.experiments.pool import PendingRow
from zoo.experiments.target import Entry, Lab, Target, klt, run_of

SYSTEM = "crnet", "", "1/16", "indoor"
BITS = tuple(range(1, 11))
LOOP, LATER = "in the loop", "after training"


def continued(lab: Lab, name: str, **own) -> list[PendingRow]:
    """Results rows of the unquantised networks, continued with further flags."""
    training = {"init": "paper", "lr": 5e-4, "epochs": lab.of(1, 200)}
    flags = overrides(lab, *SYSTEM) | training | own
    return lab.continued(name, rows_of(lab, *SYSTEM), **flags)


def sweep(lab: Lab) -> Iterator[Entry]:
    """NMSE over the bits per codeword entry.

    A trained network is continued as it is, then quantised (after training), or
    continued with the quantiser (in the loop), in as many steps.
    """
    plain = continued(lab, "crnet_16_more")
    for bits in BITS:
        rows = continued(
            lab,
            f"crnet_16_b{bits}",
            quantizer="qat",
            quantizer_args=json.dumps(codewords.GRID),
            bits=bits,
            normaliser="none",
        )
        yield Entry(LOOP, bits, rows)
        yield Entry(LATER, bits, plain, value=functools.partial(_later_db, lab, bits))
        yield Entry("float", bits, plain)
        yield klt(bits, plain)


def _later_db(lab: Lab, bits: int, row) -> float:
    return codewords.quantised_db(run_of(lab, row), bits)


TARGETS = {
    "zoo.bits": Target(
        "Bits per codeword entry, CRNet 1/16", NMSE, "bits", sweep, curves,
        own=(("quantisation in the loop is the better one", LOOP, LATER),),
    ),
}  # fmt: skip
