"""The samples sheet: one row per tube, each checked by itself. `rules` checks the rows against each other."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from pathlib import Path

from il2cyto.keys import ROUTES
from il2cyto.study.beads import beads_of_row
from il2cyto.study.cells import CellReader
from il2cyto.study.dates import UNKNOWN, Moment
from il2cyto.study.document import Document
from il2cyto.study.findings import Findings
from il2cyto.study.model import CountSpec, StrategyRef, TubeRecord
from il2cyto.study.paths import DATA_REMEDY, below, panel_file, strategy_reference
from il2cyto.study.sheets import Columns, Row, Sheet
from il2cyto.study.tubes import REPEATS, missing_keys, repeat_rule

_REQUIRED = ("tube_id", "subject", "arm", "diagnosis", "visit", "collection_date", "tube", "fcs")
_OPTIONAL = (
    "sex", "birth_date", "age_years", "panel", "strategy", "route", "beads_per_test", "bead_lot", "blood_volume_ul",
    "reference_date", "dilution", "volume", "volume_unit", "alc_per_ul", "bead_volume_ul", "wbc_per_ul",
    "lymphocyte_percent", "sample_age_h", "batch", "instrument", "repeat", "comment",
)  # fmt: skip
_NUMBERS = (
    "age_years", "beads_per_test", "blood_volume_ul", "dilution", "volume", "alc_per_ul", "bead_volume_ul",
    "wbc_per_ul", "lymphocyte_percent", "sample_age_h",
)  # fmt: skip
COLUMNS = Columns(
    _REQUIRED,
    _OPTIONAL,
    dates=frozenset({"birth_date", "collection_date", "reference_date"}),
    numbers=frozenset(_NUMBERS),
    ids=frozenset({"tube_id", "subject", "arm", "visit", "tube", "bead_lot", "batch", "instrument"}),
    words=frozenset({"diagnosis", "comment"}),
    paths=frozenset({"fcs", "panel", "strategy"}),
)
#: CDISC codes.
SEXES = ("F", "M", "U", "INTERSEX")
UNITS = ("uL", "nL", "mL", "file_uL", "file_nL")
#: Rules that keep repeated tubes apart and let one of them stand for the visit.
APART = ("apart:first", "apart:latest")
#: What a person writes for a visit that nobody planned.
UNSCHEDULED = ("UNS", "UNSCHEDULED", "Unscheduled", "unscheduled")

#: Numbers that each route needs, with what to write there.
AMOUNTS = {
    "beads_per_test": "write the number of beads per tube that the lot states, for example 51230",
    "blood_volume_ul": "write the microlitres of blood in the tube, for example 50",
    "dilution": "write total volume / blood volume, 1 when undiluted",
    "volume": "write the acquired volume, or leave it blank with the unit file_uL or file_nL",
    "alc_per_ul": "write the lymphocytes per microlitre of the blood count, for example 1500, or wbc_per_ul and "
    "lymphocyte_percent",
    "wbc_per_ul": "write the leucocytes per microlitre of the blood count, for example 6200",
    "lymphocyte_percent": "write the percentage of lymphocytes among the leucocytes, for example 24.5",
    "sample_age_h": "write the hours from the draw to the staining, for example 6",
}
ROUTE_COLUMNS = {
    "beads": ("beads_per_test", "blood_volume_ul"),
    "volumetric": ("volume_unit", "dilution"),
    "dual": ("alc_per_ul",),
}
#: A count of the blood below this is more likely to be in 10⁹/L than in cells/µL.
FEW_LYMPHOCYTES = 20
FEW_LEUCOCYTES = 60
#: Lymphocytes/µL and leucocytes/µL × percentage of one blood count that differ by more than this share are noted.
_COUNTS_DIFFER = 0.1
MAX_AGE = 120
DAYS_PER_YEAR = 365.25
MASKED = frozenset({"birth_date"})


@dataclass(frozen=True)
class Tube:
    """A row as far as it could be read, with the date of birth that only the checks between rows see."""

    record: TubeRecord
    birth_date: date | None
    reference_date: date | None = None


def read_samples(sheet: Sheet, document: Document, findings: Findings) -> tuple[Tube, ...]:
    """Read every row; in a row with a fault placeholders stand, and a study is never made of them."""
    if not {"birth_date", "age_years"} & set(sheet.columns):
        message = "the sheet has neither birth_date nor age_years; add one of these columns"
        findings.problem(sheet.file, sheet.header, "age_years", "", message)
    routes: dict[str, str] = {}
    tubes = tuple(
        _tube(CellReader(sheet.file, row, findings, MASKED, sheet.style), document, row, routes) for row in sheet.rows
    )
    for column, why in routes.items():
        findings.problem(sheet.file, sheet.header, column, "", f"{why} needs this column; {_remedy(column)}")
    return tubes


def _tube(cells: CellReader, document: Document, row: Row, missing: dict[str, str]) -> Tube:
    moment = cells.moment("collection_date", required=True) or Moment(date.min)
    collected = moment.day if moment.day != date.min else None
    birth = cells.moment("birth_date")
    birth_date = birth.day if birth is not None else None
    arms, visits, types = (tuple(known) for known in (document.arms, document.visits, document.tubes))
    type_id = cells.choice("tube", types, required=True) if types else cells.text("tube")
    route = cells.choice("route", ROUTES)
    count = document.tubes[type_id].count if type_id in document.tubes else CountSpec("")
    if route is not None:
        count = replace(count, route=route)
        for key in missing_keys(count) if type_id is not None else ():
            cells.problem("route", f"this route needs tubes.{type_id}.count.{key} in study.yaml; add the key there")
    tube_type = document.tubes.get(type_id or "")
    record = TubeRecord(
        tube_id=cells.identifier("tube_id") or "",
        subject=cells.label("subject") or "",
        arm=(cells.choice("arm", arms, required=True) if arms else cells.text("arm")) or "",
        diagnosis=cells.text("diagnosis", required=True) or "",
        sex=cells.choice("sex", SEXES),
        age=_age(cells, collected, birth_date),
        visit=_visit(cells, visits, document, moment) or "",
        nominal_visit=None,
        apart="",
        collection_date=moment.day,
        collection_time=moment.time,
        after_dose=False,
        tube=type_id or "",
        fcs=_fcs(cells, document),
        fcs_name=cells.cell("fcs"),
        panel=cells.resolved("panel", partial(panel_file, roots=document.roots))
        or (tube_type.panel if tube_type else None),
        strategy=cells.resolved("strategy", partial(strategy_reference, roots=document.roots))
        or (tube_type.strategy if tube_type else StrategyRef("study", Path(), "")),
        count=count,
        beads_per_test=cells.positive("beads_per_test", AMOUNTS["beads_per_test"]),
        bead_lot=cells.text("bead_lot"),
        beads_expired=False,
        blood_volume_ul=cells.positive("blood_volume_ul", AMOUNTS["blood_volume_ul"]),
        dilution=cells.positive("dilution", AMOUNTS["dilution"]),
        volume=cells.positive("volume", AMOUNTS["volume"]),
        volume_unit=cells.choice("volume_unit", UNITS),
        alc_per_ul=cells.positive("alc_per_ul", AMOUNTS["alc_per_ul"]),
        wbc_per_ul=cells.positive("wbc_per_ul", AMOUNTS["wbc_per_ul"]),
        lymphocyte_percent=cells.positive("lymphocyte_percent", AMOUNTS["lymphocyte_percent"]),
        sample_age_h=cells.positive("sample_age_h", AMOUNTS["sample_age_h"]),
        batch=cells.optional_identifier("batch"),
        instrument=cells.optional_identifier("instrument"),
        repeat=repeat_rule(cells.choice("repeat", REPEATS)),
        comment=cells.text("comment"),
        line=row.line,
    )
    beads, expired = beads_of_row(cells, document.bead_lots, record.beads_per_test, collected)
    record = replace(record, beads_per_test=beads, beads_expired=expired)
    _check_amounts(cells, record, missing)
    reference = cells.moment("reference_date")
    return Tube(record, birth_date, reference.day if reference is not None else None)


def _visit(cells: CellReader, visits: tuple[str, ...], document: Document, moment: Moment) -> str | None:
    """Return the visit as named, ``UNS`` for one that nobody planned; by windows a blank cell is one too."""
    named = cells.cell("visit")
    unscheduled = named in UNSCHEDULED and named not in visits
    if not unscheduled and (named or document.visit_assignment != "windows"):
        if visits and not named and "visit" in cells.row.cells:
            cells.problem("visit", f"this cell must not be blank; write {UNSCHEDULED[0]} for an unscheduled visit")
            return None
        return cells.choice("visit", visits, required=True) if visits else cells.text("visit")
    if moment.day is None:
        cells.problem("visit", "an unscheduled visit needs its collection_date; write it, or name the visit")
    return UNSCHEDULED[0]


def _remedy(column: str) -> str:
    return AMOUNTS.get(column, f"write one of: {', '.join(UNITS)}")


def _check_amounts(cells: CellReader, record: TubeRecord, missing: dict[str, str]) -> None:
    """Report what the route of a tube needs and the row does not give; a column that is absent is reported once."""
    why = f"route {record.route!r} of tube {record.tube}"
    for column in ROUTE_COLUMNS.get(record.route, ()):
        if column == "beads_per_test" and (record.beads_per_test is not None or cells.cell("bead_volume_ul")):
            continue  # the lot gives the beads, or what is wrong with it has been reported
        if column == "alc_per_ul" and record.lymphocytes_per_ul is not None:
            continue
        if column not in cells.row.cells:
            missing.setdefault(column, why)
        elif not cells.cell(column):
            cells.problem(column, f"{why} needs this cell; {_remedy(column)}")
    unit = cells.cell("volume_unit")
    if unit.startswith("file_") and cells.cell("volume"):
        cells.problem("volume", f"the unit {unit} takes the volume from the FCS file; leave this cell blank")
    elif unit in UNITS and not unit.startswith("file_") and not cells.cell("volume"):
        cells.problem("volume", f"the unit {unit} needs a volume; {AMOUNTS['volume']}")
    elif cells.cell("volume") and not unit and "volume_unit" not in ROUTE_COLUMNS.get(record.route, ()):
        cells.problem("volume_unit", f"a volume needs its unit; {_remedy('volume_unit')}")
    _notice_blood_count(cells, record)


def _notice_blood_count(cells: CellReader, record: TubeRecord) -> None:
    """Report a percentage that is none; note numbers that look like 10⁹/L, and two counts that disagree."""
    for column, value, few, what in (
        ("alc_per_ul", record.alc_per_ul, FEW_LYMPHOCYTES, "lymphocytes"),
        ("wbc_per_ul", record.wbc_per_ul, FEW_LEUCOCYTES, "leucocytes"),
    ):
        if value is not None and value < few:
            message = f"so few {what} per microlitre: is this in 10⁹/L? Then multiply it by 1000"
            cells.findings.notice(cells.file, record.line, column, cells.cell(column), message)
    percent = record.lymphocyte_percent
    if percent is not None and percent > 100:
        cells.problem("lymphocyte_percent", "a percentage lies from 0 to 100; correct it")
    for column, other in (("wbc_per_ul", "lymphocyte_percent"), ("lymphocyte_percent", "wbc_per_ul")):
        if cells.cell(column) and not cells.cell(other):
            cells.problem(other, f"{column} alone gives no lymphocytes; {AMOUNTS[other]}")
    if record.alc_per_ul is not None and record.wbc_per_ul is not None and percent is not None:
        product = record.wbc_per_ul * percent / 100.0
        if abs(product / record.alc_per_ul - 1.0) > _COUNTS_DIFFER:
            message = f"leucocytes × percentage give {product:.0f} lymphocytes per microlitre; alc_per_ul is used"
            cells.findings.notice(cells.file, record.line, "alc_per_ul", cells.cell("alc_per_ul"), message)


def _fcs(cells: CellReader, document: Document) -> Path:
    if cells.text("fcs", required=True) is None:
        return Path()
    return cells.resolved("fcs", partial(below, document.roots.data, remedy=DATA_REMEDY)) or Path()


def _age(cells: CellReader, collected: date | None, birth_date: date | None) -> float:
    """Return the age in years at the collection, from exactly one of the two columns; NaN where it is unknown."""
    unknown = cells.unknown("age_years")
    years = None if unknown else cells.number("age_years", f"write the age in years, for example 11.5, or {UNKNOWN}")
    if years is not None and not 0 <= years <= MAX_AGE:
        cells.problem("age_years", f"the age must lie from 0 to {MAX_AGE} years; correct it")
    given = [column for column in ("birth_date", "age_years") if cells.cell(column)]
    if len(given) == 2:
        cells.problem("age_years", "birth_date is given too; leave one of the two cells blank")
    if not given and {"birth_date", "age_years"} & set(cells.row.cells):
        column = "age_years" if "age_years" in cells.row.cells else "birth_date"
        cells.problem(column, f"the age is unknown; fill in age_years or birth_date, or write {UNKNOWN} in age_years")
    if years is not None or birth_date is None or collected is None:
        return math.nan if years is None else years
    age = (collected - birth_date).days / DAYS_PER_YEAR
    if not 0 <= age <= MAX_AGE:
        cells.problem("birth_date", f"the age at collection would not lie from 0 to {MAX_AGE} years; correct a date")
    return age
