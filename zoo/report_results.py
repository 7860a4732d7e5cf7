"""Results JSON to the sections of the report: paper against ours, and where from."""

from __future__ import annotations

import io
import re
from collections import Counter
from pathlib import Path

from zoo import plots, registry
from zoo.report_blocks import VERDICTS, Claim, Claims, Details, Picture, Section, Table
from zoo.report_tables import data_set, number, series_of, table_of

NOTES = (
    "Budget fast: trainings cut down to minutes or hours on two CPU cores, on our own "
    "simulated channels. Budget full: the paper's sizes and epochs. The linear KLT "
    "sends as many real numbers as the codeword has, after a PCA of the training set; "
    "it is no baseline where phases come free. –: the paper prints a curve, or nothing."
)


def anchor(path: Path) -> str:
    """Name of a result's section."""
    return re.sub(r"[^a-z0-9_]+", "-", path.stem.lower())


def paper_of(target: str) -> str:
    """The paper that a target is from; nothing for one of our own."""
    family = target.partition(".")[0]
    found = [s.paper for name, s in registry.MODELS.items() if name.startswith(family)]
    return found[0] if found else ""


def claims_of(path: Path, result: dict) -> list[Claim]:
    """What becomes of the claims of a result."""
    title = f"{result['target']}, {result['title']}"
    return [
        Claim(c["claim"], c["verdict"], _numbers(result, c), anchor(path), title)
        for c in result["claims"]
    ]


def _numbers(result: dict, claim: dict) -> str:
    if not claim["difference"]:
        return "no common point to compare"
    parts = (
        f"{x}: {value or 0.0:+.{2 if abs(value) >= 0.01 else 3}f}"  # no -0.000
        for x, value in claim["difference"].items()
    )
    return f"difference in {result['unit']} at {result['x']} {'; '.join(parts)}"


def summary_section(results: dict[Path, dict]) -> Section:
    """All claims of all papers, counted and listed by verdict."""
    found = [claim for path, r in results.items() for claim in claims_of(path, r)]
    counts = Counter(claim.verdict for claim in found)
    text = ", ".join(f"{counts[v]} {v}" for v in VERDICTS)
    rule = (
        "A claim is confirmed where our means differ its way at every common point, by "
        "more than 0.1 and than half of both spreads over seeds together."
    )
    items = sorted(found, key=lambda c: VERDICTS.index(c.verdict))
    blocks = [f"{len(found)} claims: {text}. {rule}", Claims(items, linked=True)]
    return Section("Claims of the papers", "claims", blocks)


def result_section(path: Path, result: dict) -> Section:
    """A table or figure: plot, values, claims, provenance."""
    paper = paper_of(result["target"])
    source = f"Paper: {paper}. " if paper else ""
    blocks: list = [f"{source}Budget of ours: {result['budget']}."]
    image = path.with_suffix(".png")
    if image.is_file() or ".figure" in result["target"]:
        blocks.append(_picture(image, result))
    table = table_of(path, result)
    blocks.append(table._replace(caption=f"{result['title']}, {result['unit']}."))
    claims = claims_of(path, result)
    blocks += [Claims(claims)] if claims else []
    blocks.append(provenance(path, result, _runs(result), paper))
    title = f"{result['target']}: {result['title']}"
    return Section(title, anchor(path), blocks, level=3)


def _picture(image: Path, result: dict) -> Picture:
    """What zoo.reproduce has drawn beside the JSON, or else its curves."""
    ends = [
        f"{series_of(e)} {number(e['ours'])} at {e['x']}" for e in result["entries"]
    ]
    alt = f"{result['title']}, {result['unit']} over {result['x']}: {', '.join(ends)}"
    caption = f"{result['title']}, ours; dashes: single seeds."
    if image.is_file():
        return Picture(image.read_bytes(), caption, alt, plot=False)
    buffer = io.BytesIO()
    plots.save_curves(result, buffer)
    return Picture(buffer.getvalue(), caption, alt)


def _runs(result: dict) -> list[tuple[str, dict]]:
    """Name and run of every value of a result."""
    return [
        (f"{series_of(e)}, {e['x']}", run)
        for e in result["entries"]
        for run in e["runs"] or [{}]
    ]


def provenance(path: Path, content: dict, runs: list, paper: str = "") -> Details:
    """Where each number of a file is from: a row per value and run."""
    columns = ["value", "origin", "run", "data set", "seed", "epochs", "trained at"]
    columns += ["evaluated at", "device", "flags or weights (SHA-256)"]
    rows = []
    for name, run in runs:
        hashes = run.get("flags_sha256") or run.get("weights_sha256") or ""
        commits = [run.get(f"{k}commit") or "" for k in ("train_", "")]
        if not any(commits):
            commits[1] = content.get("commit", "")
        device = run.get("train_device") or run.get("device") or content.get("device")
        rows.append(
            [name, "ours", str(run.get("run", run.get("name", "computed")))]
            + [data_set(run), number(run.get("seed")), number(run.get("epochs"))]
            + [*(short(c) for c in commits), device or "", hashes[:12]]
        )
    printed = len([e for e in content.get("entries", []) if e["paper"] is not None])
    note = (
        f"Origin of {printed} values in the column paper: {paper}. " if printed else ""
    )
    source = content.get("row", content)
    made = (
        f"{note or 'Origin: '}ours, {path.name}, made by "
        f"{source.get('command', 'the commands of its rows')}, commit "
        f"{short(source.get('commit', ''))}, {source.get('date', '')}, "
        f"{source.get('device', '')}."
    )
    return Details("Where these numbers come from", [made, Table(columns, rows)])


def short(commit: str) -> str:
    """First letters of a commit, and whether it had changes."""
    head, *rest = commit.split("-")
    return "-".join([head[:9], *rest])
