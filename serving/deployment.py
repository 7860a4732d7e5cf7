r"""Write a tree that TensorFlow Serving can be started on: Docker, Compose, Kubernetes.

    python -m serving.deployment --export=export/crnet --export=export/csinet \
        --out=deploy

    deploy/models/<name>/<version>/   decoders, with warm-up records
    deploy/config/                    models.config, batching_parameters.txt, ...
    deploy/secrets/ssl.config         where --ssl_key and --ssl_cert are given
    deploy/routes.json                which model decodes the frames of which encoder
    deploy/docker-compose.yaml        docker compose up
    deploy/kubernetes/                deployment, service, hpa

Run again with a new version: it appears under its number in one step, with its warm-up
inside, and is served beside those that models.config lists already. --serve=NAME:2,3
says which versions to serve instead, first the `stable` one, then the `canary`. The
same command after a kill completes what was begun.

    python -m serving.deployment --out=deploy --ask=127.0.0.1:8500

asks a server that runs on the tree, ours or TensorFlow Serving, what each version was
asked when it was written, and compares the answers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import yaml
from absl import flags
from google.protobuf.message import Message
from tensorflow_serving.config.model_server_config_pb2 import (
    ModelConfig,
    ModelServerConfig,
)

from serving.deploying import answers, manifests
from serving.deploying import config_files as config
from serving.deploying.exports import (
    ROUTES_FILE,
    Export,
    add_version,
    check_names,
    read_exports,
    routes,
)
from serving.models import allowed_ops, serving_protos
from serving.ue_side import client_tls
from tfds_builders import cli, locks
from zoo import files

BEGUN = ".begun.json"


def _define_flags() -> None:
    default = manifests.Cluster()
    flags.DEFINE_multi_string("export", [], "Directory of zoo.export; repeat it.")
    flags.DEFINE_multi_string("model_name", [], "Served name, one for each --export.")
    flags.DEFINE_string("out", "", "Directory to write or extend.")
    flags.DEFINE_multi_string(
        "serve", [], "NAME:VERSION,VERSION: stable, then canary; repeat it."
    )
    flags.DEFINE_list("allow_ops", [], allowed_ops.FLAG)
    flags.DEFINE_string("image", default.image, "Container image.")
    flags.DEFINE_string("ssl_key", "", "PEM key: TLS on the gRPC port.")
    flags.DEFINE_string("ssl_cert", "", "PEM certificate of that key.")
    flags.DEFINE_string("ssl_ca", "", "PEM authority: clients need its certificate.")
    flags.DEFINE_integer("cpu", default.cpu, "Cores of a replica.", lower_bound=1)
    flags.DEFINE_string("memory", default.memory, "Memory of a replica.")
    flags.DEFINE_integer("replicas", default.replicas, "Least.", lower_bound=1)
    flags.DEFINE_integer("max_replicas", default.max_replicas, "Most.", lower_bound=1)
    flags.DEFINE_float(
        "utilisation", default.utilisation, "Of its cores, before more.", 0.01, 1
    )
    flags.DEFINE_string("queue_metric", "", "Adapter's name of the queueing time.")
    flags.DEFINE_string("ask", "", "host:port: compare a server's answers instead.")
    flags.DEFINE_float("timeout", 60, "Seconds to wait for one answer to --ask.")
    client_tls.define_flags()


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
    serve: Mapping[str, list[int]] | None = None,
) -> None:
    """Write or extend the tree under `out`; see the head of this file.

    Args:
        exports: of the models to serve; another one goes out of service.
        out: root of the tree.
        cluster: what the manifests leave to choose.
        ssl: content of secrets/ssl.config.
        serve: name -> versions to serve: stable, canary, others.

    Raises:
        ValueError: an export that cannot be served, or a version that is not there.
        OSError: another command is at work there, or it cannot be written.
    """
    with locks.alone(out):
        _write_tree(exports, out, cluster, ssl, serve or {})


def _write_tree(exports, out: Path, cluster, ssl, serve) -> None:
    """The same, alone; servers follow models.config, so it is written last."""
    table = routes(exports)
    check_names(out, table)
    models_config = out / "config" / "models.config"
    before = ModelServerConfig()
    if models_config.exists():
        before = serving_protos.read_text(models_config, ModelServerConfig)
    begun = _begin(exports, out)
    wanted = {e.name: _add(e, out / "models", before, begun[e.name]) for e in exports}
    wanted.update(serve)
    served = config.model_server_config(wanted, before)
    for entry in served.model_config_list.config:
        _check(entry, wanted[entry.name], out / "models")
    if ssl:
        _write_secret(out / "secrets" / "ssl.config", config.text(ssl))
    for name, message in {
        "batching_parameters.txt": config.batching_parameters(cluster.cpu),
        "monitoring.config": config.monitoring_config(),
        "session.config": config.session_config(cluster.cpu),
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
    files.write_text(models_config, config.text(served))
    (out / BEGUN).unlink()


def _begin(exports: list[Export], out: Path) -> dict[str, list[int]]:
    """Versions by name that are about to be served for the first time.

    They are on record until models.config lists them: a command that is killed in
    between leaves versions that the next one must serve, not keep aside.
    """
    before = files.read_json(out / BEGUN) if (out / BEGUN).exists() else {}
    begun = {
        export.name: [
            version
            for version in export.versions()
            if version in before.get(export.name, [])
            or not (out / "models" / export.name / str(version)).exists()
        ]
        for export in exports
    }
    files.write_json(out / BEGUN, begun)
    return begun


def _add(
    export: Export, models: Path, before: ModelServerConfig, begun: list[int]
) -> list[int]:
    """Add an export's versions; return `begun` behind those that were served before."""
    for version in export.versions():
        new = add_version(export, version, models)
        print(f"models/{export.name}/{version}: {'added' if new else 'kept'}")
    for entry in before.model_config_list.config:
        if entry.name == export.name:
            listed = entry.model_version_policy.specific.versions
            return list(dict.fromkeys([*listed, *begun]))
    # What else lies there may be of another encoder that had this name.
    return sorted(export.versions())[-2:]


