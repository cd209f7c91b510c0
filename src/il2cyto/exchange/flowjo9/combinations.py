"""Combinations of populations: a formula of ``G0``, ``G1`` … and the path of each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

from lxml import etree

from il2cyto.exchange.xml import attribute, children, local
from il2cyto.gates import BooleanGate, Gate, Operand, UnsupportedGate

_TERM = re.compile(r"(!*)G([0-9]{1,6})")


def read_combination(element: etree._Element, operands: Mapping[int, str]) -> tuple[Gate, bool]:
    """Return the gate of a ``BooleanGate`` element, and whether it is meant inside out.

    Parameters
    ----------
    element
        Its ``specification`` is the formula.
    operands
        Path of each population by its number.

    Notes
    -----
    A formula that mixes ``&`` and ``|`` is not taken over: CytoML reads it from left to right, LabKey by precedence.
    """
    formula = re.sub(r"\s", "", attribute(element, "specification") or "")
    while formula.startswith("(") and formula.endswith(")") and "(" not in formula[1:-1]:
        formula = formula[1:-1]
    kinds = set(formula) & {"&", "|"}
    if len(kinds) > 1:
        return UnsupportedGate("a combination of both & and |, whose order programs read differently"), False
    terms = [_TERM.fullmatch(term) for term in re.split(r"[&|]", formula)]
    found = []
    for term in terms:
        if term is None or int(term[2]) not in operands:
            return UnsupportedGate("a combination whose formula is of no known form"), False
        found.append(Operand(operands[int(term[2])], complement=len(term[1]) % 2 == 1))
    operation: Literal["and", "or"] = "or" if "|" in kinds else "and"
    if len(found) == 1:
        return BooleanGate("and", (found[0], found[0])), False
    return BooleanGate(operation, tuple(found)), False


def operand_names(element: etree._Element) -> list[str]:
    """Return the paths of the populations, as FlowJo writes them; quoted ones without their quotes."""
    names = []
    for part in children(element, "GatePaths"):
        for array in children(part):
            for item in children(array):
                text = item.text or ""
                if local(item) == "QuotedString":
                    text = text.strip().removeprefix('"').removesuffix('"').strip()
                names.append(text)
    return names


def resolve(name: str, parent: str, shown: Mapping[str, str]) -> str | None:
    """Return the path of a population that a combination names.

    Parameters
    ----------
    name
        As FlowJo writes it. ``/X`` is relative to the parent of the combination, each further ``/`` one level higher
        (LabKey); without one it is a whole path, or the end of one (CytoML).
    parent
        Path of the parent of the combination, as FlowJo writes it; empty for the root.
    shown
        Our paths by FlowJo's.
    """
    relative = name.startswith("/")
    plain = name.lstrip("/")
    if relative:
        above = parent.split("/") if parent else []
        higher = len(name) - len(plain) - 1
        above = above[: max(len(above) - higher, 0)]
        # and, as CytoML reads it, from the nearest of those above
        for level in range(len(above), -1, -1):
            path = "/".join([*above[:level], plain])
            if path in shown:
                return shown[path]
    if plain in shown:
        return shown[plain]
    ends = {path for written, path in shown.items() if written.endswith("/" + plain)}
    return ends.pop() if len(ends) == 1 else None
