"""What learning adds to the pursuit codec: each part against the plain one.

`context`: positions coded beside those before them (`zoo.codecs.learned_context`), at
the same atoms, and at equal bits. `residual`: a network behind the decoder
(`zoo.experiments.residual_decoder`). `search`: a network in the search
(`zoo.experiments.search_costs`). Seeds have other training CSI and other first
kernels, and share the test CSI.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from serving.codec.angle_delay_grid import AngleDelayGrid
from tfds_builders import locks
from zoo import files
from zoo.codecs import learned_context, learned_offsets, methods, pursuit, stops
from zoo.codecs.coded import grid_of
from zoo.codecs.pursuit import PursuitCodec
from zoo.codecs.search import Pursuit, search
from zoo.config import ExperimentConfig
from zoo.data import splits
from zoo.experiments import residual_decoder, search_costs
from zoo.metrics import accuracy

MOST = 64  # atoms of a report at most
TRAIN = 2_000  # training CSI of the network behind the decoder
PLAIN = 1_000  # of the codec before it
EXAMPLES = 1_000  # of the network in the search


class Atoms(NamedTuple):
    """CSI and what the search found in them.

    Attributes:
        grid: of the atoms.
        h: complex64 `[n, N_t, N_a]`.
        found: the first `MOST` atoms.
    """

    grid: AngleDelayGrid
    h: np.ndarray
    found: Pursuit


def atoms(
    settings: ExperimentConfig, split: str, oversampling: int, start: int, num: int
) -> Atoms:
    """Search `num` CSI of a split from the `start`-th on."""
    given = splits.load_split(settings, split, start + num)
    builder = splits.open_builder(settings.dataset, settings.data_dir, "")
    grid = grid_of(given, methods.array_of(builder), oversampling)
    h = accuracy.to_complex(given.h)[start : start + num]
    return Atoms(grid, h, search(grid, h, MOST))


def measure(
    part: str,
    settings: ExperimentConfig,
    oversampling: int,
    bits: tuple[int, ...],
    seeds: int,
    path: Path,
    tell: Callable[[dict], None] = lambda row: None,
) -> None:
    """Measure what a results file does not have yet, row by row.

    Args:
        part: one of `PARTS`.
        settings: data set, data directory and num_test apply.
        oversampling: of the grid.
        bits: mean bits of a report.
        seeds: 0, 1, ...; of one that is not complete all rates are measured again.
        path: results JSON; several commands may add to it.
        tell: is given every new row.
    """
    for seed in range(seeds):
        wanted = {(part, settings.dataset, rate, seed) for rate in bits}
        if wanted <= set(map(_identity, _known(path))):
            continue
        for row in PARTS[part](settings, oversampling, bits, seed):
            with locks.alone(path.parent):
                known = _known(path)
                if _identity(row) in map(_identity, known):
                    continue
                row |= files.environment()
                files.write_json(path, {"rows": [*known, row]})
            tell(row)


def _known(path: Path) -> list[dict]:
    return files.read_json(path)["rows"] if path.exists() else []


def _identity(row: dict) -> tuple:
    return tuple(row[key] for key in ("part", "dataset", "bits", "seed"))


def context_rows(
    settings: ExperimentConfig, oversampling: int, bits: tuple[int, ...], seed: int
) -> Iterator[dict]:
    """Rows of the learned context, one per rate."""
    num = learned_context.EXAMPLES
    test = atoms(settings, "test", oversampling, 0, settings.num_test)
    train = atoms(settings, "train", oversampling, seed * num, num)
    for rate in bits:
        plain = pursuit.fit(train.grid, train.h, rate, MOST, train.found)
        began = time.process_time()
        context = learned_context.fit(train.grid, plain.tables, train.found, seed)
        seconds = time.process_time() - began
        other = dataclasses.replace(plain.tables, context=context)
        learned = learned_context.learned(
            plain, train.h, rate, seed, train.found, context
        )
        yield {
            "part": "context",
            "dataset": settings.dataset,
            "bits": rate,
            "seed": seed,
            "num_train": num,
            "num_test": len(test.h),
            "oversampling": oversampling,
            "fit_cpu_seconds": round(seconds, 2),
            "same_atoms": _same_atoms(
                plain, dataclasses.replace(plain, tables=other), test
            ),
            "plain": _sent(plain, test),
            "learned": _sent(learned, test),
        }


def residual_rows(
    settings: ExperimentConfig, oversampling: int, bits: tuple[int, ...], seed: int
) -> Iterator[dict]:
    """Rows of the network behind the decoder, one per rate."""
    test = atoms(settings, "test", oversampling, 0, settings.num_test)
    train = atoms(settings, "train", oversampling, seed * TRAIN, TRAIN)
    codecs = [
        pursuit.fit(train.grid, train.h[:PLAIN], rate, MOST, train.found[:PLAIN])
        for rate in bits
    ]
    given = [residual_decoder.pairs(x, train.h, train.found) for x in codecs]
    network = residual_decoder.train(given, seed)
    for rate, codec in zip(bits, codecs, strict=True):
        unseen = residual_decoder.pairs(codec, test.h, test.found)
        yield {
            "part": "residual",
            "dataset": settings.dataset,
            "bits": rate,
            "seed": seed,
            "num_train": TRAIN,
            "num_test": len(test.h),
            "oversampling": oversampling,
            "epochs": residual_decoder.EPOCHS,
            "parameters": network.count_params(),
            **residual_decoder.gain(network, unseen, test.h),
        }


def search_rows(
    settings: ExperimentConfig, oversampling: int, bits: tuple[int, ...], seed: int
) -> Iterator[dict]:
    """Rows of the searches, one per rate; each has tables of its own."""
    test = atoms(settings, "test", oversampling, 0, settings.num_test)
    train = atoms(settings, "train", oversampling, seed * EXAMPLES, EXAMPLES)
    network = learned_offsets.fit(train.grid, train.h, seed)
    kinds = search_costs.searches(train.grid, network)
    sides = {
        name: [x._replace(found=kind(x.h, MOST)) for x in (train, test)]
        for name, kind in kinds.items()
    }
    costs = {
        "macs": search_costs.macs(train.grid, network),
        "cpu_ms": search_costs.cpu_ms(kinds, test.h),
    }
    for rate in bits:
        sent = {
            name: _sent(pursuit.fit(x.grid, x.h, rate, MOST, x.found), unseen)
            for name, (x, unseen) in sides.items()
        }
        yield {
            "part": "search",
            "dataset": settings.dataset,
            "bits": rate,
            "seed": seed,
            "num_train": EXAMPLES,
            "num_test": len(test.h),
            "oversampling": oversampling,
            "atoms_of_costs": search_costs.NUM_ATOMS,
            **costs,
            **sent,
        }


PARTS = {"context": context_rows, "search": search_rows, "residual": residual_rows}


def _same_atoms(plain: PursuitCodec, learned: PursuitCodec, test: Atoms) -> dict:
    """Mean bits of both for the atoms of the plain codec, which both decode to."""
    kept, _ = stops.worth(plain.tables, test.found)
    reports = [codec.reports(test.found, kept) for codec in (plain, learned)]
    for codec, sent in zip((plain, learned), reports, strict=True):
        decoded = np.array([len(codec.tables.decode(x, MOST)) for x in sent])
        if (decoded != kept).any():
            i = int((decoded != kept).argmax())
            raise ValueError(
                f"report {i} of {len(kept)} decodes to {decoded[i]} atoms, {kept[i]} "
                "were sent: the codec does not invert itself"
            )
    mean = [8 * float(np.mean([len(x) for x in sent])) for sent in reports]
    return {"atoms": float(kept.mean()), "plain_bits": mean[0], "learned_bits": mean[1]}


def _sent(codec: PursuitCodec, test: Atoms) -> dict:
    """Error at the bits of real reports, and CPU time of their coding."""
    kept, _ = stops.worth(codec.tables, test.found)
    began = time.process_time()
    reports = codec.reports(test.found, kept)
    coded = time.process_time()
    h_hat = codec.decode(reports)
    decoded = time.process_time()
    return {
        "feedback_bits": 8 * float(np.mean([len(x) for x in reports])),
        "nmse_db": accuracy.nmse_db(test.h, h_hat),
        "coding_ms": 1e3 * (coded - began) / len(reports),
        "decoding_ms": 1e3 * (decoded - coded) / len(reports),
    }
