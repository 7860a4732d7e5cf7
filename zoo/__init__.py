"""CSI-feedback zoo: networks, training, evaluation, export."""

import os

# TensorFlow leaves oneDNN off on CPUs without AVX-512; on these too it runs the narrow
# convolutions of this zoo several times faster. Read when TensorFlow is imported.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
