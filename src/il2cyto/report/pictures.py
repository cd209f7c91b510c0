"""The pictures of a tube, shortened for the page, and an index of what all tubes have in common."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from il2cyto.report.density import pack
from il2cyto.report.numbers import compact, words

_Numbers = tuple[float | None, ...]


@dataclass(frozen=True)
class TubeSummary:
    """What the page knows of a tube before its pictures are unpacked.

    Attributes
    ----------
    block
        Number of its block of pictures in the page, -1 where it has none.
    n_events
        Events of the file.
    gates
        Per gate: its number, its scale and its shape (positions in `PictureIndex`), count, count of the parent, range x
        (2), range y (2), centre x and y, spread x and y; ``None`` where there is none. Centres and spreads (robust
        standard deviations) are those of the population on the picture's axes.
    paths, reasons
        Population of each gate, and why it is not estimable (empty where it is).
    acquisition
        As `steps.instrument.describe_acquisition` returns it, or empty.
    cytometer
        Words of ``$CYT`` that name an instrument.
    """

    block: int = -1
    n_events: int | None = None
    gates: tuple[_Numbers, ...] = ()
    paths: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    acquisition: Mapping[str, Any] = field(default_factory=dict)
    cytometer: str = ""


@dataclass
class PictureIndex:
    """Gates, their axes and their shapes, each once for all tubes.

    Attributes
    ----------
    gates
        ``(strategy, path)`` → number.
    scales
        By gate the sets of axes that occur: one, unless strategies of single tubes transform differently.
    shapes
        Type, complement, outline and limits of a gate as JSON → number.
    """

    summaries: dict[str, TubeSummary] = field(default_factory=dict)
    gates: dict[tuple[str, str], int] = field(default_factory=dict)
    scales: list[list[dict[str, Any]]] = field(default_factory=list)
    shapes: dict[str, int] = field(default_factory=dict)

    def add(self, tube_id: str, strategy: str, plots: Mapping[str, Any]) -> list[list[Any]]:
        """Take the content of one ``plots.json``.

        Returns
        -------
        What remains for the tube's own block: per gate ``[bins, density, events outside the picture]``, the density in
        the coding of `density.pack`, empty where there is no picture.
        """
        rows, block = [], []
        for gate in plots["gates"]:
            number = self.gates.setdefault((strategy, words(gate["population"])), len(self.gates))
            if number == len(self.scales):
                self.scales.append([])
            axes = {name: axis for name in ("x", "y") if (axis := _axis(gate.get(name)))}
            shape = json.dumps(_shape(gate), separators=(",", ":"), ensure_ascii=False, sort_keys=True)
            ranges = [
                compact(edge) for name in ("x", "y") for edge in (gate.get(name) or {}).get("range", (None, None))
            ]
            pairs = (
                [*(compact(value) for value in gate.get(key) or ()), None, None][:2] for key in ("center", "spread")
            )
            rows.append(
                (
                    number,
                    _place(self.scales[number], axes),
                    self.shapes.setdefault(shape, len(self.shapes)),
                    compact(gate.get("count"), 12),
                    compact(gate.get("parent_count"), 12),
                    *ranges,
                    *(value for pair in pairs for value in pair),
                )
            )
            density = gate.get("density")
            block.append(
                [gate.get("bins") or 0, pack(density) if density else "", compact(gate.get("n_outside"), 12) or 0]
            )
        events = compact(plots.get("n_events"), 12)
        self.summaries[tube_id] = TubeSummary(
            block=len(self.summaries),
            n_events=None if events is None else int(events),
            gates=tuple(rows),
            paths=tuple(words(gate["population"]) for gate in plots["gates"]),
            reasons=tuple(map(_reason, plots["gates"])),
            acquisition=dict(plots.get("acquisition") or {}),
            cytometer=words((plots.get("instrument") or {}).get("cytometer")),
        )
        return block


def _reason(gate: Mapping[str, Any]) -> str:
    return "" if words(gate.get("status")) == "estimated" else words(gate.get("reason")) or "no reason given"


def _shape(gate: Mapping[str, Any]) -> dict[str, Any]:
    """A rectangle has ``limits`` per axis, with ``null`` for an open side, and no outline."""
    limits = gate.get("limits") or ([gate["xlim"]] if gate.get("xlim") else None)
    outline = None if limits else gate.get("outline")
    return {
        "type": words(gate.get("type")),
        "complement": bool(gate.get("complement")),
        "outline": None if not outline else [[compact(x), compact(y)] for x, y in outline],
        "limits": None if not limits else [[compact(edge) for edge in edges] for edges in limits],
    }


def _axis(axis: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Everything of an axis but its range; ticks by their label."""
    if not axis:
        return None
    straight = axis.get("straight")
    return {
        **{key: words(axis.get(key)) for key in ("label", "fluorochrome", "unit", "scale")},
        "straight": None if not straight else [compact(value, 9) for value in straight],
        "ticks": {words(label): compact(position) for position, label in axis.get("ticks") or ()},
    }


def _place(known: list[dict[str, Any]], axes: dict[str, Any]) -> int:
    """Position of the first scale that agrees with these axes, which takes in their ticks; a new one if none does."""
    for position, scale in enumerate(known):
        if scale.keys() == axes.keys() and all(_agree(scale[name], axes[name]) for name in axes):
            for name in axes:
                scale[name]["ticks"].update(axes[name]["ticks"])
            return position
    known.append(axes)
    return len(known) - 1


def _agree(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    same = all(one[key] == other[key] for key in ("label", "fluorochrome", "unit", "scale", "straight"))
    return same and all(one["ticks"].get(label, position) == position for label, position in other["ticks"].items())
