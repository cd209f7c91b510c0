"""Streams of random numbers: each draw has its own, named by what it is for and for whom.

A stream is keyed by the seed, its name and whole numbers (subject, visit, tube), so no draw depends on how many
others were made, in which order or by how many processes. More subjects leave the first ones as they were.
"""

from __future__ import annotations

from typing import Final

import numpy as np

_STREAMS: Final = {
    name: number
    for number, name in enumerate(
        (
            "subject",
            "day",
            "blood",
            "serum",
            "tube",
            "lot",
            "missing",
            "slow",
            "regimen",
            "growth",
            "instrument",
            "batch",
            "fault",
            "activity",
            "therapy",
            "laboratory",
            "score",
            "adverse",
            "control",
        )
    )
}


def entropy(seed: int, stream: str, *numbers: int) -> tuple[int, ...]:
    """Entropy of a stream, for `numpy.random.default_rng`.

    Raises
    ------
    KeyError
        If there is no such stream.

    Examples
    --------
    >>> entropy(7, "blood", 0, 2)
    (7, 2, 0, 2)
    """
    return (seed, _STREAMS[stream], *numbers)


def stream(seed: int, name: str, *numbers: int) -> np.random.Generator:
    """Generator of a stream."""
    return np.random.default_rng(entropy(seed, name, *numbers))
