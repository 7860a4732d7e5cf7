"""The pursuit through its files: TFLite, frames, SavedModel, golden vectors."""

import ast
import hashlib
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from serving.codec import atom_file, framing, golden_vectors, plain_atoms
from serving.codec.angle_delay_grid import AngleDelayGrid
from serving.codec.atoms import combine
from serving.codec.coded_atoms import CodedEncoder, CodedReceiver, atoms_of
from serving.codec.nmse import nmse_db
from serving.codec.ue_encoder import UeEncoder
from tests.conftest import assert_one_line_error, run_command
from tests.support.pursuit_channels import BITS, GRID, sample_channels
from tests.zoo.codecs.paths import N_C, channels
from tfds_builders.csi_examples import real_pairs
from zoo.codecs.search import search
from zoo.config import ExperimentConfig
from zoo.exporting import pursuit_export
from zoo.exporting.pursuit_link import PursuitLink
from zoo.exporting.search_graph import SearchGraph

pytest_plugins = ["tests.support.pursuit_export"]
H = sample_channels(200)
INDOOR = "--dataset=cost2100_sim/indoor_tiny"


@pytest.fixture(scope="module")
def ue(pursuit_files):
    return UeEncoder(pursuit_files.path / "encoder.tflite")


@pytest.fixture(scope="module")
def payloads(ue):
    return [ue.encode_bits(h) for h in H]


@pytest.fixture(scope="module")
def served(pursuit_files):
    return tf.saved_model.load(str(pursuit_files.path / "decoder" / "1")).signatures


def frames(codec, payloads):
    model_id = bytes.fromhex(codec["model_id"])
    return [framing.frame(payload, model_id) for payload in payloads]


def decoded(served, messages):
    answer = served["serving_default"](feedback_bytes=tf.constant(messages))
    return answer["h"].numpy(), answer["valid"].numpy()


def reference(stream, h):
    """Payloads of the NumPy search."""
    found = search(stream.grid, h[..., 0] + 1j * h[..., 1], stream.num_atoms)
    return stream.encode(found.angle, found.delay, found.value)


@pytest.mark.tflite
def test_the_encoder_sends_the_bits_of_the_numpy_search(pursuit_files, payloads):
    """Ties in float32 may differ: one in a hundred at most."""
    expected = reference(pursuit_files.fitted.plain, H)
    differing = sum(a != b for a, b in zip(payloads, expected, strict=True))
    assert differing <= 2
    assert {8 * len(x) for x in payloads} == {8 * pursuit_files.codec["payload_bytes"]}
    assert 8 * len(payloads[0]) <= BITS


@pytest.mark.tflite
def test_only_builtin_operations(pursuit_files):
    from ai_edge_litert.interpreter import Interpreter

    content = (pursuit_files.path / "encoder.tflite").read_bytes()
    interpreter = Interpreter(model_content=content)
    assert interpreter.get_signature_list() == {
        "encode": {"inputs": ["h"], "outputs": ["codeword"]},
        "encode_bits": {"inputs": ["h"], "outputs": ["packed"]},
    }
    assert b"Flex" not in content
    assert "WHILE" in {op["op_name"] for op in interpreter._get_ops_details()}


def test_the_served_decoder_is_the_numpy_one(pursuit_files, served, payloads):
    h_hat, valid = decoded(served, frames(pursuit_files.codec, payloads))
    expected = real_pairs(pursuit_files.fitted.plain.decode(payloads))
    assert valid.all() and nmse_db(H, h_hat) < -15
    np.testing.assert_allclose(h_hat, expected, atol=1e-5)


