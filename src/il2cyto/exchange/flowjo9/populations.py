"""The tree of a FlowJo 9 sample: populations nested in each other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lxml import etree

from il2cyto.errors import StrategyError, did_you_mean
from il2cyto.exchange.flowjo.populations import Tree
from il2cyto.exchange.flowjo9.combinations import operand_names, read_combination, resolve
from il2cyto.exchange.flowjo9.shapes import MacShapeReader, is_negated
from il2cyto.exchange.tree_names import free_path, from_root, plain_name
from il2cyto.exchange.xml import attribute, children
from il2cyto.gates import Gate, UnsupportedGate
from il2cyto.gating.strategy import Population


@dataclass(frozen=True)
class _Node:
    element: etree._Element
    name: str
    path: str  # as our strategies write it
    shown: str  # as FlowJo writes it in references
    parent: str
    parent_shown: str


def name_of(element: etree._Element) -> str:
    """Return the name of a sample or population, which the variant 3.0 calls otherwise."""
    return attribute(element, "name") or attribute(element, "nodeName") or ""


def read_tree(sample_node: etree._Element, shapes: MacShapeReader, file: str) -> Tree:
    """Read the populations below a ``SampleNode``.

    Raises
    ------
    StrategyError
        If a combination refers to a population that is not there.
    """
    nodes = list(_nodes(sample_node))
    shown = {node.shown: node.path for node in reversed(nodes)}
    populations: list[Population] = []
    counts: dict[str, int | None] = {}
    for node in nodes:
        gate, complement = _gate(node, shown, shapes, file)
        name = node.path.rpartition("/")[2]
        populations.append(Population(name, from_root(node.parent), gate, complement=complement))
        counts[node.path] = count_of(node.element)
    renamed = [node.shown for node in nodes if node.path.rpartition("/")[2] != node.name]
    notes = (
        [f"populations renamed, since a name may not hold '/' or stand twice: {', '.join(renamed)}"] if renamed else []
    )  # fmt: skip
    return Tree(tuple(populations), counts, tuple(notes))


def _nodes(sample_node: etree._Element) -> Iterator[_Node]:
    """Yield every population, parents first, siblings in the order of the file."""
    waiting = [(_Node(sample_node, "", "", "", "", ""), child) for child in reversed(_members(sample_node))]
    taken: dict[str, int] = {}
    while waiting:
        parent, element = waiting.pop()
        name = name_of(element)
        path = free_path(plain_name(name), parent.path, taken)
        shown = f"{parent.shown}/{name}" if parent.shown else name
        node = _Node(element, name, path, shown, parent.path, parent.shown)
        yield node
        waiting += [(node, child) for child in reversed(_members(element))]


def _members(element: etree._Element) -> list[etree._Element]:
    return list(children(element, "Population"))


def _gate(
    node: _Node, shown: dict[str, str], shapes: MacShapeReader, file: str
) -> tuple[Gate, bool]:  # fmt: skip
    gates = list(children(node.element, "BooleanGate", "PolygonGate"))
    if len(gates) != 1:
        return UnsupportedGate(f"a population of FlowJo 9 with {len(gates)} gates of known kinds"), False
    (element,) = gates
    if element.tag != "BooleanGate":
        shape = shapes.read(element)
        return shape.gate, shape.complement
    operands: dict[int, str] = {}
    for number, name in enumerate(operand_names(element)):
        path = resolve(name, node.parent_shown, shown)
        if path is None:
            raise StrategyError(
                "{strategy_file}, line {line}: population {name!r} combines {found!r}, which the sample does not have"
                "{close}",
                strategy_file=file, line=element.sourceline, name=node.shown, found=name,
                close=did_you_mean(name.lstrip("/"), list(shown)),
            )  # fmt: skip
        operands[number] = path
    gate, complement = read_combination(element, operands)
    return gate, complement != is_negated(element)


def count_of(element: etree._Element) -> int | None:
    """Return FlowJo's count; ``None`` where it never counted."""
    text = (attribute(element, "count") or "").strip()
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None
