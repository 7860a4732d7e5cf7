"""The papers' TR 38.901 experiments by name; the numbers are in `presets.json`."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path

from tfds_builders.tr38901.arrays import panel
from tfds_builders.tr38901.drops import Cell, Setting, Track
from tfds_builders.tr38901.large_scale import SPEED_OF_LIGHT
from tfds_builders.tr38901.parameters import load_scenario


@dataclass(frozen=True)
class Preset:
    """One experiment.

    Attributes:
      about: one line.
      setting: what determines the drops.
      uplink_hz: carrier of the uplink of the same drops; None: no uplink.
      taps: kept delay bins, the first and then the last of all.
      last_taps: how many of them are the last of all.
      num_subbands: with eigenvectors, a layer per UE antenna; 0: none.
      sizes: examples of train, validation and test.
    """

    about: str
    setting: Setting
    uplink_hz: float | None
    taps: tuple[int, ...]
    last_taps: int
    num_subbands: int
    sizes: tuple[int, int, int]

    @property
    def modes(self) -> tuple[int, int] | None:
        """Subbands and layers of the eigenvectors; None: none."""
        layers = len(self.setting.ue)
        return (self.num_subbands, layers) if self.num_subbands else None


@functools.cache
def preset_names() -> tuple[str, ...]:
    """All presets."""
    return tuple(_read())


def _read() -> dict:
    path = Path(__file__).with_name("presets.json")
    return json.loads(path.read_text(encoding="utf-8"))


@functools.cache
def load_preset(preset: str, release: str = "v16") -> Preset:
    """A preset with the tables of a release.

    Elements are half a wavelength of the (downlink) carrier apart.

    Raises:
      ValueError: unknown preset or release, or a speed: drops are at one time.
    """
    presets = _read()
    if preset not in presets:
        raise ValueError(
            f"unknown preset {preset!r}: choose one of {', '.join(presets)}"
        )
    values = presets[preset]
    while "like" in values:
        other = values["like"]
        values = presets[other] | {k: v for k, v in values.items() if k != "like"}
    spacing = SPEED_OF_LIGHT / values["carrier_hz"] / 2
    cell = _cell(preset, values)
    antennas = values["ue_antennas"]
    setting = Setting(
        scenario=load_scenario(values["scenario"], release, values["num_clusters"]),
        cell=cell,
        carrier_hz=values["carrier_hz"],
        bandwidth_hz=values["bandwidth_hz"],
        num_subcarriers=values["num_subcarriers"],
        bs=panel(spacing_m=spacing, **values["bs"]),
        ue=panel(max(1, antennas // 2), 1, spacing, cross_polarised=antennas > 1),
        waves=values["waves"],
    )
    first, last = values["first_taps"], values["last_taps"]
    count = setting.num_subcarriers
    return Preset(
        about=values["about"],
        setting=setting,
        uplink_hz=values["uplink_hz"],
        taps=(*range(first), *range(count - last, count)),
        last_taps=last,
        num_subbands=values["num_subbands"],
        sizes=tuple(values["sizes"]),
    )


def _cell(preset: str, values: dict) -> Cell:
    cell = dict(values["cell"])
    if "speed" in cell:
        raise ValueError(
            f"preset {preset}: speed={cell['speed']} changes none of its drops, "
            "which are at one time: leave it out; Cell takes it for port_taps(time_s)"
        )
    if "line" in cell:
        cell["line"] = tuple(cell["line"])
    if "track" in values:
        cell["track"] = Track(**values["track"])
    return Cell(**cell)
