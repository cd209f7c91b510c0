"""A folder or a file, de-identified into a new folder."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from il2cyto.deident.changes import FREE_TEXT, WITHHELD, Change, FileReport
from il2cyto.deident.fcs import clean_fcs, write_clean
from il2cyto.deident.folders import Found, check_apart, check_out, find_files, is_fcs, settle
from il2cyto.deident.key import Key
from il2cyto.deident.mapping import Line, check_neighbours, read_map, write_map
from il2cyto.deident.names import Names
from il2cyto.deident.outcome import Outcome
from il2cyto.deident.report import write_report
from il2cyto.deident.sheets import CLINICAL, SUBJECTS, Declared, clean_table
from il2cyto.deident.study import CleanStudy, clean_study, file_code
from il2cyto.deident.tables import SUFFIXES, Table, read_table
from il2cyto.deident.vocabulary import read_vocabulary
from il2cyto.errors import FcsError, Il2CytoError
from il2cyto.provenance import hash_file, write_text
from il2cyto.study.read import inspect_study

STUDY_FILE = "study.yaml"
Say = Callable[[str], None]


@dataclass(frozen=True)
class Summary:
    """What a run did: files written, set aside, not copied, and problems of the study that was written."""

    n_written: int
    n_set_aside: int
    n_not_copied: int
    n_problems: int

    @property
    def exit_code(self) -> int:
        """Return 0, or 1 where something was set aside or the written study has problems."""
        return 1 if self.n_set_aside or self.n_problems else 0


def deidentify(
    source: str | Path,
    out: str | Path,
    key: Key,
    *,
    key_path: Path | None = None,
    map_path: Path | None = None,
    vocabulary: Path | None = None,
    data_root: Path | None = None,
    say: Say = lambda text: None,
) -> Summary:
    """De-identify an FCS file, a folder of them, or a study folder.

    Parameters
    ----------
    source
        File or folder; nothing in it is changed.
    out
        New or empty folder, apart from `source`.
    key
        The secret.
    key_path
        Where the key came from; it may not be in `out`.
    map_path
        Receives which pseudonym stands for what, if given; neither in `source` nor in `out`.
    vocabulary
        The user's own words, signed.
    data_root
        Folder of the FCS files, where ``study.yaml`` does not say it right.
    say
        Receives what belongs on the screen; it names files.

    Returns
    -------
    Summary
        A file that cannot be read does not stop the others: it is set aside and not copied.

    Raises
    ------
    OutputError
        If folders overlap, `out` is not empty, or a map that the key does not vouch for is in the way.
    StudyError
        If ``study.yaml`` is wrong. Nothing has been written then.
    """
    source, out = Path(source), Path(out)
    check_out(out, source, data_root)
    if key_path is not None:
        check_apart(key_path, (out,), "the key")
    if map_path is not None:
        check_apart(map_path, (out, source if source.is_dir() else out), "the map")
        if map_path.exists():
            read_map(map_path, key)
    check_neighbours(out.resolve().parent, key)
    names = Names(key, read_vocabulary(vocabulary) if vocabulary else None)
    found = find_files(source)
    study = _study(found, data_root, names)
    if study is not None:
        # the data root that study.yaml names may be anywhere
        check_out(out, source, study.data_root)
    outcome = study.outcome if study is not None else Outcome()
    run = _Run(out, names, found.root, study, outcome, map_path is not None)
    run.tables(found.files)
    run.texts()
    for path in sorted({*found.files, *(study.subjects if study else ()), *(study.controls if study else ())}):
        if is_fcs(path) and path.is_file():
            run.fcs(path)
    run.others(found, say)
    problems = inspect_study(out / STUDY_FILE).problems if study is not None else ()
    for problem in problems:
        say(f"problem    {problem}")
    own = hashlib.sha256(vocabulary.read_bytes()).hexdigest() if vocabulary else ""
    write_report(out, key.fingerprint, own, outcome.reports)
    if map_path is not None:
        write_map(map_path, key, run.lines())
    settle(out)
    for path, error in outcome.failed:
        shown = path.relative_to(found.root) if path.is_relative_to(found.root) else path
        say(printable(f"set aside  {shown}: {error}"))
    written = sum(report.written for report in outcome.reports)
    return Summary(written, len(outcome.failed), len(outcome.reports) - written - len(outcome.failed), len(problems))


def _study(found: Found, data_root: Path | None, names: Names) -> CleanStudy | None:
    path = found.root / STUDY_FILE
    return clean_study(path, data_root, names, lambda _: False) if path in found.files else None


@dataclass
class _Run:
    """One run: what is written where, and what the map shall say of it."""

    out: Path
    names: Names
    root: Path
    study: CleanStudy | None
    outcome: Outcome
    with_hashes: bool
    hashes: dict[str, str] = field(default_factory=dict)

    def tables(self, files: tuple[Path, ...]) -> None:
        """Clean tables that no study names, if they have a column of subjects."""
        for path in files:
            if path in self.outcome.read or path.suffix.lower() not in SUFFIXES or _is_result(path, self.root):
                continue
            table = clinical_table(path)
            if table is None:
                continue
            self.outcome.read.add(path)
            declared = self.study.declared if self.study else Declared()
            try:
                clean = clean_table(table, CLINICAL, declared, self.names)
            except Il2CytoError as error:
                self.outcome.set_aside("table", path, error)
                continue
            code = self.names.coded("file", path.relative_to(self.root).as_posix())
            self.outcome.add(f"tables/{code}.csv", "table", path, clean.text, clean.changes)

    def texts(self) -> None:
        """Write everything but FCS files."""
        for place, text in self.outcome.files.items():
            write_text(self.out / place, text)
        for report in self.outcome.reports:
            if report.written:
                report.sha256 = hash_file(self.out / report.id)

    def fcs(self, path: Path) -> None:
        """Write one FCS file."""
        root = self.study.data_root if self.study else self.root
        code = file_code(path, root, self.names)
        subject = self.study.subjects.get(path) if self.study else None
        shift = self.names.key.shift(subject) if subject is not None else None
        self.outcome.read.add(path)
        target = self.out / "fcs" / code
        report = FileReport(f"fcs/{code}", "fcs", path)
        self.outcome.reports.append(report)
        try:
            clean = clean_fcs(path, self.names, shift)
            report.data_sha256 = write_clean(clean, target)
        except (Il2CytoError, OSError) as error:
            report.problem = type(error).__name__
            self.outcome.failed.append((path, error if isinstance(error, Il2CytoError) else FcsError(str(error))))
            return
        report.written = True
        report.changes = list(clean.changes)
        report.data_sets, report.events = len(clean.datasets), clean.n_events
        report.sha256 = hash_file(target)
        if self.with_hashes:
            self.hashes[target.stem] = hash_file(path)

    def others(self, found: Found, say: Say) -> None:
        """Count what is not copied."""
        left = [path for path in found.files if path not in self.outcome.read]
        folders: dict[str, list[str]] = {}
        for number, path in enumerate(left, start=1):
            top, *below = path.relative_to(self.root).parts
            folders.setdefault(f"{top}/" if below else top, []).append("/".join(below))
            self.outcome.reports.append(FileReport(f"other {number}", "other", path))
        for name, files in folders.items():
            count = f" ({len(files)} files)" if name.endswith("/") and len(files) > 1 else "".join(files)
            say(f"not copied: {printable(name)}{printable(count)}")
        if found.n_outside:
            say(f"not followed: {found.n_outside} links that lead out of the folder")
            change = Change("links that lead out of the folder", WITHHELD, FREE_TEXT)
            self.outcome.reports.append(FileReport("links", "other", changes=[change] * found.n_outside))

    def lines(self) -> list[Line]:
        """Return what the map shall say."""
        return [
            Line(
                kind,
                code,
                printable(original),
                str(self.names.key.shift(original)) if kind == "subject" else "",
                self.hashes.get(code, "") if kind == "file" else "",
            )
            for (kind, code), original in self.names.originals.items()
        ]


def printable(text: object) -> str:
    """Return a text that can be written as UTF-8; names of files need not be Unicode."""
    return str(text).encode("utf-8", "backslashreplace").decode("utf-8")


def _is_result(path: Path, root: Path) -> bool:
    """Whether a file stands in a folder of results, which a run of the cleaned study makes again."""
    folders = [folder for folder in path.parents if folder.is_relative_to(root)]
    return any((folder / "manifest.json").is_file() for folder in folders)


def clinical_table(path: Path) -> Table | None:
    """Return a table that has a column of subjects, ``None`` for any other file."""
    try:
        table = read_table(path, path.stem, CLINICAL)
    except Il2CytoError:
        return None
    return table if any(name in table.header for name in SUBJECTS) else None
