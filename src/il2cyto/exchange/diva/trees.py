"""The gates of a tube or a global worksheet: a list in which each names its parent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from lxml import etree

from il2cyto.errors import StrategyError, did_you_mean
from il2cyto.exchange.diva.shapes import ShapeReader
from il2cyto.exchange.tree_names import free_path, from_root, plain_name
from il2cyto.exchange.xml import attribute, child_text, children
from il2cyto.gates import BooleanGate, Gate, Operand, UnsupportedGate
from il2cyto.gating.strategy import Population

#: Deeper than any tree that a person draws, and as deep as nested XML is read.
MOST_LEVELS = 256

_COMBINATIONS: dict[str, Literal["and", "or", "not"]] = {
    "AND_Classifier": "and", "OR_Classifier": "or", "NOT_Classifier": "not"
}  # fmt: skip
_ROOT, _REST, _HINGE = "EventSource_Classifier", "RestOf_Classifier", "Composite_Classifier"


@dataclass(frozen=True)
class Tree:
    """Populations in the order of the file, FACSDiva's counts by path, and remarks without names of samples."""

    populations: tuple[Population, ...]
    counts: Mapping[str, int | None]
    n_events: int | None
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Gate:
    element: etree._Element
    fullname: str
    name: str
    kind: str
    parent: str
    inputs: tuple[str, ...]


def holds_gates(part: etree._Element | None) -> bool:
    """Whether there is a gate beside that of all events."""
    return part is not None and any(attribute(gate, "type") != _ROOT for gate in children(part, "gate"))


def read_tree(part: etree._Element, shapes: ShapeReader, file: str) -> Tree:
    """Read the ``gates`` of a tube or a worksheet.

    Raises
    ------
    StrategyError
        If a name stands twice, a gate refers to one that is not there, or parents run in a circle.
    """
    gates, root = _gates(part, file)
    roots = {root.fullname} if root is not None else set()
    paths = _paths(gates, roots, file)
    populations: list[Population] = []
    counts: dict[str, int | None] = {}
    n_events = _count(root.element) if root is not None else None
    for gate in gates.values():
        if gate.kind == _HINGE:
            _check_bins(gate, gates, file)
            continue
        made, complement = _read(gate, gates, paths, roots, shapes, file)
        path = paths[gate.fullname]
        parent, _, name = path.rpartition("/")
        populations.append(Population(name, from_root(parent), made, complement=complement))
        # a tube that was never recorded holds zeros where it holds nothing
        counts[path] = _count(gate.element) if n_events else None
    return Tree(tuple(populations), counts, n_events, _renamed(gates, paths))


def _gates(part: etree._Element, file: str) -> tuple[dict[str, _Gate], _Gate | None]:
    found: dict[str, _Gate] = {}
    root: _Gate | None = None
    for element in children(part, "gate"):
        fullname = attribute(element, "fullname") or ""
        gate = _Gate(
            element,
            fullname,
            child_text(element, "name") or fullname.rpartition("\\")[2],
            attribute(element, "type") or "",
            child_text(element, "parent") or "",
            tuple((item.text or "").strip() for item in children(element, "input")),
        )
        if not fullname or fullname in found or (root is not None and fullname == root.fullname):
            raise StrategyError(
                "{strategy_file}, line {line}: gate {found!r} stands twice, or has no name",
                strategy_file=file, line=element.sourceline, found=fullname,
            )  # fmt: skip
        if gate.kind == _ROOT:
            root = root or gate
        else:
            found[fullname] = gate
    return found, root


