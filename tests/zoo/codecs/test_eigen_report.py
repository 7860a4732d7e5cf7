"""Eigenvectors sent by codebooks and KLTs: rows, flags, the KLT in closed form."""

from __future__ import annotations

import dataclasses
import json
from types import SimpleNamespace

import numpy as np
import pytest
from absl import flags

from tests.conftest import TINY, run_command
from tests.support.clustered_channels import sgcs
from zoo import baseline
from zoo.codecs import eigen_flags, eigen_report
from zoo.codecs.codebooks import etype2_bits
from zoo.codecs.codebooks.etype2 import EnhancedTypeII
from zoo.codecs.codebooks.panel import Panel
from zoo.codecs.eigen_report import EigenReport
from zoo.data import eigenmodes
from zoo.metrics import eigen_klt, precoding


@pytest.mark.parametrize("rank", [1, 2])
def test_row_of_a_codebook(eigen_config, rank):
    report = EigenReport("etype2", rank, options={"param_combination": 6})
    row = eigen_report.evaluate(report, eigen_config)
    most = etype2_bits.most_bits(EnhancedTypeII(Panel(8, 2), 13, 6, rank))
    assert row["part2_bits_max"] <= most
    assert row["part1_bits"] + 100 < row["feedback_bits"] <= row["part1_bits"] + most
    assert len(row["sgcs_by_layer"]) == rank == row["rank"]
    assert min(row["sgcs_by_layer"]) > 0.6 and row["sgcs_by_layer"][0] > 0.75
    assert row["zf_rate"] < row["zf_rate_perfect"] and row["rate"] < row["rate_perfect"]
    assert row["model_args"] == {"panel": [8, 2], "param_combination": 6}
    assert row["nmse_db"] is None and row["num_test"] == 20 and not row["split_array"]
    assert row["definitions"] == precoding.DEFINITIONS and "commit" in row


def test_the_order_of_the_codebooks(eigen_config):
    def row(name, **options):
        return eigen_report.evaluate(EigenReport(name, options=options), eigen_config)

    rows = [
        row("type1"),
        row("etype2", param_combination=2),
        row("type2", num_beams=4, num_phases=8, subband_amplitude=True),
    ]
    bits = [r["feedback_bits"] for r in rows]
    assert bits == sorted(bits) and bits[0] == 10
    assert [r["sgcs"] for r in rows] == sorted(r["sgcs"] for r in rows)
    losses = [r["beamforming_loss_db"] for r in rows]
    assert losses == sorted(losses) and losses[-1] < 0


def test_any_channels_and_more_subbands(tiny_config):
    """A linear array of one polarisation, as two halves, in 26 subbands."""
    config = tiny_config("unused", num_test=10)
    report = EigenReport("etype2", num_subbands=26, options={"param_combination": 5})
    row = eigen_report.evaluate(report, config)
    assert row["model_args"]["panel"] == [16, 1] and row["split_array"]
    codebook = EnhancedTypeII(Panel(16, 1), 26, 5, per_cqi_subband=2)
    assert row["part2_bits_max"] <= etype2_bits.most_bits(codebook)
    assert row["sgcs"] > 0.8  # indoor, few paths


@pytest.mark.parametrize(
    "method", ["klt_coded", pytest.param("klt_mixture", marks=pytest.mark.slow)]
)
def test_coded_klt_sends_real_bytes(eigen_config, method):
    config = dataclasses.replace(eigen_config, seed=1)
    coarse, fine = (
        eigen_report.evaluate(EigenReport(method, 2, bits=bits), config)
        for bits in (100, 300)
    )
    assert coarse["sgcs"] < fine["sgcs"] and coarse["nmse_db"] > fine["nmse_db"]
    assert 60 < coarse["feedback_bits"] < 200 < fine["feedback_bits"] < 500
    assert len(fine["sgcs_by_layer"]) == 2 and "train[:400]" in fine["train_data"]
    fixed = EigenReport(method, 2, bits=100, fixed=True)
    assert eigen_report.evaluate(fixed, config)["feedback_bits_min_max"][1] <= 100


@pytest.mark.parametrize("per_subband", [False, True])
def test_klt_in_closed_form_of_gaussian_directions(per_subband):
    """Within the noise of 20,000 samples, each layer and subband with its own power."""
    rng = np.random.default_rng(0)
    mixing = rng.standard_normal((24, 24)) * 0.7 ** np.arange(24)
    parts = rng.standard_normal((2, 20_000, 24))
    x = ((parts[0] + 1j * parts[1]) @ mixing.T).reshape(-1, 3, 4, 2)
    x = x / np.linalg.norm(x, axis=2, keepdims=True)
    train, test = x[:10_000], x[10_000:]
    for num in (2, 5, 12, 24):
        columns = eigen_klt.basis(train, num, per_subband)
        theory = eigen_klt.closed_form(train, columns)
        sent = eigen_klt.reconstruct(test, columns)
        if num == 24:
            np.testing.assert_allclose(sent, test, atol=1e-9)
            assert theory["sgcs_by_layer"] == pytest.approx([1, 1])
            continue
        assert precoding.nmse_db(test, sent) == pytest.approx(
            theory["nmse_db"], abs=0.1
        )
        found = precoding.likeness(test, sent, np.ones((len(test), 3, 2)))
        np.testing.assert_allclose(
            found["sgcs_by_layer"],
            theory["sgcs_by_layer"],
            atol=0.005 if per_subband else 0.02,
        )


