"""What the clinic writes down of a subject besides blood: drugs, growth, laboratory values, scores, adverse events."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from il2cyto.derive.medication import Prescription


@dataclass(frozen=True)
class Drug:
    """One row of the sheet of concomitant drugs.

    Attributes
    ----------
    group
        ``steroid``, ``immunosuppressant`` or another word.
    drug, mg, per, route, start, end
        As in `il2cyto.derive.medication.Prescription`.
    """

    subject: str
    drug: str
    group: str
    mg: float
    per: str
    route: str
    start: date
    end: date | None
    line: int

    @property
    def prescription(self) -> Prescription:
        """What was prescribed."""
        return Prescription(self.drug, self.mg, self.per, self.route, self.start, self.end)


@dataclass(frozen=True)
class Vital:
    """Height and weight on one day; NaN where they were not taken, `visit` ``None`` outside a visit."""

    subject: str
    visit: str | None
    date: date | None
    height_cm: float
    weight_kg: float
    line: int


@dataclass(frozen=True)
class LabValue:
    """One laboratory value.

    Attributes
    ----------
    value
        The number as it stands, or the limit of a value outside its range (``<10``).
    censor
        0 for a value, -1 below and 1 above the limit.
    lower, upper
        Limits of the reference range of this subject, NaN where there is none.
    """

    subject: str
    visit: str | None
    date: date | None
    test: str
    value: float
    censor: int
    unit: str
    lower: float
    upper: float
    line: int


@dataclass(frozen=True)
class ScoreItem:
    """One item of a score at one visit."""

    subject: str
    visit: str | None
    date: date | None
    score: str
    item: str
    value: float
    line: int


@dataclass(frozen=True)
class AdverseEvent:
    """One adverse event; `grade` is that of CTCAE, 1 to 5, and `end` is ``None`` while it goes on."""

    subject: str
    event_class: str
    start: date
    end: date | None
    grade: int | None
    serious: bool
    related: bool | None
    line: int


@dataclass(frozen=True)
class Clinic:
    """All of it; `sheets` names those that the study has."""

    drugs: tuple[Drug, ...] = ()
    vitals: tuple[Vital, ...] = ()
    labs: tuple[LabValue, ...] = ()
    scores: tuple[ScoreItem, ...] = ()
    events: tuple[AdverseEvent, ...] = ()
    sheets: frozenset[str] = frozenset()
