"""The page of `tfds_builders.inspect`: tables and figures of one data set."""

from __future__ import annotations

import functools
import textwrap
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import stats

from tfds_builders import inspect_figures as figures
from tfds_builders import inspect_html as html
from tfds_builders import statistics
from tfds_builders.inspect_figures import Section

PERCENTILES = (5, 50, 95)
DEFINITIONS = {
    "Energy": "squared Frobenius norm of h, the stored scale undone.",
    "Rms delay spread": "root of the second central moment of the power-delay profile,"
    " tap k at k / bandwidth.",
    "Angular spread": "circular over the N DFT beams, N / 2π · √(−2 ln |r|) with"
    " r = Σ p exp(j 2π i / N), p the share of the energy in beam i; means little where"
    " beams of a planar array or two polarisations are stacked.",
    "Peak-to-rest ratio": "power of the strongest entry over that of all others. It is"
    " not the Rician K factor, which one snapshot does not tell.",
    "KS, p": "largest distance of the distribution functions of data set and reference"
    " (two-sample Kolmogorov-Smirnov test) and its p-value.",
}


@dataclass(frozen=True)
class Samples:
    """Channels of one split.

    Attributes:
      h: zero-centred complex `[n, N_t, N_a]`; of a moving terminal the first snapshot.
      uplink: the uplink of the same drops up to a factor, same shape, or None.
      over_time: `[n, T, N_t, N_a]` of a moving terminal, or None.
      k_factor: `[n]` as the simulation drew it, 0 without line of sight, or None.
    """

    h: np.ndarray
    uplink: np.ndarray | None = None
    over_time: np.ndarray | None = None
    k_factor: np.ndarray | None = None


def write(
    out: Path,
    title: str,
    about: dict,
    samples: Samples,
    metadata: dict,
    reference: np.ndarray | None = None,
) -> None:
    """Write the page, and beside it all its figures as one PNG of that name.

    Args:
      out: HTML file.
      title: name of the data set.
      about: more to say about it, name -> value.
      samples: its channels.
      metadata: of the data set. Without `bandwidth_hz` delays are in taps; `last_taps`
        of the taps, by default none, belong to the end of the delay axis; `times_s` is
        a list with the time of each snapshot.
      reference: channels to compare with, complex `[m, N_t, N_a]`.

    Raises:
      ValueError: channels without statistics, see `statistics`.
    """
    bandwidth_hz, last = metadata.get("bandwidth_hz"), metadata.get("last_taps", 0)
    h, uplink, reference = (
        x if x is None else np.roll(x, last, axis=-1)  # in the order of delays
        for x in (samples.h, samples.uplink, reference)
    )
    delays, unit = np.arange(h.shape[2]) - last, "taps"
    if bandwidth_hz:
        delays, unit = delays * 1e6 / bandwidth_hz, "µs"
    values = statistics.describe(h, bandwidth_hz)
    others = {} if reference is None else statistics.describe(reference, bandwidth_hz)
    tests = {name: stats.ks_2samp(values[name], others[name]) for name in others}
    if samples.k_factor is not None:
        sight = samples.k_factor[samples.k_factor > 0]
        share = len(sight) / len(samples.k_factor)
        about = {**about, "line_of_sight": f"{share:.1%} of the examples"}
        if len(sight):
            values["K factor of the simulation [dB]"] = 10 * np.log10(sight)
    sections = [
        _examples(h, uplink, delays, unit),
        _profiles(h, reference, delays, unit),
        _distributions(values, others, tests),
    ]
    if uplink is not None:
        pairs = statistics.pairs(h, uplink)
        shuffled = statistics.pairs(h, np.roll(uplink, 1, axis=0))
        sections.append(_pairs(pairs, shuffled))
        values = {**values, **pairs}  # in the table, not among the distributions
    if samples.over_time is not None:
        sections.append(_time(samples.over_time, metadata.get("times_s")))
    facts = (f"{name.replace('_', ' ')} {value}" for name, value in about.items())
    lead = figures.heading(f"{title}\n{textwrap.fill(', '.join(facts), 120)}", size=12)
    shown, poster = [], [lead]
    for section in sections:
        pixels = figures.render(section.height, section.draw)
        texts = section.title, section.caption, section.alt
        shown.append(html.Figure(*texts, figures.png(pixels)))
        poster += [figures.heading(section.title, size=14), pixels]
    table = _statistics(values, others, tests)
    page = html.document(title, {**about, **metadata}, table, DEFINITIONS, shown)
    out.write_text(page, encoding="utf-8")
    out.with_suffix(".png").write_bytes(figures.png(np.concatenate(poster)))


