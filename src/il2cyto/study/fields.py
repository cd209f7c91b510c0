"""Typed values from the tree of ``study.yaml``; whatever is wrong becomes a problem with line, key path and value."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import TypeVar

from il2cyto.study import positions
from il2cyto.study.findings import Findings, hint, one_of, shorten
from il2cyto.study.positions import Mapping, Node, Scalar

T = TypeVar("T")

#: Names that become folders, columns and index labels: no blank, slash or bar, and at most 100 characters.
IDENTIFIER = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9._+-]{1,100}")
IDENTIFIER_RULE = "use letters, digits and . _ + - only, at most 100 characters"

NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
INTEGER = re.compile(r"[+-]?[0-9]{1,12}")


class FieldReader:
    """Read values of one document; each method returns ``None`` after it has reported a problem."""

    def __init__(self, file: str, findings: Findings) -> None:
        self.file = file
        self.findings = findings

    def problem(self, node: Node, where: str, message: str) -> None:
        """Report a problem at a node."""
        self.findings.problem(self.file, node.line, where, node.text if isinstance(node, Scalar) else "", message)

    def section(self, node: Node, where: str, required: Sequence[str], optional: Sequence[str] = ()) -> dict[str, Node]:
        """Return the entries of a mapping with known keys; null counts as not given.

        Unknown keys are reported with the closest known one, missing ones at the line of the mapping.
        """
        if not isinstance(node, Mapping):
            self.problem(node, where, f"give a mapping with the keys {one_of([*required, *optional])}")
            return {}
        known = [*required, *optional]
        entries: dict[str, Node] = {}
        for key, value in node.entries.items():
            if key not in known:
                close = hint(key, known) or f"; known are: {', '.join(known)}"
                path = shorten(_join(where, key))
                self.findings.problem(self.file, node.lines[key], path, "", f"unknown key{close}")
            elif not (isinstance(value, Scalar) and value.null):
                entries[key] = value
        for key in required:
            if key not in entries:
                line = node.lines.get(key, node.line)
                self.findings.problem(self.file, line, _join(where, key), "", "this key is required and has no value")
        return entries

    def identified(self, node: Node, where: str, what: str) -> dict[str, Node]:
        """Return the entries of a mapping whose keys are ids that the study chooses; at least one."""
        if not isinstance(node, Mapping) or not node.entries:
            self.problem(node, where, f"give a mapping from the id of each {what} to its keys")
            return {}
        for key, line in node.lines.items():
            if not IDENTIFIER.fullmatch(key):
                message = f"this is no id for a {what}; {IDENTIFIER_RULE}"
                self.findings.problem(self.file, line, where, key, message)
        return dict(node.entries)

    def text(self, node: Node, where: str) -> str | None:
        """Return a text as written."""
        if not isinstance(node, Scalar) or not node.text.strip():
            self.problem(node, where, "give a text")
            return None
        # escapes in double quotes can write what no file could hold
        unseen = next((c for c in node.text if c not in "\n\t" and unicodedata.category(c) in ("Cc", "Cf", "Cs")), None)
        if unseen is not None:
            message = f"the text holds an invisible character (U+{ord(unseen):04X}); remove it"
            self.findings.problem(self.file, node.line, where, ascii(node.text)[1:-1], message)
            return None
        return node.text.strip()

    def identifier(self, node: Node, where: str) -> str | None:
        """Return a text that can be a folder, a column and an index label."""
        text = self.text(node, where)
        if text is not None and not IDENTIFIER.fullmatch(text):
            self.problem(node, where, f"this is no id; {IDENTIFIER_RULE}")
            return None
        return text

    def choice(self, node: Node, where: str, choices: Sequence[str]) -> str | None:
        """Return one of a few words."""
        text = self.text(node, where)
        if text is not None and text not in choices:
            self.problem(node, where, f"unknown{hint(text, choices)}; choose one of: {one_of(choices)}")
            return None
        return text

    def flag(self, node: Node, where: str) -> bool | None:
        """Return a truth value of YAML 1.2."""
        known = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
        if not isinstance(node, Scalar) or not node.plain or node.text not in known:
            self.problem(node, where, "write true or false")
            return None
        return known[node.text]

    def integer(self, node: Node, where: str, minimum: int | None = None) -> int | None:
        """Return a whole number."""
        if not isinstance(node, Scalar) or not INTEGER.fullmatch(node.text):
            self.problem(node, where, "give a whole number")
            return None
        number = int(node.text)
        if minimum is not None and number < minimum:
            self.problem(node, where, f"give a whole number of at least {minimum}")
            return None
        return number

    def fraction(self, node: Node, where: str) -> float | None:
        """Return a number from 0 to below 1."""
        number = float(node.text) if isinstance(node, Scalar) and NUMBER.fullmatch(node.text) else math.nan
        if not 0 <= number < 1:
            self.problem(node, where, "give a fraction from 0 to below 1, for example 0.025 for 2.5 %")
            return None
        return number

    def items(self, node: Node, where: str, read: Callable[[Node, str], T | None]) -> tuple[T, ...]:
        """Return a list whose items `read` accepts; a repeated item is a problem."""
        if not isinstance(node, positions.Sequence):
            self.problem(node, where, "give a list, for example [a, b]")
            return ()
        values: list[T] = []
        for number, item in enumerate(node.items, start=1):
            value = read(item, f"{where}.{number}")
            if value is not None and value in values:
                self.problem(item, f"{where}.{number}", "this item stands twice; keep one of them")
            elif value is not None:
                values.append(value)
        return tuple(values)


def _join(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key
