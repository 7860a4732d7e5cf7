"""Published COST2100 files: dummy .mat files in all MATLAB versions, every error."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io
import scipy.sparse
import tensorflow_datasets as tfds

from tfds_builders import build, transforms
from tfds_builders.cost2100 import mat_files
from tfds_builders.cost2100.cost2100_dataset_builder import Builder

ROWS = {"train": 7, "val": 3, "test": 4}
MATLAB_CLASS = {"f": "double", "c": "double", "i": "int32"}


def write_v73(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """HDF5 as MATLAB stores it: 512-byte user block, transposed, compound complex."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for key, array in arrays.items():
            stored = array.T
            if array.dtype.kind == "c":
                pair = np.dtype([("real", "<f8"), ("imag", "<f8")])
                stored = np.empty(array.T.shape, pair)
                stored["real"], stored["imag"] = array.T.real, array.T.imag
            dataset = file.create_dataset(key, data=stored, compression="gzip")
            dataset.attrs["MATLAB_class"] = np.bytes_(MATLAB_CLASS[array.dtype.kind])
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")


def write_mat(path: Path, version: str, **arrays: np.ndarray) -> Path:
    if version == "v7.3":
        write_v73(path, arrays)
    else:
        scipy.io.savemat(path, arrays, do_compression=version == "v7")
    return path


