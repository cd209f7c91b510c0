"""The tree of a gating strategy as a picture: what is gated on what, and where each gate comes from."""

from __future__ import annotations

from html import escape

from il2cyto.gates import BooleanGate, Limits, QuadrantGate, Ratio, RectangleGate, UnsupportedGate
from il2cyto.gating.strategy import GatingStrategy
from il2cyto.pl.style import INK, MUTED

_ROW, _BOX, _STEP, _EDGE = 30, 22, 20, 16
#: Width of a letter at 13 and at 12 pixels, taken wide: fonts differ between computers, the file must not.
_WIDE, _NARROW = 8.9, 7.4
_LINE, _FILL, _OPTIONAL = "#9aa7b4", "#eef3f8", "#fff8e8"


def tree(strategy: GatingStrategy) -> str:
    """Draw the tree of a strategy: a row for each population with its gate and what the gate is learnt from.

    Populations on optional markers, and those below them, have a dashed edge. The same strategy gives the same text on
    every computer, so that a picture can stand beside it and be compared.

    Parameters
    ----------
    strategy
        The strategy.

    Returns
    -------
    An SVG document.

    Examples
    --------
    >>> from il2cyto.gates import Dimension
    >>> from il2cyto.gating import Population
    >>> from il2cyto.transforms import Logicle
    >>> gate = RectangleGate((Limits(Dimension("CD3", "FCS", "fluor"), minimum=0.4),))
    >>> scales = {"fluor": Logicle(262144, 0.5, 4.5, 0)}
    >>> picture = tree(GatingStrategy("s", (Population("T", "root", gate),), transforms=scales))
    >>> picture.startswith("<svg"), ">CD3+<" in picture
    (True, True)
    """
    order = _rows(strategy)
    optional = _optional(strategy)
    learnt = _learnt(strategy)
    gates = {i: _gate(strategy, i) for i in order}
    names = [("root", 0, -1), *((strategy.populations[i].name, strategy.paths[i].count("/") + 1, i) for i in order)]
    x_gate = max(_EDGE + _STEP * depth + _width(name) for name, depth, _ in names) + 28
    x_learnt = x_gate + max([len("gate"), *map(len, gates.values())]) * _NARROW + 28
    widths = [x_learnt + max([len("learnt"), *map(len, learnt.values())]) * _NARROW + _EDGE]
    note = "dashed: optional, dropped with a reason where the panel lacks the marker" if optional else ""
    widths.append(_EDGE * 2 + len(note) * _NARROW)
    title = f"{strategy.id} {strategy.version}"
    top = 58
    height = top + _ROW * len(names) + (28 if note else 8)
    width = round(max(widths))
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'font-family="DejaVu Sans, Helvetica, Arial, sans-serif" font-size="12" fill="{INK}">',
        f"<title>{escape(title)}: gating tree</title>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        _text(_EDGE, 24, title, 'font-size="15" font-weight="bold"'),
        _text(x_gate, 46, "gate", f'fill="{MUTED}"'),
        _text(x_learnt, 46, "learnt", f'fill="{MUTED}"'),
    ]
    middle = {i: top + _ROW * row + _BOX / 2 for row, (_, _, i) in enumerate(names)}
    last = {strategy.parents[i]: i for i in order}
    for _, depth, i in names[1:]:
        x, above = _EDGE + _STEP * (depth - 1) + 9, middle[strategy.parents[i]] + _BOX / 2
        # one line down from a parent, to its last child
        down = f"M{x} {above:g}V{middle[i]:g}" if last[strategy.parents[i]] == i else f"M{x} {middle[i]:g}"
        lines.append(f'<path d="{down}H{x + _STEP - 9}" fill="none" stroke="{_LINE}"/>')
    for name, depth, i in names:
        x, y = _EDGE + _STEP * depth, middle[i]
        dashed = ' stroke-dasharray="4 3"' if i in optional else ""
        lines.append(
            f'<rect x="{x}" y="{y - _BOX / 2:g}" width="{_width(name):g}" height="{_BOX}" rx="4" '
            f'fill="{_OPTIONAL if i in optional else _FILL}" stroke="{_LINE}"{dashed}/>'
        )
        lines.append(_text(x + 8, y + 4.5, name, 'font-size="13"'))
        if i >= 0:
            lines.append(_text(x_gate, y + 4.5, gates[i]))
            lines.append(_text(x_learnt, y + 4.5, learnt.get(i, ""), f'fill="{MUTED}"'))
    if note:
        lines.append(_text(_EDGE, height - 12, note, f'fill="{MUTED}"'))
    return "\n".join([*(line for line in lines if line), "</svg>"]) + "\n"


