r"""Fuzz one reader for some time, guided by the coverage of Python code (atheris).

    python -m tests.fuzz torch --seconds=600

Inputs that reach new code are kept below --corpus, and taken up by the next run. One
that raises, hangs or takes more than --megabytes ends the run with a status that is not
0 and stays there as crash-*, timeout-* or oom-*: mend what it shows, then keep it as
tests/fuzz/findings/TARGET-NAME, which the default tests read.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

# The code whose branches guide; more of it makes each run slower.
INSTRUMENTED = [
    "serving", "zoo.importing", "tfds_builders", "zipfile", "pickle", "json",
    "numpy.lib.format", "flatbuffers", "tests.fuzz",
]  # fmt: skip


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("target")
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--megabytes", type=int, default=4096)
    parser.add_argument("--corpus", default="runs/fuzz")
    options = parser.parse_args()
    corpus = Path(options.corpus).absolute() / options.target
    corpus.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["FUZZ_FOLDER"] = folder
        _fuzz(options, corpus)


def _fuzz(options: argparse.Namespace, corpus: Path) -> None:
    import atheris

    with atheris.instrument_imports(include=INSTRUMENTED):
        from tests.fuzz import readers, seeds

    if options.target not in readers.TARGETS:
        sys.exit(f"no target {options.target}, there are {', '.join(readers.TARGETS)}")
    for number, seed in enumerate(seeds.of(options.target)):
        (corpus / f"seed-{number}").write_bytes(seed)
    arguments = [
        sys.argv[0],
        str(corpus),
        f"-max_total_time={options.seconds}",
        f"-artifact_prefix={corpus.parent / options.target}-",
        f"-rss_limit_mb={options.megabytes}",
        "-timeout=10",
        "-max_len=16384",
        "-print_final_stats=1",
    ]
    atheris.Setup(arguments, readers.TARGETS[options.target])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
