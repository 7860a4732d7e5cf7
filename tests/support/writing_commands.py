"""Commands that write files: how to run each, and what it must have written."""

from __future__ import annotations

import hashlib
import os
import re
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tests.conftest import ROOT, TINY, tiny_flags
from zoo import files

DATASET = TINY["dataset"]
REPORTED = "crnet_quickstart.json", "zoo_16.json"


class Given(NamedTuple):
    """What the commands read: a TFDS directory, a run and an export."""

    data_dir: Path
    run: Path
    export: Path


class Command(NamedTuple):
    """A command that writes below a folder.

    Attributes:
        arguments: module and flags, of what is given and the folder.
        outcome: what the folder holds after it, to compare; fails where it is not
            whole.
    """

    arguments: Callable[[Given, Path], list[str]]
    outcome: Callable[[Path], object]


def _train(given: Given, out: Path) -> list[str]:
    changes = {"deterministic": "true", "image_every": 0}
    return ["zoo.train", *tiny_flags(given.data_dir, out / "run", **changes)]


def _trained(out: Path) -> object:
    return _of_run(out / "run")


def _of_run(path: Path) -> object:
    from zoo.run_directory import RunDirectory

    run = RunDirectory(path)
    keys = ("epoch", "loss", "val_nmse_db", "lr")
    weights = [np.array(x).tolist() for x in run.load().autoencoder.get_weights()]
    return [[row[key] for key in keys] for row in run.read_metrics()], weights


def _stages(given: Given, out: Path) -> list[str]:
    changes = {"deterministic": "true", "image_every": 0, "epochs": 1}
    flags = tiny_flags(given.data_dir, out / "run", **changes)
    stages = [f"--stage=--lr={rate} --seed=1" for rate in (2e-3, 5e-4)]
    return ["zoo.train_stages", *flags, *stages]


def _staged(out: Path) -> object:
    found = sorted((out / "run").glob("stage?"))
    assert [path.name for path in found] == ["stage1", "stage2"]
    return [_of_run(path) for path in found]


def _report(given: Given, out: Path) -> list[str]:
    results = out / "results"
    results.mkdir(exist_ok=True)
    for name in REPORTED:
        shutil.copy(files.RESULTS / name, results)
    return ["zoo.report", f"--results={results}", f"--output={out / 'page'}"]


def _reported(out: Path) -> object:
    whole = sorted(path for path in out.rglob("*") if path.is_file())
    assert not [path for path in whole if path.name.startswith(".")]
    texts = [path for path in whole if path.suffix in (".md", ".html", ".csv", ".tex")]
    read = [path.read_text("utf-8").replace(str(out), "") for path in texts]
    return [path.name for path in whole], [
        hashlib.sha256(text.encode()).hexdigest() for text in read
    ]


def _data(given: Given, out: Path) -> list[str]:
    return ["tfds_builders.build", DATASET, f"--data_dir={out}", "--workers=1"]


def _built(out: Path) -> object:
    import tensorflow_datasets as tfds

    from tfds_builders.build import find_builder

    builder = find_builder(DATASET, str(out))
    left = [path.name for path in out.rglob("*") if "incomplete" in path.name]
    assert not left
    splits = builder.info.splits
    read = {name: tfds.as_numpy(builder.as_dataset(split=name)) for name in splits}
    return {name: [x["csi"].tolist() for x in rows] for name, rows in read.items()}


def _export(given: Given, out: Path) -> list[str]:
    flags = [f"--run={given.run}", f"--out={out / 'export'}", "--precision=fp32"]
    return ["zoo.export", *flags]


def _exported(out: Path) -> object:
    lines = (out / "export" / "checksums.sha256").read_text().splitlines()
    named = dict(reversed(line.split(maxsplit=1)) for line in lines)
    for name, digest in named.items():
        assert files.sha256(out / "export" / name) == digest
    return sorted(named), named["encoder.tflite"]


def _evaluate(given: Given, out: Path) -> list[str]:
    return ["zoo.evaluate", f"--run={given.run}", f"--json={out / 'row.json'}"]


def _evaluated(out: Path) -> object:
    row = files.read_json(out / "row.json")
    return row["nmse_db"], row["rho"], row["feedback_bits"]


def _deploy(given: Given, out: Path) -> list[str]:
    flags = [f"--export={given.export}", f"--out={out / 'deploy'}"]
    return ["serving.deployment", "--model_name=csi", *flags]


def _deployed(out: Path) -> object:
    tree = out / "deploy"
    config = (tree / "config" / "models.config").read_text()
    (version,) = (path for path in (tree / "models" / "csi").iterdir())
    assert f"versions: {version.name}" in config
    written = {path.relative_to(tree): path for path in tree.rglob("*")}
    hidden = [name for name in map(str, written) if re.search(r"(^|/)\.", name)]
    return sorted(set(map(str, written)) - set(hidden)), config


def _baseline(given: Given, out: Path) -> list[str]:
    data = [f"--dataset={DATASET}", f"--data_dir={given.data_dir}"]
    bits = ["--report_bits=128", f"--json={out / 'dft.json'}"]
    return ["zoo.baseline", "--method=dft", *data, *bits]


def _measured(out: Path) -> object:
    row = files.read_json(out / "dft.json")
    return row["nmse_db"], row["feedback_bits"]


def _rate(given: Given, out: Path) -> list[str]:
    data = [f"--dataset={DATASET}", f"--data_dir={given.data_dir}"]
    curve = ["--codecs=dft", "--bits=64,128,256", f"--json={out / 'rate.json'}"]
    return ["zoo.rate", *data, *curve]


def _rated(out: Path) -> object:
    rows = files.read_json(out / "rate.json")["rows"]
    return [(row["nmse_db"], row["feedback_bits"]) for row in rows]


COMMANDS = {
    "train": Command(_train, _trained),
    "stages": Command(_stages, _staged),
    "build": Command(_data, _built),
    "export": Command(_export, _exported),
    "evaluate": Command(_evaluate, _evaluated),
    "deployment": Command(_deploy, _deployed),
    "baseline": Command(_baseline, _measured),
    "rate": Command(_rate, _rated),
    "report": Command(_report, _reported),
}


def start(arguments: list[str], largest_file: int | None = None) -> subprocess.Popen:
    """Start a command, in a session of its own; it ends at larger files than that."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))

    return subprocess.Popen(
        [sys.executable, "-m", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=None if largest_file is None else limit,
    )


def content(folder: Path) -> set[Path]:
    """Everything below a folder, also while it changes."""
    try:
        return set(folder.rglob("*"))
    except FileNotFoundError:
        return content(folder)
