"""What a results row, evaluation.json of a run, must have to be read back."""

from __future__ import annotations

from tfds_builders.untrusted.json_files import (
    NUMBER,
    NUMBER_OR_NONE,
    OBJECT,
    POSITIVE,
    TEXT,
    record,
)

ROW = record(
    {
        "model": TEXT,
        "dataset": TEXT,
        "dataset_config": TEXT,
        "nmse_db": NUMBER_OR_NONE,
        "nmse_float_db": NUMBER_OR_NONE,
        "nmse_pca_db": NUMBER_OR_NONE,
        "feedback_bits": NUMBER_OR_NONE,
    },
    {
        "codeword_dim": POSITIVE,
        "ratio": NUMBER,
        "weights_sha256": TEXT,
        "train_seconds": NUMBER_OR_NONE,
        "model_args": OBJECT,
        "command": TEXT,
    },
)