def _examples(h: np.ndarray, uplink: np.ndarray | None, delays, unit) -> Section:
    """Examples spread over the split: two rows, or one row each of down- and uplink."""
    rows = 1 if uplink is not None or len(h) < 2 * figures.COLUMNS else 2
    count = min(len(h), rows * figures.COLUMNS)
    index = np.linspace(0, len(h) - 1, count).astype(int).reshape(rows, -1)
    shown, titles = h[index], [[f"example {i}" for i in row] for row in index]
    if uplink is not None:
        shown = np.concatenate([shown, uplink[index]])
        titles = [
            [f"{link}, {t}" for t in titles[0]] for link in ("downlink", "uplink")
        ]
    draw = functools.partial(
        figures.draw_examples, h=shown, titles=titles, delays=delays, unit=unit
    )
    caption = "Magnitude of single examples, each relative to its strongest entry."
    alt = f"|h| over delay and beam of examples {', '.join(map(str, index.flat))}"
    return Section("Examples", caption, alt, 2.6 * len(shown), draw)


def _profiles(h: np.ndarray, reference: np.ndarray | None, delays, unit) -> Section:
    draw = functools.partial(
        figures.draw_profiles, h=h, reference=reference, delays=delays, unit=unit
    )
    caption = (
        "Energy per tap (power-delay profile) and per beam (angular profile) as a share"
        " of each sample's energy, then averaged over the samples. Broadside is beam"
        f" {h.shape[1] // 2}."
    )
    delay = statistics.delay_profile(h).mean(axis=0)
    angle = statistics.angular_profile(h).mean(axis=0)
    alt = (
        f"Mean profiles: strongest at {delays[delay.argmax()]:.3g} {unit} and in beam"
        f" {angle.argmax()}"
    )
    return Section("Mean power-delay and angular profile", caption, alt, 3.8, draw)


def _distributions(values: dict, others: dict, tests: dict) -> Section:
    notes = {
        name: f"KS {test.statistic:.3f}, p = {test.pvalue:.2g}"
        for name, test in tests.items()
    }
    draw = functools.partial(
        figures.draw_cdfs,
        values=values,
        others=others,
        labels=("data set", "reference"),
        notes=notes,
    )
    height = 2.9 * -(-len(values) // figures.COLUMNS)
    caption = "Share of the samples at or below a value."
    title = "Distributions over samples"
    return Section(title, caption, _medians(values), height, draw)


def _pairs(pairs: dict, shuffled: dict) -> Section:
    draw = functools.partial(
        figures.draw_cdfs,
        values=pairs,
        others=shuffled,
        labels=("pairs", "shuffled"),
        notes={},
    )
    caption = (
        "Per sample, over the entries of downlink d and uplink u. Magnitude: Pearson"
        " correlation of |d| and |u|. Phase: |Σ d u*| / Σ |d| |u|, one where the phases"
        " differ by a constant. Shuffled: with the uplink of another drop."
    )
    return Section("Uplink and downlink", caption, _medians(pairs), 3.2, draw)


def _time(h: np.ndarray, times_s: list[float] | None) -> Section:
    correlation = statistics.time_correlation(h)
    draw = functools.partial(
        figures.draw_time, correlation=correlation, times_s=times_s
    )
    caption = "|⟨h(0), h(t)⟩| / (‖h(0)‖ ‖h(t)‖) per sample."
    alt = (
        f"Mean correlation falls from 1 to {correlation[:, -1].mean():.3f} over"
        f" {h.shape[1]} snapshots"
    )
    return Section("Correlation over time", caption, alt, 3.2, draw)


def _medians(values: dict) -> str:
    medians = (f"{name} {np.median(v):.3g}" for name, v in values.items())
    return f"Distribution functions; medians: {', '.join(medians)}"


def _statistics(values: dict, others: dict, tests: dict) -> html.Statistics:
    """Table of means and percentiles, beside them the reference's."""
    names = ["mean", *(f"{p} %" for p in PERCENTILES)]
    head, groups = ["", *names], {"": 1, "data set": len(names)}
    if others:
        head += [*names, "KS", "p"]
        groups |= {"reference": len(names), "comparison": 2}
    rows = []
    for name, value in values.items():
        row = [name, *_summary(value)]
        if name in others:
            distance, p = tests[name]
            row += [*_summary(others[name]), f"{distance:.3f}", f"{p:.2g}"]
        rows.append(row + [""] * (len(head) - len(row)))
    return html.Statistics(rows, head, groups)


def _summary(values: np.ndarray) -> list[str]:
    """Mean and percentiles; the latter are samples, so that infinite ones may occur."""
    ends = np.percentile(values, PERCENTILES, method="inverted_cdf")
    return [f"{value:.4g}" for value in (np.mean(values), *ends)]
