"""Runs of an experiment side by side: each once, on cores of its own."""

from __future__ import annotations

import functools
import os
import threading
from types import SimpleNamespace

import pytest

from zoo.experiments import pool as pool_module
from zoo.experiments.pool import Pool


def test_pool_makes_each_name_once_on_its_own_cores():
    pool, made = Pool(), []

    def make(name):
        made.append((name, os.sched_getaffinity(0)))
        return {"nmse_db": 0.0, "name": name}

    rows = [pool.row(name, functools.partial(make, name)) for name in "aba"]
    assert [row.result()["name"] for row in rows] == ["a", "b", "a"]
    assert [name for name, _ in made] == ["a", "b"]
    assert made[0][1] == os.sched_getaffinity(0)
    assert rows[0].then(lambda row: {"twice": row.run * 2}).result() == {
        "twice": "aa",
        "run": "a",
    }
    with pytest.raises(ValueError, match="--processes=1000: expected 1 to"):
        Pool(1000)


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two cores")
def test_pool_of_two_works_side_by_side():
    pool, together = Pool(2), threading.Barrier(2, timeout=60)

    def make():
        cores = os.sched_getaffinity(0)
        together.wait()
        return {"nmse_db": 0.0, "cores": cores}

    first, second = (pool.row(name, make).result for name in "ab")
    assert not first()["cores"] & second()["cores"]


def test_every_worker_has_as_many_cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2})
    taken = []
    monkeypatch.setattr(os, "sched_setaffinity", lambda _, cores: taken.append(cores))
    pool = Pool(2)
    assert pool.place == "1cores" and Pool(1).place == "3cores"
    pool._take_cores()
    pool._take_cores()
    assert taken == [[0], [1]]


def test_pool_stops_at_a_failure():
    pool, made = Pool(), []

    def fail():
        raise ValueError("no data")

    pool.row("a", fail)
    with pytest.raises(ValueError, match="no data"):
        pool.row("b", lambda: made.append(1)).result()
    assert not made


def test_all_rows_are_waited_for():
    pool, made = Pool(), []
    for name in "ab":
        pool.row(name, lambda: made.append(1) or {"nmse_db": 0.0})
    pool.wait()
    assert len(made) == 2


def test_time_left_is_at_the_pace_of_what_was_made(monkeypatch, capsys):
    """The first row was there before, the second takes two minutes, two are left."""
    times = (0, 0, 0.1, 0.1, 1, 120, 120, 120, 240, 240, 240, 360, 360)
    clock, all_asked = iter(times), threading.Event()
    fake = SimpleNamespace(monotonic=lambda: next(clock))
    monkeypatch.setattr(pool_module, "time", fake)

    def make():
        assert all_asked.wait(60)
        return {"nmse_db": 0.0}

    pool = Pool()
    rows = [pool.row(name, make) for name in "abcd"]
    all_asked.set()
    for row in rows:
        row.result()
    said = [line.partition("; ")[2] for line in capsys.readouterr().out.splitlines()]
    assert said == [
        "1 of 4 runs, ?run/s, ETA ?",
        "2 of 4 runs, 120.00s/run, ETA 04:00",
        "3 of 4 runs, 120.00s/run, ETA 02:00",
        "4 of 4 runs, 120.00s/run, ETA 00:00",
    ]
