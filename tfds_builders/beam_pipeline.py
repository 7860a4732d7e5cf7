"""Simulated data sets through Apache Beam (extra `beam`), for more than one machine.

    block numbers -> simulated blocks -> examples -> TFDS's own sharded writer
                                      -> scale of train -> metadata

The workers must have this package, and the folder of the data sets must be one that all
of them reach. Nothing but this module imports Beam.
"""

from __future__ import annotations

import functools

import apache_beam as beam
import numpy as np
import tensorflow_datasets as tfds
from apache_beam.options.pipeline_options import PipelineOptions
from etils import epath

from tfds_builders import blocks, generation

SCALE_FILE = "global_scale.txt"  # in the unfinished folder, until the pipeline has run


def use(builder: tfds.core.GeneratorBasedBuilder, options: list[str]) -> dict:
    """Let a builder of a simulated data set take its examples from a pipeline.

    Args:
      builder: not prepared yet.
      options: of the pipeline, 'runner=DirectRunner'.

    Returns:
      What `tfds.download.DownloadConfig` needs.

    Raises:
      ValueError: a data set that is not simulated.
    """
    blocks.simulator_of(builder.name)
    builder.examples_of = examples_of
    builder._process_pipeline_result = functools.partial(_read_scale, builder)
    return {"beam_options": PipelineOptions(flags=[f"--{item}" for item in options])}


def examples_of(
    builder: tfds.core.GeneratorBasedBuilder, split: str
) -> beam.PTransform:
    """Examples of a split, keyed as the generator of `generation` keys them."""
    config = builder.builder_config
    scale_file = str(epath.Path(builder.data_path) / SCALE_FILE)
    return _keyed_examples(
        (builder.name, config.simulation, config.seed, blocks.splits_of(config)[split]),
        generation.num_blocks(builder, split),
        scale_file if split == "train" else None,
    )


@beam.ptransform_fn
def _keyed_examples(pipeline, drops: tuple, num_blocks: int, scale_file: str | None):
    simulated = (
        pipeline
        | "Blocks" >> beam.Create(range(num_blocks))
        | "Spread" >> beam.Reshuffle()
        | "Simulate" >> beam.Map(_simulate, *drops)
    )
    if scale_file:
        _ = (
            simulated
            | "ScaleOfBlock" >> beam.MapTuple(_common_scale)
            | "Smallest" >> beam.CombineGlobally(min)
            | "WriteScale" >> beam.Map(_write_scale, scale_file)
        )
    return simulated | "Examples" >> beam.FlatMapTuple(generation.keyed)


def _simulate(
    block: int, name: str, simulation: dict, seed: int, split: int
) -> tuple[int, dict[str, np.ndarray]]:
    return block, blocks.simulator_of(name)(simulation, seed, split, block)


def _common_scale(block: int, features: dict[str, np.ndarray]) -> float:
    return generation.common_scale(features)


def _write_scale(scale: float, file: str) -> None:
    epath.Path(file).write_text(repr(scale), encoding="utf-8")


def _read_scale(builder: tfds.core.GeneratorBasedBuilder, pipeline_result) -> None:
    """Move the scale from the pipeline's file into the metadata."""
    file = epath.Path(builder.data_path) / SCALE_FILE
    builder.info.metadata["global_scale"] = float(file.read_text(encoding="utf-8"))
    file.unlink()
