"""Make tables and figures of the papers: python -m zoo.reproduce lora.table1.

    python -m zoo.reproduce --list
    python -m zoo.reproduce lora.figure6 --seeds=3 --processes=2 --json=FILE
    python -m zoo.reproduce --redraw=zoo/results/reproduce
    python -m zoo.reproduce --rejudge=zoo/results/reproduce

Every training that the target needs is made in --directory unless it is there already,
for this target or another, so a command that was killed goes on where it was; with
--processes several at a time, their output in --directory; with --engine=ray on a Ray
cluster. `full` has the paper's sizes and epochs, `fast` is for minutes to hours on two
CPU cores. The table shows the published value, where the paper prints one, beside ours,
and what becomes of the paper's claims, which --rejudge makes again without a training.
Targets that begin with zoo are no paper's.
"""

from __future__ import annotations

import shlex
from pathlib import Path

from absl import flags

from tfds_builders import cli, locks
from zoo import config_flags, files, registry
from zoo.experiments import (
    bits,
    cllwcsinet,
    clnet,
    cost2100,
    crnet,
    drawings,
    dualnet,
    engines,
    generalisation,
    lora,
    published,
)
from zoo.experiments.pool import Pool
from zoo.experiments.runner import Runner, settings_of
from zoo.experiments.target import Entry, Lab, Target
from zoo.experiments.verdicts import judge

TARGETS: dict[str, Target] = {
    **crnet.TARGETS,
    **clnet.TARGETS,
    **cllwcsinet.TARGETS,
    **lora.TARGETS,
    **dualnet.TARGETS,
    **generalisation.TARGETS,
    **bits.TARGETS,
}
FLAGFILES = {
    "crnet": cost2100.FLAGFILES,
    "clnet": cost2100.FLAGFILES,
    "cllwcsinet": cost2100.FLAGFILES,
    "zoo": cost2100.FLAGFILES,
    "lora": lora.FLAGFILES,
    "dualnet": dualnet.FLAGFILES,
}
BUDGETS = ("fast", "full")
OWN = {
    "seed": "give --seeds",
    "run_dir": "give --directory",
    "weights": "leave it out",
}


def make(name: str, lab: Lab) -> dict:
    """All entries of a target with the verdicts on its claims.

    Raises:
        ValueError: a run failed (it has said why).
    """
    return finish(name, lab, list(TARGETS[name].make(lab)))


def finish(name: str, lab: Lab, pending: list[Entry]) -> dict:
    """Result of a target, when the runs of its entries are complete.

    Raises:
        ValueError: a run failed (it has said why).
    """
    target, entries = TARGETS[name], [entry.finished() for entry in pending]
    result = {
        "target": name,
        "title": target.title,
        "note": target.note,
        "unit": target.unit,
        "x": target.x,
        "budget": lab.budget,
        "entries": entries,
        "claims": [],
        **files.environment(),
        "origin": {"ours": "ours", "paper": "paper"},
    }
    return judged(result)


def judged(result: dict) -> dict:
    """A result with the verdicts on its target's claims, and what else is published.

    Both follow from the target and from the entries: no run is needed.
    """
    name = result["target"]
    flagfile = FLAGFILES[name.partition(".")[0]]["full"]
    printed = published.values(TARGETS[name], flagfile)
    elsewhere = published.elsewhere(result, printed)
    return {**result, "claims": verdicts(result), "published_elsewhere": elsewhere}


def verdicts(result: dict) -> list[dict]:
    """What becomes of the claims of a result's target, the paper's and ours."""
    target = TARGETS[result["target"]]
    return [
        judge(claim, result, origin)
        for origin, claims in (("paper", target.claims), ("ours", target.own))
        for claim in claims
    ]


def render(result: dict) -> str:
    """The result as text: a line per value, then the claims."""
    lines = [f"{result['title']}, {result['unit']} ({result['budget']})"]
    width = 1 + max(19, *(len(e["series"]) for e in result["entries"]))
    header = f"{result['x']:>16}{'paper':>14}{'ours':>14}{'seeds':>7}"
    lines.append(" " * width + header)
    for e in result["entries"]:
        form = ",.0f" if isinstance(e["paper"], int) else ".2f"
        paper = "" if e["paper"] is None else f"{e['paper']:{form}}"
        ours = f"{e['ours']:{form}}"
        count = len(e["ours_by_seed"])
        values = f"{e['x']:>16}{paper:>14}{ours:>14}{count:>7}"
        lines.append(f"{e['series']:<{width}}{values}")
    for claim in result["claims"]:
        found = f"{claim['claim']}: {claim['verdict']} {claim['difference']}"
        paper = f", paper {claim['paper']}" if claim["paper"] else ""
        lines.append(found + paper)
    return "\n".join(lines)


