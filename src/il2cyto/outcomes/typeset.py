"""Tables for people: HTML that stands alone, and RTF for word processors."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Final


@dataclass(frozen=True)
class Typeset:
    """A table as it is printed.

    Attributes
    ----------
    title, subtitle
        What the table shows, and of whom.
    columns
        Headings.
    rows
        Cells; a row of one cell is a heading over those below it.
    footnotes
        Population, definitions, missing data.
    """

    title: str
    subtitle: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    footnotes: tuple[str, ...]


_STYLE: Final = (
    "body{font:15px/1.45 system-ui,sans-serif;color:#1b2733;margin:2rem auto;max-width:96rem;padding:0 1rem}"
    "h1{font-size:1.3rem;margin:0}p.of{color:#5a6978;margin:.2rem 0 1rem}"
    "table{border-collapse:collapse;border-top:2px solid #1b2733;border-bottom:2px solid #1b2733;width:100%}"
    "th{text-align:left;border-bottom:1px solid #1b2733;vertical-align:bottom;padding:.35rem .6rem}"
    "td{padding:.25rem .6rem;vertical-align:top}td:not(:first-child),th:not(:first-child){text-align:right}"
    "td{white-space:nowrap}tr.over td{white-space:normal}"
    "tr.over td{font-weight:600;text-align:left;padding-top:.8rem;border-top:1px solid #d5dbe1}"
    "ol{color:#44505c;font-size:.85rem;padding-left:1.2rem}figure{margin:1.5rem 0}img{max-width:100%}"
    "div.wide{overflow-x:auto}@media print{body{margin:0;max-width:none}}"
)


def to_html(table: Typeset, pictures: tuple[tuple[str, str], ...] = ()) -> str:
    """Return a table as a page that needs nothing else but its pictures (name of the file and its words).

    Examples
    --------
    >>> page = to_html(Typeset("C3 < 1", "all", ("visit", "n"), (("Baseline", "4"),), ("Missing: none.",)))
    >>> "C3 &lt; 1" in page, "<td>4</td>" in page
    (True, True)
    """
    heads = "".join(f'<th scope="col">{escape(one)}</th>' for one in table.columns)
    body = "".join(
        f'<tr class="over"><td colspan="{len(table.columns)}">{escape(cells[0])}</td></tr>'
        if len(cells) == 1 and len(table.columns) > 1
        else f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"
        for cells in table.rows
    )
    notes = "".join(f"<li>{escape(one)}</li>" for one in table.footnotes)
    shown = "".join(
        f'<figure><img src="{escape(name, quote=True)}" alt="{escape(words, quote=True)}"></figure>'
        for name, words in pictures
    )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(table.title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style>'
        f'<h1>{escape(table.title)}</h1><p class="of">{escape(table.subtitle)}</p>'
        f'<div class="wide"><table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>'
        f"<ol>{notes}</ol>{shown}</html>\n"
    )


#: Width of a page on its side between its margins, in twips (1/1440 inch).
_WIDTH: Final = 13_400


def to_rtf(table: Typeset) -> str:
    r"""Return a table as Rich Text Format (1.9), on a page on its side; ASCII, other letters as ``\u`` escapes.

    Examples
    --------
    >>> text = to_rtf(Typeset("Title", "all", ("visit", "cells/µL"), (("Baseline", "4"),), ()))
    >>> text.startswith("{\\rtf1"), "cells/\\u181?L" in text, text.count("{") == text.count("}")
    (True, True, True)
    """
    first = 2 if len(table.columns) > 1 else 1
    share = _WIDTH // (len(table.columns) + first - 1)
    edges = [share * (place + first) for place in range(len(table.columns))]
    lines = [
        r"{\rtf1\ansi\deff0{\fonttbl{\f0\fswiss Arial;}}",
        r"\paperw15840\paperh12240\landscape\margl1200\margr1200\margt1000\margb1000\fs18",
        rf"{{\pard\sb0\sa60\b\fs24 {_rtf(table.title)}\par}}",
        rf"{{\pard\sa120 {_rtf(table.subtitle)}\par}}",
        _rtf_row(table.columns, edges, bold=True, border=r"\clbrdrt\brdrs\brdrw20\clbrdrb\brdrs\brdrw10", head=True),
    ]
    for place, cells in enumerate(table.rows):
        border = r"\clbrdrb\brdrs\brdrw20" if place == len(table.rows) - 1 else ""
        if len(cells) == 1 and len(table.columns) > 1:
            lines.append(_rtf_row(cells, [edges[-1]], bold=True, border=border))
        else:
            lines.append(_rtf_row(cells, edges, border=border))
    lines += [
        rf"{{\pard\sb{120 if not place else 20}\fs16 {place + 1}. {_rtf(note)}\par}}"
        for place, note in enumerate(table.footnotes)
    ]
    return "\n".join([*lines, "}"]) + "\n"


def _rtf_row(
    cells: tuple[str, ...], edges: list[int], *, border: str = "", bold: bool = False, head: bool = False
) -> str:
    start = r"\trowd\trgaph80\trkeep" + (r"\trhdr" if head else "")
    defined = "".join(rf"{border}\cellx{edge}" for edge in edges)
    weight = r"\b " if bold else ""
    # numbers to the right, names to the left
    sides = (r"\ql", *[r"\qr"] * len(cells))
    written = "".join(
        rf"{{\pard\intbl{side} {weight}{_rtf(cell)}\cell}}" for side, cell in zip(sides, cells, strict=False)
    )
    return rf"{start}{defined}{written}\row"


def _rtf(text: str) -> str:
    """Escape a text: signs of the format, and every letter beyond ASCII as its UTF-16 numbers."""
    written = []
    for letter in text:
        if letter in "\\{}":
            written.append("\\" + letter)
        elif letter == "\n":
            written.append(r"\line ")
        elif letter.isascii():
            written.append(letter)
        else:
            units = letter.encode("utf-16-le")
            numbers = (int.from_bytes(units[i : i + 2], "little", signed=True) for i in range(0, len(units), 2))
            written += [rf"\u{number}?" for number in numbers]
    return "".join(written)
