"""A small study with a patient's name in places of one's choice, and a search for it in everything that a run wrote."""

from __future__ import annotations

import csv
import html
import io
import json
import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import pandas as pd

#: ASCII, accented and Chinese, each in the encodings that instruments write it in.
NAMES = {
    "Xanthippe Quillfeather": ("utf-8",),
    "Zoë Måneskjöldsdøtter": ("utf-8", "latin-1"),
    "欧阳翠花": ("utf-8", "gb18030"),
}
DELIMITER = b"\x1e"


@dataclass
class Fcs:
    """An FCS file to be: keywords as bytes, in order, and what is done to the file in the end."""

    name: bytes
    text: dict[bytes, bytes]
    further: list[tuple[bytes, bytes]] = field(default_factory=list)
    version: bytes = b"FCS3.1"
    header_data: bytes | None = None
    finish: Callable[[bytes], bytes] = lambda content: content

    def set(self, key: str, value: bytes) -> None:
        self.text[key.encode()] = value

    def content(self) -> bytes:
        events = b"".join(struct.pack("<5f", 100.0 + i, 50.0, 500.0 + i, 3.0, float(i)) for i in range(20))

        def render(begin: int, end: int) -> bytes:
            pairs = list({b"$BEGINDATA": b"%08d" % begin, b"$ENDDATA": b"%08d" % end, **self.text}.items())
            return DELIMITER + b"".join(key + DELIMITER + value + DELIMITER for key, value in pairs + self.further)

        length = len(render(0, 0))
        begin = 58 + length
        place = b"%8d%8d" % (begin, begin + len(events) - 1) if self.header_data is None else self.header_data
        head = self.version + b"    " + b"%8d%8d" % (58, begin - 1) + place + b"%8d%8d" % (0, 0)
        return self.finish(head + render(begin, begin + len(events) - 1) + events)


def plain_fcs(name: bytes) -> Fcs:
    """A file without a name in it; the label finds CD4 and the matrix is that of the file."""
    text = {
        "$BEGINANALYSIS": "0", "$ENDANALYSIS": "0", "$BEGINSTEXT": "0", "$ENDSTEXT": "0", "$BYTEORD": "1,2,3,4",
        "$DATATYPE": "F", "$MODE": "L", "$NEXTDATA": "0", "$PAR": "5", "$TOT": "20", "$TIMESTEP": "0.01",
        "$VOL": "55.5", "$SPILLOVER": "2,B1-A,X1-A,1,0.1,0,1",
    }  # fmt: skip
    for i, pnn in enumerate(("FSC-A", "SSC-A", "B1-A", "X1-A", "Time"), start=1):
        text |= {f"$P{i}N": pnn, f"$P{i}B": "32", f"$P{i}E": "0,0", f"$P{i}R": "262144"}
    text["$P3S"] = "CD4"
    return Fcs(name, {key.encode(): value.encode() for key, value in text.items()})


def _value(key: str, before: bytes = b"", after: bytes = b"") -> Callable[[Fcs], None]:
    return lambda fcs: fcs.set(key, before + fcs.name + after)


def _both_named(fcs: Fcs) -> None:
    fcs.set("$P3N", fcs.name)
    fcs.set("$P4N", fcs.name)


def _label_twice(fcs: Fcs) -> None:
    fcs.set("$P2N", fcs.name)
    fcs.set("$P2S", b"CD4")


def _compensated(fcs: Fcs) -> None:
    fcs.set("$P3N", b"Comp-" + fcs.name)
    fcs.set("$SPILLOVER", b"2,Comp-" + fcs.name + b",X1-A,1,0.1,0,1")


def _renamed_matrix(fcs: Fcs) -> None:
    fcs.set("$P3N", fcs.name + b"/A")
    fcs.set("$SPILLOVER", b"2," + fcs.name + b"_A,X1-A,1,0.1,0,1")


