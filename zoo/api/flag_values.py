"""Values of Python as those of flags."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def flag_value(value: Any) -> Any:
    """A flag's value: JSON of an object, text of a path."""
    if isinstance(value, dict):
        return json.dumps(value)
    return str(value) if isinstance(value, Path) else value
