"""Which gates a tube gets: those of its strategy for its file, as learnt, with the overrides that touch it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from il2cyto.autogate.events import Teacher, thinned
from il2cyto.autogate.learn import Learnt, learn_tube
from il2cyto.autogate.learnt import LearntGate
from il2cyto.autogate.order import tasks
from il2cyto.autogate.places import place, still_learnt
from il2cyto.exchange import StrategySet, read_strategies
from il2cyto.gating import GatingStrategy
from il2cyto.gating.amend import MovedGate, amend
from il2cyto.gating.dropped import without_absent
from il2cyto.panel import Panel
from il2cyto.sample import Sample
from il2cyto.steps.learntfile import read_learnt
from il2cyto.study.model import GateOverride, LearntFile, TubeRecord

#: Events of a tube that its own gates are learnt from.
OWN_EVENTS = 20_000


@dataclass(frozen=True)
class TubeGates:
    """The gates of one tube.

    Attributes
    ----------
    strategy, panel
        With learnt gates and those of overrides in place.
    moved
        Which gates overrides move or would move.
    overrides
        Hashes of the overrides that touch the tube, for its key.
    drawn
        The strategy before anything was learnt or moved.
    learnt
        What became of each rule; empty where nothing is learnt.
    """

    strategy: GatingStrategy
    panel: Panel | None
    moved: tuple[MovedGate, ...]
    overrides: tuple[str, ...]
    drawn: GatingStrategy
    learnt: tuple[LearntGate, ...] = ()

    @property
    def own_rules(self) -> bool:
        """Whether some of its gates are learnt from the tube itself."""
        return any(gate.scope == "tube" for gate in self.learnt)


@lru_cache(maxsize=64)
def load_strategies(path: Path, panel: Path | None, tube: str) -> tuple[StrategySet, Panel | None]:
    """Read a strategy and the panel of a tube type, once per process.

    Strategies from an XML file, which has no id inside, are called as the tube type: results carry no file's name.
    Nothing is learnt of populations on markers that the panel is known to lack.
    """
    own = Panel.from_csv(panel) if panel is not None else None
    found = read_strategies(path, own, tube)

    def learnable(strategy: GatingStrategy) -> GatingStrategy:
        return without_absent(strategy, own or strategy.panel)

    default = None if found.default is None else learnable(found.default)
    return replace(found, default=default, by_file={file: learnable(one) for file, one in found.by_file.items()}), own


def strategy_for(record: TubeRecord) -> TubeGates:
    """Return the gates of the tube of one row; those that it learns from itself stand where the template has them.

    Raises
    ------
    StrategyError, PanelError, CompensationError, GatingMLError
        If the strategy, an override or the panel cannot be read, or they do not fit each other.
    OutputError
        If the file of learnt gates is damaged.
    """
    strategies, _ = load_strategies(record.strategy.path, record.panel, record.tube)
    name = Path(record.fcs_name).name
    own = name if name in strategies.by_file else None
    if own is None:
        # says what is wrong where a file without gates needs some
        strategies.for_file(name)
    unit = (record.subject, record.batch or "") if record.learnt is not None else ("", "")
    return _gates(record.strategy.path, record.panel, record.tube, own, record.overrides, record.learnt, unit)


def gates_in_batch(record: TubeRecord, batch: str) -> TubeGates:
    """Return the gates that a tube of the kind of `record` has in a batch: nobody's own, and without overrides."""
    return _gates(record.strategy.path, record.panel, record.tube, None, (), record.learnt, ("", batch))


@lru_cache(maxsize=256)
def _gates(
    path: Path,
    panel: Path | None,
    tube: str,
    own: str | None,
    overrides: tuple[GateOverride, ...],
    file: LearntFile | None,
    unit: tuple[str, str],
) -> TubeGates:
    strategies, read = load_strategies(path, panel, tube)
    drawn = strategies.for_file(own or "")
    gates: tuple[LearntGate, ...] = ()
    if file is not None:
        learnt = _learnt(drawn, file)
        gates = tuple(learnt.gate(task, "", *unit) for task in tasks(drawn))
    known = [gate for gate in gates if gate.scope != "tube"]
    amended, moved = amend(place(drawn, still_learnt(drawn, known)), overrides, strategies.default)
    return TubeGates(amended, read, moved, tuple(one.content_hash for one in overrides), drawn, gates)


def _learnt(drawn: GatingStrategy, file: LearntFile) -> Learnt:
    found = read_learnt(file)
    return Learnt(drawn, {(gate.kind, gate.name, gate.scope, gate.unit): gate for gate in found})


def with_own(record: TubeRecord, gates: TubeGates, sample: Sample) -> TubeGates:
    """Return the gates of a tube with those that it learns from itself.

    Parameters
    ----------
    record
        The row of the samples sheet.
    gates
        From `strategy_for`.
    sample
        The file of the tube.

    Raises
    ------
    StrategyError
        If an override does not fit.
    """
    if not gates.own_rules or record.learnt is None:
        return gates
    strategies, _ = load_strategies(record.strategy.path, record.panel, record.tube)
    teacher = Teacher(record.tube_id, record.batch or "", "sample", thinned(sample, OWN_EVENTS), record.subject)
    placed, learnt = learn_tube(gates.drawn, teacher, _learnt(gates.drawn, record.learnt))
    amended, moved = amend(placed, record.overrides, strategies.default)
    return replace(gates, strategy=amended, moved=moved, learnt=learnt)


def forget_gates() -> None:
    """Read every strategy anew from here on: in a notebook its files may have changed since the last run."""
    load_strategies.cache_clear()
    _gates.cache_clear()
    read_learnt.cache_clear()
