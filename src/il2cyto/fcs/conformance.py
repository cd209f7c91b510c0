"""What is wrong with an FCS file, and whether that matters."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from il2cyto.errors import FcsError
from il2cyto.fcs.clock import acquisition, elapsed
from il2cyto.fcs.dataset import Dataset, open_datasets
from il2cyto.fcs.read import to_sample
from il2cyto.provenance import hash_file
from il2cyto.sample import Repair, Sample

CONFORMS = "conforms"
READABLE = "readable"
ASSUMED = "readable with assumptions"
UNREADABLE = "cannot be read"

_REQUIRED = {
    "FCS2.0": ("$BYTEORD", "$DATATYPE", "$MODE", "$NEXTDATA", "$PAR"),
    "FCS3.0": (
        "$BEGINANALYSIS", "$BEGINDATA", "$BEGINSTEXT", "$BYTEORD", "$DATATYPE", "$ENDANALYSIS", "$ENDDATA", "$ENDSTEXT",
        "$MODE", "$NEXTDATA", "$PAR", "$TOT",
    ),
    "FCS3.2": ("$BEGINDATA", "$BYTEORD", "$CYT", "$DATATYPE", "$ENDDATA", "$PAR", "$TOT"),
}  # fmt: skip
_REQUIRED["FCS3.1"] = _REQUIRED["FCS3.0"]


@dataclass(frozen=True)
class DatasetReport:
    """What one data set is, and where it leaves the standard.

    Attributes
    ----------
    facts
        Version, cytometer, events, widths, segments and the like; plain numbers and text.
    repairs
        Deviations that were read over.
    notes
        Deviations and deprecated forms that reading does not touch.
    """

    facts: Mapping[str, Any]
    repairs: tuple[Repair, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class FileReport:
    """Conformance of one file.

    Attributes
    ----------
    file
        The path as given.
    sha256
        Hash of the file, empty if it could not be opened.
    verdict
        `CONFORMS`, `READABLE` (no deviation can change a number), `ASSUMED` (one can) or `UNREADABLE`.
    error
        Why it cannot be read, or empty.
    datasets
        One per data set.
    """

    file: str
    sha256: str
    verdict: str
    error: str
    datasets: tuple[DatasetReport, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return plain lists and dictionaries, as ``il2cyto check-fcs --json`` prints them."""
        return {
            "file": self.file,
            "sha256": self.sha256,
            "verdict": self.verdict,
            "error": self.error,
            "datasets": [
                {
                    **report.facts,
                    "repairs": [
                        {
                            "keyword": repair.keyword, "found": repair.found, "assumed": repair.assumed,
                            "affects_numbers": repair.affects_numbers,
                        }
                        for repair in report.repairs
                    ],
                    "notes": list(report.notes),
                }
                for report in self.datasets
            ],
        }  # fmt: skip

    def lines(self) -> Iterator[str]:
        """Yield the report as lines of text, control characters made visible."""
        yield printable(f"{self.file}: {self.verdict}" + (f": {self.error}" if self.error else ""))
        for report in self.datasets:
            facts = report.facts
            yield printable(
                f"  data set {facts['dataset']}: {facts['version']}, {facts['cytometer'] or 'cytometer not named'}, "
                f"{facts['n_events']:,} events × {facts['n_channels']} channels, {facts['stored_as']}; "
                f"TEXT in {facts['encoding']} with {facts['delimiter']!r}; CRC {facts['crc']}"
            )
            yield printable(
                f"    matrix {facts['spillover'] or 'none'}{', values already compensated' * facts['compensated']}; "
                f"time {facts['time'] or 'none'}; "
                + ", ".join(f"{name} at {first} to {last}" for name, (first, last) in facts["segments"].items())
            )
            for keys, repair in _grouped(report.repairs):
                weight = "changes numbers" if repair.affects_numbers else "harmless"
                yield printable(f"    {weight:<15}  {keys}: {repair.found} → {repair.assumed}")
            for note in report.notes:
                yield printable(f"    {'note':<15}  {note}")


def check_file(path: str | Path) -> FileReport:
    """Read every data set of a file and say where it leaves the standard.

    Parameters
    ----------
    path
        The file.

    Examples
    --------
    >>> import tempfile
    >>> from il2cyto.fcs import write_fcs
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_fcs([[1.0, 2.0]], folder + "/a.fcs", channels=["FSC-A", "CD4"])
    ...     check_file(folder + "/a.fcs").verdict
    'conforms'
    """
    path = Path(path)
    shown = os.fspath(path)
    try:
        opened = open_datasets(path)
        reports = tuple(_report(dataset, path) for dataset in opened)
    except FcsError as error:
        try:
            digest = hash_file(path)
        except OSError:
            digest = ""
        return FileReport(shown, digest, UNREADABLE, str(error), ())
    repairs = [repair for report in reports for repair in report.repairs]
    if any(repair.affects_numbers for repair in repairs):
        verdict = ASSUMED
    else:
        verdict = READABLE if repairs or any(report.notes for report in reports) else CONFORMS
    return FileReport(shown, hash_file(path), verdict, "", reports)


def printable(text: str) -> str:
    """Make control characters visible: text of a file must not steer a terminal."""
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode("ascii") for sign in text)


