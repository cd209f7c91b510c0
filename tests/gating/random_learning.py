"""Random strategies with cuts and rules of every kind."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st
from random_strategies import TRANSFORMS, position, strategy

from il2cyto.gates import Dimension, Limits, PolygonGate, QuadrantGate, RectangleGate
from il2cyto.gating import GatingStrategy, Population
from il2cyto.gating.learning import SCOPES, SOURCES, Cut, CutUse, Learning, LearnRule, LearntShape
from il2cyto.gating.vocabulary import CUT_METHODS, OPTIONS, POLYGON_METHODS
from il2cyto.study.frozen import FrozenMapping

#: Words that a careless writer would turn into something else.
words = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=12).map(str.strip),
    st.sampled_from(
        ["0.3", "1e5", "true", "null", "~", "not x", "a: b", "#", "'", '"', "1_000", "x", "nan", "-", ".inf"]
    ),
)
keys = words.filter(bool)
cut_names = st.one_of(st.sampled_from(["CD25", "a b", "true", "null", "not x", "CD4/CD25", "min", "#1"]), keys)


def no_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return text.lower() not in (".inf", "-.inf", "+.inf", ".nan")
    return False


@st.composite
def rule(draw: st.DrawFn, populations: tuple[str, ...], methods: tuple[str, ...]) -> LearnRule:
    scope = draw(st.sampled_from(SCOPES))
    wider = (*SCOPES[SCOPES.index(scope) + 1 :], "template")
    values = st.one_of(words.filter(bool), st.floats(allow_nan=False, allow_infinity=False))
    method = draw(st.sampled_from(methods))
    keys = st.sampled_from(OPTIONS[method])
    return LearnRule(
        method,
        draw(st.sampled_from(populations)),
        scope,
        tuple(draw(st.lists(st.sampled_from(SOURCES), min_size=1, unique=True))),
        tuple(draw(st.lists(st.sampled_from(wider), unique=True))),
        draw(st.integers(1, 10**6)),
        FrozenMapping(draw(st.dictionaries(keys, values, max_size=3))),
        draw(words),
    )


@st.composite
def learning_strategy(draw: st.DrawFn) -> GatingStrategy:
    """A random tree, and below it populations with cuts and learnt polygons, learnt from the tree or the root."""
    tree = draw(strategy())
    sources = ("root", *tree.paths)
    populations = list(tree.populations)
    cuts: list[Cut] = []
    for name in draw(st.lists(cut_names.filter(no_number), max_size=4, unique=True)):
        axis = Dimension(draw(st.sampled_from("ABCDE")), "FCS", draw(st.sampled_from([None, *TRANSFORMS])))
        at = draw(position)
        learnt = draw(st.one_of(st.none(), rule(sources, CUT_METHODS)))
        uses = []
        for side in draw(st.lists(st.sampled_from(["min", "max", "divider"]), min_size=1, max_size=3)):
            other = Dimension("FSC-A")
            place = len(populations)
            if side == "divider":
                gate: object = QuadrantGate((other, axis), ((1e4, 1e5), (at,)), (draw(st.integers(0, 2)), 1))
                uses.append(CutUse(place, 1, "divider"))
            else:
                edges = (at, None) if side == "min" else (None, at)
                gate = RectangleGate((Limits(axis, *edges), Limits(other, 1e4, None)))
                uses.append(CutUse(place, 0, side))  # type: ignore[arg-type]
            populations.append(Population(f"c{place}", draw(st.sampled_from(["root", *tree.paths])), gate))  # type: ignore[arg-type]
        cuts.append(Cut(name, axis, at, learnt, tuple(uses)))
    shapes = []
    for _ in range(draw(st.integers(0, 2))):
        shapes.append(LearntShape(len(populations), draw(rule(sources, POLYGON_METHODS))))
        polygon = PolygonGate((Dimension("A"), Dimension("B")), ((0.0, 0.0), (1e3, 0.0), (1e3, 1e3)))
        populations.append(Population(f"s{len(populations)}", draw(st.sampled_from(sources)), polygon))
    return replace(tree, populations=tuple(populations), learning=Learning(tuple(cuts), tuple(shapes)))
