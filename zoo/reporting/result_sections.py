"""Results JSON to the sections of the report: paper against ours, and where from."""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path
from urllib.parse import quote

from zoo import registry
from zoo.experiments import labels
from zoo.experiments.verdicts import RULE, VERDICTS
from zoo.metrics import plots
from zoo.reporting.blocks import Claim, Claims, Picture, Section, Table
from zoo.reporting.cells import number
from zoo.reporting.origins import provenance, seeds_of
from zoo.reporting.prose import plain
from zoo.reporting.tables import series_of, table_of

NOTES = (
    "Budget fast: trainings cut down to minutes or hours on two CPU cores, on our own "
    "simulated channels; networks of the COST2100 papers start at the linear KLT codec "
    "there, and where no epoch was better than that start, its value is shown and "
    "marked. Budget full: the paper's sizes, epochs and starts. The linear KLT sends "
    "as many real numbers as the codeword has, after a PCA of the training set; it is "
    "no baseline where phases come free. –: the paper prints a curve, or nothing."
)

MAGNITUDES = (
    "zoo.drop", "lora.figure5", "cllwcsinet.figure8", "cllwcsinet.figure9",
    "cllwcsinet.figure10",
)  # fmt: skip


def anchor(path: Path) -> str:
    """Name of a result's section."""
    return re.sub(r"[^a-z0-9_]+", "-", path.stem.lower())


def paper_of(target: str) -> str:
    """The paper that a target is from; nothing for one of our own."""
    family = target.partition(".")[0]
    found = [s.paper for name, s in registry.MODELS.items() if name.startswith(family)]
    return found[0] if found else ""


def claims_of(path: Path, result: dict, origins=("paper", "ours")) -> list[Claim]:
    """What becomes of the claims of a result, of a paper or of our own."""
    title = f"{result['target']}, {labels.title_of(result)}"
    return [
        Claim(c["claim"], c["verdict"], _numbers(result, c), anchor(path), title)
        for origin in origins
        for c in result["claims"]
        if c["origin"] == origin
    ]


def _numbers(result: dict, claim: dict) -> str:
    places = claim["difference"]
    if not places:
        return "no common point to compare"
    paper = f"; the paper's values: {_each_place(claim['paper'])}"
    return (
        f"{claim['decided']} of {len(places)} decide, seeds {claim['seeds']}; "
        f"difference in {labels.unit_of_claim(result, claim)} at {result['x']} "
        f"{_each_place(places)}"
        f"{paper if claim['paper'] else ''}{_open(claim)}"
    )


def _open(claim: dict) -> str:
    """Why places of a claim are open, each reason once, and what is not known."""
    places: dict[str, list[str]] = {}
    for x, why in claim.get("open", {}).items():
        places.setdefault(why, []).append(x)
    said = [f"{why} ({', '.join(own)})" for why, own in places.items()]
    unknown = "starts and last gains of its trainings were not recorded"
    return "".join(
        [f"; open: {'; '.join(said)}" if said else ""]
        + [f"; {unknown}" if claim.get("unrecorded") else ""]
    )


def _each_place(differences: dict[str, float]) -> str:
    return "; ".join(
        f"{x}: {value or 0.0:+,.{_decimals(value)}f}"  # no -0.000
        for x, value in differences.items()
    )


def _decimals(value: float) -> int:
    if abs(value) >= 1000:
        return 0
    return 2 if abs(value) >= 0.01 else 3


def summary_section(results: dict[Path, dict]) -> Section:
    """All claims, counted and listed by verdict; those of papers before our own."""
    papers, own = (
        [c for path, result in results.items() for c in claims_of(path, result, [x])]
        for x in ("paper", "ours")
    )
    caption = "Claims by target and verdict, and the sums."
    counted = verdicts(results)._replace(name="claims", caption=caption)
    blocks: list = [f"{_count(papers, 'claims of the papers')}. {RULE}", counted]
    blocks += [_by_verdict(papers)]
    if own:
        blocks += [f"{_count(own, 'statements of our own')}.", _by_verdict(own)]
    blocks.append(trainings(results))
    return Section("Claims of the papers", "claims", blocks)


