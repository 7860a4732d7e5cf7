"""TFDS builder of the published COST2100 CSI files of CsiNet."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from tensorflow_datasets.core.download.checksums import UrlInfo
from tensorflow_datasets.core.download.download_manager import NonMatchingChecksumError

from tfds_builders import provenance
from tfds_builders.cost2100 import download, mat_files
from tfds_builders.features import csi_features

HOMEPAGE = "https://github.com/sydney222/Python_CsiNet"
SPLIT_FILES = {
    "train": "DATA_Htrain{}.mat",
    "validation": "DATA_Hval{}.mat",
    "test": "DATA_Htest{}.mat",
}
FREQUENCY_FILE = "DATA_HtestF{}_all.mat"
SCENARIOS = (
    ("indoor", "in", 5.3e9, "Indoor pico-cell, 5.3 GHz, UE in a square of 20 m side"),
    ("outdoor", "out", 300e6, "Outdoor rural, 300 MHz, UE in a square of 400 m side"),
)
NORMALISATION = "unknown: one constant for all samples, which the files do not give"


@dataclasses.dataclass(eq=False, kw_only=True)
class Cost2100Config(tfds.core.BuilderConfig):
    """Scenario: the suffix of its file names and its carrier."""

    suffix: str
    carrier_hz: float
    splits: tuple[str, ...] = tuple(SPLIT_FILES)


class Builder(tfds.core.GeneratorBasedBuilder):
    """Published COST2100 angular-delay CSI; see README.md beside this file."""

    VERSION = tfds.core.Version("1.1.0")
    RELEASE_NOTES = {
        "1.0.0": "First release.",
        "1.1.0": "Frequency responses on the scale of the taps; test split alone.",
    }
    BUILDER_CONFIGS = [
        Cost2100Config(
            name=name + ending,
            description=f"{text}{'; the test split alone' if ending else ''}",
            suffix=suffix,
            carrier_hz=carrier_hz,
            splits=("test",) if ending else tuple(SPLIT_FILES),
        )
        for ending in ("", "_test")
        for name, suffix, carrier_hz, text in SCENARIOS
    ]
    MANUAL_DOWNLOAD_INSTRUCTIONS = f"""
    Put the files of the scenario into manual_dir: DATA_Htrainin.mat, DATA_Hvalin.mat,
    DATA_Htestin.mat and DATA_HtestFin_all.mat for `indoor`; the same names with `out`
    in place of `in` for `outdoor`. `indoor_test` and `outdoor_test` take the two files
    of the test alone. {HOMEPAGE} links to them.
    """

    normalisation = NORMALISATION  # of data made before the metadata said it
    base_url = ""  # where the files are fetched from; '': they are there

    @property
    def file_names(self) -> list[str]:
        """Of the scenario: training, validation, test, and test in frequency."""
        names = [SPLIT_FILES[split] for split in self.builder_config.splits]
        return [
            name.format(self.builder_config.suffix) for name in (*names, FREQUENCY_FILE)
        ]

    @property
    def url_infos(self) -> dict[str, UrlInfo]:
        """Sizes and hashes against which TFDS checks what was fetched."""
        return {
            f"{self.base_url}/{name}": UrlInfo(
                size=download.PUBLISHED[name]["bytes"],
                checksum=download.PUBLISHED[name]["sha256"],
                filename=name,
            )
            for name in (self.file_names if self.base_url else [])
        }

    def fetch(self, source: str, folder: Path) -> None:
        """Fetch the files of the scenario before the data are prepared.

        Args:
          source: address of a folder or hub repository, see `download.base_url`.
          folder: where they go: `manual_dir` of what prepares the data.

        Raises:
          ValueError: no address, or the server has other files.
          OSError: they cannot be fetched; the message names folder and hashes.
        """
        self.base_url = download.base_url(source)
        download.fetch(self.base_url, self.file_names, folder)

    def check_source(self, folder: Path) -> None:
        """Compare the files that the data are made of with those of a folder.

        Files that the folder does not have are not compared.

        Raises:
          FileNotFoundError: it has none of them.
          ValueError: one is another file.
        """
        names = [name for name in self.file_names if (folder / name).is_file()]
        if not names:
            raise FileNotFoundError(
                f"--manual_dir={folder} has none of {', '.join(self.file_names)}"
            )
        known = self.info.metadata.get("files_sha256", {})
        for name in names:
            state = (folder / name).stat()
            found = _sha256(folder / name, state.st_size, state.st_mtime_ns)
            if known.get(name) != found:
                raise ValueError(
                    f"{self.data_path} was made of {name} with SHA-256 "
                    f"{known.get(name, 'unknown')}, that of --manual_dir={folder} has "
                    f"{found}: give another --data_dir, or remove the data set"
                )

    def check_published(self) -> None:
        """Compare the files that the data are made of with the published ones.

        Raises:
          ValueError: they are others, or not on record.
        """
        known = self.info.metadata.get("files_sha256", {})
        for name in self.file_names:
            expected = download.PUBLISHED[name]["sha256"]
            if known.get(name) != expected:
                raise ValueError(
                    f"{self.data_path} was made of {name} with SHA-256 "
                    f"{known.get(name, 'unknown')}, the published one has {expected}; "
                    "remove the folder and start again, or leave --download out"
                )

    def _info(self) -> tfds.core.DatasetInfo:
        metadata = tfds.core.MetadataDict(
            scenario=self.builder_config.name.removesuffix("_test"),
            carrier_hz=self.builder_config.carrier_hz,
            bandwidth_hz=20e6,
            num_subcarriers=1024,
            normalisation=self.normalisation,
        )
        return self.dataset_info_from_configs(
            features=csi_features(),
            metadata=metadata,
            disable_shuffling=True,
            homepage=HOMEPAGE,
        )

    def _split_generators(
        self, dl_manager: tfds.download.DownloadManager
    ) -> dict[str, Iterator[tuple[int, dict[str, Any]]]]:
        if self.base_url:
            self._check_fetched(dl_manager)
        folder = _manual_dir(dl_manager, self.file_names)
        self.info.metadata["files_sha256"] = {
            name: provenance.sha256(folder / name) for name in self.file_names
        }
        *files, frequency = (folder / name for name in self.file_names)
        return {
            split: self._generate_examples(path, frequency if split == "test" else None)
            for split, path in zip(self.builder_config.splits, files, strict=True)
        }

    def _check_fetched(self, dl_manager: tfds.download.DownloadManager) -> None:
        """TFDS takes the files from manual_dir and compares them with `url_infos`."""
        try:
            dl_manager.download(list(self.url_infos))
        except NonMatchingChecksumError as error:
            raise ValueError(
                f"a file in {dl_manager.manual_dir} is not the published one, expected "
                f"{download.listing(self.file_names)}; remove it and start again"
            ) from error

    def _generate_examples(
        self, path: Path, frequency_path: Path | None
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        csi = mat_files.read_csi(path)
        csi_freq = np.zeros((len(csi), 0, 125, 2), np.float32)
        if frequency_path is not None:
            csi_freq = mat_files.read_frequency(frequency_path)
        if len(csi_freq) != len(csi):
            raise ValueError(
                f"{frequency_path}: found {len(csi_freq)} rows, expected {len(csi)}"
                f" as in {path}; cut both files to the same samples"
            )
        if frequency_path is not None:
            scale = mat_files.frequency_scale(csi, csi_freq)
            if scale == 1:
                print(
                    f"{frequency_path} is not alike {path}: rho and nmse_freq_db of "
                    "these data will mean nothing"
                )
            self.info.metadata["frequency_scale"] = scale
            csi_freq *= np.float32(scale)
        for key, (sample, frequency) in enumerate(zip(csi, csi_freq, strict=True)):
            # The constant of the published scaling is not known: 1.
            yield key, {"csi": sample, "scale": 1.0, "csi_freq": frequency}


@functools.cache
def _sha256(path: Path, size: int, modified_ns: int) -> str:
    """SHA-256 of a file in this state: a training opens gigabytes several times."""
    del size, modified_ns
    return provenance.sha256(path)


def _manual_dir(dl_manager: tfds.download.DownloadManager, names: list[str]) -> Path:
    """Return the folder that holds all of `names`, or say which are missing."""
    try:
        folder = Path(dl_manager.manual_dir)
    except AssertionError as error:  # TFDS: the folder is missing or empty
        reason = str(error).partition(" Create it")[0]
        raise FileNotFoundError(
            f"{reason} Expected the files {', '.join(names)}: put them into that folder"
            f" or name another with --manual_dir (linked from {HOMEPAGE})"
        ) from error
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        found = ", ".join(sorted(file.name for file in folder.glob("*.mat"))) or "none"
        raise FileNotFoundError(
            f"missing {', '.join(missing)} in {folder}, .mat files found there:"
            f" {found}; download them (linked from {HOMEPAGE}) and put them there"
        )
    return folder
