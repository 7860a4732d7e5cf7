"""Tables I to V and Fig. 5 of the LORA paper, see `zoo.experiments.lora`."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf

from zoo import registry
from zoo.baselines.ista_graph import IstaGraph
from zoo.baselines.sensing import measurement_matrix
from zoo.experiments import measures
from zoo.experiments.drawings import pictures
from zoo.experiments.lora_system import codeword_dim, data_set, network
from zoo.experiments.pool import PendingRow
from zoo.experiments.target import Entry, Lab, decibel, klt, run_of
from zoo.metrics import accuracy, flops
from zoo.models.spec import RATIOS
from zoo.run_directory import RunDirectory

SIZE, BLOCKS = 2048, 4
REGULARISERS = ("mlp", "cnn")
L1_NORMS = {  # of the output at 1/16, Table II
    "ista_net": {"uma": 3.74, "umi": 8.18},
    "lora": {"uma": 4.39, "umi": 10.15},
}
ISTA_ITERATIONS, ISTA_WEIGHT = 1000, 0.01
TIMED_BATCH, EXAMPLES = 200, {"train": 40_000, "test": 10_000}  # Table V


def table1(lab: Lab) -> Iterator[Entry]:
    """NMSE after each of the four blocks at 1/16, MLP against CNN."""
    paper = {
        "mlp": (0.2936, 0.0888, 0.0174, 0.0012),
        "cnn": (0.317, 0.5911, 0.0848, 0.0753),
    }
    for regulariser, printed in paper.items():
        rows = _regularised(lab, regulariser)
        for block, value in enumerate(printed):

            def after_block(row, block=block) -> float:
                return measures.per_block_db(run_of(lab, row))[block]

            yield Entry(regulariser, block + 1, rows, decibel(value), after_block)
    for block in range(BLOCKS):
        yield klt(block + 1, rows)


def _regularised(lab: Lab, regulariser: str) -> list[PendingRow]:
    """Results rows of LORA with a regulariser at 1/16."""
    return lab.rows(
        f"lora_{regulariser}_16",
        codeword_dim=codeword_dim(lab, "1/16"),
        **network(lab, "lora", regulariser=regulariser),
    )


def figure5(lab: Lab) -> Iterator[Entry]:
    """NMSE of the one drop whose real part the drawing shows after the last block.

    MLP against CNN at 1/16, beside the truth. The paper's text gives no value; the runs
    are those of Table I, the drop is the first of the test split.
    """
    for regulariser in REGULARISERS:
        rows = _regularised(lab, regulariser)

        def after_the_last(row) -> float:
            h, *_, last = _first_drop(run_of(lab, row))
            return accuracy.nmse_db(h, last)

        yield Entry(regulariser, BLOCKS, rows, value=after_the_last)


@functools.cache
def _first_drop(run: RunDirectory) -> list[np.ndarray]:
    return measures.per_block(run, 1)


def draw_figure5(lab: Lab, result: dict, image: Path) -> None:
    """Real part of H: the truth, and after the last block with MLP and CNN, seed 0."""
    cells = []
    for entry in result["entries"]:
        run = RunDirectory(lab.runner.directory / entry["runs"][0]["run"])
        h, *_, last = _first_drop(run)
        cells.append((entry["series"].upper(), last[0]))
    pictures([[("truth", h[0]), *cells]], image, real=True)


def table2(lab: Lab) -> Iterator[Entry]:
    """l1 norm of the output at 1/16: ISTA-NET shrinks more than LORA."""
    for model, of_scenario in L1_NORMS.items():
        for scenario, value in of_scenario.items():
            rows = lab.rows(
                f"{model}_{scenario}_16",
                codeword_dim=codeword_dim(lab, "1/16"),
                dataset=data_set(lab, scenario),
                **network(lab, model),
            )

            def norm(row) -> float:
                return measures.l1_norm(run_of(lab, row))

            yield Entry(model, scenario, rows, value, norm)


def table3(lab: Lab) -> Iterator[Entry]:
    """NMSE at 1/64 by number of blocks and width of the MLP as a share of N = 2048.

    The paper's widths are 512, 1024 and 4096. It does not say how the MLP starts: here
    the second matrix is a hundredth of Glorot's, which a further series takes as it is.
    """
    paper = {
        "N/4": (512, (0.1791, 0.1706, 0.1656, 0.1625)),
        "N/2": (1024, (0.0099, 0.0071, 0.0055, 0.0047)),
        "2N": (4096, (0.1629, 0.0137, 0.0105, 0.0081)),
    }
    counts = (4, 5, 6, 7)
    for share, (hidden, values) in paper.items():
        for blocks, value in zip(counts, values, strict=True):
            rows = _sized(lab, hidden=hidden, blocks=blocks)
            yield Entry(f"width {share}", blocks, rows, decibel(value))
    for blocks in counts:
        rows = _sized(lab, hidden=1024, blocks=blocks, start=1.0)
        yield Entry("width N/2, Glorot start", blocks, rows)
        yield klt(blocks, rows)


def _sized(lab: Lab, hidden: int, blocks: int, **start) -> list[PendingRow]:
    """Results rows of LORA with a width, as of N = 2048, and a number of blocks."""
    name = f"lora_{hidden}x{blocks}{'_glorot' if start else ''}_64"
    flags = network(lab, "lora", hidden=hidden, blocks=blocks, **start)
    return lab.rows(name, codeword_dim=codeword_dim(lab, "1/64"), **flags)


def table4(lab: Lab) -> Iterator[Entry]:
    """Parameters of encoder and decoder; the same at every budget.

    The paper counts LORA's MLP once for each of the four blocks that share it, and
    leaves two convolutions, biases and batch norm of CsiNet+ out.
    """
    del lab
    printed = {
        ("csinet_plus", "1/4"): (1_048_772, 1_069_936),
        ("csinet_plus", "1/64"): (65_732, 86_896),
        ("tilista_joint", "1/4"): (1_048_576, 11_468_820),
        ("tilista_joint", "1/64"): (65_536, 10_485_780),
        ("lora", "1/4"): (1_048_576, 16_777_220),
        ("lora", "1/64"): (65_536, 16_777_220),
    }
    for (model, ratio), sides in printed.items():
        counts = flops.summary(registry.build(model, codeword_dim=RATIOS[ratio]))
        for side, value in zip(("ue", "bs"), sides, strict=True):
            ours = counts[f"{side}_params"]
            yield Entry(model, f"{ratio} {side}", [], value, [ours])


def table5(lab: Lab) -> Iterator[Entry]:
    """Seconds per epoch of 40,000 and per test of 10,000, 1/64, batch 200.

    All are timed in turns, once no training runs any more. ISTA has 1,000 iterations;
    the paper does not say how many.
    """
    printed = {
        ("csinet_plus", "train"): 64.307,
        ("csinet_plus", "test"): 6.712,
        ("tilista_joint", "train"): 109.688,
        ("tilista_joint", "test"): 10.432,
        ("lora", "train"): 29.337,
        ("lora", "test"): 3.54,
        ("ista", "test"): 90.96,
    }
    seconds = functools.cache(functools.partial(_seconds, lab))
    for (model, phase), paper in printed.items():

        def ours(timed=(model, phase)) -> list[float]:
            return [seconds()[timed] * EXAMPLES[timed[1]] / TIMED_BATCH]

        yield Entry(model, phase, [], paper, ours)


def _seconds(lab: Lab) -> dict[tuple[str, str], float]:
    """Seconds of a batch by method and phase."""
    lab.runner.pool.wait()
    calls = {}
    for model in ("csinet_plus", "tilista_joint", "lora"):
        settings = lab.runner.settings(
            model,
            model=model,
            model_args="{}",
            codeword_dim=RATIOS["1/64"],
            batch_size=TIMED_BATCH,
        )
        step, test = measures.step_and_test(settings)
        calls |= {(model, "train"): step, (model, "test"): test}
    a = measurement_matrix(RATIOS["1/64"], SIZE)
    recover = IstaGraph(a, ISTA_WEIGHT, ISTA_ITERATIONS).recover
    v = np.random.default_rng(0).standard_normal((TIMED_BATCH, len(a)))
    calls["ista", "test"] = lambda: recover(tf.constant(v, tf.float32)).numpy()
    return measures.seconds_of(calls)