def lab_from_flags(name: str, values: flags.FlagValues, pool: Pool) -> Lab:
    """Where and how a target is made.

    Raises:
        ValueError: no such target.
    """
    if name not in TARGETS:
        raise ValueError(f"{name!r} is no target; choose one of {', '.join(TARGETS)}")
    flagfile = FLAGFILES[name.partition(".")[0]][values.budget]
    check_flags(values.flags)
    settings = settings_of(flagfile, values.flags)
    registry.check_names(settings)
    runner = Runner(Path(values.directory), flagfile, values.flags, pool)
    return Lab(runner, values.budget, values.seeds)


def check_flags(extra: str) -> None:
    """Refuse training flags that this command sets for each run.

    Raises:
        ValueError: one is given, or is no flag of zoo.train.
    """
    given = config_flags.parse(shlex.split(extra), "--flags")
    for name, instead in OWN.items():
        if given[name].present:
            raise ValueError(f"--flags=--{name}: every run has its own; {instead}")


def write(name: str, lab: Lab, result: dict, path: Path) -> None:
    """Print a result, write it as JSON, and draw it where the paper does."""
    print(f"\n{render(result)}")
    files.write_json(path, result)
    draw = TARGETS[name].figure
    if draw:
        with files.atomic_path(path.with_suffix(".png")) as image:
            draw(lab, result, image)
    print(f"result: {path}")


def redraw(folder: Path) -> None:
    """Draw the figures of a folder's results again, but for those that need runs."""
    for path in sorted(folder.glob("*.json")):
        result = files.read_json(path)
        target = TARGETS.get(result.get("target"))
        if target and drawings.needs_no_runs(target.figure):
            with files.atomic_path(path.with_suffix(".png")) as image:
                target.figure(None, result, image)
            print(f"drawn: {path.with_suffix('.png')}")


def is_current(result: dict) -> bool:
    """Whether a file is a result of a target as it is now."""
    target = TARGETS.get(result.get("target"))
    return target is not None and all(
        result[key] == getattr(target, key) for key in ("title", "unit", "x")
    )


def rejudge(folder: Path) -> None:
    """Judge the claims of a folder's results again, from the entries that they hold."""
    for path in sorted(folder.glob("*.json")):
        result = files.read_json(path)
        if not is_current(result):
            if "target" in result:
                print(f"{path.stem}: of an earlier target of that name, make it again")
            continue
        old = {c["claim"]: c["verdict"] for c in result["claims"]}
        new = judged(result)
        files.write_json(path, new)
        for claim in new["claims"]:
            before = old.pop(claim["claim"], "new")
            if before != claim["verdict"]:
                print(f"{path.stem}: {claim['claim']}: {before} -> {claim['verdict']}")
        for text, before in old.items():
            print(f"{path.stem}: {text}: {before} -> claimed no more")


def main(argv: list[str]) -> None:
    """Command line."""
    values, names = flags.FLAGS, argv[1:]
    if values.list:
        for name, target in TARGETS.items():
            print(f"{name:<20} {target.title}")
        return
    if values.redraw or values.rejudge:
        for folder, again in ((values.rejudge, rejudge), (values.redraw, redraw)):
            if folder:
                with locks.alone(folder):
                    again(Path(folder))
        return
    if not names or (values.json and len(names) > 1):
        raise ValueError(
            f"got {names}, expected targets such as lora.table1 (with --json one); "
            "usage: python -m zoo.reproduce TARGET ... [--flag=value ...], --list "
            "shows all"
        )
    with locks.alone(values.directory), locks.alone_for(values.json):
        make_all(names, values)


def make_all(names: list[str], values: flags.FlagValues) -> None:
    """Make targets, one after the other or several at a time, and write them."""
    pool = engines.pool(values)
    labs = {name: lab_from_flags(name, values, pool) for name in names}
    pending = {name: list(TARGETS[name].make(lab)) for name, lab in labs.items()}
    for name, lab in labs.items():
        default = lab.runner.directory / f"{name}_{lab.budget}.json"
        result = finish(name, lab, pending[name])
        write(name, lab, result, Path(values.json or default))


if __name__ == "__main__":
    flags.DEFINE_bool("list", False, "list all targets and end")
    flags.DEFINE_string(
        "redraw", "", "folder of results JSON whose figures are drawn again; then end"
    )
    flags.DEFINE_string(
        "rejudge", "", "folder of results JSON whose claims are judged again; then end"
    )
    flags.DEFINE_enum("budget", "fast", BUDGETS, "size of the trainings")
    flags.DEFINE_integer("seeds", 1, "seeds of every run, 0, 1, ...", 1)
    flags.DEFINE_string("directory", "runs/reproduce", "where the runs live")
    flags.DEFINE_string(
        "flags",
        "",
        "more flags of every training, which win over the target's own, e.g. "
        '"--data_dir=/data --epochs=5"',
    )
    flags.DEFINE_string("json", "", "result; empty: DIRECTORY/TARGET_BUDGET.json")
    engines.define_flags()
    cli.run(main)
