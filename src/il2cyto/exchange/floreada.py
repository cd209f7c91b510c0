"""Workspaces of Floreada: Gating-ML elements, with the tree of each file in the program's own block."""

from __future__ import annotations

from lxml import etree

from il2cyto.errors import GatingMLError
from il2cyto.exchange.gatingml import Document, make_strategy
from il2cyto.exchange.xml import attribute, children, local, namespace
from il2cyto.gating.strategy import GatingStrategy, Population

NAMESPACE = "https://floreada.io/gatingml"


def is_workspace(document: Document) -> bool:
    """Whether the custom block of a Gating-ML file holds a Floreada workspace."""
    return document.custom_info is not None and _workspace(document.custom_info) is not None


def read_workspace(document: Document, name: str) -> tuple[dict[str, GatingStrategy], GatingStrategy | None]:
    """Return the strategy of each file by file name, and that of the default group for the other files.

    Only the tree is taken from the vendor's block; the geometry of each gate is that of its Gating-ML element, and the
    transforms named in the block are display axes.

    Raises
    ------
    GatingMLError
        If the tree refers to a gate that the file does not define, or the same file stands twice.
    """
    workspace = _workspace(document.custom_info) if document.custom_info is not None else None
    if workspace is None:
        raise GatingMLError("{strategy_file}: holds no Floreada workspace", strategy_file=document.name)
    by_file: dict[str, GatingStrategy] = {}
    for entry in children(workspace, "fcsfile"):
        file_name = attribute(entry, "name") or ""
        if file_name in by_file:
            raise GatingMLError(
                "{strategy_file}, line {line}: file {found!r} stands twice",
                strategy_file=document.name, line=entry.sourceline, found=file_name,
            )  # fmt: skip
        populations = _tree(entry, "gate", document)
        if populations:
            by_file[file_name] = make_strategy(name, populations, document)
    groups = [group for group in children(workspace, "pipegroup") if _tree(group, "pipegate", document)]
    if len(groups) > 1:
        names = ", ".join(repr(attribute(group, "name")) for group in groups)
        raise GatingMLError(
            "{strategy_file}: holds {n} default groups{hint}; one was expected",
            strategy_file=document.name, n=len(groups), hint=f" ({names})",
        )  # fmt: skip
    default = make_strategy(name, _tree(groups[0], "pipegate", document), document) if groups else None
    return by_file, default


def _workspace(custom: etree._Element) -> etree._Element | None:
    for child in children(custom, "workspace"):
        if namespace(child) == NAMESPACE:
            return child
    return None


def _tree(element: etree._Element, tag: str, document: Document) -> tuple[Population, ...]:
    populations: list[Population] = []
    waiting = [(child, "root") for child in children(element, tag)]
    while waiting:
        node, parent = waiting.pop(0)
        gate_id, name = attribute(node, "id") or "", attribute(node, "name") or ""
        if gate_id not in document.gates:
            raise GatingMLError(
                "{strategy_file}, line {line}: {element} {found_name!r} refers to {found_id!r}, which no Gating-ML "
                "element defines",
                strategy_file=document.name, line=node.sourceline, element=local(node), found_name=name,
                found_id=gate_id,
            )  # fmt: skip
        outside = gate_id in document.complements
        populations.append(Population(name=name, parent=parent, gate=document.gates[gate_id], complement=outside))
        path = name if parent == "root" else f"{parent}/{name}"
        waiting += [(child, path) for child in children(node, tag)]
    return tuple(populations)
