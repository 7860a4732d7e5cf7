"""Import published weights: python -m zoo.convert_weights --model=NAME --source=FILE.

Reads the authors' Keras .h5 of CsiNet and CS-CsiNet, the PyTorch files of CRNet, CLNet,
ACRNet, BCsiNet, TransNet and CLLWCsiNet (without PyTorch, see
`zoo.importing.torch_checkpoint`) and the TensorFlow checkpoints of FISTA-Net, refuses
any missing or unused tensor, and writes a run directory for zoo.evaluate with
`source.json`, which says where the weights are from. Codeword length and options of the
network are those that the tensors show; `--model_args` overrides them.

Published networks send real numbers. `--quantizer=uniform --bits=B` fits a grid to the
codewords of `--dataset` and prints what it costs; zoo.export takes such a run as it is,
and the other with the same two flags.

With `--reference=FILE.npz`, arrays `inputs`, `outputs` and perhaps `codeword` that the
original network computed, the imported one must reproduce them.
"""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path
from typing import Any

from absl import flags

from tfds_builders import cli, locks
from zoo import files, registry
from zoo.config import ExperimentConfig
from zoo.config_checks import parse_object
from zoo.exporting import fit_quantizer
from zoo.exporting.kept_grids import Fit
from zoo.importing import tensor_matching
from zoo.importing.network import (
    MATCH,
    Imported,
    import_network,
    public_network,
)
from zoo.importing.parity import check
from zoo.keras_compat import set_precision
from zoo.run_directory import RunDirectory

DATA = ("dataset", "data_dir", "manual_dir")
TOLERANCE = 1e-4  # PyTorch differs from its own float64 by 2.8e-5 on random input


def write_run(imported: Imported, out: Path, checked: dict, **data: str) -> dict:
    """Write the network as a run directory.

    Args:
        imported: the network.
        out: directory to create.
        checked: result of `check`, empty if there was no reference.
        data: flags of the run that say on what it is evaluated (`DATA`).

    Returns:
        The content of `source.json`: where the weights are from.

    Raises:
        OSError: it cannot be written.
    """
    spec = registry.get(imported.model)
    source = {
        "origin": "published_checkpoint",
        "model": spec.name,
        "paper": spec.paper,
        "licence": spec.licence,
        "files": [
            {"name": path.name, "sha256": files.sha256(path)} for path in imported.paths
        ],
        "match": imported.match,
        "parity": checked,
    }
    settings = ExperimentConfig(
        model=spec.name,
        model_args=json.dumps(imported.model_args),
        codeword_dim=imported.codeword_dim,
        run_dir=str(out),
        **data,
    )
    run = RunDirectory.create(settings)
    files.write_json(run.path / "source.json", source)
    run.save_weights(imported.network)
    return source


def write_fitted(
    imported: Imported, out: Path, checked: dict, quantizer: str, bits: int, **data: str
) -> tuple[dict, Fit]:
    """Write the network with a grid fitted to its codewords, see `fit_quantizer`.

    Args:
        imported: the network.
        out: directory to create.
        checked: as of `write_run`.
        quantizer: as of `fit_quantizer.fit`.
        bits: B.
        data: as of `write_run`; training and validation CSI are read.

    Returns:
        The content of `source.json`, and what the grid costs.

    Raises:
        ValueError, OSError: as `fit_quantizer.fit`.
    """
    with tempfile.TemporaryDirectory() as scratch:
        whole = Path(scratch) / "float"
        source = write_run(imported, whole, checked, **data)
        _, cost = fit_quantizer.fit(RunDirectory(whole), out, quantizer, bits)
    return source, cost


def report(imported: Imported, source: dict[str, Any]) -> str:
    """What was imported, as text."""
    entries = imported.entries
    numbers = sum(entry.value.size for entry in entries)
    lines = [
        f"{source['model']}, M = {imported.codeword_dim}, {imported.model_args}: "
        f"{len(entries)} tensors, {numbers:,} numbers; none missing, none unused"
    ]
    for file in source["files"]:
        lines.append(f"source {file['name']}, sha256 {file['sha256']}")
    lines.append(f"licence of the authors' code: {source['licence']}")
    if imported.ignored:
        names = sorted({re.split("[./]", key)[-1] for key in imported.ignored})
        lines.append(f"left out: {len(imported.ignored)} entries ({', '.join(names)})")
    if imported.folded:
        lines.append(
            f"folded into batch norm: {len(imported.folded)} biases of convolutions"
        )
    if source["match"] == "order":
        lines.append(
            f"matched by order: {tensor_matching.ambiguous(entries)} tensors have a "
            "twin of the same kind and shape, so only --reference confirms the order"
        )
    differences = ", ".join(f"{k} {v:.3g}" for k, v in source["parity"].items())
    unchecked = "not checked, give --reference=FILE.npz"
    lines.append(f"parity (largest difference): {differences or unchecked}")
    public = public_network(imported.model)
    if public and public.note:
        lines.append(f"note: {public.note}")
    return "\n".join(lines)


def main(argv: list[str]) -> None:
    """Command line."""
    values = flags.FLAGS
    cli.refuse_arguments(argv)
    cli.require("model", "source", "out")
    out = Path(values.out)
    with locks.alone_for(out):
        files.check_absent(out)
        convert(values, out)
    print(f"next: python -m zoo.evaluate --run={out}")


def convert(values: flags.FlagValues, out: Path) -> None:
    """Import what the flags name, check it, and write it."""
    if values.quantizer or values.bits:  # refuses before anything is read
        fit_quantizer.quantised(ExperimentConfig(), values.quantizer, values.bits)
    set_precision("float32")
    imported = import_network(
        values.model,
        [Path(name) for name in values.source.split(",")],
        parse_object("model_args", values.model_args),
        values.match,
        Path(values.matrix) if values.matrix else None,
    )
    checked = {}
    if values.reference:
        checked = check(imported.network, Path(values.reference), values.tolerance)
    data = {name: values[name].value for name in DATA}
    if values.quantizer:
        given = values.quantizer, values.bits
        source, cost = write_fitted(imported, out, checked, *given, **data)
        print(f"fitted quantiser: {cost}")
    else:
        source = write_run(imported, out, checked, **data)
    print(report(imported, source))


if __name__ == "__main__":
    flags.DEFINE_string("model", "", "network, see python -m zoo list")
    flags.DEFINE_string("source", "", "published file, or ENCODER,DECODER")
    flags.DEFINE_string("out", "", "run directory to create")
    flags.DEFINE_string("model_args", "{}", "options as JSON; default: as in the file")
    flags.DEFINE_string("matrix", "", "CS-CsiNet's matrix A, .npy or .mat")
    flags.DEFINE_string("reference", "", ".npz with the original's inputs and outputs")
    flags.DEFINE_float(
        "tolerance",
        TOLERANCE,
        "largest difference from --reference, of arrays above 1 relative to their "
        "largest value; float32 itself has 3e-5",
    )
    flags.DEFINE_string(
        "quantizer", "", "'uniform': even steps fitted to the codewords"
    )
    flags.DEFINE_integer("bits", 0, "bits per codeword entry of --quantizer=uniform")
    flags.DEFINE_string("dataset", "cost2100/indoor", "data set to evaluate on")
    flags.DEFINE_string("data_dir", "", "TFDS data directory; empty: TFDS default")
    flags.DEFINE_string("manual_dir", "", "folder with the published .mat files")
    flags.DEFINE_enum("match", "name", MATCH, "how PyTorch tensors are found")
    cli.run(main)
