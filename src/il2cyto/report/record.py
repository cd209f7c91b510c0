"""The MIFlowCyt record of a study: filled from its files where they tell, "not provided" elsewhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from il2cyto.report.inputs import ReportInputs
from il2cyto.report.numbers import words
from il2cyto.report.tables import TextTable
from il2cyto.study.miflowcyt import ITEMS

NOT_PROVIDED = "not provided"
SECTIONS = {
    "1": "Experiment overview",
    "2": "Flow sample (specimen) description",
    "3": "Instrument details",
    "4": "Data analysis details",
}

#: Heading and key of each column of the table of settings; the last three may differ between tubes.
_FIXED = (
    ("channel", "name"), ("marker", "marker"), ("fluorochrome", "fluorochrome"), ("detector", "detector"),
    ("excitation, nm", "excitation"), ("filter, nm", "filter"), ("laser power, mW", "power"),
)  # fmt: skip
_SETTINGS = (("voltage, V", "voltage"), ("gain", "gain"), ("range", "range"))


@dataclass(frozen=True)
class RecordItem:
    """One item of the standard: its number and name, what the files tell, and what the study says."""

    number: str
    name: str
    told: str
    said: str

    @property
    def provided(self) -> bool:
        """Whether anything stands there."""
        return bool(self.told or self.said)


@dataclass
class InstrumentLog:
    """Cytometers and settings, gathered tube by tube; its size does not grow with the number of tubes."""

    cytometers: Counter[str] = field(default_factory=Counter)
    _settings: dict[tuple[str, ...], tuple[Counter[str], ...]] = field(default_factory=dict)

    def add(self, tube: str, instrument: Mapping[str, Any] | None) -> None:
        """Count the settings of one tube (``instrument`` of ``plots.json``)."""
        if instrument is None:
            return
        cytometer = words(instrument.get("cytometer"))
        self.cytometers[cytometer] += 1
        for channel in instrument.get("channels", ()):
            key = (tube, cytometer, *(words(channel.get(name)) for _, name in _FIXED))
            counters = self._settings.setdefault(key, tuple(Counter() for _ in _SETTINGS))
            for counter, (_, name) in zip(counters, _SETTINGS, strict=True):
                counter[words(channel.get(name))] += 1

    def table(self) -> TextTable:
        """Return one row per tube type, cytometer and channel; columns that are empty everywhere are left out."""
        headings = ["tube", "cytometer", *(label for label, _ in (*_FIXED, *_SETTINGS))]
        rows = [(*key, *map(_spread, counters)) for key, counters in self._settings.items()]
        kept = [i for i in range(len(headings)) if any(row[i] for row in rows)]
        return TextTable("", tuple(headings[i] for i in kept), tuple(tuple(row[i] for i in kept) for row in rows))


def miflowcyt(inputs: ReportInputs, log: InstrumentLog, n_tubes: int) -> tuple[tuple[str, tuple[RecordItem, ...]], ...]:
    """Return the items of the record by section.

    Parameters
    ----------
    inputs
        The tables, and what the study says.
    log
        Every gated tube.
    n_tubes
        Tubes of the study.
    """
    told = _told(inputs, log, n_tubes)
    items = [
        RecordItem(number, name, told.get(key, ""), inputs.miflowcyt.get(key, ""))
        for key, (number, name) in ITEMS.items()
    ]
    return tuple(
        (f"{digit} {title}", tuple(item for item in items if item.number.startswith(digit)))
        for digit, title in SECTIONS.items()
    )


def _told(inputs: ReportInputs, log: InstrumentLog, n_tubes: int) -> dict[str, str]:
    """What the files of the study tell, by key."""
    arms = ", ".join(arm.label for arm in inputs.arms)
    visits = ", ".join(visit.label for visit in inputs.visits)
    dates = sorted(filter(None, (words(value) for value in _dates(inputs))))
    known = [f"{name} ({n} {'tube' if n == 1 else 'tubes'})" for name, n in sorted(log.cytometers.items()) if name]
    people = inputs.subjects if inputs.subjects is not None else inputs.counts
    diagnoses = Counter(
        words(row["diagnosis"])
        for row in people.drop_duplicates("subject").to_dict("records")
        if words(row["diagnosis"])
    )
    compensation = _uses(inputs)
    return {
        "purpose": inputs.title,
        "variables": f"arm ({arms}); visit ({visits})",
        "date": "" if not dates else f"blood collected {dates[0]} to {dates[-1]}",
        "quality_control": "see Quality and Failures and flags of this page",
        "phenotype": ", ".join(f"{name} (n = {n})" for name, n in diagnoses.items()),
        "model": ", ".join(known),
        "configuration": "see the table of channels below" if log.table().rows else "",
        "data_location": f"{n_tubes} FCS files, identified by SHA-256 in Provenance",
        "compensation": compensation,
        "transformation": "for gating and display; see the table of transforms below" if inputs.strategies else "",
        "gating": "see the table of gates below; shapes, counts and percentages of every tube stand in Gating trees"
        if inputs.strategies
        else "",
    }


def _dates(inputs: ReportInputs) -> Iterable[Any]:
    if inputs.tubes is not None and "date" in inputs.tubes.columns:
        return list(inputs.tubes["date"])
    return list(inputs.counts["collection_date"]) if "collection_date" in inputs.counts.columns else []


def _uses(inputs: ReportInputs) -> str:
    if not inputs.strategies:
        return ""
    return "spillover matrices, solved for every event before gating; see the table of matrices below"


def _spread(counter: Counter[str]) -> str:
    """``480`` where all tubes agree, else ``480 (60 tubes), 490 (8 tubes)``."""
    if len(counter) == 1:
        return next(iter(counter))
    parts: Sequence[tuple[str, int]] = sorted(counter.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{value or NOT_PROVIDED} ({n} {'tube' if n == 1 else 'tubes'})" for value, n in parts)
