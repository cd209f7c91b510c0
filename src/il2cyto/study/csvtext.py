"""Bytes of a CSV file to rows of texts: encoding, delimiter and lines, each stated or beyond doubt."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence

from il2cyto.study.characters import plain
from il2cyto.study.findings import Findings
from il2cyto.study.style import DELIMITERS, SheetStyle

_MARKS = {
    b"\xef\xbb\xbf": "utf-8",
    b"\xff\xfe\x00\x00": "utf-32",
    b"\x00\x00\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16-le",
    b"\xfe\xff": "utf-16-be",
}
_NEWLINE = re.compile(rb"\r\n|\r|\n")
_SEPARATOR = re.compile(r'"?sep=(.)"?(?=\r|\n)', re.IGNORECASE)
_REMEDY = "save it as 'CSV UTF-8', or state what it is in study.yaml, for example `sheets: {encoding: gb18030}`"


def decode(content: bytes, file: str, encoding: str | None, findings: Findings) -> str | None:
    """Return the text of a file: in the encoding of its byte order mark, in the stated one, or else in UTF-8.

    Other encodings are not guessed: most bytes of a file in GB18030, Windows-1252 or Latin-1 can be read in each of
    them, to different names.
    """
    mark, found = next(((mark, name) for mark, name in _MARKS.items() if content.startswith(mark)), (b"", None))
    if found == "utf-32":
        findings.problem(file, None, "", "", "UTF-32 is not read; save the file as 'CSV UTF-8'")
        return None
    if found is not None and encoding not in (None, found, found[:6]):
        message = f"the file begins with the mark of {found} and study.yaml states {encoding}; correct the statement"
        findings.problem(file, 1, "", "", message)
        return None
    if found is None and encoding == "utf-16":
        findings.problem(file, 1, "", "", "the file lacks the mark of UTF-16; state utf-16-le or utf-16-be")
        return None
    body = content[len(mark) :]
    used = found or encoding or "utf-8"
    try:
        text = body.decode(used)
    except UnicodeDecodeError as error:
        line = 1 + len(_NEWLINE.findall(body, 0, error.start))
        place = f"byte 0x{body[error.start]:02X} at position {len(mark) + error.start + 1:,}"
        findings.problem(file, line, "", "", f"the file is not {used.upper()} ({place}); {_REMEDY}")
        return None
    if not used.startswith("utf-16") and body.count(0) > len(body) // 4:
        message = "every other byte is NUL: this looks like UTF-16 without its mark. State utf-16-le or utf-16-be"
        findings.problem(file, 1, "", "", message)
        return None
    if found is None and used in ("gb18030", "latin-1", "cp1252") and not body.isascii() and _is_utf8(body):
        message = f"the file could be UTF-8 too; it is read as {used}, as study.yaml states. Check the names"
        findings.notice(file, None, "", "", message)
    return text


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def read_lines(
    text: str, file: str, known: Sequence[str], style: SheetStyle, findings: Findings
) -> tuple[str, Iterator[tuple[int, list[str]]]] | None:
    """Return the delimiter, and line and cells of each row.

    Parameters
    ----------
    text
        Of the file.
    file
        Its name for messages.
    known
        Headers that columns may have.
    style
        A stated delimiter is taken. So is one of a first line ``sep=;``, as spreadsheets write it. Else the header
        decides: the delimiter that gives more known columns than any other.
    findings
        Receives problems and notices.
    """
    delimiter = style.delimiter
    if (said := _SEPARATOR.match(text)) and delimiter in (None, said[1]):
        delimiter = said[1]
        text = text[said.end() :]  # the end of that line stays, so that lines keep their numbers
    if delimiter is None:
        delimiter = _delimiter(text, known, file, findings)
        if delimiter is None:
            return None
        if delimiter != ",":
            name = next(name for name, character in DELIMITERS.items() if character == delimiter)
            findings.notice(file, 1, "", "", f"the header is separated by {name}; all rows are read so")
    if delimiter == " ":
        return delimiter, _rows(_tabbed(text), "\t", file, findings)
    return delimiter, _rows(text, delimiter, file, findings)


def _delimiter(text: str, known: Sequence[str], file: str, findings: Findings) -> str | None:
    """Return the delimiter that gives the header most known columns; ``None`` after two that give as many."""
    scores = {d: _known_columns(text, d, known) for d in DELIMITERS.values() if d != " "}
    most = max(scores.values())
    best = [delimiter for delimiter, score in scores.items() if score == most]
    if most <= 1 and len(best) != 1:
        if len([word for word in _header(_tabbed(text), "\t") if word in known]) > 1:
            message = "the columns seem to be separated by spaces; if so, state `sheets: {delimiter: space}`"
            findings.problem(file, 1, "", "", message)
            return None
        return ","
    if len(best) > 1:
        names = " and ".join(name for name, character in DELIMITERS.items() if character in best)
        message = f"{names} split the header into as many known columns; state `sheets: {{delimiter: …}}` in study.yaml"
        findings.problem(file, 1, "", "", message)
        return None
    return best[0]


def _known_columns(text: str, delimiter: str, known: Sequence[str]) -> int:
    return len({plain(cell) for cell in _header(text, delimiter)} & set(known))


def _header(text: str, delimiter: str) -> list[str]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        return next((cells for cells in reader if any(cell.strip() for cell in cells)), [])
    except csv.Error:
        return []


_GAP = re.compile(r'("(?:[^"]|"")*")|(?:(?<=[\r\n])|\A)[ \t]+|[ \t]+(?=[\r\n]|\Z)|([ \t]+)')


def _tabbed(text: str) -> str:
    """Put one tab in place of each run of spaces and tabs that no quotes enclose.

    Examples
    --------
    >>> _tabbed('a   b "c  d"  ')
    'a\\tb\\t"c  d"'
    """
    return _GAP.sub(lambda match: match[1] or ("\t" if match[2] else ""), text)


def _rows(text: str, delimiter: str, file: str, findings: Findings) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            message = f"the row cannot be read ({error}); check its quotes. Rows from here on were not checked"
            findings.problem(file, line, "", "", message)
            return
        yield line, cells
