"""Load exported artefacts back and compare them with the trained network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from serving.codec import bitstream
from serving.codec.framing import Framer
from serving.codec.ue_encoder import UeEncoder
from zoo.models.autoencoder import CsiAutoencoder
from zoo.quantization.precisions import Precision

NUM_CHECKS = 16
FLOAT_TOLERANCE = 1e-4
RESOLUTION = 1e-6  # of float32: what varies by less does not


def check_vectors(csi_shape, count: int = NUM_CHECKS) -> np.ndarray:
    """Sparse zero-centred CSI of norm 0.9, `[count, N_t, N_a, 2]` float32."""
    rng = np.random.default_rng(0)
    h = rng.standard_normal((count, *csi_shape))
    h *= rng.random(h.shape) < 0.05
    h *= 0.9 / np.linalg.norm(h.reshape(count, -1), axis=1)[:, None, None, None]
    return h.astype(np.float32)


def verify(
    directory: Path,
    model: CsiAutoencoder,
    codec: dict,
    version: int,
    encoders: Sequence[Precision],
    h: np.ndarray | None = None,
    simulated: dict[str, np.ndarray] | None = None,
) -> dict[str, float]:
    """Compare every artefact of an export with the trained network.

    The decoder goes through a TF1 session, TensorFlow Serving's own way of loading.

    Args:
        directory: the export.
        model: the trained network.
        codec: content of codec.json.
        version: of the decoder.
        encoders: those that it holds.
        h: CSI to compare the encoders on; `check_vectors` without it.
        simulated: by encoder file, the codewords of `h` that its fake quantisers or
            its compressed network give; it is compared with those instead.

    Returns:
        Root mean square of the codeword's error by encoder file, as a share of that of
        the codewords about their mean.

    Raises:
        ValueError: an artefact differs; the message names it and the difference. Or
            all codewords are the same, so that nothing could differ.
    """
    random = check_vectors(codec["csi_shape"])
    h = random if h is None else h[:NUM_CHECKS]
    expected = np.asarray(model.encode(h))
    errors = {}
    for precision in encoders:
        simulation = (simulated or {}).get(precision.file)
        reference = expected if simulation is None else simulation[: len(h)]
        other = "the trained network" if simulation is None else "its simulation"
        path = directory / precision.file
        got = verified_codewords(path, model.quantizer, h)
        errors[precision.file] = checked_error(path, precision, got, reference, other)
    codeword = np.asarray(model.encode(random))
    verify_decoder(directory / "decoder" / str(version), model, codeword, codec)
    return errors


def close(path: Path, what: str, got, expected, tolerance: float) -> None:
    """Refuse an artefact that differs by more than a tolerance.

    Raises:
        ValueError: it does.
    """
    difference = float(np.max(np.abs(got.astype(np.float64) - expected)))
    if not difference <= tolerance:
        raise ValueError(
            f"{path}: {what} differs from the trained network by {difference:.2e}, "
            f"more than {tolerance:.0e}; the export was discarded"
        )


def checked_error(
    path: Path, precision: Precision, got: np.ndarray, reference: np.ndarray, other: str
) -> float:
    """Root mean square error of codewords, once it is within the tolerance.

    Args:
        path: the encoder file.
        precision: its precision.
        got: its codewords `[n, M]`.
        reference: those that it should give.
        other: what gave them.

    Returns:
        The error as a share of the root mean square of `reference` about its mean.

    Raises:
        ValueError: above the tolerance, or `reference` does not vary.
    """
    difference = got.astype(np.float64) - reference
    spread = _rms(reference - reference.mean(axis=0, dtype=np.float64))
    if not spread > RESOLUTION * _rms(reference):
        raise ValueError(
            f"{path}: {other} gives {len(reference)} CSI the same codeword; expected a "
            "trained network, the export was discarded"
        )
    error = _rms(difference) / spread
    found, kind = error, "root mean square over that of the codewords"
    if not precision.rounds:
        scale = max(1.0, float(np.abs(reference).max()))
        found, kind = float(np.abs(difference).max()) / scale, "worst entry"
    if not found <= precision.tolerance:
        advice = ", leave this precision out" if precision.rounds else ""
        raise ValueError(
            f"{path}: codeword differs from {other} by {found:.2e} ({kind}), more "
            f"than {precision.tolerance:.0e}; the export was discarded{advice}"
        )
    return error


def _rms(x: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(x))))


def verified_codewords(path: Path, quantizer, h: np.ndarray) -> np.ndarray:
    """Codewords of an encoder file, whose bits are theirs by the quantiser.

    Raises:
        ValueError: other bits, or it does not run.
    """
    ue = UeEncoder(path, any_csi=True)
    sections = ue.codec["sections"]
    try:
        own = np.stack([ue.encode(x) for x in h])
    except RuntimeError as error:  # an operation that has no kernel of these types
        raise ValueError(
            f"{path}: LiteRT cannot run it ({error}); the export was discarded, leave "
            "this precision out"
        ) from error
    payloads = [ue.encode_bits(x) for x in h]
    sent = np.stack([bitstream.unpack_sections(x, sections) for x in payloads])
    expected = np.asarray(quantizer.indices(own))
    close(path, "packed indices", sent, expected, 0)
    return own


def verify_decoder(path: Path, model, codeword: np.ndarray, codec: dict) -> None:
    """Compare the signatures of a decoder with what it was made of.

    Args:
        path: SavedModel.
        model: its `quantizer` and `recover`.
        codeword: to send, float32 `[n, M]`.
        codec: content of codec.json.

    Raises:
        ValueError: a signature differs, accepts a damaged frame or refuses a good one.
    """
    quantizer = model.quantizer
    indices = np.asarray(quantizer.indices(codeword))
    payload = bitstream.pack_sections(indices, codec["sections"])
    framed = Framer(codec)
    frames = [framed(p.tobytes()) for p in payload]
    damaged = bytes([*frames[0][:-1], frames[0][-1] ^ 1])
    side = [np.linalg.norm(check_vectors(codec["csi_shape"]), axis=-1)] * codec[
        "uplink"
    ]
    maps = [x[..., None] for x in side]
    quantised = model.recover(quantizer.dequantize(indices), *maps)
    exact = model.recover(codeword, *maps)
    feeds = {
        "serving_default": ([damaged, *frames], np.asarray(quantised)),
        "decode_u8": (payload, np.asarray(quantised)),
        "decode_indices": (indices, np.asarray(quantised)),
        "decode_float": (codeword, np.asarray(exact)),
    }
    graph = tf.Graph()
    with tf.compat.v1.Session(graph=graph) as session:
        with graph.as_default():
            loaded = tf.compat.v1.saved_model.load(session, ["serve"], str(path))
        for name, (feed, expected) in feeds.items():
            signature = loaded.signature_def[name]
            uplink = [np.concatenate([x[:1], x])[-len(feed) :] for x in side]
            feeding = _feeds(signature, feed, uplink)
            targets = [signature.outputs[key].name for key in ("h", "valid")]
            h, valid = session.run(targets, feeding)
            if name == "serving_default":
                if valid[0] or np.isfinite(h[0]).any():
                    raise ValueError(f"{path}: a damaged frame was accepted")
                h, valid = h[1:], valid[1:]
            if not valid.all():
                raise ValueError(f"{path}: signature {name} refused good input")
            close(path, f"signature {name}", h, expected, FLOAT_TOLERANCE)


def _feeds(signature, feed, uplink: list) -> dict:
    """Values by tensor name: the uplink under its name, the feedback as the other."""
    names = {key: tensor.name for key, tensor in signature.inputs.items()}
    feeds = {names.pop("uplink"): x for x in uplink}
    (source,) = names.values()
    return {**feeds, source: feed}
