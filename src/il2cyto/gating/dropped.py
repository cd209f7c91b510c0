"""What is not learnt of a strategy, because the panel of the tubes lacks a marker."""

from __future__ import annotations

from dataclasses import replace

from il2cyto.gates import BooleanGate, Dimension, Ratio
from il2cyto.gating.remap import remap
from il2cyto.gating.strategy import GatingStrategy
from il2cyto.panel import Panel


def without_absent(strategy: GatingStrategy, panel: Panel | None) -> GatingStrategy:
    """Return a strategy without the rules of populations on markers that a panel is known to lack.

    The populations stay, and are *not estimable* when the strategy is applied. A cut that limits none but them is gone,
    unless a rule that stays names it (options ``with`` and ``given``).

    Parameters
    ----------
    strategy
        The strategy.
    panel
        Of the tubes; without one nothing is known to be absent.

    Examples
    --------
    >>> from il2cyto.gates import Dimension, Limits, RectangleGate
    >>> from il2cyto.gating import Population
    >>> from il2cyto.gating.learning import Cut, CutUse, Learning
    >>> from il2cyto.panel import PanelEntry
    >>> cd25 = Dimension("CD25")
    >>> gate = RectangleGate((Limits(cd25, minimum=0.4),))
    >>> learning = Learning((Cut("CD25", cd25, 0.4, uses=(CutUse(0, 0, "min"),)),))
    >>> strategy = GatingStrategy("s", (Population("CD25+", "root", gate),), learning=learning)
    >>> without_absent(strategy, Panel("p", (PanelEntry("CD25", "absent"),))).learning.cuts
    ()
    """
    lost = _dropped(strategy, panel)
    if not lost:
        return strategy
    before = strategy.learning
    kept = remap(before, {i: i for i in range(len(strategy.populations)) if i not in lost})
    names = {cut.name for cut in kept.cuts}
    waiting = [cut for cut in kept.cuts if cut.rule is not None]
    while waiting:
        rule = waiting.pop().rule
        named = "" if rule is None else f"{rule.options.get('with', '')} {rule.options.get('given', '')}"
        found = [cut for cut in before.cuts if cut.name in named.split() and cut.name not in names]
        names |= {cut.name for cut in found}
        waiting += found
    by_name = {cut.name: cut for cut in kept.cuts}
    cuts = tuple(by_name.get(cut.name, cut) for cut in before.cuts if cut.name in names)
    return replace(strategy, learning=replace(kept, cuts=cuts))


def _dropped(strategy: GatingStrategy, panel: Panel | None) -> set[int]:
    """Positions of the populations that need a marker that the panel lacks, here or above."""
    lost: set[int] = set()
    for i in strategy.order:
        gate = strategy.populations[i].gate
        above = {strategy.parents[i]}
        if isinstance(gate, BooleanGate):
            above |= {strategy.resolve(operand.population) for operand in gate.operands}
        names = [name for dimension in gate.dimensions for name in _sources(dimension)]
        if above & lost or any(strategy.lacks(name, panel) for name in names):
            lost.add(i)
    return lost


def _sources(dimension: Dimension) -> tuple[str, ...]:
    source = dimension.source
    return (source.numerator, source.denominator) if isinstance(source, Ratio) else (source,)
