"""From files to own/NAME: examples, splits, leakage, bad samples, and what is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow_datasets as tfds

from tests.conftest import ROOT, assert_one_line_error, run_command
from tests.support.own_channels import (
    BANDWIDTH_HZ,
    SUBCARRIERS,
    angular_delay,
    frequencies,
    responses,
    tracks,
    write_sionna,
)
from tfds_builders import build, csi_examples, transforms
from tfds_builders.blocks import SPLITS
from tfds_builders.own import adding, dataset, delay_window, leakage, partition
from tfds_builders.own.adding import Options
from tfds_builders.own.layout import Layout


def add(folder, array, layout=Layout(), name="mine", **options) -> Path:  # noqa: B008
    path = folder / "h.npy"
    np.save(path, array)
    values = {"delays": 16, **options}
    return adding.add([path], name, layout, Options(**values), str(folder / "tfds"))


def read(folder, split, name="mine") -> dict[str, np.ndarray]:
    builder = build.find_builder(f"own/{name}", str(folder / "tfds"))
    examples = list(tfds.as_numpy(builder.as_dataset(split=split)))
    return {key: np.stack([x[key] for x in examples]) for key in examples[0]}


def metadata(folder, name="mine") -> dict:
    return build.find_builder(f"own/{name}", str(folder / "tfds")).info.metadata


def match(samples: np.ndarray, h_a: np.ndarray) -> list[int]:
    """Which rows of `h_a` the samples are, up to the precision of stored examples."""
    flat = h_a.reshape(len(h_a), -1)
    likeness = np.abs(samples.reshape(len(samples), -1).conj() @ flat.T)
    likeness /= np.linalg.norm(samples.reshape(len(samples), -1), axis=1)[:, None]
    likeness /= np.linalg.norm(flat, axis=1)
    assert likeness.max(axis=1).min() > 1 - 1e-6
    return likeness.argmax(axis=1).tolist()


def test_examples_are_the_channels(tmp_path, capsys):
    h = responses(200, 8)
    add(tmp_path, h)
    h_a = angular_delay(h)
    last = metadata(tmp_path)["last_taps"]
    window = np.r_[0 : 16 - last, SUBCARRIERS - last : SUBCARRIERS]
    found = []
    for split, count in zip(SPLITS, (160, 20, 20), strict=True):
        stored = read(tmp_path, split)
        assert stored["csi"].shape == (count, 8, 16, 2)
        assert stored["csi"].min() >= 0 and stored["csi"].max() <= 1
        samples = csi_examples.channels(stored["csi"], stored["scale"])
        rows = match(samples, h_a[..., window])
        assert rows == sorted(rows)  # in the order of the file
        error = np.abs(samples - h_a[rows][..., window])
        assert (error * stored["scale"][:, None, None]).max() < 1e-6
        found += rows
    assert sorted(found) == list(range(200))
    energy = np.abs(h_a) ** 2
    kept = energy[..., window].sum(axis=(1, 2)) / energy.sum(axis=(1, 2))
    said = metadata(tmp_path)["kept_energy"]
    assert said == pytest.approx(kept.mean(), abs=1e-6)
    assert f"{16 - last} first and {last} last of 52 delay taps" in (
        output := capsys.readouterr().out
    )
    assert f"hold {said:.2%} of the energy" in output


def test_subcarriers_of_the_test_split_are_all_and_before_truncation(tmp_path):
    h = responses(60, 8)
    add(tmp_path, h, delays=4)
    stored = read(tmp_path, "test")
    beams = np.fft.fft(angular_delay(h), axis=-1, norm="ortho")
    assert stored["csi_freq"].shape == (6, 8, SUBCARRIERS, 2)
    found = csi_examples.channels(stored["csi_freq"] + 0.5, stored["scale"])
    rows = match(found, beams)
    np.testing.assert_allclose(found, beams[rows], atol=1e-4)
    assert read(tmp_path, "train")["csi_freq"].shape == (48, 0, SUBCARRIERS, 2)


def test_paths_of_a_simulator_come_out_as_taps(tmp_path):
    """Sionna's gains and delays -> closed form of the stored taps, to 1e-6."""
    a, tau = write_sionna(tmp_path / "cir.npz", 20, antennas=8)
    grid = Layout("paths", subcarriers=SUBCARRIERS, bandwidth_hz=BANDWIDTH_HZ)
    files = [tmp_path / "cir.npz"]
    adding.add(files, "cir", grid, Options(delays=0), str(tmp_path / "tfds"))
    turns = tau[:, :, 0, :, None] * frequencies()
    h = np.einsum(
        "brnp,brpk->brnk", a[:, :, 0, 0, :, :, 0], np.exp(-2j * np.pi * turns)
    )
    h_a = angular_delay(h.reshape(40, 8, SUBCARRIERS))
    for split in SPLITS:
        stored = read(tmp_path, split, "cir")
        samples = csi_examples.channels(stored["csi"], stored["scale"])
        rows = match(samples, h_a)
        error = np.abs(samples - h_a[rows]) * stored["scale"][:, None, None]
        assert error.max() < 1e-6
        assert {row ^ 1 for row in rows} == set(rows)  # both receivers of a batch