def _append(*pairs: tuple[bytes, bytes]) -> Callable[[Fcs], None]:
    return lambda fcs: fcs.further.extend(
        (key.replace(b"NAME", fcs.name), value.replace(b"NAME", fcs.name)) for key, value in pairs
    )


def _finish(change: Callable[[bytes, bytes], bytes]) -> Callable[[Fcs], None]:
    def spoil(fcs: Fcs) -> None:
        name = fcs.name
        fcs.set("$SRC", name)
        fcs.finish = lambda content: change(content, name)

    return spoil


def _set(attribute: str, value: Callable[[bytes], bytes]) -> Callable[[Fcs], None]:
    return lambda fcs: setattr(fcs, attribute, value(fcs.name))


#: Places in an FCS file, each with what puts the name there; many make the file unreadable.
PLACES: dict[str, Callable[[Fcs], None]] = {
    **{
        key: _value(key)
        for key in (
            "$FIL", "$SRC", "$OP", "$COM", "$SMNO", "$CYT", "$CELLS", "$EXP", "$INST", "$PROJ", "$SYS", "$DATE",
            "$BTIM", "$VOL", "$LAST_MODIFIER", "$CYTSN", "$P2S", "$P2N", "$P4S", "$P1S", "$P4N", "$P1V", "$P4F",
            "PATIENT NAME", "TUBE NAME", "GUID", "@SAMPLEID1", "$TOT", "$PAR", "$BYTEORD", "$DATATYPE", "$MODE", "$P1B",
            "$P1R", "$P4E", "$P1G", "$TIMESTEP", "$NEXTDATA", "$BEGINDATA", "$ENDDATA", "$BEGINSTEXT", "$SPILLOVER",
            "$UNICODE", "$P3N", "$P3S", "$P5N",
        )
    },
    "number with a name": _value("$TOT", b"20 "),
    "offset with a name": _value("$ENDDATA", b"12"),
    "matrix that names a channel": _value("$SPILLOVER", b"2,B1-A,", b",1,0.1,0,1"),
    "matrix that holds a name": _value("$SPILLOVER", b"2,B1-A,X1-A,1,", b",0,1"),
    "matrix spelled otherwise": _renamed_matrix,
    "channel of a similar name": _value("$P1N", b"FSC-A "),
    "label of a similar name": _value("$P3S", b"CD4 "),
    "two channels of the name": _both_named,
    "two channels of the label": _label_twice,
    "compensated channel": _compensated,
    "keyword that is the name": _append((b"PATIENT NAME", b"yes"), (b"$NAME", b"yes")),
    "keyword twice": _append((b"SAMPLE ID", b"1"), (b"SAMPLE ID", b"NAME"), (b"$SRC", b"x"), (b"$SRC", b"it's NAME")),
    "named keyword twice": _append((b"NAME", b"1"), (b"NAME", b"NAME NAME")),
    "version": _set("version", lambda name: (name + b"      ")[:6]),
    "header offset": _set("header_data", lambda name: (name + b" " * 16)[:16]),
    "truncated": _finish(lambda content, _: content[:-150]),
    "cut inside text": _finish(lambda content, _: content[: content.index(b"$TIMESTEP")]),
    "no FCS at all": _finish(lambda _, name: (b"Report of " + name + b"\n") * 20),
    "second data set": _finish(lambda content, name: content + b"FCS3.1    " + name * 20),
    "nothing": lambda _: None,
}  # fmt: skip


@dataclass(frozen=True)
class Tube:
    """One tube: where in its file the name stands, and in which encoding."""

    place: str
    encoding: str = "utf-8"


