"""One file over HTTP: what is there in part goes on where it stopped."""

from __future__ import annotations

import contextlib
import http.client
import os
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from tfds_builders import progress

TIMEOUT_S = 60
CHUNK = 1 << 16


def hub() -> str:
    """Address of the Hugging Face hub; `HF_ENDPOINT` names another one."""
    return os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")


def fetch_rest(url: str, target: Path, limit: int, shown_as: str = "") -> None:
    """Fetch a file, or the rest of it.

    Args:
      url: of the file.
      target: where it goes; its content is taken for the beginning of the file.
      limit: most bytes that it may have.
      shown_as: name in the progress bar; '': none.

    Raises:
      OSError: not reachable, refused (`urllib.error.HTTPError`), or cut off, where
        what has arrived stays.
      http.client.HTTPException: an answer that is not HTTP.
      ValueError: more bytes than the limit; nothing stays.
    """
    begun = target.stat().st_size if target.is_file() else 0
    asked = {"Range": f"bytes={begun}-"} if begun else {}
    request = urllib.request.Request(urllib.parse.quote(url, safe=":/%@"), None, asked)
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            _write(answer, target, _start(answer, begun, url), limit, shown_as)
    except urllib.error.HTTPError as error:
        if not (error.code == 416 and begun):  # nothing is behind what is there
            raise


def _start(answer: http.client.HTTPResponse, begun: int, url: str) -> int:
    """The byte that the answer begins with."""
    if answer.status != http.client.PARTIAL_CONTENT:
        return 0
    place = answer.headers.get("Content-Range", f"bytes {begun}-")
    if not place.startswith(f"bytes {begun}-"):
        raise OSError(f"{url}: got {place}, asked for the bytes from {begun} on")
    return begun


def _write(answer, target: Path, size: int, limit: int, shown_as: str) -> None:
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(target.open("ab" if size else "wb"))
        shown = None
        if shown_as:
            bar = progress.bar(limit, shown_as, "B", initial=size, scale=True)
            shown = stack.enter_context(bar)
        while block := answer.read(CHUNK):
            size += len(block)
            if size > limit:
                target.unlink()
                raise ValueError(f"{answer.url}: more than the {limit:,} bytes allowed")
            file.write(block)
            if shown:
                shown.update(len(block))
    if answer.length:  # what was announced and did not come
        raise OSError(
            f"{answer.url}: cut off after {size:,} bytes; the same command goes on "
            "there"
        )
