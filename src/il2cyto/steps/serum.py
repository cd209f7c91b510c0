"""The plates of a study: read, fitted, and their samples put to subjects and visits."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from il2cyto.errors import Il2CytoError, TableError
from il2cyto.serum import (
    Acceptance,
    Assay,
    AssaySettings,
    Plate,
    quantify,
    read_kit,
    read_plate,
    with_kit,
    with_map,
)
from il2cyto.serum.plates.wells import SAMPLE, sample_type, well_name
from il2cyto.steps.failures import Finding
from il2cyto.steps.words import word_codes
from il2cyto.study.assays import Plates, WellRow
from il2cyto.study.model import Study

if TYPE_CHECKING:
    import pandas as pd

    from il2cyto.beads import BeadPicture

logger = logging.getLogger(__name__)

#: Names in ``plates.rules`` of what is called otherwise in `Acceptance`.
_ACCEPTANCE: Final = {
    "recovery": "recovery", "recovery_ends": "recovery_ends", "standard_cv": "cv", "standard_cv_ends": "cv_ends",
    "share": "share", "levels_in_range": "least_levels", "lod_sd": "lod_sd",
}  # fmt: skip
DRUG: Final = "drug"


@dataclass(frozen=True, eq=False)
class StudyAssay:
    """The plates of a study.

    Attributes
    ----------
    assay
        Curves, standards, samples, controls and drift. Plates are called ``plate 1`` and so on; samples are those of
        the sheet of wells that have a subject and a visit.
    failed
        Files that could not be read: role and error.
    notices
        What was odd, as results may carry it: role and sentence.
    codes
        Column, word and what results call it, of words that are not known.
    beads
        What a picture of the beads shows, where there are files of a bead array.
    """

    assay: Assay | None
    failed: tuple[tuple[str, Il2CytoError], ...]
    notices: tuple[tuple[str, str], ...]
    codes: tuple[tuple[str, str, str], ...] = ()
    beads: BeadPicture | None = None


def assay_settings(plates: Plates) -> AssaySettings:
    """Return the rules of a study's assay."""
    given: dict[str, Any] = {**plates.rules}
    for key in ("levels_in_range", "least_levels"):
        if key in given:
            given[key] = int(given[key])
    acceptance = {_ACCEPTANCE[key]: value for key, value in given.items() if key in _ACCEPTANCE}
    return AssaySettings(
        model=plates.model,
        scale=plates.scale,
        pool=plates.pool,
        acceptance=Acceptance(**acceptance),
        **{key: value for key, value in given.items() if key not in _ACCEPTANCE},
    )


def run_assay(study: Study, *, stage: Callable[[str], None] | None = None) -> StudyAssay | None:
    """Read and fit the plates of a study; ``None`` where it has none.

    A file that cannot be read stands in `failed`, and the others go on.
    """
    if study.plates is None:
        return None
    settings = assay_settings(study.plates)
    found: list[Plate] = []
    failed: list[tuple[str, Il2CytoError]] = []
    notices: list[tuple[str, str]] = []
    try:
        kit = read_kit(study.plates.kit[1]) if study.plates.kit is not None else None
    except Il2CytoError as error:
        return StudyAssay(None, (("plates/kit", error),), ())
    wells = _well_map(study)
    read, beads = _read(study, study.plates, failed)
    for role, plate in read:
        try:
            mapped = with_map(plate, _own_rows(wells, plate), study.files.get("wells", "wells"))
            found.append(with_kit(mapped, kit) if kit is not None else mapped)
        except Il2CytoError as error:
            failed.append((role, error))
    if not found:
        return StudyAssay(None, tuple(failed), ())
    if stage is not None:
        stage(f"standard curves of {sum(plate.wells['analyte'].nunique() for plate in found)} analytes on plates")
    assay = quantify([_numbered(plate, i, found) for i, plate in enumerate(found)], settings)
    visits = _of_visits(study)
    samples = assay.samples
    nobody = int(samples.loc[~samples["sample"].isin(visits), ["plate", "sample"]].drop_duplicates().shape[0])
    if nobody:
        notices.append(("wells", f"{nobody} samples on plates have no subject and visit in the sheet of wells"))
    notices += [("plates/1", note) for note in assay.notes if note.startswith("standard ")]
    own = samples[samples["sample"].isin(visits)]
    named = own.assign(
        subject=[visits[sample].subject for sample in own["sample"]],
        visit=[visits[sample].visit for sample in own["sample"]],
        collection_date=[_iso(visits[sample].collection_date) for sample in own["sample"]],
    )
    whole = replace(assay, samples=named.reset_index(drop=True))
    return StudyAssay(whole, tuple(failed), tuple(notices), beads=beads)


def _of_visits(study: Study) -> dict[str, WellRow]:
    """Return the samples that stand for a visit, each with a row of it."""
    return {row.sample: row for row in study.wells if row.subject and row.visit}


