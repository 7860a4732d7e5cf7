"""Progress of long work on standard error, by tqdm: share, rate and time left.

On a terminal a bar, rewritten; elsewhere a line from time to time and no carriage
returns, so that a log stays readable and what is done soon says nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

from tqdm import tqdm

EVERY_S = 60.0  # between lines, where the last one cannot be rewritten
REWRITE_EVERY_S = 0.2
SHARE = "{desc}: {n_fmt} of {total_fmt}{unit} ({percentage:.0f} %)"
LINE = SHARE + ", {rate_fmt}, ETA {remaining}"
COUNT = "{desc}: {n_fmt}{unit}, {rate_fmt}"  # where the end is not known


class _Lines(tqdm):
    """A line for each state that is shown."""

    monitor_interval = 0  # no thread
    shown = False

    def display(self, msg=None, pos=None) -> None:
        self.shown = True
        print(msg or str(self), file=self.fp, flush=True)

    def clear(self, nolock=False) -> None:
        """Nothing to wipe out."""

    def close(self) -> None:
        if not self.disable:
            self.disable = True
            self._decr_instances(self)
            if self.leave or self.shown:
                self.display()


def bar(
    total: int | None,
    name: str,
    unit: str = " items",
    initial: int = 0,
    leave: bool = False,
    scale: bool = False,
) -> tqdm:
    """A tqdm bar, or lines where standard error is no terminal.

    Args:
        total: how much there is to do; None: not known.
        name: what is done.
        unit: of the total.
        initial: done before this process began; the rate leaves it out.
        leave: whether the last state stays, however soon it was reached.
        scale: whether large numbers are shown as 1.2G.
    """
    options = {"total": total, "desc": name, "unit": unit, "initial": initial}
    options |= {"leave": leave, "file": sys.stderr, "miniters": 1, "smoothing": 0}
    options |= {"unit_scale": scale}
    if sys.stderr.isatty():
        return tqdm(**options, mininterval=REWRITE_EVERY_S, dynamic_ncols=True)
    text = (LINE if total else COUNT) + "{postfix}"
    return _Lines(**options, mininterval=EVERY_S, delay=EVERY_S, bar_format=text)


def track(items: Sequence, name: str) -> Iterator:
    """The items, one after the other, with progress."""
    with bar(len(items), name) as shown:
        for item in items:
            yield item
            shown.update()


def say(text: str) -> None:
    """Print a line to standard output, above the bar where there is one."""
    if sys.stderr.isatty():
        tqdm.write(text)
    else:
        print(text, flush=True)


class Progress:
    """Progress of a simulation of which an earlier process may have done a part.

    Args:
      name: what is made.
      total: examples to be made.
    """

    def __init__(self, name: str, total: int):
        self._bar = bar(total, name, " examples", leave=True)

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *error) -> None:
        self._bar.close()

    def add(self, num: int, fresh: bool) -> None:
        """Count examples: `fresh` ones now, others by an earlier, interrupted build."""
        if not fresh:
            self._bar.initial += num
            self._bar.set_postfix_str(f"{self._bar.initial} found", refresh=False)
        self._bar.update(num)
