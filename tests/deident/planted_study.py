"""A small study on disk, and every place in it where somebody could have written a name."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import openpyxl
from openpyxl.comments import Comment

YAML = """\
# {comment}
study: {study}
title: {title}
registry: {registry}
description: {description}
assumptions: ["{assumption}"]
miflowcyt: {{contact: "{assumption}"}}
arms:
  IL2: {{label: "{arm_label}", visits: [BL, M1]}}
  {arm}: {{label: Standard therapy, reference: true}}
visits:
  BL: {{label: Baseline, number: 0, baseline: true, target_day: 1, window: [-28, 1]}}
  M1: {{label: "{visit_label}", number: 1}}
  {visit}: {{label: Month 9, number: 9}}
tubes:
  T:
    strategy: gating/{strategy_folder}
    panel: gating/{panel_file}.csv
    count: {{route: dual, denominator: "{population}"}}
  {tube}: {{strategy: "il2cyto:tbnk", count: {{route: none}}}}
percent_of: ["{percent_of}"]
samples: samples.csv
dosing: dosing.csv
serum: serum.csv
treatments: [rhIL-2]
model: {{populations: ["{model}"]}}
"""

SAMPLES = """\
tube_id,subject,arm,diagnosis,sex,birth_date,age_years,visit,collection_date,tube,fcs,panel,strategy,route,\
beads_per_test,bead_lot,blood_volume_ul,dilution,volume,volume_unit,alc_per_ul,repeat,comment,hospital
A-BL,KID-A,IL2,SLE,F,2009-03-01,,BL,2021-03-01,T,raw/a1.fcs,,,,,L1,50,1,,,1500,,fasted,H1
A-M1,KID-A,IL2,SLE,F,2009-03-01,,M1,2021-03-30,T,raw/a2.fcs,gating/odd.csv,,,,,,,,,1400,,,
B-BL,KID-B,STD,JIA,M,,11.5,BL,2021-04-12,T,raw/b1.fcs,,,,,,,,2,uL,1300,,,
B-M1,KID-B,STD,JIA,M,,11.6,M1,2021-05-12,T,raw/b2.fcs,,,,,,,,,,1200,,,
"""
DOSING = """\
subject,date,dose,unit,route,treatment,comment
KID-A,2021-03-01,0.5,MIU/m2,subcutaneous,rhIL-2,x
KID-A,2021-03-02,0.5,MIU/m2,subcutaneous,rhIL-2,
KID-A,2021-03-28,0.5,MIU/m2,subcutaneous,rhIL-2,
"""
SERUM = """\
subject,visit,analyte,value,unit,lloq,uloq,collection_date
KID-A,BL,IL-6,<2.4,pg/mL,2.4,5000,2021-03-01
KID-B,BL,sCD25,412,U/mL,20,7500,2021-04-12
KID-B,M1,sCD25,419,U/mL,20,7500,2021-05-12
"""
CLINICAL = """\
USUBJID,AVISIT,ADT,PARAMCD,AVAL,AVISITN,remark
KID-A,BL,2021-03-01,SLEDAI,12,0,ok
KID-B,BL,2021-04-12,CRP,3.5,0,
"""
PANEL = """\
marker,channel,fluorochrome,aliases
CD3,B525-A,BV421,
CD4,R660-A,APC,
{marker},{channel},{fluorochrome},{alias}
"""
STRATEGY = """\
# {comment}
strategy: {id}
version: "1.0"
description: {description}
compensation: FCS
matrices: {{{matrix}: m.csv}}
transforms:
  {transform}: {{type: logicle, T: 262144, W: 0.5, M: 4.5, A: 0}}
axes:
  CD3: {{transform: {transform}}}
  {axis}: {{transform: {transform}}}
populations:
  - name: lympho
    parent: root
    definition: {definition}
    gate: {{type: rectangle, dims: [{{marker: CD3, min: 10, units: linear}}]}}
  - name: "{population}"
    parent: lympho
    gate: {{type: rectangle, dims: [{{marker: "{marker}", min: 50, units: linear}}], view: ["{marker}", "FSC-A"]}}
  - {{name: others, parent: lympho, gate: {{type: boolean, op: not, of: ["{population}"]}}}}
"""
OVERRIDE = """\
# {comment}
scope: {{tubes: [A-BL, A-M1]}}
author: "{author}"
reason: "{reason}"
time: 2026-03-02T14:05+08:00
populations:
  - name: "{population}"  # {comment}
    gate: {{type: rectangle, dims: [{{marker: "{marker}", min: 70.25, units: linear}}]}}
