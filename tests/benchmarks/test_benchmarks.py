"""The speed workers' protocol and one small comparison."""

from __future__ import annotations

import io
import json
import re

import pytest

from benchmarks import arm64, worker
from tests.conftest import TINY, assert_one_line_error, run_command
from zoo.reporting import tables

pytest_plugins = ["tests.support.serving_fixtures"]


def test_worker_answers_in_lines(capsys):
    calls = []
    worker.serve(lambda: calls.append(1), io.StringIO("2\n1\nquit\n5\n"))
    first, second = (json.loads(x) for x in capsys.readouterr().out.splitlines())
    assert (len(first), len(second), len(calls)) == (2, 1, 3)
    with pytest.raises(ValueError, match="'x', expected a number of steps"):
        worker.serve(lambda: 0.0, io.StringIO("x\n"))


def test_worker_reports_what_fails(capsys):
    def prepare():
        raise RuntimeError("no compiler\nlong trace")

    assert worker.run(prepare) == 1
    assert json.loads(capsys.readouterr().out) == {"error": "RuntimeError: no compiler"}


def test_arm64_without_packages_is_skipped(tmp_path):
    (tmp_path / "golden.npz").touch()
    given = (f"--export={tmp_path}", f"--folder={tmp_path / 'arm64'}")
    done = run_command("benchmarks.arm64", *given, env={"PATH": str(tmp_path)})
    assert done.returncode == 0, done.stderr[-2000:]
    assert "skipped: no apt-get: this needs a Debian 12 machine" in done.stdout
    done = run_command("benchmarks.arm64", f"--export={tmp_path / 'no'}")
    assert_one_line_error(done, "golden.npz", "--export=DIR?")


def test_arm64_takes_the_installed_emulator(tmp_path, monkeypatch):
    """And the status is that of the golden vectors there."""
    emulator, asked = tmp_path / "qemu-aarch64", tmp_path / "asked"
    emulator.write_text(f'#!/bin/sh\necho "$@" > {asked}\nexit 3\n')
    emulator.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert arm64.replay(tmp_path / "arm64", tmp_path / "export") == 3
    words = asked.read_text().split()
    assert words[:2] == ["-cpu", arm64.PROCESSOR] and "serving.golden" in words
    emulator.unlink()
    (tmp_path / "arm64").mkdir()
    with pytest.raises(arm64.UnavailableError, match="no apt-get"):
        arm64.replay(tmp_path / "arm64", tmp_path / "export")


@pytest.mark.slow
@pytest.mark.serving
def test_served_decoder_beside_the_direct_one(tiny_export, tmp_path):
    for engine in ("tf2onnx", "onnxruntime", "openvino"):
        pytest.importorskip(engine)
    target = tmp_path / "serving.json"
    short = ("--rounds=2", "--repeats=2", "--seconds=0.2", f"--json={target}")
    export = f"--export={tiny_export}"
    done = run_command("benchmarks.serving", export, *short, timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(target.read_text())
    threads = found["threads"]
    assert threads["server"] == threads["direct, server's threads"]
    assert f"_inter_op_parallelism={threads['server']['inter_op']}" in done.stdout
    keys = ("engine", "rows", "callers", "clients")
    rows = {tuple(row.get(key) for key in keys): row for row in found["rows"]}
    direct = max(
        rows["SavedModel, server's threads", 32, callers, None]["matrices_per_s"]
        for callers in (1, 4)
    )
    row = rows["server", 32, None, 4]
    assert row["over_direct"] == pytest.approx(row["matrices_per_s"] / direct, abs=2e-3)


@pytest.mark.slow
def test_systems_side_by_side(tmp_path):
    small = ("--codeword_dim=4", "--batch_size=2", "--rounds=2", "--steps=1")
    target = tmp_path / "speed.json"
    done = run_command(
        "benchmarks.train", "--networks=csinet", *small, f"--json={target}", timeout=600
    )
    assert done.returncode == 0, done.stderr[-2000:]
    (row,) = json.loads(target.read_text())["rows"]
    assert row["ours_over"]["fused"] == 1
    assert {"keras", "keras, oneDNN off"} < set(row["step_ms"])


@pytest.mark.slow
@pytest.mark.tflite
def test_precisions_of_networks(data_dir, tmp_path):
    changes = " ".join(
        f"--{name}={value}"
        for name, value in (TINY | {"data_dir": data_dir}).items()
        if name != "model"
    )
    target = tmp_path / "precisions_16.json"
    flags = (
        "--networks=csinet,cllwcsinet", "--precision=fp32,dynamic,pruned",
        f"--flags={changes} --codeword_dim=128",
        f"--directory={tmp_path}", f"--json={target}",
    )  # fmt: skip
    done = run_command("benchmarks.precisions", *flags, timeout=900)
    assert done.returncode == 0, done.stderr[-2000:]
    result = json.loads(target.read_text())
    assert [row["model"] for row in result["rows"]] == ["csinet", "cllwcsinet"]
    for row in result["rows"]:
        fp32, dynamic = (row["precisions"][x] for x in ("fp32", "dynamic"))
        assert fp32["of_fp32"] == 1 and fp32["delta_db"] == 0
        assert dynamic["of_fp32"] == pytest.approx(dynamic["kib"] / fp32["kib"])
    assert [len(row["precisions"]) for row in result["rows"]] == [3, 2]
    shown = tables.table_of(target, result)
    cells = [dict(zip(shown.columns, row, strict=True)) for row in shown.rows]
    assert all(re.fullmatch(r"0/[1-9]\d*", row["int8 operations"]) for row in cells)
    assert float(cells[2]["KiB, gzip"]) < 0.8 * float(cells[0]["KiB, gzip"])
    assert len(shown.rows) == 5 and shown.caption == "Encoders at 1/16, 6 bits"
    again = run_command("benchmarks.precisions", *flags, timeout=600)
    assert "zoo.train" not in again.stdout and "zoo.export" not in again.stdout
    del result["rows"][0]["precisions"]["fp32"]["num_operations"]
    assert "" == tables.table_of(target, result).rows[0][8]  # of an older file
    other = run_command("benchmarks.precisions", *flags, "--precision=fp32,fp16")
    assert_one_line_error(other, "csinet_export has fp32, dynamic, pruned: remove it")
    other = run_command("benchmarks.precisions", *flags, f"--flags={changes}")
    assert_one_line_error(other, "csinet holds a run with other flags (--codeword_dim")


@pytest.mark.slow
def test_eigenvectors_at_equal_bits(eigen_config, tmp_path):
    target = tmp_path / "eigenvectors.json"
    args = (
        f"--dataset={eigen_config.dataset}", f"--data_dir={eigen_config.data_dir}",
        "--ranks=1", "--param_combinations=1", "--num_test=20", f"--json={target}",
        "--codecs=pursuit_fixed,klt_coded",
    )  # fmt: skip
    done = run_command("benchmarks.eigenvectors", *args, timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]
    rows = json.loads(target.read_text())["rows"]
    assert [row["model"] for row in rows] == (
        ["etype2", "type2", "type1"] + 2 * ["pursuit"] + 2 * ["klt_coded"]
    )
    payload = round(rows[0]["feedback_bits"])
    for row in rows[4], rows[6]:
        assert row["model_args"]["report_bits"] == payload
    assert rows[4]["feedback_bits_min_max"][1] <= payload
    again = run_command("benchmarks.eigenvectors", *args, "--codecs=klt_coded")
    assert again.returncode == 0 and "SGCS" not in again.stdout
    table = tables.table_of(target, {"rows": rows})
    assert [row[0] for row in table.rows if "pursuit, at most" in row[0]]
