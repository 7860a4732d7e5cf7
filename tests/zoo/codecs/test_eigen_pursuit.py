"""Pursuit of eigenvectors: plane waves, free phases, budgets, files, eType II."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tests.support import clustered_channels
from tests.support.clustered_channels import sgcs
from zoo.codecs import eigen_pursuit, eigen_report, saved
from zoo.codecs.codebooks.catalogue import CODEBOOKS
from zoo.codecs.codebooks.panel import Panel
from zoo.codecs.eigen_pursuit import EigenPursuit
from zoo.codecs.eigen_report import EigenReport
from zoo.data.eigenmodes import PortArray
from zoo.metrics import precoding

ARRAY = PortArray(8, 2, 2)


@pytest.fixture(scope="module")
def train():
    return clustered_channels.eigenmodes(300, seed=1)[0]


@pytest.fixture(scope="module")
def test():
    return clustered_channels.eigenmodes(100, seed=2)[0]


@pytest.fixture(scope="module")
def fitted(train):
    return eigen_pursuit.fit(ARRAY, train, 200, oversampling=4)


@pytest.mark.parametrize("array", [ARRAY, PortArray(4, 4, 2), PortArray(8)])
def test_a_beam_at_a_delay_is_one_atom(array):
    """Phases of TS 38.214's ports, n1 N2 + n2, on and off the orthogonal beams."""
    subbands, layers, over = 13, 2, 4
    grid = eigen_pursuit.grid_of(array, subbands, layers, over)
    n1, n2, t = (np.arange(n) for n in (array.columns, array.rows, subbands))
    m1, m2, delay, block = 5, 3 * (array.rows > 1), -7, 1
    beam = np.kron(
        np.exp(2j * np.pi * m1 * n1 / (over * array.columns)),
        np.exp(2j * np.pi * m2 * n2 / (over * array.rows)),
    )
    turns = np.exp(-2j * np.pi * delay * t / (over * subbands))
    vectors = np.zeros((1, subbands, array.num_ports, layers), complex)
    start = array.num_ports - beam.size  # the last polarisation
    vectors[0, :, start:, block] = turns[:, None] * beam
    h = eigen_pursuit.as_csi(grid, vectors)
    rows = max(1, array.rows * over * (array.rows > 1))
    block = layers * array.polarisations - 1
    angle = (block * array.columns * over + m1) * rows + m2
    found = grid.angles[angle].conj() @ h[0]
    found = found @ grid.delays[subbands // 2 * over + delay].conj()
    assert np.abs(found) == pytest.approx(np.linalg.norm(vectors))
    back = eigen_pursuit.as_vectors(grid, h, layers)
    np.testing.assert_allclose(back, vectors, atol=1e-12)


def test_norms_and_phases_do_not_matter(fitted, test):
    rng = np.random.default_rng(0)
    parts = rng.standard_normal((2, len(test), 13, 1, 2))
    free = test * (parts[0] + 1j * parts[1])
    reports = fitted.encode(test)
    same = np.mean([a == b for a, b in zip(reports, fitted.encode(free), strict=True)])
    assert same > 0.95  # but for ties that rounding decides
    w = fitted.decode(reports)
    norms = np.linalg.norm(w, axis=2)
    sent = norms > 0  # a short report may say nothing of the second layer
    np.testing.assert_allclose(norms[sent], 1, atol=1e-9)
    assert sent[..., 0].all() and sent.mean() > 0.95


def test_turning_gains(fitted, test, monkeypatch):
    turned = sgcs(test, fitted.decode(fitted.encode(test, 160)))
    monkeypatch.setattr(eigen_pursuit, "ROUNDS", 0)
    assert (turned > sgcs(test, fitted.decode(fitted.encode(test, 160)))).all()


@pytest.mark.parametrize("rank", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_more_like_than_etype2_within_its_bits(train, test, rank):
    """A budget that no report exceeds, below the bits of paramCombination 4."""
    codebook = CODEBOOKS["etype2"]
    made = codebook.make(Panel(8, 2), 13, rank, param_combination=4)
    reports = codebook.reports(made, test[..., :rank])
    w = codebook.precoders(made, reports)
    bits = int(np.mean([one.num_bits for one in reports]))
    given = ARRAY, train[..., :rank], bits
    codec = eigen_pursuit.fit(*given, fixed=True, oversampling=4)
    sent = codec.encode(test[..., :rank], bits)
    assert max(map(len, sent)) <= bits // 8
    own = sgcs(test[..., :rank], codec.decode(sent))
    assert own.mean() > sgcs(test[..., :rank], w).mean() + 0.01


def _likeness(v, w) -> float:
    """SGCS, 0 of what nothing is said of."""
    return precoding.likeness(v, w, np.ones(v.shape[:2] + v.shape[3:]))["sgcs"]


def test_mean_bits_and_prefixes(fitted, test):
    reports = fitted.encode(test)
    assert np.mean([8 * len(one) for one in reports]) == pytest.approx(200, rel=0.15)
    cut = [_likeness(test, fitted.decode([r[:n] for r in reports])) for n in (8, 16)]
    assert cut[0] < cut[1] < _likeness(test, fitted.decode(reports))
    assert not fitted.decode([b""]).any()


def test_a_saved_codec_reads_the_same_bytes(fitted, test, tmp_path):
    saved.save(fitted.codec, tmp_path / "codec")
    again = EigenPursuit(saved.load(tmp_path / "codec"), fitted.layers)
    reports = fitted.encode(test[:20])
    assert reports == again.encode(test[:20])
    np.testing.assert_array_equal(again.decode(reports), fitted.decode(reports))


def test_unusable_eigenvectors_are_refused(fitted, test):
    with pytest.raises(ValueError, match="expected finite ones"):
        fitted.encode(np.where(test == test, np.nan, test))
    with pytest.raises(ValueError, match=r"expected \[n, 13, 32, 2\]"):
        fitted.encode(test[..., :1])
    with pytest.raises(ValueError, match="budget=7"):
        fitted.encode(test, 7)


def test_few_entries_and_no_channels():
    """No more paths than entries, 12 of 2 x 2 ports in 3 subbands; room is for 19."""
    few = clustered_channels.eigenmodes(20, 1, (2, 1), num_subbands=3, layers=1)[0]
    codec = eigen_pursuit.fit(PortArray(2, 1, 2), few, 160, oversampling=2)
    assert codec.codec.most == 12
    assert sgcs(few, codec.decode(codec.encode(few))) > 0.95
    assert codec.encode(few[:0]) == [] and codec.decode([]).shape == (0, 3, 4, 1)


def test_training_vectors_of_another_shape_are_refused(train):
    for wrong, message in (
        (train[:0], "0 training CSI: expected 2 or more"),
        (train[..., 0], r"expected finite ones, \[n, N3, P, layers\]"),
        (train[:, :, :16], r"\[300, 13, 16, 2\], expected \[n, 13, 32, 2\]"),
    ):
        with pytest.raises(ValueError, match=message):
            eigen_pursuit.fit(ARRAY, wrong, 64)


def test_row(eigen_config):
    report = EigenReport("pursuit", 2, options={"oversampling": 2}, bits=96)
    row = eigen_report.evaluate(report, eigen_config)
    fixed = dataclasses.replace(report, rank=1, fixed=True)
    fixed = eigen_report.evaluate(fixed, eigen_config)
    assert fixed["feedback_bits_min_max"][1] <= 96
    assert row["feedback_bits"] == pytest.approx(96, rel=0.2)
    assert row["sgcs"] > 0.3 and fixed["sgcs"] > 0.6 and len(row["sgcs_by_layer"]) == 2
    assert row["nmse_db"] is None and row["phase"] is None
    assert row["model_args"] == {"report_bits": 96, "rate": "mean", "oversampling": 2}
    assert "train[:400]" in row["train_data"] and row["zf_rate"] > 0
