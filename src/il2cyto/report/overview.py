"""Who was measured when: a grid of subjects × visits × tubes, and what a missing tube takes away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from il2cyto.keys import NOT_ESTIMABLE
from il2cyto.report.inputs import ReportInputs, Visit
from il2cyto.report.numbers import words

#: Flags that the tables of values show beside each value; they alone do not mark a tube.
QUIET_FLAGS = frozenset({"below_lloq", "below_lod"})
#: States of a cell, with the sign and the words that the page shows.
STATES: Mapping[str, tuple[str, str]] = {
    "good": ("●", "gated"),
    "flagged": ("▲", "gated, with a flag, a notice or a missing marker"),
    "failed": ("✕", "set aside with an error"),
    "no-tube": ("○", "no tube, though most have it at this visit"),
    "no-visit": ("–", "planned visit without any tube"),
    "unplanned": ("·", "not planned"),
}


@dataclass(frozen=True)
class SheetRow:
    """One tube of the study: a row of the samples sheet, or what the tables tell of it."""

    tube_id: str
    subject: str
    arm: str
    visit: str
    tube: str
    batch: str = ""
    instrument: str = ""
    date: str = ""


@dataclass(frozen=True)
class Cell:
    """One subject × visit × tube type: its state, its tubes (usually one), and the reason where there is one."""

    state: str
    tubes: tuple[str, ...] = ()
    reason: str = ""

    @property
    def sign(self) -> str:
        """The sign that stands for the state, with a number where there are several tubes."""
        return STATES[self.state][0] + (str(len(self.tubes)) if len(self.tubes) > 1 else "")

    @property
    def words(self) -> str:
        """The state in words, with the reason."""
        said = STATES[self.state][1]
        return f"{said}: {self.reason}" if self.reason else said


@dataclass(frozen=True)
class GridRow:
    """One subject with a tuple of cells per visit."""

    subject: str
    diagnosis: str
    visits: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True)
class Grid:
    """Rows by arm; `tubes` are the tube types, one column each within a visit.

    `numbers` counts tubes, and cells without one, by state.

    `failed` holds the id of every tube set aside and why, in the order of the sheet.
    """

    tubes: tuple[str, ...]
    arms: tuple[tuple[str, str, tuple[GridRow, ...]], ...]
    numbers: Mapping[str, int]
    failed: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Loss:
    """What a visit lacks because of one tube: the populations without a number, and why."""

    subject: str
    visit: str
    tube: str
    tube_id: str
    why: str
    populations: tuple[str, ...]


def sheet_rows(inputs: ReportInputs) -> tuple[SheetRow, ...]:
    """Return every tube of the study, of the sheet where it is given, else of counts and failures."""
    if inputs.tubes is not None:
        columns = [name for name in ("batch", "instrument", "date") if name in inputs.tubes.columns]
        return tuple(
            SheetRow(
                *(words(row[name]) for name in ("tube_id", "subject", "arm", "visit", "tube")),
                **{name: words(row[name]) for name in columns},
            )
            for row in inputs.tubes.to_dict("records")
        )
    found: dict[str, SheetRow] = {}
    for row in (
        inputs.counts[["tube_id", "subject", "arm", "visit", "tube"]].drop_duplicates("tube_id").to_dict("records")
    ):
        parts = [words(row[name]) for name in ("tube_id", "subject", "arm", "visit", "tube")]
        found[parts[0]] = SheetRow(*parts)
    arms = {row.subject: row.arm for row in found.values()}
    for row in _failures(inputs).to_dict("records"):
        tube_id, subject = words(row["tube_id"]), words(row["subject"])
        if tube_id and tube_id not in found and not any(tube_id in known.split("+") for known in found):
            found[tube_id] = SheetRow(tube_id, subject, arms.get(subject, ""), words(row["visit"]), words(row["tube"]))
    return tuple(found.values())


def counted_tubes(inputs: ReportInputs) -> dict[str, tuple[str, ...]]:
    """Flags that are not quiet of each tube that has counts; replicates that were summed stand apart."""
    found: dict[str, dict[str, None]] = {}
    for tube_id, flags in inputs.counts[["tube_id", "flags"]].itertuples(index=False):
        loud = {flag: None for flag in words(flags).split(";") if flag and flag not in QUIET_FLAGS}
        whole = words(tube_id)
        for part in {whole, *whole.split("+")}:
            found.setdefault(part, {}).update(loud)
    return {tube_id: tuple(flags) for tube_id, flags in found.items()}


def tube_states(inputs: ReportInputs, rows: Sequence[SheetRow]) -> dict[str, Cell]:
    """Return the state of every tube with its reason."""
    counted = counted_tubes(inputs)
    failures, notices = _messages(_failures(inputs)), _messages(_failures(inputs, "notice"))
    states = {}
    for row in rows:
        if row.tube_id not in counted:
            why = failures.get(row.tube_id, ["no result, and no error tells why"])
            states[row.tube_id] = Cell("failed", (row.tube_id,), "; ".join(why))
            continue
        told = [*failures.get(row.tube_id, []), *notices.get(row.tube_id, [])]
        told += [flag.replace("_", " ") for flag in counted[row.tube_id]]
        states[row.tube_id] = Cell("flagged" if told else "good", (row.tube_id,), "; ".join(told))
    return states


def completeness(inputs: ReportInputs, visits: Sequence[Visit], subjects: Sequence[tuple[str, str, str]]) -> Grid:
    """Lay out every subject × visit × tube type.

    A tube type is expected at a visit when at least half of the subjects who have any tube there have this one; whether
    a visit is planned is told by `missing_visits` and by the tubes that exist.
    """
    rows = sheet_rows(inputs)
    states = tube_states(inputs, rows)
    types = tuple(dict.fromkeys(row.tube for row in rows))
    usual = _usual(rows)
    at: dict[tuple[str, str, str], list[Cell]] = {}
    for row in rows:
        at.setdefault((row.subject, row.visit, row.tube), []).append(states[row.tube_id])
    seen = {(row.subject, row.visit) for row in rows}
    absent = set(inputs.missing_visits[["subject", "visit"]].map(words).itertuples(index=False, name=None))
    numbers = dict.fromkeys(STATES, 0)

    def cell(subject: str, visit: str, tube: str) -> Cell:
        found = at.get((subject, visit, tube))
        if found:
            worst = next(state for state in ("failed", "flagged", "good") if any(c.state == state for c in found))
            reason = "; ".join(dict.fromkeys(filter(None, (c.reason for c in found))))
            return Cell(worst, tuple(tube_id for c in found for tube_id in c.tubes), reason)
        if (subject, visit) in seen:
            return Cell("no-tube" if (visit, tube) in usual else "unplanned")
        return Cell("no-visit" if (subject, visit) in absent and (visit, tube) in usual else "unplanned")

    arms = []
    known = [arm.id for arm in inputs.arms]
    for arm in [*known, *dict.fromkeys(arm for _, arm, _ in subjects if arm not in known)]:
        lines = []
        for subject, own, diagnosis in subjects:
            if own != arm:
                continue
            cells = tuple(tuple(cell(subject, visit.id, tube) for tube in types) for visit in visits)
            for one in (one for visit_cells in cells for one in visit_cells):
                for state in [states[tube_id].state for tube_id in one.tubes] or [one.state]:
                    numbers[state] += 1
            lines.append(GridRow(subject, diagnosis, cells))
        label = next((a.label for a in inputs.arms if a.id == arm), arm or "arm not known")
        if lines:
            arms.append((arm, label, tuple(lines)))
    failed = tuple(
        (row.tube_id, states[row.tube_id].reason.replace(f"{row.tube_id}: ", ""))
        for row in rows
        if states[row.tube_id].state == "failed"
    )
    return Grid(types, tuple(arms), numbers, failed)


def _usual(rows: Sequence[SheetRow]) -> set[tuple[str, str]]:
    """Visits with the tube types that are expected there."""
    seen: dict[str, set[str]] = {}
    having: dict[tuple[str, str], set[str]] = {}
    for row in rows:
        seen.setdefault(row.visit, set()).add(row.subject)
        having.setdefault((row.visit, row.tube), set()).add(row.subject)
    return {key for key, subjects in having.items() if 2 * len(subjects) >= len(seen[key[0]])}


@dataclass(frozen=True)
class ArmRow:
    """One arm in numbers: subjects, and by visit how many of them have a tube."""

    label: str
    reference: bool
    n_subjects: int
    diagnoses: str
    at_visits: tuple[int, ...]
    n_tubes: int


def arm_rows(inputs: ReportInputs, visits: Sequence[Visit], grid: Grid) -> tuple[ArmRow, ...]:
    """Summarise each arm of the grid."""
    reference = {arm.id for arm in inputs.arms if arm.reference}
    found = []
    for arm, label, lines in grid.arms:
        diagnoses: dict[str, int] = {}
        for line in lines:
            if line.diagnosis:
                diagnoses[line.diagnosis] = diagnoses.get(line.diagnosis, 0) + 1
        at = tuple(sum(any(cell.tubes for cell in line.visits[i]) for line in lines) for i in range(len(visits)))
        tubes = sum(len(cell.tubes) for line in lines for cells in line.visits for cell in cells)
        said = ", ".join(f"{name} {n}" for name, n in sorted(diagnoses.items(), key=lambda item: (-item[1], item[0])))
        found.append(ArmRow(label, arm in reference, len(lines), said, at, tubes))
    return tuple(found)


def find_losses(inputs: ReportInputs, visits: Sequence[Visit], grid: Grid) -> tuple[Loss, ...]:
    """List by visit the populations without cells/µL because a tube is missing or failed, chained ones included.

    A population counts as missing if some other visit of the study has a number for it.
    """
    counts = inputs.visit_counts
    usable = counts[counts["cells_per_ul"].notna()]
    usual = {key: set(group["population"]) for key, group in usable.groupby(["tube", "strategy"], sort=False)}
    by_tube: dict[str, dict[str, None]] = {}
    for tube, strategy, population, name in (
        counts[["tube", "strategy", "population", "name"]].drop_duplicates().itertuples(index=False)
    ):
        if population in usual.get((tube, strategy), ()):
            by_tube.setdefault(words(tube), {})[words(name)] = None
    chained = counts[counts["cells_per_ul"].isna() & (counts["status"] != NOT_ESTIMABLE)]
    lacking: dict[tuple[str, str], list[dict[Any, Any]]] = {}
    for row in chained.to_dict("records"):
        if row["population"] in usual.get((row["tube"], row["strategy"]), ()):
            lacking.setdefault((words(row["subject"]), words(row["visit"])), []).append(row)
    losses = []
    for _, _, lines in grid.arms:
        for line in lines:
            for visit, cells in zip(visits, line.visits, strict=True):
                gone = [(t, c) for t, c in zip(grid.tubes, cells, strict=True) if c.state in ("failed", "no-tube")]
                for tube, cell in gone:
                    # the messages of a failed tube begin with its id, which has a column of its own
                    why = cell.reason if cell.state == "failed" else "the samples sheet has no row for it"
                    for tube_id in cell.tubes:
                        why = why.replace(f"{tube_id}: ", "")
                    named = tuple(by_tube.get(tube, ()))
                    losses.append(Loss(line.subject, visit.label, tube, ", ".join(cell.tubes), why, named))
                if not gone:
                    continue
                groups: dict[tuple[str, str, str], dict[str, None]] = {}
                for row in lacking.get((line.subject, visit.id), []):
                    key = (words(row["tube"]), words(row["tube_id"]), words(row["reason"]))
                    groups.setdefault(key, {})[words(row["name"])] = None
                losses += [
                    Loss(line.subject, visit.label, tube, tube_id, why, tuple(names))
                    for (tube, tube_id, why), names in groups.items()
                ]
    return tuple(losses)


def _failures(inputs: ReportInputs, severity: str = "failure") -> pd.DataFrame:
    return inputs.failures[inputs.failures["severity"] == severity]


def _messages(rows: pd.DataFrame) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for tube_id, message in rows[["tube_id", "message"]].itertuples(index=False):
        if words(tube_id):
            found.setdefault(words(tube_id), []).append(words(message))
    return found
