"""Names, numbers and attributes of a Gating-ML 2.0 file; every complaint tells the file and the line."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from lxml import etree

from il2cyto.errors import GatingMLError
from il2cyto.exchange.xml import children, local, namespace

_ISAC = "http://www.isac-net.org/std/Gating-ML/v2.0/"
GATING = f"{_ISAC}gating"
TRANSFORMS = f"{_ISAC}transformations"
DATATYPES = f"{_ISAC}datatypes"
#: Of elements inside ``custom_info`` that hold what Gating-ML has no words for.
OWN = "urn:il2cyto:gating:1"

# the spelling of xs:double; Python alone would take 1_000 and digits of other scripts
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_INFINITE = {"INF": math.inf, "+INF": math.inf, "-INF": -math.inf}


def attribute(element: etree._Element, name: str) -> str | None:
    """Return an attribute of the standard, by its namespace or without one; those of other programs are no answer."""
    for space in (GATING, DATATYPES, TRANSFORMS):
        value = element.get(f"{{{space}}}{name}")
        if value is not None:
            return str(value)
    value = element.get(name)
    return None if value is None else str(value)


def parts(element: etree._Element, *names: str) -> Iterator[etree._Element]:
    """Yield the child elements of the standard with these local names; those of other programs are none."""
    for child in children(element, *names):
        if namespace(child) in (GATING, DATATYPES, TRANSFORMS):
            yield child


class Lexer:
    """Reads the cells of one file."""

    def __init__(self, name: str) -> None:
        self.name = name

    def fail(self, element: etree._Element, message: str, **values: object) -> GatingMLError:
        """Return the error for an element; `message` is a template."""
        line = element.sourceline
        return GatingMLError("{strategy_file}, line {line}: " + message, strategy_file=self.name, line=line, **values)

    def need(self, element: etree._Element, name: str) -> str:
        """Return an attribute that must be there and not empty, as it stands: names of channels match exactly."""
        value = attribute(element, name)
        if value is None or not value.strip():
            raise self.fail(element, "{tag} lacks the attribute {name!r}", tag=local(element), name=name)
        return value

    def identifier(self, element: etree._Element, name: str = "id") -> str:
        """Return an id or a reference; white space around it is no part of it (xs:ID, xs:IDREF)."""
        return self.need(element, name).strip()

    def number(self, element: etree._Element, name: str) -> float:
        """Return an attribute that must be a finite number."""
        return self.finite(element, self.need(element, name), f"{local(element)} {name}")

    def finite(self, element: etree._Element, text: str, what: str) -> float:
        """Return a finite number."""
        value = float(text) if _NUMBER.fullmatch(text.strip()) else math.nan
        if not math.isfinite(value):
            raise self.fail(element, "{what} = {found!r}: wants a finite number", what=what, found=text)
        return value

    def bound(self, element: etree._Element, name: str) -> float | None:
        """Return a limit, which may be infinite, or ``None`` where it is not given."""
        text = attribute(element, name)
        if text is None:
            return None
        infinite = _INFINITE.get(text.strip().upper())
        return self.finite(element, text, f"{local(element)} {name}") if infinite is None else infinite

    def boolean(self, element: etree._Element, name: str, default: bool = False) -> bool:
        """Return a truth value in any of the spellings of xs:boolean."""
        text = attribute(element, name)
        if text is None:
            return default
        if text.strip() not in ("true", "false", "1", "0"):
            raise self.fail(element, "{name} = {found!r}: wants true or false", name=name, found=text)
        return text.strip() in ("true", "1")