def test_klt_per_subband_is_exact_and_blind_to_phases(eigen_config):
    train = eigenmodes.load(eigen_config, "train").vectors
    turns = np.exp(2j * np.pi * np.random.default_rng(3).random((400, 13, 1, 2)))
    columns, turned = (eigen_klt.basis(x, 200, True) for x in (train, train * turns))
    np.testing.assert_allclose(columns.conj().T @ columns, np.eye(200), atol=1e-4)
    theory = eigen_klt.closed_form(train, columns)
    sent = eigen_klt.reconstruct(train, columns)
    assert precoding.nmse_db(train, sent) == pytest.approx(theory["nmse_db"], abs=1e-3)
    np.testing.assert_allclose(sgcs(train, sent), theory["sgcs_by_layer"], atol=1e-5)
    assert 1 - 10 ** (theory["nmse_db"] / 10) == pytest.approx(
        np.mean(theory["sgcs_by_layer"])
    )
    likewise = eigen_klt.closed_form(train * turns, turned)
    assert likewise["nmse_db"] == pytest.approx(theory["nmse_db"], abs=1e-4)


def test_klt_in_closed_form_of_drops(eigen_config):
    """The row's theory is of training drops; here on the same drops, which are 400."""
    train = eigenmodes.load(eigen_config, "train", phase="sequential").vectors
    columns = eigen_klt.basis(train, 40)
    theory = eigen_klt.closed_form(train, columns)
    sent = eigen_klt.reconstruct(train, columns)
    assert precoding.nmse_db(train, sent) == pytest.approx(theory["nmse_db"], abs=1e-3)
    np.testing.assert_allclose(sgcs(train, sent), theory["sgcs_by_layer"], atol=0.02)
    config = dataclasses.replace(eigen_config, codeword_dim=80)
    row = eigen_report.evaluate(EigenReport("klt", 2, phase="sequential"), config)
    assert row["closed_form"]["nmse_db"] == pytest.approx(theory["nmse_db"])
    assert row["feedback_bits"] is None and row["num_train"] == 400
    np.testing.assert_array_equal(eigen_klt.as_vectors(eigen_klt.flat(train), 2), train)


@pytest.fixture
def clock(monkeypatch):
    """Processor seconds that pass while a function is called."""
    now = [0.0]
    monkeypatch.setattr(eigen_report.time, "process_time", lambda: now[0])

    def takes(seconds, function):
        def timed(*args):
            now[0] += seconds
            return function(*args)

        return timed

    return takes


def test_encoding_is_timed_apart_from_decoding(eigen_config, clock, monkeypatch):
    codebook = eigen_report.CODEBOOKS["type1"]
    timed = codebook._replace(
        encode=clock(1.5, codebook.encode),
        pack=clock(0.5, codebook.pack),
        unpack=clock(5.0, codebook.unpack),
    )
    monkeypatch.setitem(eigen_report.CODEBOOKS, "type1", timed)
    row = eigen_report.evaluate(EigenReport("type1"), eigen_config)
    assert row["seconds_per_csi"] == 2 / 20 and row["decode_seconds_per_csi"] == 5 / 20
    codec = SimpleNamespace(
        encode=clock(2.0, lambda x, budget: [b"report"] * len(x)),
        decode=clock(5.0, lambda sent: np.zeros(len(sent))),
    )
    report = EigenReport("klt_coded", bits=48)
    _, found = eigen_report._through_bytes(report, codec, np.zeros(1024))
    assert found["seconds_per_csi"] == 4 / 1024  # of two batches
    assert found["decode_seconds_per_csi"] == 10 / 1024


def test_row_of_a_stream_names_the_stored_drops(eigen_config):
    name = eigen_config.dataset + ":stream"
    streamed = dataclasses.replace(eigen_config, dataset=name)
    row = eigen_report.evaluate(EigenReport("type1"), streamed)
    assert row["dataset_config"] == "r18_dense_urban_2ghz_tiny"


def _parse(*args) -> flags.FlagValues:
    values = flags.FlagValues()
    baseline.define_flags(values)
    values(["baseline", *args])
    return values


