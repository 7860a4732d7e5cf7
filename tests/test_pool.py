"""Runs of an experiment side by side: each once, on cores of its own."""

from __future__ import annotations

import functools
import os
import threading

import pytest

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


def test_pool_stops_at_a_failure():
    pool, made = Pool(), []

    def fail():
        raise ValueError("no data")

    pool.row("a", fail)
    with pytest.raises(ValueError, match="no data"):
        pool.row("b", lambda: made.append(1)).result()
    assert not made
