"""What curves of eigenvectors are called, and what is equal in a comparison of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from zoo import registry
from zoo.reporting.cells import variant, words
from zoo.reporting.rate_curves import channels, data_set

BASE = "etype2"  # whose reports are the payloads
NAMES = {
    BASE: "eType II",
    "type2": "Type II",
    "type1": "Type I",
    "pursuit": "pursuit",
    "klt_coded": "KLT",
    "klt_mixture": "16 KLTs",
}
CODEBOOKS = tuple(NAMES)[:3]
AT_MOST = ", at most"  # ends the name of what never sends more bits than asked for
# Beside its name and seed, what tells a curve from another one.
TOLD = (
    "data_set", "dataset_version", "num_test", "train_data", "num_train", "bits",
    "quantizer", "init", "loss", "epochs", "batch_size", "lr", "precision",
    "train_precision", "receiver", "csi_noise", "test_snr_db",
    "train_csi_noise", "train_snr_db", "feedback_snr_db", "train_feedback_snr_db",
)  # fmt: skip
BY_SEED = re.compile(r", seed \d+| of pair \w+| of file \w+")  # of a stream, a side


class Setting(NamedTuple):
    """What is equal in a comparison.

    Attributes:
        data: channels.
        num_subbands: N3.
        rank: layers of a report.
        snr_db: of one receive antenna, for rates.
        num_users: served together by zero forcing.
    """

    data: str
    num_subbands: int
    rank: int
    snr_db: float
    num_users: int


def setting_of(row: dict) -> Setting:
    """What a row is compared within."""
    keys = "num_subbands", "rank", "snr_db", "num_users"
    return Setting(channels(data_set(row)), *(row[key] for key in keys))


def names(found: list[dict]) -> list[str]:
    """What the curve of each row is called among all of them.

    Where rows of one name are of different configurations, it says what differs.
    """
    groups: dict[tuple, list[dict]] = {}
    keys = [(setting_of(row), name_of(row)) for row in found]
    told = [_told(row) for row in found]
    for key, own in zip(keys, told, strict=True):
        groups.setdefault(key, []).append(own)
    shown = {key: _apart(group) for key, group in groups.items()}
    return [
        name_of(row, [own[x] for x in shown[key]])
        for row, key, own in zip(found, keys, told, strict=True)
    ]


def _told(row: dict) -> dict[str, str]:
    """What may differ between rows of one name, in words."""
    values = row | {"data_set": data_set(row), "train_data": _train_data(row)}
    return {key: f"{words(key)} {values.get(key)}" for key in TOLD}


def _train_data(row: dict) -> str:
    """What a row was trained on, the same of all seeds."""
    return BY_SEED.sub("", row.get("train_data") or "")


def _apart(group: list[dict[str, str]]) -> list[str]:
    """The first keys that tell apart all of a group that differ."""
    shown: list[str] = []
    for key in TOLD:
        known = {tuple(own[x] for x in shown) for own in group}
        if len({tuple(own[x] for x in (*shown, key)) for own in group}) > len(known):
            shown.append(key)
    return shown


def name_of(row: dict, also: Sequence[str] = ()) -> str:
    """What a row's curve is called, with what else tells it from others."""
    is_network = row["model"] in registry.MODELS
    name = variant(row) if is_network else NAMES.get(row["model"], row["model"])
    if row.get("collaboration"):
        sides = " to ".join(variant(row[side]) for side in ("encoder", "decoder"))
        name = f"{sides}, {row['collaboration'].replace('_', ' ')}"
    if row.get("phase"):
        name = f"{name}, {row['phase']} phase"
    source = "/".join(_train_data(row).partition(" ")[0].split("/")[:2])
    if source and channels(source) != channels(data_set(row)):
        name = f"{name}, of {channels(source)}"
    return ", ".join([name, *also]) + AT_MOST * (
        row["model_args"].get("rate") == "fixed"
    )