def test_delays_before_zero_are_last_taps():
    profile = np.array([5, 3, 2, 0.1, 0, 0, 0.2, 4])
    assert delay_window.find(profile, 4) == (3, 1)
    assert delay_window.find(profile, 5) == (3, 2)
    assert delay_window.find(profile, 0) == (8, 0)
    assert delay_window.find(profile / profile.sum(), 0.97) == (3, 1)
    assert delay_window.find(np.array([1.0, 0, 0, 0]), 2) == (2, 0)


@pytest.mark.parametrize("text", ["0", "-3", "energy:1", "energy:x", "x", "32:1"])
def test_wrong_windows_are_refused(text):
    with pytest.raises(ValueError, match=f"--delays={text}: expected a number"):
        delay_window.parse(text)


@pytest.mark.parametrize("count", [3, 4, 10, 1000])
def test_groups_are_on_one_side_and_shares_are_kept(count):
    groups = np.random.default_rng(0).integers(0, count, 5000)
    groups[:3] = 0, 1, 2
    parts = partition.split(groups, (0.8, 0.1, 0.1), seed=1)
    for group in np.unique(groups):
        assert len(set(parts[groups == group])) == 1
    shares = np.bincount(parts) / 5000
    assert (shares > 0).all()
    if count > 100:
        np.testing.assert_allclose(shares, (0.8, 0.1, 0.1), atol=0.01)
    with pytest.raises(ValueError, match="5 samples in 2 groups: training, val"):
        partition.split(np.array([0, 0, 1, 1, 1]), (0.8, 0.1, 0.1), seed=1)


def test_large_groups_are_for_training():
    groups = np.repeat([0, 1, 2], [1000, 1, 1])
    for seed in range(6):
        parts = partition.split(groups, (0.8, 0.1, 0.1), seed)
        assert np.bincount(parts).tolist() == [1000, 1, 1]
    sizes = np.r_[300, 200, np.full(500, 1)]
    parts = partition.split(np.repeat(np.arange(502), sizes), (0.8, 0.1, 0.1), 0)
    assert np.bincount(parts).tolist() == [800, 100, 100]
    assert not partition.missed(parts, (0.8, 0.1, 0.1))


def test_missed_shares_are_said(tmp_path, capsys):
    thirds = Layout(axes="group,sample,antenna,subcarrier")
    add(tmp_path, responses(60, 4).reshape(3, 20, 4, -1), thirds)
    said = "warning: train has 33.3% of the samples, expected 80.0%, validation has"
    assert said in capsys.readouterr().out


@pytest.mark.parametrize("values", [["1"], ["0.5", "0.5", "0"], ["a", "b", "c"]])
def test_wrong_shares_are_refused(values):
    with pytest.raises(ValueError, match="--split=.*: expected shares of train"):
        partition.parse(values)


def test_leakage_tells_tracks_from_samples(tmp_path, capsys):
    """The same tracks, kept together and mixed: the figure, and the warning."""
    h = tracks(20, 30, 8)
    by_track = Layout(axes="group,sample,antenna,subcarrier")
    add(tmp_path, h, by_track, name="by_track")
    assert "warning" not in capsys.readouterr().out
    add(tmp_path, h.reshape(600, 8, -1), name="mixed")
    warning = "near copies of training samples; --group keeps a track"
    assert warning in capsys.readouterr().out
    near = {
        name: leakage.Leakage(**metadata(tmp_path, name)["leakage"])
        for name in ("by_track", "mixed")
    }
    assert near["mixed"].suspicious and not near["by_track"].suspicious
    assert near["mixed"].test_db < -15 < near["by_track"].test_db - 5
    assert abs(near["mixed"].test_db - near["mixed"].train_db) < 3
    assert metadata(tmp_path, "by_track")["num_groups"] == 20


