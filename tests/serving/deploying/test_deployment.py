"""The tree of `python -m serving.deployment`: parsed back, replayed, served, routed."""

from __future__ import annotations

import json
import shutil
import stat
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import yaml
from google.protobuf import text_format
from tensorflow.core.protobuf import config_pb2, saved_model_pb2
from tensorflow_serving.apis import prediction_log_pb2
from tensorflow_serving.config import model_server_config_pb2

from serving import deployment
from serving.codec import checksums, framing
from serving.conformance import conformance
from serving.conforming.target import Target
from serving.deploying import config_files as config
from serving.deploying import manifests
from serving.deploying.exports import ROUTES_FILE, read_exports
from serving.deploying.warmup import BATCH_SIZES, replay, warmup_inputs
from serving.models import allowed_ops, serving_protos, warmup_records
from serving.models.servable import Servable
from serving.ue_side.router import Router, read_routes
from tests.conftest import assert_one_line_error, run_command
from tests.support.serving_harness import MODEL, TIMEOUT, command, running_server
from tests.support.tiny_export import (
    MODEL_ID,
    PAYLOAD_BYTES,
    decode,
    frames,
    random_indices,
    save_decoder,
    save_encoder,
)

NAME = "csi_tiny_0badcafe"
LABELS = "--allow_version_labels_for_unavailable_models"
PEM = "-----BEGIN {0}-----\nQUJD\n-----END {0}-----\n"


