"""Two columns of every table of networks: their bits, and a codec's error in these."""

from __future__ import annotations

from zoo.reporting import rate_curves
from zoo.reporting.cells import UNPRINTED, Cell
from zoo.reporting.results_files import sends_eigenvectors

FLOAT_BITS = 32  # of an entry of a codeword that is not quantised
CODEC = "codec without a network, at most as many bits [dB]"
COLUMNS = ["feedback bits", CODEC]
NOTE = (
    "Feedback bits are those of one CSI; a codeword of floats counts 32 bits an entry, "
    "as papers count, though a quantiser of 5 or 6 is enough. "
    "Beside them is the NMSE of the best codec without a network none of whose reports "
    "is longer, on the same channels, of which its test split may have others: ~ "
    "between two measured budgets; ≤ with the largest one, which is smaller; – where "
    "none was measured."
)


def cells(row: dict, data: str) -> list[Cell]:
    """Cells of a results row.

    Args:
        row: bits, codeword length, noise and what was sent apply.
        data: 'name/config' of the channels that it was tested on.
    """
    is_float = not row.get("feedback_bits")
    bits = FLOAT_BITS * row["codeword_dim"] if is_float else row["feedback_bits"]
    other = row.get("test_snr_db") is not None or sends_eigenvectors(row)
    return [bits_cell(bits, is_float), UNPRINTED if other else codec_cell(data, bits)]


def bits_cell(bits: float, is_float: bool) -> Cell:
    """Bits of a CSI, marked where they are of floats."""
    text = f"{bits:,.0f}" + " (float)" * is_float
    return Cell(text, value=bits, float=is_float)


def codec_cell(data: str, bits: float) -> Cell:
    """NMSE of the best codec on some channels at so many bits."""
    best = rate_curves.best_classic(data, bits)
    if best is None:
        return UNPRINTED
    mark = f"{best.how} " if best.how else ""
    return Cell(f"{mark}{best.nmse_db:.2f}", value=best.nmse_db, codec=best.name)
