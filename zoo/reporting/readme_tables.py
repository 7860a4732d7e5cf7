"""The results tables of the README, made again from the JSON files that they name.

A table stands between `<!-- results: FILE -->` and `<!-- end of results -->`; for a
folder of results of zoo.reproduce it is that of their claims.
"""

from __future__ import annotations

import re
from pathlib import Path

from zoo import files
from zoo.reporting import quickstart_table, results_files
from zoo.reporting.blocks import markdown
from zoo.reporting.result_sections import trainings, verdicts
from zoo.reporting.results_files import complete
from zoo.reporting.tables import table_of

BEGIN = re.compile(r"<!-- results: (\S+) -->\n")
END = "<!-- end of results -->"


def block(path: Path) -> str:
    """What the README shows of a results file or a folder of them, in Markdown.

    Raises:
        FileNotFoundError, ValueError: no such file, or it is no result.
    """
    if path.is_dir():
        results = results_files.load(path)
        return f"{markdown(verdicts(results))}\n{trainings(results)}\n"
    content = files.read_json(path)
    if path.stem == "crnet_quickstart":
        with complete(path):
            return f"```\n{quickstart_table.table(content['summary'])}\n```\n"
    return markdown(table_of(path, content)._replace(caption=""))


def updated(text: str, root: Path) -> str:
    """A text with its tables made again.

    Args:
        text: Markdown.
        root: folder that the files are named from.

    Raises:
        FileNotFoundError, ValueError: as `block`, or a table has no end.
    """
    before, *rest = BEGIN.split(text)
    parts = [before]
    for name, behind in zip(rest[::2], rest[1::2], strict=True):
        _, end, after = behind.partition(END)
        if not end:
            raise ValueError(f"<!-- results: {name} -->: no {END} behind it")
        parts.append(f"<!-- results: {name} -->\n{block(root / name)}{END}{after}")
    return "".join(parts)