def _rows(strategy: GatingStrategy) -> list[int]:
    """Positions of the populations, each below its parent, children in the order of the file."""
    below: dict[int, list[int]] = {}
    for i, parent in enumerate(strategy.parents):
        below.setdefault(parent, []).append(i)
    found: list[int] = []
    waiting = below.get(-1, [])[::-1]
    while waiting:
        i = waiting.pop()
        found.append(i)
        waiting += below.get(i, [])[::-1]
    return found


def _width(name: str) -> float:
    return 16 + _WIDE * len(name)


def _text(x: float, y: float, text: str, style: str = "") -> str:
    return f'<text x="{x:g}" y="{y:g}"{" " + style if style else ""}>{escape(text)}</text>' if text else ""


def _optional(strategy: GatingStrategy) -> set[int]:
    """Positions of the populations that need an optional marker, here, above or through what they combine."""
    found: set[int] = set()
    for i in strategy.order:
        gate = strategy.populations[i].gate
        needs = {strategy.parents[i]}
        if isinstance(gate, BooleanGate):
            needs |= {strategy.resolve(operand.population) for operand in gate.operands}
        sources = [dimension.source for dimension in gate.dimensions]
        names = [
            name for one in sources for name in ((one.numerator, one.denominator) if isinstance(one, Ratio) else (one,))
        ]
        if needs & found or set(names) & set(strategy.optional):
            found.add(i)
    return found


def _learnt(strategy: GatingStrategy) -> dict[int, str]:
    """What each learnt population is learnt from, in words."""
    found: dict[int, dict[str, list[str]]] = {}
    rules = [(cut.rule, [use.population for use in cut.uses]) for cut in strategy.learning.cuts]
    rules += [(shape.rule, [shape.population]) for shape in strategy.learning.shapes]
    for rule, places in rules:
        if rule is not None:
            sources = "itself" if rule.scope == "tube" else " or ".join(rule.sources)
            for i in places:
                methods = found.setdefault(i, {}).setdefault(f"per {rule.scope} from {sources}", [])
                if rule.method not in methods:
                    methods.append(rule.method)
    return {
        i: "; ".join(f"{words} ({', '.join(methods)})" for words, methods in told.items()) for i, told in found.items()
    }


def _gate(strategy: GatingStrategy, i: int) -> str:
    """What a population's gate asks: signs of markers, cuts that are called otherwise, and plain numbers."""
    population = strategy.populations[i]
    gate = population.gate
    if isinstance(gate, UnsupportedGate):
        return "not estimable"
    if isinstance(gate, BooleanGate):
        operands = [f"{'not ' if one.complement else ''}{one.population}" for one in gate.operands]
        text = f"not {operands[0]}" if gate.operation == "not" else f" {gate.operation} ".join(operands)
    elif isinstance(gate, QuadrantGate):
        signs = {0: "−", 1: "+"}
        parts = [
            f"{dimension.label}{signs[interval] if len(dividers) == 1 else f' in interval {interval}'}"
            for dimension, dividers, interval in zip(gate.dimensions, gate.dividers, gate.region, strict=True)
            if interval is not None
        ]
        text = ", ".join(parts)
    elif isinstance(gate, RectangleGate):
        cuts = {
            (use.dimension, use.side): cut.name
            for cut in strategy.learning.cuts
            for use in cut.uses
            if use.population == i
        }
        text = ", ".join(
            _limit(limit, cuts.get((k, "min"), ""), cuts.get((k, "max"), "")) for k, limit in enumerate(gate.limits)
        )
    else:
        text = " × ".join(dimension.label for dimension in gate.dimensions)
    return f"not ({text})" if population.complement else text


def _limit(limit: Limits, low: str, high: str) -> str:
    """A range in words; a cut that is called like the marker, or like it and "_", is its plain positive limit."""
    label = limit.dimension.label
    if limit.dimension.transform is None:
        low = "" if limit.minimum is None else f" ≥ {limit.minimum:g}"
        return label + low + ("" if limit.maximum is None else f" < {limit.maximum:g}")
    plain = [not cut or cut == label or cut.startswith(f"{label}_") for cut in (low, high)]
    text = "" if limit.minimum is None else "+" if plain[0] else f" ≥ {low}"
    if limit.maximum is not None:
        text += "−" if plain[1] and not text else f" < {high or 'the upper limit'}"
    return label + text
