"""CSI-feedback zoo: networks, training, evaluation, export."""

import os

from tfds_builders import quiet

quiet.start_command()
# Both are read when TensorFlow is imported. It leaves oneDNN off on CPUs without
# AVX-512; there, too, it runs the narrow convolutions of this zoo several times faster.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