STRATEGY = """\
# gates for NAME
strategy: tiny
compensation: FCS
transforms: {lin: {type: linear, T: 262144, A: 0}}
axes: {FSC-A: {transform: lin, compensation: uncompensated}, CD4: {transform: lin}}
populations:
- {name: big, parent: root, gate: {type: rectangle, dims: [{channel: FSC-A, min: 1, units: linear}]}}
- {name: CD4, parent: big, gate: {type: rectangle, dims: [{marker: CD4, min: 1, units: linear}]}}
"""
WORKSPACE = """\
<?xml version="1.0" encoding="UTF-8"?>
<!-- NAME -->
<g:Gating-ML xmlns:g="http://www.isac-net.org/std/Gating-ML/v2.0/gating"
 xmlns:d="http://www.isac-net.org/std/Gating-ML/v2.0/datatypes">
<g:custom_info><workspace xmlns="https://floreada.io/gatingml">
<fcsfile name="NAME absent.fcs"><gate id="g1" name="big"/></fcsfile>
<pipegroup name="NAME"><pipegate id="g1" name="big"/></pipegroup>
</workspace></g:custom_info>
<g:RectangleGate g:id="g1"><g:dimension g:min="1" g:compensation-ref="uncompensated"><d:fcs-dimension d:name="FSC-A"/>
</g:dimension></g:RectangleGate>
</g:Gating-ML>
"""
YAML = """\
# study of NAME
study: DEMO
title: A small study                    # NAME
arms: {A: {label: Arm A}, B: {label: Arm B, reference: true}}
visits:
  BL: {label: Baseline, number: 0, baseline: true}    # NAME
  M1: {label: Month 1, number: 1}
tubes:
  T: {strategy: "gates of NAME", panel: "panel of NAME.csv", count: {route: volumetric}}
  W: {strategy: "workspace of NAME.xml", count: {route: none}}
samples: "samples of NAME.csv"
dosing: "dosing of NAME.csv"
serum: "serum of NAME.csv"
"""
SAMPLES = (
    "tube_id", "subject", "arm", "diagnosis", "age_years", "visit", "collection_date", "tube", "fcs", "dilution",
    "volume_unit", "bead_lot", "comment",
)  # fmt: skip


def write_study(folder: Path, name: str, tubes: list[Tube]) -> Path:
    """Write a study that holds the name wherever a person can write, ids of the sheets aside; return its YAML file.

    Besides `tubes` (one subject each) there are two more visits, two tubes with a workspace, and a file that is not
    there.
    """
    folder = folder / f"study of {name}"
    (folder / "fcs" / name).mkdir(parents=True)
    gates = folder / f"gates of {name}"
    gates.mkdir()
    (gates / "strategy.yaml").write_text(STRATEGY.replace("NAME", name), encoding="utf-8")
    (folder / f"panel of {name}.csv").write_text("marker,channel\nCD4,\n", encoding="utf-8")
    (folder / f"workspace of {name}.xml").write_text(WORKSPACE.replace("NAME", name), encoding="utf-8")
    rows = []
    planned = [(f"S{i:02d}", "BL", "T", tube) for i, tube in enumerate(tubes)]
    planned += [(s, "M1", "T", Tube("nothing")) for s in ("S00", "S01")]
    planned += [(s, "M1", "W", Tube("$SRC")) for s in ("S00", "S01")]
    for number, (subject, visit, kind, tube) in enumerate(planned):
        path = f"fcs/{name}/{number} {name}.fcs"
        fcs = plain_fcs(name.encode(tube.encoding))
        PLACES[tube.place](fcs)
        (folder / path).write_bytes(fcs.content())
        arm = "AB"[int(subject[1:]) % 2]
        diagnosis = name if subject == "S00" else "SLE"
        rows.append(
            [
                f"{subject}-{visit}-{kind}",
                subject,
                arm,
                diagnosis,
                "11",
                visit,
                f"2021-0{1 + (visit == 'M1')}-07",
                kind,
                path,
            ]
            + (["1", "file_uL"] if kind == "T" else ["", ""])
            + [name, name]
        )
    rows.append(["S01-BL-W", "S01", "B", "SLE", "11", "BL", "2021-01-07", "W", f"fcs/gone {name}.fcs", "", "", "", ""])
    _write_csv(folder / f"samples of {name}.csv", [list(SAMPLES), *rows])
    dosing = [["subject", "date", "dose", "unit", "route", "treatment", "comment"]]
    dosing += [["S00", "2021-01-07", "1", name, name, treatment, name] for treatment in (name, f"not {name}")]
    _write_csv(folder / f"dosing of {name}.csv", dosing)
    serum = [["subject", "visit", "analyte", "value", "unit", "comment"]]
    for analyte, unit in (("IL-6", "pg/mL"), (name, name)):
        serum += [[s, v, analyte, "3.5", unit, name] for s in ("S00", "S01") for v in ("BL", "M1")]
    _write_csv(folder / f"serum of {name}.csv", serum)
    study = folder / f"{name}.yaml"
    study.write_text(YAML.replace("NAME", name), encoding="utf-8")
    return study


