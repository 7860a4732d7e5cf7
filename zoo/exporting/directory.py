"""An export directory: appears whole and under its name, or not at all."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import tensorflow as tf

from serving.codec import checksums
from zoo import files
from zoo.codeword.codec_graph import DecoderGraph, freeze


def check_new(out: Path, version: int) -> None:
    """Refuse a directory that exists, or a version that no server loads.

    Raises:
        ValueError: it is one of these.
        OSError: another command is making the directory.
    """
    files.check_new(out)
    if not 1 <= version <= files.LARGEST_VERSION:
        raise ValueError(
            f"--version={version}: expected 1 to {files.LARGEST_VERSION}, what "
            "TensorFlow Serving loads"
        )


@contextlib.contextmanager
def written(out: Path) -> Iterator[Path]:
    """Yield an empty directory that becomes `out`, with checksums of its files.

    Raises:
        OSError: another command writes it, or it cannot be written; no partial export
            stays behind.
    """
    try:
        with files.new_directory(out) as partial:
            yield partial
            seal(partial)
    except tf.errors.OpError as error:  # how TensorFlow reports a full disk
        raise OSError(f"{out}: cannot be written ({error.message})") from error


def seal(directory: Path) -> None:
    """Write checksums.sha256 of all files of a directory, once they are all there.

    An export has one, and each version of its decoder: a version is served by itself.
    """
    files.write_text(directory / checksums.NAME, checksums.text(directory))


def save_decoder(graph: DecoderGraph, path: Path) -> None:
    """Write the decoder as a SavedModel with frozen weights and named signatures."""
    module = tf.Module()
    frozen = freeze(graph.decode)
    module.functions = graph.signatures(lambda *inputs: frozen(*inputs)[0])
    tf.saved_model.save(module, str(path), signatures=module.functions)