def channels(num: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    parts = rng.normal(size=(2, num, 32, 32)) * np.exp(-np.arange(32) / 4)
    return (parts[0] + 1j * parts[1]).astype(np.complex64)


def published_rows(h: np.ndarray) -> np.ndarray:
    """`HT` rows of `h [rows, angle, delay]`: the real block, then the imaginary one."""
    scaled = 0.5 * h / np.abs(h).max()
    return 0.5 + np.stack([scaled.real, scaled.imag], axis=1).reshape(len(h), 2048)


def write_scenario(folder: Path, suffix: str, version: str, seed: int = 0) -> Path:
    folder.mkdir(exist_ok=True)
    for index, (name, rows) in enumerate(ROWS.items()):
        h = channels(rows, seed + index)
        ht = published_rows(h)
        write_mat(folder / f"DATA_H{name}{suffix}.mat", version, HT=ht)
    frequency = transforms.delay_to_frequency(h, 257, 125).reshape(len(h), -1)
    name = f"DATA_HtestF{suffix}_all.mat"
    write_mat(folder / name, version, HF_all=frequency.astype(np.complex128))
    return folder


def prepare(folder: Path, data_dir: Path, config: str = "indoor") -> Builder:
    builder = Builder(config=config, data_dir=data_dir)
    manual = tfds.download.DownloadConfig(manual_dir=folder)
    builder.download_and_prepare(download_config=manual)
    return builder


class Cost2100BuilderTest(tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = Builder
    BUILDER_CONFIG_NAMES_TO_TEST = ["indoor", "outdoor"]  # with all splits
    SPLITS = {"train": 7, "validation": 3, "test": 4}

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.EXAMPLE_DIR = cls.folder.name
        write_scenario(Path(cls.folder.name), "in", "v7")
        write_scenario(Path(cls.folder.name), "out", "v7.3", seed=50)
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        cls.folder.cleanup()


@pytest.mark.parametrize("version", ["v5", "v7", "v7.3"])
def test_matlab_versions_give_the_published_layout(tmp_path, version):
    rng = np.random.default_rng(0)
    ht = rng.uniform(size=(5, 2048))
    hf = rng.normal(size=(2, 4000)) + 1j * rng.normal(size=(2, 4000))
    extra = np.ones((3, 2))
    csi = mat_files.read_csi(write_mat(tmp_path / "h.mat", version, HT=ht, other=extra))
    path = write_mat(tmp_path / "f.mat", version, HF_all=hf)
    frequency = mat_files.read_frequency(path)
    assert csi.shape == (5, 32, 32, 2) and csi.dtype == np.float32
    assert frequency.shape == (2, 32, 125, 2) and frequency.dtype == np.float32
    for row, angle, delay in [(0, 0, 0), (4, 31, 31), (2, 7, 19), (1, 30, 2)]:
        expected = ht[row, [angle * 32 + delay, 1024 + angle * 32 + delay]]
        np.testing.assert_array_equal(csi[row, angle, delay], np.float32(expected))
    for row, angle, carrier in [(0, 0, 0), (1, 31, 124), (0, 5, 77)]:
        value = hf[row, angle * 125 + carrier]
        expected = np.float32([value.real, value.imag])
        np.testing.assert_array_equal(frequency[row, angle, carrier], expected)


def test_the_files_that_were_read_are_on_record(tmp_path):
    folder = write_scenario(tmp_path / "m", "in", "v7")
    prepare(folder, tmp_path)
    again = dict(Builder(config="indoor", data_dir=tmp_path).info.metadata)
    wanted = {
        p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir()
    }
    assert again["files_sha256"] == wanted and len(wanted) == 4
    assert again["normalisation"].startswith("unknown: one constant")


def test_examples_keep_the_order_of_the_rows_and_agree_with_the_frequency(tmp_path):
    builder = prepare(write_scenario(tmp_path / "m", "out", "v7"), tmp_path, "outdoor")
    assert dict(builder.info.metadata)["carrier_hz"] == 300e6
    for split, name in [("train", "train"), ("validation", "val"), ("test", "test")]:
        rows = mat_files.read_csi(tmp_path / "m" / f"DATA_H{name}out.mat")
        examples = list(tfds.as_numpy(builder.as_dataset(split=split)))
        np.testing.assert_array_equal([ex["csi"] for ex in examples], rows)
        assert {float(ex["scale"]) for ex in examples} == {1.0}
        sizes = {ex["csi_freq"].shape for ex in examples}
        assert sizes == {(32 if split == "test" else 0, 125, 2)}
    h = transforms.from_unit_range(np.stack([ex["csi"] for ex in examples]), 1.0)
    predicted = transforms.delay_to_frequency(h, 257, 125)
    pairs = np.stack([ex["csi_freq"] for ex in examples])
    stored = pairs[..., 0] + 1j * pairs[..., 1]
    inner = np.abs(np.sum(stored.conj() * predicted, axis=1))
    norms = np.linalg.norm(stored, axis=1) * np.linalg.norm(predicted, axis=1)
    np.testing.assert_allclose(inner / norms, 1, atol=1e-4)  # rho of a perfect decoder


GOOD = np.tile([0.5, 0.6], (3, 1024))


def with_value(value: float) -> np.ndarray:
    rows = GOOD.copy()
    rows[1, 5] = value
    return rows


@pytest.mark.parametrize("version", ["v5", "v7", "v7.3"])
@pytest.mark.parametrize(
    ("arrays", "found"),
    [
        ({"H": GOOD, "x": GOOD}, r"found the keys H, x, expected HT"),
        ({"HT": GOOD[:, :1024]}, r"found HT of shape \(3, 1024\), expected .*2048"),
        ({"HT": GOOD.T}, r"found HT of shape \(2048, 3\), expected HT of .*2048"),
        ({"HT": GOOD + 0j + 1j}, "found HT as ndarray of complex128, expected .*real"),
        ({"HT": with_value(np.nan)}, "NaN or Inf in 1 of 3 rows, first in row 1"),
        ({"HT": with_value(np.inf)}, "NaN or Inf in 1 of 3 rows, first in row 1"),
        ({"HT": GOOD * [[1], [0], [1]] + [[0], [0.5], [0]]}, "zeros in 1 .* row 1,"),
        ({"HT": with_value(1.25)}, r"values from 0.5 to 1.25, expected \[0, 1\]"),
        ({"HT": GOOD - 0.6}, r"values from -0.1 to 0, expected \[0, 1\]"),
    ],
)
def test_wrong_content_names_file_found_expected_and_place(
    tmp_path, version, arrays, found
):
    path = write_mat(tmp_path / "DATA_Htrainin.mat", version, **arrays)
    with pytest.raises(ValueError, match=found) as error:
        mat_files.read_csi(path)
    message = str(error.value)
    assert message.startswith(str(path)) and message.endswith(f"into {tmp_path}")
    assert "\n" not in message


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (np.ones((2, 4001)) + 0j, r"shape \(2, 4001\), expected HF_all .*4000"),
        (np.ones((2, 4000)), "ndarray of float64, expected HF_all .*complex"),
        (np.full((2, 4000), np.nan + 1j), "NaN or Inf in 2 of 2 rows"),
        (scipy.sparse.csc_matrix(np.ones((2, 4000))), "no numbers of the name HF_all"),
        (np.zeros((0, 4000)), r"shape \(0, 4000\)"),
    ],
)
def test_wrong_frequency_file(tmp_path, value, found):
    path = write_mat(tmp_path / "DATA_HtestFin_all.mat", "v5", HF_all=value)
    with pytest.raises(ValueError, match=found):
        mat_files.read_frequency(path)