def test_leakage_against_all_distances():
    rng = np.random.default_rng(0)
    train = rng.standard_normal((50, 6)) + 1j * rng.standard_normal((50, 6))
    test = np.concatenate([1j * train[3:5], rng.standard_normal((5, 6))])
    places = np.array([0, 7, 30])
    found = leakage.measure(iter([train[:20], train[20:]]), test, train[places], places)

    def distance(a, b) -> float:
        size = np.linalg.norm(a) * np.linalg.norm(b)
        return 10 * np.log10(max(1 - (np.abs(np.vdot(a, b)) / size) ** 2, 1e-7))

    def nearest(a, others):
        return min(distance(a, b) for b in others)

    of_test = np.median([nearest(a, train) for a in test])
    of_train = np.median([nearest(train[i], np.delete(train, i, 0)) for i in places])
    assert found == pytest.approx((of_test, of_train), abs=1e-6)
    assert nearest(test[0], train) == -70  # turned in phase it is the same channel


def test_bad_samples_are_named_and_dropped(tmp_path, capsys):
    h = responses(50, 4)
    h[7], h[11, 0, 0], h[13, 0, 0], h[17] = 0, np.nan, np.inf, 2 - 1j
    words = (
        r"bad samples, 4 of 50 samples: 1 all zero \(first h.npy\[7\]\), 1 with NaN "
        r"\(first h.npy\[11\]\), 1 infinite \(first h.npy\[13\]\), 1 constant \(first "
        r"h.npy\[17\]\); --drop_bad"
    )
    with pytest.raises(ValueError, match=words):
        add(tmp_path, h)
    assert not (tmp_path / "tfds" / "own" / "mine" / "1.0.0").exists()
    add(tmp_path, h, drop_bad=True)
    assert "left out 4 of 50 samples" in capsys.readouterr().out
    kinds = {"all zero": 1, "with NaN": 1, "infinite": 1, "constant": 1}
    assert metadata(tmp_path)["dropped"] == kinds
    assert sum(len(read(tmp_path, split)["csi"]) for split in SPLITS) == 46
    with pytest.raises(ValueError, match="no good sample, 50 of 50 samples: 50 all"):
        add(tmp_path, 0 * responses(50, 4), drop_bad=True, name="none")


@pytest.mark.parametrize("domain", ["taps", "frequency"])
def test_samples_outside_the_window_are_named_and_dropped(tmp_path, domain):
    """Nothing but rounding noise would be left of them."""
    taps = np.zeros((40, 4, 64), complex)
    taps[..., :8] = responses(40, 4)[..., :8]
    taps[5] = 0
    taps[5, :, 36] = 1, 2, 3, 4j
    h = taps if domain == "taps" else np.fft.fft(taps, axis=-1)
    h = h.astype(np.complex64)
    words = r"1 of 40 samples: 1 outside the kept taps \(first h.npy\[5\]\); --drop"
    with pytest.raises(ValueError, match=words):
        add(tmp_path, h, Layout(domain), delays=32)
    add(tmp_path, h, Layout(domain), delays=32, drop_bad=True)
    found = metadata(tmp_path)
    assert found["dropped"] == {"outside the kept taps": 1}
    assert found["num_groups"] == 39 and found["kept_energy"] == pytest.approx(1)
    good = np.fft.fft(np.delete(taps, 5, 0), axis=1, norm="ortho")
    good = np.fft.fftshift(good, axes=1)[..., :32]
    count = 0
    for split in SPLITS:
        stored = read(tmp_path, split)
        match(csi_examples.channels(stored["csi"], stored["scale"]), good)
        count += len(stored["csi"])
    assert count == 39


@pytest.mark.parametrize("size", [1e-12, 1e12, "mixed"])
@pytest.mark.parametrize("kind", [np.complex64, np.complex128])
def test_channels_of_any_size(tmp_path, size, kind):
    h = responses(40, 4).astype(kind)
    sizes = 10 ** np.linspace(-12, 12, 40) if size == "mixed" else np.full(40, size)
    h = (h * sizes[:, None, None]).astype(kind)
    add(tmp_path, h, delays=0)
    h_a = angular_delay(h.astype(complex))
    stored = read(tmp_path, "train")
    assert np.isfinite(stored["csi"]).all() and np.ptp(stored["csi"]) > 0.1
    samples = csi_examples.channels(stored["csi"], stored["scale"])
    rows = match(samples, h_a)
    norm = np.linalg.norm(h_a[rows], axis=(1, 2), keepdims=True)
    assert (np.abs(samples - h_a[rows]) / norm).max() < 1e-6
    expected = 0.5 / np.abs(h_a[rows].view(float)).max()
    assert metadata(tmp_path)["global_scale"] == pytest.approx(expected, rel=1e-5)
    assert metadata(tmp_path)["normalisation"] == csi_examples.PER_SAMPLE


