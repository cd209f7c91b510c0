"""Which gates a tube gets: those of its strategy for its file, with the overrides of the study that touch it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from il2cyto.exchange import StrategySet, read_strategies
from il2cyto.gating import GatingStrategy
from il2cyto.gating.amend import MovedGate, amend
from il2cyto.panel import Panel
from il2cyto.study.model import GateOverride, TubeRecord


@dataclass(frozen=True)
class TubeGates:
    """The gates of one tube.

    Attributes
    ----------
    strategy, panel
        With the gates of overrides in place.
    moved
        Which gates overrides move or would move.
    overrides
        Hashes of the overrides that touch the tube, for its key.
    """

    strategy: GatingStrategy
    panel: Panel | None
    moved: tuple[MovedGate, ...]
    overrides: tuple[str, ...]


@lru_cache(maxsize=64)
def load_strategies(path: Path, panel: Path | None, tube: str) -> tuple[StrategySet, Panel | None]:
    """Read a strategy and the panel of a tube type, once per process.

    Strategies from an XML file, which has no id inside, are called as the tube type: results carry no file's name.
    """
    own = Panel.from_csv(panel) if panel is not None else None
    return read_strategies(path, own, tube), own


def strategy_for(record: TubeRecord) -> TubeGates:
    """Return the gates of the tube of one row.

    Raises
    ------
    StrategyError, PanelError, CompensationError, GatingMLError
        If the strategy, an override or the panel cannot be read, or they do not fit each other.
    """
    strategies, _ = load_strategies(record.strategy.path, record.panel, record.tube)
    name = Path(record.fcs_name).name
    own = name if name in strategies.by_file else None
    if own is None:
        # says what is wrong where a file without gates needs some
        strategies.for_file(name)
    return _gates(record.strategy.path, record.panel, record.tube, own, record.overrides)


@lru_cache(maxsize=256)
def _gates(
    path: Path, panel: Path | None, tube: str, own: str | None, overrides: tuple[GateOverride, ...]
) -> TubeGates:
    strategies, read = load_strategies(path, panel, tube)
    strategy = strategies.for_file(own or "")
    amended, moved = amend(strategy, overrides, strategies.default)
    return TubeGates(amended, read, moved, tuple(one.content_hash for one in overrides))


def forget_gates() -> None:
    """Read every strategy anew from here on: in a notebook its files may have changed since the last run."""
    load_strategies.cache_clear()
    _gates.cache_clear()
