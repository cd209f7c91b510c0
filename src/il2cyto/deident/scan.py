"""Which files still carry what could identify somebody: cleaning them in memory, and telling what it would change."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from il2cyto.deident.batch import STUDY_FILE, clinical_table, printable
from il2cyto.deident.changes import (
    DROPPED,
    FREE_TEXT,
    HIDDEN,
    IDENTIFIER,
    OTHER_FILE,
    RENAMED,
    TELLING,
    WITHHELD,
    Change,
    shape,
)
from il2cyto.deident.fcs import clean_fcs
from il2cyto.deident.folders import find_files, is_fcs
from il2cyto.deident.key import LENGTH, Key
from il2cyto.deident.names import CODED, Names
from il2cyto.deident.report import NAME, read_hashes
from il2cyto.deident.sheets import CLINICAL, Declared, clean_table
from il2cyto.deident.study import CleanStudy, clean_study
from il2cyto.deident.tables import SUFFIXES
from il2cyto.deident.vocabulary import STUDY, read_vocabulary
from il2cyto.errors import Il2CytoError
from il2cyto.provenance import hash_file

_REPORTS = (f"{NAME}.csv", f"{NAME}.json")


@dataclass(frozen=True)
class Finding:
    """What one file still carries; empty for a file that is clean."""

    file: str
    changes: tuple[Change, ...]


def scan(source: str | Path, *, vocabulary: Path | None = None, data_root: Path | None = None) -> tuple[Finding, ...]:
    """Look for likely identifiers in a file or a folder; nothing is written.

    Parameters
    ----------
    source
        File or folder.
    vocabulary
        The user's own words, signed.
    data_root
        Folder of the FCS files, where ``study.yaml`` does not say it right.

    Returns
    -------
    tuple of Finding
        One per file. Dates count as identifiers unless the folder's own ``deidentification.json`` lists the file by its
        hash: then they are the shifted ones.

    Raises
    ------
    StudyError
        If ``study.yaml`` is wrong.
    OutputError
        If nothing is there.
    """
    source = Path(source)
    found = find_files(source)
    names = Names(
        Key(secrets.token_bytes(LENGTH)), read_vocabulary(vocabulary) if vocabulary else None, accept_coded=True
    )
    scanner = _Scanner(found.root, names, read_hashes(found.root))
    study_file = found.root / STUDY_FILE
    study = clean_study(study_file, data_root, names, scanner.is_listed) if study_file in found.files else None
    return tuple(scanner.scan(path, study) for path in sorted({*found.files, *(study.subjects if study else ())}))


class _Scanner:
    def __init__(self, root: Path, names: Names, listed: frozenset[str]) -> None:
        self.root, self.names, self.listed = root, names, listed

    def is_listed(self, path: Path) -> bool:
        """Whether the report of the folder lists the file as it is."""
        return bool(self.listed) and path.is_file() and hash_file(path) in self.listed

    def scan(self, path: Path, study: CleanStudy | None) -> Finding:
        """Return what one file carries."""
        shown = path.relative_to(self.root) if path.is_relative_to(self.root) else path
        if not path.is_file():
            return Finding(printable(shown), ())
        changes = [*self._name(shown), *self._content(path, study)]
        return Finding(printable(shown), tuple(change for change in changes if change.reason in TELLING))

    def _name(self, shown: Path) -> list[Change]:
        stem = shown.stem
        known = shown.name in (*_REPORTS, STUDY_FILE) or self.names.passes(stem, *STUDY, "files")
        changes = [] if known or CODED.fullmatch(stem) else [Change("file name", RENAMED, IDENTIFIER, shape(stem))]
        for folder in shown.parent.parts:
            if not self.names.passes(folder, *STUDY, "files"):
                changes.append(Change("name of a folder", RENAMED, IDENTIFIER, shape(folder)))
        return changes

    def _content(self, path: Path, study: CleanStudy | None) -> Sequence[Change]:
        if path.name in _REPORTS and path.parent == self.root:
            return []
        if is_fcs(path):
            return self._fcs(path)
        if study is not None and path in study.outcome.read:
            sources = (path, path.parent)
            own = [report for report in study.outcome.reports if report.source in sources]
            failed = [Change("the file", WITHHELD, OTHER_FILE, report.problem) for report in own if report.problem]
            return [*failed, *(change for report in own for change in report.changes)]
        table = clinical_table(path) if path.suffix.lower() in SUFFIXES else None
        if table is None:
            return [Change("the file", DROPPED, OTHER_FILE)]
        try:
            declared = study.declared if study else Declared()
            return clean_table(table, CLINICAL, declared, self.names, dates_trusted=self.is_listed(path)).changes
        except Il2CytoError as error:
            return [Change("the table", WITHHELD, OTHER_FILE, type(error).__name__)]

    def _fcs(self, path: Path) -> Sequence[Change]:
        try:
            # the dates of a file that the report lists are shifted ones
            listed = self.is_listed(path)
            clean = clean_fcs(path, self.names, 0 if listed else None)
            same = not listed or clean.is_itself()
            return [*clean.changes, *([] if same else [Change("bytes that cleaning would not write", DROPPED, HIDDEN)])]
        except (Il2CytoError, OSError) as error:
            return [Change("the file", WITHHELD, FREE_TEXT, f"cannot be read: {type(error).__name__}")]
