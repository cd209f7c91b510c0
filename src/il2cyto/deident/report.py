"""``deidentification.csv`` and ``.json``: what was done to each file, never what stood there."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from il2cyto import __version__
from il2cyto.deident.changes import FileReport
from il2cyto.deident.tables import render_table
from il2cyto.provenance import write_text

NAME = "deidentification"
COLUMNS = ("file", "kind", "status", "where", "action", "reason", "count", "data_sets", "events", "sha256")


def write_report(out: Path, fingerprint: str, vocabulary_sha256: str, reports: Sequence[FileReport]) -> None:
    """Write both files.

    Parameters
    ----------
    out
        Folder.
    fingerprint
        Of the key.
    vocabulary_sha256
        Hash of the user's own vocabulary, or empty.
    reports
        One per file. Their `source` and the shapes of values are left out.
    """
    ordered = sorted(reports, key=lambda report: (report.kind, report.id))
    content = {
        "format": 1,
        "il2cyto": __version__,
        "key_fingerprint": fingerprint,
        "vocabulary_sha256": vocabulary_sha256,
        "files": [_entry(report) for report in ordered],
    }
    write_text(out / f"{NAME}.json", json.dumps(content, indent=1) + "\n")
    rows = [row for report in ordered for row in _rows(report)]
    write_text(out / f"{NAME}.csv", render_table(COLUMNS, rows))


def read_hashes(folder: Path) -> frozenset[str]:
    """Return the hashes of the files that the report of a folder lists; none where there is no report."""
    try:
        content = json.loads((folder / f"{NAME}.json").read_text(encoding="utf-8"))
        return frozenset(str(entry["sha256"]) for entry in content["files"] if entry["sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        return frozenset()


def _status(report: FileReport) -> str:
    if report.problem:
        return f"set aside: {report.problem}"
    return "written" if report.written else "not copied"


def _tally(report: FileReport) -> Counter[tuple[str, str, str]]:
    return Counter((change.where, change.action, change.reason) for change in report.changes)


def _entry(report: FileReport) -> dict[str, Any]:
    return {
        "file": report.id,
        "kind": report.kind,
        "status": _status(report),
        "data_sets": report.data_sets,
        "events": report.events,
        "sha256": report.sha256,
        "data_sha256": list(report.data_sha256),
        "changes": [
            {"where": where, "action": action, "reason": reason, "count": count}
            for (where, action, reason), count in _tally(report).items()
        ],
    }


def _rows(report: FileReport) -> list[list[str]]:
    head = [report.id, report.kind, _status(report)]
    tail = [str(report.data_sets), str(report.events), report.sha256]
    tally = _tally(report) or Counter({("", "", ""): 0})
    return [[*head, *change, str(count), *tail] for change, count in tally.items()]