def _iso(day: date | None) -> str:
    return "" if day is None else day.isoformat()


def _read(
    study: Study, plates: Plates, failed: list[tuple[str, Il2CytoError]]
) -> tuple[list[tuple[str, Plate]], BeadPicture | None]:
    """Read every file; FCS files of a bead array become one plate."""
    found: list[tuple[str, Plate]] = []
    beads: list[tuple[str, Path]] = []
    for number, (_, path) in enumerate(plates.files, start=1):
        role = f"plates/{number}"
        if path.suffix.lower() == ".fcs":
            beads.append((role, path))
            continue
        try:
            found.append((role, read_plate(path, values=plates.values)))
        except Il2CytoError as error:
            failed.append((role, error))
    if beads and plates.panel is not None:
        made = _bead_plate(study, plates, plates.panel[1], beads, failed)
        if made is not None:
            return [*found, (beads[0][0], made[0])], made[1]
    return found, None


def _bead_plate(
    study: Study,
    plates: Plates,
    panel_file: Path,
    files: list[tuple[str, Path]],
    failed: list[tuple[str, Il2CytoError]],
) -> tuple[Plate, BeadPicture] | None:
    from il2cyto.beads import bead_picture, bead_plate, learn_beads, read_bead_panel, read_events

    events = []
    for role, path in files:
        try:
            events.append(read_events(path, plates.channels))
        except Il2CytoError as error:
            failed.append((role, error))
    rows = {row.well: row for row in study.wells if row.well}
    layout = {
        one.name: (row.sample, row.type or SAMPLE, row.level or "")
        for one in events
        for row in [rows.get(one.name) or rows.get(one.name.rsplit(".", 1)[0])]
        if row is not None
    }
    try:
        panel = read_bead_panel(panel_file)
        if not events:
            return None
        gates = learn_beads(events, panel)
        return bead_plate(events, gates, panel, plate="beads", layout=layout), bead_picture(events, gates, panel)
    except Il2CytoError as error:
        failed.append((files[0][0], error))
        return None


def _well_map(study: Study) -> pd.DataFrame:
    import numpy as np
    import pandas as pd

    rows = [
        (row.plate or "", row.well or "", row.sample, row.type or "", row.level or "",
         np.nan if row.dilution is None else row.dilution)
        for row in study.wells
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["plate", "well", "sample", "type", "level", "dilution"])


def _own_rows(wells: pd.DataFrame, plate: Plate) -> pd.DataFrame:
    """Return the rows of the sheet of wells that mean wells of this plate: by well, else by name of the sample."""
    names = set(plate.wells["plate"])
    mine = wells[(wells["plate"] == "") | wells["plate"].isin(names)]
    by_well = mine[mine["well"] != ""].assign(well=lambda table: table["well"].map(well_name))
    by_well = by_well[by_well["well"].isin(set(plate.wells["well"]))]
    if len(by_well):
        return by_well
    by_sample = mine[(mine["well"] == "") & mine["sample"].isin(set(plate.wells["sample"]))]
    return by_sample.drop(columns="well")


def _numbered(plate: Plate, number: int, plates: list[Plate]) -> Plate:
    """Call plates by number, since the name of one may say whose samples it holds."""
    names = list(dict.fromkeys(plate.wells["plate"]))
    before = sum(other.wells["plate"].nunique() for other in plates[:number])
    codes = {name: f"plate {before + place}" for place, name in enumerate(names, start=1)}
    return replace(plate, wells=plate.wells.assign(plate=plate.wells["plate"].map(codes)))


def serum_rows(study: Study, found: StudyAssay | None) -> pd.DataFrame:
    """Return every serum value of a study, of the sheet and of plates, as `il2cyto.serum.read_serum` takes them.

    A sample that several plates have counts by the first plate where its value lies within the range.

    Raises
    ------
    TableError
        If the sheet and the plates both give an analyte of a visit.
    """
    import pandas as pd

    sheet = study.serum
    if found is None or found.assay is None:
        return sheet
    samples = found.assay.samples
    samples = samples[samples["value"].notna()]
    ranked = samples.assign(_out=samples["censor"] != 0).sort_values("_out", kind="stable")
    keys = ["subject", "visit", "analyte"]
    chosen = ranked[~ranked.duplicated(keys)].sort_index()
    both = sheet.merge(chosen[keys], on=keys)
    if len(both):
        one = both.iloc[0]
        raise TableError(
            f"{one['analyte']} of {one['subject']} at {one['visit']} stands in the serum sheet and on a plate; keep one"
        )
    signs = {-1: "<", 0: "", 1: ">"}
    rows = chosen.assign(
        value=[f"{signs[int(c)]}{float(v)!r}" for c, v in zip(chosen["censor"], chosen["value"], strict=True)],
        lloq=["" if pd.isna(one) else repr(float(one)) for one in chosen["lloq"]],
        uloq=["" if pd.isna(one) else repr(float(one)) for one in chosen["uloq"]],
    )
    wanted = [*keys, "value", "unit", "lloq", "uloq", "collection_date", "se_log", "n_replicates", "flags"]
    return pd.concat([sheet, rows[wanted]], ignore_index=True)