@pytest.mark.parametrize("version", ["v5", "v7", "v7.3"])
@pytest.mark.parametrize("kept", [0.0, 0.001, 0.01, 0.5, 0.999])
def test_truncated_files(tmp_path, version, kept):
    rows = np.random.default_rng(0).uniform(size=(5, 2048))
    path = write_mat(tmp_path / "DATA_Hvalin.mat", version, HT=rows)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(ValueError, match="truncated, damaged or not a MATLAB") as error:
        mat_files.read_csi(path)
    message = str(error.value)
    assert str(path) in message and f"{int(kept * len(content))} bytes" in message
    assert message.endswith(f"into {tmp_path}") and "\n" not in message


def test_a_saved_web_page_and_a_missing_file(tmp_path):
    path = tmp_path / "DATA_Hvalin.mat"
    with pytest.raises(FileNotFoundError, match=f"{path}: no such file.*{tmp_path}"):
        mat_files.read_csi(path)
    path.write_text("<!DOCTYPE html><html>quota exceeded</html>" * 50)
    with pytest.raises(ValueError, match="not a MATLAB file"):
        mat_files.read_csi(path)


def test_builder_names_missing_files_before_reading_any(tmp_path):
    folder = write_scenario(tmp_path / "manual", "in", "v5")
    (folder / "DATA_Hvalin.mat").unlink()
    (folder / "DATA_HtestFin_all.mat").rename(folder / "DATA_HtestF_in.mat")
    (folder / "DATA_Htrainin.mat").write_bytes(b"")
    expected = f"missing DATA_Hvalin.mat, DATA_HtestFin_all.mat in {folder}"
    with pytest.raises(FileNotFoundError, match=expected) as error:
        prepare(folder, tmp_path / "data")
    assert "DATA_HtestF_in.mat" in str(error.value)


@pytest.mark.parametrize("exists", [False, True])
def test_builder_without_manual_dir_says_what_to_put_where(tmp_path, exists):
    folder = tmp_path / "manual"
    if exists:
        folder.mkdir()
    with pytest.raises(FileNotFoundError) as error:
        prepare(folder, tmp_path / "data", "outdoor")
    message = str(error.value)
    for part in (str(folder), "DATA_Htrainout.mat", "DATA_HtestFout_all.mat"):
        assert part in message
    assert "\n" not in message


def test_builder_refuses_test_files_of_different_length(tmp_path):
    folder = write_scenario(tmp_path / "manual", "in", "v5")
    path = folder / "DATA_HtestFin_all.mat"
    write_mat(path, "v5", HF_all=np.ones((2, 4000)) + 0j)
    with pytest.raises(ValueError, match=f"{path}: found 2 rows, expected 4"):
        prepare(folder, tmp_path / "data")


def test_damaged_file_leaves_no_dataset_behind(tmp_path):
    folder = write_scenario(tmp_path / "manual", "in", "v7")
    path = folder / "DATA_Hvalin.mat"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match="DATA_Hvalin.mat: truncated"):
        prepare(folder, tmp_path / "data")
    assert not list((tmp_path / "data").rglob("*.tfrecord*"))


