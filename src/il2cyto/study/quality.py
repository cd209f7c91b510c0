"""Limits of the quality of a tube, and which of its events are not gated: defaults as data, changed in ``quality:``."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Final

from il2cyto.study.checks import OFF, CheckRule, default_rules, read_rule
from il2cyto.study.fields import FieldReader
from il2cyto.study.frozen import FrozenMapping
from il2cyto.study.positions import Node, Scalar

#: Kinds of unstable stretches, each of which a study may leave out of gating.
KINDS: Final = ("flow", "signal", "drift")
#: Checks of the counts that have a say in the verdict on a tube.
FROM_CHECKS: Final = ("lymphocyte_events", "viability", "bead_events", "bead_doublets", "bead_drift")


@dataclass(frozen=True)
class Quality:
    """What a study asks of its tubes.

    Attributes
    ----------
    rules
        By id, those that are not turned off; of their bands, outside ``warn`` a tube is to review, outside ``fail`` it
        fails.
    remove
        Kinds of stretches whose events are not gated, in the order of `KINDS`.
    """

    rules: FrozenMapping[str, CheckRule]
    remove: tuple[str, ...] = ()


@cache
def default_quality() -> Quality:
    """Return the quality of a study that says nothing about it.

    Examples
    --------
    >>> default_quality().rules["unstable"].band.text(), default_quality().remove
    ('at most 5 (hard at most 50)', ())
    """
    return Quality(FrozenMapping(default_rules("quality.csv")))


def read_quality(reader: FieldReader, node: Node | None, tubes: tuple[str, ...]) -> Quality:
    """Read the section ``quality``; what it leaves out keeps its default.

    Parameters
    ----------
    reader
        Receives every problem.
    node
        The section, or ``None`` where there is none.
    tubes
        Tube types of the study, for limits of one of them.
    """
    quality = default_quality()
    if node is None:
        return quality
    given = reader.section(node, "quality", (), ("remove", *quality.rules))
    rules = dict(quality.rules)
    for key, entry in given.items():
        if key not in rules:
            continue
        if isinstance(entry, Scalar) and entry.text == OFF:
            del rules[key]
        else:
            rules[key] = read_rule(reader, entry, f"quality.{key}", rules[key], tubes, "review")
    return replace(quality, rules=FrozenMapping(rules), remove=_remove(reader, given.get("remove")))


def _remove(reader: FieldReader, node: Node | None) -> tuple[str, ...]:
    if node is None or (isinstance(node, Scalar) and node.null):
        return ()
    found = reader.items(node, "quality.remove", lambda item, path: reader.choice(item, path, KINDS))
    return tuple(kind for kind in KINDS if kind in found)