def flag_drug(rows: pd.DataFrame, study: Study, visits: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with a flag on analytes that are the drug itself, so many days after a dose.

    Parameters
    ----------
    rows
        From `serum_rows`.
    study
        Its ``plates.drug`` names the analytes.
    visits
        From `il2cyto.derive.visit_table`: ``USUBJID, AVISIT, DSLD``.
    """
    import pandas as pd

    drug: Mapping[str, int] = study.plates.drug if study.plates is not None else {}
    if not drug:
        return rows
    since = {(row["USUBJID"], row["AVISIT"]): row["DSLD"] for row in visits.to_dict("records")}
    flags = []
    known = rows["flags"] if "flags" in rows else [""] * len(rows)
    for subject, visit, analyte, flag in zip(rows["subject"], rows["visit"], rows["analyte"], known, strict=True):
        days = since.get((subject, visit))
        is_drug = analyte in drug and days is not None and not pd.isna(days) and days <= drug[analyte]
        told = [one for one in (flag if isinstance(flag, str) else "", DRUG if is_drug else "") if one]
        flags.append("; ".join(told))
    return rows.assign(flags=flags)


def public_assay(study: Study, found: StudyAssay | None) -> StudyAssay | None:
    """Return the assay with names that results may carry.

    Analytes and units that are not known words get numbers, as those of the serum sheet do (`words`). A sample that
    stands for a visit is called ``subject|visit``, a control by its kind and number, any other by a number.
    """
    if found is None or found.assay is None:
        return found
    assay = found.assay
    codes = {column: word_codes(column, assay.wells[column].unique(), study) for column in ("analyte", "unit")}
    visits = {sample: f"{row.subject}|{row.visit}" for sample, row in _of_visits(study).items()}
    others = [name for name in dict.fromkeys(assay.wells["sample"]) if name not in visits]
    names = {name: f"sample {number}" for number, name in enumerate(others, start=1)} | visits
    names |= {name: name for name in others if sample_type(name)[0] != SAMPLE}

    def public(table: pd.DataFrame) -> pd.DataFrame:
        changed = {name: table[name].replace(words) for name, words in codes.items() if name in table and words}
        if "sample" in table:
            changed["sample"] = table["sample"].map(names)
        return table.assign(**changed) if changed else table

    renamed = replace(
        assay,
        curves=public(assay.curves),
        standards=public(assay.standards),
        samples=public(assay.samples),
        controls=public(assay.controls),
        drift=public(assay.drift),
        wells=public(assay.wells),
        fits={(plate, codes["analyte"].get(analyte, analyte)): fit for (plate, analyte), fit in assay.fits.items()},
    )
    notices = tuple((role, _with_codes(note, codes["analyte"])) for role, note in found.notices)
    called = tuple((column, word, code) for column, words in codes.items() for word, code in words.items())
    beads = found.beads
    if beads is not None:
        beads = replace(beads, analytes=tuple(codes["analyte"].get(name, name) for name in beads.analytes))
    return replace(found, assay=renamed, notices=notices, codes=called, beads=beads)


def _with_codes(note: str, codes: Mapping[str, str]) -> str:
    for word, code in codes.items():
        note = note.replace(f" of {word} ", f" of {code} ")
    return note


def assay_findings(study: Study, found: StudyAssay | None) -> tuple[Finding, ...]:
    """Return a failure for each plate that could not be read, and notices of curves that failed and what was odd."""
    if found is None:
        return ()
    findings = []
    for role, error in found.failed:
        number = role.rpartition("/")[2]
        what = f"file {number}" if number.isdigit() else f"the {number}"
        message = f"{what} of plates cannot be used; paths.csv says why"
        whole = f"{study.files[role]}: {error}"
        remedy = "correct the file or the sheet of wells"
        findings.append(Finding("failure", "serum", None, type(error).__name__, message, whole, remedy, role))
    for role, note in found.notices:
        findings.append(Finding("notice", "serum", None, "plate", note, note, "see serum_standards.csv", role))
    curves = found.assay.curves if found.assay is not None else None
    for row in curves[curves["status"] == "failed"].to_dict("records") if curves is not None else ():
        note = f"{row['plate']}: {row['analyte']}: the curve failed: {row['reason']}"
        remedy = "look at its picture in the report"
        findings.append(Finding("notice", "serum", None, "curve failed", note, note, remedy, "plates/1"))
    for column, word, code in found.codes:
        note = f"a word of the plates ({column}) that is not known to name no patient: results call it {code!r}"
        remedy = "list it under `words:` in study.yaml to let results carry it"
        findings.append(Finding("notice", "serum", None, "word", note, f"{note}; it is {word!r}", remedy, "plates/1"))
    return tuple(findings)
