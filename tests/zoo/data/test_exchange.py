"""Files between two sides: what they hold, and that hostile ones are one line."""

from __future__ import annotations

import io
import json
import math
import tracemalloc
import zipfile

import numpy as np
import pytest

from tests.support import exchange_files
from tests.support.mutations import ONE_LINE, mutations
from tfds_builders.untrusted import sizes
from zoo.config import ExperimentConfig
from zoo.data import exchange

SETTINGS = exchange_files.header()["settings"]


def save(path, **changes):
    """A file, arrays of it changed; None takes one away."""
    csi, indices = exchange_files.data()
    exchange.write(path, exchange_files.header(), exchange_files.points(), csi, indices)
    arrays = dict(np.load(path)) | changes
    np.savez(path, **{k: v for k, v in arrays.items() if v is not None})
    return path


def config(path, **changes) -> ExperimentConfig:
    values = {"exchange": str(path), "collaboration": "nw_first"} | changes
    return ExperimentConfig(**values)


def as_array(document) -> np.ndarray:
    return np.frombuffer(json.dumps(document).encode(), np.uint8)


def test_codewords_are_the_points_of_the_bits_on_the_air(tmp_path):
    csi, indices = exchange_files.data()
    path = save(tmp_path / "x.npz")
    found = exchange.read(str(path))
    assert found.header == exchange_files.header()
    payload = np.load(path)["train_payload"]
    assert payload.shape == (8, 3)  # 6 entries of 3 bits: 18 bits
    bits = np.unpackbits(payload, axis=1)[:, :18].reshape(8, 6, 3)
    again = bits @ [4, 2, 1]
    np.testing.assert_array_equal(again, indices["train"])
    codeword = (again + 0.5) / 4 - 1
    np.testing.assert_allclose(found.codeword["train"], codeword, atol=1e-7)
    np.testing.assert_array_equal(found.csi["validation"], csi["validation"])


def test_flags_follow_from_the_file(tmp_path):
    path = save(tmp_path / "x.npz")
    filled = exchange.filled(config(path))
    assert {k: getattr(filled, k) for k in SETTINGS} == SETTINGS
    assert exchange.filled(filled) == filled  # as a run that is taken up again
    assert exchange.filled(ExperimentConfig()) == ExperimentConfig()
    with pytest.raises(ValueError, match="--codeword_dim=32: expected 6, as .*leave"):
        exchange.filled(config(path, codeword_dim=32))


@pytest.mark.parametrize(
    ("place", "key"),
    [
        ("settings", "weights"),
        ("settings", "model"),
        ("settings", "no_flag"),
        ("performance", "x"),
        ("normalisation", "x"),
        ("by", "x"),
        ("", "x"),
    ],
)
def test_a_file_says_no_more_than_it_may(tmp_path, place, key):
    """No other flag of a training is set by who hands over."""
    header = exchange_files.header()
    target = header[place] if place else header
    target[key] = "https://example.com/evil.py:SPEC"
    path = save(tmp_path / "x.npz", header=as_array(header))
    with pytest.raises(
        ValueError, match=rf"x\.npz: header: .* without .*{key}"
    ) as caught:
        exchange.filled(config(path))
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("keys", "value", "said"),
    [
        (("performance", "value"), math.nan, "performance.value is not finite"),
        (("performance", "value"), -math.inf, "performance.value is not finite"),
        (("normalisation", "constant"), math.nan, "constant is not finite"),
        (("performance", "test_data"), "a\nb", "test_data"),
        (("normalisation", "says"), "\x1b[2J", "says"),
        (("by", "commit"), "x" * 5000, "commit"),
    ],
)
def test_numbers_and_texts_of_a_header(tmp_path, keys, value, said):
    header = exchange_files.header()
    header[keys[0]][keys[1]] = value
    path = save(tmp_path / "x.npz", header=as_array(header))
    with pytest.raises(ValueError, match=rf"x\.npz: header: .*{said}") as caught:
        exchange.read(str(path))
    assert len(str(caught.value).splitlines()) == 1


