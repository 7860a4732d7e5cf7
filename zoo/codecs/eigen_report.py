"""Eigenvectors of subbands, sent in real bits by a codebook, a KLT or a pursuit."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field, replace

import numpy as np

from tfds_builders import build, subbands
from zoo import files
from zoo.codecs import eigen_pursuit, methods, sending
from zoo.codecs.codebooks.catalogue import CODEBOOKS
from zoo.codecs.codebooks.panel import Panel
from zoo.config import ExperimentConfig
from zoo.data import eigenmodes, splits, stream
from zoo.data.eigenmodes import Eigenmodes, PortArray
from zoo.metrics import eigen_klt, eigen_row, precoding, results_row

KLT_CODED = ("klt_coded", "klt_mixture")
KLTS = ("klt", *KLT_CODED)
CODED = (*KLT_CODED, "pursuit")  # fitted to a number of bits
METHODS = ("klt", *CODED, *CODEBOOKS)
EXAMPLES = {name: methods.METHODS["klt_coded"].examples for name in KLTS} | {
    "pursuit": methods.METHODS["pursuit"].examples
}  # training channels at most


@dataclass(frozen=True)
class EigenReport:
    """What sends eigenvectors, and the link that they are measured on.

    Attributes:
        name: one of `METHODS`.
        rank: layers, 1 to 4.
        num_subbands: N3; 0: those stored, or 13.
        phase: what fixes the free phases, see `subbands.with_phase`; no matter to
            codebooks and `pursuit`.
        per_subband: whether `klt` is one KLT of each subband and layer.
        options: of a codebook, see `catalogue.CODEBOOKS`; `oversampling` of `pursuit`.
        bits: of a report of one of `CODED`, in the mean of the training data.
        fixed: whether no report of it exceeds them.
        snr_db: of one receive antenna.
        num_users: served together by zero forcing.

    Raises:
        ValueError: a method that does not send eigenvectors, or a phase, rank or SNR
            that does not exist.
    """

    name: str
    rank: int = 1
    num_subbands: int = 0
    phase: str = "port"
    per_subband: bool = False
    options: dict = field(default_factory=dict)
    bits: int = 0
    fixed: bool = False
    snr_db: float = 10.0
    num_users: int = 4

    def __post_init__(self):
        if self.name not in METHODS:
            raise ValueError(
                f"--method={self.name} --target=eigenvectors: expected one of "
                f"{', '.join(METHODS)}"
            )
        if self.phase not in subbands.PHASES:
            raise ValueError(
                f"--phase={self.phase}: expected one of {', '.join(subbands.PHASES)}"
            )
        if not 1 <= self.rank <= 4:
            raise ValueError(f"--rank={self.rank}: expected 1 to 4")
        if self.name in CODED and self.bits < 8:
            raise ValueError(
                f"--method={self.name} takes --report_bits of 8 or more, such as 168; "
                f"got {self.bits}"
            )
        if not math.isfinite(self.snr_db):
            raise ValueError(f"--snr_db={self.snr_db}: expected a finite number of dB")


def evaluate(report: EigenReport, settings: ExperimentConfig) -> dict:
    """Results row of reports of the test split, read once.

    Args:
        report: what is sent, and how.
        settings: data set, numbers of examples, M of the unquantised KLT and seed (of
            the groups of users) apply; of a stream the stored splits.

    Raises:
        ValueError: sizes that do not fit each other, or unusable data.
    """
    settings = replace(settings, dataset=stream.parse(settings.dataset)[0])
    splits.check(settings, ("test",))
    found_builder = build.find_builder(settings.dataset, settings.data_dir)
    codebook = _configured(report, found_builder)  # before there are any data
    builder = splits.open_builder(
        settings.dataset, settings.data_dir, settings.manual_dir
    )
    test = _load(report, settings, "test")
    v = test.vectors[..., : report.rank]
    array, klt = eigenmodes.array_of(builder), None
    if codebook:
        w, found = _by_codebook(report, codebook, array.polarisations, v)
    else:
        train = _load(report, settings, "train", EXAMPLES[report.name])
        train = train.vectors[..., : report.rank]
        if report.name == "pursuit":
            w, found = _by_pursuit(report, array, train, v)
        else:
            w, found, klt = _by_klt(report, settings, train, v)
    phase = report.phase if report.name in KLTS else None
    trained = found.get("num_train")
    part = trained and results_row.stored_part(settings, builder, "train", trained)
    return {
        "model": report.name,
        **results_row.data_set(settings, builder),
        **eigen_row.sent(v, phase),
        "ratio": None,
        "bits": None,
        "train_data": part,
        **found,
        "nmse_db": precoding.nmse_db(v, w) if phase else None,
        "closed_form": klt,
        **eigen_row.measured(*test, w, report.snr_db, report.num_users, settings.seed),
        "num_test": len(v),
        "seed": settings.seed,
        **files.environment(),
        "origin": "ours",
    }


def _load(
    report: EigenReport, settings: ExperimentConfig, split: str, at_most: int = 0
) -> Eigenmodes:
    """Eigenvectors of a split, with as many layers as are reported."""
    modes = eigenmodes.load(settings, split, report.num_subbands, report.phase, at_most)
    eigenmodes.check_rank(report.rank, modes.values.shape[-1], settings.dataset)
    return modes


def _configured(report: EigenReport, builder):
    """Configuration of a codebook; None: a KLT has none."""
    if report.name not in CODEBOOKS:
        return None
    codebook, array = CODEBOOKS[report.name], eigenmodes.array_of(builder)
    panel = Panel.of(array.columns, array.rows, array.polarisations)
    num_subbands = eigenmodes.num_subbands_of(builder, report.num_subbands)
    options = codebook.options | report.options
    return codebook.make(panel, num_subbands, report.rank, **options)


def _by_codebook(
    report: EigenReport, configuration, polarisations: int, v: np.ndarray
) -> tuple[np.ndarray, dict]:
    """Precoders that the base station reads, and what was sent."""
    codebook, panel = CODEBOOKS[report.name], configuration.panel
    began = time.process_time()
    reports = codebook.reports(configuration, v)
    encoded = time.process_time()
    w = codebook.precoders(configuration, reports)
    seconds = encoded - began, time.process_time() - encoded
    options = codebook.options | report.options
    return w, {
        "model_args": {"panel": [panel.n1, panel.n2], **options},
        "split_array": polarisations == 1,
        "codeword_dim": None,
        **sending.bits_of([one.num_bits for one in reports]),
        "part1_bits": len(reports[0].part1),
        "part2_bits_max": max(len(one.part2) for one in reports),
        **sending.seconds_of(*seconds, len(v)),
    }


def _by_klt(
    report: EigenReport, settings: ExperimentConfig, train: np.ndarray, v: np.ndarray
) -> tuple[np.ndarray, dict, dict | None]:
    """Reconstructed eigenvectors, what was sent, and the unquantised KLT by theory."""
    if report.name == "klt":
        if settings.codeword_dim % 2:
            raise ValueError(
                f"--codeword_dim={settings.codeword_dim}: --method=klt sends complex "
                "numbers, give an even one"
            )
        num, per_subband = settings.codeword_dim // 2, report.per_subband
        columns = eigen_klt.basis(train, num, per_subband)
        found = {"model_args": {"per_subband": per_subband}, "codeword_dim": 2 * num}
        found |= {"feedback_bits": None, "num_train": len(train)}
        theory = eigen_klt.closed_form(train, columns)
        return eigen_klt.reconstruct(v, columns), found, theory
    x, seen = (eigen_klt.flat(y) for y in (v, train))
    codec = methods.METHODS[report.name].fit([], seen, report.bits, settings.seed)
    sent, found = _through_bytes(report, codec, x)
    found["num_train"] = len(train)
    return eigen_klt.as_vectors(sent, report.rank), found, None


def _by_pursuit(
    report: EigenReport, array: PortArray, train: np.ndarray, v: np.ndarray
) -> tuple[np.ndarray, dict]:
    """Precoders that the base station reads, and what was sent."""
    oversampling = report.options.get("oversampling", 0)
    codec = eigen_pursuit.fit(array, train, report.bits, report.fixed, oversampling)
    w, found = _through_bytes(report, codec, v)
    found["model_args"] |= methods.codec_options(codec.codec)
    return w, found | {"num_train": len(train)}


def _through_bytes(report: EigenReport, codec, x: np.ndarray) -> tuple:
    """What a fitted codec makes of `x`, and what was sent."""
    budget = report.bits if report.fixed else 0
    x_hat, found = sending.through_bytes(codec, x, budget)
    rate = "fixed" if report.fixed else "mean"
    options = {"report_bits": report.bits, "rate": rate}
    return x_hat, {"model_args": options, "codeword_dim": None, **found}
