"""Messages of TensorFlow Serving's text files that its wheel lacks, and their reader.

`tensorflow-serving-api` has the messages of models.config; those of the batching,
monitoring and TLS files are declared here with the official names and field numbers.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    message,
    message_factory,
    text_format,
    wrappers_pb2,
)

_PACKAGE = "tensorflow.serving"
_INT64, _STRING = ".google.protobuf.Int64Value", ".google.protobuf.StringValue"
_SCALARS = {
    "int64": descriptor_pb2.FieldDescriptorProto.TYPE_INT64,
    "string": descriptor_pb2.FieldDescriptorProto.TYPE_STRING,
    "bool": descriptor_pb2.FieldDescriptorProto.TYPE_BOOL,
}
_MESSAGES = {  # name -> field -> (number, type); a type with a dot is a message
    "BatchingParameters": {
        "max_batch_size": (1, _INT64),
        "batch_timeout_micros": (2, _INT64),
        "max_enqueued_batches": (3, _INT64),
        "num_batch_threads": (4, _INT64),
        "thread_pool_name": (5, _STRING),
        "allowed_batch_sizes": (6, "repeated int64"),
        "pad_variable_length_inputs": (7, "bool"),
    },
    "PrometheusConfig": {"enable": (1, "bool"), "path": (2, "string")},
    "MonitoringConfig": {"prometheus_config": (1, f".{_PACKAGE}.PrometheusConfig")},
    "SSLConfig": {
        "server_key": (1, "string"),
        "server_cert": (2, "string"),
        "custom_ca": (3, "string"),
        "client_verify": (4, "bool"),
    },
}
_Message = TypeVar("_Message", bound=message.Message)


def _add_field(
    declared: descriptor_pb2.DescriptorProto, name: str, number: int, kind: str
) -> None:
    field = declared.field.add(name=name, number=number)
    repeated, _, kind = kind.rpartition(" ")
    field.label = field.LABEL_REPEATED if repeated else field.LABEL_OPTIONAL
    if kind.startswith("."):
        field.type, field.type_name = field.TYPE_MESSAGE, kind
    else:
        field.type = _SCALARS[kind]


def _declare() -> dict[str, type[message.Message]]:
    # A pool of its own: the default one may get the official files from elsewhere.
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    file = descriptor_pb2.FileDescriptorProto(
        name="serving_protos.proto",
        package=_PACKAGE,
        syntax="proto3",
        dependency=[wrappers_pb2.DESCRIPTOR.name],
    )
    for name, fields in _MESSAGES.items():
        declared = file.message_type.add(name=name)
        for field, (number, kind) in fields.items():
            _add_field(declared, field, number, kind)
    pool.AddSerializedFile(file.SerializeToString())
    names = {
        name: pool.FindMessageTypeByName(f"{_PACKAGE}.{name}") for name in _MESSAGES
    }
    return {n: message_factory.GetMessageClass(found) for n, found in names.items()}


_CLASSES = _declare()
BatchingParameters = _CLASSES["BatchingParameters"]
MonitoringConfig = _CLASSES["MonitoringConfig"]
SSLConfig = _CLASSES["SSLConfig"]


def read_text(path: Path | str, kind: type[_Message]) -> _Message:
    """Read the text form of a message.

    Args:
        path: the file.
        kind: class of the message.

    Raises:
        OSError: no such file.
        ValueError: not the text form of that message.
    """
    try:
        return text_format.Parse(Path(path).read_text(encoding="utf-8"), kind())
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not a text {kind.__name__}: {error}") from error