def test_flags_become_a_report():
    values = _parse("--method=etype2", "--param_combination=7", "--rank=2")
    expected = EigenReport("etype2", 2, options={"param_combination": 7})
    assert baseline.check_owners(values) and eigen_flags.report_of(values) == expected
    values = _parse("--method=type2", "--num_phases=4", "--subband_amplitude")
    options = {"num_beams": 4, "num_phases": 4, "subband_amplitude": True}
    assert eigen_flags.report_of(values) == EigenReport("type2", options=options)
    values = _parse(
        "--method=klt_coded", "--target=eigenvectors", "--report_bits=99",
        "--rate=fixed", "--phase=entry", "--num_users=2", "--snr_db=0",
    )  # fmt: skip
    assert eigen_flags.report_of(values) == EigenReport(
        "klt_coded", phase="entry", bits=99, fixed=True, snr_db=0, num_users=2
    )
    values = _parse(
        "--method=pursuit", "--target=eigenvectors", "--report_bits=64", "--rank=2",
        "--oversampling=4",
    )  # fmt: skip
    assert eigen_flags.report_of(values) == EigenReport(
        "pursuit", 2, options={"oversampling": 4}, bits=64
    )
    assert eigen_flags.report_of(_parse("--method=type1", "--scaling=stored"))
    for method in ("klt", "pursuit"):
        assert eigen_flags.report_of(_parse(f"--method={method}")) is None


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--method=etype2", "--codeword_dim=8"), "--codeword_dim has no effect"),
        (("--method=etype2", "--report_bits=8"), "--report_bits has no effect"),
        (("--method=etype2", "--num_beams=3"), r"no effect .*\(it is for type2\)"),
        (("--method=type1", "--target=csi"), "--target has no effect"),
        (("--method=klt", "--rank=2"), "--rank has no effect .*=eigenvectors"),
        (("--method=dft", "--target=eigenvectors"), "--target has no effect"),
        (("--method=klt_coded", "--target=eigenvectors"), "takes --report_bits"),
        (("--method=pursuit", "--target=eigenvectors"), "takes --report_bits"),
        (("--method=etype2", "--scaling=per_sample"), "--scaling=per_sample has no"),
        (("--method=klt", "--target=eigenvectors", "--csi_noise=ls"), "--csi_noise=ls"),
        (("--method=pursuit", "--phase=entry"), r"no effect .*\(it is for klt, "),
        (("--method=pursuit", "--target=eigenvectors", "--noise=known"), "--noise has"),
    ],
)
def test_unusable_flags_are_refused(args, message):
    values = _parse(*args)
    with pytest.raises(ValueError, match=message):
        baseline.check_owners(values)
        eigen_flags.report_of(values)


def test_unusable_reports_are_refused(eigen_config, tmp_path):
    for report, message in (
        (lambda: EigenReport("dft"), "--method=dft --target=eigenvectors"),
        (lambda: EigenReport("pursuit", bits=7), "takes --report_bits of 8 or more"),
        (lambda: EigenReport("klt", phase="x"), "--phase=x: expected one of port"),
        (lambda: EigenReport("klt", 5), "--rank=5: expected 1 to 4"),
        (lambda: EigenReport("klt", snr_db=np.inf), "--snr_db=inf: expected a finite"),
        (lambda: EigenReport("klt", snr_db=np.nan), "--snr_db=nan: expected a finite"),
        (lambda: EigenReport("type1", 3), "--rank=3: .* has 2 layers"),
        (lambda: EigenReport("type1", num_users=30), "num_users=30: expected 1 to 20"),
    ):
        with pytest.raises(ValueError, match=message):
            eigen_report.evaluate(report(), eigen_config)
    nothing_made = dataclasses.replace(eigen_config, data_dir=str(tmp_path))
    for report, changes, message in (
        (EigenReport("type2", 3), {}, "rank=3: Type II at 32 ports has 1, 2"),
        (EigenReport("type1"), {"num_test": 101}, "--num_test=101: .* has 100 test"),
        (EigenReport("type1", num_subbands=12), {}, "--num_subbands=12: .* stores 13"),
    ):
        with pytest.raises(ValueError, match=message):
            eigen_report.evaluate(report, dataclasses.replace(nothing_made, **changes))
    assert not list(tmp_path.iterdir())
    odd = dataclasses.replace(eigen_config, codeword_dim=7)
    with pytest.raises(ValueError, match="--codeword_dim=7: --method=klt sends"):
        eigen_report.evaluate(EigenReport("klt"), odd)


def test_command(data_dir, tmp_path):
    target = tmp_path / "etype2.json"
    done = run_command(
        "zoo.baseline", "--method=etype2", "--param_combination=4", "--num_test=8",
        f"--dataset={TINY['dataset']}", f"--data_dir={data_dir}", f"--json={target}",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    row = json.loads(target.read_text())
    shown = json.loads(done.stdout.splitlines()[-2])
    assert shown["sgcs_by_layer"] == row["sgcs_by_layer"] and row["sgcs"] > 0.8
    for name, text in precoding.DEFINITIONS.items():
        assert f"{name}: {text}" in done.stdout
    assert "--param_combination=4" in row["command"]
