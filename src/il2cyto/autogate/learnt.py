"""A gate that was learnt, as it stands in files: what, from which data, how sure, or why not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from il2cyto.autogate.estimate import Estimated, NotEstimable

Kind = Literal["cut", "shape"]
Status = Literal["estimated", "borrowed", "not_estimable", "template"]
STATUSES: Final[tuple[Status, ...]] = ("estimated", "borrowed", "not_estimable", "template")


@dataclass(frozen=True)
class LearntGate:
    """What became of one rule in one unit.

    Parameters
    ----------
    kind, name
        ``cut`` with its name, or ``shape`` with the path of its population.
    scope, unit
        ``tube``, ``subject``, ``batch`` or ``study``, and which: a tube id, ``subject@batch``, a batch, or nothing.
    status
        ``estimated``; ``borrowed`` from `borrowed_from`; ``template``, where the template's place stands in; or
        ``not_estimable``.
    place
        Parameters, in axis units: a threshold, or the vertices of a polygon. Empty where not estimable.
    draws
        The same from bootstrap samples; empty where there are none.
    separation
        Score of the method, NaN where there is none.
    n_events
        Events of the learning tubes.
    learnt_from
        Ids of the tubes.
    reason
        Why it is not estimable, or why it was borrowed.
    notes
        What a person should know.
    """

    kind: Kind
    name: str
    scope: str
    unit: str
    method: str
    status: Status
    place: tuple[float, ...] = ()
    draws: tuple[tuple[float, ...], ...] = field(default=(), repr=False)
    separation: float = float("nan")
    n_events: int = 0
    learnt_from: tuple[str, ...] = ()
    borrowed_from: str = ""
    reason: str = ""
    notes: tuple[str, ...] = ()

    @property
    def id(self) -> tuple[Kind, str]:
        """Kind and name: what the rule is called."""
        return self.kind, self.name

    def plain(self) -> dict[str, Any]:
        """Return the gate as JSON holds it."""
        return {
            "kind": self.kind,
            "name": self.name,
            "scope": self.scope,
            "unit": self.unit,
            "method": self.method,
            "status": self.status,
            "place": list(self.place),
            "draws": [list(draw) for draw in self.draws],
            "separation": None if self.separation != self.separation else self.separation,
            "n_events": self.n_events,
            "learnt_from": list(self.learnt_from),
            "borrowed_from": self.borrowed_from,
            "reason": self.reason,
            "notes": list(self.notes),
        }

    @classmethod
    def from_plain(cls, content: Mapping[str, Any]) -> LearntGate:
        """Return the gate that `plain` wrote."""
        separation = content["separation"]
        return cls(
            **{
                **content,
                "place": tuple(content["place"]),
                "draws": tuple(tuple(draw) for draw in content["draws"]),
                "separation": float("nan") if separation is None else float(separation),
                "learnt_from": tuple(content["learnt_from"]),
                "notes": tuple(content["notes"]),
            }
        )

    @classmethod
    def of(
        cls, kind: Kind, name: str, scope: str, unit: str, method: str, found: Estimated | NotEstimable
    ) -> LearntGate:
        """Return what a method found, numbers rounded to nine digits after the point."""
        if isinstance(found, NotEstimable):
            return cls(
                kind, name, scope, unit, method, "not_estimable",
                n_events=found.n_events, learnt_from=found.learnt_from, reason=found.reason,
            )  # fmt: skip
        return cls(
            kind, name, scope, unit, method, "estimated",
            tuple(found.place.round(9).tolist()), tuple(map(tuple, found.draws.round(9).tolist())),
            float(found.separation), found.n_events, found.learnt_from, notes=found.notes,
        )  # fmt: skip
