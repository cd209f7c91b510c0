"""The study as frozen objects: what `read_study` returns and every later step receives.

Everything here can be pickled, so that workers can receive it; tables are built on request, so that pandas is not
imported by reading a study.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import date, time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from il2cyto.errors import Problem
from il2cyto.study.assays import Plates, WellRow
from il2cyto.study.changes import Changes
from il2cyto.study.checks import Checks
from il2cyto.study.clinic import Clinic
from il2cyto.study.design import Arm, BeadLot, CountSpec, ErrorModel, Limits, StrategyRef, TubeType, Visit
from il2cyto.study.frozen import FrozenMapping
from il2cyto.study.outcomes import Outcome
from il2cyto.study.quality import Quality

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Arm",
    "BeadLot",
    "Checks",
    "ControlRecord",
    "CountSpec",
    "Dose",
    "ErrorModel",
    "GateOverride",
    "LearntFile",
    "Limits",
    "SerumValue",
    "StrategyRef",
    "Study",
    "Subject",
    "TubeRecord",
    "TubeType",
    "Visit",
]


@dataclass(frozen=True)
class GateOverride:
    """Gates that differ from those of the template for some tubes: one file of ``overrides/`` in the study folder.

    Attributes
    ----------
    name
        Name of the file, without ``.yaml``.
    level, scope
        ``tube``, ``subject``, ``batch`` or ``template``, and the tube ids, the subject or the batch; nothing for a
        template.
    template, template_text
        The strategy whose gates are moved, resolved and as written; ``None`` where the tubes tell it.
    populations
        Names of the populations, as written.
    author, reason
        Who moved the gates, and why; results carry both.
    time
        When, in UTC: ``2026-03-02T06:05:00Z``.
    text
        The file, for `il2cyto.gating.amend`.
    sha256
        Hash of the file.
    content_hash
        Hash of all that the file says, its scope aside: what enters the key of each tube that it touches.
    """

    name: str
    level: str
    scope: tuple[str, ...]
    template: Path | None
    template_text: str | None
    populations: tuple[str, ...]
    author: str
    reason: str
    time: str
    text: str
    sha256: str
    content_hash: str


@dataclass(frozen=True)
class LearntFile:
    """Gates that were learnt for a kind of tube: a file and its hash."""

    path: Path
    sha256: str


@dataclass(frozen=True)
class TubeRecord:
    """One row of the samples sheet; strategy, panel and count are those of the tube type unless the row overrides them.

    Attributes
    ----------
    age
        Age in years at the collection, given or computed; NaN where the sheet says that it is unknown. The date of
        birth itself is not kept.
    visit, nominal_visit
        The visit that the tube stands for, and the one that the sheet names, ``None`` for an unscheduled one.
    apart
        Why the tube is not in the per-visit analysis; empty if it is.
    collection_date
        ``None`` where the sheet says that it is unknown, in part or whole.
    collection_time
        Local time of day, where the sheet gives one.
    after_dose
        Whether both sheets give times and the tube was drawn after a dose of its day. Else it was drawn before.
    fcs, fcs_name
        The file, resolved below the data root, and its name as written in the sheet.
    volume, volume_unit
        Acquired volume. A unit ``file_uL`` or ``file_nL`` means that ``$VOL`` of the FCS file is in this unit and that
        `volume` is ``None``.
    beads_per_test
        Beads in the tube, from the row or from the lot that `bead_lot` names in ``bead_lots`` of ``study.yaml``.
    beads_expired
        Whether the blood was collected after the expiry of its lot.
    alc_per_ul
        Lymphocytes/µL of the blood count of the same draw.
    wbc_per_ul, lymphocyte_percent
        Leucocytes/µL of that blood count and the lymphocytes among them, %: these stand in for `alc_per_ul`.
    sample_age_h
        Hours from the draw to the staining.
    batch, instrument
        Ids of the staining or acquisition batch and of the cytometer, or ``None``.
    repeat
        What to do with several tubes of one subject, visit and tube type: ``sum``, ``apart:first``, ``apart:latest``;
        from the row, or else from the tube type or the study. Where their dates are unknown, the first and the latest
        are those of the order of rows.
    line
        Line of the row in the sheet.
    overrides
        Overrides of gates that touch this tube, from wide to narrow.
    learnt
        Learnt gates that it gets, ``None`` where those of the template stand.
    remove
        Kinds of unstable stretches whose events are not gated.
    normalised
        Curves of its kind of tube, ``None`` where none are learnt.
    """

    tube_id: str
    subject: str
    arm: str
    diagnosis: str
    sex: str | None
    age: float
    visit: str
    nominal_visit: str | None
    apart: str
    collection_date: date | None
    collection_time: time | None
    after_dose: bool
    tube: str
    fcs: Path
    fcs_name: str
    panel: Path | None
    strategy: StrategyRef
    count: CountSpec
    beads_per_test: float | None
    bead_lot: str | None
    beads_expired: bool
    blood_volume_ul: float | None
    dilution: float | None
    volume: float | None
    volume_unit: str | None
    alc_per_ul: float | None
    wbc_per_ul: float | None
    lymphocyte_percent: float | None
    sample_age_h: float | None
    batch: str | None
    instrument: str | None
    repeat: str | None
    comment: str | None
    line: int
    overrides: tuple[GateOverride, ...] = ()
    learnt: LearntFile | None = None
    remove: tuple[str, ...] = ()
    normalised: LearntFile | None = None

    @property
    def route(self) -> str:
        """Route from events to cells/µL of this tube."""
        return self.count.route

    @property
    def volume_ul(self) -> float | None:
        """Acquired volume in µL, or ``None`` when the sheet leaves it to the FCS file."""
        per_ul = {"nL": 1000.0, "uL": 1.0, "mL": 0.001}
        if self.volume is None or self.volume_unit not in per_ul:
            return None
        return self.volume / per_ul[self.volume_unit]

    @property
    def lymphocytes_per_ul(self) -> float | None:
        """Lymphocytes/µL of the blood count: as given, or else leucocytes/µL × lymphocyte percentage."""
        if self.alc_per_ul is not None or self.wbc_per_ul is None or self.lymphocyte_percent is None:
            return self.alc_per_ul
        return self.wbc_per_ul * self.lymphocyte_percent / 100.0


@dataclass(frozen=True)
class ControlRecord:
    """One row of the controls sheet.

    Attributes
    ----------
    kind
        ``unstained``, ``single_stain``, ``fmo`` (all stains but that of `marker`), ``donor`` (cells of a control
        donor with all stains) or ``unstimulated`` (cells that were not stimulated, where the samples were).
    tube
        Kind of tube whose panel it controls.
    marker, channel
        Of a single stain and of an FMO tube; else ``None``. The channel may be left open.
    batch, instrument
        As in the samples sheet, or ``None``.
    acquired
        Day of acquisition, ``None`` where it is not known.
    fcs, fcs_name
        The file, resolved below the data root, and its name as written in the sheet.
    line
        Line of the row in the sheet.
    """

    control_id: str
    kind: str
    tube: str
    marker: str | None
    channel: str | None
    batch: str | None
    instrument: str | None
    acquired: date | None
    fcs: Path
    fcs_name: str
    line: int


@dataclass(frozen=True)
class Subject:
    """One subject, as every row of the samples sheet agrees; `reference_date` is that of enrolment, if it is given."""

    id: str
    arm: str
    diagnosis: str
    sex: str | None
    reference_date: date | None = None


@dataclass(frozen=True)
class Dose:
    """One row of the dosing sheet; `time` is the local time of day where the sheet gives one."""

    subject: str
    date: date
    dose: float
    unit: str
    route: str
    treatment: str
    time: time | None = None


@dataclass(frozen=True)
class SerumValue:
    """One row of the serum sheet; values and limits are text as written (``<2.4``), for the serum step to read."""

    subject: str
    visit: str
    analyte: str
    value: str | None
    unit: str
    lloq: str | None
    uloq: str | None
    collection_date: date | None
    line: int | None = field(default=None, compare=False)


@dataclass(frozen=True, eq=False)
class Study:
    """A study that was read and checked: every reference in it resolves.

    Attributes
    ----------
    folder, data_root
        Folder of ``study.yaml`` and folder that the FCS paths are relative to, both resolved.
    arms, visits, tubes, subjects
        By id; arms, visits and tubes in the order of ``study.yaml``, subjects in the order of the samples sheet.
        Unscheduled visits stand between the planned ones, by number.
    bead_lots
        Lots of counting beads by id; empty where ``study.yaml`` declares none.
    checks
        Limits of the checks of counts, and which populations they look at.
    quality
        Limits of the quality of a tube, and which of its events are not gated.
    changes
        What counts as a change of a subject.
    percent_of
        Names of ancestors for which percentages are tabulated besides that of the parent.
    records
        The tubes, in the order of the samples sheet.
    visit_assignment
        ``nominal`` where samples stand for the visits that the sheet names, ``windows`` where study days decide.
    course_gap
        Doses at most so many days after the one before belong to the same course.
    treatments
        Names in the dosing sheet that count as study treatment in study days and times since a dose; empty means all.
    doses, serum_values
        Rows of the dosing and serum sheets; empty without these sheets. `dosing` and `serum` give them as tables.
    model_populations
        Populations to be modelled; empty means all.
    model_covariates
        Columns of the visits that models adjust for besides the baseline.
    model_weights
        ``overlap`` where the change of cells is compared with overlap weights besides.
    words
        Diagnoses, analytes and units that results may carry as the sheets write them, besides those of common lists.
    miflowcyt
        Texts for the MIFlowCyt record, by the keys of `miflowcyt.ITEMS`.
    notices
        What stops nothing and should be known: missing FCS files, visits outside their windows, spaces removed.
    files, sha256
        Name (relative to `folder`) and hash of every file that was read, by its role: ``study``, ``samples``,
        ``dosing``, ``serum``, ``controls``, ``wells``, ``plates/…``, and ``overrides/NAME`` for each override of gates.
    overrides
        Overrides of gates, by name of their files.
    controls
        The control tubes, in the order of the controls sheet; empty without it.
    learn_gates
        Whether gates are learnt where a strategy says how; else all stand as its template has them.
    normalise
        By tube type the markers whose batches are brought onto one scale, for normalised counts beside the raw ones.
    plates, wells
        Plates of immunoassays and the sheet of their wells; ``None`` and empty without them.
    clinic
        Rows of the sheets of drugs, vital signs, laboratory values, scores and adverse events.
    outcomes
        Outcomes of the trial, in the order of ``study.yaml``.
    """

    id: str
    title: str
    registry: str | None
    description: str | None
    assumptions: tuple[str, ...]
    folder: Path
    data_root: Path
    arms: FrozenMapping[str, Arm]
    visits: FrozenMapping[str, Visit]
    visit_assignment: str
    course_gap: int
    tubes: FrozenMapping[str, TubeType]
    bead_lots: FrozenMapping[str, BeadLot]
    checks: Checks
    quality: Quality
    changes: Changes
    percent_of: tuple[str, ...]
    limits: Limits
    errors: ErrorModel
    records: tuple[TubeRecord, ...]
    subjects: FrozenMapping[str, Subject]
    treatments: tuple[str, ...]
    doses: tuple[Dose, ...]
    serum_values: tuple[SerumValue, ...]
    model_populations: tuple[str, ...]
    model_covariates: tuple[str, ...]
    words: tuple[str, ...]
    miflowcyt: FrozenMapping[str, str]
    notices: tuple[Problem, ...]
    files: FrozenMapping[str, str]
    sha256: FrozenMapping[str, str]
    overrides: tuple[GateOverride, ...] = ()
    controls: tuple[ControlRecord, ...] = ()
    learn_gates: bool = True
    normalise: FrozenMapping[str, tuple[str, ...]] = field(default_factory=lambda: FrozenMapping({}))
    plates: Plates | None = None
    wells: tuple[WellRow, ...] = ()
    clinic: Clinic = field(default_factory=Clinic)
    outcomes: tuple[Outcome, ...] = ()
    model_weights: str | None = None

    @property
    def baseline(self) -> str | None:
        """Id of the baseline visit, or ``None`` when the study declares none."""
        return next((visit.id for visit in self.visits.values() if visit.baseline), None)

    @property
    def reference_arm(self) -> str | None:
        """Id of the arm that the others are compared with, or ``None`` in a study of one arm."""
        return next((arm.id for arm in self.arms.values() if arm.reference), None)

    def expected_visits(self, subject: str) -> tuple[str, ...]:
        """Return the visits that the subject's arm expects, in the order of ``study.yaml``.

        Raises
        ------
        KeyError
            If the study has no such subject.
        """
        expected = self.arms[self.subjects[subject].arm].visits
        return tuple(visit for visit in self.visits if visit in expected)

    def missing_visits(self) -> pd.DataFrame:
        """Return the visits that are expected and have no tube at all: columns ``subject, arm, visit``."""
        import pandas as pd

        present = {(record.subject, record.visit) for record in self.records}
        rows = [
            (subject.id, subject.arm, visit)
            for subject in self.subjects.values()
            for visit in self.expected_visits(subject.id)
            if (subject.id, visit) not in present
        ]
        return pd.DataFrame(rows, columns=["subject", "arm", "visit"], dtype=object)

    @property
    def dosing(self) -> pd.DataFrame:
        """The dosing sheet as a new table with the fields of `Dose` as columns; dates are `datetime.date`."""
        return _table(Dose, self.doses)

    @property
    def serum(self) -> pd.DataFrame:
        """The serum sheet as a new table with the fields of `SerumValue` as columns; blank cells are ``None``."""
        return _table(SerumValue, self.serum_values)


def _table(row_type: type[Any], rows: tuple[Any, ...]) -> pd.DataFrame:
    import pandas as pd

    names = [one.name for one in fields(row_type) if one.compare]
    columns = {name: [getattr(row, name) for row in rows] for name in names}
    numeric = {name for name in columns if name == "dose"}
    return pd.DataFrame(
        {name: pd.Series(values, dtype="float64" if name in numeric else object) for name, values in columns.items()}
    )
