"""Build a data set, with several processes, resuming what a killed build has left.

    python -m tfds_builders.build cost2100_sim/indoor --workers=8 --data_dir=DIR

Workers simulate blocks into `DIR/cost2100_sim/indoor/1.0.0.staging` (see `staging`);
then TFDS writes them in order, and the folder goes. The same command after a kill, or
the first training, takes up what is staged. Examples and metadata are the same bit for
bit, whatever the number of workers or interruptions, and through Apache Beam:

    python -m tfds_builders.build cost2100_sim/indoor --beam
        --beam_options=runner=FlinkRunner,flink_master=HOST:8081
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import io
import json
import os
import shutil
import sys
from pathlib import Path

import tensorflow as tf
import tensorflow_datasets as tfds
from absl import flags

from tfds_builders import blocks, cli, durable, generation, locks, unfinished
from tfds_builders.own import dataset as own_dataset
from tfds_builders.progress import Progress
from tfds_builders.staging import Staging, fingerprint


def find_builder(dataset: str, data_dir: str = "") -> tfds.core.DatasetBuilder:
    """TFDS builder of 'name/config'.

    Args:
      dataset: 'name/config'.
      data_dir: folder of all data sets; empty: the one that TFDS takes by default.

    Raises:
      ValueError: unknown data set or configuration.
    """
    blocks.check_name(dataset)
    name, _, config = dataset.partition("/")
    if name == blocks.OWN:
        return own_dataset.open_builder(config, data_dir)
    module = importlib.import_module(f"tfds_builders.{name}.{name}_dataset_builder")
    configs = [item.name for item in module.Builder.BUILDER_CONFIGS]
    if config not in configs:
        raise ValueError(
            f"dataset {name!r} has no configuration {config!r}; write {name}/CONFIG "
            f"with one of {', '.join(configs)}"
        )
    return module.Builder(config=config, data_dir=data_dir or None)


def splits_of(builder: tfds.core.DatasetBuilder) -> tuple[str, ...]:
    """Splits that are there, or that will be made; none: unknown."""
    if builder.info.splits:
        return tuple(builder.info.splits)
    if builder.name in blocks.simulated():
        return tuple(blocks.splits_of(builder.builder_config))
    return getattr(builder.builder_config, "splits", ())


def num_examples(builder: tfds.core.DatasetBuilder, split: str) -> int | None:
    """Examples of a split that are there, or that will be simulated; None: unknown."""
    if builder.info.splits:
        return builder.info.splits[split].num_examples
    if builder.name in blocks.simulated():
        return generation.num_blocks(builder, split) * blocks.BLOCK
    return None


def usable_cores() -> int:
    """Cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def prepare(
    builder: tfds.core.DatasetBuilder,
    workers: int | None = None,
    manual_dir: str = "",
    beam_options: list[str] | None = None,
    download: str = "",
) -> None:
    """Make sure that the data of a builder exist.

    Args:
      builder: as `find_builder` gives it.
      workers: processes that simulate; None: one per usable core.
      manual_dir: folder of published files; empty: TFDS's default.
      beam_options: of an Apache Beam pipeline that builds instead, 'runner=...'.
      download: where published files are fetched from; '': they are in `manual_dir`.

    Raises:
      ValueError: `workers` below 1, Beam for a data set that is not simulated, files
        for one that is, or a data set that is made of others.
      FileNotFoundError: published files are missing from `manual_dir`.
      OSError: too little disk, or a worker failed; what is staged stays.
      ModuleNotFoundError: Beam is wanted and not installed.
    """
    workers = usable_cores() if workers is None else workers
    if workers < 1:
        raise ValueError(f"workers={workers}: simulating takes 1 or more")
    if download and not hasattr(builder, "fetch"):
        raise ValueError(f"--download={download}: only cost2100 has published files")
    if manual_dir and not hasattr(builder, "check_source"):
        raise ValueError(
            f"--manual_dir={manual_dir}: {builder.name} takes no files, leave it out"
        )
    path = builder.data_path
    staged = Path(path.parent, f"{path.name}.staging")
    was_there = path.exists() and not staged.exists()
    if not was_there:
        print(f"preparing {builder.info.full_name} in {path}", flush=True)
        if not sys.stderr.isatty():
            tfds.disable_progress_bar()
        if download:
            manual_dir = manual_dir or str(builder.data_dir_root / "downloads/manual")
            builder.fetch(download, Path(manual_dir))
        settings = {"manual_dir": manual_dir or None, "try_download_gcs": False}
        _build(builder, staged, workers, beam_options, settings)
    elif download:
        print(f"{path} is there, nothing is fetched", flush=True)
    if not builder.info.splits:  # made by another process after `find_builder`
        builder.info.read_from_directory(path)
    _check_name(builder)
    if was_there and manual_dir and not download:
        builder.check_source(Path(manual_dir))
    if download:
        builder.check_published()


