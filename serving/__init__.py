"""Reference server, clients and deployment of exported encoders and decoders."""

import os

import tfds_builders  # noqa: F401 - its filter of standard error comes first

# As in `zoo`: read when TensorFlow is imported, which leaves oneDNN off on CPUs without
# AVX-512. There, too, it decodes several times faster.
TENSORFLOW_ENVIRONMENT = {"TF_ENABLE_ONEDNN_OPTS": "1"}
for _name, _value in TENSORFLOW_ENVIRONMENT.items():
    os.environ.setdefault(_name, _value)
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