def _check(entry: ModelConfig, wanted: list[int], models: Path) -> None:
    """Check that the versions are there, and say what will be served."""
    versions = list(entry.model_version_policy.specific.versions)
    labels = dict(entry.version_labels)
    there = list(files.versions(models / entry.name))
    named = ", ".join(f"{n} {labels[n]}" for n in config.VERSION_LABELS if n in labels)
    missing = sorted(set(versions) - set(there))
    if missing:
        raise ValueError(
            f"{models / entry.name} has no version {missing[0]}: put it there, or "
            f"choose others with --serve={entry.name}:VERSION,VERSION"
        )
    print(f"{entry.name}: serves {versions}, {named}")
    if there[-1] > max(versions):
        numbers = ",".join(map(str, [*versions, there[-1]]))
        print(
            f"{entry.name}: version {there[-1]} is there and not served; to serve it: "
            f"--serve={entry.name}:{numbers}"
        )
    for label, version in zip(config.VERSION_LABELS, wanted, strict=False):
        if labels[label] != version:
            print(
                f"{entry.name}: {label} stays at {labels[label]}; run this again once "
                f"every server has loaded version {version}"
            )


def _write_secret(path: Path, text: str) -> None:
    with files.atomic_path(path) as temporary:
        temporary.touch(0o600)
        temporary.write_text(text, encoding="utf-8")


def _ssl_from_flags(values: flags.FlagValues) -> Message | None:
    if not values.ssl_key and not values.ssl_cert and not values.ssl_ca:
        return None
    if not values.ssl_key or not values.ssl_cert:
        raise ValueError("TLS takes both --ssl_key and --ssl_cert")
    authority = Path(values.ssl_ca) if values.ssl_ca else None
    return config.ssl_config(Path(values.ssl_key), Path(values.ssl_cert), authority)


def _serve_from_flags(values: list[str], names: list[str]) -> dict[str, list[int]]:
    serve = {}
    for value in values:
        name, _, numbers = value.partition(":")
        if not re.fullmatch(r"[0-9]+(,[0-9]+)*", numbers):
            raise ValueError(f"--serve={value}: expected NAME:VERSION,VERSION")
        if name not in names:
            raise ValueError(f"--serve={value}: expected one of the names {names}")
        serve[name] = [int(number) for number in numbers.split(",")]
    return serve


def main(argv: list[str]) -> None:
    """Command line."""
    values = flags.FLAGS
    cli.refuse_arguments(argv)
    if values.ask:
        cli.require("out")
        where = (Path(values.out), values.ask, values.timeout)
        print("\n".join(answers.compare(*where, client_tls.credentials(values))))
        return
    cli.require("export", "out")
    if values.max_replicas < values.replicas:
        raise ValueError(
            f"--max_replicas={values.max_replicas}: expected at least "
            f"--replicas={values.replicas}"
        )
    ops = allowed_ops.allowed(values.allow_ops)
    exports = read_exports(values.export, values.model_name, ops)
    ssl = _ssl_from_flags(values)
    chosen = ("image", "cpu", "memory", "replicas", "max_replicas", "utilisation")
    cluster = manifests.Cluster(
        model=exports[0].name,
        tls=ssl is not None,
        queue_metric=values.queue_metric,
        **{name: values[name].value for name in chosen},
    )
    serve = _serve_from_flags(values.serve, [export.name for export in exports])
    write_tree(exports, Path(values.out), cluster, ssl, serve)
    print(f"next: docker compose -f {values.out}/docker-compose.yaml up --detach")


if __name__ == "__main__":
    _define_flags()
    cli.run(main)
