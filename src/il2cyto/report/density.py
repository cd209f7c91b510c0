"""A density picture as a short text that a page can carry by the thousand."""

from __future__ import annotations

import base64

import numpy as np

#: The characters of the text: no quote, backslash or angle bracket, so JSON and HTML leave each one alone.
ALPHABET = "".join(chr(code) for code in range(33, 127) if chr(code) not in "\"'&<>\\`")
#: Levels of brightness above empty; the remaining characters say how many empty bins follow one another.
LEVELS = 48


def pack(density: str) -> str:
    """Rewrite a density with 48 levels and one character for a bin, or for a run of empty bins.

    Most bins of a picture are empty, so the text is about a third of the base64 of ``plots.json``; it needs no
    decompression in the browser and is the same on every machine.

    Parameters
    ----------
    density
        Base64 of bytes 0..255, as ``plots.json`` holds it; 0 means empty and stays empty.

    Examples
    --------
    >>> pack(base64.b64encode(bytes([0, 0, 0, 1, 255])).decode())
    'X!U'
    """
    values = np.frombuffer(base64.b64decode(density), dtype=np.uint8).astype(np.int64)
    levels = np.where(values > 0, (values * LEVELS - 1) // 256, -1)
    longest = len(ALPHABET) - LEVELS
    parts: list[str] = []
    # run-length encoding over the borders between empty and filled stretches
    borders = np.flatnonzero(np.diff(levels >= 0)) + 1
    for stretch in np.split(levels, borders):
        if stretch.size and stretch[0] < 0:
            full, rest = divmod(stretch.size, longest)
            parts.append(ALPHABET[-1] * full + (ALPHABET[LEVELS + rest - 1] if rest else ""))
        else:
            parts.extend(ALPHABET[level] for level in stretch)
    return "".join(parts)
