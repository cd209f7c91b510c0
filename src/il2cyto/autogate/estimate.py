"""What every method of estimating a gate takes and gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from il2cyto.gating.learning import LearnRule, Source

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class LearningTube:
    """The events that one tube gives to learn from.

    Parameters
    ----------
    tube_id
        Id in the samples or controls sheet.
    source
        What it teaches as.
    values
        Coordinates of the events of the rule's population on the axes of the gate, in axis units, float64
        ``(n_events, n_axes)``; NaN where undefined.
    sha256
        Hash of the FCS file.
    """

    tube_id: str
    source: Source
    values: FloatArray = field(repr=False, compare=False)
    sha256: str = ""


@dataclass(frozen=True)
class Template:
    """What a method may know of the gate beforehand.

    Parameters
    ----------
    place
        Parameters of the template's gate, float64 ``(n_parameters,)``: the threshold of a cut, or the vertices of a
        polygon, ``x1, y1, x2, y2 …``.
    limits
        Range of each axis that holds its data, ``(low, high)`` per axis, in axis units.
    """

    place: FloatArray
    limits: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Estimated:
    """A gate that was found.

    Parameters
    ----------
    place
        Parameters, as in `Template.place`; a polygon may have another number of vertices than the template.
    draws
        The same from bootstrap samples of tubes and events, float64 ``(n_draws, n_parameters)``.
    separation
        How far apart both sides are: 0 where nothing parts them, 1 where nothing lies between. Each method says in its
        docstring how it is computed; scores compare within a method only.
    n_events
        Events that it was learnt from.
    learnt_from
        Ids of the tubes that gave them.
    notes
        What a person should know, without names of files.
    """

    place: FloatArray = field(compare=False)
    draws: FloatArray = field(repr=False, compare=False)
    separation: float
    n_events: int
    learnt_from: tuple[str, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class NotEstimable:
    """A gate that the data do not tell, with a reason in words for the tables."""

    reason: str
    n_events: int
    learnt_from: tuple[str, ...]


class Method(Protocol):
    """A way of estimating: a pure function, which gives the same result for the same tubes in any order.

    Random draws come from `rng` alone, which the caller seeds by strategy, gate and unit.
    """

    def __call__(
        self, tubes: Sequence[LearningTube], rule: LearnRule, template: Template, rng: np.random.Generator
    ) -> Estimated | NotEstimable: ...