def test_the_loss_follows_the_target_of_the_file(tmp_path):
    path = save(tmp_path / "x.npz")
    with pytest.raises(ValueError, match="--loss=sgcs is of eigenvectors, .* has CSI"):
        exchange.filled(config(path, loss="sgcs"))
    header = exchange_files.header(settings=SETTINGS | {"target": "eigenvectors"})
    save(path, header=as_array(header))
    assert exchange.filled(config(path, loss="sgcs")).target == "eigenvectors"


def test_several_files(tmp_path):
    first = save(tmp_path / "a.npz")
    other = save(
        tmp_path / "b.npz", header=as_array(exchange_files.header(pairing_id="f" * 16))
    )
    both = f"{first}, {other}"
    ue_first = config(both, collaboration="ue_first", num_train=5)
    csi, codeword = exchange.examples(ue_first, "train")
    assert len(csi) == len(codeword) == 10
    np.testing.assert_array_equal(csi[::2], csi[1::2])  # the files are equal
    np.testing.assert_array_equal(codeword[::2], codeword[1::2])
    told = exchange.read_from(ue_first)
    assert told["train"].count("train[:5]") == 2
    assert len(told["exchange"]) == 2
    with pytest.raises(ValueError, match=r"b\.npz has pairing_id ffff.*one decoder"):
        exchange.read_all(config(both))
    with pytest.raises(ValueError, match="one file twice"):
        exchange.read_all(config(f"{first},{first}"))
    changed = exchange_files.header(settings=SETTINGS | {"scaling": "global"})
    save(other, header=as_array(changed))
    with pytest.raises(ValueError, match=r"b\.npz has scaling global, .* stored"):
        exchange.read_all(ue_first)
    with pytest.raises(ValueError, match=r"--num_train=9: .*a\.npz has 8 train"):
        exchange.examples(config(first, num_train=9), "train")


