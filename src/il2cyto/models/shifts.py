"""Shifts of subjects across the reference range of a population, by arm and visit."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pandas as pd

from il2cyto.models.exact import benjamini_hochberg, clopper_pearson, sign_test

#: Places of a count in its range, in order.
PLACES: Final = ("below", "within", "above")
SHIFT_COLUMNS: Final = (
    "strategy", "population", "range", "arm", "visit", "n_evaluable",
    *(f"n_{before}_{after}" for before in PLACES for after in PLACES),
    "n_increased", "n_decreased", "n_to_range", "n_from_range", "to_range_percent", "to_range_lower", "to_range_upper",
    "p_mcnemar", "p_adjusted", "test",
)  # fmt: skip
_TEST: Final = (
    "McNemar's exact test of within the range or not; P10 to P90 leaves 20 % of healthy children outside, and "
    "regression to the mean is not taken out"
)


def range_shifts(trial: pd.DataFrame, baseline: str | None) -> pd.DataFrame:
    """Count the subjects of each arm by where their counts lie in the reference range at baseline and at a visit.

    The range is that of the age at baseline for every visit (`il2cyto.counts.trial_table`), so that nobody shifts by
    growing older.

    Parameters
    ----------
    trial
        From `il2cyto.counts.trial_table`: ``USUBJID, ARM, AVISIT, AVISITN, ANL01FL, strategy, population,
        reference_place, reference_source``.
    baseline
        Baseline visit; without one (``None``) the table is empty.

    Returns
    -------
    pandas.DataFrame
        Columns `SHIFT_COLUMNS`, one row per population with ranges, arm and later visit. ``n_below_within`` were below
        at baseline and are within at the visit. ``n_increased``: to a higher place. ``to_range_percent``: share of the
        evaluable who came into the range, with exact limits. ``p_adjusted`` is Benjamini and Hochberg's over the
        populations of an arm and visit.
    """
    known = trial[trial["reference_place"].isin(PLACES) & (trial["ANL01FL"] == "Y")]
    rows: list[dict[str, Any]] = []
    keys = ["strategy", "population"]
    for (strategy, population), own in known.groupby(keys, sort=False, observed=True):
        first = own[own["AVISIT"] == baseline].set_index("USUBJID")["reference_place"]
        number = own.loc[own["AVISIT"] == baseline, "AVISITN"]
        if first.empty:
            continue
        later = own[own["AVISITN"] > number.iloc[0]].sort_values("AVISITN", kind="stable")
        sources = sorted({str(one) for one in own["reference_source"]})
        for (visit, arm), here in later.groupby(["AVISIT", "ARM"], sort=False, observed=True):
            pairs = [
                (str(first[subject]), str(place))
                for subject, place in zip(here["USUBJID"], here["reference_place"], strict=True)
                if subject in first.index
            ]
            if pairs:
                about = {"strategy": strategy, "population": population, "range": "; ".join(sources)}
                rows.append({**about, "arm": arm, "visit": visit, **_row(pairs)})
    table = pd.DataFrame(rows, columns=list(SHIFT_COLUMNS))
    table["p_adjusted"] = table.groupby(["arm", "visit"], sort=False)["p_mcnemar"].transform(benjamini_hochberg)
    whole = [name for name in SHIFT_COLUMNS if name.startswith("n_")]
    typed: pd.DataFrame = table.astype(dict.fromkeys(whole, np.int64))
    return typed


def _row(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    counted = {f"n_{before}_{after}": pairs.count((before, after)) for before in PLACES for after in PLACES}
    order = {place: i for i, place in enumerate(PLACES)}
    into = sum(before != "within" and after == "within" for before, after in pairs)
    out = sum(before == "within" and after != "within" for before, after in pairs)
    low, high = clopper_pearson(into, len(pairs))
    return {
        "n_evaluable": len(pairs),
        **counted,
        "n_increased": sum(order[after] > order[before] for before, after in pairs),
        "n_decreased": sum(order[after] < order[before] for before, after in pairs),
        "n_to_range": into,
        "n_from_range": out,
        "to_range_percent": 100 * into / len(pairs),
        "to_range_lower": 100 * low,
        "to_range_upper": 100 * high,
        "p_mcnemar": sign_test(into, out),
        "test": _TEST,
    }
