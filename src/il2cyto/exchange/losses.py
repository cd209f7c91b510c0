"""What a strategy says that no other program's file can hold."""

from __future__ import annotations

from il2cyto.gating.strategy import GatingStrategy


def rules_left_out(strategy: GatingStrategy) -> tuple[str, ...]:
    """Say that cuts, rules and optional markers are not in a file of another form; nothing where there are none.

    Parameters
    ----------
    strategy
        What is written as Gating-ML or as a workspace, with its gates where they are.

    Examples
    --------
    >>> from il2cyto.gates import Dimension, Limits, RectangleGate
    >>> from il2cyto.gating import Population
    >>> from il2cyto.gating.learning import Cut, CutUse, Learning
    >>> cd25 = Dimension("CD25")
    >>> population = Population("CD25+", "root", RectangleGate((Limits(cd25, minimum=0.4),)))
    >>> cut = Cut("CD25", cd25, 0.4, uses=(CutUse(0, 0, "min"),))
    >>> rules_left_out(GatingStrategy("s", (population,), learning=Learning((cut,))))
    ('left out: the file has gates but no cuts and no rules for learning them (cut CD25)',)
    """
    learning = strategy.learning
    found = [f"cut {cut.name}" for cut in learning.cuts]
    found += [f"gate {strategy.paths[shape.population]}" for shape in learning.shapes]
    told = []
    if found:
        told.append(f"left out: the file has gates but no cuts and no rules for learning them ({', '.join(found)})")
    if strategy.optional:
        told.append(f"left out: the file cannot say that markers are optional ({', '.join(strategy.optional)})")
    return tuple(told)
