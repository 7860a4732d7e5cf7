"""The results tables of Markdown pages, made again from the JSON files that they name.

A table stands between `<!-- results: FILE -->` and `<!-- end of results -->`; for a
folder of results of zoo.reproduce it is that of their claims, for one of weights that
of their cards. FILE is named from the page's folder or from one above it, such as the
project's; several files of eigenvectors, separated by commas, share their tables.
"""

from __future__ import annotations

import re
from pathlib import Path

from zoo import files
from zoo.importing import weights_by_name
from zoo.reporting import (
    eigen_curves,
    eigen_tables,
    quickstart_table,
    results_files,
)
from zoo.reporting.blocks import Table, markdown
from zoo.reporting.result_sections import trainings, verdicts
from zoo.reporting.results_files import complete
from zoo.reporting.tables import table_of
from zoo.reporting.training_tables import pretrained

BEGIN = re.compile(r"<!-- results: (.+?) -->\n")
END = "<!-- end of results -->"


def pages_of(path: Path) -> list[Path]:
    """A Markdown file, or those with tables in a folder and below.

    Raises:
        FileNotFoundError: no such file or folder.
        ValueError: no page of the folder has a table.
    """
    if not path.is_dir():
        if not path.is_file():
            raise FileNotFoundError(f"{path}: no such Markdown file or folder")
        return [path]
    pages = [p for p in sorted(path.rglob("*.md")) if BEGIN.search(text_of(p))]
    if not pages:
        raise ValueError(
            f"{path}: no .md file has a table, expected a line <!-- results: FILE -->"
        )
    return pages


def text_of(path: Path) -> str:
    """A page as it is."""
    return path.read_text(encoding="utf-8")


def update(page: Path) -> bool:
    """Make a page's tables again; whether anything was new.

    Raises:
        FileNotFoundError, ValueError: see `updated`.
    """
    text = text_of(page)
    new = updated(text, page.parent)
    if new != text:
        files.write_text(page, new)
    return new != text


def updated(text: str, folder: Path) -> str:
    """A text with its tables made again.

    Args:
        text: Markdown.
        folder: where it is.

    Raises:
        FileNotFoundError, ValueError: as `block` and `find`, or a table has no end.
    """
    before, *rest = BEGIN.split(text)
    parts = [before]
    for name, behind in zip(rest[::2], rest[1::2], strict=True):
        _, end, after = behind.partition(END)
        if not end:
            raise ValueError(f"<!-- results: {name} -->: no {END} behind it")
        names = [one.strip() for one in name.split(",")]
        if not all(names):
            raise ValueError(f"<!-- results: {name} -->: expected a file at each comma")
        table = block(*(find(one, folder) for one in names))
        parts.append(f"<!-- results: {name} -->\n{table}{END}{after}")
    return "".join(parts)


def find(name: str, folder: Path) -> Path:
    """A file or folder named from `folder` or from one above it, the nearest first.

    Raises:
        FileNotFoundError: there is none.
    """
    folder = folder.resolve()
    for above in (folder, *folder.parents):
        if (above / name).exists():
            return above / name
    raise FileNotFoundError(f"{name}: no such file in {folder} or above it")


def block(path: Path, *more: Path) -> str:
    """What a page shows of a results file or a folder of them, in Markdown.

    Args:
        path: file or folder.
        *more: files whose rows stand in the same tables: of eigenvectors.

    Raises:
        FileNotFoundError, ValueError: no such file, or it is no result, or not one of
            those that share tables.
    """
    if more:
        return _of_eigenvectors(path, *more)
    if path.is_dir() and weights_by_name.shipped(path):
        return markdown(weights_table(path))
    if path.is_dir():
        results = results_files.load(path)
        return f"{markdown(verdicts(results))}\n{trainings(results)}\n"
    content = results_files.read(path)
    if path.stem == "crnet_quickstart":
        with complete(path):
            return f"```\n{quickstart_table.table(content['summary'])}\n```\n"
    if eigen_curves.is_eigen(content):
        return _of_eigenvectors(path)
    return markdown(table_of(path, content)._replace(caption=""))


def _of_eigenvectors(*paths: Path) -> str:
    rows = []
    for path in paths:
        content = results_files.read(path)
        if not eigen_curves.is_eigen(content):
            raise ValueError(f"{path}: only files of eigenvectors share their tables")
        with complete(path):
            rows += results_files.rows_of(content)
            shown = eigen_tables.tables(rows)
    return "\n".join(markdown(table._replace(caption="")) for table in shown)


def weights_table(path: Path) -> Table:
    """The sets of weights of a folder.

    Raises:
        ValueError: a card lacks a key; the message names it.
    """
    named = weights_by_name.shipped(path)
    with complete(path):
        return pretrained(
            {k: files.read_json(p / "card.json") for k, p in named.items()}
        )