def _report(dataset: Dataset, path: Path) -> DatasetReport:
    sample = to_sample(dataset, path)
    clock = acquisition(dataset.keywords, dataset.version)
    notes = [*_notes(dataset), *_masked(sample)]
    head, place = dataset.head, dataset.place
    segments: dict[str, list[int]] = {}
    if place.length:
        segments["DATA"] = [place.begin, place.begin + place.length - 1]
    for name, pair in dataset.segments.items():
        segments[name] = [*pair]
    segments = {name: [head.start + first, head.start + last] for name, (first, last) in segments.items()}
    matrix = sample.spillover
    facts = {
        "dataset": dataset.index,
        "version": dataset.version,
        "cytometer": dataset.keywords.get("$CYT", "").strip(),
        "n_events": dataset.n_events,
        "n_channels": len(dataset.channels),
        "stored_as": _stored_as(dataset),
        "delimiter": dataset.delimiter,
        "encoding": dataset.encoding,
        "crc": dataset.crc,
        "segments": segments,
        "spillover": f"{len(matrix.fluorochromes)} × {len(matrix.detectors)}" if matrix else "",
        "compensated": sample.compensated,
        "time": _time(sample, notes),
        "acquisition_seconds": clock.duration,
    }
    return DatasetReport(facts, (*sample.repairs, *clock.repairs), tuple(notes))


def _grouped(repairs: tuple[Repair, ...]) -> list[tuple[str, Repair]]:
    """Put alike deviations of many parameters on one line, those that change numbers first."""
    groups: dict[tuple[str, str, bool], list[Repair]] = {}
    for repair in repairs:
        groups.setdefault((repair.found, repair.assumed, repair.affects_numbers), []).append(repair)
    lines = []
    for alike in sorted(groups.values(), key=lambda alike: not alike[0].affects_numbers):
        keys = [repair.keyword for repair in alike]
        shown = ", ".join(keys) if len(keys) < 5 else f"{keys[0]}, {keys[1]} … {keys[-1]} ({len(keys)} of them)"
        lines.append((shown, alike[0]))
    return lines


def _stored_as(dataset: Dataset) -> str:
    order = dataset.keywords.get("$BYTEORD", "").strip()
    runs: list[tuple[str, int]] = []
    for channel in dataset.channels:
        word = f"{channel.datatype}{channel.bits or ' free'}"
        if runs and runs[-1][0] == word:
            runs[-1] = (word, runs[-1][1] + 1)
        else:
            runs.append((word, 1))
    kinds = " ".join(f"{count}×{word}" for word, count in runs[:8]) + (" …" if len(runs) > 8 else "")
    return f"{kinds} in order {order or 'not given'}"


def _time(sample: Sample, notes: list[str]) -> str:
    clocks = [channel.pnn for channel in sample.channels if channel.is_time]
    if not clocks or not sample.n_events:
        return ", ".join(clocks)
    found = elapsed(sample)
    if found.n_wraps:
        notes.append(f"the clock ran over {found.n_wraps} time(s)")
    unit = "s" if not any(repair.keyword == "$TIMESTEP" for repair in sample.repairs) else "ticks"
    return f"{' and '.join(clocks)} {found.seconds.min():g} to {found.seconds.max():g} {unit}"


def _masked(sample: Sample) -> Iterator[str]:
    counts = sample.masked_values
    few = [i for i in counts.nonzero()[0] if 10 * counts[i] < sample.n_events]
    most = [i for i in counts.nonzero()[0] if i not in few]
    for i in few:
        yield (
            f"$P{i + 1}R: {counts[i]} value(s) above the range lose their upper bits, as the standard masks: "
            "bright events turn dim"
        )
    if most:
        numbers = ", ".join(str(i + 1) for i in most)
        yield f"bits above the range in many events of parameter(s) {numbers}: the instrument's own marks, masked"


def _notes(dataset: Dataset) -> Iterator[str]:
    keywords, version = dataset.keywords, dataset.version
    missing = [key for key in _REQUIRED[version] if not keywords.get(key, "").strip()]
    recorded = {repair.keyword for repair in dataset.repairs}
    missing = [key for key in missing if key not in recorded]
    if missing:
        yield f"{', '.join(missing)}: required by {version}, missing or empty"
    if any(key.startswith("$COMP") for key in keywords) or any(
        re.fullmatch(r"\$?DFC\d+TO\d+", key) for key in keywords
    ):
        yield "$COMP or $DFCiTOj: percentages to subtract, not a spillover matrix; not used"
    if "$TIMESTEP" in keywords and not any(channel.is_time for channel in dataset.channels):
        yield "$TIMESTEP: stands without a time channel"
    if any("," in channel.pnn for channel in dataset.channels):
        yield "$PnN: a comma in a name, which the standard forbids: no matrix can name that channel"
    if version == "FCS3.2" and "$MODE" in keywords:
        yield "$MODE: deprecated in FCS3.2"
    if version == "FCS3.2" and any(channel.datatype == "A" or channel.bits % 8 for channel in dataset.channels):
        yield "$DATATYPE A and widths that are no whole bytes: deprecated in FCS3.2"
    if dataset.head.next_data is not None and version >= "FCS3.1":
        yield f"$NEXTDATA: several data sets in a file are deprecated in {version}"
