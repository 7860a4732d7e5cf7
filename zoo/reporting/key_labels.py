"""What keys of the benchmarks' JSON are called in tables, with their units."""

from __future__ import annotations

from zoo.reporting.cells import words

INTERNAL = ("target_drops_per_s",)  # what a benchmark is held to: no measurement
LABELS = {
    "minutes": "duration [min]",
    "kills": "killed clients",
    "max_mb_per_minute": "allowed growth of memory [MB/min]",
    "damaged": "damaged rows",
    "lost": "lost replies",
    "wrong": "wrong replies",
    "p50_ms": "p50 of a request [ms]",
    "p99_ms": "p99 of a request [ms]",
    "num_versions": "versions of the model",
    "hostile_requests": "requests of hostile clients beside them",
    "health_checks": "health checks",
    "health_lost": "lost health checks",
    "health_p99_ms": "p99 of a health check [ms]",
    "num_test": "test CSI",
    "num_train": "training CSI",
    "memory_mb_per_minute": "growth of memory [MB/min]",
    "codeword_dim": "M",
    "drops_per_s": "drops/s, median",
    "best_drops_per_s": "drops/s, best",
    "paths_us_per_drop": "paths [µs/drop]",
    "taps_us_per_drop": "taps [µs/drop]",
    "mean_num_paths": "paths per drop, mean",
    "training_samples_per_s": "training [samples/s]",
    "pipeline_samples_per_s": "pipeline [samples/s]",
    "pipeline_over_training": "pipeline over training",
    "cpu_step": "step",
    "k221_db": "221 largest taps [dB]",
    "k55_db": "55 largest taps [dB]",
    "k13_db": "13 largest taps [dB]",
    "largest_difference_db": "largest difference from the released drops [dB]",
    "crnet_db": "published CRNet 1/16, NMSE [dB]",
    "statistics_db": "from the running variances of its decoder [dB]",
    "linear_db": "best linear decoder, NMSE [dB]",
    "sparse_db": "matching pursuit, NMSE [dB]",
    "in_klt_space": "share of A's space that is the KLT's",
    "singular_values_ratio": "largest over smallest singular value",
    "median_gradient": "median gradient",
    "below_ten_epsilon": "share of gradients below 10 epsilon",
    "onednn": "oneDNN",
}


def label(key: str) -> str:
    """A key of JSON in words."""
    return LABELS.get(key, words(key))
