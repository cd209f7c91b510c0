"""Which populations a visit lacks, and why: a tube that failed, one that was never drawn, a marker that is absent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from il2cyto.errors import Il2CytoError
from il2cyto.keys import NOT_ESTIMABLE
from il2cyto.steps.gates import strategy_for
from il2cyto.steps.tube import TubeOutcome
from il2cyto.study.model import Study, TubeRecord

if TYPE_CHECKING:
    import pandas as pd

MISSING_COLUMNS = ("subject", "visit", "tube", "tube_id", "strategy", "population", "why", "reason")
TUBE_FAILED, NO_TUBE, NOT_ESTIMABLE_WHY = "tube failed", "no tube", "not estimable"


def missing_populations(study: Study, outcomes: Mapping[str, TubeOutcome], counts: pd.DataFrame) -> pd.DataFrame:
    """Return one row per population that a visit lacks, though the visit took place.

    Parameters
    ----------
    study
        The study.
    outcomes
        What became of each tube.
    counts
        The counts table.

    Returns
    -------
    pandas.DataFrame
        Columns `MISSING_COLUMNS`, by subject, visit and tube type as the study lists them. ``why`` is ``tube failed``,
        ``no tube`` (the sheet has no tube of a type that other subjects have at this visit) or ``not estimable``;
        ``reason`` says more. Of several tubes of one type, each that failed is listed, even if another stands for the
        visit.
    """
    import pandas as pd

    trees = _trees(study)
    lost = counts[counts["status"] == NOT_ESTIMABLE]
    uncounted: dict[tuple[str, str, str], list[tuple[str, ...]]] = {}
    for row in lost[["subject", "visit", "tube", "tube_id", "strategy", "population", "reason"]].itertuples(
        index=False
    ):
        uncounted.setdefault(tuple(row[:3]), []).append((*row[3:6], NOT_ESTIMABLE_WHY, row[6]))
    records: dict[tuple[str, str, str], list[TubeRecord]] = {}
    for record in study.records:
        records.setdefault((record.subject, record.visit, record.tube), []).append(record)
    usual = {(visit, tube) for _, visit, tube in records}
    present = {(subject, visit) for subject, visit, _ in records}
    rows: list[tuple[str, ...]] = []
    # unscheduled visits stand in no plan
    visits = dict.fromkeys([*study.visits, *(record.visit for record in study.records)])
    for subject in study.subjects:
        for visit in visits:
            if (subject, visit) not in present:
                continue
            for tube in study.tubes:
                key = (subject, visit, tube)
                if key not in records and (visit, tube) in usual:
                    why = f"the samples sheet has no tube of type {tube} for this visit, as other subjects have"
                    rows += [(*key, "", strategy, path, NO_TUBE, why) for strategy, path in trees.get(tube, ())]
                for record in records.get(key, ()):
                    told = _failure(outcomes.get(record.tube_id))
                    if told:
                        tree = _tree(record) or trees.get(tube, ())
                        rows += [(*key, record.tube_id, strategy, path, TUBE_FAILED, told) for strategy, path in tree]
                rows += [(*key, *row) for row in uncounted.get(key, ())]
    return pd.DataFrame(rows, columns=list(MISSING_COLUMNS), dtype=object)


def flag_lost_repeats(counts: pd.DataFrame, lacking: pd.DataFrame) -> pd.DataFrame:
    """Return `counts` with the flag ``repeat_failed`` where another tube of the same type and visit failed.

    The row then stands for fewer tubes than the sheet has, or for another one than its rule would take.
    """
    from il2cyto.counts import add_tube_flags

    key = ["subject", "visit", "tube"]
    failed = set(lacking.loc[lacking["why"] == TUBE_FAILED, key].itertuples(index=False, name=None))
    tubes = counts[[*key, "tube_id"]].drop_duplicates().itertuples(index=False, name=None)
    return add_tube_flags(counts, {row[3]: ["repeat_failed"] for row in tubes if row[:3] in failed})


def _failure(outcome: TubeOutcome | None) -> str:
    if outcome is None:
        return "not gated, because an earlier tube failed"
    return outcome.error.public if outcome.error is not None else ""


def _trees(study: Study) -> dict[str, tuple[tuple[str, str], ...]]:
    """Strategy and path of the populations of each tube type, from the first tube whose strategy can be read."""
    found: dict[str, tuple[tuple[str, str], ...]] = {}
    for record in study.records:
        if not found.get(record.tube):
            found[record.tube] = _tree(record)
    return found


def _tree(record: TubeRecord) -> tuple[tuple[str, str], ...]:
    try:
        strategy = strategy_for(record).strategy
    except Il2CytoError:
        return ()
    return tuple((strategy.id, path) for path in strategy.paths)
