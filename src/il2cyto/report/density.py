"""A density picture as a short text that a page can carry by the thousand."""

from __future__ import annotations

import base64

import numpy as np

#: The characters of the text: no quote, backslash or angle bracket, so JSON and HTML leave each one alone.
ALPHABET = "".join(chr(code) for code in range(33, 127) if chr(code) not in "\"'&<>\\`")
#: Levels of brightness above empty; the remaining characters say how many empty bins follow one another.
LEVELS = 48
_CHARACTERS = np.frombuffer(ALPHABET.encode("ascii"), dtype=np.uint8)


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
    place = np.arange(levels.size)
    empty = levels < 0
    # first bin of the run of empty bins that each one lies in, and the first bin behind that run
    start = np.maximum.accumulate(np.where(empty, 0, place + 1))
    end = np.minimum.accumulate(np.where(empty, levels.size, place)[::-1])[::-1]
    written = ~empty | ((place - start) % longest == 0)
    codes = np.where(empty, LEVELS - 1 + np.minimum(end - place, longest), levels)
    return bytes(_CHARACTERS[codes[written]]).decode("ascii")
