"""The events of one population as an FCS file of their own."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from il2cyto import __version__
from il2cyto.fcs.write import write_fcs
from il2cyto.gating.result import GatingResult
from il2cyto.keys import ROOT


def export_population(
    result: GatingResult,
    population: str,
    path: str | Path,
    *,
    version: str = "3.1",
    keywords: Mapping[str, str | None] | None = None,
    keep: Collection[str] | Callable[[str], bool] | None = None,
) -> int:
    """Write the events of a gated population, bit for bit, with the keywords of the file that they come from.

    The new file says where it is from: ``IL2CYTO_ORIGIN_SHA256`` and ``IL2CYTO_ORIGIN_DATASET`` (the original file and
    the data set in it), ``IL2CYTO_POPULATION`` (the path in the strategy), ``IL2CYTO_STRATEGY``,
    ``IL2CYTO_STRATEGY_VERSION``, ``IL2CYTO_STRATEGY_SHA256``, ``IL2CYTO_PANEL_SHA256`` (where a panel named the
    markers) and ``IL2CYTO_VERSION``. ``$FIL`` is its own name, ``$TOT`` its own number of events and ``$ORIGINALITY``
    ``DataModified``.

    Parameters
    ----------
    result
        A sample with its gates applied.
    population
        Name or path of the population, or ``root`` for all events.
    path
        Where the file shall stand; replaced if it exists, unless it is the original.
    version
        ``3.1`` or ``3.2``.
    keywords
        Further keywords, or other values; ``None`` leaves one out.
    keep
        Keywords of the original to take; all by default. A copy that keeps all carries what identifies the patient.

    Returns
    -------
    The number of events written; 0 makes a valid file without events.

    Raises
    ------
    StrategyError
        If there is no such population, or it is not estimable in this sample.
    FcsError, OutputError
        If the file cannot be written; see `il2cyto.fcs.write_fcs`.

    Examples
    --------
    >>> import tempfile
    >>> from il2cyto.fcs import read_fcs, write_fcs
    >>> from il2cyto.gates import Dimension, Limits, RectangleGate
    >>> from il2cyto.gating import GatingStrategy, Population
    >>> folder = Path(tempfile.mkdtemp())
    >>> write_fcs([[1.0], [5.0], [9.0]], folder / "tube.fcs", channels=["CD4"])
    >>> gate = RectangleGate((Limits(Dimension("CD4"), 4.0),))
    >>> result = GatingStrategy("demo", (Population("high", "root", gate),)).apply(read_fcs(folder / "tube.fcs"))
    >>> export_population(result, "high", folder / "high.fcs")
    2
    >>> read_fcs(folder / "high.fcs").keywords["IL2CYTO_POPULATION"]
    'high'
    """
    path = Path(path)
    inside = result.membership(population)
    strategy, sample = result.strategy, result.sample
    origin = {
        "$FIL": path.name,
        "IL2CYTO_ORIGIN_SHA256": sample.sha256,
        "IL2CYTO_ORIGIN_DATASET": str(sample.dataset),
        "IL2CYTO_POPULATION": ROOT if population == ROOT else strategy.paths[strategy.resolve(population)],
        "IL2CYTO_STRATEGY": strategy.id,
        "IL2CYTO_STRATEGY_VERSION": strategy.version or None,
        "IL2CYTO_STRATEGY_SHA256": strategy.content_hash,
        "IL2CYTO_PANEL_SHA256": result.panel.content_hash if result.panel is not None else None,
        "IL2CYTO_VERSION": __version__,
    }
    write_fcs(sample, path, version=version, keywords={**origin, **(keywords or {})}, keep=keep, events=inside)
    return int(inside.sum())
