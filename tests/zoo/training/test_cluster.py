"""TF_CONFIG in the forms that schedulers write, and waiting for workers."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time

import pytest

from tests.conftest import ROOT, run_command, tiny_flags
from tests.support.processes import children, ended, wait_until
from zoo.training import cluster

TWO = ("a:2222", "b:2222")
FORMS = [
    ({"worker": list(TWO)}, ("worker", 1), (TWO, 1)),
    ({"worker": "a:2222, b:2222"}, ("worker", "0"), (TWO, 0)),
    ({"chief": ["a:2222"], "worker": ["b:2222"]}, ("chief", 0), (TWO, 0)),
    ({"chief": ["a:2222"], "worker": ["b:2222"]}, ("worker", 0), (TWO, 1)),
    ({"chief": "a:2222", "worker": "b:2222"}, ("worker", 0), (TWO, 1)),
    ({"chief": ["a:2222"]}, ("chief", 0), (("a:2222",), 0)),
    ({"worker": ["[::1]:2222"]}, ("worker", 0), (("[::1]:2222",), 0)),
]
WRONG = [
    ("", "Expecting value"),
    ("[]", "list indices"),
    ('{"cluster": {"worker": ["a:1"]}}', "'task'"),
    ('{"cluster": 3, "task": {"type": "worker", "index": 0}}', "not iterable"),
    ({"worker": ["a:1"], "ps": ["b:1"]}, "job 'ps', expected chief and worker alone"),
    ({"worker": ["a:1"], "evaluator": ["b:1"]}, "job 'evaluator'"),
    ({"worker": ["a"]}, "'a' is not host:port"),
    ({"worker": ["a:x"]}, "'a:x' is not host:port"),
    ({"worker": ["a:99999"]}, "'a:99999' is not host:port"),
    ({"worker": ["a:1", "a:1"]}, "an address is there twice"),
    ({"worker": []}, "there is no worker of index 0"),
    ({"chief": ["a:1", "b:1"], "worker": ["c:1"]}, "2 chiefs, expected one"),
    ({"worker": [3]}, "no attribute 'strip'"),
]


def config(jobs: dict, kind: str = "worker", index: int | str = 0) -> str:
    return json.dumps({"cluster": jobs, "task": {"type": kind, "index": index}})


@pytest.mark.parametrize(("jobs", "task", "expected"), FORMS)
def test_forms_of_a_cluster(jobs, task, expected, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", config(jobs, *task))
    found = cluster.read()
    assert found == expected
    monkeypatch.setenv("TF_CONFIG", found.to_json())
    assert cluster.read() == expected
    assert set(json.loads(found.to_json())["cluster"]) == {"worker"}


@pytest.mark.parametrize(("given", "why"), WRONG)
def test_an_unusable_cluster_is_one_line(given, why, monkeypatch):
    text = given if isinstance(given, str) else config(given)
    monkeypatch.setenv("TF_CONFIG", text)
    match = f"TF_CONFIG is .*{re.escape(why)}.*set it to JSON such as"
    with pytest.raises(ValueError, match=match):
        cluster.read()


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def test_who_is_waited_for_is_said(monkeypatch, capsys):
    monkeypatch.setattr(cluster, "QUIET_SECONDS", 0.0)
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 0.05)
    source, sink = os.pipe()
    with socket.create_server(("127.0.0.1", 0)) as there:
        own, missing = free_ports(2)
        ports = own, there.getsockname()[1], missing
        found = cluster.Cluster(tuple(f"127.0.0.1:{port}" for port in ports), 0)
        with pytest.raises(
            OSError, match=rf"^worker 2 \(127.0.0.1:{missing}\) did not"
        ):
            cluster._wait_for_others(found, source, 0.3)
        os.write(sink, b"+")
        cluster._wait_for_others(found, source, 0.3)
    said = capsys.readouterr().out
    assert said == f"waiting for worker 2 (127.0.0.1:{missing}), 0.3 s at most\n"
    os.close(source)
    os.close(sink)


def environment(jobs: dict, *task) -> dict[str, str]:
    return {**os.environ, "TF_CONFIG": config(jobs, *task)}


@pytest.mark.slow
def test_a_missing_worker_ends_the_command_in_time(data_dir, tmp_path):
    addresses = [f"127.0.0.1:{port}" for port in free_ports(2)]
    flags = tiny_flags(data_dir, tmp_path / "run", strategy="multi_worker")
    env = environment({"chief": addresses[:1], "worker": addresses[1:]}, "chief")
    done = run_command("zoo.train", *flags, "--worker_timeout=25", env=env)
    assert done.returncode == 1
    assert f"waiting for worker 1 ({addresses[1]}), 25 s at most" in done.stdout
    assert f"error: worker 1 ({addresses[1]}) did not come in 25 s" in done.stderr
    assert not (tmp_path / "run").exists() and not children("zoo.train")


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_worker_that_waits_ends_with_its_command(number, data_dir, tmp_path):
    addresses = [f"127.0.0.1:{port}" for port in free_ports(2)]
    flags = tiny_flags(data_dir, tmp_path / "run", strategy="multi_worker")
    process = subprocess.Popen(
        [sys.executable, "-m", "zoo.train", *flags], cwd=ROOT, text=True,
        env=environment({"worker": ",".join(addresses)}, "worker", "0"),
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    while not process.stdout.readline().startswith("waiting for worker 1"):
        assert process.poll() is None
    workers = children("zoo.train", process.pid)
    assert workers
    time.sleep(10)  # TensorFlow waits, too
    process.send_signal(number)
    assert process.wait(15) == (130 if number == signal.SIGINT else -number)
    wait_until(lambda: all(map(ended, workers)), 10)
    process.stdout.close()
