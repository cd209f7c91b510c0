"""Numbers of subjects that changed, one row per population or analyte and visit, the arms side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import pandas as pd

from il2cyto.report.inputs import Visit
from il2cyto.report.numbers import NOTHING, is_missing, three_digits, words
from il2cyto.report.tables import TextTable

#: Any difference at all says nothing: half of all subjects increase without an effect.
_LEAST: Final = "any"


def changed_table(changed: pd.DataFrame, visits: Sequence[Visit]) -> TextTable | None:
    """Print the subjects that changed by the first rule that can be used, ``any`` last; ``None`` without rows.

    Parameters
    ----------
    changed
        From `il2cyto.models.changed_subjects`.
    visits
        Labels of the visits.
    """
    told = changed[changed["status"] == "estimated"]
    rules = sorted(dict.fromkeys(told["rule"]), key=lambda rule: rule == _LEAST)
    if not rules:
        return None
    told = told[told["rule"] == rules[0]]
    within = told[told["contrast"] == "within_arm"]
    arms = sorted(set(within["arm"]))
    versus = list(dict.fromkeys(told.loc[told["contrast"] == "arm_difference", "arm"]))
    labels = {visit.id: visit.label for visit in visits}
    heads = [f"{arm}: {word}" for arm in arms for word in ("increased", "decreased", "since dose")]
    heads += [f"{pair}: increased, points" for pair in versus]
    rows = []
    for (strategy, population, visit), group in told.groupby(
        ["strategy", "population", "visit"], sort=False, dropna=False
    ):
        found = {(row["contrast"], row["arm"]): row for row in group.to_dict("records")}
        cells = [part for arm in arms for part in _arm(found.get(("within_arm", arm)))]
        cells += [_difference(found.get(("arm_difference", pair))) for pair in versus]
        # the parent tells populations of one name apart
        name = "/".join(words(population).split("/")[-2:])
        rows.append((words(strategy), name, words(labels.get(str(visit), visit)), *cells))
    return TextTable(f"rule: {rules[0]}", ("strategy", "population", "visit", *heads), tuple(rows))


def _arm(row: dict[str, Any] | None) -> tuple[str, str, str]:
    if row is None:
        return NOTHING, NOTHING, NOTHING
    open_ = f", {row['n_undetermined']} undetermined" if row["n_undetermined"] else ""
    shares = (
        f"{row[f'n_{word}']} of {row['n_evaluable']} ({row[f'{word}_percent']:.0f} %, {row[f'{word}_lower']:.0f}–"
        f"{row[f'{word}_upper']:.0f})"
        for word in ("increased", "decreased")
    )
    increased, decreased = shares
    days = NOTHING
    if not is_missing(row["DSLD_median"]):
        days = f"{row['DSLD_median']:.0f} d ({row['DSLD_min']:.0f}–{row['DSLD_max']:.0f})"
    return increased + open_, decreased, days


def _difference(row: dict[str, Any] | None) -> str:
    if row is None:
        return NOTHING
    limits = f"{row['increased_lower']:+.0f} to {row['increased_upper']:+.0f}"
    return f"{row['increased_percent']:+.0f} ({limits}), p {three_digits(row['p_increased'])}"