def test_every_flipped_bit_is_refused(pursuit_files, served, payloads):
    (whole,) = frames(pursuit_files.codec, payloads[:1])
    damaged = []
    for bit in range(8 * len(whole)):
        message = bytearray(whole)
        message[bit // 8] ^= 0x80 >> bit % 8
        damaged.append(bytes(message))
    h_hat, valid = decoded(served, [*damaged, whole])
    assert not valid[:-1].any() and np.isnan(h_hat[:-1]).all()
    assert valid[-1] and np.isfinite(h_hat[-1]).all()


def test_any_indices_decode_or_are_not_valid(pursuit_files, served):
    """Atoms twice, positions off the grid, values out of any order: no row fails."""
    stream, rng = pursuit_files.fitted.plain, np.random.default_rng(0)
    tops = np.concatenate([[2**bits - 1] * num for num, bits in stream.sections])
    indices = rng.integers(0, tops + 1, (200, len(tops))).astype(np.int32)
    indices[0], indices[1] = 0, tops
    answer = served["decode_indices"](indices=tf.constant(indices))
    k, grid = stream.num_atoms, stream.grid
    inside = (indices[:, :k] < grid.num_angles).all(1)
    inside &= (indices[:, k : 2 * k] < grid.num_delays).all(1)
    np.testing.assert_array_equal(answer["valid"].numpy(), inside)
    finite = np.isfinite(answer["h"].numpy()).all((1, 2, 3))
    np.testing.assert_array_equal(finite, inside)


def test_bad_codewords_spoil_their_rows_alone(pursuit_files, served):
    codeword = np.tile(pursuit_files.fitted.link.encode(H[:1]), (4, 1))
    codeword[1, 0], codeword[2, 2], codeword[3, 0] = np.nan, np.inf, 1e30
    answer = served["decode_float"](codeword=tf.constant(codeword))
    assert answer["valid"].numpy().tolist() == [True, False, False, True]


@pytest.mark.parametrize("array", ["ula:6", "upa:4x3", "upa:4x2x2"])
@pytest.mark.parametrize("oversampling", [2, 4])
def test_the_graph_searches_as_numpy_does(array, oversampling):
    grid = AngleDelayGrid(array, N_C, 8, last_taps=1, oversampling=oversampling)
    sizes = tuple(n for n in grid.dimensions if n > 1)
    h = channels(12, array=sizes, num_delay=8, last=1, seed=4)
    graph, found = SearchGraph(grid), search(grid, h, 5)
    for i, x in enumerate(real_pairs(h)):
        atoms = graph.atoms(tf.constant(x[None]), 5).numpy()
        angle, delay, value = (part[0] for part in atoms_of(grid, atoms))
        assert angle.tolist() == found.angle[i].tolist()
        assert delay.tolist() == found.delay[i].tolist()
        np.testing.assert_allclose(value, found.value[i], atol=2e-6)


def test_a_channel_of_zeros_and_of_one_atom_are_sent(pursuit_files):
    ue = UeEncoder(pursuit_files.path / "encoder.tflite", any_csi=True)
    grid = pursuit_files.fitted.plain.grid
    one = real_pairs((grid.angles[3][:, None] * grid.delays[9])[None])
    codewords = np.stack([ue.encode(x) for x in (np.zeros_like(H[0]), one[0])])
    assert np.isfinite(codewords).all() and not codewords[0, 2::4].any()
    h_hat = PursuitLink(pursuit_files.fitted.plain, 0).recover(
        codewords[:, : 4 * pursuit_files.fitted.plain.num_atoms]
    )
    np.testing.assert_allclose(h_hat[1], one[0], atol=1e-5)


def test_golden_vectors_and_tables(pursuit_files):
    results = golden_vectors.compare(pursuit_files.path)
    assert results["encoder.tflite"]["passed"]
    codec = pursuit_files.codec
    tables = pursuit_files.path / codec["tables"]
    digest = hashlib.sha256(tables.read_bytes()).hexdigest()
    assert codec["weights_sha256"] == codec["files"]["tables.npz"] == digest
    assert atom_file.read(tables).grid == pursuit_files.fitted.plain.grid
    assert plain_atoms.of(codec["quantizer"]) == pursuit_files.fitted.plain


@pytest.mark.tflite
@pytest.mark.parametrize("kind", ["coded", "packed"])
def test_golden_vectors_know_the_reports_of_both_streams(pursuit_files, tmp_path, kind):
    copy = shutil.copytree(pursuit_files.path, tmp_path / "export")
    arrays = golden_vectors.read(copy)
    arrays[f"encoder.tflite/{kind}"].flat[5] ^= 1
    np.savez(copy / "golden.npz", **arrays)
    (copy / "checksums.sha256").unlink()  # other bits on another machine, no damage
    for runtime in ("interpreter", "compiled"):
        result = golden_vectors.compare(copy, runtime)["encoder.tflite"]
        assert result["bytes"] == 1 and not result["passed"]
    with pytest.raises(ValueError, match="runtime is 'x'"):
        CodedEncoder(copy / "encoder.tflite", runtime="x")


@pytest.mark.tflite
def test_coded_reports_are_those_of_the_codec(pursuit_files):
    coded = CodedEncoder(pursuit_files.path / "encoder.tflite")
    bits = 8 * pursuit_files.codec["payload_bytes"]
    own = [coded.encode_bits(h) for h in H[:50]]
    expected = pursuit_files.fitted.coded.encode(
        H[:50, ..., 0] + 1j * H[:50, ..., 1], bits
    )
    assert sum(a != b for a, b in zip(own, expected, strict=True)) <= 1
    assert max(map(len, own)) <= bits // 8


@pytest.mark.tflite
def test_a_prefix_of_a_coded_report_is_a_coarser_channel(pursuit_files, served):
    """Cut anywhere: it decodes, and more bytes are never worse in the mean."""
    coded = CodedEncoder(pursuit_files.path / "encoder.tflite")
    receiver = CodedReceiver(coded.tables, coded.codec)
    whole, reached = [coded.encode_bits(h) for h in H[:40]], []
    for size in range(2, max(map(len, whole)) + 1):
        sent = frames(coded.codec, [payload[:size] for payload in whole])
        codewords, valid = receiver.codewords(sent)
        answer = served["decode_float"](codeword=tf.constant(codewords))
        assert valid.all() and answer["valid"].numpy().all()
        reached.append(nmse_db(H[:40], answer["h"].numpy()))
    assert reached == sorted(reached, reverse=True) and reached[-1] < -15


def test_the_receiver_refuses_damaged_frames(pursuit_files):
    coded = CodedEncoder(pursuit_files.path / "encoder.tflite")
    receiver = CodedReceiver(coded.tables, coded.codec)
    (whole,) = frames(coded.codec, [coded.encode_bits(H[0])])
    cut, other = whole[:-1], framing.frame(b"abc", b"\0\0\0\0")
    codewords, valid = receiver.codewords([whole, cut, other, b"", whole])
    assert valid.tolist() == [True, False, False, False, True]
    angle, delay, value = atoms_of(coded.tables.grid, codewords[:1])
    h = combine(coded.tables.grid, angle, delay, value)
    assert nmse_db(H[:1], real_pairs(h)) < -10


def test_an_export_whose_coded_reports_fail_is_discarded(
    pursuit_files, tmp_path, monkeypatch
):
    """A receiver that takes every atom for its neighbour in angle."""

    class Wrong(CodedReceiver):
        def codewords(self, frames):
            found, valid = super().codewords(frames)
            found[:, ::4] = (found[:, ::4] + 1 / GRID.num_angles) % 1
            return found, valid

    monkeypatch.setattr(pursuit_export, "CodedReceiver", Wrong)
    out = tmp_path / "export"
    with pytest.raises(ValueError, match="coded reports have a squared error of"):
        pursuit_export.export(pursuit_files.fitted, ExperimentConfig(), out)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--codec=pursuit", INDOOR, "--bits=3"], ["--bits is for a run"]),
        (["--codec=pursuit", INDOOR, "--evaluate"], ["--evaluate is for a run"]),
        (["--report_bits=64"], ["--report_bits is for --codec"]),
        (["--codec=pursuit", "--out=x", INDOOR], ["--report_bits is missing"]),
        (["--codec=pursuit", "--out=x", "--report_bits=9"], ["--dataset is missing"]),
    ],
)
def test_flags_of_the_other_kind_are_refused(flags, words):
    assert_one_line_error(run_command("zoo.export", *flags), *words)


def test_every_flag_is_for_a_run_for_a_codec_or_for_both():
    code = (
        "from absl.flags import FLAGS\n"
        "from zoo.export import CODEC, NETWORK, define_flags\n"
        "before = set(FLAGS)\n"
        "define_flags()\n"
        "print({*FLAGS} - before ^ {*NETWORK, *CODEC})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ast.literal_eval(done.stdout) == {
        "codec",
        "exchange",
        "out",
        "version",
        "frame_version",
    }, done.stderr


@pytest.mark.slow
def test_the_command(data_dir, tmp_path):
    out = tmp_path / "pursuit"
    done = run_command(
        "zoo.export",
        "--codec=pursuit",
        INDOOR,
        f"--data_dir={data_dir}",
        "--report_bits=128",
        "--oversampling=4",
        f"--out={out}",
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "16 payload bytes" in done.stdout and (out / "checksums.sha256").is_file()
