"""What LORA's networks reach on a track, behind it and elsewhere: `lora.track`."""

from __future__ import annotations

from collections.abc import Iterator

from zoo.experiments import codewords
from zoo.experiments.lora_system import ORDER, WIDER, codeword_dim, data_set, rows_of
from zoo.experiments.target import Entry, Lab, klt, run_of

PLACES = {
    "same segment": "test",
    "stretch behind it": "test_stretch",
    "other tracks": "test_tracks",
}
INDEPENDENT = "independent drops"


def track(lab: Lab) -> Iterator[Entry]:
    """NMSE at 1/32 by where the test positions lie, RMa NLOS.

    Trained on the segment of a track: tested between its positions, on the stretch
    behind it, and on other tracks. Independent drops have a training of their own.
    """
    dim = codeword_dim(lab, "1/32")
    own, drops = data_set(lab, "rma"), data_set(lab, "rma", "")
    for method in (*ORDER, WIDER):
        name = f"{method.replace(', 2N', '').replace(' ', '_')}_rma"
        flags = {"codeword_dim": dim, "dataset": own}
        rows = None if method == "ista" else rows_of(lab, f"{name}_32", method, **flags)
        for place, split in PLACES.items():
            if method == "ista":
                there = rows_of(
                    lab, f"{name}_{split}_32", method, test_split=split, **flags
                )
                yield Entry(method, place, there, tested_on=f"{own} {split}")
                continue
            yield _tested(lab, method, place, rows, codewords.cross_db)
        alone = rows_of(lab, f"{name}_drops_32", method, **flags | {"dataset": drops})
        yield Entry(method, INDEPENDENT, alone)
    for place in PLACES:
        yield _tested(lab, "klt", place, rows, codewords.klt_cross_db, line=True)
    yield klt(INDEPENDENT, alone)


def _tested(lab: Lab, series: str, place: str, rows, measure, **line) -> Entry:
    """An entry of runs that are tested on one of `PLACES`."""
    split = PLACES[place]

    def value(row) -> float:
        return measure(run_of(lab, row), split=split)

    where = f"{data_set(lab, 'rma')} {split}"
    return Entry(series, place, rows, None, value, where, **line)
