"""Lots of counting beads: the section ``bead_lots`` and what it means for a row of the samples sheet."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import date

from il2cyto.study.cells import CellReader
from il2cyto.study.dates import ISO_DATE
from il2cyto.study.design import BeadLot
from il2cyto.study.fields import NUMBER, FieldReader
from il2cyto.study.findings import Findings, hint, one_of
from il2cyto.study.model import TubeRecord
from il2cyto.study.positions import Node, Scalar

KEYS = ("beads_per_test", "beads_per_ul", "bead_volume_ul", "expiry")
#: Two numbers of beads that differ by less than this share are one number, rounded differently.
_SAME = 1e-3


def read_bead_lots(reader: FieldReader, node: Node) -> dict[str, BeadLot]:
    """Check the section ``bead_lots``: by lot, beads per tube, or per µL with the volume that is added."""
    lots: dict[str, BeadLot] = {}
    for key, entry in reader.identified(node, "bead_lots", "bead lot").items():
        where = f"bead_lots.{key}"
        given = reader.section(entry, where, (), KEYS)
        numbers = {name: _positive(reader, given[name], f"{where}.{name}") for name in KEYS[:3] if name in given}
        if ("beads_per_test" in given) == ("beads_per_ul" in given):
            reader.problem(entry, where, "give one of beads_per_test (as on the pouch) and beads_per_ul")
        if "bead_volume_ul" in given and "beads_per_ul" not in given:
            reader.problem(entry, where, "bead_volume_ul goes with beads_per_ul; beads_per_test needs no volume")
        expiry = _day(reader, given["expiry"], f"{where}.expiry") if "expiry" in given else None
        lots[key] = BeadLot(key, expiry=expiry, **numbers)
    return lots


def beads_of_row(
    cells: CellReader, lots: Mapping[str, BeadLot], stated: float | None, collected: date | None
) -> tuple[float | None, bool]:
    """Return the beads in a tube and whether their lot had expired; a row and a lot that differ are a problem.

    Parameters
    ----------
    cells
        The row: ``bead_lot`` and ``bead_volume_ul`` are read.
    lots
        Declared lots; without any, `stated` counts.
    stated
        ``beads_per_test`` of the row.
    collected
        Day of collection, ``None`` where it is unknown.
    """
    volume = cells.positive("bead_volume_ul", "write the microlitres of bead suspension in the tube, for example 50")
    name = cells.cell("bead_lot")
    if not lots or not name:
        if volume is not None:
            cells.problem("bead_volume_ul", "a volume of beads needs a bead_lot that study.yaml declares per µL")
        return stated, False
    lot = lots.get(name)
    if lot is None:
        message = (
            f"`bead_lots` of study.yaml has no such lot{hint(name, tuple(lots)) or f'; it has {one_of(list(lots))}'}"
        )
        cells.problem("bead_lot", message)
        return stated, False
    if volume is not None and lot.beads_per_ul is None:
        cells.problem("bead_volume_ul", f"lot {lot.id} is declared per tube; leave this cell blank")
    beads = lot.beads(volume)
    if beads is None:
        cells.problem("bead_volume_ul", f"lot {lot.id} is declared per µL; write the microlitres of beads in the tube")
    elif stated is not None and not math.isclose(stated, beads, rel_tol=_SAME):
        cells.problem(
            "beads_per_test", f"lot {lot.id} gives {beads:g} beads; correct one of the two, or leave this blank"
        )
    expired = lot.expiry is not None and collected is not None and collected > lot.expiry
    return beads, expired


def notice_beads(file: str, records: Iterable[TubeRecord], findings: Findings) -> None:
    """Note expired lots, and lots whose rows state different numbers of beads."""
    first: dict[str, TubeRecord] = {}
    noted: set[str] = set()
    for record in records:
        if record.route != "beads" or record.bead_lot is None:
            continue
        if record.beads_expired:
            message = "this lot of beads had expired when the blood was collected; the counts are flagged"
            findings.notice(file, record.line, "bead_lot", record.bead_lot, message)
        other = first.setdefault(record.bead_lot, record)
        here, there = record.beads_per_test or 0.0, other.beads_per_test or 0.0
        if not math.isclose(here, there, rel_tol=_SAME) and record.bead_lot not in noted:
            noted.add(record.bead_lot)
            message = f"the same lot has {there:g} beads in line {other.line} and {here:g} here; correct one of them"
            findings.notice(file, record.line, "bead_lot", record.bead_lot, message)


def _positive(reader: FieldReader, node: Node, where: str) -> float | None:
    number = float(node.text) if isinstance(node, Scalar) and NUMBER.fullmatch(node.text) else math.nan
    if not (math.isfinite(number) and number > 0):
        reader.problem(node, where, "give a number above 0")
        return None
    return number


def _day(reader: FieldReader, node: Node, where: str) -> date | None:
    text = node.text if isinstance(node, Scalar) else ""
    try:
        if ISO_DATE.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass  # the calendar has no such day
    reader.problem(node, where, "write the last day of use as yyyy-mm-dd")
    return None
