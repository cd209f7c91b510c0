"""What the drawn pictures of the page share."""

from __future__ import annotations

from html import escape


def superscript(power: int) -> str:
    """Return a power as it stands above its ten.

    Examples
    --------
    >>> superscript(-12)
    '⁻¹²'
    """
    return str(power).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def label(x: float, y: float, text: str, anchor: str) -> str:
    """Return a small text in the colour of axes; `anchor` is ``start``, ``middle`` or ``end``."""
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="9" text-anchor="{anchor}" fill="#5a6978">{escape(text)}</text>'
