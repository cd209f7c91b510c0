"""The tree of a FlowJo sample: nested populations, and combinations of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from lxml import etree

from il2cyto.errors import StrategyError, did_you_mean
from il2cyto.exchange.flowjo.shapes import CURLY_NOTE, ShapeReader
from il2cyto.exchange.tree_names import free_path, from_root, plain_name
from il2cyto.exchange.xml import attribute, children, local
from il2cyto.gates import BooleanGate, Dimension, Gate, Operand, UnsupportedGate
from il2cyto.gating.strategy import Population

_COMBINATIONS: dict[str, Literal["and", "or", "not"]] = {"AndNode": "and", "OrNode": "or", "NotNode": "not"}


@dataclass(frozen=True)
class Tree:
    """Populations in the order of the file, FlowJo's counts by path, and remarks without names of samples."""

    populations: tuple[Population, ...]
    counts: dict[str, int | None]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Node:
    element: etree._Element
    path: str  # as our strategies write it
    shown: str  # as FlowJo writes it in references
    parent: str
    above: tuple[str, ...]  # ids of the gates above


def read_tree(sample_node: etree._Element, shapes: ShapeReader, file: str) -> Tree:
    """Read the populations below a ``SampleNode``.

    Raises
    ------
    StrategyError
        If a combination refers to a population that is not there, or gates name themselves as parents.
    """
    nodes = list(_nodes(sample_node, file))
    shown = {node.shown: node.path for node in reversed(nodes)}
    populations: list[Population] = []
    counts: dict[str, int | None] = {}
    curly: list[str] = []
    renamed = [node.shown for node in nodes if node.path.rpartition("/")[2] != (attribute(node.element, "name") or "")]
    for node in nodes:
        view: tuple[Dimension, ...] = ()
        complement = False
        gate: Gate
        if local(node.element) in _COMBINATIONS:
            gate = _combination(node, shown, file)
        else:
            found = _gate_element(node.element)
            if found is None:
                gate = UnsupportedGate(f"populations of type {local(node.element)!r} hold no gate")
            else:
                shape = shapes.read(found)
                gate, view, complement = shape.gate, shape.view, shape.complement
                if shape.curly:
                    curly.append(node.path)
        populations.append(
            Population(node.path.rpartition("/")[2], from_root(node.parent), gate, complement=complement, view=view)
        )
        counts[node.path] = _count(node.element)
    notes = [CURLY_NOTE.format(names=", ".join(curly))] if curly else []
    if renamed:
        notes.append(f"populations renamed, since a name may not hold '/' or stand twice: {', '.join(renamed)}")
    return Tree(tuple(populations), counts, tuple(notes))


def _nodes(sample_node: etree._Element, file: str) -> Iterator[_Node]:
    """Yield every population, parents first, siblings in the order of the file."""
    start = _Node(sample_node, "", "", "", ())
    waiting = [(start, child) for child in reversed(_members(sample_node))]
    taken: dict[str, int] = {}
    while waiting:
        parent, element = waiting.pop()
        name = attribute(element, "name") or local(element)
        path = free_path(plain_name(name), parent.path, taken)
        above = parent.above
        gate = next(children(element, "Gate"), None)
        own, named = (attribute(gate, "id"), attribute(gate, "parent_id")) if gate is not None else (None, None)
        if own is not None and (own in above or named == own):
            raise StrategyError(
                "{strategy_file}, line {line}: gate {found!r} of population {name!r} stands above itself",
                strategy_file=file, line=element.sourceline, found=own, name=name,
            )  # fmt: skip
        if named is not None and named not in above and named in _below(element):
            raise StrategyError(
                "{strategy_file}, line {line}: population {name!r} names as its parent gate {found!r}, which stands "
                "below it",
                strategy_file=file, line=element.sourceline, found=named, name=name,
            )  # fmt: skip
        node = _Node(
            element,
            path,
            f"{parent.shown}/{name}" if parent.shown else name,
            parent.path,
            (*above, own) if own is not None else above,
        )
        yield node
        waiting += [(node, child) for child in reversed(_members(element))]


def _members(element: etree._Element) -> list[etree._Element]:
    return [
        child
        for part in children(element, "Subpopulations")
        for child in children(part)
        if local(child) in ("Population", *_COMBINATIONS) or (_is_named(child) and local(child) != "Statistic")
    ]


def _is_named(element: etree._Element) -> bool:
    """Whether an element that we do not know stands for a population: it has a name and a count."""
    return attribute(element, "name") is not None and attribute(element, "count") is not None


def _below(element: etree._Element) -> set[str | None]:
    return {attribute(gate, "id") for gate in element.iter() if isinstance(gate.tag, str) and local(gate) == "Gate"}


def _gate_element(element: etree._Element) -> etree._Element | None:
    for gate in children(element, "Gate"):
        for shape in children(gate):
            return shape
    return None


def _combination(node: _Node, shown: dict[str, str], file: str) -> Gate:
    names = [
        attribute(dependent, "name") or ""
        for part in children(node.element, "Dependents")
        for dependent in children(part, "Dependent")
    ]
    operation = _COMBINATIONS[local(node.element)]
    if not names:
        return UnsupportedGate(f"a combination ({operation}) of FlowJo names no population")
    operands = []
    for name in names:
        path = _resolve(name, shown)
        if path is None:
            close = did_you_mean(name, list(shown))
            raise StrategyError(
                "{strategy_file}, line {line}: population {name!r} combines {found!r}, which the sample does not have"
                "{close}",
                strategy_file=file, line=node.element.sourceline, name=node.shown, found=name, close=close,
            )  # fmt: skip
        operands.append(Operand(path))
    if operation != "not" and len(operands) == 1:
        operands *= 2
    return BooleanGate(operation, tuple(operands))


def _resolve(name: str, shown: dict[str, str]) -> str | None:
    if name in shown:
        return shown[name]
    ends = {path for written, path in shown.items() if written.endswith("/" + name)}
    return ends.pop() if len(ends) == 1 else None


def _count(element: etree._Element) -> int | None:
    text = (attribute(element, "count") or "").strip()
    return int(text) if text.isdigit() else None
