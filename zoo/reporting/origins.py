"""Where the numbers of a results file come from: runs, commits, devices, commands."""

from __future__ import annotations

from pathlib import Path

from zoo.reporting.blocks import Details, Table
from zoo.reporting.cells import device, number
from zoo.reporting.prose import code, plain
from zoo.reporting.rate_curves import data_set, trained_on


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
        where = run.get("train_device") or run.get("device") or content.get("device")
        made = run.get("run") or run.get("name") or "computed"
        rows.append(
            [name, "ours", made, trained_on(run)]
            + [run.get("tested_on") or data_set(run).removesuffix(":stream")]
            + [number(run.get(k)) for k in ("seed", "epochs", "best_epoch", "init")]
            + [number(run.get("train_seconds")), *(short(c) for c in commits)]
            + [device(where or "")]
            + [(run.get(f"{k}_sha256") or "")[:12] for k in ("flags", "weights")]
        )
    shown = [i for i in range(len(columns)) if i < 4 or any(row[i] for row in rows)]
    printed = len([e for e in content.get("entries", []) if e["paper"] is not None])
    printed += len(content.get("published_elsewhere", []))
    note = (
        f"Origin of {printed} values in the column paper: {paper}. " if printed else ""
    )
    made = f"{note or 'Origin: '}ours, {code(path.name)}, made by {_made_by(content)}"
    table = Table(
        [columns[i] for i in shown], [[row[i] for i in shown] for row in rows]
    )
    return Details("Where these numbers come from", [made, table])


def _made_by(content: dict) -> str:
    """Command, commit, date and device, of the rows where a file has none itself."""
    source = {**content, **content.get("row", {})}
    if "commit" not in source:
        return "the commands of its rows; commits and devices below."
    where = short(source["commit"]), source["date"], device(source["device"])
    return ", ".join([code(_command(content)), f"commit {plain(where[0])}",
                      *map(plain, where[1:])]) + "."  # fmt: skip


def _command(content: dict) -> str:
    """The command that makes a file, for a target without the others of its call."""
    if "target" not in content:
        return {**content, **content.get("row", {})}["command"]
    return (
        f"python -m zoo.reproduce {content['target']} --budget={content['budget']} "
        f"--seeds={seeds_of(content) or 1}"
    )


def short(commit: str) -> str:
    """First letters of a commit, and whether it had changes."""
    head, *rest = commit.split("-")
    return "-".join([head[:9], *rest])


def seeds_of(result: dict) -> int:
    """Seeds of a result's trainings; 0 where it has none."""
    return max((len(e["runs"]) for e in result["entries"]), default=0)
