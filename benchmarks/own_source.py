"""Channels as somebody else would bring them: python -m benchmarks.own_source.

Writes h.npy, complex64 `[sample, 64 antennas, 52 subcarriers]`: a linear array in TR
38.901 UMi NLOS at 3.5 GHz, one subcarrier of every resource block of 10 MHz. It is what
docs/results/compare.md was made from:

    python -m benchmarks.own_source --out=h.npy --num=12000
    python -m tfds_builders.add --source=h.npy --name=mine --delays=16
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from absl import flags

from tfds_builders import cli
from tfds_builders.blocks import BLOCK
from tfds_builders.progress import Progress
from tfds_builders.tr38901.arrays import panel
from tfds_builders.tr38901.drops import Cell, Setting
from tfds_builders.tr38901.large_scale import SPEED_OF_LIGHT
from tfds_builders.tr38901.parameters import load_scenario
from tfds_builders.tr38901.simulator import block_drops, port_frequency

CARRIER_HZ, ANTENNAS, SUBCARRIERS = 3.5e9, 64, 52
SEED = 64052


def setting() -> Setting:
    """UMi NLOS, UEs 10 to 200 m from the BS."""
    spacing = SPEED_OF_LIGHT / CARRIER_HZ / 2
    return Setting(
        scenario=load_scenario("umi_nlos"),
        cell=Cell(bs_height=10),
        carrier_hz=CARRIER_HZ,
        bandwidth_hz=SUBCARRIERS * 180e3,
        num_subcarriers=SUBCARRIERS,
        bs=panel(ANTENNAS, 1, spacing),
        ue=panel(1, 1, spacing),
    )


def channels(num: int) -> np.ndarray:
    """Complex64 `[num, 64, 52]`; `num` is a multiple of 100."""
    h = np.empty((num, ANTENNAS, SUBCARRIERS), np.complex64)
    with Progress("channels", num) as progress:
        for block in range(num // BLOCK):
            drops = block_drops(setting(), SEED, 0, block)
            response = port_frequency(drops, SUBCARRIERS, SUBCARRIERS)
            h[block * BLOCK :][:BLOCK] = response[:, 0]
            progress.add(BLOCK, fresh=True)
    return h


def main(argv: list[str]) -> None:
    """Command line."""
    cli.refuse_arguments(argv)
    num = flags.FLAGS.num
    if num < BLOCK or num % BLOCK:
        raise ValueError(f"--num={num}: expected a multiple of {BLOCK}")
    np.save(Path(flags.FLAGS.out), channels(num))
    print(f"{num} channels: {flags.FLAGS.out}")


if __name__ == "__main__":
    flags.DEFINE_string("out", "h.npy", "file to write")
    flags.DEFINE_integer("num", 12_000, "number of channels")
    cli.run(main)
