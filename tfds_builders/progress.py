"""Progress of a long simulation on standard error: share, rate and time left."""

from __future__ import annotations

import sys
import time

EVERY_S = 10.0  # between lines, where the last one cannot be rewritten
REWRITE_EVERY_S = 0.2


class Progress:
    """One line, rewritten on a terminal; elsewhere a new one every `EVERY_S`.

    Args:
      name: what is made.
      total: examples to be made.
    """

    def __init__(self, name: str, total: int):
        self.name, self.total = name, total
        self.done = self.fresh = 0
        self._tty = sys.stderr.isatty()
        self._start = self._printed = time.monotonic()

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *error) -> None:
        if self._tty and self.done < self.total:
            print(file=sys.stderr)  # what follows starts a line of its own

    def add(self, num: int, fresh: bool) -> None:
        """Count examples: `fresh` ones now, others by an earlier, interrupted build."""
        self.done += num
        self.fresh += num * fresh
        interval = REWRITE_EVERY_S if self._tty else EVERY_S
        last = self.done == self.total
        if last or time.monotonic() - self._printed >= interval:
            self._printed = time.monotonic()
            start = "\r\x1b[K" if self._tty else ""
            end = "\n" if last or not self._tty else ""
            print(start + self.text(), end=end, file=sys.stderr, flush=True)

    def text(self) -> str:
        """Share, rate and ETA; the rate is that of the fresh examples."""
        found = self.done - self.fresh
        seconds = time.monotonic() - self._start
        rate = self.fresh / seconds if seconds else 0.0
        text = f"{self.name}: {self.done:,} of {self.total:,} examples"
        text += f" ({100 * self.done // self.total} %"
        text += f", {found:,} found)" if found else ")"
        if rate:
            left = round((self.total - self.done) / rate)
            text += f", {rate:,.0f}/s, ETA {left // 3600}:{left // 60 % 60:02d}"
            text += f":{left % 60:02d}"
        return text
