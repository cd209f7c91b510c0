"""What of a strategy is learnt from data, from which tubes and how: rules, and where their results belong.

A strategy is whole without its rules: each cut has a place and each gate a shape, those of the template.
`il2cyto.autogate` estimates better ones; what it finds is frozen into the strategy before any event is counted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

from il2cyto.errors import StrategyError
from il2cyto.gates import Dimension
from il2cyto.study.frozen import FrozenMapping

Scope = Literal["tube", "subject", "batch", "study"]
Source = Literal["sample", "untreated", "donor", "fmo", "unstimulated"]
Side = Literal["min", "max", "divider"]

#: From narrow to wide. A subject is learnt within one batch only: a shift between batches is no change of a child.
SCOPES: Final[tuple[Scope, ...]] = ("tube", "subject", "batch", "study")
#: Tubes that may teach: any sample, samples drawn before the subject's first dose (all of an untreated subject),
#: control donors, tubes that lack the one stain of the cut, tubes of cells that nothing has stimulated.
SOURCES: Final[tuple[Source, ...]] = ("sample", "untreated", "donor", "fmo", "unstimulated")


@dataclass(frozen=True)
class LearnRule:
    """How one cut or gate is learnt.

    Parameters
    ----------
    method
        Name of a method of `il2cyto.autogate`.
    population
        Name or path of the population whose events are looked at.
    scope
        What shares one result: a tube, the tubes of a subject in a batch, of a batch, or of the study.
    sources
        Tubes that may teach, in order of preference: the first kind that suffices is taken. Scope ``tube`` learns from
        the tube itself.
    borrow
        Wider scopes, or ``template``, whose result stands in where this one is not estimable, in this order. Empty:
        what is not estimable stays so.
    min_events
        Fewer events of `population` (in all learning tubes together) are not estimable.
    options
        Numbers and words of the method.
    why
        Why this scope and these sources; shown where the gate is shown.
    """

    method: str
    population: str
    scope: Scope = "tube"
    sources: tuple[Source, ...] = ("sample",)
    borrow: tuple[str, ...] = ()
    min_events: int = 200
    options: FrozenMapping[str, float | str] = field(default_factory=lambda: FrozenMapping({}))
    why: str = ""

    def __post_init__(self) -> None:
        if self.scope not in SCOPES:
            raise StrategyError("scope {scope!r}: wanted one of {known}", scope=self.scope, known=", ".join(SCOPES))
        if not self.sources or any(source not in SOURCES for source in self.sources):
            raise StrategyError(
                "sources {given}: wanted some of {known}", given=list(self.sources), known=list(SOURCES)
            )
        wider = SCOPES[SCOPES.index(self.scope) + 1 :]
        for place in self.borrow:
            if place not in (*wider, "template"):
                raise StrategyError(
                    "borrow {place!r}: scope {scope} borrows from {known}",
                    place=place, scope=self.scope, known=", ".join((*wider, "template")),
                )  # fmt: skip
        if self.min_events < 1:
            raise StrategyError("min_events {number}: wanted 1 or more", number=self.min_events)


@dataclass(frozen=True)
class CutUse:
    """A limit of a rectangle, or a divider of a quadrant, that a cut gives: population and dimension by place, side."""

    population: int
    dimension: int
    side: Side


@dataclass(frozen=True)
class Cut:
    """A named threshold that several gates share.

    Parameters
    ----------
    name
        Unique within the strategy.
    dimension
        Marker or channel with its compensation and the transform in which it is learnt.
    at
        Place of the template, in units of `dimension`.
    rule
        How it is learnt; ``None`` for a threshold that is only shared.
    uses
        Gates that it limits, in units of `dimension` as well.
    """

    name: str
    dimension: Dimension
    at: float
    rule: LearnRule | None = None
    uses: tuple[CutUse, ...] = ()


@dataclass(frozen=True)
class LearntShape:
    """A polygon or time gate that is learnt as a whole: place of its population, and how."""

    population: int
    rule: LearnRule


@dataclass(frozen=True)
class Learning:
    """All that is learnt of a strategy; `cuts` by name in the order of the file."""

    cuts: tuple[Cut, ...] = ()
    shapes: tuple[LearntShape, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.shapes) or any(cut.rule is not None for cut in self.cuts)
