"""Cleaned texts on their way to the new folder, with what was done to each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from il2cyto.deident.changes import RENAMED, UNKNOWN_NAME, Change, FileReport
from il2cyto.deident.names import Names
from il2cyto.errors import Il2CytoError, OutputError


@dataclass
class Outcome:
    """Sheets, strategies and panels of a study that may be seen.

    Attributes
    ----------
    files
        Text by path in the new folder.
    reports
        One per file.
    read
        Files of the old folder that are dealt with.
    failed
        What could not be read, and why.
    """

    files: dict[str, str] = field(default_factory=dict)
    reports: list[FileReport] = field(default_factory=list)
    read: set[Path] = field(default_factory=set)
    failed: list[tuple[Path, Il2CytoError]] = field(default_factory=list)

    def add(self, place: str, kind: str, source: Path, text: str, changes: Sequence[Change]) -> None:
        """Add one file."""
        self.files[place] = text
        self.reports.append(FileReport(place, kind, source, written=True, changes=list(changes)))

    def clean(self, kind: str, source: Path, names: Names, clean: Callable[[], dict[str, str]]) -> None:
        """Add the files that `clean` makes of one source; one that fails is set aside.

        The report has a number for it, and no name.
        """
        before = set(names.originals)
        try:
            found = clean()
        except (Il2CytoError, OSError) as error:
            self.set_aside(kind, source, error if isinstance(error, Il2CytoError) else OutputError(str(error)))
            return
        new = sum(kind == "name" for kind, _ in names.originals.keys() - before)
        changes = [Change("names", RENAMED, UNKNOWN_NAME, f"{new} names")] if new else []
        for place, text in found.items():
            self.add(place, kind, source, text, changes)
            changes = []

    def set_aside(self, kind: str, source: Path, error: Il2CytoError) -> None:
        """Remember a file that cannot be cleaned and is not copied."""
        self.failed.append((source, error))
        self.reports.append(FileReport(f"{kind} {len(self.failed)}", kind, source, problem=type(error).__name__))
