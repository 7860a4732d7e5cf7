"""Published weights on our simulated drops, and what they are compared with.

python -m benchmarks.published --folder=DIR --json=zoo/results/published_weights.json

DIR holds files of the authors under the names below; those that are absent are left
out. Each is imported and evaluated on the test split of its scenario. The weights stay
where they are: only the numbers are ours to give away.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from absl import flags

from tfds_builders import cli
from zoo import files, registry
from zoo.convert_weights import write_run
from zoo.importing.network import import_network
from zoo.models.spec import RATIOS
from zoo.run_directory import RunDirectory
from zoo.training import evaluation

# File or folder: network, scenario, repository on GitHub.
FILES = {
    "fista_net_indoor_16": ("fista_net", "indoor", "XXXHUA/FISTA-NET-for-CSI-FEEDBACK"),
    "fista_net_indoor_64": ("fista_net", "indoor", "XXXHUA/FISTA-NET-for-CSI-FEEDBACK"),
    "fista_net_outdoor_16": (
        "fista_net",
        "outdoor",
        "XXXHUA/FISTA-NET-for-CSI-FEEDBACK",
    ),
    "crnet_indoor_16.pth": (
        "crnet",
        "indoor",
        "VToucher/CSI-compression-using-CRNet-and-Entroformer",
    ),
    "crnet_outdoor_16.pth": (
        "crnet",
        "outdoor",
        "VToucher/CSI-compression-using-CRNet-and-Entroformer",
    ),
    "cllwcsinet_indoor_16.pth": ("cllwcsinet", "indoor", "FardadAnsari/CLLWCsiNet"),
    "cllwcsinet_outdoor_8.pth": ("cllwcsinet", "outdoor", "FardadAnsari/CLLWCsiNet"),
}
OTHER_OPTIONS = {  # that are wrong for the file: what they cost
    "fista_net_indoor_16": {"order": "csi"},
    "cllwcsinet_indoor_16.pth": {"noise_branch": "code"},
}
SIZE = "quick"
SHOWN = ("nmse_db", "published_db", "nmse_pca_db")

_FOLDER = flags.DEFINE_string("folder", "", "folder with the files of the authors")
_DATA_DIR = flags.DEFINE_string("data_dir", "", "TFDS data directory")
_JSON = flags.DEFINE_string("json", "", "also write the rows here")


def measured(
    path: Path, model: str, scenario: str, repository: str, args: dict | None = None
) -> dict:
    """Results row of a published file.

    Args:
        path: the file.
        model: registry name.
        scenario: 'indoor' or 'outdoor'.
        repository: where it was published.
        args: options instead of those that the file shows.
    """
    imported = import_network(model, [path], args)
    data = {"dataset": f"cost2100_sim/{scenario}_{SIZE}", "data_dir": _DATA_DIR.value}
    with tempfile.TemporaryDirectory() as scratch:
        run = Path(scratch) / "run"
        source = write_run(imported, run, {}, **data)
        row, *_ = evaluation.evaluate(RunDirectory(run))
    rows = registry.get(model).published
    (ratio,) = [r for r, dim in RATIOS.items() if dim == imported.codeword_dim]
    published = rows.get(ratio, {}).get(scenario)
    told = {"repository": repository, "files": source["files"]}
    return {"name": path.name, "published_db": published, **told, **row}


def main(argv: list[str]) -> None:
    """Command line."""
    cli.refuse_arguments(argv)
    cli.require("folder")
    folder, rows = Path(_FOLDER.value), []
    for name, about in FILES.items():
        if not (folder / name).exists():
            print(f"{name}: not in {folder}, left out")
            continue
        rows.append(measured(folder / name, *about))
        print(name, {key: rows[-1][key] for key in SHOWN}, flush=True)
    if not rows:
        raise ValueError(f"--folder={folder}: holds none of {', '.join(FILES)}")
    other = [
        measured(folder / row["name"], *FILES[row["name"]], OTHER_OPTIONS[row["name"]])
        for row in rows
        if row["name"] in OTHER_OPTIONS
    ]
    print({row["name"]: (row["model_args"], row["nmse_db"]) for row in other})
    if _JSON.value:
        content = {"rows": rows, "other_options": other, **files.environment()}
        files.write_json(_JSON.value, content)


if __name__ == "__main__":
    cli.run(main)