@pytest.mark.parametrize("scale", [1e-6, 1.0, 37.0])
def test_frequency_responses_are_put_on_the_scale_of_the_taps(tmp_path, scale):
    folder = write_scenario(tmp_path / "m", "in", "v7")
    path = folder / "DATA_HtestFin_all.mat"
    known = mat_files.read_frequency(path) @ np.array([1, 1j])
    write_mat(path, "v7", HF_all=scale * known.reshape(4, -1).astype(complex))
    builder = prepare(folder, tmp_path)
    metadata = dict(Builder(config="indoor", data_dir=tmp_path).info.metadata)
    peak = np.abs(channels(4, 2)).max()  # the constant of `published_rows`
    assert metadata["frequency_scale"] == pytest.approx(0.5 / peak / scale, rel=1e-4)
    for example in tfds.as_numpy(builder.as_dataset(split="test")):
        taps = transforms.from_unit_range(example["csi"], 1.0)
        expected = transforms.delay_to_frequency(taps, 257, 125)
        stored = example["csi_freq"] @ np.array([1, 1j])
        np.testing.assert_allclose(stored, expected, atol=1e-5)


def test_what_the_truncation_took_does_not_bend_the_scale():
    rng = np.random.default_rng(0)
    h = rng.normal(size=(200, 32, 257)) + 1j * rng.normal(size=(200, 32, 257))
    h *= np.exp(-np.arange(257) / 20)  # 4 % of the energy lies behind tap 32
    taps = 0.5 + 0.01 * np.stack([h.real, h.imag], -1)[:, :, :32]
    whole = np.fft.fft(h, norm="ortho")[..., :125]
    pairs = np.stack([whole.real, whole.imag], -1)
    scale = mat_files.frequency_scale(taps.astype(np.float32), 5 * pairs)
    assert scale == pytest.approx(0.01 / 5, rel=0.02)
    assert mat_files.frequency_scale(taps.astype(np.float32), -pairs) == 1
    others = rng.normal(size=(50, *pairs.shape[1:]))  # alike by chance alone
    for sign in (1, -1):
        scale = mat_files.frequency_scale(taps[:50].astype(np.float32), sign * others)
        assert scale == 1


def test_the_test_files_alone_are_a_data_set(tmp_path):
    folder = write_scenario(tmp_path / "m", "in", "v7")
    for name in ("DATA_Htrainin.mat", "DATA_Hvalin.mat"):
        (folder / name).unlink()
    builder = prepare(folder, tmp_path, "indoor_test")
    assert {k: s.num_examples for k, s in builder.info.splits.items()} == {"test": 4}
    assert dict(builder.info.metadata)["scenario"] == "indoor"
    assert set(builder.info.metadata["files_sha256"]) == set(builder.file_names)


def test_another_source_of_built_data_is_an_error(tmp_path):
    folder = write_scenario(tmp_path / "m", "in", "v7")
    prepare(folder, tmp_path)
    builder = Builder(config="indoor", data_dir=tmp_path)
    build.prepare(builder, manual_dir=str(folder))
    other = write_scenario(tmp_path / "other", "in", "v7", seed=9)
    with pytest.raises(ValueError, match="was made of DATA_Htrainin.mat with SHA-256"):
        build.prepare(builder, manual_dir=str(other))
    for absent in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(FileNotFoundError, match="has none of DATA_Htrainin.mat"):
            build.prepare(builder, manual_dir=str(absent))
    (other / "DATA_Htrainin.mat").unlink()
    for name in ("val", "test", "testF"):
        name = f"DATA_H{name}in{'_all' * (name == 'testF')}.mat"
        (other / name).write_bytes((folder / name).read_bytes())
    build.prepare(builder, manual_dir=str(other))  # those that are there are the same


def test_simulated_data_take_no_files(tmp_path):
    builder = build.find_builder("cost2100_sim/indoor_tiny", str(tmp_path))
    with pytest.raises(ValueError, match="cost2100_sim takes no files"):
        build.prepare(builder, manual_dir=str(tmp_path))
