"""Everything that can be wrong before anything runs; writes nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from il2cyto.errors import Il2CytoError, Problem
from il2cyto.gating import GatingStrategy
from il2cyto.steps.gates import forget_gates, load_strategies, strategy_for
from il2cyto.steps.overrides import moved_gates
from il2cyto.study.model import Study, TubeRecord
from il2cyto.study.read import inspect_study


@dataclass(frozen=True)
class CheckReport:
    """What a check found: the study if its files can be read, every problem, and notices that stop nothing.

    `moved` has a line for each override of gates in the study folder.
    """

    study: Study | None
    problems: tuple[Problem, ...]
    notices: tuple[Problem, ...]
    moved: tuple[str, ...] = ()


def check(path: str | Path, data_root: Path | None = None) -> CheckReport:
    """Read a study, its strategies and its panels, and fit them together.

    Parameters
    ----------
    path
        ``study.yaml``.
    data_root
        Folder that FCS paths start from, instead of the one that the study names.
    """
    forget_gates()
    inspection = inspect_study(path, data_root=data_root)
    problems, notices = list(inspection.problems), list(inspection.notices)
    if inspection.study is not None:
        wrong, notes = _strategies(inspection.study, Path(path).name)
        problems += wrong
        notices += notes
    moved = moved_gates(inspection.study) if inspection.study is not None and inspection.study.overrides else ()
    return CheckReport(inspection.study, tuple(problems), tuple(notices), tuple(moved))


def _strategies(study: Study, file: str) -> tuple[list[Problem], list[Problem]]:
    problems: list[Problem] = []
    notices: dict[Problem, None] = {}
    seen: set[tuple[Path, Path | None, str]] = set()
    unread: set[tuple[Path, Path | None, str]] = set()
    for record in study.records:
        key = (record.strategy.path, record.panel, record.tube)
        if key in seen:
            continue
        seen.add(key)
        where = f"tubes.{record.tube}"
        try:
            strategies, panel = load_strategies(*key)
        except Il2CytoError as error:
            problems.append(Problem(file, None, where, record.strategy.text, str(error)))
            unread.add(key)
            continue
        for strategy in [s for s in (strategies.default, *strategies.by_file.values()) if s is not None]:
            found = _names(strategy, record.count.beads, "beads") + _names(
                strategy, record.count.population, "population"
            )
            found += _names(strategy, record.count.denominator, "denominator")
            if panel is not None or strategy.panel is not None:
                known = (panel or strategy.panel).markers  # type: ignore[union-attr]  # one of them is given
                found += [
                    f"panel {(panel or strategy.panel).id} lacks marker {name!r}, which a gate asks for"  # type: ignore[union-attr]
                    for name in strategy.markers()
                    if name not in known and name not in strategy.optional and not _looks_like_channel(name)
                ]
            problems += [Problem(file, None, where, record.strategy.text, message) for message in dict.fromkeys(found)]
            notices |= {Problem(file, None, where, record.strategy.text, note): None for note in strategy.notes}
    for name, tube in study.tubes.items():
        source = tube.count.source_tube
        if source is None or tube.count.source_population is None:
            continue
        for record in study.records:
            if record.tube == source:
                try:
                    strategies, _ = load_strategies(record.strategy.path, record.panel, source)
                    strategies.for_file(Path(record.fcs_name).name).resolve(tube.count.source_population)
                except Il2CytoError as error:
                    problems.append(
                        Problem(file, None, f"tubes.{name}.count.from", tube.count.source_population, str(error))
                    )
                break
    readable = [r for r in study.records if (r.strategy.path, r.panel, r.tube) not in unread]
    return [*problems, *_overrides(readable)], list(notices)


def _overrides(records: Sequence[TubeRecord]) -> list[Problem]:
    """What is wrong with overrides of gates, each thing once however many tubes it touches."""
    found: dict[Problem, None] = {}
    for record in [one for one in records if one.overrides]:
        try:
            strategy_for(record)
        except Il2CytoError as error:
            said = _PLACE.fullmatch(str(error))
            if said is not None:  # of a file without gates the run tells
                found |= {Problem(said["file"], int(said["line"]), "", "", said["message"]): None}
    return list(found)


#: How errors of an override name their place.
_PLACE = re.compile(r"(?P<file>overrides/[^/]+\.yaml), line (?P<line>[0-9]+): (?P<message>.*)", re.DOTALL)


def _names(strategy: GatingStrategy, name: str | None, key: str) -> list[str]:
    if name is None:
        return []
    try:
        strategy.resolve(name)
    except Il2CytoError as error:
        return [f"count.{key}: {error}"]
    return []


def _looks_like_channel(name: str) -> bool:
    """Whether a name may be a ``$PnN`` that no panel needs to list, such as FSC-A or Time."""
    return name.casefold() == "time" or name.endswith(("-A", "-H", "-W"))
