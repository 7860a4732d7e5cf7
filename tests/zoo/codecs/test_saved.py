"""Codecs from their files: the same bytes both ways, damage named."""

import dataclasses
import hashlib
import json

import numpy as np
import pytest

from serving.codec import atom_file, tables_file
from serving.codec.angle_delay_grid import AngleDelayGrid
from serving.codec.tables_file import CodecTables
from tests.zoo.codecs.paths import N_C, channels
from tfds_builders.untrusted import sizes
from zoo.codecs import klt_mixture, learned_context, pursuit, saved, transform_codec
from zoo.codecs.transforms import Dft, Karhunen

TRAIN = channels(300, array=(8,), num_delay=8, seed=1)
TEST = channels(40, array=(8,), num_delay=8, seed=2)
GRID = AngleDelayGrid("ula:8", N_C, 8, oversampling=4)
FITS = {
    "pursuit": lambda: pursuit.fit(GRID, TRAIN, 120, most=10),
    "pursuit_learned": lambda: learned_context.learned(
        pursuit.fit(GRID, TRAIN, 120, most=10), TRAIN, 120, seed=0
    ),
    "dft": lambda: transform_codec.fit(Dft.fit(TRAIN), TRAIN, 120),
    "klt_coded": lambda: transform_codec.fit(Karhunen.fit(TRAIN), TRAIN, 120),
    "klt_mixture": lambda: klt_mixture.fit(TRAIN, 120, num_kinds=3),
}


@pytest.fixture(scope="module", params=list(FITS))
def codec(request):
    return FITS[request.param]()


@pytest.fixture(scope="module")
def path(codec, tmp_path_factory):
    path = tmp_path_factory.mktemp("codec") / "codec.npz"
    saved.save(codec, path)
    return path


def test_a_codec_comes_back(codec, path):
    loaded = saved.load(path)
    reports = codec.encode(TEST)
    assert loaded.encode(TEST) == reports
    np.testing.assert_array_equal(loaded.decode(reports), codec.decode(reports))


def test_a_file_is_the_same_each_time(codec, path, tmp_path):
    saved.save(saved.load(path), tmp_path / "again.npz")
    assert (tmp_path / "again.npz").read_bytes() == path.read_bytes()


def test_damage_anywhere_is_an_error(codec, path, tmp_path):
    """Flipped bits, missing ends: an error with the name of the file, or no harm."""
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    reports, damaged, refused = codec.encode(TEST), tmp_path / "damaged.npz", 0
    for trial in range(60):
        content = bytearray(whole)
        if trial % 3:
            content[rng.integers(len(content))] ^= 1 << rng.integers(8)
        else:
            content = content[: rng.integers(len(content))]
        damaged.write_bytes(bytes(content))
        try:
            loaded = saved.load(damaged)
        except ValueError as error:
            assert str(damaged) in str(error)
            refused += 1
        else:  # a bit that no reader looks at, such as a date of the archive
            assert loaded.encode(TEST) == reports
    assert refused > 40


