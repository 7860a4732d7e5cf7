"""Compose and Kubernetes manifests: fields, flags, references, the readiness script."""

from __future__ import annotations

import os
import subprocess

import pytest
import yaml

from serving.deploying import config_files as config
from serving.deploying import manifests
from serving.deployment import yaml_text

pytest_plugins = ["tests.support.serving_fixtures"]
# Flags of tensorflow_model_server that a deployment may use, as its main.cc has them.
TENSORFLOW_SERVING_FLAGS = """
port rest_api_port rest_api_timeout_in_ms model_config_file
model_config_file_poll_wait_seconds file_system_poll_wait_seconds enable_batching
allow_version_labels_for_unavailable_models batching_parameters_file
monitoring_config_file tensorflow_session_config_file ssl_config_file
enable_grpc_healthcheck_service enable_serialization_as_tensor_content enable_profiler
""".split()
REQUIRED = {  # Kubernetes kind: API version, paths that must be there
    "Deployment": (
        "apps/v1",
        "replicas selector.matchLabels template.metadata.labels "
        "template.spec.containers.0.name template.spec.containers.0.image "
        "template.spec.containers.0.readinessProbe.httpGet.path "
        "template.spec.containers.0.livenessProbe "
        "template.spec.containers.0.resources.limits.memory "
        "template.spec.volumes.1.configMap.name",
    ),
    "Service": ("v1", "selector ports.0.name ports.0.port ports.1.targetPort"),
    "HorizontalPodAutoscaler": (
        "autoscaling/v2",
        "scaleTargetRef.kind scaleTargetRef.name minReplicas maxReplicas "
        "metrics.0.resource.target.averageUtilization",
    ),
}


def load(make, **cluster) -> dict:
    return yaml.safe_load(yaml_text(make(manifests.Cluster(**cluster))))


@pytest.mark.parametrize("with_tls", [False, True])
def test_flags_are_those_of_tensorflow_serving(with_tls):
    names = [flag[2:].partition("=")[0] for flag in config.server_flags(with_tls)]
    assert set(names) <= set(TENSORFLOW_SERVING_FLAGS)
    assert len(names) == len(set(names)) == 12 + with_tls
    assert "--enable_profiler=false" in config.server_flags(with_tls)


def test_onednn_is_on_everywhere():
    pod = load(manifests.deployment)["spec"]["template"]["spec"]["containers"][0]
    assert pod["env"] == [{"name": "TF_ENABLE_ONEDNN_OPTS", "value": "1"}]
    service = load(manifests.compose)["services"][manifests.NAME]
    assert service["environment"] == {"TF_ENABLE_ONEDNN_OPTS": "1"}
    assert os.environ["TF_ENABLE_ONEDNN_OPTS"] == "1"  # importing serving sets it


@pytest.mark.parametrize("name", ["deployment", "service", "autoscaler"])
def test_kubernetes_manifests(name):
    manifest = load(getattr(manifests, name))
    api, paths = REQUIRED[manifest["kind"]]
    assert manifest["apiVersion"] == api
    assert manifest["metadata"]["name"] == manifests.NAME
    for path in paths.split():
        value = manifest["spec"]
        for key in path.split("."):
            value = value[int(key) if key.isdigit() else key]
        assert value or value == 0, path


def test_manifests_refer_to_each_other():
    deployment = load(manifests.deployment, model="csi_x", tls=True)["spec"]
    template = deployment["template"]
    labels = template["metadata"]["labels"]
    assert load(manifests.service)["spec"]["selector"] == labels
    assert deployment["selector"]["matchLabels"] == labels
    (container,) = template["spec"]["containers"]
    volumes = {volume["name"] for volume in template["spec"]["volumes"]}
    assert {mount["name"] for mount in container["volumeMounts"]} == volumes
    ready = container["readinessProbe"]["httpGet"]
    assert ready == {"path": "/v1/models/csi_x/metadata", "port": "rest"}
    scaled = load(manifests.autoscaler, queue_metric="csi_queue_ms")["spec"]
    assert scaled["scaleTargetRef"]["name"] == manifests.NAME
    assert scaled["metrics"][1]["pods"]["metric"]["name"] == "csi_queue_ms"


def test_autoscaler_keeps_the_utilisation_that_capacity_plans_for():
    for cluster, percent in (
        ({}, 100 * manifests.UTILISATION),
        ({"utilisation": 0.35}, 35),
    ):
        (cpu,) = load(manifests.autoscaler, **cluster)["spec"]["metrics"]
        assert cpu["resource"]["target"]["averageUtilization"] == percent


@pytest.mark.serving
def test_ready_script_of_compose(tiny_server):
    cluster = manifests.Cluster(model="csi_decoder")
    service = manifests.compose(cluster)["services"][manifests.NAME]
    _, *words = service["healthcheck"]["test"]
    script = words[-1].replace("$$", "$")
    for model, status in (("csi_decoder", 0), ("absent", 1)):
        there = script.replace("/8501", f"/{tiny_server.rest_port}")
        there = there.replace("/csi_decoder/", f"/{model}/")
        process = subprocess.run([*words[:-1], there], timeout=60)
        assert process.returncode == status
