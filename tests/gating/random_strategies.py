"""Random strategies over a small sample: gates, transforms and matrices of every kind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from il2cyto.compensation import SpilloverMatrix
from il2cyto.fcs import read_fcs, write_fcs
from il2cyto.gates import (
    BooleanGate,
    Dimension,
    EllipsoidGate,
    Limits,
    Operand,
    PolygonGate,
    QuadrantGate,
    Ratio,
    RectangleGate,
)
from il2cyto.gating import GatingStrategy, Population
from il2cyto.sample import Sample
from il2cyto.transforms import Arcsinh, FlowJoBiex, Hyperlog, Linear, Log, Logicle

CHANNELS = ("FSC-A", "A", "B", "C", "D", "E")
COLOURS = CHANNELS[1:]
TOP = 262144.0


def small_sample(path: Path, n: int = 3000, seed: int = 5) -> Sample:
    """Scatter and five leaking colours with populations, negatives, and saturated events that sit on the edge."""
    rng = np.random.default_rng(seed)
    bright = np.where(rng.random((n, 5)) < 0.4, 9.0, 5.0)
    true = np.exp(rng.normal(bright, 0.8)) + rng.normal(0.0, 60.0, (n, 5))
    matrix = np.eye(5) + 0.12 * rng.random((5, 5)) * (1 - np.eye(5))
    events = np.column_stack([rng.normal(9e4, 2e4, n), true @ matrix])
    events = np.minimum(events, TOP - 1)
    events[: n // 50] = np.round(events[: n // 50])
    write_fcs(events, path, channels=CHANNELS, spillover=(COLOURS, matrix))
    return read_fcs(path, strict=True)


TRANSFORMS = {
    "lin": Linear(TOP, 1000.0),
    "log": Log(TOP, 5.0),
    "asinh": Arcsinh(TOP, 4.0, 1.0),
    "logicle": Logicle(TOP, 0.6, 4.5, 0.1),
    "hyperlog": Hyperlog(TOP, 0.5, 4.5, 0.0),
    "biex": FlowJoBiex(length=1.0, width=-30.0),
}
MATRICES = {"lab": SpilloverMatrix("lab", ("C", "A", "B"), np.array([[1, 0.1, 0.02], [0.05, 1, 0.2], [0.0, 0.3, 1]]))}


@st.composite
def dimension(
    draw: st.DrawFn, transforms: tuple[str, ...], ratio: bool = False, matrix: str | None = None
) -> Dimension:
    compensation = matrix or draw(st.sampled_from(["uncompensated", "FCS", "lab"]))
    transform = draw(st.sampled_from(transforms))
    if ratio:
        two = draw(st.permutations(COLOURS))[:2]
        source = Ratio(two[0], two[1], draw(st.floats(0.5, 50.0)), draw(st.floats(-50, 50)), draw(st.floats(-50, 50)))
        return Dimension(source, compensation, transform)
    return Dimension(draw(st.sampled_from(COLOURS)), compensation, transform)


position = st.floats(0.0, 1.0, allow_subnormal=False)


@st.composite
def shape(draw: st.DrawFn, transforms: tuple[str, ...], ratios: bool, mixed: bool = True) -> object:
    matrix = None if mixed else draw(st.sampled_from(["uncompensated", "FCS", "lab"]))
    kind = draw(st.sampled_from(["range", "rectangle", "polygon", "ellipsoid", "ellipsoid3", "quadrant"]))
    axis = dimension(transforms, matrix=matrix)
    if kind == "range":
        low, high = sorted([draw(position), draw(position)])
        use_ratio = ratios and draw(st.booleans())
        side = draw(st.sampled_from(["both", "low", "high"]))
        limits = Limits(
            draw(dimension(transforms, use_ratio, matrix)),
            low if side != "high" else None,
            high if side != "low" else None,
        )
        return RectangleGate((limits,))
    if kind == "rectangle":
        axes = draw(st.lists(axis, min_size=2, max_size=3, unique_by=lambda d: d.source))
        pairs = [sorted([draw(position), draw(position)]) for _ in axes]
        return RectangleGate(tuple(Limits(a, low, high) for a, (low, high) in zip(axes, pairs, strict=True)))
    axes = draw(st.lists(axis, min_size=2, max_size=2, unique_by=lambda d: d.source))
    if kind == "polygon":
        points = draw(st.lists(st.tuples(position, position), min_size=3, max_size=9))
        return PolygonGate((axes[0], axes[1]), tuple(points))
    if kind == "quadrant":
        cuts = [tuple(sorted(set(draw(st.lists(position, min_size=1, max_size=2))))) for _ in axes]
        region = tuple(draw(st.integers(0, len(cut))) for cut in cuts)
        return QuadrantGate(tuple(axes), tuple(cuts), region)
    if kind == "ellipsoid3":
        axes = draw(st.lists(axis, min_size=3, max_size=3, unique_by=lambda d: d.source))
    n = len(axes)
    root = np.array([[draw(st.floats(-0.2, 0.2)) for _ in range(n)] for _ in range(n)])
    covariance = root @ root.T + 0.005 * np.eye(n)
    return EllipsoidGate(
        tuple(axes),
        tuple(draw(position) for _ in axes),
        tuple(tuple(map(float, row)) for row in covariance),
        draw(st.floats(0.1, 3.0)),
    )


@st.composite
def strategy(
    draw: st.DrawFn,
    transforms: tuple[str, ...] = tuple(TRANSFORMS),
    ratios: bool = True,
    complement: bool = True,
    mixed: bool = True,
) -> GatingStrategy:
    populations: list[Population] = []
    for i in range(draw(st.integers(1, 7))):
        names = [p.name for p in populations]
        parent = draw(st.sampled_from(["root", *names]))
        if len(names) >= 2 and draw(st.integers(0, 3)) == 0:
            operation = draw(st.sampled_from(["and", "or", "not"]))
            picked = draw(st.permutations(names))[: 1 if operation == "not" else 2]
            gate: object = BooleanGate(operation, tuple(Operand(name, draw(st.booleans())) for name in picked))
        else:
            gate = draw(shape(transforms, ratios, mixed))
        flip = complement and draw(st.integers(0, 4)) == 0
        populations.append(Population(f"p{i}", parent, gate, complement=flip))  # type: ignore[arg-type]
    return GatingStrategy("random", tuple(populations), TRANSFORMS, MATRICES)
