"""Cuts and rules of ``strategy.yaml``: thresholds that gates share by name, and what is learnt from data how."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypeVar

from il2cyto.errors import StrategyError, did_you_mean
from il2cyto.gates import Dimension, Gate
from il2cyto.gating.consistency import faults, path_of, shape_fault, shown
from il2cyto.gating.learning import SCOPES, SOURCES, Cut, CutUse, Learning, LearnRule, LearntShape, Side
from il2cyto.gating.nodes import INFINITE
from il2cyto.gating.vocabulary import CUT_METHODS, OPTIONS, SHAPE_METHODS
from il2cyto.keys import ROOT
from il2cyto.study.frozen import FrozenMapping
from il2cyto.study.positions import Mapping, Node, Scalar

if TYPE_CHECKING:
    from il2cyto.gating.folder import StrategyReader
    from il2cyto.gating.strategy import GatingStrategy

DIMENSION_KEYS: Final = ("marker", "channel", "ratio", "compensation", "transform", "units")
CUT_KEYS: Final = (*DIMENSION_KEYS, "at", "learn")
LEARN_KEYS: Final = ("method", "population", "scope", "from", "borrow", "min_events", "options", "why")
W = TypeVar("W", bound=str)


@dataclass(frozen=True)
class _Shape:
    """A rule of a whole gate; its population is empty where it is the parent."""

    place: int
    rule: LearnRule
    line: int


class RuleReader:
    """Reads the cuts and rules of one file; populations are given their numbers by it."""

    def __init__(self, reader: StrategyReader) -> None:
        self.reader = reader
        self.place: int | None = None
        self.cuts: dict[str, Cut] = {}
        self.lines: dict[str | int, int] = {}
        self.shapes: list[_Shape] = []

    def begin(self, place: int | None) -> None:
        """Tell where the population stands that is read next; ``None`` for that of an override."""
        self.place = place

    def read_cuts(self, node: Node | None) -> None:
        """Read the thresholds that gates below may name."""
        if node is None:
            return
        reader = self.reader
        top = reader.mapping(node, "cuts")
        for name, entry in top.entries.items():
            line = top.lines[name]
            if not name.strip() or name != name.strip() or _is_number(name):
                message = "{name!r} cannot name a cut; take a word that is no number"
                raise reader.fail_at(line, message, name=name)
            what = f"cut {name!r}"
            content = reader.mapping(entry, what, CUT_KEYS)
            keys = {key: value for key, value in content.entries.items() if key in DIMENSION_KEYS}
            dimension = reader.dimension(Mapping(content.line, keys, content.lines))[0]
            at = reader.number(content.entries.get("at"), f"{what}: at", content)
            learn = content.entries.get("learn")
            rule = None if learn is None else self._rule(learn, what, CUT_METHODS)
            if rule is not None and not rule.population:
                raise reader.fail(
                    learn or content, "{what}: learn wants a population, whose events are looked at", what=what
                )
            self.cuts[name] = Cut(name, dimension, at, rule)
            self.lines[name] = line

    def is_name(self, node: Node | None) -> bool:
        """Whether a limit is the name of a cut, or would be one."""
        if not self.cuts or not isinstance(node, Scalar) or node.null:
            return False
        return not _is_number(node.text)

    def limit(self, node: Node, side: Side, number: int, dimension: Dimension) -> float:
        """Return the place of the cut that a limit names, and note the use.

        Parameters
        ----------
        node
            The name.
        side, number, dimension
            Which limit it is, of which dimension of the gate.
        """
        reader = self.reader
        name = reader.text(node, side, node)
        if name not in self.cuts:
            close = did_you_mean(name, list(self.cuts))
            message = "{side} wants a number or the name of a cut, got {found!r}{close}; cuts: {known}"
            raise reader.fail(node, message, side=side, found=name, close=close, known=", ".join(self.cuts))
        cut = self.cuts[name]
        if dimension != cut.dimension:
            message = (
                "{side}: cut {name!r} stands on {own}, this dimension is {other}; "
                "write the same source, compensation and transform in both"
            )
            raise reader.fail(node, message, side=side, name=name, own=shown(cut.dimension), other=shown(dimension))
        if self.place is None:
            raise reader.fail(node, "{side}: an override wants a number, got cut {name!r}", side=side, name=name)
        self.cuts[name] = replace(cut, uses=(*cut.uses, CutUse(self.place, number, side)))
        return cut.at

    def read_shape(self, node: Node, name: str, gate: Gate) -> None:
        """Read the rule of a gate that is learnt as a whole."""
        what = f"population {name!r}"
        if self.place is None:
            message = "{what}: an override moves a gate and learns nothing; remove learn"
            raise self.reader.fail(node, message, what=what)
        rule = self._rule(node, what, SHAPE_METHODS)
        reason = shape_fault(gate, rule.method)
        if reason:
            raise self.reader.fail(node, "{what}: {reason}", what=what, reason=reason)
        self.shapes.append(_Shape(self.place, rule, node.line))
        self.lines[self.place] = node.line

    def learning(self, strategy: GatingStrategy) -> Learning:
        """Return what is learnt of a strategy that has been read, with populations by path.

        Raises
        ------
        StrategyError
            If a rule's population does not exist or depends on the rule itself, or nothing uses a cut.
        """
        shapes = []
        for shape in self.shapes:
            parent = strategy.paths[shape.place].rpartition("/")[0] or ROOT
            rule = shape.rule if shape.rule.population else replace(shape.rule, population=parent)
            shapes.append(LearntShape(shape.place, rule))
        draft = Learning(tuple(self.cuts.values()), tuple(shapes))
        for fault in faults(strategy, draft):
            raise self.reader.fail_at(self.lines[fault.owner], fault.message, **fault.values)

        def by_path(rule: LearnRule) -> LearnRule:
            return replace(rule, population=path_of(strategy, rule.population))

        return Learning(
            tuple(cut if cut.rule is None else replace(cut, rule=by_path(cut.rule)) for cut in draft.cuts),
            tuple(replace(shape, rule=by_path(shape.rule)) for shape in draft.shapes),
        )

    def _rule(self, node: Node, what: str, methods: tuple[str, ...]) -> LearnRule:
        reader = self.reader
        content = reader.mapping(node, f"learn of {what}", LEARN_KEYS)
        get = content.entries.get
        scope = reader.word(get("scope"), f"{what}: scope", content, SCOPES, "tube")
        wider: tuple[str, ...] = (*SCOPES[SCOPES.index(scope) + 1 :], "template")
        try:
            method = reader.word(get("method"), f"{what}: method", content, methods)
            return LearnRule(
                method=method,
                population=reader.text(get("population"), f"{what}: population", content, ""),
                scope=scope,
                sources=self._words(get("from"), f"{what}: from", content, SOURCES, ("sample",)),
                borrow=self._words(get("borrow"), f"{what}: borrow", content, wider, ()),
                min_events=self._whole(get("min_events"), f"{what}: min_events", content),
                options=self._options(get("options"), what, method),
                why=reader.text(get("why"), f"{what}: why", content, ""),
            )
        except StrategyError as error:
            if str(error).startswith(reader.name):
                raise
            raise reader.fail(content, "{what}: {error}", what=what, error=error) from error

    def _words(
        self, node: Node | None, what: str, at: Node, known: tuple[W, ...], default: tuple[W, ...]
    ) -> tuple[W, ...]:
        if node is None:
            return default
        words = [self.reader.word(item, what, item, known) for item in self.reader.items(node, what, at)]
        for k, word in enumerate(words):
            if word in words[:k]:
                raise self.reader.fail(node, "{what}: {word} stands twice", what=what, word=word)
        return tuple(words)

    def _whole(self, node: Node | None, what: str, at: Node) -> int:
        if node is None:
            return LearnRule.min_events
        number = self.reader.number(node, what, at)
        if number != int(number):
            raise self.reader.fail(node, "{what} wants a whole number, got {found}", what=what, found=number)
        return int(number)

    def _options(self, node: Node | None, what: str, method: str) -> FrozenMapping[str, float | str]:
        if node is None:
            return FrozenMapping({})
        found: dict[str, float | str] = {}
        for key, value in self.reader.mapping(node, f"options of {what}", OPTIONS[method]).entries.items():
            text = self.reader.text(value, f"{what}: option {key!r}", value)
            # a number in quotes is a word
            plain = isinstance(value, Scalar) and value.plain
            found[key] = float(text) if plain and is_finite(text) else text
        return FrozenMapping(found)


def is_finite(text: str) -> bool:
    """Whether a text is a finite number.

    Examples
    --------
    >>> is_finite("0.42"), is_finite("nan"), is_finite("CD25")
    (True, False, False)
    """
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _is_number(text: str) -> bool:
    """Whether a limit of this text is read as a number, or as one that went wrong."""
    try:
        float(text)
    except ValueError:
        return text.strip().lower() in INFINITE or text.strip().lower() == ".nan"
    return True
