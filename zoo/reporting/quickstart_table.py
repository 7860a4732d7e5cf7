"""The table that `make quickstart` ends with."""

from __future__ import annotations

LABELS = {
    "nmse_float_db": "NMSE, float codeword [dB]",
    "nmse_quantised_db": "NMSE, quantised codeword, in process [dB]",
    "nmse_served_db": "NMSE, encoder.tflite -> bytes -> server [dB]",
    "nmse_served_dynamic_db": "NMSE, int8 encoder_dynamic.tflite -> server [dB]",
    "nmse_pca_db": "NMSE, linear KLT (PCA), same codeword length, float [dB]",
    "rho": "rho, 125 subcarriers",
    "feedback_bits": "feedback bits per CSI",
    "frame_bytes": "frame bytes per CSI, header and CRC included",
    "encoder_bytes": "encoder.tflite [bytes]",
    "encoder_dynamic_bytes": "encoder_dynamic.tflite [bytes]",
    "encode_ms_p50": "encode, 1 thread, p50 [ms]",
    "decode_ms_p50": "decode, gRPC round trip, p50 [ms]",
    "train_seconds": "training [s]",
}


def table(summary: dict) -> str:
    """The summary as aligned text."""
    return "\n".join(
        f"{label:<58}{shown(summary[key]):>12}" for key, label in LABELS.items()
    )


def shown(value: float | None) -> str:
    """A value of the summary as text."""
    if value is None:
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else f"{value:,}"
