"""Arrays of all formats and axes come out as the same channels."""

from __future__ import annotations

import io
import zipfile

import h5py
import numpy as np
import pytest
import scipy.io

from tests.support.own_channels import angular_delay, responses, write_matlab73
from tfds_builders import transforms
from tfds_builders.own import antenna_array, array_files, channels, sources
from tfds_builders.own.layout import Layout

H = responses(30, 8)  # [sample, antenna, subcarrier]
PAIRS = np.stack([H.real, H.imag], axis=-1)


def read(path, layout=Layout(), **options) -> np.ndarray:  # noqa: B008
    files = path if isinstance(path, list) else [path]
    found = channels.Channels(sources.Sources(files, layout), **options)
    return np.concatenate([block.h for block in found.samples()])


def save(folder, kind: str, h: np.ndarray):
    path = folder / f"h.{kind.partition(' ')[0]}"
    writers = {
        "npy": lambda: np.save(path, h),
        "npy fortran": lambda: np.save(path, np.asfortranarray(h)),
        "npz": lambda: np.savez(path, h=h, other=np.arange(5)),
        "npz compressed": lambda: np.savez_compressed(path, h=h),
        "npz fortran": lambda: np.savez(path, h=np.asfortranarray(h)),
        "mat v5": lambda: scipy.io.savemat(path, {"h": h, "x": 1}),
        "mat v7": lambda: scipy.io.savemat(path, {"h": h}, do_compression=True),
        "mat v7.3": lambda: write_matlab73(path, h=h),
        "mat struct": lambda: scipy.io.savemat(path, {"c": {"h": h, "name": "x"}}),
        "h5": lambda: h5py.File(path, "w").create_dataset("a/h", data=h).file.close(),
    }
    writers[kind]()
    return path


