"""What counts as a change of a subject: the section ``changes`` of ``study.yaml``."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from il2cyto.study.fields import FieldReader
from il2cyto.study.frozen import FrozenMapping
from il2cyto.study.positions import Node

#: Kinds of rules; ``fold`` stands with its number.
ANY, FOLD, STATED, CONTROL = "any", "fold", "rcv", "rcv_control"
_FOLD: Final = re.compile(r"fold (\d+(?:\.\d+)?)")
_CV: Final = ("analytical", "within")


@dataclass(frozen=True)
class ChangeRule:
    """A definition of change.

    Attributes
    ----------
    kind
        ``any``: any difference. ``fold``: at least so many times as much or as little. ``rcv``: beyond the reference
        change value of stated coefficients of variation. ``rcv_control``: beyond that of the reference arm's repeats.
    fold
        Of ``fold``; 1 otherwise.
    """

    kind: str
    fold: float = 1.0

    @property
    def name(self) -> str:
        """The rule as ``study.yaml`` writes it."""
        return f"{FOLD} {self.fold:g}" if self.kind == FOLD else self.kind


@dataclass(frozen=True)
class Changes:
    """Rules by which subjects are counted as changed, and coefficients of variation of populations and analytes.

    Attributes
    ----------
    rules
        In the order of the study.
    cv
        By name of a population or analyte: analytical and within-subject coefficient of variation, fractions.
    """

    rules: tuple[ChangeRule, ...] = (ChangeRule(ANY), ChangeRule(CONTROL), ChangeRule(FOLD, 1.5))
    cv: FrozenMapping[str, tuple[float, float]] = field(default_factory=lambda: FrozenMapping({}))


def read_changes(reader: FieldReader, node: Node | None) -> Changes:
    """Read the section ``changes``; what it leaves out keeps its default.

    Parameters
    ----------
    reader
        Receives every problem.
    node
        The section, or ``None`` where there is none.
    """
    if node is None:
        return Changes()
    given = reader.section(node, "changes", (), ("rules", "cv"))
    rules = Changes().rules
    if "rules" in given:
        rules = reader.items(given["rules"], "changes.rules", lambda item, where: read_rule(reader, item, where))
        if not rules:
            reader.problem(given["rules"], "changes.rules", "give one rule or more, or leave the key out")
    cv = {}
    if "cv" in given:
        for name, entry in reader.identified(given["cv"], "changes.cv", "population or analyte").items():
            parts = reader.section(entry, f"changes.cv.{name}", _CV)
            read = [reader.fraction(parts[key], f"changes.cv.{name}.{key}") for key in _CV if key in parts]
            if len(read) == len(_CV) and None not in read:
                cv[name] = (float(read[0] or 0.0), float(read[1] or 0.0))
    if any(rule.kind == STATED for rule in rules) and not cv:
        reader.problem(node, "changes.rules", "rcv needs coefficients of variation: give them under changes.cv")
    return Changes(rules, FrozenMapping(cv))


def read_rule(reader: FieldReader, node: Node, where: str) -> ChangeRule | None:
    """Read a definition of change; ``None`` after a problem."""
    text = reader.text(node, where)
    if text is None:
        return None
    if text in (ANY, STATED, CONTROL):
        return ChangeRule(text)
    found = _FOLD.fullmatch(text)
    if found is not None and float(found[1]) > 1:
        return ChangeRule(FOLD, float(found[1]))
    reader.problem(
        node, where, f"{text!r} is no rule; give any, rcv, rcv_control or fold with a number above 1: fold 1.5"
    )
    return None