def _write_csv(path: Path, rows: list[list[str]]) -> None:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(rows)
    path.write_text(stream.getvalue(), encoding="utf-8")


def leaks(folder: Path, name: str) -> list[str]:
    """Return where the name, a part of it, or what a wrong encoding makes of it stands; ``paths.csv`` is left out."""
    wanted = needles(name)
    found = []
    for path in sorted(folder.rglob("*")):
        place = path.relative_to(folder).as_posix()
        contents = [place, *(texts(path) if path.is_file() and place != "paths.csv" else ())]
        for content in contents:
            folded = content.casefold()
            found += [f"{place}: {needle}" for needle in wanted if needle in folded]
    return sorted(set(found))


def needles(name: str) -> set[str]:
    """Parts of a name in small letters: as they are, under other encodings, escaped, and their longest run of ASCII."""
    spelled = set()
    for part in name.split():
        spelled.add(part)
        spelled.add(part.encode("unicode-escape").decode("ascii"))
        for written in ("utf-8", "latin-1", "gb18030"):
            try:
                content = part.encode(written)
            except UnicodeEncodeError:
                continue
            spelled.add(content.decode("ascii", "backslashreplace"))
            spelled |= {content.decode(read, "ignore") for read in ("utf-8", "latin-1", "cp1252", "gb18030")}
        spelled |= set(re.findall(r"[A-Za-z]{5,}", part))
    return {text.casefold() for text in spelled if len(text) >= (4 if text.isascii() else 2)}


def texts(path: Path) -> Iterator[str]:
    """Every reading of a file: its bytes under several encodings, and its content decoded as what it is."""
    content = path.read_bytes()
    for encoding in ("utf-8", "latin-1", "gb18030", "utf-16-le"):
        yield content.decode(encoding, "ignore")
    if path.suffix == ".json":
        yield json.dumps(json.loads(content), ensure_ascii=False)
    elif path.suffix == ".html":
        page = content.decode("utf-8")
        yield html.unescape(page)
        yield re.sub(r"\\u([0-9a-fA-F]{4})", lambda match: chr(int(match[1], 16)), page)
    elif path.suffix == ".parquet":
        import pyarrow.parquet

        yield pd.read_parquet(path).to_csv()
        yield str(pyarrow.parquet.read_metadata(path).metadata)
    elif path.suffix in (".h5ad", ".h5mu"):
        yield from _hdf5(path)


def _hdf5(path: Path) -> Iterator[str]:
    found: list[str] = []

    def visit(name: str, item: Any) -> None:
        found.append(name)
        found.extend(f"{key} {value!r}" for key, value in item.attrs.items())
        if isinstance(item, h5py.Dataset) and item.dtype.kind in "OSU":
            values = item.asstr()[()] if item.dtype.kind in "OS" else item[()]
            found.append(str(values) if item.shape == () else " ".join(map(str, values.ravel())))

    with h5py.File(path) as file:
        found.extend(f"{key} {value!r}" for key, value in file.attrs.items())
        file.visititems(visit)
    yield from found
