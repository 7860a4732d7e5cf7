"""Waits that end, and memory that is held, by a clock of the test's own."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest

from serving.api import patience
from serving.api.load import (
    MOST_UNREAD_BYTES,
    SMALL_BYTES,
    VALUE_BYTES,
    Load,
    Memory,
    json_bytes,
)
from serving.api.patience import HURRY_SECONDS, Patience
from serving.models.request_checks import Limits, ServingError
from tests.support.processes import wait_until

pytestmark = pytest.mark.serving
MB = 1 << 20


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands; the sweeping thread sleeps for ever."""
    now = SimpleNamespace(seconds=0.0, sleep=lambda _: threading.Event().wait())
    now.monotonic = lambda: now.seconds
    monkeypatch.setattr(patience, "time", now)
    return now


def begin(waits: Patience, clock, ages: dict[str, float], ended: list) -> None:
    """Waits of some ages, all of size 1, the oldest first."""
    for name, age in ages.items():
        clock.seconds = -age
        waits.begin(lambda name=name: ended.append(name))
    clock.seconds = 0.0
    waits.sweep()


def test_each_wait_has_its_time(clock):
    ended = []
    begin(Patience(10, 5), clock, {"a": 10.1, "b": 9.9, "c": 0}, ended)
    assert ended == ["a"]


def test_where_it_is_too_much_the_oldest_end_and_no_young_one(clock):
    ended, hurried = [], HURRY_SECONDS + 0.1
    ages = {"a": 9, "b": 8, "c": hurried, "d": HURRY_SECONDS - 0.1, "e": 0, "f": 0}
    begin(Patience(10, 4), clock, ages, ended)
    assert ended == ["a", "b"]  # four are left
    ended.clear()
    begin(Patience(10, 1), clock, ages, ended)
    assert ended == ["a", "b", "c"]  # three are left, that have their time


def test_the_hard_limit_spares_one_that_is_alone(clock):
    ended, waits = [], Patience(10, 4 * MB, 8 * MB)
    waits.begin(lambda: ended.append("old"), 5 * MB)
    young = waits.begin(lambda: ended.append("young"), 3 * MB)
    assert not ended
    waits.grow(young, 1)
    assert ended == ["old"]
    waits.grow(young, 8 * MB)
    assert ended == ["old"]  # nothing else would be freed for
    waits.begin(lambda: ended.append("next"), 8 * MB)
    assert ended == ["old", "young"]
    waits.grow(young, 100 * MB)  # has ended: it counts no more
    assert ended == ["old", "young"]


def test_what_is_over_does_not_end(clock):
    ended, waits = [], Patience(1, 1)
    with waits.during(lambda: ended.append("a")):
        clock.seconds = 0.5
    wait = waits.begin(lambda: ended.append("b"))
    waits.over(wait)
    waits.over(wait)
    clock.seconds = 5
    waits.sweep()
    assert not ended


def test_a_thread_sweeps_and_ends(monkeypatch):
    monkeypatch.setattr(patience, "SWEEP_SECONDS", 0.01)
    before, ended = threading.active_count(), threading.Event()
    relieved = threading.Event()
    Patience(0.05, 1, None, relieved.set).begin(ended.set)
    assert ended.wait(20) and relieved.wait(20)
    wait_until(lambda: threading.active_count() <= before, 20)


def test_memory_is_held_waited_for_and_refused():
    memory = Memory(2 * MB)
    with memory.hold(MB), memory.hold(MB):
        with memory.hold(SMALL_BYTES):  # is not counted
            pass
        with pytest.raises(ServingError, match="RESOURCE_EXHAUSTED: The request takes"):
            with memory.hold(MB):
                pass
    entered = threading.Event()

    def second():
        with memory.hold(2 * MB, timeout=20):
            entered.set()

    with memory.hold(MB):
        waiting = threading.Thread(target=second)
        waiting.start()
        assert not entered.wait(0.05)
    assert entered.wait(20)
    waiting.join()
    with pytest.raises(ServingError, match="2097152 are there for all"):
        with memory.hold(2 * MB + 1, timeout=1e6):  # refused without the wait
            pass


def test_a_request_of_the_largest_size_finds_room():
    largest, ended = MOST_UNREAD_BYTES + MB, []
    load = Load(Limits(request_bytes=largest))
    with load.receiving.during(lambda: ended.append("cut"), 0) as received:
        load.receiving.grow(received, largest)
        with load.line.hold(largest), load.work.hold(largest):
            assert not ended


def test_memory_of_json_by_its_marks():
    assert json_bytes(b'{"a": [1, 2]}') == 13 + 3 * VALUE_BYTES
