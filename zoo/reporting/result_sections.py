"""Results JSON to the sections of the report: paper against ours, and where from."""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path
from urllib.parse import quote

from zoo import registry
from zoo.experiments.claims import RULE, VERDICTS
from zoo.reporting.blocks import Claim, Claims, Details, Picture, Section, Table
from zoo.reporting.cells import number
from zoo.reporting.prose import code, plain
from zoo.reporting.tables import data_set, series_of, table_of

NOTES = (
    "Budget fast: trainings cut down to minutes or hours on two CPU cores, on our own "
    "simulated channels; networks of the COST2100 papers start at the linear KLT codec "
    "there, and where no epoch was better than that start, its value is shown and "
    "marked. Budget full: the paper's sizes, epochs and starts. The linear KLT sends "
    "as many real numbers as the codeword has, after a PCA of the training set; it is "
    "no baseline where phases come free. –: the paper prints a curve, or nothing."
)


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
    title = f"{result['target']}, {result['title']}"
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
        f"difference in {result['unit']} at {result['x']} {_each_place(places)}"
        f"{paper if claim['paper'] else ''}"
    )


def _each_place(differences: dict[str, float]) -> str:
    return "; ".join(
        f"{x}: {value or 0.0:+,.{2 if abs(value) >= 0.01 else 3}f}"  # no -0.000
        for x, value in differences.items()
    )


def summary_section(results: dict[Path, dict]) -> Section:
    """All claims, counted and listed by verdict; those of papers before our own."""
    papers, own = (
        [c for path, result in results.items() for c in claims_of(path, result, [x])]
        for x in ("paper", "ours")
    )
    counted = verdicts(results)._replace(name="claims")
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
        seeds = number(_seeds(result) or None)
        row = [result["target"], result["title"], result["budget"], seeds]
        sums = (counts["paper", v] + counts["ours", v] for v in VERDICTS)
        rows.append([*row, *(number(n or None) for n in sums)])
        total += counts
    for origin, name in (("paper", "claims of papers"), ("ours", "our statements")):
        sums = [number(total[origin, v]) for v in VERDICTS]
        rows.append([f"all {name}", "", "", "", *sums])
    return Table(columns, rows)


def _seeds(result: dict) -> int:
    """Seeds of a result's trainings; 0 where it has none."""
    return max((len(e["runs"]) for e in result["entries"]), default=0)


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
    source = f"Paper: {paper}. " if paper else ""
    budget = plain(result["budget"])
    blocks: list = [f"{source}Budget of ours: {budget}. {result['note']}"]
    image = path.with_suffix(".png")
    if image.is_file():
        caption = f"{result['title']}, ours."
        blocks.append(picture(image, caption, _alt(result), base))
    table = table_of(path, result)
    caption = f"{result['title']}, {result['unit']}."
    blocks.append(table._replace(caption=caption, name=path.stem))
    claims = claims_of(path, result)
    blocks += [Claims(claims)] if claims else []
    blocks.append(provenance(path, result, _runs(result), paper))
    title = f"{result['target']}: {result['title']}"
    return Section(title, anchor(path), blocks, level=3)


def _alt(result: dict) -> str:
    """What one would read off a drawing."""
    ends = [
        f"{series_of(e)} {number(e['ours'])} at {e['x']}" for e in result["entries"]
    ]
    return f"{result['title']}, {result['unit']} over {result['x']}: {', '.join(ends)}"


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


def provenance(path: Path, content: dict, runs: list, paper: str = "") -> Details:
    """Where each number of a file is from: a row per value and run."""
    columns = ["value", "origin", "run", "trained on", "tested on", "seed", "epochs"]
    columns += ["best", "start", "training [s]", "trained at", "evaluated at", "device"]
    columns += ["flags (SHA-256)", "weights (SHA-256)"]
    rows = []
    for name, run in runs:
        commits = [run.get(f"{k}commit") or "" for k in ("train_", "")]
        if not any(commits):
            commits[1] = content.get("commit", "")
        device = run.get("train_device") or run.get("device") or content.get("device")
        trained = data_set(run)
        rows.append(
            [name, "ours", run.get("run") or run.get("name") or "computed", trained]
            + [run.get("tested_on") or trained.removesuffix(":stream")]
            + [number(run.get(k)) for k in ("seed", "epochs", "best_epoch", "init")]
            + [number(run.get("train_seconds")), *(short(c) for c in commits)]
            + [device or ""]
            + [(run.get(f"{k}_sha256") or "")[:12] for k in ("flags", "weights")]
        )
    shown = [i for i in range(len(columns)) if i < 4 or any(row[i] for row in rows)]
    printed = len([e for e in content.get("entries", []) if e["paper"] is not None])
    note = (
        f"Origin of {printed} values in the column paper: {paper}. " if printed else ""
    )
    source = content.get("row", content)
    made = (
        f"{note or 'Origin: '}ours, {code(path.name)}, made by "
        f"{code(_command(content))}, commit {plain(short(source.get('commit', '')))}, "
        f"{plain(source.get('date', ''))}, {plain(source.get('device', ''))}."
    )
    table = Table(
        [columns[i] for i in shown], [[row[i] for i in shown] for row in rows]
    )
    return Details("Where these numbers come from", [made, table])


def _command(content: dict) -> str:
    """The command that makes a file, for a target without the others of its call."""
    if "target" not in content:
        source = content.get("row", content)
        return source.get("command", "the commands of its rows")
    return (
        f"python -m zoo.reproduce {content['target']} --budget={content['budget']} "
        f"--seeds={_seeds(content) or 1}"
    )


def short(commit: str) -> str:
    """First letters of a commit, and whether it had changes."""
    head, *rest = commit.split("-")
    return "-".join([head[:9], *rest])