CSI = exchange_files.data()[0]["train"]
PAYLOAD = np.zeros((8, 3), np.uint8)
WRONG = {
    "missing": ({"points": None}, "arrays .*expected header, points"),
    "more": ({"x": CSI}, "arrays .*expected header, points"),
    "NaN": ({"train_csi": np.where(CSI > 0.9, np.nan, CSI)}, "train_csi from nan"),
    "infinite": ({"train_csi": np.where(CSI > 0.9, np.inf, CSI)}, "train_csi from"),
    "out of range": ({"train_csi": 2 * CSI}, "expected 0 to 1"),
    "double": ({"train_csi": CSI.astype(float)}, "float64 .*expected float32"),
    "flat": ({"train_csi": CSI[..., 0]}, r"expected float32 \[n"),
    "none": ({"validation_csi": CSI[:0]}, r"expected float32 \[n"),
    "other size": ({"validation_csi": CSI[:4, :2]}, "expected equal sizes"),
    "fewer": ({"train_csi": CSI[:3]}, "one for each of 3 CSI"),
    "short": ({"train_payload": PAYLOAD[:, :2]}, "expected uint8 .*3.* 6 indices"),
    "signed": ({"train_payload": PAYLOAD.astype(np.int8)}, "dtype int8"),
    "alone": ({"train_payload": PAYLOAD[0]}, "one for each of 8 CSI"),
    "padding": ({"train_payload": PAYLOAD + np.uint8(1)}, "non-zero padding"),
    "points": ({"points": np.zeros(4, np.float32)}, "expected 8 finite float32"),
    "equal": ({"points": np.zeros(8, np.float32)}, "expected 8 finite float32"),
    "endless": (
        {"points": np.float32([0, 1, 2, 3, 4, 5, 6, math.inf])}, "expected 8 finite",
    ),
    "header": ({"header": CSI}, "expected the bytes of JSON"),
    "long": ({"header": np.zeros(1 << 21, np.uint8)}, "at most 1,048,576"),
    "payload": (
        {"header": as_array(exchange_files.header(payload_id="6x4"))},
        "payload_id is '6x4', expected 6x3",
    ),
    "no JSON": ({"header": np.frombuffer(b"{\xff", np.uint8)}, "not a JSON file"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_wrong_arrays(tmp_path, name):
    changes, said = WRONG[name]
    path = save(tmp_path / "x.npz", **changes)
    with pytest.raises(ValueError, match=rf"x\.npz: .*{said}") as caught:
        exchange.read(str(path))
    assert len(str(caught.value).splitlines()) == 1


def test_headers_of_other_types(tmp_path):
    """Every place of the header taken away or of another kind: read, or one line."""
    path, number, refused = save(tmp_path / "x.npz"), 0, 0
    arrays = dict(np.load(path))
    for name, changed in mutations(exchange_files.header()):
        arrays["header"] = as_array(changed)
        written = io.BytesIO()
        np.savez(written, **arrays)
        path.write_bytes(written.getvalue())
        number += 1
        try:
            settings = exchange.filled(config(path))
            exchange.examples(settings, "train")
            exchange.read_from(settings)
        except ONE_LINE as error:
            assert len(str(error).splitlines()) == 1, name
            refused += 1
    assert number > 250 and refused > number / 2


def test_a_codeword_longer_than_the_csi(tmp_path):
    settings = SETTINGS | {"codeword_dim": 41}
    payload = {f"{s}_payload": np.zeros((n, 16), np.uint8) for s, n in _SIZES.items()}
    document = exchange_files.header(settings=settings, payload_id="41x3")
    path = save(tmp_path / "x.npz", header=as_array(document), **payload)
    with pytest.raises(ValueError, match="in 41 codeword entries"):
        exchange.read(str(path))


_SIZES = {"train": 8, "validation": 4}


def test_a_codeword_is_compared_with_the_csi_before_it_is_unpacked(tmp_path):
    """Bits take a hundred times their memory when they are unpacked."""
    settings = SETTINGS | {"codeword_dim": 1 << 26, "bits": 1}
    document = exchange_files.header(settings=settings, payload_id="67108864x1")
    payload = {f"{s}_payload": np.zeros((1, 1 << 23), np.uint8) for s in _SIZES}
    csi = {f"{s}_csi": CSI[:1] for s in _SIZES}
    points = np.float32([-0.5, 0.5])
    path = save(
        tmp_path / "x.npz", header=as_array(document), points=points, **payload, **csi
    )
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="in 67108864 codeword entries"):
            exchange.read(str(path))
        assert tracemalloc.get_traced_memory()[1] < 100e6
    finally:
        tracemalloc.stop()


def test_files_that_are_none(tmp_path):
    path = save(tmp_path / "x.npz")
    whole = path.read_bytes()
    for size in (0, 1, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(ValueError, match=r"x\.npz"):
            exchange.read(str(path))
    np.save(tmp_path / "y.npy", CSI)
    with pytest.raises(ValueError, match="one array, expected an .npz"):
        exchange.read(str(tmp_path / "y.npy"))
    with pytest.raises(FileNotFoundError, match="--exchange=nothing.npz: no such file"):
        exchange.read("nothing.npz")


def test_a_bomb_is_not_unfolded(tmp_path, monkeypatch):
    monkeypatch.setattr(sizes, "LARGEST", 1 << 20)
    path = save(tmp_path / "x.npz")
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.npy", bytes(1 << 21))
    with pytest.raises(ValueError, match=r"x\.npz.*unfold to"):
        exchange.read(str(path))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"exchange": ""}, "give --collaboration=nw_first or ue_first with --exchange"),
        ({"collaboration": "joint"}, "or neither"),
        ({"train_part": "decoder", "weights": "x"}, "--train_part=decoder: expected"),
        ({"csi_noise": "awgn", "train_snr_db": 5.0}, "--csi_noise=awgn: expected none"),
        ({"init": "klt_exact"}, "--init=klt_exact: expected paper or klt with"),
    ],
)
def test_flags_that_do_not_fit(changes, said):
    with pytest.raises(ValueError, match=said):
        config("x.npz", **changes)
