"""Run directories from elsewhere, fetched once: a few known files, checked, no code.

Only files of a run directory are asked for, under names that stand here. Each has a
limit; the weights must have the hash that card.json (or the user) gives; an HDF5 file
may refer to no other file. What is cut off goes on where it stopped, and nothing
appears under its name before all is there.
"""

from __future__ import annotations

import dataclasses
import hashlib
import http.client
import math
import os
import re
import shutil
import urllib.error
from pathlib import Path

from tfds_builders import durable, fetching, locks
from tfds_builders.untrusted import hdf5
from zoo import files
from zoo.codeword import network_record
from zoo.config import ExperimentConfig
from zoo.data import data_record

WEIGHTS = "best.weights.h5"
MEGABYTE = 10**6
LIMITS = {  # bytes; the first two and the weights must be there
    "config.json": MEGABYTE,
    "card.json": MEGABYTE,
    "data.json": MEGABYTE,
    "env.json": MEGABYTE,
    "flags.cfg": MEGABYTE,
    "grids.json": MEGABYTE,
    "network.json": MEGABYTE,
    "metrics.jsonl": 50 * MEGABYTE,
    WEIGHTS: 1000 * MEGABYTE,
}
NEEDED = ("config.json", "card.json", "flags.cfg", WEIGHTS)
PLAIN = (  # fields that a fetched configuration does not set
    "run_dir", "data_dir", "manual_dir", "weights", "weights_sha256", "train_part",
    "loss",
)  # fmt: skip
MISSING = (403, 404, 410)
HUB = re.compile(r"hf:([\w-][\w.-]*/[\w-][\w.-]*)((?:/[\w-][\w.-]*)*)(?:@([\w./-]+))?")
MOST_PARAMETERS = 1 << 30  # of a dense layer from the CSI to the codeword
USUAL_SHAPE = (4, 32, 32, 2)  # of CSI at most, where there is no network.json


def cache() -> Path:
    """Where fetched run directories are kept: $CSI_ZOO_CACHE or the user's cache."""
    usual = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("CSI_ZOO_CACHE") or usual / "csi_feedback_zoo")


def url_of(weights: str) -> str:
    """URL of the run directory that weights name, '' where they are no URL.

    Args:
        weights: a URL of a run directory or of its best.weights.h5, or
            `hf:OWNER/REPO[/FOLDER][@REVISION]`; `HF_ENDPOINT` names another hub.

    Raises:
        ValueError: not a hub repository as above.
    """
    if re.match(r"https?://", weights):
        return weights.partition("?")[0].removesuffix(f"/{WEIGHTS}").rstrip("/")
    if not weights.startswith("hf:"):
        return ""
    match = HUB.fullmatch(weights)
    if not match or ".." in weights:
        raise ValueError(
            f"--weights={weights}: expected hf:OWNER/REPO, hf:OWNER/REPO/FOLDER or "
            "either with @REVISION"
        )
    repository, folder, revision = match.groups()
    return f"{fetching.hub()}/{repository}/resolve/{revision or 'main'}{folder}"


def fetch(url: str, sha256: str = "") -> Path:
    """Fetch a run directory, or find it in the cache.

    Args:
        url: of the run directory.
        sha256: hash that the weights must have beside that of card.json; '': any.

    Returns:
        The run directory. Its source.json says where it is from.

    Raises:
        OSError: not reachable, cut off, or no such file; the next call goes on.
        ValueError: a file is too large, the hash is another, or a file is not what it
            should be.
    """
    key = hashlib.sha256(url.encode()).hexdigest()[:12]
    name = re.sub(r"[^\w.-]", "_", url.rsplit("/", 1)[-1])[:60]
    target = cache() / f"{name}-{key}"
    with locks.alone_for(target, wait=True):  # others wait and then find it
        if not target.is_dir():
            partial = target.with_name(f".partial-{target.name}")
            partial.mkdir(exist_ok=True)
            _fetch_into(partial, url, sha256)
            durable.replace(partial, target)
    return target


def _fetch_into(folder: Path, url: str, sha256: str) -> None:
    print(f"fetching {url} into {cache()}", flush=True)
    for name in LIMITS:
        if name != WEIGHTS:
            (folder / name).unlink(missing_ok=True)
        if name == WEIGHTS:
            wanted = _claim(folder, url, sha256)  # before many bytes are fetched
        _download(f"{url}/{name}", folder / name, LIMITS[name], name in NEEDED)
    weights = folder / WEIGHTS
    found = files.sha256(weights)
    if found != wanted:
        weights.unlink()
        raise ValueError(
            f"{url}/{WEIGHTS}: its sha256 is {found}, expected {wanted}; it was "
            "removed, the same command fetches it again"
        )
    try:
        hdf5.check_weights(weights)
    except ValueError:
        shutil.rmtree(folder)
        raise
    source = {"origin": "published_checkpoint", "url": url, "weights_sha256": found}
    files.write_json(folder / "source.json", source)


def _claim(folder: Path, url: str, sha256: str) -> str:
    """Hash that the weights must have, once configuration and card are usable.

    What belongs to a machine, and flags of a training to come, go back to defaults.
    """
    config = ExperimentConfig.from_json(_object(folder / "config.json", url))
    for name in ("model", "quantizer"):
        if not re.fullmatch(r"\w+", getattr(config, name)):
            raise ValueError(
                f"{url}/config.json: {name} is {getattr(config, name)!r}, code that is "
                "not of the zoo; expected the name of one of its own"
            )
    usual = ExperimentConfig()
    plain = {name: getattr(usual, name) for name in PLAIN}
    config = dataclasses.replace(config, **plain)
    _check_sizes(folder, config)
    files.write_json(folder / "config.json", config.to_json())
    claimed = str(_object(folder / "card.json", url).get("weights_sha256")).lower()
    if sha256 and sha256.lower() != claimed:
        raise ValueError(
            f"{url}/card.json: weights of sha256 {claimed}, expected "
            f"--weights_sha256={sha256}"
        )
    return claimed


def _check_sizes(folder: Path, config: ExperimentConfig) -> None:
    """Refuse records that are none, and a network that no memory would hold."""
    if (folder / data_record.NAME).is_file():
        data_record.read(folder / data_record.NAME)
    shape = USUAL_SHAPE
    if (folder / network_record.NAME).is_file():
        shape = network_record.read(folder / network_record.NAME)["csi_shape"]
    size = math.prod(shape)
    most = min(size, MOST_PARAMETERS // size)
    network_record.check_size(folder / "config.json", config, most)


def _object(path: Path, url: str) -> dict:
    value = files.read_json(path)
    if not isinstance(value, dict):
        raise ValueError(f"{url}/{path.name}: expected a JSON object")
    return value


def _download(url: str, target: Path, limit: int, needed: bool) -> None:
    """Fetch one file; one that is there in part goes on where it stopped."""
    try:
        fetching.fetch_rest(url, target, limit)
    except urllib.error.HTTPError as error:
        if needed or error.code not in MISSING:
            raise OSError(f"{url}: {error.code} {error.reason}") from error
    except urllib.error.URLError as error:
        raise OSError(f"{url}: cannot be reached ({error.reason})") from error
    except http.client.HTTPException as error:
        raise OSError(f"{url}: cut off ({error}); run the command again") from error
