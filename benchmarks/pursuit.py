"""An export of the pursuit over the whole link: LiteRT, frames, server, NMSE.

python -m benchmarks.pursuit --exports=export/pursuit --samples=h.npz [--json=FILE]

Both streams of each export, on samples of its own: CSI through the encoder file, real
frames and the reference server, beside the same codec in this process (NumPy). One more
time with a flipped bit in every frame.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from absl import flags

from serving import client
from serving.codec import nmse, plain_atoms
from serving.codec.coded_atoms import CodedEncoder, CodedReceiver
from serving.codec.framing import Framer
from serving.codec.ue_encoder import UeEncoder
from serving.ue_side import csi_source
from serving.ue_side.decoder_client import CodedDecoder, Decoder
from tfds_builders import cli
from tfds_builders.csi_examples import real_pairs
from zoo import files, steps
from zoo.codecs import saved
from zoo.codecs.search import search

_EXPORTS = flags.DEFINE_list("exports", [], "of zoo.export --codec=pursuit")
_SAMPLES = flags.DEFINE_list("samples", [], "zero-centred CSI of each: .npz, key h")
_LIMIT = flags.DEFINE_integer("limit", None, "use the first so many", 1)
_JSON = flags.DEFINE_string("json", "", "also write the result here")
BATCH = 32


def measure(export: Path, h: np.ndarray) -> list[dict]:
    """A row for each stream of an export.

    Args:
        export: its directory.
        h: zero-centred CSI float32 `[n, N_t, N_a, 2]`.
    """
    plain = UeEncoder(export / "encoder.tflite")
    coded = CodedEncoder(export / "encoder.tflite")
    receiver = CodedReceiver(coded.tables, coded.codec)
    with steps.server(export / "decoder") as running:
        served = Decoder(running.endpoint, "csi_decoder", 60)
        rows = [
            _row("plain", plain, served, _plain(plain.codec, h), h),
            _row("coded", coded, CodedDecoder(served, receiver), _coded(export, h), h),
        ]
        served.close()
    return rows


def _plain(codec: dict, h: np.ndarray) -> tuple[list[bytes], np.ndarray]:
    """Payloads and CSI of the plain stream by NumPy."""
    stream = plain_atoms.of(codec["quantizer"])
    found = search(stream.grid, h[..., 0] + 1j * h[..., 1], stream.num_atoms)
    payloads = stream.encode(found.angle, found.delay, found.value)
    return payloads, stream.decode(payloads)


def _coded(export: Path, h: np.ndarray) -> tuple[list[bytes], np.ndarray]:
    """The same of the coded stream, with the bits of the plain one at most."""
    bits = 8 * files.read_json(export / "codec.json")["payload_bytes"]
    codec = saved.load(export / "tables.npz")
    payloads = codec.encode(h[..., 0] + 1j * h[..., 1], bits)
    return payloads, codec.decode(payloads)


def _row(name: str, encoder, decoder, by_numpy, h: np.ndarray) -> dict:
    payloads, _ = client.encode_all(encoder, h)
    framed = Framer(encoder.codec)
    frames = [framed(payload) for payload in payloads]
    h_hat, valid, _ = client.decode_all(decoder, frames, BATCH)
    if not valid.all():
        raise ValueError(f"{(~valid).sum()} good frames of the {name} stream refused")
    bits = np.random.default_rng(0).integers(0, 8 * np.array([*map(len, frames)]))
    damaged = [
        client.flip_bit(x, int(bit)) for x, bit in zip(frames, bits, strict=True)
    ]
    accepted = int(client.decode_all(decoder, damaged, BATCH)[1].sum())
    expected, own = by_numpy
    same = sum(a == b for a, b in zip(payloads, expected, strict=True))
    row = {
        "stream": name,
        "data set": encoder.codec["normalisation"]["dataset"],
        "num_test": len(h),
        "payload_bits": 8 * float(np.mean([len(x) for x in payloads])),
        "NumPy [dB]": nmse.nmse_db(h, real_pairs(own)),
        "served [dB]": nmse.nmse_db(h, h_hat),
        "reports equal to NumPy": same,
        "damaged frames accepted": accepted,
    }
    print(", ".join(f"{key} {value}" for key, value in row.items()))
    return row


def main(argv: list[str]) -> None:
    cli.refuse_arguments(argv)
    cli.require("exports", "samples")
    rows = []
    for export, samples in zip(_EXPORTS.value, _SAMPLES.value, strict=True):
        h = csi_source.load_samples(Path(samples), _LIMIT.value)
        rows += measure(Path(export), h)
    if _JSON.value:
        result = {"rows": rows, **files.environment(), "origin": "ours"}
        files.write_json(Path(_JSON.value), result)


if __name__ == "__main__":
    cli.run(main)
