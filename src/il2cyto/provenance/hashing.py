"""SHA-256 of files and of plain data."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any


def hash_file(path: str | Path) -> str:
    """Return the SHA-256 of a file's bytes as 64 hexadecimal digits.

    Raises
    ------
    OSError
        If the file cannot be read.
    """
    with Path(path).open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def hash_content(content: Any) -> str:
    """Return the SHA-256 of JSON-like data: same content, same hash, whatever the order of keys.

    Floats enter with their shortest exact representation, so two different float64 never share a hash by rounding.

    Raises
    ------
    TypeError
        If `content` holds something that JSON cannot express.

    Examples
    --------
    >>> hash_content({"b": 1, "a": [0.5]}) == hash_content({"a": [0.5], "b": 1})
    True
    """
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()
