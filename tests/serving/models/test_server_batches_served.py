"""Micro-batching behind the API: real graphs, concurrent clients, refusals."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import pytest
import tensorflow as tf

from serving.models import model_config
from serving.models.batching import BatchScheduler
from serving.models.batching_parameters import Parameters
from serving.models.model_manager import ModelManager
from serving.models.monitoring import Metrics
from serving.models.servable import Runtime, Servable
from tests.support.serving_harness import (
    MODEL,
    PATH,
    b64,
    local_server,
    outputs,
    predict,
    refusal,
    rest,
)
from tests.support.tiny_export import decode, frames, random_indices

pytest_plugins = ["tests.support.serving_fixtures"]
pytestmark = pytest.mark.serving


class _Naive(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "x")])
    def octets(self, x):
        return {"y": tf.io.decode_raw(x, tf.uint8)}


def test_one_short_string_does_not_poison_the_batch(tmp_path):
    module = _Naive()
    signatures = {"serving_default": module.octets}
    tf.saved_model.save(module, str(tmp_path / "1"), signatures=signatures)
    parameters = Parameters(max_batch_size=8, batch_timeout=0.5, num_batch_threads=1)
    scheduler = BatchScheduler(parameters, metrics := Metrics())
    runtime = Runtime(scheduler=scheduler, allowed_ops=None)
    servable = Servable(tmp_path / "1", runtime, "naive")
    with ThreadPoolExecutor() as pool:
        texts = [b"ab", b"c", b"de"]
        requests = [predict(x=[text]) for text in texts]
        answers = list(pool.map(servable.predict, requests))
    assert [a["y"].tobytes() for a in answers] == texts
    page = metrics.page().decode()
    assert 'processed_batch_size_bucket{le="1.0",model_name="naive"} 3.0' in page
    servable.close()
    scheduler.close()


@pytest.fixture(scope="module")
def batching_server(tiny_export):
    parameters = Parameters(max_batch_size=8, batch_timeout=0.01, num_batch_threads=1)
    metrics = Metrics()
    scheduler = BatchScheduler(parameters, metrics)
    manager = ModelManager(Runtime(scheduler=scheduler))
    manager.apply(model_config.single(MODEL, tiny_export / "decoder"))
    with local_server(manager, metrics, 32) as server:
        server.metrics = metrics
        yield server
    manager.close()
    scheduler.close()


def test_concurrent_clients_share_batches_and_get_their_own_rows(batching_server):
    def call(seed):
        indices = random_indices(1 + seed % 3, seed)
        sent = frames(indices)
        if seed % 5 == 0:
            sent[0] = sent[0][:-1]
        request = predict(feedback_bytes=sent)
        if seed % 7 == 0:
            request.output_filter.append("valid")
        answer = outputs(batching_server.prediction.Predict(request, timeout=60))
        keep = np.arange(len(sent)) >= (seed % 5 == 0)
        np.testing.assert_array_equal(answer["valid"], keep)
        if "h" in answer:
            expected = decode(indices)[keep]
            np.testing.assert_allclose(answer["h"][keep], expected, atol=1e-6)

    with ThreadPoolExecutor(24) as pool:
        list(pool.map(call, range(120)))
    page = batching_server.metrics.page().decode()
    batches = re.search(r"processed_batch_size_count{.*} (\S+)", page).group(1)
    assert 0 < float(batches) < 100


def test_refusals_over_grpc_and_rest(batching_server):
    sent = frames(random_indices(9))
    message = "Task size 9 is larger than maximum input batch size 8"
    answer = refusal(batching_server.prediction.Predict, predict(feedback_bytes=sent))
    assert answer == ("INVALID_ARGUMENT", message)
    document = {"instances": [b64(frame) for frame in sent]}
    status, answer = rest(batching_server, "POST", f"{PATH}:predict", document)
    assert (status, answer) == (400, {"error": message})
    request = predict(feedback_bytes=sent[:1])
    with pytest.raises(grpc.RpcError) as caught:
        batching_server.prediction.Predict(request, timeout=0.001)
    assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
