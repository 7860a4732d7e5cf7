"""Write a tree that TensorFlow Serving can be started on: Docker, Compose, Kubernetes.

    python -m serving.deployment --export=export/crnet --export=export/csinet \
        --out=deploy

    deploy/models/<name>/<version>/   decoders, with warm-up records
    deploy/config/                    models.config, batching_parameters.txt, ...
    deploy/secrets/ssl.config         where --ssl_key and --ssl_cert are given
    deploy/routes.json                which model decodes the frames of which encoder
    deploy/docker-compose.yaml        docker compose up
    deploy/kubernetes/                deployment, service, hpa

Run again with a new version: it appears under its number in one step, with its warm-up
inside, and versions that are already there stay as they are.
"""

from __future__ import annotations

import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import yaml
from absl import flags
from google.protobuf.message import Message

from serving import deployment_config as config
from serving import deployment_manifests as manifests
from serving.deployment_exports import (
    ROUTES_FILE,
    Export,
    add_version,
    check_names,
    read_exports,
    routes,
)
from tfds_builders import cli
from zoo import files


def _define_flags() -> None:
    default = manifests.Cluster()
    flags.DEFINE_multi_string("export", [], "Directory of zoo.export; repeat it.")
    flags.DEFINE_multi_string("model_name", [], "Served name, one for each --export.")
    flags.DEFINE_string("out", "", "Directory to write or extend.")
    flags.DEFINE_string("image", default.image, "Container image.")
    flags.DEFINE_string("ssl_key", "", "PEM key: TLS on the gRPC port.")
    flags.DEFINE_string("ssl_cert", "", "PEM certificate of that key.")
    flags.DEFINE_string("ssl_ca", "", "PEM authority: clients need its certificate.")
    flags.DEFINE_integer("cpu", default.cpu, "Cores of a replica.", lower_bound=1)
    flags.DEFINE_string("memory", default.memory, "Memory of a replica.")
    flags.DEFINE_integer("replicas", default.replicas, "Least.", lower_bound=1)
    flags.DEFINE_integer("max_replicas", default.max_replicas, "Most.", lower_bound=1)
    flags.DEFINE_string("queue_metric", "", "Adapter's name of the queueing time.")


class _Dumper(yaml.SafeDumper):
    """Writes labels out wherever they appear; the default writes aliases."""

    def ignore_aliases(self, data) -> bool:
        return True


def yaml_text(manifest: dict) -> str:
    """A manifest as YAML, its keys in their order."""
    return yaml.dump(manifest, Dumper=_Dumper, sort_keys=False, width=88)


def write_tree(
    exports: list[Export],
    out: Path,
    cluster: manifests.Cluster,
    ssl: Message | None = None,
) -> None:
    """Write or extend the tree under `out`; see the head of this file."""
    table = routes(exports)
    check_names(out, table)
    served = {}
    for export in exports:
        for version in export.versions():
            added = add_version(export, version, out / "models")
            print(f"models/{export.name}/{version}: {'added' if added else 'kept'}")
        there = (out / "models" / export.name).iterdir()
        served[export.name] = [int(p.name) for p in there if p.name.isdecimal()]
    if ssl:
        _write_secret(out / "secrets" / "ssl.config", config.text(ssl))
    for name, message in {
        "batching_parameters.txt": config.batching_parameters(cluster.cpu),
        "monitoring.config": config.monitoring_config(),
        "session.config": config.session_config(cluster.cpu),
        "models.config": config.model_server_config(served),
    }.items():
        files.write_text(out / "config" / name, config.text(message))
    for name, manifest, comment in (
        ("docker-compose", manifests.compose(cluster), ""),
        ("kubernetes/deployment", manifests.deployment(cluster), ""),
        ("kubernetes/service", manifests.service(cluster), ""),
        (
            "kubernetes/hpa",
            manifests.autoscaler(cluster),
            manifests.AUTOSCALER_COMMENT,
        ),
    ):
        files.write_text(out / f"{name}.yaml", comment + yaml_text(manifest))
    files.write_json(out / ROUTES_FILE, table)


def _write_secret(path: Path, text: str) -> None:
    with files.atomic_path(path) as temporary:
        temporary.touch(0o600)
        temporary.write_text(text)


def _ssl_from_flags(values: flags.FlagValues) -> Message | None:
    if not values.ssl_key and not values.ssl_cert and not values.ssl_ca:
        return None
    if not values.ssl_key or not values.ssl_cert:
        raise ValueError("TLS takes both --ssl_key and --ssl_cert")
    authority = Path(values.ssl_ca) if values.ssl_ca else None
    return config.ssl_config(Path(values.ssl_key), Path(values.ssl_cert), authority)


def main(argv: list[str]) -> None:
    """Command line."""
    values = flags.FLAGS
    cli.refuse_arguments(argv)
    if not values.export or not values.out:
        raise ValueError("--export=DIR and --out=DIR are needed")
    if values.max_replicas < values.replicas:
        raise ValueError(
            f"--max_replicas={values.max_replicas}: expected at least "
            f"--replicas={values.replicas}"
        )
    exports = read_exports(values.export, values.model_name)
    ssl = _ssl_from_flags(values)
    chosen = ("image", "cpu", "memory", "replicas", "max_replicas", "queue_metric")
    cluster = manifests.Cluster(
        model=exports[0].name,
        tls=ssl is not None,
        **{name: values[name].value for name in chosen},
    )
    write_tree(exports, Path(values.out), cluster, ssl)
    print(f"next: docker compose -f {values.out}/docker-compose.yaml up")


if __name__ == "__main__":
    _define_flags()
    cli.run(main)