@pytest.fixture(scope="module")
def export(tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("tiny")
    save_encoder(directory)
    for version in (1, 2):
        save_decoder(directory / "decoder" / str(version))
    return directory


@pytest.fixture(scope="module")
def tree(export, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("deploy")
    process = command("serving.deployment", f"--export={export}", f"--out={out}")
    printed, err = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 0, err
    assert f"models/{NAME}/1: added\nmodels/{NAME}/2: added\n" in printed
    return out


def parsed(path: Path, kind):
    return text_format.Parse(path.read_text(), kind())


def test_models_config(tree):
    path = tree / "config" / "models.config"
    server = parsed(path, model_server_config_pb2.ModelServerConfig)
    (model,) = server.model_config_list.config
    assert (model.name, model.base_path) == (NAME, f"/models/{NAME}")
    assert model.model_platform == "tensorflow"
    assert list(model.model_version_policy.specific.versions) == [1, 2]
    assert dict(model.version_labels) == {"stable": 1, "canary": 2}
    (single,) = config.model_server_config({"x": [7]}).model_config_list.config
    assert dict(single.version_labels) == {"stable": 7}


def test_other_text_files(tree):
    folder = tree / "config"
    batching = parsed(
        folder / "batching_parameters.txt", serving_protos.BatchingParameters
    )
    # TensorFlow Serving refuses a list that does not end with the largest batch.
    assert batching.allowed_batch_sizes[-1] == batching.max_batch_size.value == 32
    assert tuple(batching.allowed_batch_sizes) == BATCH_SIZES
    assert (batching.num_batch_threads.value, batching.max_enqueued_batches.value) == (
        2,
        64,
    )
    monitoring = parsed(folder / "monitoring.config", serving_protos.MonitoringConfig)
    assert monitoring.prometheus_config.enable
    assert monitoring.prometheus_config.path == config.METRICS_PATH
    session = parsed(folder / "session.config", config_pb2.ConfigProto)
    assert session.intra_op_parallelism_threads == 1
    assert session.inter_op_parallelism_threads == 2


def test_warmup_covers_every_batch_with_valid_frames(tree):
    version = tree / "models" / NAME / "2"
    sizes = []
    for record in tf.data.TFRecordDataset(str(version / warmup_records.FILE)):
        log = prediction_log_pb2.PredictionLog.FromString(record.numpy())
        request = log.predict_log.request
        assert request.model_spec.name == NAME
        frames = tf.make_ndarray(request.inputs["feedback_bytes"])
        sizes.append(len(frames))
        for frame in frames:
            assert len(framing.unframe(frame, MODEL_ID)) == PAYLOAD_BYTES
        answer = tf.make_ndarray(log.predict_log.response.outputs["h"])
        assert answer.shape == (len(frames), 32, 32, 2) and len(np.unique(answer)) > 9
    assert tuple(sizes) == BATCH_SIZES
    replay(version)


def test_warmup_takes_the_uplink():
    codec = {"sections": [[3, 8]], "model_id": "0badcafe", "csi_shape": [32, 32, 2]}
    assert list(warmup_inputs(codec, 4)) == ["feedback_bytes"]
    uplink = warmup_inputs({**codec, "uplink": True}, 4)["uplink"]
    assert uplink.shape == (4, 32, 32) and uplink.dtype == np.float32


def test_again_keeps_versions_and_refuses_another_under_the_same_number(
    export, tmp_path, capsys
):
    exports = read_exports([str(export)], [])
    cluster = manifests.Cluster(model=NAME)
    deployment.write_tree(exports, tmp_path, cluster)
    path = tmp_path / "models" / NAME / "1" / "saved_model.pb"
    before = path.stat().st_mtime_ns
    capsys.readouterr()
    deployment.write_tree(exports, tmp_path, cluster)
    assert capsys.readouterr().out.splitlines() == [
        f"models/{NAME}/1: kept",
        f"models/{NAME}/2: kept",
        f"{NAME}: serves [1, 2], stable 1, canary 2",
    ]
    assert path.stat().st_mtime_ns == before
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(ValueError, match="models/csi_tiny_0badcafe/1 holds another"):
        deployment.write_tree(exports, tmp_path, cluster)


def copy_with_codec(export: Path, target: Path, **changes) -> Path:
    shutil.copytree(export, target)
    codec = json.loads((target / "codec.json").read_text())
    (target / "codec.json").write_text(json.dumps({**codec, **changes}))
    return target


def test_decoder_of_another_codec_is_refused(export, tmp_path):
    other = copy_with_codec(export, tmp_path / "other", model_id="deadbeef")
    exports = read_exports([str(other)], [])
    with pytest.raises(ValueError, match="refuses the frames of its own codec.json"):
        deployment.write_tree(exports, tmp_path / "out", manifests.Cluster())
    (left,) = (tmp_path / "out" / "models").iterdir()
    assert list(left.iterdir()) == []


def test_operations_that_are_allowed_are_so_in_the_warm_up(export, tmp_path):
    own = copy_with_codec(export, tmp_path / "own")
    path = own / "decoder" / "1" / allowed_ops.FILE
    model = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    model.meta_graphs[0].graph_def.node.add(name="now", op="Timestamp")
    path.write_bytes(model.SerializeToString())
    where = tmp_path / "out", manifests.Cluster()
    with pytest.raises(ValueError, match="--allow_ops=Timestamp"):
        deployment.write_tree(read_exports([str(own)], []), *where)
    taken = allowed_ops.allowed(["Timestamp"])
    deployment.write_tree(read_exports([str(own)], [], taken), *where)
    assert (where[0] / "models" / NAME / "1" / warmup_records.FILE).is_file()


def test_exports_are_checked(export, tmp_path):
    with pytest.raises(FileNotFoundError, match="codec.json: keep the encoder in its"):
        read_exports([str(tmp_path)], [])
    with pytest.raises(ValueError, match="model name x twice"):
        read_exports([str(export), str(export)], ["x", "x"])
    with pytest.raises(ValueError, match="model id 0badcafe twice"):
        read_exports([str(export), str(export)], ["x", "y"])
    with pytest.raises(ValueError, match="2 times --model_name for 1 times --export"):
        read_exports([str(export)], ["x", "y"])
    with pytest.raises(ValueError, match="--model_name=a/b: expected letters"):
        read_exports([str(export)], ["a/b"])
    files = {"encoder.tflite": "0" * 64}
    damaged = copy_with_codec(export, tmp_path / "damaged", files=files)
    with pytest.raises(ValueError, match="encoder.tflite is missing, damaged"):
        read_exports([str(damaged)], [])
    empty = copy_with_codec(export, tmp_path / "empty")
    shutil.rmtree(empty / "decoder")
    with pytest.raises(ValueError, match="no decoder/<version>/"):
        read_exports([str(empty)], [])


def test_routes_and_names(tree, export, tmp_path):
    assert json.loads((tree / ROUTES_FILE).read_text()) == {
        "csi_shape": [32, 32, 2],
        "max_rows": max(BATCH_SIZES),
        "models": {"0badcafe": {"name": NAME, "uplink": False}},
    }
    other = copy_with_codec(export, tmp_path / "other", model_id="deadbeef")
    with pytest.raises(ValueError, match="decodes frames of 0badcafe, not of deadbeef"):
        deployment.write_tree(
            read_exports([str(other)], [NAME]), tree, manifests.Cluster()
        )


def test_a_new_name_serves_nothing_that_lies_there(export, tmp_path):
    """It may be the decoder of another encoder that had the name once."""
    newer = copy_with_codec(export, tmp_path / "newer")
    shutil.rmtree(newer / "decoder" / "1")
    (exported,) = read_exports([str(newer)], ["x"])
    models = tmp_path / "models"
    shutil.copytree(export / "decoder" / "1", models / "x" / "1")
    before = model_server_config_pb2.ModelServerConfig()
    assert deployment._add(exported, models, before, [2]) == [2]


def test_tls_keeps_its_key_out_of_the_configuration(export, tmp_path):
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    key.write_text(PEM.format("PRIVATE KEY"))
    certificate.write_text(PEM.format("CERTIFICATE"))
    ssl = config.ssl_config(key, certificate)
    cluster = manifests.Cluster(model=NAME, tls=True)
    out = tmp_path / "deploy"
    deployment.write_tree(read_exports([str(export)], []), out, cluster, ssl)
    path = out / "secrets" / "ssl.config"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert parsed(path, serving_protos.SSLConfig) == serving_protos.SSLConfig(
        server_key=key.read_text(), server_cert=certificate.read_text()
    )
    service = yaml.safe_load((out / "docker-compose.yaml").read_text())["services"]
    assert "--ssl_config_file=/secrets/ssl.config" in service[manifests.NAME]["command"]
    container = manifests.deployment(cluster)["spec"]["template"]["spec"]["containers"]
    assert "tcpSocket" in container[0]["livenessProbe"]
    assert config.ssl_config(key, certificate, certificate).client_verify
    certificate.write_text("text")
    with pytest.raises(ValueError, match=r"cert.pem: expected a PEM file for server_c"):
        config.ssl_config(key, certificate)


def test_every_file_of_the_flags_is_written(tree):
    service = yaml.safe_load((tree / "docker-compose.yaml").read_text())["services"]
    command = service[manifests.NAME]["command"]
    files = [flag.partition("=")[2] for flag in command if "=/config/" in flag]
    assert len(files) == 4
    for file in files:
        assert (tree / file.lstrip("/")).is_file(), file


@pytest.mark.slow
@pytest.mark.serving
def test_the_reference_server_runs_the_files(export, tmp_path):
    exports = read_exports([str(export)], [MODEL])
    deployment.write_tree(exports, tmp_path, manifests.Cluster(model=MODEL))
    path = tmp_path / "config" / "models.config"
    path.write_text(path.read_text().replace('"/models/', f'"{tmp_path}/models/'))
    flags = [
        flag.replace("=/config/", f"={tmp_path}/config/")
        for flag in config.server_flags(False)
        if "port=" not in flag
    ]
    with running_server(None, *flags) as server:
        target = Target(server.endpoint, f"127.0.0.1:{server.rest_port}", MODEL)
        framed = framing.Framer({"model_id": MODEL_ID.hex()})
        results = conformance(target, framed=framed, max_batch_size=32)
        target.close()
        verdicts = {result.case: result.verdict for result in results}
        assert [r for r in results if r.verdict == "FAIL"] == []
        assert verdicts["batching: more rows than a batch"] == "pass"
        assert verdicts["REST Prometheus page"] == "pass"
        routes, indices = read_routes(tmp_path / ROUTES_FILE), random_indices(40)
        for label in ("stable", "canary"):
            with Router(server.endpoint, routes, TIMEOUT, label) as router:
                h, valid = router.decode([b"", *frames(indices)])
            assert valid.tolist() == [False] + [True] * 40
            np.testing.assert_allclose(h[1:], decode(indices), atol=1e-6)


def test_a_version_that_answers_otherwise_is_not_served(tree, tmp_path):
    """Its hashes are right: the machine computes wrongly, or never had them."""
    version = tmp_path / "1"
    shutil.copytree(tree / "models" / NAME / "1", version)
    (version / checksums.NAME).unlink()
    _record_other_answers(version)
    with pytest.raises(ValueError, match="0 is answered otherwise: h differs in"):
        Servable(version)


def _record_other_answers(version: Path) -> None:
    path = version / warmup_records.FILE
    logs = list(warmup_records.read(path))
    with tf.io.TFRecordWriter(str(path)) as writer:
        for log in logs:
            other = tf.make_ndarray(log.response.outputs["h"]) + 1e-3
            log.response.outputs["h"].CopyFrom(tf.make_tensor_proto(other))
            record = prediction_log_pb2.PredictionLog(predict_log=log)
            writer.write(record.SerializeToString())


def test_any_server_can_be_asked_for_the_recorded_answers(export, tmp_path):
    """As operators of TensorFlow Serving do, whose server compares nothing."""
    out = tmp_path / "tree"
    exports = read_exports([str(export)], [MODEL])
    deployment.write_tree(exports, out, manifests.Cluster())
    models = tmp_path / "models.config"
    text = (out / "config" / "models.config").read_text()
    models.write_text(text.replace('"/models/', f'"{out}/models/'))
    with running_server(None, f"--model_config_file={models}", LABELS) as server:
        flags = [f"--out={out}", f"--ask={server.endpoint}"]
        done = run_command("serving.deployment", *flags)
        assert done.stdout.splitlines() == [
            f"{MODEL}/1: {len(BATCH_SIZES)} answers as recorded",
            f"{MODEL}/2: {len(BATCH_SIZES)} answers as recorded",
        ], done.stderr
        _record_other_answers(out / "models" / MODEL / "2")
        done = run_command("serving.deployment", *flags)
    assert_one_line_error(done, f"{MODEL}/2: request 0 is answered otherwise")
