"""TLS of the gRPC port, from TensorFlow Serving's ssl.config."""

from __future__ import annotations

from pathlib import Path

import grpc

from serving.models import serving_protos


def server_credentials(path: Path | str) -> grpc.ServerCredentials:
    r"""Read an ssl.config: PEM texts inline, line ends written as \n.

    Raises:
        OSError: no such file.
        ValueError: not an SSLConfig, no key or certificate, or client certificates are
            required without an authority to check them.
    """
    config = serving_protos.read_text(path, serving_protos.SSLConfig)
    for name in ("server_key", "server_cert"):
        if "-----BEGIN" not in getattr(config, name):
            raise ValueError(f"{path}: {name} is no PEM text")
    if config.client_verify and not config.custom_ca:
        raise ValueError(f"{path}: client_verify needs the authority in custom_ca")
    return grpc.ssl_server_credentials(
        [(config.server_key.encode(), config.server_cert.encode())],
        root_certificates=config.custom_ca.encode() or None,
        require_client_auth=config.client_verify,
    )