"""
#: Texts of the yaml files and the panel that a person types, as they are without a plant.
TEXTS = {
    "study": {
        "comment": "begun in spring", "study": "DEMO", "title": "A small study", "registry": "NCT04397107",
        "description": "two arms", "assumption": "drawn before the dose", "arm_label": "Low-dose IL-2", "arm": "STD",
        "visit_label": "Month 1", "visit": "M9", "strategy_folder": "treg", "panel_file": "odd", "tube": "TBNK",
        "population": "Treg", "percent_of": "Treg", "model": "Treg",
    },
    "strategy": {
        "comment": "ours", "id": "treg", "description": "by hand", "matrix": "spill", "transform": "fluor",
        "axis": "SSC-A", "definition": "il2cyto.lympho.v1", "population": "Treg", "marker": "CD25",
    },
    "panel": {"marker": "CD25", "channel": "Odd-A", "fluorochrome": "PE", "alias": "IL-2Ra"},
    "override": {
        "comment": "see the notebook", "author": "Ann Other", "reason": "another lot", "file": "moved",
        "population": "Treg", "marker": "CD25",
    },
}  # fmt: skip
SHEETS = {"samples": SAMPLES, "dosing": DOSING, "serum": SERUM, "clinical": CLINICAL}
CHANNELS = ("Time", "FSC-A", "B525-A", "R660-A", "Odd-A")
KEYWORDS = {
    "$BYTEORD": "1,2,3,4", "$DATATYPE": "F", "$MODE": "L", "$CYT": "FACSCanto II", "$DATE": "01-MAR-2021",
    "$BTIM": "23:59:00", "$ETIM": "00:01:30", "$TIMESTEP": "0.01", "$VOL": "25000", "$FIL": "a1.fcs", "$OP": "tech",
    "$SRC": "blood", "$COM": "none", "PATIENT ID": "0815", "EXPERIMENT NAME": "day one", "$ABRT": "0", "$LOST": "0",
    "$SPILLOVER": "2,B525-A,Odd-A,1,0.1,0.05,1", "$COMP": "5," + ",".join(["0"] * 25), "$DFC1TO2": "1.5",
    "$SYS": "Windows", "$UNICODE": "65001,$COM", "$TR": "FSC-A,5000", "$BEGINDATETIME": "2021-03-01T23:59:00",
    "$ENDDATETIME": "2021-03-02T00:01:30", "P1DISPLAY": "LIN", "GUID": "1-2-3", "FJ_$TIMESTEP": "0.01",
}  # fmt: skip
PER_CHANNEL = {
    "B": "32", "E": "0,0", "R": "262144", "G": "1", "V": "450", "L": "488", "O": "20", "P": "90", "F": "530/30",
    "T": "PMT", "D": "Linear,0,1000", "S": "CD3", "DET": "B530", "TYPE": "Raw_Fluorescence", "FEATURE": "Area",
    "TAG": "FITC", "ANALYTE": "CD3", "CALIBRATION": "1.2,MESF", "DATATYPE": "F",
}  # fmt: skip
SEGMENTS = ("OTHER", "ANALYSIS", "supplemental TEXT", "gap before DATA", "behind the data", "name of a keyword")


@dataclass
class Fcs:
    """One FCS 3.1 file with every segment that the standard knows."""

    seed: int
    keywords: dict[str, bytes] = field(default_factory=dict)
    segments: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        texts = dict(KEYWORDS)
        for place, name in enumerate(CHANNELS, start=1):
            texts |= {f"$P{place}{key}": value for key, value in PER_CHANNEL.items()} | {f"$P{place}N": name}
        texts["$P5S"] = "CD25"
        self.keywords = {key: value.encode() for key, value in texts.items()}
        self.segments = dict.fromkeys(SEGMENTS, b"")

    @property
    def data(self) -> bytes:
        """Forty events; the same for the same seed."""
        return np.random.default_rng(self.seed).uniform(1, 100, (40, len(CHANNELS))).astype("<f4").tobytes()

    def data_set(self, followed: bool) -> bytes:
        """Return the bytes of a data set."""
        data, extra = self.data, self.segments
        supplement = b"|$PROJ|" + extra["supplemental TEXT"] + b"|" if extra["supplemental TEXT"] else b""
        named = {b"$P1V": b"450"} | ({extra["name of a keyword"]: b"yes"} if extra["name of a keyword"] else {})
        pieces = {"OTHER": extra["OTHER"], "supplement": supplement, "gap": extra["gap before DATA"], "data": data,
                  "ANALYSIS": extra["ANALYSIS"]}  # fmt: skip
        length = 0
        while True:
            at, places = 58 + 16 + length, {}
            for name, piece in pieces.items():
                places[name] = (at, at + len(piece) - 1) if piece else (0, 0)
                at += len(piece)
            total = at + 8 + len(extra["behind the data"])
            offsets = {
                "$BEGINSTEXT": places["supplement"][0], "$ENDSTEXT": places["supplement"][1],
                "$BEGINDATA": places["data"][0], "$ENDDATA": places["data"][1],
                "$BEGINANALYSIS": places["ANALYSIS"][0], "$ENDANALYSIS": places["ANALYSIS"][1],
                "$NEXTDATA": total if followed else 0, "$PAR": len(CHANNELS), "$TOT": 40,
            }  # fmt: skip
            pairs = {key.encode(): b"%08d" % number for key, number in offsets.items()}
            pairs[b"$PAR"], pairs[b"$TOT"] = b"5", b"40"
            pairs |= {key.encode(): value for key, value in self.keywords.items()} | named
            text = b"|" + b"".join(key + b"|" + value + b"|" for key, value in pairs.items())
            if len(text) == length:
                break
            length = len(text)
        header = (58 + 16, 58 + 16 + length - 1, *places["data"], *places["ANALYSIS"])
        head = b"FCS3.1    " + b"".join(b"%8d" % number for number in (*header, *places["OTHER"]))
        return head + text + b"".join(pieces.values()) + b"00000000" + extra["behind the data"]


class Planted:
    """The study; each method plants a name at one kind of place."""

    def __init__(self) -> None:
        self.texts = {file: dict(texts) for file, texts in TEXTS.items()}
        self.sheets = {name: list(csv.reader(io.StringIO(text))) for name, text in SHEETS.items()}
        self.fcs = {f"raw/{name}.fcs": Fcs(seed) for seed, name in enumerate(("a1", "a2", "b1", "b2"))}
        self.extra_files: dict[str, bytes] = {}
        self.workbook = False
        self.only_fcs = False
        self.encoding = "utf-8"

    def write(self, folder: Path) -> Path:
        """Put everything on disk; the folder of the study is returned."""
        text = {
            "study.yaml": YAML.format(**self.texts["study"]),
            f"gating/{self.texts['study']['strategy_folder']}/strategy.yaml": STRATEGY.format(**self.texts["strategy"]),
            f"gating/{self.texts['study']['strategy_folder']}/panel.csv": PANEL.format(**self.texts["panel"]),
            f"gating/{self.texts['study']['strategy_folder']}/m.csv": "B525-A,Odd-A\n1,0.1\n0.05,1\n",
            f"gating/{self.texts['study']['panel_file']}.csv": PANEL.format(**self.texts["panel"]),
            f"overrides/{self.texts['override']['file']}.yaml": OVERRIDE.format(**self.texts["override"]),
        }
        if self.workbook:
            text["study.yaml"] = text["study.yaml"].replace("samples.csv", "samples.xlsx")
        for name, content in () if self.only_fcs else text.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
        for name, rows in () if self.only_fcs else self.sheets.items():
            if name == "samples" and self.workbook:
                self._workbook(folder / "samples.xlsx", rows)
                continue
            stream = io.StringIO()
            csv.writer(stream, lineterminator="\n").writerows(rows)
            (folder / f"{name}.csv").write_bytes(stream.getvalue().encode(self.encoding, "replace"))
        for name, fcs in self.fcs.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            # the second data set carries what the first does
            path.write_bytes(
                fcs.data_set(True) + fcs.data_set(False) if name.endswith("b1.fcs") else fcs.data_set(False)
            )
        for name, content in self.extra_files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return folder

    def _workbook(self, path: Path, rows: list[list[str]]) -> None:
        book = openpyxl.Workbook()
        book.active.title = "samples"
        for row in rows:
            book.active.append([cell or None for cell in row])
        if self.texts["study"]["title"] != TEXTS["study"]["title"]:
            name = self.texts["study"]["title"]
            book.properties.creator = name
            book.active["A2"].comment = Comment(name, name)
            book.create_sheet("more").append([name])
        book.save(path)

    def rename(self, old: str, new: str) -> None:
        """Give an FCS file another path, in the sheet too."""
        self.fcs[new] = self.fcs.pop(old)
        for row in self.sheets["samples"]:
            row[:] = [new if cell == old else cell for cell in row]


def places() -> Iterator[tuple[str, ...]]:
    """Yield every place where `plant` can put a name."""
    for key in KEYWORDS:
        yield "keyword", key
    for key in (*PER_CHANNEL, "N"):
        yield "keyword", f"$P5{key}"
    for segment in SEGMENTS:
        yield "segment", segment
    for file, texts in TEXTS.items():
        for key in texts:
            yield "text", file, key
    for sheet, text in SHEETS.items():
        header = next(csv.reader(io.StringIO(text)))
        for column in header:
            if column not in ("subject", "USUBJID"):
                yield "cell", sheet, column
        yield "header", sheet
    yield from (("workbook",), ("file name",), ("folder name",), ("bad file",), ("other file",), ("table name",))


def plant(study: Planted, place: tuple[str, ...], name: str, encoding: str) -> None:
    """Put a name at a place; where only some characters are allowed, what remains of it."""
    kind, *where = place
    content = name.encode(encoding, "replace").replace(b"|", b"")
    plain = plain_form(name)
    if kind == "keyword":
        for fcs in study.fcs.values():
            old = fcs.keywords[where[0]]
            fcs.keywords[where[0]] = content if hash_of(name) % 2 else old + b" " + content
    elif kind == "segment":
        for fcs in study.fcs.values():
            fcs.segments[where[0]] = plain.encode() if where[0] == "name of a keyword" else content
    elif kind == "text":
        file, key = where
        identifier = (file, key) in _IDENTIFIERS
        new = plain if identifier else name.replace('"', "").replace("\\", "")
        if key in ("arm", "visit", "tube") and file == "study":
            for row in study.sheets["samples"]:
                row[:] = [new if cell == TEXTS["study"][key] else cell for cell in row]
        for texts in _together(study.texts, file, key):
            texts[key if key in texts else "population"] = new
    elif kind == "cell":
        sheet, column = where
        rows = study.sheets[sheet]
        cell = rows[0].index(column)
        rows[2][cell] = plain if column == "tube_id" else name
        if column == "fcs":
            study.fcs[name] = study.fcs.pop("raw/a2.fcs")
    elif kind == "header":
        study.sheets[where[0]][0].append(name)
        for row in study.sheets[where[0]][1:]:
            row.append(name)
    else:
        _plant_file(study, kind, name, content)


_IDENTIFIERS = {
    ("study", "study"), ("study", "arm"), ("study", "visit"), ("study", "tube"), ("strategy", "matrix"),
    ("strategy", "transform"), ("strategy", "axis"), ("study", "strategy_folder"), ("study", "panel_file"),
    ("override", "file"),
}  # fmt: skip
#: One thing under several keys: a population and a marker that other files refer to.
_SAME = (
    {("study", "population"), ("strategy", "population"), ("override", "population")},
    {("strategy", "marker"), ("panel", "marker"), ("override", "marker")},
)


def _together(texts: Mapping[str, dict[str, str]], file: str, key: str) -> list[dict[str, str]]:
    same = next((group for group in _SAME if (file, key) in group), {(file, key)})
    return [texts[name] for name, _ in same]


def _plant_file(study: Planted, kind: str, name: str, content: bytes) -> None:
    safe = name.replace("/", "").replace("\\", "").replace("\0", "")
    if kind == "workbook":
        study.workbook = True
        study.texts["study"]["title"] = name.replace('"', "")
    elif kind == "file name":
        study.rename("raw/a1.fcs", f"raw/{safe}.fcs")
    elif kind == "folder name":
        study.rename("raw/a1.fcs", f"{safe}/a1.fcs")
    elif kind == "bad file":
        study.extra_files[f"raw/{safe}.fcs"] = b"FCS3.1    " + content
    elif kind == "other file":
        study.extra_files[f"{safe}.txt"] = content
    else:
        study.extra_files[f"{safe}.csv"] = b"subject," + content + b",date\nKID-A," + content + b",2021-03-01\n"


def plain_form(name: str) -> str:
    """What is planted where only letters and digits of ASCII are allowed."""
    return "".join(character for character in name if character.isascii() and character.isalnum()) or "Zhangweiming"


def hash_of(name: str) -> int:
    """A number that is the same in every process."""
    return sum(name.encode())