def test_sequences_have_one_scale(tmp_path):
    h = tracks(20, 5, 4)
    layout = Layout(axes="sample,time,antenna,subcarrier")
    add(tmp_path, h, layout)
    stored = read(tmp_path, "train")
    assert stored["csi"].shape == (16, 5, 4, 16, 2) and "csi_freq" not in stored
    samples = csi_examples.channels(stored["csi"], stored["scale"])
    every = transforms.per_sample_scale(samples)
    np.testing.assert_allclose(stored["scale"], every.min(axis=1), rtol=1e-5)
    assert metadata(tmp_path)["normalisation"] == csi_examples.PER_SEQUENCE


def test_what_it_is_from_is_on_record(tmp_path):
    from tfds_builders import provenance

    add(tmp_path, responses(30, 4))
    found = metadata(tmp_path)
    sha256 = provenance.sha256(tmp_path / "h.npy")
    assert found["files_sha256"] == {"h.npy": sha256}
    assert found["package_version"] == provenance.version()
    assert found["array"] == [4, 1, 1] and found["num_subcarriers"] == SUBCARRIERS
    builder = build.find_builder("own/mine", str(tmp_path / "tfds"))
    assert builder.info.full_name == "own/mine/1.0.0"
    build.prepare(builder)  # nothing to do
    assert tfds.builder("own/mine", data_dir=tmp_path / "tfds").info.splits


def test_names_that_are_taken_missing_or_wrong(tmp_path):
    add(tmp_path, responses(30, 4))
    with pytest.raises(ValueError, match="own/mine exists in .*--overwrite it"):
        add(tmp_path, responses(30, 4))
    add(tmp_path, responses(30, 8), overwrite=True)
    assert read(tmp_path, "test")["csi"].shape == (3, 8, 16, 2)
    assert dataset.names(str(tmp_path / "tfds")) == ["mine"]
    words = "no data set own/yours in .*, there: own/mine; make it with python -m"
    with pytest.raises(ValueError, match=words):
        build.find_builder("own/yours", str(tmp_path / "tfds"))
    with pytest.raises(ValueError, match="there: none"):
        build.find_builder("own/mine", str(tmp_path / "other"))
    (tmp_path / "tfds/own/mine").rename(tmp_path / "tfds/own/renamed")
    with pytest.raises(ValueError, match="holds own/mine, expected own/renamed"):
        build.find_builder("own/renamed", str(tmp_path / "tfds"))
    with pytest.raises(ValueError, match="--name=a/b: expected letters"):
        add(tmp_path, responses(30, 4), name="a/b")
    with pytest.raises(ValueError, match="--delays=53: the channels have 52"):
        add(tmp_path, responses(30, 4), delays=53)


KILLED = """
import os, signal, sys
from pathlib import Path
from tfds_builders.own import adding, dataset
from tfds_builders.own.layout import Layout
def killed(*_):
    os.kill(os.getpid(), signal.SIGKILL)
dataset._leakage = killed
options = adding.Options(delays=16, overwrite=True)
adding.add([Path(sys.argv[1])], "mine", Layout(), options, sys.argv[2])
"""


def test_a_killed_command_leaves_the_old_one_or_nothing(tmp_path):
    path = tmp_path / "h.npy"
    np.save(path, responses(30, 8))
    command = [sys.executable, "-c", KILLED, str(path), str(tmp_path / "tfds")]
    assert subprocess.run(command, cwd=ROOT).returncode == -signal.SIGKILL
    assert dataset.names(str(tmp_path / "tfds")) == []
    add(tmp_path, responses(30, 4))
    np.save(path, responses(30, 8))
    assert subprocess.run(command, cwd=ROOT).returncode == -signal.SIGKILL
    assert read(tmp_path, "test")["csi"].shape == (3, 4, 16, 2)
    add(tmp_path, responses(30, 8), overwrite=True)
    assert read(tmp_path, "test")["csi"].shape == (3, 8, 16, 2)
    assert os.listdir(tmp_path / "tfds/own/mine") == ["1.0.0"]