def _check_name(builder) -> None:
    """Refuse the data of another data set in a folder that was copied or renamed."""
    path = Path(builder.data_path)
    info = json.loads((path / "dataset_info.json").read_text(encoding="utf-8"))
    stored = [info.get(key, "") for key in ("name", "configName", "version")]
    if stored != builder.info.full_name.split("/"):
        raise ValueError(
            f"{path} holds {'/'.join(stored)}, expected {builder.info.full_name}: it "
            "was copied or renamed; move it back or give another --data_dir"
        )


def _build(builder, staged: Path, workers: int, beam_options, settings: dict) -> None:
    """Build, or wait for another command that does."""
    with locks.alone(staged, wait=True):
        if not builder.data_path.exists():
            unfinished.remove(Path(builder.data_path), staged)
            if beam_options is not None:
                settings |= _beam_pipeline().use(builder, beam_options)
            elif builder.name in blocks.simulated():
                _simulate(builder, staged, workers)
            with unfinished.recorded(builder, staged):
                _write(builder, settings)
            durable.settle(builder.data_path)
        shutil.rmtree(staged, ignore_errors=True)


def _simulate(builder, staged: Path, workers: int) -> None:
    """Stage all blocks and let the builder read them."""
    name, config = builder.name, builder.builder_config
    folder = staged / fingerprint(name, config.simulation, config.seed)
    staging = Staging(str(folder), name, config.simulation, config.seed)
    todo = [
        (number, block)
        for split, number in blocks.splits_of(config).items()
        for block in range(generation.num_blocks(builder, split))
    ]
    staging.check_disk(todo)
    with Progress(f"{name}/{config.name}", len(todo) * blocks.BLOCK) as progress:
        add = functools.partial(progress.add, blocks.BLOCK)
        staging.stage_all(todo, workers, add)

    builder.examples_of = functools.partial(generation.from_blocks, staging.read)


def _beam_pipeline():
    try:
        return importlib.import_module("tfds_builders.beam_pipeline")
    except ModuleNotFoundError as error:
        if error.name != "apache_beam":
            raise
        raise ModuleNotFoundError(
            "--beam needs Apache Beam: pip install 'apache-beam>=2.60' (it wants an "
            "older protobuf than TensorFlow: best in an environment of its own)"
        ) from error


def _write(builder, settings: dict) -> None:
    config = tfds.download.DownloadConfig(**settings)
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # TFDS says what we have said
            builder.download_and_prepare(download_config=config)
    except Exception as error:
        cause = error.__cause__ or error  # TFDS may wrap it
        if not isinstance(cause, tf.errors.ResourceExhaustedError):
            raise
        raise OSError(
            f"{cause.message}; what is staged is kept: make room and start again"
        ) from error


def _define_flags() -> None:
    """Flags of the command; those who import this module have flags of their own."""
    cores = usable_cores()
    flags.DEFINE_integer("workers", cores, "Processes that simulate.", lower_bound=1)
    flags.DEFINE_string("data_dir", "", "Folder of all data sets [TFDS's default].")
    flags.DEFINE_string("manual_dir", "", "Folder of the published files of cost2100.")
    flags.DEFINE_string(
        "download",
        "",
        "Fetch the files of cost2100 into manual_dir: from the address of a folder, or "
        "a Hugging Face data set repository OWNER/NAME.",
    )
    flags.DEFINE_bool("beam", False, "Build through Apache Beam.")
    flags.DEFINE_list("beam_options", [], "Of the Beam pipeline: runner=NAME,...")


def main(argv: list[str]) -> None:
    """Build the data set named on the command line."""
    values = flags.FLAGS
    if len(argv) != 2:
        raise ValueError(
            f"got {' '.join(argv[1:]) or 'no data set'}; usage: python -m "
            "tfds_builders.build NAME/CONFIG [--flag=value ...]"
        )
    if values.beam_options and not values.beam:
        raise ValueError(f"--beam_options={','.join(values.beam_options)} needs --beam")
    builder = find_builder(argv[1], values.data_dir)
    beam_options = values.beam_options if values.beam else None
    prepare(builder, values.workers, values.manual_dir, beam_options, values.download)
    sizes = [
        f"{info.num_examples:,} {name}" for name, info in builder.info.splits.items()
    ]
    print(f"{argv[1]}: {', '.join(sizes)} in {builder.data_path}")


if __name__ == "__main__":
    _define_flags()
    cli.run(main)
