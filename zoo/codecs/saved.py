"""Fitted codecs as files, each with the checksums of its tables."""

from __future__ import annotations

from pathlib import Path

from serving.codec import atom_file, tables_file
from serving.codec.tables_file import CodecTables
from zoo import files
from zoo.codecs.klt_mixture import MixtureCodec
from zoo.codecs.levels import LevelTables
from zoo.codecs.pursuit import PursuitCodec
from zoo.codecs.transform_codec import TransformCodec
from zoo.codecs.transforms import Dft, Karhunen

Codec = PursuitCodec | TransformCodec | MixtureCodec


def save(codec: Codec, path: str | Path) -> None:
    """Write a fitted codec, whole or not at all."""
    if isinstance(codec, PursuitCodec):
        tables = atom_file.tables_of(codec)
    elif isinstance(codec, MixtureCodec):
        tables = _mixture(codec)
    else:
        tables = _transform(codec)
    with files.atomic_path(path) as partial:
        partial.write_bytes(tables_file.pack(tables))


def load(path: str | Path) -> Codec:
    """Read a codec: it sends and understands the bytes of the one that was saved.

    Raises:
        FileNotFoundError: no such file.
        ValueError: damaged, or no codec; the message names the file.
    """
    tables = tables_file.read(path)
    if tables.kind not in MAKERS:
        raise ValueError(
            f"{path}: a codec of kind {tables.kind!r}, expected {', '.join(MAKERS)}"
        )
    try:
        return MAKERS[tables.kind](tables)
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise ValueError(f"{path}: damaged tables: {error}") from error


def _pursuit(tables: CodecTables) -> PursuitCodec:
    codec = atom_file.decoder_of(tables)
    return PursuitCodec(codec.grid, codec.tables, codec.most)


def _transform(codec: TransformCodec) -> CodecTables:
    transform, own = codec.transform, {}
    if isinstance(transform, Dft):
        kind, own = "dft", {"order": transform.order, "classes": transform.classes}
    else:
        kind, own = "klt_coded", {"basis": transform.basis}
    facts = {"shape": list(codec.shape), "count": codec.count}
    facts["step"] = float(codec.tables.step)
    return CodecTables(
        kind,
        facts,
        {**own, "size": codec.tables.size, "centroids": codec.tables.centroids},
    )


def _transform_codec(tables: CodecTables) -> TransformCodec:
    facts, arrays = tables.facts, tables.arrays
    shape = tuple(facts["shape"])
    if tables.kind == "dft":
        transform = Dft(arrays["order"], arrays["classes"], shape)
    else:
        transform = Karhunen(arrays["basis"])
    levels = LevelTables(arrays["size"], arrays["centroids"], facts["step"])
    return TransformCodec(transform, levels, shape, facts["count"])


def _mixture(codec: MixtureCodec) -> CodecTables:
    parts = [_transform(kind) for kind in codec.kinds]
    arrays = {
        f"{name}_{k}": x
        for k, part in enumerate(parts)
        for name, x in part.arrays.items()
    }
    facts = {"weight": float(codec.weight), "kinds": [part.facts for part in parts]}
    return CodecTables("klt_mixture", facts, {"labels": codec.labels, **arrays})


def _mixture_codec(tables: CodecTables) -> MixtureCodec:
    kinds = [
        _transform_codec(
            CodecTables(
                "klt_coded",
                facts,
                {x: tables.arrays[f"{x}_{k}"] for x in ("basis", "size", "centroids")},
            )
        )
        for k, facts in enumerate(tables.facts["kinds"])
    ]
    return MixtureCodec(kinds, tables.arrays["labels"], tables.facts["weight"])


MAKERS = {
    "pursuit": _pursuit,
    "dft": _transform_codec,
    "klt_coded": _transform_codec,
    "klt_mixture": _mixture_codec,
}
