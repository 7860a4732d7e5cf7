"""Weights by name: those of the zoo, a folder or file, a URL, a repository of the hub.

`zoo/weights/NAME/` is a small run directory (configuration, metrics, best weights) with
`card.json`, the evaluation of these weights and their hash. No TensorFlow here: names
are found, listed and verified before seconds are spent on its import.
"""

from __future__ import annotations

import re
from pathlib import Path

from absl import flags

from tfds_builders import cli, flag_help
from tfds_builders.untrusted.json_files import NUMBER, OBJECT, POSITIVE, TEXT, record
from zoo import files
from zoo.importing import download

SHIPPED = Path(__file__).parents[1] / "weights"
WEIGHTS, CARD = "best.weights.h5", "card.json"
SCHEMA = record(
    {
        "model": TEXT,
        "dataset": TEXT,
        "dataset_config": TEXT,
        "codeword_dim": POSITIVE,
        "ratio": NUMBER,
        "nmse_db": NUMBER,
        "model_args": OBJECT,
        "weights_sha256": TEXT,
    }
)  # of card.json
HASHED = record({"weights_sha256": TEXT})
SHOWN = ("model", "dataset", "dataset_config", "codeword_dim", "ratio", "nmse_db")


def shipped(folder: Path | None = None) -> dict[str, Path]:
    """Run directories of the weights that come with the zoo, or of a folder, by name.

    In the order of networks, channels and ratios.
    """
    found = [path.parent for path in (folder or SHIPPED).glob(f"[!.]*/{CARD}")]
    return {path.name: path for path in sorted(found, key=_place)}


def _place(path: Path) -> tuple:
    stem, _, ratio = path.name.rpartition("_")
    return (stem, int(ratio)) if ratio.isdigit() else (path.name, 0)


def cards(model: str = "") -> list[dict]:
    """What there is to know of the shipped weights, of one network or of all.

    Returns:
        `name`, `model`, data set, codeword length, ratio, NMSE in dB, `options` of the
        network and the size of the file in `bytes`.
    """
    found = []
    for name, path in shipped().items():
        card = files.read_json(path / CARD, SCHEMA)
        if card["model"] == (model or card["model"]):
            shown = {key: card[key] for key in SHOWN}
            size = (path / WEIGHTS).stat().st_size
            more = {"options": card["model_args"], "bytes": size}
            found.append({"name": name, **shown, **more})
    return found


def line(card: dict) -> str:
    """One line about weights, for people."""
    data = f"{card['dataset']}/{card['dataset_config']}"
    return f"{card['name']}: M {card['codeword_dim']}, {card['nmse_db']:.2f} dB, {data}"


def locate(weights: str, sha256: str = "") -> Path:
    """Run directory, or weights file, that a name stands for; its hash is verified.

    Args:
        weights: path of a run directory or .weights.h5 file, name of shipped weights,
            URL of a run directory, or `hf:OWNER/REPO[/FOLDER][@REVISION]`.
        sha256: hash that the weights must have, beside that of card.json; '': any.

    Raises:
        FileNotFoundError: there are none of that name.
        ValueError: the weights are not those of card.json or `sha256`, or unusable.
        OSError: they could not be fetched.
    """
    url, path = download.url_of(weights), Path(weights)
    if url:
        path = download.fetch(url, sha256)
    elif not path.exists():
        named = shipped()
        if weights not in named:
            raise FileNotFoundError(
                f"--weights={weights}: no such file, folder or name; there are "
                f"{', '.join(named) or 'no weights'}, or give a URL or hf:OWNER/REPO"
            )
        path = named[weights]
    verify(path, sha256)
    return path


def verify(path: Path, sha256: str = "") -> None:
    """Compare weights with the hash of their card, and with a given one.

    Args:
        path: run directory or weights file.
        sha256: given hash; '': that of the card alone, where there is one.

    Raises:
        ValueError: another hash.
    """
    weights = path / WEIGHTS if path.is_dir() else path
    wanted = {"--weights_sha256": sha256} if sha256 else {}
    if (path / CARD).is_file():
        wanted[CARD] = files.read_json(path / CARD, HASHED)["weights_sha256"]
    if not wanted or not weights.is_file():
        return
    found = files.sha256(weights)
    for origin, value in wanted.items():
        if found != str(value).lower():
            raise ValueError(
                f"{weights}: damaged or of another training, its sha256 is {found}, "
                f"that of {origin} {value}"
            )


def define_flags(run: str = "run directory of a training") -> None:
    """Flags of commands that take a run or weights by name."""
    flags.DEFINE_string("run", "", run)
    flags.DEFINE_string(
        "weights",
        "",
        "weights by name instead of a run: those of the zoo, a run directory, a URL "
        "of one, or hf:OWNER/REPO[@REVISION]",
    )
    flags.DEFINE_string("weights_sha256", "", "hash that --weights must have")


def from_flags() -> Path:
    """Run directory that --run or --weights names.

    Raises:
        ValueError, OSError: neither or both, a hash without weights, or as `locate`.
    """
    run, weights = flags.FLAGS.run, flags.FLAGS.weights
    sha256 = flags.FLAGS.weights_sha256
    if run and weights:
        raise ValueError(f"--run={run} and --weights={weights}: leave one out")
    if not weights:
        cli.require("run")
        if sha256:
            raise ValueError(
                f"--weights_sha256={sha256} is of --weights: give --weights={run} "
                "instead of --run, and it is verified"
            )
        return Path(run)
    path = locate(weights, sha256)
    if not path.is_dir():
        raise ValueError(
            f"--weights={weights} is a file: {flag_help.program()} takes its run "
            "directory, which says of which network it is"
        )
    return path


def label(weights: str) -> str:
    """A name of weights as a file name."""
    return re.sub(r"[^\w.-]+", "_", weights).strip("_.")
