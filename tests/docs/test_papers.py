"""The table of the papers' items: every one with a verdict, none left out."""

from __future__ import annotations

import re

from tests.conftest import ROOT
from tests.zoo.experiments.test_reproduce_targets import EVERY, named_in

PAGE = ROOT / "docs/reproduce/papers.md"
HEADS = {
    "crnet": "CRNet", "clnet": "CLNet", "cllwcsinet": "CLLWCsiNet", "lora": "LORA",
    "dualnet": "DualNet-MP",
}  # fmt: skip
VERDICT = re.compile(r"(exact|deviates|open)\b")


def tables() -> dict[str, list[list[str]]]:
    """Rows of each section's table, without its heads."""
    found = {}
    for section in re.split(r"^## ", PAGE.read_text(), flags=re.MULTILINE)[1:]:
        title, _, text = section.partition("\n")
        lines = [line for line in text.splitlines() if line.startswith("|")][2:]
        cells = (re.split(r"(?<!\\)\|", line)[1:-1] for line in lines)
        found[title] = [[cell.strip() for cell in row] for row in cells]
    return found


def test_every_item_has_a_verdict():
    found = tables()
    assert len(found.pop("Counts")) > 10
    for title, rows in found.items():
        assert len(rows) > 5, title
        for row in rows:
            assert len(row) == 3 and all(row), row
            assert VERDICT.match(row[2]), row
            if row[2].startswith("deviates"):
                assert re.match(r"deviates\b.{8}", row[2]), row  # and why


def test_every_table_and_figure_is_an_item():
    found = tables()
    for number, paper in enumerate(EVERY):
        text = " ".join(row[0] for row in found[HEADS[paper]])
        places = re.sub(r"(Figs?\.? |Tables? )", rf"S{number} \1", text)
        places = places.replace(" to ", "-")
        named = named_in(places)
        roman, figures = EVERY[paper]
        wanted = {f"{paper}.figure{n}" for n in figures}
        wanted |= {f"{paper}.table{i + 1}" for i in range(len(roman.split()))}
        assert wanted <= named, (paper, wanted - named)
