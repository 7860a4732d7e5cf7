"""TLS on the client's side of gRPC: the flags of our clients, and what they build."""

from __future__ import annotations

from pathlib import Path

import grpc
from absl import flags


def define_flags() -> None:
    """Define --tls_ca, --tls_cert and --tls_key."""
    flags.DEFINE_string("tls_ca", "", "PEM authority of the server: talk TLS to it.")
    flags.DEFINE_string("tls_cert", "", "PEM certificate to show the server.")
    flags.DEFINE_string("tls_key", "", "PEM key of that certificate.")


def credentials(values: flags.FlagValues) -> grpc.ChannelCredentials | None:
    """Return what the flags ask for; None: a plain connection.

    Raises:
        OSError: a file cannot be read.
        ValueError: a file is not PEM, or a flag lacks its fellow.
    """
    if bool(values.tls_cert) != bool(values.tls_key):
        raise ValueError("expected both --tls_cert and --tls_key, or neither")
    if not values.tls_ca:
        if values.tls_cert:
            raise ValueError("--tls_cert needs --tls_ca, the server's authority")
        return None
    paths = (values.tls_ca, values.tls_key, values.tls_cert)
    return grpc.ssl_channel_credentials(*(_pem(path) for path in paths))


def _pem(path: str) -> bytes | None:
    if not path:
        return None
    content = Path(path).read_bytes()
    if b"-----BEGIN " not in content:
        raise ValueError(f"{path}: expected a PEM file")
    return content
