"""JSON that is read back: compared with a schema, refused in one line.

Schemas are those of JSON Schema (draft 4, in which 4.0 is no integer).
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import fastjsonschema

from tfds_builders.untrusted import sizes

LARGEST = sizes.LARGEST >> 4  # bytes of text, which takes many times that in memory
DRAFT = "http://json-schema.org/draft-04/schema#"

TEXT = {"type": "string"}
TEXT_OR_NONE = {"type": ["string", "null"]}
FLAG = {"type": "boolean"}
NUMBER = {"type": "number"}
NUMBER_OR_NONE = {"type": ["number", "null"]}
COUNT = {"type": "integer", "minimum": 0, "maximum": (1 << 53) - 1}
POSITIVE = {**COUNT, "minimum": 1}
SHA256 = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
OBJECT = {"type": "object"}


def record(needed: dict, more: dict | None = None) -> dict:
    """Schema of an object.

    Args:
        needed: schemas of the keys that it must have.
        more: of those that it may have; others may hold anything.
    """
    keys = {**needed, **(more or {})}
    return {"type": "object", "properties": keys, "required": list(needed)}


def read(path: str | Path, schema: dict | None = None) -> Any:
    """Read a JSON file.

    Args:
        path: the file.
        schema: that its content must have; None: any.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not JSON, too large, or not of the schema; the message names the
            file, the place in it, what was found and what was expected.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    size = path.stat().st_size
    if size > LARGEST:
        raise ValueError(f"{path}: {size:,} bytes, expected at most {LARGEST:,}")
    return parse(path, path.read_bytes(), schema)


def parse(path: str | Path, content: bytes, schema: dict | None = None) -> Any:
    """Read JSON that is in memory.

    Args:
        path: or another name for messages.
        content: its text in UTF-8.
        schema: as of `read`.

    Raises:
        ValueError: not JSON, or not of the schema.
    """
    try:
        value = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:  # text, JSON, or a number too long
        raise ValueError(f"{path}: not a JSON file ({error})") from error
    if schema is not None:
        check(path, value, schema)
    return value


def check(path: str | Path, value, schema: dict) -> None:
    """Compare what was read with a schema.

    Args:
        path: or another name for messages.
        value: of JSON.
        schema: that it must have.

    Raises:
        ValueError: it has not.
    """
    try:
        _compiled(json.dumps(schema))(value)
    except fastjsonschema.JsonSchemaValueException as error:
        place = ".".join(map(str, error.path[1:])) or "the whole"
        raise ValueError(
            f"{path}: {place} is {_short(error.value)}, expected {_expected(error)}; "
            "it was damaged, or written by another version"
        ) from error


@functools.cache
def _compiled(schema: str):
    return fastjsonschema.compile({"$schema": DRAFT, **json.loads(schema)})


def _short(value) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:60]}..."


def _expected(error: fastjsonschema.JsonSchemaValueException) -> str:
    """What a rule asks for, in words."""
    rule, asked = error.rule, error.rule_definition
    if rule == "required":
        missing = [key for key in asked if key not in error.value]
        return f"an object with {', '.join(missing)}"
    known = error.definition.get("properties")
    if rule == "additionalProperties" and known:
        return f"an object without {_short([x for x in error.value if x not in known])}"
    if rule == "type":
        return " or ".join([asked] if isinstance(asked, str) else asked)
    words = {"enum": "one of", "minimum": "at least", "maximum": "at most"}
    return f"{words.get(rule, rule)} {_short(asked)}"
