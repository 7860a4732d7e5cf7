"""The pursuit codec as the files of both ends, fitted to a data set and verified."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from serving.codec import checksums, csi_scale, framing, golden_vectors, nmse
from serving.codec.angle_delay_grid import AngleDelayGrid
from serving.codec.coded_atoms import CodedEncoder, CodedReceiver
from serving.codec.plain_atoms import PlainAtoms
from tfds_builders.csi_examples import real_pairs
from zoo import files
from zoo.codecs import methods, plain, pursuit, saved
from zoo.codecs.coded import grid_of
from zoo.codecs.pursuit import PursuitCodec
from zoo.codecs.search import search
from zoo.codeword.codec_graph import DecoderGraph, pack_sections
from zoo.config import ExperimentConfig
from zoo.data import scaling, splits
from zoo.exporting import directory, exporter, verify_export
from zoo.exporting.pursuit_link import PursuitLink
from zoo.exporting.search_graph import SearchGraph
from zoo.metrics import accuracy
from zoo.quantization.encoder_files import convert_signatures
from zoo.quantization.tflite_slim import slim

ENCODER, TABLES = "encoder.tflite", "tables.npz"
EXAMPLES = 1000  # training CSI
WORSE = 1.02  # squared error of an encoder over that of the NumPy search, at most


class Fitted(NamedTuple):
    """A pursuit codec with both of its streams.

    Attributes:
        plain: stream of a fixed number of bits per atom.
        coded: the same grid with an entropy coder; its `most` atoms are those that a
            report within the bits can hold.
        h: the training CSI, zero-centred float32 `[n, N_t, N_a, 2]`.
        scaling: how a channel is scaled, as `scaling.describe` says it.
    """

    plain: PlainAtoms
    coded: PursuitCodec
    h: np.ndarray
    scaling: dict

    @property
    def link(self) -> PursuitLink:
        """What the graphs of both ends are made of."""
        return PursuitLink(self.plain, self.coded.most)


def fit(settings: ExperimentConfig, bits: int, oversampling: int = 0) -> Fitted:
    """Fit both streams to a data set's training CSI.

    Args:
        settings: data set, scaling and seed apply.
        bits: of a report at most.
        oversampling: of the grid; 0: the best for the plain stream.

    Raises:
        ValueError: unusable data, or bits that hold no atom.
    """
    splits.check(settings, ("train",))
    builder = splits.open_builder(
        settings.dataset, settings.data_dir, settings.manual_dir
    )
    train = splits.load_split(settings, "train", EXAMPLES)
    seen = accuracy.to_complex(train.h_seen)
    array = methods.array_of(builder)
    overs = [oversampling] if oversampling else methods.OVERSAMPLING
    stream = plain.fit([grid_of(train, array, x) for x in overs], seen, bits)
    described = scaling.describe(settings.scaling, builder)
    return Fitted(stream, coded_codec(stream.grid, seen, bits), train.h_seen, described)


def coded_codec(grid: AngleDelayGrid, h: np.ndarray, bits: int) -> PursuitCodec:
    """Codec of coded reports that have so many bits at most."""
    most = methods.most_atoms(bits)
    found = search(grid, h, most)
    tables = pursuit.fit_budget(grid, h, bits, most, found).tables
    levels = tables.quantise(found.value)
    lengths = tables.lengths(found.angle, found.delay, *levels)
    begun = (np.cumsum(lengths, axis=1) < bits).sum(axis=1).max() + 1
    return PursuitCodec(grid, tables, min(int(begun), most))


def export(
    fitted: Fitted,
    settings: ExperimentConfig,
    out: Path,
    version: int = 1,
    frame_version: int = 1,
) -> dict:
    """Write the files of both ends.

    Args:
        fitted: what to export.
        settings: of the fit.
        out: target directory, must not exist.
        version: SavedModel version directory below `decoder/`.
        frame_version: of the frames that both sides speak, 1 or 2.

    Returns:
        The codec (content of codec.json).

    Raises:
        ValueError: `out` exists, or a file does not do what it was made of.
        OSError: it cannot be written; no partial export stays behind.
    """
    directory.check_new(out, version)
    link = fitted.link
    with directory.written(out) as partial:
        saved.save(fitted.coded, partial / TABLES)
        codec = _codec(fitted, settings, files.sha256(partial / TABLES), frame_version)
        content = convert_signatures(_signatures(link, codec), partial)
        (partial / ENCODER).write_bytes(slim(content))
        decoder = partial / "decoder" / str(version)
        directory.save_decoder(DecoderGraph(link, codec), decoder)
        directory.seal(decoder)
        codec["files"] = checksums.hashes(partial)
        codec["norms"] = csi_scale.norms(fitted.h)
        files.write_json(partial / "codec.json", codec)
        h = fitted.h[: golden_vectors.NUM_VECTORS]
        _verify_encoder(partial / ENCODER, link, h)
        verify_export.verify_decoder(decoder, link, link.encode(h), codec)
        golden_vectors.write(partial, [ENCODER], h)
        _verify_coded(partial, decoder, fitted, h)
    return codec


def _codec(
    fitted: Fitted, settings: ExperimentConfig, sha256: str, frame_version: int
) -> dict:
    """Content of codec.json without the file hashes."""
    link = fitted.link
    grid = fitted.plain.grid
    return exporter.agreement(
        {
            "model": "pursuit",
            "model_args": {
                "num_atoms": fitted.plain.num_atoms,
                "oversampling": grid.oversampling,
            },
            "csi_shape": list(fitted.h.shape[1:]),
            "codeword_dim": 4 * link.num_atoms,
            "bits": max(fitted.plain.widths),
            "sections": fitted.plain.sections,
            "uplink": False,
            "normalisation": exporter.input_of(settings, fitted.scaling),
            "quantizer": {
                "name": "plain_atoms",
                "normaliser": "none",
                **link.quantizer.agreed(),
            },
            "tables": TABLES,
            "weights_sha256": sha256,
        },
        frame_version,
    )


def _signatures(link: PursuitLink, codec: dict) -> dict:
    """The signatures of the encoder; `encode_bits` searches for what it sends alone."""
    spec = tf.TensorSpec([1, *codec["csi_shape"]], tf.float32, name="h")
    search_graph = SearchGraph(link.grid)

    @tf.function(input_signature=[spec])
    def encode(h):
        return {"codeword": search_graph.atoms(h, link.num_atoms)}

    @tf.function(input_signature=[spec])
    def encode_bits(h):
        sent = search_graph.atoms(h, codec["model_args"]["num_atoms"])
        return {
            "packed": pack_sections(link.quantizer.indices(sent), codec["sections"])
        }

    return {"encode": encode, "encode_bits": encode_bits}


def _verify_encoder(path: Path, link: PursuitLink, h: np.ndarray) -> None:
    """Compare what an encoder's codewords decode to with those of NumPy.

    Not the codewords: where atoms are as good as each other either may be taken.
    """
    own = verify_export.verified_codewords(path, link.quantizer, h)
    expected = link.encode(h)
    found, wanted = (nmse.nmse(h, link.recover(z).numpy()) for z in (own, expected))
    if not found.mean() <= WORSE * wanted.mean() + 1e-9:
        raise ValueError(
            f"{path}: squared error {found.mean():.2e}, that of the NumPy search is "
            f"{wanted.mean():.2e}; the export was discarded"
        )
    indices = [np.asarray(link.quantizer.indices(z)) for z in (own, expected)]
    same = int((indices[0] == indices[1]).all(axis=1).sum())
    print(f"{path.name}: {same} of {len(h)} reports are those of the NumPy search")


def _verify_coded(out: Path, decoder: Path, fitted: Fitted, h: np.ndarray) -> None:
    """Send CSI as coded reports through the files, and compare with the codec."""
    ue = CodedEncoder(out / ENCODER)
    receiver = CodedReceiver(ue.tables, ue.codec)
    framed = framing.Framer(ue.codec)
    codewords, whole = receiver.codewords([framed(ue.encode_bits(x)) for x in h])
    served = tf.saved_model.load(str(decoder)).signatures["decode_float"]
    answer = served(codeword=tf.constant(codewords))
    codec, budget = fitted.coded, 8 * ue.codec["payload_bytes"]
    seen = accuracy.to_complex(h)
    expected = real_pairs(codec.decode(codec.encode(seen, budget)))
    found, wanted = (nmse.nmse(h, x) for x in (answer["h"].numpy(), expected))
    valid = whole.all() and answer["valid"].numpy().all()
    if not (valid and found.mean() <= WORSE * wanted.mean() + 1e-9):
        raise ValueError(
            f"{out}: coded reports have a squared error of {found.mean():.2e}, those "
            f"of the codec {wanted.mean():.2e}; the export was discarded"
        )
