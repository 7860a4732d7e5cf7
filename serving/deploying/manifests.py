"""Docker Compose and Kubernetes manifests of a deployment, as dictionaries."""

from __future__ import annotations

from dataclasses import dataclass

from serving import TENSORFLOW_ENVIRONMENT
from serving.deploying.config_files import (
    CONFIG_ROOT,
    GRPC_PORT,
    METRICS_PATH,
    MODELS_ROOT,
    REST_PORT,
    SECRETS_ROOT,
    server_flags,
)

NAME = "csi-decoder"
LABELS = {"app.kubernetes.io/name": NAME}
PORTS = {"grpc": GRPC_PORT, "rest": REST_PORT}
# Loading two versions of every model, warm-up included, must fit into this time.
STARTUP_SECONDS = 300
UTILISATION = 0.6  # of a replica, planned for by capacity and kept by the autoscaler


@dataclass(frozen=True)
class Cluster:
    """What the manifests leave to choose.

    Attributes:
        image: container image of TensorFlow Serving.
        model: name whose metadata says that the server is ready.
        tls: whether ssl.config is there.
        cpu: cores of one replica.
        memory: of one replica; a reload holds two versions of a model at a time.
        replicas: to start with, and least.
        max_replicas: most.
        utilisation: share of its cores at which the autoscaler keeps a replica.
        queue_metric: name under which the cluster's Prometheus adapter offers the
            queueing time of the batches in milliseconds; empty: scale on CPU alone.
    """

    image: str = "tensorflow/serving:2.20.0"
    model: str = "csi_decoder"
    tls: bool = False
    cpu: int = 2
    memory: str = "2Gi"
    replicas: int = 2
    max_replicas: int = 8
    utilisation: float = UTILISATION
    queue_metric: str = ""

    @property
    def ready_path(self) -> str:
        """REST path that answers 404 until a version of the model is available."""
        return f"/v1/models/{self.model}/metadata"


def compose(cluster: Cluster) -> dict:
    """docker-compose.yaml: one server, its ports on the loopback interface."""
    volumes = [f"./models:{MODELS_ROOT}:ro", f"./config:{CONFIG_ROOT}:ro"]
    if cluster.tls:
        volumes.append(f"./secrets:{SECRETS_ROOT}:ro")
    service = {
        "image": cluster.image,
        "entrypoint": ["tensorflow_model_server"],
        "command": server_flags(cluster.tls),
        "environment": TENSORFLOW_ENVIRONMENT,
        "ports": [f"127.0.0.1:{port}:{port}" for port in PORTS.values()],
        "volumes": volumes,
        "restart": "unless-stopped",
        "healthcheck": {
            "test": ["CMD", "bash", "-c", _ready_script(cluster)],
            "interval": "10s",
            "timeout": "5s",
            "retries": 3,
            "start_period": f"{STARTUP_SECONDS}s",
        },
    }
    return {"services": {NAME: service}}


def _ready_script(cluster: Cluster) -> str:
    # The image has no curl. "$" is doubled for Compose by the writer of the file.
    request = f"GET {cluster.ready_path} HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n"
    return (
        f"exec 3<>/dev/tcp/127.0.0.1/{REST_PORT} && "
        f"printf '{request}' >&3 && read -r _ status _ <&3 && [[ $$status == 200 ]]"
    )


def deployment(cluster: Cluster) -> dict:
    """kubernetes/deployment.yaml."""
    pod = {
        "containers": [_container(cluster)],
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 60,
        "volumes": [
            {
                "name": "models",
                "persistentVolumeClaim": {"claimName": f"{NAME}-models"},
            },
            {"name": "config", "configMap": {"name": f"{NAME}-config"}},
        ],
    }
    if cluster.tls:
        secret = {"name": "secrets", "secret": {"secretName": f"{NAME}-tls"}}
        pod["volumes"].append(secret)
    annotations = {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": str(REST_PORT),
        "prometheus.io/path": METRICS_PATH,
    }
    spec = {
        "replicas": cluster.replicas,
        "selector": {"matchLabels": LABELS},
        "strategy": {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
        "template": {
            "metadata": {"labels": LABELS, "annotations": annotations},
            "spec": pod,
        },
    }
    return _manifest("apps/v1", "Deployment", spec)


def _container(cluster: Cluster) -> dict:
    mounts = {"models": MODELS_ROOT, "config": CONFIG_ROOT}
    if cluster.tls:
        mounts["secrets"] = SECRETS_ROOT
    # The kubelet's gRPC probe speaks no TLS.
    alive = {"grpc": {"port": GRPC_PORT, "service": "ModelService"}}
    if cluster.tls:
        alive = {"tcpSocket": {"port": "grpc"}}
    ready = {"httpGet": {"path": cluster.ready_path, "port": "rest"}}
    resources = {"cpu": str(cluster.cpu), "memory": cluster.memory}
    return {
        "name": NAME,
        "image": cluster.image,
        "command": ["tensorflow_model_server"],
        "args": server_flags(cluster.tls),
        "env": [{"name": k, "value": v} for k, v in TENSORFLOW_ENVIRONMENT.items()],
        "ports": [{"name": n, "containerPort": port} for n, port in PORTS.items()],
        "volumeMounts": [
            {"name": name, "mountPath": path, "readOnly": True}
            for name, path in mounts.items()
        ],
        "startupProbe": {
            **ready,
            "periodSeconds": 5,
            "failureThreshold": STARTUP_SECONDS // 5,
        },
        "readinessProbe": {**ready, "periodSeconds": 5},
        "livenessProbe": {**alive, "periodSeconds": 10},
        "resources": {"requests": resources, "limits": resources},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        },
    }


def service(cluster: Cluster) -> dict:
    """kubernetes/service.yaml: without an address of its own.

    A gRPC client keeps one connection for all its requests; behind a single address all
    of them would go to one replica. With the replicas' own addresses the client (policy
    round_robin) or a mesh spreads them.
    """
    ports = [
        {"name": name, "port": port, "targetPort": name} for name, port in PORTS.items()
    ]
    spec = {"clusterIP": "None", "selector": LABELS, "ports": ports}
    return _manifest("v1", "Service", spec)


def autoscaler(cluster: Cluster) -> dict:
    """kubernetes/hpa.yaml: on CPU and, where named, on the queueing time."""
    percent = round(100 * cluster.utilisation)
    cpu = {"type": "Utilization", "averageUtilization": percent}
    metrics = [{"type": "Resource", "resource": {"name": "cpu", "target": cpu}}]
    if cluster.queue_metric:
        target = {"type": "AverageValue", "averageValue": "5"}
        metric = {"metric": {"name": cluster.queue_metric}, "target": target}
        metrics.append({"type": "Pods", "pods": metric})
    spec = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": NAME},
        "minReplicas": cluster.replicas,
        "maxReplicas": cluster.max_replicas,
        "metrics": metrics,
    }
    return _manifest("autoscaling/v2", "HorizontalPodAutoscaler", spec)


AUTOSCALER_COMMENT = """\
# CPU says how much work there is; it stays at its limit however long the queue is. The
# queueing time of the batches says how late answers are, so it asks for as many
# replicas as are missing. It comes from the Prometheus page of the server
# (:tensorflow:serving:batching_session:queuing_latency, a histogram in microseconds)
# through an adapter of the cluster, which has to give its mean in milliseconds: name it
# with --queue_metric.
"""


def _manifest(api: str, kind: str, spec: dict) -> dict:
    metadata = {"name": NAME, "labels": LABELS}
    return {"apiVersion": api, "kind": kind, "metadata": metadata, "spec": spec}
