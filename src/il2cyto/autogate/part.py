"""The part of a strategy that decides some populations."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from il2cyto.gates import BooleanGate
from il2cyto.gating.learning import Learning
from il2cyto.gating.remap import remap
from il2cyto.gating.strategy import GatingStrategy
from il2cyto.keys import ROOT


def above(strategy: GatingStrategy, populations: Iterable[int]) -> GatingStrategy:
    """Return the strategy with these populations and all that they need, and nothing else.

    Parameters
    ----------
    strategy
        The whole.
    populations
        Positions; -1 stands for all events and needs nothing.
    """
    needed: set[int] = set()
    waiting = list(populations)
    while waiting:
        i = waiting.pop()
        if i < 0 or i in needed:
            continue
        needed.add(i)
        waiting.append(strategy.parents[i])
        gate = strategy.populations[i].gate
        if isinstance(gate, BooleanGate):
            waiting += [strategy.resolve(operand.population) for operand in gate.operands]
    order = sorted(needed)
    return replace(
        strategy,
        populations=tuple(
            # parents as paths from the root, so that names stay unique
            replace(strategy.populations[i], parent="/".join([ROOT, *strategy.paths[i].split("/")[:-1]]))
            for i in order
        ),
        learning=_placed_only(remap(strategy.learning, {i: k for k, i in enumerate(order)})),
    )


def _placed_only(learning: Learning) -> Learning:
    """What can be placed, without the rules by which it was found: their populations may lie elsewhere."""
    return Learning(
        tuple(replace(cut, rule=None) for cut in learning.cuts),
        tuple(replace(shape, rule=replace(shape.rule, population=ROOT)) for shape in learning.shapes),
    )
