"""Streams of fresh training drops: purity, resuming, failing and ending."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from itertools import islice

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from tests.conftest import ROOT, run_command, tiny_flags
from tests.support.processes import children, ended, wait_until
from tfds_builders import blocks
from tfds_builders import stream as drops
from tfds_builders.cost2100_sim.cost2100_sim_dataset_builder import DATASET_SEED
from tfds_builders.stream import CHUNK_BLOCKS, Stream, block_csi
from zoo.data import splits, stream, training_source
from zoo.run_directory import RunDirectory
from zoo.training import evaluation, session

INDOOR = ("cost2100_sim", {"scenario": "indoor"})
TINY_STREAM = {
    "dataset": "cost2100_sim/indoor_tiny:stream",
    "num_train": 480,  # more than is stored
    "batch_size": 60,
}


def workers() -> list[int]:
    return children("tfds_builders.stream")


def source_batches(config, start_epoch, count):
    steps, batches_from = training_source.training_source(config)
    with batches_from(start_epoch) as batches:
        return steps, np.stack(list(batches.take(count).as_numpy_iterator()))


def test_workers_do_not_import_tensorflow():
    code = (
        "import sys; from tfds_builders import blocks, staging, stream;"
        "blocks.simulator_of('cost2100_sim');"
        "print(sorted({n.split('.')[0] for n in sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True
    )
    assert "'numpy'" in done.stdout and "tensorflow" not in done.stdout, done.stderr


def test_blocks_are_the_same_whatever_the_workers():
    single = [block_csi(*INDOOR, 5, block) for block in range(3, 3 + CHUNK_BLOCKS)]
    with Stream(*INDOOR, 5) as one, Stream(*INDOOR, 5, workers=2) as two:
        first = list(islice(one.chunks(3), 2))
        second = list(islice(two.chunks(3), 2))
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(first[0], np.concatenate(single))
    assert not np.array_equal(*first)
    assert not workers() and list(one.chunks()) == []


def test_drops_are_neither_stored_ones_nor_those_of_another_seed(tiny_config, tmp_path):
    config = tiny_config(tmp_path, num_train=0, num_validation=0, num_test=0)
    names = ("train", "validation", "test")
    stored = [splits.load_split(config, name).csi for name in names]
    fresh = [block_csi(*INDOOR, s, b) for s in (0, 1, DATASET_SEED) for b in (0, 1)]
    rows = np.concatenate([*stored, *fresh]).reshape(600 + 600, -1)
    assert len(np.unique(rows, axis=0)) == len(rows)


def test_drops_have_the_statistics_of_the_stored_ones(tiny_config, tmp_path):
    stored = splits.load_split(tiny_config(tmp_path, num_train=0), "train").h
    fresh = np.concatenate([block_csi(*INDOOR, 0, b) for b in range(10)]) - 0.5
    norm = np.linalg.norm(fresh.reshape(1000, -1), axis=1)
    assert norm.max() < 0.9 + 1e-5 and np.median(norm) > 0.89
    energies = [np.sum(h**2, axis=-1) for h in (stored, fresh)]
    early = [e[..., :4].sum((1, 2)) / e.sum((1, 2)) for e in energies]
    peak = [e.max((1, 2)) / e.sum((1, 2)) for e in energies]
    assert stats.ks_2samp(*early).pvalue > 0.01
    assert stats.ks_2samp(*peak).pvalue > 0.01


@pytest.mark.parametrize(("skip", "size"), [(0, 4), (3, 4), (12, 4), (25, 7), (2, 23)])
def test_rebatch_keeps_order_and_loses_nothing(skip, size):
    samples = np.arange(60).reshape(60, 1)
    batches = list(stream.rebatch(samples.reshape(6, 10, 1), skip, size))
    count = (60 - skip) // size
    expected = samples[skip : skip + count * size].reshape(count, size, 1)
    np.testing.assert_array_equal(batches, expected)


def test_batches_depend_on_seed_epoch_and_step_only(tiny_config, tmp_path):
    config = tiny_config(tmp_path, **TINY_STREAM)
    steps, whole = source_batches(config, 0, 26)
    other = tiny_config(tmp_path, **TINY_STREAM, stream_workers=2)
    _, resumed = source_batches(other, 2, 10)
    assert steps == 8 and whole.shape == (26, 60, 32, 32, 2)
    np.testing.assert_array_equal(whole[16:], resumed)
    rows = whole.reshape(26 * 60, -1)
    assert len(np.unique(rows, axis=0)) == len(rows)  # no drop twice
    _, seeded = source_batches(tiny_config(tmp_path, **TINY_STREAM, seed=1), 0, 1)
    assert len(np.unique([*rows[:60], *seeded.reshape(60, -1)], axis=0)) == 120


def test_scalings_are_those_of_stored_data(tiny_config, tmp_path):
    batches = {}
    for scaling in ("stored", "per_sample", "global"):
        config = tiny_config(tmp_path, **TINY_STREAM, scaling=scaling)
        batches[scaling] = source_batches(config, 0, 1)[1][0] - np.float32(0.5)
    np.testing.assert_array_equal(batches["stored"], batches["per_sample"])
    metadata = splits.open_builder(config.dataset, config.data_dir).info.metadata
    expected = block_csi(*INDOOR, 0, 0, metadata["global_scale"])[:60] - 0.5
    np.testing.assert_allclose(batches["global"], expected, atol=1e-6)


@pytest.mark.slow
def test_interrupted_training_resumes_to_the_same_metrics(
    tiny_config, tmp_path, monkeypatch
):
    changes = {**TINY_STREAM, "model": "csinet", "num_train": 60, "batch_size": 20}
    append, cut = RunDirectory.append_metrics, []

    def interrupt(run, record):
        if record["epoch"] == 2:
            cut.append(record)
            raise KeyboardInterrupt
        append(run, record)

    monkeypatch.setattr(RunDirectory, "append_metrics", interrupt)
    with pytest.raises(KeyboardInterrupt):
        session.train(tiny_config(tmp_path, **changes))
    assert not workers()
    monkeypatch.undo()
    run = session.train(tiny_config(tmp_path, **changes, stream_workers=2))
    assert not workers()
    values, expected = (
        [record["loss"], record["val_nmse_db"], record["lr"]]
        for record in (run.read_metrics()[1], *cut)
    )
    np.testing.assert_allclose(values, expected, rtol=1e-5)
    row, h, _ = evaluation.evaluate(run)
    assert row["dataset_config"] == "indoor_tiny:stream" and row["num_train"] == 60
    assert row["nmse_pca_db"] < 0 and len(h) == 50


def test_training_examples_of_a_stream_are_stored_ones(tiny_config, tmp_path):
    csi = splits.load_split(tiny_config(tmp_path, num_train=0), "train").csi
    streamed = tiny_config(tmp_path, **TINY_STREAM)
    np.testing.assert_array_equal(
        training_source.training_examples(streamed, 30), csi[:30]
    )
    assert len(training_source.training_examples(streamed, 9999)) == 400
    few = training_source.training_examples(tiny_config(tmp_path, num_train=20), 30)
    np.testing.assert_array_equal(few, csi[:20])


def distributed(batches):
    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    iterator = iter(strategy.experimental_distribute_dataset(batches))
    while True:
        (batch,) = strategy.experimental_local_results(next(iterator))
        yield batch


@pytest.mark.slow
def test_stream_with_two_replicas(data_dir, tmp_path):
    changes = {**TINY_STREAM, "strategy": "mirrored", "logical_cpus": 2}
    flags = tiny_flags(data_dir, tmp_path, **changes, deterministic="true")
    done = run_command("zoo.train", *flags)
    assert done.returncode == 0, done.stderr[-2000:]
    assert len(RunDirectory(tmp_path).read_metrics()) == 2


def test_error_of_a_worker_is_one_clear_error():
    words = "ended with status 1: ValueError: unknown COST2100 scenario 'attic'"
    attic = Stream("cost2100_sim", {"scenario": "attic"}, 0)
    with pytest.raises(ChildProcessError, match=words) as caught:
        with stream.batches(attic, 60, steps=8) as batches:
            next(iter(batches))
    assert "\n" not in str(caught.value) and not workers()


def test_csi_that_does_not_fit_the_stream_is_refused(monkeypatch):
    csi = np.zeros((100, 32, 16, 2), np.float32)
    monkeypatch.setattr(blocks, "simulator_of", lambda name: lambda *a: {"csi": csi})
    task = {"args": ["name", {}, 0], "scale": None}
    with pytest.raises(ValueError, match=r"float32 \(1000, 32, 16, 2\), a stream"):
        drops._chunk(task, 0)


@pytest.mark.parametrize("read", [iter, distributed])
def test_killed_worker_is_one_clear_error(read):
    expected = block_csi(*INDOOR, 0, 0)[:60]
    with pytest.raises(ChildProcessError, match="worker was killed by signal 9"):
        with stream.batches(Stream(*INDOOR, 0), 60, steps=8) as batches:
            iterator = read(batches)
            np.testing.assert_array_equal(next(iterator), expected)
            os.kill(workers()[0], signal.SIGKILL)
            for _ in range(100):
                next(iterator)


def test_other_errors_end_the_workers_and_stay_themselves():
    with pytest.raises(ZeroDivisionError):
        with stream.batches(Stream(*INDOOR, 0, workers=2), 60, steps=8) as batches:
            iterator = iter(batches)
            next(iterator)
            assert len(workers()) == 2
            raise ZeroDivisionError
    assert not workers()


def test_workers_end_when_their_reader_is_killed():
    code = (
        "from tfds_builders.stream import Stream\n"
        f"drops = Stream(*{INDOOR}, 0, workers=2)\n"
        "next(chunks := drops.chunks())\n"
        "print(*[p.pid for p in drops._processes], flush=True)\n"
        "input()\n"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, **pipes) as reader:
        pids = [int(pid) for pid in reader.stdout.readline().split()]
        assert len(pids) == 2 and not any(map(ended, pids))
        reader.kill()
    wait_until(lambda: all(map(ended, pids)))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"dataset": "cost2100/indoor:stream"}, "'cost2100' has no simulator"),
        ({"dataset": "cost2100_sim/indoor_tiny:foo"}, "ends in ':foo'.*':stream'"),
        ({"dataset": "cost2100_sim/indor:stream"}, "no configuration 'indor'"),
        ({"strategy": "multi_worker"}, "--strategy=multi_worker.*on one machine"),
        ({"num_train": 10}, "10 training examples .*--batch_size=60"),
        ({"seed": 2**32}, "seed=4294967296"),
        ({"stream_workers": 0}, "--stream_workers=0"),
    ],
)
def test_wrong_uses_name_the_value(tiny_config, tmp_path, changes, words):
    with pytest.raises(ValueError, match=words):
        training_source.training_source(
            tiny_config(tmp_path, **{**TINY_STREAM, **changes})
        )