def _paths(gates: Mapping[str, _Gate], roots: set[str], file: str) -> dict[str, str]:
    """Path of each population by its full name; that of a hinge of quadrants is the path of its parent."""
    paths: dict[str, str] = {}
    taken: dict[str, int] = {}
    for first in gates.values():
        chain: list[_Gate] = []
        gate = first
        while gate.fullname not in paths:
            if len(chain) > MOST_LEVELS or any(gate is below for below in chain):
                circle = any(gate is below for below in chain)
                raise StrategyError(
                    "{strategy_file}, line {line}: gate {found!r} "
                    + ("stands above itself" if circle else f"stands below more than {MOST_LEVELS} others"),
                    strategy_file=file, line=first.element.sourceline, found=first.fullname,
                )  # fmt: skip
            chain.append(gate)
            if gate.parent in roots:
                break
            gate = _known(gate, gate.parent, "its parent", gates, file)
        for gate in reversed(chain):
            above = "" if gate.parent in roots else paths[gate.parent]
            if above.count("/") >= MOST_LEVELS:
                raise StrategyError(
                    "{strategy_file}, line {line}: gate {found!r} stands below more than {most} others",
                    strategy_file=file, line=gate.element.sourceline, found=gate.fullname, most=MOST_LEVELS,
                )  # fmt: skip
            if gate.kind == _HINGE:
                paths[gate.fullname] = above
            else:
                paths[gate.fullname] = free_path(plain_name(gate.name), above, taken)
    return paths


def _known(gate: _Gate, name: str, what: str, gates: Mapping[str, _Gate], file: str) -> _Gate:
    if name not in gates:
        raise StrategyError(
            "{strategy_file}, line {line}: gate {gate!r} names as {what} {found!r}, which is not there{close}",
            strategy_file=file, line=gate.element.sourceline, gate=gate.fullname, what=what, found=name,
            close=did_you_mean(name, list(gates)),
        )  # fmt: skip
    return gates[name]


def _check_bins(hinge: _Gate, gates: Mapping[str, _Gate], file: str) -> None:
    """The centre of quadrants is no population; its quadrants stand beside it."""
    for item in children(hinge.element, "bin"):
        _known(hinge, (item.text or "").strip(), "a quadrant", gates, file)


def _read(
    gate: _Gate, gates: Mapping[str, _Gate], paths: Mapping[str, str], roots: set[str], shapes: ShapeReader, file: str
) -> tuple[Gate, bool]:
    """Return the gate of a population, and whether it is meant inside out."""
    if gate.kind in _COMBINATIONS or gate.kind == _REST:
        if any(name in roots for name in gate.inputs):
            return UnsupportedGate("a combination with all events of the tube"), False
        known = [_known(gate, name, "an input", gates, file) for name in gate.inputs]
        return _combination(gate, [paths[other.fullname] for other in known])
    for name in gate.inputs:
        if name != gate.parent and not (
            name not in roots and _known(gate, name, "its input", gates, file).kind == _HINGE
        ):
            return UnsupportedGate("a region that looks at other events than those of its parent"), False
    return shapes.read(gate.element), False


def _combination(gate: _Gate, paths: list[str]) -> tuple[Gate, bool]:
    operands = tuple(Operand(path) for path in paths)
    operation = _COMBINATIONS.get(gate.kind, "not")
    if not operands or (gate.kind == "NOT_Classifier" and len(operands) > 1):
        return UnsupportedGate(f"a combination ({operation}) of {len(operands)} populations"), False
    if gate.kind == _REST and len(operands) > 1:
        return BooleanGate("or", operands), True
    if operation != "not" and len(operands) == 1:
        operands *= 2
    return BooleanGate(operation, operands), False


def _renamed(gates: Mapping[str, _Gate], paths: Mapping[str, str]) -> tuple[str, ...]:
    names = [
        gate.name
        for gate in gates.values()
        if gate.kind != _HINGE and paths[gate.fullname].rpartition("/")[2] != gate.name
    ]
    return (
        (f"populations renamed, since a name may not hold '/' or stand twice: {', '.join(names)}",) if names else ()
    )  # fmt: skip


def _count(element: etree._Element) -> int | None:
    text = child_text(element, "num_events") or ""
    return int(text) if text.isdecimal() and text.isascii() and len(text) < 19 else None