def test_a_kill_while_the_old_one_is_replaced(tmp_path, monkeypatch):
    """No moment at which neither is whole; what was moved aside comes back."""
    target = add(tmp_path, responses(30, 4))

    def killed(*_):
        raise SystemExit

    def rename(path, to):
        if path.name == "data":  # the new one
            assert not target.exists()
            monkeypatch.setattr(adding.shutil, "rmtree", killed)
            monkeypatch.setattr(adding, "_put_back", killed)
            raise SystemExit
        os.rename(path, to)

    with monkeypatch.context() as patched:
        patched.setattr(adding.durable, "replace", rename)
        with pytest.raises(SystemExit):
            add(tmp_path, responses(30, 8), overwrite=True)
    monkeypatch.undo()
    with pytest.raises(ValueError, match="own/mine exists"):
        add(tmp_path, responses(30, 8))
    assert read(tmp_path, "test")["csi"].shape == (3, 4, 16, 2)
    assert os.listdir(target.parent) == ["1.0.0"]
    add(tmp_path, responses(30, 8), overwrite=True)
    assert read(tmp_path, "test")["csi"].shape == (3, 8, 16, 2)
    assert os.listdir(target.parent) == ["1.0.0"]


def test_of_two_commands_at_once_the_second_is_refused(tmp_path, monkeypatch):
    first = dataset.check_disk

    def other_is_faster(plan, target):
        monkeypatch.setattr(dataset, "check_disk", first)
        add(tmp_path, responses(30, 8))

    monkeypatch.setattr(dataset, "check_disk", other_is_faster)
    with pytest.raises(ValueError, match="own/mine exists"):
        add(tmp_path, responses(30, 4))
    assert read(tmp_path, "test")["csi"].shape == (3, 8, 16, 2)
    assert os.listdir(tmp_path / "tfds/own/mine") == ["1.0.0"]


def test_too_little_disk_is_said_before_anything_is_written(tmp_path, monkeypatch):
    usage = lambda _: type("Usage", (), {"free": 1000})  # noqa: E731
    monkeypatch.setattr(dataset.shutil, "disk_usage", usage)
    with pytest.raises(OSError, match="GB are free: make room or give another"):
        add(tmp_path, responses(30, 4))
    assert not (tmp_path / "tfds").exists()


def test_the_command(tmp_path):
    np.savez(tmp_path / "h.npz", h=responses(40, 8), user=np.arange(40) // 4)
    flags = [f"--source={tmp_path / 'h.npz'}", f"--data_dir={tmp_path / 'tfds'}"]
    more = ["--key=h", "--group=user", "--array=upa:4x2", "--delays=energy:0.9"]
    more += ["--bandwidth_hz=20e6"]
    done = run_command("tfds_builders.add", *flags, "--name=mine", *more)
    assert done.returncode == 0, done.stderr
    assert (
        "--dataset=own/mine is in" in done.stdout and "leakage: nearest" in done.stdout
    )
    found = metadata(tmp_path)
    assert found["array"] == [4, 2, 1] and found["num_groups"] == 10
    assert found["options"]["delays"] == "energy:0.9" and found["bandwidth_hz"] == 2e7
    assert json.dumps(found["options"])
    failed = run_command("tfds_builders.add", *flags, "--name=mine")
    assert_one_line_error(failed, "own/mine exists")


@pytest.mark.slow
def test_other_commands(tmp_path):
    add(tmp_path, responses(40, 8))
    data = f"--data_dir={tmp_path / 'tfds'}"
    failed = run_command("tfds_builders.add", "--source=h.npy", data)
    usage = "--name is missing; usage: python -m tfds_builders.add"
    assert_one_line_error(failed, usage)
    page = ["own/mine", data, f"--out={tmp_path / 'page.html'}"]
    done = run_command("tfds_builders.inspect", *page)
    assert done.returncode == 0, done.stderr
    streamed = ["--dataset=own/mine:stream", data, f"--run_dir={tmp_path / 'r'}"]
    failed = run_command("zoo.train", *streamed)
    assert_one_line_error(failed, "'own' has no simulator to stream from")
    done = run_command("tfds_builders.build", "own/mine", data)
    assert "own/mine: 32 train, 4 validation, 4 test" in done.stdout
