"""Export directories on their way to a deployment: check, copy, route."""

from __future__ import annotations

import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from serving.codec import checksums
from serving.codec.ue_encoder import read_codec
from serving.deploying.warmup import BATCH_SIZES, replay, write_warmup
from serving.models import allowed_ops
from serving.ue_side.router import read_routes
from tfds_builders import durable
from zoo import files

ROUTES_FILE = "routes.json"
PARTIAL = ".partial-"  # no number: a server that polls the directory skips it


@dataclass(frozen=True)
class Export:
    """One export directory and the name its decoder is served under.

    `allowed_ops`: operations that its graph may have (`serving.models.allowed_ops`).
    """

    directory: Path
    name: str
    codec: dict
    allowed_ops: frozenset[str] | None = allowed_ops.DEFAULT

    def versions(self) -> dict[int, Path]:
        """Version -> directory of the decoder."""
        decoder = self.directory / "decoder"
        return files.versions(decoder) if decoder.is_dir() else {}


def read_exports(
    directories: list[str],
    names: list[str],
    ops: frozenset[str] | None = allowed_ops.DEFAULT,
) -> list[Export]:
    """Read export directories and name them.

    Args:
        directories: of `python -m zoo.export`.
        names: one for each directory, or none: csi_<model>_<model_id>.
        ops: operations that their graphs may have; None: all.

    Raises:
        ValueError: no decoder, a damaged file, or names that do not fit.
    """
    if names and len(names) != len(directories):
        raise ValueError(
            f"{len(names)} times --model_name for {len(directories)} times --export: "
            "expected one each, or none"
        )
    exports = []
    for position, path in enumerate(map(Path, directories)):
        codec = read_codec(path)
        default = f"csi_{codec['model']}_{codec['model_id']}"
        name = names[position] if names else default
        exports.append(Export(path, name, codec, ops))
    for export in exports:
        _check(export)
    for key, values in (
        ("model name", [export.name for export in exports]),
        ("model id", [export.codec["model_id"] for export in exports]),
    ):
        repeated = {value for value in values if values.count(value) > 1}
        if repeated:
            raise ValueError(
                f"{key} {repeated.pop()} twice: a served name is one encoder/decoder "
                "pair; give its newest export, versions already in --out stay there"
            )
    return exports


def _check(export: Export) -> None:
    if not re.fullmatch(r"[A-Za-z0-9_.-]+", export.name):
        raise ValueError(
            f"--model_name={export.name}: expected letters, digits, '_', '.' and '-'"
        )
    if not export.versions():
        raise ValueError(f"{export.directory}: no decoder/<version>/, export again")
    for name, digest in export.codec["files"].items():
        path = export.directory / name
        if not path.is_file() or files.sha256(path) != digest:
            raise ValueError(
                f"{path} is missing, damaged or of another export: its sha256 is not "
                "that of codec.json"
            )


def add_version(export: Export, version: int, models: Path) -> bool:
    """Put a version under `models`, complete with its warm-up, in one step.

    Returns:
        False where the same version is already there.

    Raises:
        ValueError: another decoder is there, or this one cannot be served.
    """
    source, target = export.versions()[version], models / export.name / str(version)
    if target.exists():
        same = all(
            (target / path.relative_to(source)).is_file()
            and files.sha256(target / path.relative_to(source)) == files.sha256(path)
            for path in source.rglob("*.pb")
        )
        if not same:
            raise ValueError(
                f"{target} holds another decoder: servers never load a number twice, "
                "export with another --version"
            )
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    for left in target.parent.glob(f"{PARTIAL}*"):  # by a command that was killed
        shutil.rmtree(left)
    with tempfile.TemporaryDirectory(prefix=PARTIAL, dir=target.parent) as folder:
        partial = Path(shutil.copytree(source, Path(folder, str(version))))
        write_warmup(partial, export.name, export.codec, ops=export.allowed_ops)
        files.write_text(partial / checksums.NAME, checksums.text(partial))
        replay(partial, export.allowed_ops)
        durable.replace(partial, target)
    return True


def routes(exports: list[Export]) -> dict:
    """Content of routes.json: model id of a frame -> who decodes it, rows a request.

    Raises:
        ValueError: the exports are of CSI of different shapes.
    """
    shapes = {tuple(export.codec["csi_shape"]) for export in exports}
    if len(shapes) > 1:
        raise ValueError(f"exports of CSI {sorted(shapes)}: expected one shape")
    models = {
        export.codec["model_id"]: {
            "name": export.name,
            "uplink": export.codec.get("uplink", False),
        }
        for export in exports
    }
    return {
        "csi_shape": list(shapes.pop()),
        "max_rows": max(BATCH_SIZES),
        "models": models,
    }


def check_names(out: Path, new: dict) -> None:
    """A name that frames are routed to must not change its encoder."""
    if not (out / ROUTES_FILE).exists():
        return
    before = read_routes(out / ROUTES_FILE)["models"]
    old = {route["name"]: model_id for model_id, route in before.items()}
    for model_id, route in new["models"].items():
        if old.get(route["name"], model_id) != model_id:
            raise ValueError(
                f"{out}: {route['name']} decodes frames of {old[route['name']]}, not "
                f"of {model_id}: choose another --model_name"
            )
