"""One sample × one strategy."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from il2cyto.gating.strategy import GatingStrategy
from il2cyto.keys import ESTIMATED, NOT_ESTIMABLE, ROOT
from il2cyto.panel import Panel
from il2cyto.sample import Sample

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class GatingResult:
    """Membership and counts of every population of a strategy in a sample.

    Attributes
    ----------
    packed
        Bit-packed membership, uint8 ``(n_populations, ceil(n_events / 8))``, in the order of the strategy.
    n_inside
        Events inside each population, int64 ``(n_populations,)``; meaningless where a reason is given.
    n_undefined
        Events of the parent with a NaN or −inf coordinate: outside the gate.
    reasons
        Why a population is not estimable; empty where it is.
    missing_markers
        Markers that the panel promises but the file lacks; those that the panel declares absent are not among them.
    panel
        The panel by which names were resolved.
    notes
        What a person should know about this application of the strategy.
    kept
        Ranges of the events that were gated, ``None`` where all were; the others are in no population, nor in the root.
    """

    strategy: GatingStrategy
    sample: Sample = field(repr=False)
    packed: NDArray[np.uint8] = field(repr=False, compare=False)
    n_inside: NDArray[np.int64] = field(repr=False, compare=False)
    n_undefined: NDArray[np.int64] = field(repr=False, compare=False)
    reasons: tuple[str, ...] = ()
    missing_markers: tuple[str, ...] = ()
    panel: Panel | None = field(repr=False, default=None)
    notes: tuple[str, ...] = ()
    kept: tuple[tuple[int, int], ...] | None = None

    @property
    def n_root(self) -> int:
        """Events that were gated."""
        return self.sample.n_events if self.kept is None else sum(stop - first for first, stop in self.kept)

    def membership(self, population: str) -> NDArray[np.bool_]:
        """Return which events are inside a population, bool ``(n_events,)``.

        Raises
        ------
        StrategyError
            If the population does not exist or is not estimable in this sample.
        """
        if population == ROOT:
            gated = np.full(self.sample.n_events, self.kept is None)
            for first, stop in self.kept or ():
                gated[first:stop] = True
            return gated
        i = self.strategy.resolve(population)
        if self.reasons[i]:
            from il2cyto.errors import StrategyError

            raise StrategyError(
                "{file}: {path} is not estimable: {reason}",
                file=self.sample.id, path=self.strategy.paths[i], reason=self.reasons[i],
            )  # fmt: skip
        return np.unpackbits(self.packed[i], count=self.sample.n_events).astype(bool)

    @property
    def counts(self) -> pd.DataFrame:
        """One row per population, in the order of the strategy.

        Columns: ``population`` (path), ``name``, ``parent`` (path or ``root``), ``definition``, ``role``, ``count``,
        ``parent_count`` (missing where not estimable), ``percent_parent`` (NaN for an empty parent), ``n_undefined``,
        ``status``, ``reason``.
        """
        import pandas as pd

        strategy = self.strategy
        rows = []
        for i, (population, path) in enumerate(zip(strategy.populations, strategy.paths, strict=True)):
            above = strategy.parents[i]
            parent_known = above < 0 or not self.reasons[above]
            parent_count = self.n_root if above < 0 else int(self.n_inside[above])
            known = not self.reasons[i]
            count = int(self.n_inside[i])
            rows.append(
                {
                    "population": path,
                    "name": population.name,
                    "parent": strategy.paths[above] if above >= 0 else ROOT,
                    "definition": population.definition,
                    "role": population.role,
                    "count": count if known else pd.NA,
                    "parent_count": parent_count if parent_known else pd.NA,
                    "percent_parent": 100.0 * count / parent_count if known and parent_count else np.nan,
                    "n_undefined": int(self.n_undefined[i]) if known else pd.NA,
                    "status": ESTIMATED if known else NOT_ESTIMABLE,
                    "reason": self.reasons[i],
                }
            )
        table = pd.DataFrame(rows, columns=_COLUMNS)
        whole = ["count", "parent_count", "n_undefined"]
        table[whole] = table[whole].astype("Int64")
        table["percent_parent"] = table["percent_parent"].astype(np.float64)
        return table


_COLUMNS = [
    "population", "name", "parent", "definition", "role", "count", "parent_count", "percent_parent", "n_undefined",
    "status", "reason",
]  # fmt: skip
