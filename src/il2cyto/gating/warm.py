"""Have the kernels compiled before they are needed, so that nobody waits for it in the middle of a run."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numba.core import event

from il2cyto.fcs import read_fcs, write_fcs
from il2cyto.gates import (
    BooleanGate,
    Dimension,
    EllipsoidGate,
    Limits,
    Operand,
    PolygonGate,
    RectangleGate,
)
from il2cyto.gating.coordinates import linear_values
from il2cyto.gating.strategy import GatingStrategy, Population
from il2cyto.transforms import Logicle


class WarmUp(NamedTuple):
    """Seconds that warming up took, and whether anything had to be compiled."""

    seconds: float
    compiled: bool


def warm_up(compiling: Callable[[], None] | None = None) -> WarmUp:
    """Gate a tiny made-up file, so that every kernel that gating and its pictures need is compiled or loaded.

    Numba keeps what it has compiled beside the kernels (or in the user's cache, where they cannot be written), so that
    only the first call after an installation takes long, and processes that start later find it.

    Parameters
    ----------
    compiling
        Called once, when the first kernel has to be compiled.

    Examples
    --------
    >>> warm_up().seconds > 0
    True
    >>> warm_up().compiled
    False
    """
    started = time.perf_counter()
    watch = _Watch(compiling)
    with event.install_listener("numba:compile", watch), tempfile.TemporaryDirectory() as folder:
        _gate(Path(folder) / "warm.fcs")
    return WarmUp(time.perf_counter() - started, watch.compiled)


class _Watch(event.Listener):  # type: ignore[misc]  # numba has no types
    """Notices the first compilation."""

    def __init__(self, compiling: Callable[[], None] | None) -> None:
        self.compiled = False
        self._compiling = compiling

    def on_start(self, event: object) -> None:
        if not self.compiled:
            self.compiled = True
            if self._compiling is not None:
                self._compiling()

    def on_end(self, event: object) -> None:
        return None


def _gate(path: Path) -> None:
    names = ["Time", "A", "B"]
    values = np.outer(np.arange(1.0, 65.0), [1.0, 100.0, 200.0]).astype(np.float32)
    write_fcs(values, path, channels=names, spillover=(names[1:], np.array([[1.0, 0.1], [0.05, 1.0]])), timestep=0.01)
    sample = read_fcs(path)
    x, y = Dimension("A", "FCS", "logicle"), Dimension("B", "FCS", "logicle")
    circle = EllipsoidGate((x, y), (0.5, 0.5), ((0.1, 0.0), (0.0, 0.1)), 1.0)
    strategy = GatingStrategy(
        "warm",
        (
            Population("time", "root", RectangleGate((Limits(Dimension("Time"), 0.1, None),)), role="time_qc"),
            Population("polygon", "time", PolygonGate((x, y), ((0.1, 0.1), (0.9, 0.2), (0.8, 0.9)))),
            Population("ellipse", "time", circle),
            Population("both", "time", BooleanGate("and", (Operand("polygon"), Operand("ellipse")))),
        ),
        {"logicle": Logicle(262144.0, 0.5, 4.5, 0.0)},
    )
    result = strategy.apply(sample)
    linear = linear_values(result, x, np.arange(8))
    if linear is not None:
        strategy.transforms["logicle"].inverse(strategy.transforms["logicle"].apply(linear))
    sample.linear([0])
    sample.masked_values  # noqa: B018  # counts the values that lose bits