def _count(found: list[Claim], what: str) -> str:
    counts = Counter(claim.verdict for claim in found)
    return f"{len(found)} {what}: {', '.join(f'{counts[v]} {v}' for v in VERDICTS)}"


def _by_verdict(found: list[Claim]) -> Claims:
    return Claims(sorted(found, key=lambda c: VERDICTS.index(c.verdict)), linked=True)


def verdicts(results: dict[Path, dict]) -> Table:
    """Targets with the number of claims of each verdict, and the sums."""
    columns = ["target", "what it shows", "budget", "seeds", *VERDICTS]
    rows, total = [], Counter()
    for result in results.values():
        counts = Counter((c["origin"], c["verdict"]) for c in result["claims"])
        seeds = number(seeds_of(result) or None)
        row = [result["target"], labels.title_of(result), result["budget"], seeds]
        sums = (counts["paper", v] + counts["ours", v] for v in VERDICTS)
        rows.append([*row, *(number(n or None) for n in sums)])
        total += counts
    for origin, name in (("paper", "claims of papers"), ("ours", "our statements")):
        sums = [number(total[origin, v]) for v in VERDICTS]
        rows.append([f"all {name}", "", "", "", *sums])
    return Table(columns, rows)


def trainings(results: dict[Path, dict]) -> str:
    """How many trainings the results are of, and how long they took."""
    runs = {
        run["run"]: (run["seed"], run["train_seconds"])
        for result in results.values()
        for entry in result["entries"]
        for run in entry["runs"]
        if run.get("train_seconds") is not None
    }
    hours = sum(seconds for _, seconds in runs.values()) / 3600
    first = sum(seconds for seed, seconds in runs.values() if not seed) / 3600
    return (
        f"Behind all of this are {len(runs)} trainings, {hours:.1f} hours one after "
        f"the other, {first:.1f} of them for seed 0. Every provenance has devices and "
        "seconds."
    )


def result_section(path: Path, result: dict, base: Path = Path()) -> Section:
    """A table or figure: plot, values, claims, provenance.

    Args:
        path: of the JSON; a PNG beside it is its drawing.
        result: its content.
        base: folder of the report.
    """
    paper = paper_of(result["target"])
    source, name = f"Paper: {paper}. " if paper else "", labels.title_of(result)
    budget = plain(result["budget"])
    blocks: list = [f"{source}Budget of ours: {budget}. {result['note']}"]
    image = path.with_suffix(".png")
    if image.is_file():
        caption = f"{name}, ours.{_earlier(result, image)}"
        blocks.append(picture(image, caption, _alt(result), base))
    table = table_of(path, result)
    found = labels.units(result)
    caption = f"{name}, {found[0]}." if len(found) == 1 else f"{name}."
    blocks.append(table._replace(caption=caption, name=path.stem))
    claims = claims_of(path, result)
    blocks += [Claims(claims)] if claims else []
    blocks.append(provenance(path, result, _runs(result), paper))
    title = f"{result['target']}: {name}"
    return Section(title, anchor(path), blocks, level=3)


def _alt(result: dict) -> str:
    """What one would read off a drawing."""
    ends = [
        f"{series_of(e)} {number(e['ours'])} at {e['x']}" for e in result["entries"]
    ]
    units = ", ".join(labels.units(result))
    return f"{labels.title_of(result)}, {units} over {result['x']}: {', '.join(ends)}"


def _earlier(result: dict, image: Path) -> str:
    """What to say of a picture of |H| that was drawn before they had a scale."""
    if result["target"] not in MAGNITUDES or plots.description(image):
        return ""
    return (
        " An earlier drawing, its grey levels linear and without axes: the next run of "
        "the target draws |H| in dB."
    )


def picture(image: Path, caption: str, alt: str, base: Path) -> Picture:
    """A drawing beside a results file, linked from the folder `base`."""
    link = quote(os.path.relpath(image, base))
    return Picture(image.read_bytes(), caption, alt, plot=False, link=link)


def _runs(result: dict) -> list[tuple[str, dict]]:
    """Name and run of every value of a result."""
    return [
        (f"{series_of(e)}, {e['x']}", {**run, "tested_on": e["tested_on"]})
        for e in result["entries"]
        for run in e["runs"] or [{}]
    ]