def test_every_bit_of_the_table_of_contents_can_flip(tmp_path):
    """Flags of an archive, too: 'encrypted', unknown ways to compress, far offsets."""
    path = _written(tmp_path / "x.npz", arrays={"a": np.arange(4)})
    whole = path.read_bytes()
    first, refused = whole.index(b"PK\1\2"), 0
    for bit in range(8 * first, 8 * len(whole)):
        content = bytearray(whole)
        content[bit // 8] ^= 1 << bit % 8
        path.write_bytes(bytes(content))
        try:
            tables_file.read(path)
        except ValueError as error:
            assert str(path) in str(error)
            refused += 1
    assert refused > 100


def test_a_wrong_checksum_is_an_error(codec, path, tmp_path):
    """Arrays changed by someone who can write archives, but not the description."""
    with np.load(path) as content:
        arrays = dict(content)
    name = next(x for x in arrays if x not in ("about", "sha256"))
    arrays[name] = arrays[name][::-1].copy()
    np.savez_compressed(tmp_path / "other.npz", **arrays)
    with pytest.raises(ValueError, match="checksum of an array"):
        saved.load(tmp_path / "other.npz")


def test_the_receiver_of_a_pursuit_needs_no_zoo(tmp_path):
    codec = FITS["pursuit"]()
    saved.save(codec, tmp_path / "codec.npz")
    receiver = atom_file.read(tmp_path / "codec.npz")
    reports = codec.encode(TEST)
    np.testing.assert_array_equal(receiver.decode(reports), codec.decode(reports))


def _written(path, kind="pursuit", facts=None, arrays=None):
    path.write_bytes(tables_file.pack(CodecTables(kind, facts or {}, arrays or {})))
    return path


def test_files_of_another_kind_are_refused(tmp_path):
    path = _written(tmp_path / "x.npz", kind="wavelet")
    with pytest.raises(ValueError, match="kind 'wavelet', expected pursuit, dft"):
        saved.load(path)
    with pytest.raises(ValueError, match="tables of 'wavelet', expected 'pursuit'"):
        atom_file.read(path)
    with pytest.raises(FileNotFoundError, match="no such file"):
        saved.load(tmp_path / "none.npz")


@pytest.mark.parametrize("kind", list(saved.MAKERS))
@pytest.mark.parametrize("facts", [{}, {"kinds": 3}, {"shape": "8x8"}, {"most": "7"}])
def test_well_formed_nonsense_is_refused(tmp_path, kind, facts):
    path = _written(tmp_path / "x.npz", kind, facts, {"size": np.zeros((2, 2))})
    with pytest.raises(ValueError, match="x.npz: damaged tables"):
        saved.load(path)


@pytest.mark.parametrize(
    ("grid", "most", "message"),
    [
        ({"array": "ula:100000000"}, 8, "a grid of"),
        ({"array": "ula:16"}, 8, "they belong to another codec"),
        ({}, 10**9, "expected 1 to 1024 atoms"),
    ],
)
def test_a_file_cannot_ask_for_much_memory(tmp_path, grid, most, message):
    codec = FITS["pursuit"]()
    facts = {"grid": dataclasses.asdict(GRID) | grid, "most": most}
    arrays = atom_file.tables_of(codec).arrays
    path = _written(tmp_path / "x.npz", facts=facts, arrays=arrays)
    with pytest.raises(ValueError, match=message):
        saved.load(path)


def test_a_small_file_of_many_zeros_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(sizes, "LARGEST", 1 << 20)
    path = _written(tmp_path / "x.npz", arrays={"a": np.zeros(1 << 20)})
    assert path.stat().st_size < 1 << 14
    with pytest.raises(ValueError, match="unfold to"):
        tables_file.read(path)


@pytest.mark.parametrize(
    ("kind", "change", "message"),
    [
        ("klt_coded", {"count": 3_000_000}, "expected 2 to"),
        ("klt_coded", {"shape": [9, 4]}, "expected 64 entries"),
        ("dft", {"count": "4"}, "expected 2 to"),
        ("klt_mixture", {"kinds": []}, "labels of 0 kinds"),
    ],
)
def test_facts_that_do_not_fit_the_tables_are_refused(tmp_path, kind, change, message):
    path = tmp_path / "x.npz"
    saved.save(FITS[kind](), path)
    tables = tables_file.read(path)
    _written(path, kind, {**tables.facts, **change}, tables.arrays)
    with pytest.raises(ValueError, match=message):
        saved.load(path)


def test_a_kind_that_is_no_text_is_refused(tmp_path):
    path = _written(tmp_path / "x.npz", kind=["pursuit"])
    with pytest.raises(ValueError, match="expected a text"):
        saved.load(path)


def test_another_file_than_was_asked_for_is_refused_unread(tmp_path):
    (tmp_path / "x.npz").write_bytes(b"of somebody else")
    with pytest.raises(ValueError, match="its sha256 is .* expected 00"):
        atom_file.read(tmp_path / "x.npz", "00")


def test_pickled_objects_are_refused(tmp_path):
    np.savez(tmp_path / "x.npz", about=np.array([{}], object))
    with pytest.raises(ValueError, match="not tables of a codec"):
        tables_file.read(tmp_path / "x.npz")


def test_other_formats_are_refused(tmp_path):
    path = _written(tmp_path / "x.npz")
    about = json.dumps({"format": 9}).encode()
    arrays = {
        "about": np.frombuffer(about, np.uint8),
        "sha256": np.frombuffer(hashlib.sha256(about).digest(), np.uint8),
    }
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match="format 9, expected 1"):
        tables_file.read(path)
