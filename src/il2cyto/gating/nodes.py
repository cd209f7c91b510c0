"""Values of a YAML tree of a strategy, each with the complaint that it may deserve."""

from __future__ import annotations

import math
from typing import Final, TypeVar

from il2cyto.errors import StrategyError, did_you_mean
from il2cyto.study.positions import Mapping, Node, Scalar, Sequence

#: Infinite limits as YAML writes them.
INFINITE: Final = {".inf": math.inf, "+.inf": math.inf, "-.inf": -math.inf}

W = TypeVar("W", bound=str)


class NodeReader:
    """Takes texts, numbers, lists and mappings out of the tree of one file; every complaint carries the line."""

    def __init__(self, name: str) -> None:
        self.name = name

    def fail(self, node: Node, message: str, **values: object) -> StrategyError:
        return self.fail_at(node.line, message, **values)

    def fail_at(self, line: int, message: str, **values: object) -> StrategyError:
        return StrategyError("{strategy_file}, line {line}: " + message, strategy_file=self.name, line=line, **values)

    def mapping(self, node: Node | None, what: str, known: tuple[str, ...] = ()) -> Mapping:
        if not isinstance(node, Mapping):
            raise self.fail(node or Scalar(1, ""), "{what} wants keys and values", what=what)
        for key in node.entries:
            if known and key not in known:
                raise self.fail_at(
                    node.lines[key], "{what} does not know {found!r}{close}; known: {known}",
                    what=what, found=key, close=did_you_mean(key, known), known=", ".join(known),
                )  # fmt: skip
        return node

    def items(self, node: Node | None, what: str, at: Node) -> list[Node]:
        if not isinstance(node, Sequence):
            raise self.fail(node or at, "{what} wants a list", what=what)
        return node.items

    def text(self, node: Node | None, what: str, at: Node, default: str | None = None) -> str:
        if node is None and default is not None:
            return default
        if not isinstance(node, Scalar) or node.null:
            raise self.fail(node or at, "{what} wants a text", what=what)
        return node.text.strip()

    def number(self, node: Node | None, what: str, at: Node) -> float:
        try:
            value = float(node.text) if isinstance(node, Scalar) else math.nan
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            shown = f", got {node.text!r}" if isinstance(node, Scalar) else ""
            raise self.fail(node or at, "{what} wants a number{hint}", what=what, hint=shown)
        return value

    def limit(self, node: Node | None, what: str, at: Node) -> float | None:
        """Return a limit, which may be left open or be infinite (``.inf``, as YAML writes it)."""
        if node is None or (isinstance(node, Scalar) and node.null):
            return None
        infinite = INFINITE.get(node.text.strip().lower()) if isinstance(node, Scalar) else None
        return self.number(node, what, at) if infinite is None else infinite

    def flag(self, node: Node | None, what: str, at: Node) -> bool:
        text = self.text(node, what, at, "false")
        if text not in ("true", "false"):
            raise self.fail(node or at, "{what} wants true or false, got {found!r}", what=what, found=text)
        return text == "true"

    def row(self, node: Node | None, what: str, at: Node) -> tuple[float, ...]:
        return tuple(self.number(item, what, at) for item in self.items(node, what, at))

    def word(self, node: Node | None, what: str, at: Node, known: tuple[W, ...], default: W | None = None) -> W:
        """Return one of some known words."""
        text = self.text(node, what, at, default)
        for one in known:
            if one == text:
                return one
        raise self.fail(
            node or at, "{what} {found!r}{close}: wanted one of {known}",
            what=what, found=text, close=did_you_mean(text, known), known=", ".join(known),
        )  # fmt: skip
