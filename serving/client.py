r"""Send real feedback bits of many CSI samples to a decoder and measure the result.

    python -m serving.client --encoder=export/crnet/encoder.tflite \
        --endpoint=127.0.0.1:8500 --samples=test_h.npz

Speaks the TensorFlow Serving gRPC API, so the decoder may run behind
`serving.server` or TensorFlow Serving itself.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from absl import flags

from serving.codec import csi_scale, nmse
from serving.codec.framing import Framer
from serving.codec.ue_encoder import UeEncoder
from serving.ue_side import client_tls, csi_source, streams
from tfds_builders import cli, progress
from zoo import files

if TYPE_CHECKING:
    from serving.ue_side.decoder_client import Decoder


def _define_flags() -> None:
    flags.DEFINE_string("encoder", None, "encoder.tflite beside its codec.json.")
    flags.DEFINE_string("endpoint", "127.0.0.1:8500", "host:port of the gRPC server.")
    flags.DEFINE_string("samples", None, "Zero-centred CSI: .npz with key h, or .npy.")
    flags.DEFINE_string("json", None, "Write the report here too.")
    flags.DEFINE_string("model_name", "csi_decoder", "Model to ask for.")
    flags.DEFINE_integer("limit", None, "Use the first so many samples.", lower_bound=1)
    flags.DEFINE_integer("batch", 1, "Frames per request.", lower_bound=1)
    flags.DEFINE_integer("flip_bit", None, "Flip this bit of every frame (a test).")
    flags.DEFINE_float("timeout", 30, "Seconds to wait for one answer.")
    streams.define_flags()
    client_tls.define_flags()


def flip_bit(frame: bytes, bit: int) -> bytes:
    """Flip one bit, counted from the most significant bit of the first byte.

    Raises:
        ValueError: the frame has no such bit.
    """
    if not 0 <= bit < 8 * len(frame):
        raise ValueError(f"bit {bit}: expected 0 to {8 * len(frame) - 1}")
    damaged = bytearray(frame)
    damaged[bit // 8] ^= 0x80 >> bit % 8
    return bytes(damaged)


def encode_all(encoder: UeEncoder, h: np.ndarray) -> tuple[list[bytes], np.ndarray]:
    """Encode CSI `[n, 32, 32, 2]` one by one: n payloads and seconds `[n]`."""
    payloads, seconds = [], []
    for csi in progress.track(h, "encode"):
        begin = time.perf_counter()
        payloads.append(encoder.encode_bits(csi))
        seconds.append(time.perf_counter() - begin)
    return payloads, np.array(seconds)


def decode_all(
    decoder: Decoder, frames: list[bytes], batch: int = 1, uplink=None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Decode n frames, `batch` per request.

    Args:
        decoder: the served decoder.
        frames: one for each CSI.
        batch: frames per request.
        uplink: float32 `[n, 32, 32]` where the decoder takes it.

    Returns:
        CSI float32 `[n, 32, 32, 2]`, valid bool `[n]`, seconds per request.
    """
    h_hat, valid, seconds = [], [], []
    parts = [slice(i, i + batch) for i in range(0, len(frames), batch)]
    for part in progress.track(parts, "decode"):
        side = None if uplink is None else uplink[part]
        begin = time.perf_counter()
        answer = decoder.decode(frames[part], side)
        seconds.append(time.perf_counter() - begin)
        h_hat.append(answer[0])
        valid.append(answer[1])
    return np.concatenate(h_hat), np.concatenate(valid), np.array(seconds)


def _milliseconds(seconds: np.ndarray) -> dict[str, float]:
    p10, p50, p99 = 1e3 * np.percentile(seconds, [10, 50, 99])
    return {"p10": p10, "p50": p50, "p99": p99}


