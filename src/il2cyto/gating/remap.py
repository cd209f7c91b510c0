"""What is left of a strategy's rules when populations move, go, or get gates that a person drew."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from il2cyto.gating.learning import Learning


def remap(learning: Learning, places: Mapping[int, int]) -> Learning:
    """Return what is learnt of the populations that keep their gates.

    Parameters
    ----------
    learning
        Rules of the strategy before the change.
    places
        New place of each population that keeps its gate, by the old one. A learnt gate that is not among them is no
        longer learnt, and a cut that limits no gate any more is gone.

    Examples
    --------
    >>> from il2cyto.gates import Dimension
    >>> from il2cyto.gating.learning import Cut, CutUse
    >>> cut = Cut("CD25", Dimension("CD25"), 0.4, uses=(CutUse(1, 0, "min"), CutUse(3, 0, "max")))
    >>> remap(Learning((cut,)), {0: 0, 3: 2}).cuts[0].uses
    (CutUse(population=2, dimension=0, side='max'),)
    >>> remap(Learning((cut,)), {0: 0})
    Learning(cuts=(), shapes=())
    """
    cuts = [
        replace(
            cut,
            uses=tuple(replace(use, population=places[use.population]) for use in cut.uses if use.population in places),
        )
        for cut in learning.cuts
    ]
    shapes = [
        replace(shape, population=places[shape.population]) for shape in learning.shapes if shape.population in places
    ]
    return Learning(tuple(cut for cut in cuts if cut.uses), tuple(shapes))