KINDS = ["npy", "npy fortran", "npz", "npz compressed", "npz fortran", "mat v5"]
KINDS += ["mat v7", "mat v7.3", "mat struct", "h5"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_format_gives_the_same(tmp_path, kind):
    h_a = read(save(tmp_path, kind, H))
    np.testing.assert_allclose(h_a[:, 0], angular_delay(H), atol=1e-4)
    energy = np.sum(np.abs(H.astype(complex)) ** 2, axis=(1, 2))
    np.testing.assert_allclose(np.sum(np.abs(h_a) ** 2, axis=(1, 2, 3)), energy)


def test_angle_and_delay_are_those_of_the_other_data_sets(tmp_path):
    """`transforms` has the subcarriers in front of the antennas."""
    expected = transforms.to_angular_delay(np.swapaxes(H, 1, 2).astype(complex))
    np.testing.assert_allclose(read(save(tmp_path, "npy", H))[:, 0], expected)


@pytest.mark.parametrize(
    ("array", "names"),
    [
        (H.transpose(2, 1, 0), "subcarrier,antenna,sample"),
        (PAIRS, ""),
        (PAIRS, "sample,antenna,subcarrier"),
        (np.moveaxis(PAIRS, -1, 1), ""),
        (PAIRS.transpose(2, 3, 0, 1), "subcarrier,reim,sample,antenna"),
        ((1000 * PAIRS).astype(np.int16), ""),
    ],
)
@pytest.mark.parametrize("kind", ["npy", "mat v7.3"])
def test_axes_in_any_order(tmp_path, array, names, kind):
    h_a = read(save(tmp_path, kind, array), Layout(axes=names))
    expected = angular_delay(H) * (1000 if array.dtype == np.int16 else 1)
    size = np.abs(expected).max()
    np.testing.assert_allclose(h_a[:, 0], expected, atol=1e-3 * size)


def test_receive_antennas_and_polarisations(tmp_path):
    h = responses(6, 24).reshape(6, 3, 8, -1)
    path = save(tmp_path, "npy", h)
    alone = angular_delay(h)
    names = "sample,{},antenna,subcarrier"
    samples = read(path, Layout(axes=names.format("rx")))
    np.testing.assert_allclose(samples[:, 0], alone.reshape(18, 8, -1), atol=1e-4)
    kept = read(path, Layout(axes=names.format("rx")), keep_rx=True)
    np.testing.assert_allclose(kept[:, 0], alone.reshape(6, 24, -1), atol=1e-4)
    blocks = read(path, Layout(axes=names.format("pol")))
    np.testing.assert_array_equal(blocks, kept)


def test_times_are_sequences_or_samples(tmp_path):
    h = responses(12, 8).reshape(4, 3, 8, -1)
    path = save(tmp_path, "npy", h)
    layout = Layout(axes="sample,time,antenna,subcarrier")
    np.testing.assert_allclose(read(path, layout), angular_delay(h), atol=1e-4)
    flat = read(path, layout, keep_time=False)
    expected = angular_delay(h).reshape(12, 1, 8, -1)
    np.testing.assert_allclose(flat, expected, atol=1e-4)


def test_planar_array_has_a_dft_for_each_dimension(tmp_path):
    """A plane wave of a beam of columns and one of rows is one entry of its block."""
    array = antenna_array.parse("upa:4x3x2")
    column, row = np.meshgrid(np.arange(4), np.arange(3), indexing="ij")
    wave = np.exp(2j * np.pi * (column * 1 / 4 + row * -1 / 3)).ravel()
    h = np.zeros((1, 24, 5), complex)
    h[0, 12:] = wave[:, None]
    h_a = read(save(tmp_path, "npy", h), Layout(array=array))[0, 0]
    place = 12 + (4 // 2 + 1) * 3 + (3 // 2 - 1)
    expected = np.zeros((24, 5))
    expected[place, 0] = np.sqrt(12 * 5)
    np.testing.assert_allclose(np.abs(h_a), expected, atol=1e-12)


def test_taps_and_angles_are_taken_as_they_are(tmp_path):
    h_a = angular_delay(H.astype(complex))
    path = save(tmp_path, "npy", h_a[:, :, :10])
    ready = read(path, Layout(domain="angle_delay"))
    np.testing.assert_array_equal(ready[:, 0], h_a[:, :, :10])
    padded = read(path, Layout(domain="angle_delay", subcarriers=64))
    np.testing.assert_array_equal(padded[:, 0, :, :10], h_a[:, :, :10])
    assert padded.shape[-1] == 64 and not padded[..., 10:].any()
    taps = np.fft.ifft(H, axis=-1, norm="ortho")
    found = read(save(tmp_path, "npz", taps), Layout(domain="taps", key="h"))
    np.testing.assert_allclose(found[:, 0], h_a, atol=1e-4)


def test_files_follow_one_another_block_by_block(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "MOST_ROWS", 7)
    paths = [tmp_path / "a.npy", tmp_path / "b.npy"]
    np.save(paths[0], H[:11])
    np.save(paths[1], H[11:])
    found = sources.Sources(paths, Layout())
    assert [len(block.h) for block in found.blocks(52)] == [7, 4, 7, 7, 5]
    units = np.concatenate([block.unit for block in found.blocks(52)])
    np.testing.assert_array_equal(units, np.arange(30))
    np.testing.assert_allclose(read(paths)[:, 0], angular_delay(H), atol=1e-4)
    assert [found.place(n) for n in (0, 10, 11)] == [
        "a.npy[0]",
        "a.npy[10]",
        "b.npy[0]",
    ]


def test_groups_of_an_axis_an_array_and_a_file(tmp_path):
    h = H.reshape(5, 6, 8, -1)
    np.save(tmp_path / "h.npy", h)
    found = sources.Sources(
        [tmp_path / "h.npy"], Layout(axes="group,sample,antenna,subcarrier")
    )
    (block,) = found.blocks(52)
    for group in range(5):
        np.testing.assert_array_equal(block.h[block.group == group, 0, 0, 0], h[group])
    users = np.repeat([40, 7, 3], 10)
    np.savez(tmp_path / "h.npz", h=H, user=users)
    twice = [tmp_path / "h.npz", tmp_path / "h.npz"]
    by_user = sources.Sources(twice, Layout(key="h", group="user"))
    groups = np.concatenate([block.group for block in by_user.blocks(52)])
    same = users[:, None] == users
    np.testing.assert_array_equal(groups[:30, None] == groups[30:], same)
    other = tmp_path / "o.npz"
    np.savez(other, h=H)
    by_file = sources.Sources([twice[0], other], Layout(key="h", group="file"))
    groups = [set(block.group) for block in by_file.blocks(52)]
    assert [len(x) for x in groups] == [1, 1] and groups[0] != groups[1]


@pytest.mark.parametrize(
    ("layout", "words"),
    [
        ({"axes": "sample,antena,subcarrier"}, "'antena' is no axis of --domain=freq"),
        ({"axes": "sample,antenna"}, "no 'subcarrier'"),
        ({"axes": "sample,rx,antenna,subcarrier"}, r"names 4 axes.*\(30, 8, 52\)"),
        ({"key": "x"}, r"--key=x is no array, it holds h \(30, 8, 52\)"),
        (
            {"array": antenna_array.parse("ula:16")},
            "= 16 antennas, the channels have 8",
        ),
        ({"subcarriers": 64}, "--subcarriers=64: the channels have 52 subcarriers"),
        (
            {"array": antenna_array.parse("upa:4x2"), "domain": "angle_delay"},
            "--array: the channels of --domain=angle_delay are in beams",
        ),
        ({"group": "user"}, "--group=user: .* has no such array, expected one of h"),
        ({"domain": "paths"}, "no paths; expected the arrays of Sionna: a, tau"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, layout, words):
    path = save(tmp_path, "npy", H)
    with pytest.raises(ValueError, match=words):
        read(path, Layout(**layout))


def test_wrong_files_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="no.npy: no such file"):
        read(tmp_path / "no.npy")
    (tmp_path / "h.csv").touch()
    with pytest.raises(ValueError, match="a .csv file, expected one of .npy, .npz"):
        read(tmp_path / "h.csv")
    for name in ("h.npy", "h.npz", "h.mat"):
        (tmp_path / name).write_bytes(b"nonsense")
        with pytest.raises(ValueError, match=f"{name}: damaged, or no "):
            read(tmp_path / name)
    np.save(tmp_path / "p.npy", np.array([{"a": 1}], object))
    with pytest.raises(ValueError, match="damaged, or no .npy file of plain arrays"):
        read(tmp_path / "p.npy")
    np.savez(tmp_path / "two.npz", a=H, b=H)
    with pytest.raises(ValueError, match=r"holds a \(30, 8, 52\), b .*--key"):
        read(tmp_path / "two.npz")
    np.save(tmp_path / "real.npy", np.ones((4, 8, 52)))
    with pytest.raises(ValueError, match="expected one axis of length 2"):
        read(tmp_path / "real.npy", Layout(axes="sample,antenna,subcarrier"))
    np.save(tmp_path / "small.npy", H[:, :4])
    np.save(tmp_path / "h.npy", H)
    with pytest.raises(ValueError, match="add files of one shape together"):
        read([tmp_path / "small.npy", tmp_path / "h.npy"])


@pytest.mark.parametrize("shape", [(0, 8, 52), (5, 0, 8), (5, 8, 0)])
def test_empty_arrays_are_refused(tmp_path, shape):
    with pytest.raises(ValueError, match=r"h.npy: an empty array of shape \("):
        read(save(tmp_path, "npy", np.zeros(shape, complex)))


@pytest.mark.parametrize("pairs", [True, False])
def test_infinite_parts_are_infinite_and_not_nan(tmp_path, pairs):
    """1j * inf is NaN + inf j."""
    parts = PAIRS.copy()
    parts[3, 0, 0, 1] = np.inf
    if not pairs:
        parts = parts.view([("r", "f4"), ("i", "f4")])[..., 0]
    files = sources.Sources([save(tmp_path, "npy", parts)], Layout())
    (found,) = channels.Channels(files).samples()
    assert np.flatnonzero(found.fault).tolist() == [3]
    assert channels.FAULTS[found.fault[3]] == "infinite"


def test_what_holds_no_numbers_is_refused(tmp_path):
    fields = np.zeros((4, 8, 52), [("x", "f4"), ("y", "f4")])
    for values in (np.full((4, 8, 52), "text"), fields):
        for kind in ("npy", "npz compressed"):
            with pytest.raises(ValueError, match="h.np. holds no array of numbers"):
                read(save(tmp_path, kind, values))


def test_what_refers_to_another_file_is_refused(tmp_path):
    (tmp_path / "secret").write_bytes(H.tobytes())
    outside = {"shape": H.shape, "dtype": H.dtype}
    with h5py.File(tmp_path / "external.h5", "w") as file:
        where = [(str(tmp_path / "secret"), 0, H.nbytes)]
        file.create_dataset("h", external=where, **outside)
    save(tmp_path, "h5", H)
    virtual = h5py.VirtualLayout(**outside)
    virtual[:] = h5py.VirtualSource(str(tmp_path / "h.h5"), "a/h", H.shape)
    with h5py.File(tmp_path / "virtual.h5", "w") as file:
        file.create_virtual_dataset("h", virtual)
    for name in ("external.h5", "virtual.h5"):
        with pytest.raises(ValueError, match=f"{name}: .*h is kept in other files"):
            read(tmp_path / name)


def test_members_of_npz_end_where_they_end(tmp_path):
    """A header that announces more than is there would show what is behind it."""
    for compressed in (False, True):
        path = tmp_path / "h.npz"
        with zipfile.ZipFile(path, "w", 8 * compressed) as archive:
            for name in ("a.npy", "b.npy"):
                content = io.BytesIO()
                np.save(content, H)
                archive.writestr(name, content.getvalue()[: -H.nbytes // 2])
        with pytest.raises(ValueError, match="h.npz: damaged.*announces"):
            read(path, Layout(key="a"))


def test_only_the_member_that_is_read_is_unpacked(tmp_path, monkeypatch):
    np.savez_compressed(tmp_path / "h.npz", h=H, bomb=np.zeros(10**6))
    free = H.nbytes + 1000
    usage = lambda _: type("Usage", (), {"free": free})  # noqa: E731
    monkeypatch.setattr(array_files.shutil, "disk_usage", usage)
    assert read(tmp_path / "h.npz").shape[0] == 30
    free = H.nbytes - 1000
    with pytest.raises(OSError, match="h.npz: h.npy takes .* GB unpacked in .*TMPDIR"):
        read(tmp_path / "h.npz")
    content = bytearray((tmp_path / "h.npz").read_bytes())
    content[H.nbytes // 2] ^= 255
    (tmp_path / "h.npz").write_bytes(content)
    free = 10**9
    with pytest.raises(ValueError, match="h.npz: h.npy is damaged"):
        read(tmp_path / "h.npz")


@pytest.mark.parametrize("text", ["ula:8x4", "upa:8", "8", "ula:0", "upa:8x4x3"])
def test_wrong_arrays_are_refused(text):
    with pytest.raises(ValueError, match=f"--array={text}: expected ula:ANTENNAS"):
        antenna_array.parse(text)
