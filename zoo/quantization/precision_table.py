"""What each encoder of an export costs and loses: the table of `zoo.export`."""

from __future__ import annotations

import gzip
import time
from pathlib import Path

import numpy as np

from serving.codec.ue_encoder import UeEncoder
from zoo import files
from zoo.config import ExperimentConfig
from zoo.data import splits
from zoo.metrics.results_row import stored_part
from zoo.models.autoencoder import CsiAutoencoder
from zoo.quantization import operation_counts
from zoo.quantization.mixed import nmse_db
from zoo.quantization.precisions import PRECISIONS, EncoderOptions

FILE = "precision.json"
TIMED = 200  # encodings that the latency is the median of


def latency_ms(encoder: UeEncoder, h: np.ndarray) -> float:
    """Median time of one encoding on one thread.

    Args:
        encoder: the encoder.
        h: CSI `[n, N_t, N_a, 2]`, taken in turn.
    """
    seconds = []
    for i in range(TIMED):
        begin = time.perf_counter()
        encoder.encode(h[i % len(h)])
        seconds.append(time.perf_counter() - begin)
    return 1e3 * float(np.median(seconds))


def row(path: Path, model: CsiAutoencoder, test: splits.Split) -> dict:
    """Figures of one encoder file."""
    content, encoder = path.read_bytes(), UeEncoder(path, any_csi=True)

    def encode(h):
        return np.stack([encoder.encode(x) for x in h])

    return {
        "file": path.name,
        "nmse_db": nmse_db(model, encode, test),
        "kib": len(content) / 1024,
        "kib_gzip": len(gzip.compress(content)) / 1024,
        "latency_ms": latency_ms(encoder, test.h_seen),
        "not_int8": operation_counts.not_int8(content),
        "num_int8": operation_counts.num_int8(content),
        "num_operations": operation_counts.num_operations(content),
        "outside_xnnpack": operation_counts.outside_xnnpack(content),
    }


def write(
    directory: Path,
    model: CsiAutoencoder,
    settings: ExperimentConfig,
    options: EncoderOptions,
) -> None:
    """Write `precision.json` of an export: test NMSE, size, time, operations.

    Args:
        directory: the export, with codec.json.
        model: trained network.
        settings: of the run; names the test data.
        options: of the export.
    """
    test = splits.load_split(settings, "test", options.test_samples)
    rows = {
        name: row(directory / PRECISIONS[name].file, model, test)
        for name in options.precisions
    }
    for entry in rows.values():
        base = rows.get("fp32")
        entry["delta_db"] = entry["nmse_db"] - base["nmse_db"] if base else None
    builder = splits.open_builder(
        settings.dataset, settings.data_dir, settings.manual_dir
    )
    table = {
        "test_data": stored_part(settings, builder, "test", len(test.csi)),
        "error": test.error,  # of nmse_db
        "num_test": len(test.csi),
        "device": files.device_name(),
        "rows": rows,
    }
    files.write_json(directory / FILE, table)


def text(table: dict) -> str:
    """The table as aligned text."""
    error = f"{table.get('error', 'NMSE')} [dB]"
    lines = [
        f"{table['num_test']} test CSI; latency: encode, 1 thread, p50",
        f"{'precision':<10}{error:>12}{'delta':>8}{'KiB':>8}{'gzip':>8}{'ms':>8}"
        f"{'int8':>8}  not int8 (encode) | outside XNNPACK",
    ]
    for name, entry in table["rows"].items():
        delta = "-" if entry["delta_db"] is None else f"{entry['delta_db']:.3f}"
        int8 = operation_counts.int8_operations(entry)
        floats = ", ".join(entry["not_int8"]["encode"]) or "none"
        if not entry["num_int8"]["encode"]:
            floats = "all"
        outside = ", ".join(entry["outside_xnnpack"]) or "none"
        lines.append(
            f"{name:<10}{entry['nmse_db']:>12.3f}{delta:>8}{entry['kib']:>8.0f}"
            f"{entry['kib_gzip']:>8.0f}{entry['latency_ms']:>8.3f}"
            f"{int8:>8}  {floats} | {outside}"
        )
    return "\n".join(lines)
