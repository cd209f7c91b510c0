"""Keywords of an FCS file: the list of those that stay, and the grammar that each value must pass."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from il2cyto.compensation import SpilloverMatrix
from il2cyto.deident.changes import (
    DATE,
    DROPPED,
    FREE_TEXT,
    IDENTIFIER,
    RENAMED,
    REPLACED,
    SHIFTED,
    TECHNICAL,
    UNKNOWN_NAME,
    Change,
    shape,
)
from il2cyto.deident.names import Names
from il2cyto.deident.vocabulary import NAMES, vocabulary
from il2cyto.fcs.head import OFFSET_KEYWORDS
from il2cyto.fcs.spillover import SPILLOVER_KEYWORDS

NUMBER = re.compile(r"[+-]?(?:\d{1,20}(?:\.\d{0,20})?|\.\d{1,20})(?:[eE][+-]?\d{1,3})?", re.ASCII)
#: Set by the writer or by what was found in the bytes.
STRUCTURE = (*OFFSET_KEYWORDS, "$PAR", "$TOT", "$MODE")
TIMES = ("$DATE", "$BTIM", "$ETIM", "$BEGINDATETIME", "$ENDDATETIME")
MIDNIGHT = "00:00:00"
NO_CYTOMETER = "not stated"
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_TYPES = ("Forward_Scatter", "Side_Scatter", "Raw_Fluorescence", "Unmixed_Fluorescence", "Mass", "Electronic_Volume",
          "Classification", "Index", "Time")  # fmt: skip

#: Keywords that name a person, a sample, a place or a time by their purpose, without ``$`` and digits.
_IDENTIFYING = re.compile(
    r"SRC|SMNO|FIL|OP|INST|EXP|PROJ|COM|CELLS|CYTSN|CYTNUM|SN|WELLID|PLATEID|PLATENAME|CARRIERID|CARRIERTYPE|"
    r"LOCATIONID|LAST_MODIFIED|LAST_MODIFIER|ORIGINALITY|INSTADDRESS|RUNNUMBER|FLDSM|"
    r".*(PATIENT|SAMPLE ?ID|SAMPLE_NAME|SPECIMEN|CASE|NAME|DOB|BIRTH|SEX|GENDER|AGE|DATE|TIM|USER|OPERATOR|CREATOR|"
    r"GUID|FILE|BARCODE|COMMENT|REMARK|NOTE|INITIALS|PHONE|ADDRESS|HOSPITAL|WARD|DOCTOR|PHYSICIAN|MRN|WORKSTATION|LOGIN).*",
    re.IGNORECASE,
)
#: What the report may repeat of a keyword that was dropped: its own name could be somebody's.
_KNOWN = frozenset(
    {
        "$SRC", "$SMNO", "$FIL", "$OP", "$INST", "$EXP", "$PROJ", "$COM", "$CELLS", "$CYTSN", "$WELLID", "$PLATEID",
        "$PLATENAME", "$CARRIERID", "$CARRIERTYPE", "$LOCATIONID", "$LAST_MODIFIED", "$LAST_MODIFIER", "$ORIGINALITY",
        "$SYS", "$UNICODE", "$TR", "$GATE", "$GATING", "$CSMODE", "$CSTOT", "$CSVBITS", "$CSV#FLAG", "$PK#", "$PKN#",
        "$R#I", "$R#W", "$G#E", "$G#F", "$G#N", "$G#P", "$G#R", "$G#S", "$G#T", "$G#V", "$FLOWRATE",
        "$UNSTAINEDCENTERS", "$UNSTAINEDINFO", "$INSTADDRESS", "$RUNNUMBER", "$TIME", "#SAMPLE", "&#PATIENT ID",
        "&#SAMPLE", "&#SAMPLE ID", "PATIENT ID", "PATIENT NAME", "SAMPLE ID", "SAMPLEID", "SAMPLE_NAME",
        "SPECIMEN NAME", "CASE NUMBER", "DOB", "SEX", "COLLECTION DATE", "EXPERIMENT NAME", "EXPERIMENT_NAME",
        "TUBE NAME", "TUBE_NAME", "TUBENAME", "TUBE", "EXPORT USER NAME", "EXPORT TIME", "CREATOR", "GUID",
        "FILE GUID", "GUID.ORIGINAL", "ORIGINALGUID", "@SAMPLEID#", "@BARCODE", "@LOCATION", "@FILEGUID", "USERNAME",
        "USER", "FILENAME", "ORIGINAL_$FIL", "LOGIN NAME", "WORKSTATION", "PLATE ID", "PLATE NAME", "WELL ID",
        "GROUPNAME", "PANEL NAME", "PANEL", "SETTINGS", "SOFTWARE", "P#DISPLAY", "P#BS", "P#MS", "LASER#NAME",
        "LASER#DELAY", "LASER#ASF", "FSC ASF", "THRESHOLD", "WINDOW EXTENSION", "APPLY COMPENSATION", "AUTOBS",
        "CST SETUP DATE", "CST BEADS LOT ID", "CYTOMETER CONFIG NAME", "CYTNUM", "FCSVERSION", "CHARSET",
        "FLUIDIGMBARCODED", "IL2CYTO_REPLACED", "IL2CYTO_ORIGIN",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Cleaned:
    """Keywords that may be seen, and what was changed to get there."""

    keywords: dict[str, str]
    changes: tuple[Change, ...]


def plain_number(text: str) -> str | None:
    """Return a finite number in its shortest exact spelling, ``None`` for anything else.

    Examples
    --------
    >>> plain_number(" 262144.0 "), plain_number("1e-4"), plain_number("4 Lee")
    ('262144', '0.0001', None)
    """
    text = text.strip()
    if not NUMBER.fullmatch(text):
        return None
    if re.fullmatch(r"\+?\d+", text):
        return str(int(text))
    number = float(text)
    if not math.isfinite(number):
        return None
    return str(int(number)) if number.is_integer() and abs(number) < 2**53 else repr(number)


def _numbers(count: int) -> Callable[[str], str | None]:
    def read(text: str) -> str | None:
        found = [plain_number(part) for part in text.split(",")]
        return ",".join(part for part in found if part) if len(found) == count and all(found) else None

    return read


def _setting(text: str) -> str | None:
    """Settings of the instrument change no event: six digits within a plausible range are all they need."""
    number = plain_number(text)
    return f"{float(number):.6g}" if number is not None and abs(float(number)) < 1e5 else None


def _measure(text: str) -> str | None:
    """Numbers that events or volumes are computed with stay exact, if they are no telephone number."""
    number = plain_number(text)
    return number if number is not None and abs(float(number)) < 1e9 else None


def _wavelengths(text: str) -> str | None:
    parts = [part.strip().removesuffix("nm") for part in text.split(",")]
    return ",".join(f"{float(p):g}" for p in parts) if all(re.fullmatch(r"\d{2,4}(\.0*)?", p) for p in parts) else None


def _matching(pattern: str) -> Callable[[str], str | None]:
    return lambda text: text.strip() if re.fullmatch(pattern, text.strip(), re.ASCII) else None


def _display(text: str) -> str | None:
    kind, _, rest = text.strip().partition(",")
    numbers = _numbers(2)(rest)
    return f"{kind},{numbers}" if kind in ("Linear", "Logarithmic") and numbers else None


def _compensation(text: str) -> str | None:
    count, *rest = (plain_number(part) for part in text.split(","))
    whole = count is not None and count.isdecimal() and int(count) ** 2 == len(rest)
    return ",".join((count or "", *(part or "" for part in rest))) if whole and all(rest) else None


#: Keyword, ``#`` for its number, and the grammar that returns the value to write, or ``None``.
GRAMMAR: Mapping[str, Callable[[str], str | None]] = {
    "$BYTEORD": _matching(r"[1-8](?:[ ,]*[1-8]){0,7}"),
    "$DATATYPE": _matching(r"[AIFDaifd]"),
    "$P#DATATYPE": _matching(r"[AIFDaifd]"),
    "$P#B": _matching(r"\*|\d{1,3}"),
    "$P#E": _numbers(2),
    "$P#R": plain_number,
    "$P#G": _measure,
    "$P#V": _setting,
    "$P#O": _setting,
    "$P#P": _setting,
    "$P#L": _wavelengths,
    "$P#D": _display,
    "$P#TYPE": lambda text: text.strip() if text.strip().replace(" ", "_") in _TYPES else None,
    "$P#FEATURE": _matching(r"Area|Height|Width"),
    "$TIMESTEP": _measure,
    "$VOL": _measure,
    "$ABRT": _measure,
    "$LOST": _measure,
    "$COMP": _compensation,
    "$DFC#TO#": _measure,
    # the one value that decides how bytes are read: the bits of CXP
    "$SYS": _matching(r"[Cc][Xx][Pp]"),
}
#: Names: of channels and labels, which other files refer to, and descriptions, which nothing refers to.
LABELS = ("$P#N", "$P#S")
WORDS = ("$P#F", "$P#T", "$P#DET", "$P#TAG", "$P#ANALYTE")


def clean_keywords(
    keywords: Mapping[str, str],
    n_events: int,
    n_channels: int,
    version: str,
    spillover: SpilloverMatrix | None,
    names: Names,
    shift: int | None,
) -> Cleaned:
    """Return what may stay of the keywords of one data set.

    Parameters
    ----------
    keywords
        As read: keys in capitals.
    n_events, n_channels
        What ``$TOT`` and ``$PAR`` shall say.
    version
        ``FCS3.1``; 3.2 demands a cytometer.
    spillover
        The matrix that the reader found, with names of the file's own channels.
    names
        Pseudonyms and vocabularies.
    shift
        Days by which dates go back; ``None`` drops them.
    """
    kept = {"$MODE": "L", "$PAR": str(n_channels), "$TOT": str(n_events)}
    changes: list[Change] = []
    for key, value in keywords.items():
        generic = _generic(key, n_channels)
        if key in STRUCTURE or key in TIMES or (key in SPILLOVER_KEYWORDS and spillover is not None):
            continue
        if not value.strip():
            continue
        if generic == "$P#N":
            new = names.channel(value)
        elif generic == "$P#S":
            new = names.name(value)
        elif generic in WORDS:
            new = value.strip() if names.passes(value.strip(), *NAMES) else ""
        elif generic == "$P#CALIBRATION":
            new = _calibration(value, names)
        elif key == "$CYT":
            known = vocabulary("cytometers")
            new = value.strip() if value.strip() in known else known.recognised(value)
        else:
            grammar = GRAMMAR.get(generic)
            new = (grammar(value) if grammar else None) or ""
        if new:
            kept[key] = new
        if new and new != value.strip() and (generic in LABELS or key == "$CYT"):
            changes.append(Change(key, RENAMED if generic in LABELS else REPLACED, UNKNOWN_NAME, shape(value.strip())))
        elif not new:
            changes.append(_dropped(key, generic, value, names))
    kept.update(_matrix(keywords, spillover, names))
    kept.update(_times(keywords, shift, changes))
    if version == "FCS3.2":
        kept.setdefault("$CYT", NO_CYTOMETER)
    return Cleaned(kept, tuple(changes))


def _calibration(text: str, names: Names) -> str:
    number, _, unit = text.strip().partition(",")
    factor = plain_number(number)
    return f"{factor},{unit.strip()}" if factor and names.passes(unit.strip(), "units") else ""


def _matrix(keywords: Mapping[str, str], spillover: SpilloverMatrix | None, names: Names) -> dict[str, str]:
    if spillover is None:
        return {}
    key = next(key for key in SPILLOVER_KEYWORDS if keywords.get(key, "").strip())
    detectors = [names.channel(name) for name in spillover.detectors]
    numbers = (plain_number(repr(float(cell))) or "0" for cell in spillover.values.ravel())
    return {key: ",".join([str(len(detectors)), *detectors, *numbers])}


def _generic(key: str, n_channels: int) -> str:
    """Return a keyword with ``#`` for its numbers, if these are numbers of channels; else as it is.

    A number of the medical record could stand in the place of one.
    """
    numbers = re.findall(r"[0-9]+", key)
    if all(str(int(number)) == number and 1 <= int(number) <= n_channels for number in numbers):
        return re.sub(r"[0-9]+", "#", key)
    return key


def _dropped(key: str, generic: str, value: str, names: Names) -> Change:
    listed = generic in GRAMMAR or generic in (*WORDS, *LABELS, *SPILLOVER_KEYWORDS, *TIMES, "$CYT", "$P#CALIBRATION")
    known = re.sub(r"[0-9]+", "#", key)
    place = key if listed else known if known in _KNOWN else "a keyword that is no standard one"
    if _IDENTIFYING.fullmatch(known.strip("$@&#")):
        reason = IDENTIFIER
    elif generic in GRAMMAR or generic in WORDS or key == "$CYT" or not _harmless(value, names):
        reason = FREE_TEXT
    else:
        reason = TECHNICAL
    return Change(place, DROPPED, reason, shape(value.strip()))


def _harmless(value: str, names: Names) -> bool:
    """Whether a value that is dropped anyway could name nobody: a switch, a short number, words of the vocabulary."""
    value = value.strip()
    number = plain_number(value)
    if number is not None:
        return len(number.partition(".")[0].lstrip("-")) <= 4
    return value.upper() in ("TRUE", "FALSE", "LOG", "LIN", "ON", "OFF", "YES", "NO", "NA") or names.passes(
        value, *NAMES, "cytometers"
    )


def read_date(text: str) -> date | None:
    """Return a date as cytometers write them: ``dd-mmm-yyyy``, also with two digits or in ISO order.

    Examples
    --------
    >>> read_date("04-MAR-2021"), read_date("2021-03-04"), read_date("4.3.")
    (datetime.date(2021, 3, 4), datetime.date(2021, 3, 4), None)
    """
    text = text.strip().upper()
    named = re.fullmatch(r"(\d{1,2})[-/ ]([A-Z]{3})[-/ ](\d{4}|\d{2})", text, re.ASCII)
    iso = re.fullmatch(r"(\d{4})[-/](\d{1,2})[-/](\d{1,2})", text, re.ASCII)
    try:
        if named and named[2] in _MONTHS:
            year = int(named[3]) + (2000 if len(named[3]) == 2 else 0)
            return date(year, _MONTHS.index(named[2]) + 1, int(named[1]))
        return date(int(iso[1]), int(iso[2]), int(iso[3])) if iso else None
    except ValueError:
        return None


def _times(keywords: Mapping[str, str], shift: int | None, changes: list[Change]) -> dict[str, str]:
    """Return dates moved back and times counted from midnight; what cannot be read is dropped."""
    given = {key: keywords[key].strip() for key in TIMES if keywords.get(key, "").strip()}
    day = read_date(given.get("$DATE", ""))
    begin, end = (_instant(given.get(key, "")) for key in ("$BEGINDATETIME", "$ENDDATETIME"))
    new: dict[str, str] = {}
    if day is not None and shift is not None and (moved := _back(day, shift)) is not None:
        new["$DATE"] = f"{moved.day:02d}-{_MONTHS[moved.month - 1]}-{moved.year:04d}"
    seconds = _seconds(given.get("$BTIM", "")), _seconds(given.get("$ETIM", ""))
    if seconds[0] is not None and seconds[1] is not None:
        new["$BTIM"] = MIDNIGHT
        new["$ETIM"] = _clock((seconds[1] - seconds[0]) % 86_400)
    if (
        begin is not None
        and end is not None
        and shift is not None
        and (moved := _back(begin.date(), shift)) is not None
    ):
        length = int((end - begin).total_seconds())
        if 0 <= length < 86_400:
            new["$BEGINDATETIME"] = f"{moved.isoformat()}T{MIDNIGHT}"
            new["$ENDDATETIME"] = f"{moved.isoformat()}T{_clock(length)}"
    for key, value in given.items():
        if new.get(key) != value:
            changes.append(Change(key, SHIFTED if key in new else DROPPED, DATE, shape(value)))
    return new


def _back(day: date, days: int) -> date | None:
    try:
        return day - timedelta(days=days)
    except OverflowError:
        return None


def _instant(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=None) if text else None
    except ValueError:
        return None


def _seconds(text: str) -> int | None:
    found = re.fullmatch(r"(\d{1,2}):(\d{2}):(\d{2})([.:]\d{1,3})?", text, re.ASCII)
    return int(found[1]) * 3600 + int(found[2]) * 60 + int(found[3]) if found else None


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