def measure(
    encoder: UeEncoder,
    decoder: Decoder,
    h: np.ndarray,
    batch: int = 1,
    flipped_bit: int | None = None,
    uplink: np.ndarray | None = None,
) -> dict:
    """Send `h` [n, 32, 32, 2] through encoder, frames and decoder.

    `uplink`, `[n, 32, 32]`, goes to the decoder alone.

    Returns:
        Report: bits counted from the bytes sent, NMSE of the valid CSI [dB] (global;
        None without any, and of eigenvectors whose direction alone is recovered), SGCS
        of eigenvectors, milliseconds per CSI encoded and per request of `batch`.
    """
    payloads, encode_seconds = encode_all(encoder, h)
    framed = Framer(encoder.codec)
    frames = [framed(payload) for payload in payloads]
    if flipped_bit is not None:
        frames = [flip_bit(frame, flipped_bit) for frame in frames]
    h_hat, valid, seconds = decode_all(decoder, frames, batch, uplink)
    nmse_db, more = None, {}
    about = encoder.codec.get("eigenvectors", {})
    if valid.any():
        if not about.get("direction_alone"):
            nmse_db = nmse.nmse_db(h[valid], h_hat[valid])
        if about:
            more = {"sgcs": nmse.sgcs(h[valid], h_hat[valid])}
    return {
        "model": encoder.codec["model"],
        "samples": len(h),
        "invalid": int(np.sum(~valid)),
        "nmse_db": nmse_db,
        **more,
        "payload_bits_per_csi": 8 * sum(map(len, payloads)) / len(h),
        "frame_bytes_per_csi": sum(map(len, frames)) / len(h),
        "batch": batch,
        "encode_ms": _milliseconds(encode_seconds),
        "round_trip_ms": _milliseconds(seconds),
    }


def _print(report: dict) -> None:
    times = {
        key: " / ".join(f"{value:.3f}" for value in report[key].values())
        for key in ("encode_ms", "round_trip_ms")
    }
    errors = []
    if report["nmse_db"] is not None:
        errors.append(f"NMSE {report['nmse_db']:.3f} dB")
    if "sgcs" in report:
        errors.append(f"SGCS {report['sgcs']:.4f}")
    print(
        f"{report['model']}, {report['samples']} CSI: {', '.join(errors) or 'NMSE -'}, "
        f"{report['invalid']} invalid; {report['payload_bits_per_csi']:g} payload "
        f"bits, {report['frame_bytes_per_csi']:g} frame bytes per CSI"
    )
    print(
        f"p10 / p50 / p99: encode {times['encode_ms']} ms (1 thread), decode "
        f"{times['round_trip_ms']} ms (round trip, {report['batch']} per request)"
    )


def main(argv: list[str]) -> None:
    """Run the flags' experiment; an invalid frame is an error."""
    values = flags.FLAGS
    cli.require("encoder", "samples")
    # TensorFlow's protocol buffers: seconds that no wrong flag waits for.
    from serving.ue_side.decoder_client import Decoder

    encoder, received = streams.encoder(values)
    path = Path(values.samples)
    h = csi_source.load_samples(path, values.limit, codec=encoder.codec)
    csi_scale.check(h, encoder.codec, values.samples)
    uplink = None
    if encoder.codec.get("uplink"):
        uplink = csi_source.load_samples(path, values.limit, "uplink")[..., 0]
    where = (values.endpoint, values.model_name, values.timeout)
    how = {
        "credentials": client_tls.credentials(values),
        "csi_shape": encoder.codec["csi_shape"],
    }
    with Decoder(*where, **how) as decoder:
        served = received(decoder)
        report = measure(encoder, served, h, values.batch, values.flip_bit, uplink)
    _print(report)
    if values.json:
        files.write_json(values.json, report)
    if report["invalid"]:
        raise ValueError(
            f"{report['invalid']} of {report['samples']} frames refused by the decoder:"
            f" damaged, or not of model id {encoder.codec['model_id']}"
        )


if __name__ == "__main__":
    _define_flags()
    cli.run(main)
