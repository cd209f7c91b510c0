"""Count a workspace's populations again, and compare with the counts that its program stored in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from il2cyto.errors import Il2CytoError, StrategyError
from il2cyto.exchange.flowjo.model import Workspace, WorkspaceSample
from il2cyto.fcs import read_fcs
from il2cyto.sample import Sample

Verdict = Literal["same", "within", "differs", "not stored", "not estimable", "failed"]

#: What may differ and still be called the same gate: events, or the share of the program's count.
MOST_EVENTS, MOST_SHARE = 2, 0.005


@dataclass(frozen=True)
class Recount:
    """One population of one sample.

    Attributes
    ----------
    count, stored
        Our count and the program's; ``None`` where there is none.
    verdict
        ``same``; ``within`` 2 events or 0.5 % of the program's count; ``differs``; ``not stored`` where it never
        counted; ``not estimable``; ``failed`` where the file could not be gated, in a row for the whole sample.
    reason
        Why there is no count, or what to know of the file.
    """

    sample: str
    file: str
    population: str
    count: int | None
    stored: int | None
    verdict: Verdict
    reason: str = ""

    @property
    def difference(self) -> int | None:
        """Our count less the program's."""
        return None if self.count is None or self.stored is None else self.count - self.stored


def judge(count: int | None, stored: int | None) -> Verdict:
    """Compare two counts.

    Examples
    --------
    >>> judge(100, 100), judge(102, 100), judge(103, 100), judge(1005, 1000), judge(5, None)
    ('same', 'within', 'differs', 'within', 'not stored')
    """
    if count is None:
        return "not estimable"
    if stored is None:
        return "not stored"
    if count == stored:
        return "same"
    return "within" if abs(count - stored) <= max(MOST_EVENTS, MOST_SHARE * stored) else "differs"


def recount(workspace: Workspace, files: Iterable[Path]) -> Iterator[Recount]:
    """Gate files by the trees of a workspace.

    Parameters
    ----------
    workspace
        As read, with the binning that its gates shall have.
    files
        FCS files. Each is matched with a sample by its name, or else by its ``$FIL``.

    Yields
    ------
    A row for each population, in the order of the files and the tree; one row of verdict ``failed`` for a file that
    cannot be read or gated, or that no sample matches.
    """
    for path in files:
        sample: WorkspaceSample | None = None
        try:
            events = read_fcs(path)
            sample = _matching(workspace, path, events)
            result = sample.strategy.apply(events)
        except Il2CytoError as error:
            name = sample.name if sample is not None else ""
            yield Recount(name, path.name, "", None, None, "failed", str(error))
            continue
        if sample.n_events is not None and sample.n_events != events.n_events:
            reason = (
                f"the file holds {events.n_events} events, {workspace.program} counted {sample.n_events}: another file?"
            )
            yield Recount(sample.name, path.name, "", events.n_events, sample.n_events, "differs", reason)
        for row in result.counts.itertuples():
            stored = sample.counts[str(row.population)]
            count = None if row.status != "estimated" else int(str(row.count))
            verdict = judge(count, stored)
            yield Recount(sample.name, path.name, str(row.population), count, stored, verdict, str(row.reason))


def _matching(workspace: Workspace, path: Path, events: Sample) -> WorkspaceSample:
    try:
        return workspace.for_file(path.name)
    except StrategyError:
        named = events.keywords.get("$FIL", "").strip()
        if named in workspace.by_file():
            return workspace.for_file(named)
        raise
