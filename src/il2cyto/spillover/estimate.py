"""Spillover from single stains and an unstained control, by named methods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from il2cyto.compensation import SpilloverMatrix
from il2cyto.errors import CompensationError, did_you_mean
from il2cyto.spillover.stains import Stain, split

FloatArray = NDArray[np.float64]
METHODS: Final = ("populations", "medians")
#: Bootstrap samples behind a standard error.
_DRAWS: Final = 100


@dataclass(frozen=True)
class Estimate:
    """A spillover matrix and how sure it is.

    Attributes
    ----------
    matrix
        The matrix.
    standard_error
        Of each coefficient, float64 like the matrix; 0 on the diagonal, NaN where the method gives none.
    n_positive
        Events with the dye behind each row, by detector.
    method
        Its name.
    """

    matrix: SpilloverMatrix
    standard_error: FloatArray = field(repr=False)
    n_positive: tuple[int, ...]
    method: str


def estimate_spillover(
    stains: Sequence[Stain],
    unstained: FloatArray,
    detectors: Sequence[str],
    method: str = "populations",
    *,
    matrix_id: str = "controls",
) -> Estimate:
    """Estimate a spillover matrix.

    Parameters
    ----------
    stains
        One control for each of `detectors`, in any order.
    unstained
        Values of the unstained control, float64 ``(n_events, n_detectors)``, uncompensated, linear.
    detectors
        Names of the columns of all values.
    method
        ``populations``: per dye, difference of the medians of events with and without it, relative to that in its own
        detector, with bootstrap standard errors. ``medians``: as `flowCore::spillover` does by default, the medians of
        whole controls less those of the unstained control, negative ones 0, each row divided by its largest value.
    matrix_id
        Id of the matrix.

    Raises
    ------
    CompensationError
        If a detector has no control or two, the method is unknown, a control has too few events with its dye, or is
        brighter in another detector than in its own.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> bare = rng.normal(50, 10, (500, 2))
    >>> def stain(k, row): return Stain("AB"[k], bare + rng.uniform(900, 1100, (500, 1)) * np.array(row))
    >>> found = estimate_spillover([stain(0, [1, 0.2]), stain(1, [0.05, 1])], bare, ["A", "B"])
    >>> found.matrix.values.round(2).tolist()
    [[1.0, 0.2], [0.05, 1.0]]
    """
    if method not in METHODS:
        raise CompensationError(
            "method {method!r} is unknown{close}", method=method, close=did_you_mean(method, METHODS)
        )
    by_detector: dict[str, Stain] = {}
    for stain in stains:
        if stain.detector not in detectors or stain.detector in by_detector:
            why = "is stained twice" if stain.detector in by_detector else "is no detector of the matrix"
            raise CompensationError("detector {detector!r} {why}", detector=stain.detector, why=why)
        by_detector[stain.detector] = stain
    missing = [name for name in detectors if name not in by_detector]
    if missing:
        raise CompensationError("no single stain of {names}; add them to the controls sheet", names=", ".join(missing))
    ordered = [by_detector[name] for name in detectors]
    rows = [
        _medians(one, k, unstained) if method == "medians" else _populations(one, k, unstained)
        for k, one in enumerate(ordered)
    ]
    for name, (row, _, _) in zip(detectors, rows, strict=True):
        brightest = int(row.argmax())
        if detectors[brightest] != name:
            raise CompensationError(
                "the single stain of {detector} is brighter in {other}; is it the right file?",
                detector=name, other=detectors[brightest],
            )  # fmt: skip
    return Estimate(
        SpilloverMatrix(matrix_id, tuple(detectors), np.stack([row for row, _, _ in rows])),
        np.stack([error for _, error, _ in rows]),
        tuple(number for *_, number in rows),
        method,
    )


def _medians(stain: Stain, own: int, unstained: FloatArray) -> tuple[FloatArray, FloatArray, int]:
    signal = np.maximum(np.median(stain.values, axis=0) - np.median(unstained, axis=0), 0.0)
    if signal.max() <= 0:
        raise CompensationError(
            "the single stain of {detector} is nowhere brighter than the unstained control", detector=stain.detector
        )
    return signal / signal.max(), np.full(len(signal), np.nan), len(stain.values)


def _populations(stain: Stain, own: int, unstained: FloatArray) -> tuple[FloatArray, FloatArray, int]:
    parts = split(stain, own, unstained)
    if parts.reason:
        raise CompensationError(
            "the single stain of {detector}: {reason}; record it again or set its voltage",
            detector=stain.detector, reason=parts.reason,
        )  # fmt: skip

    def row(positive: FloatArray, negative: FloatArray) -> FloatArray:
        difference = np.median(positive, axis=0) - np.median(negative, axis=0)
        return np.asarray(difference / difference[own])

    rng = np.random.default_rng(own)
    some = [part[:2_000] for part in (parts.positive, parts.negative)]
    draws = np.stack([row(*(part[rng.integers(0, len(part), len(part))] for part in some)) for _ in range(_DRAWS)])
    # a thinned control would state a larger error than the whole one has
    shrink = np.sqrt(len(some[0]) / len(parts.positive))
    return row(parts.positive, parts.negative), draws.std(axis=0, ddof=1) * shrink, len(parts.positive)
