"""The table of an outcome as people read it: arms side by side, visit by visit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import pandas as pd

from il2cyto.outcomes.events import AFTER, TREATED, WHOLE
from il2cyto.outcomes.measure import (
    ADJUSTED,
    ADJUSTED_DIFFERENCE,
    ANCOVA,
    EVENTS,
    MCNEMAR,
    OVERLAP,
    OVERLAP_SHARE,
    RANKS,
    RATE,
    RATE_RATIO,
    SHARE,
    SHARE_DIFFERENCE,
    SHIFT,
    VALUE,
    Measure,
)
from il2cyto.outcomes.people import People
from il2cyto.outcomes.typeset import Typeset
from il2cyto.report.numbers import NOTHING, is_missing, three_digits
from il2cyto.study import outcomes as kinds
from il2cyto.study.model import Study
from il2cyto.study.outcomes import Outcome

Cells = Mapping[tuple[str, ...], Mapping[str, Any]]

NOT_RANDOMISED: Final = (
    "The arms were not randomised: a difference between them may have causes other than the treatment."
)
_MOST_REASONS: Final = 6
_FAMILY: Final = (
    "p (Holm): adjusted over the key comparisons of all registered outcomes of study.yaml, which are named there "
    "before the data are read."
)


def print_outcome(
    study: Study, people: People, outcome: Outcome, table: pd.DataFrame, measures: Sequence[Measure]
) -> Typeset:
    """Set the table of an outcome.

    Parameters
    ----------
    study, people, outcome
        Words and arms.
    table
        Its rows, columns `il2cyto.outcomes.measure.COLUMNS`.
    measures
        Its parameters; empty for events and changed subjects, whose rows tell them.
    """
    labels = {visit.id: visit.label for visit in study.visits.values()}
    if outcome.kind == kinds.EVENTS:
        columns, rows, notes = _events(people, table)
    elif outcome.kind == kinds.CHANGED:
        columns, rows, notes = _changed(people, outcome, table, labels)
    else:
        columns, rows, notes = _numbers(people, outcome, table, measures, labels)
    arms = "; ".join(f"{arm}: {study.arms[arm].label}" for arm in people.arm_names)
    counts = ", ".join(f"{arm} {int((people.arms == arm).sum())}" for arm in people.arm_names)
    notes = [
        f"Population: all {len(people.subjects)} subjects of the study ({counts}). {arms}.",
        *notes,
        *_reasons(table),
        *([_FAMILY] if (table["family"] != "").any() else []),
        NOT_RANDOMISED,
    ]
    role = "registered" if outcome.registered else "not of the registered family"
    subtitle = f"{study.title}: {outcome.role} outcome {outcome.id} ({role})"
    return Typeset(outcome.label, subtitle, tuple(columns), tuple(rows), tuple(notes))


def _reasons(table: pd.DataFrame) -> list[str]:
    """Say why numbers of the table are not estimable, each reason once with the rows that it stands for."""
    lost = table[table["status"] != "estimated"]
    told = lost.groupby("reason", sort=False).size()
    shown = [f"{reason} ({n} of the rows)" for reason, n in told.items()][:_MOST_REASONS]
    more = [f"{len(told) - len(shown)} further reasons stand in the tidy table"] if len(told) > len(shown) else []
    return [f"Not estimable: {'; '.join([*shown, *more])}."] if shown else []


def _short(code: str) -> str:
    """A population by its name and strategy; the tidy table has the whole path.

    Examples
    --------
    >>> _short("treg:singlets/live/CD4/Treg"), _short("IL-6")
    ('Treg (treg)', 'IL-6')
    """
    strategy, found, path = code.partition(":")
    return f"{path.rsplit('/', 1)[-1]} ({strategy})" if found else code


def _index(table: pd.DataFrame) -> dict[tuple[str, ...], dict[str, Any]]:
    keys = ("parameter", "analysis", "category", "arm", "visit")
    return {
        tuple(row[key] for key in keys): {str(name): cell for name, cell in row.items()}
        for row in table.to_dict("records")
    }


def _against(pair: str) -> str:
    """An arm and its reference in words: a difference is no quotient."""
    return " against ".join(pair.split(" / "))


def _pairs(people: People) -> list[str]:
    if people.reference not in people.arm_names:
        return []
    return [f"{arm} / {people.reference}" for arm in people.arm_names if arm != people.reference]


def _numbers(
    people: People, outcome: Outcome, table: pd.DataFrame, measures: Sequence[Measure], labels: Mapping[str, str]
) -> tuple[list[str], list[tuple[str, ...]], list[str]]:
    """Mean and adjusted change of every visit, then the comparisons of the key visit and the classes."""
    found, pairs = _index(table), _pairs(people)
    columns = ["Visit"]
    for arm in people.arm_names:
        columns += [f"{arm}: n; mean (SD)", f"{arm}: adjusted change (95 % interval)"]
    columns += [word for pair in pairs for word in (f"{_against(pair)} (95 % interval)", "p", "p (Holm)")]
    rows: list[tuple[str, ...]] = []
    for one in measures:
        rows.append((f"{one.label}, {one.unit}" + (" (changes as ratios)" if one.logarithm else ""),))
        for visit in people.visits:
            cells = [labels.get(visit, visit)]
            for arm in people.arm_names:
                cells += [_mean(found.get((one.code, VALUE, "", arm, visit))),
                          _interval(found.get((one.code, ADJUSTED, "", arm, visit)))]  # fmt: skip
            for pair in pairs:
                row = found.get((one.code, ADJUSTED_DIFFERENCE, "", pair, visit))
                cells += [_interval(row), _p(row), NOTHING]
            rows.append(tuple(cells))
        rows += _comparisons(found, one, people, outcome, pairs, labels)
        rows += _class_rows(found, one, people, outcome, pairs, labels)
    notes = [
        "Value: n of subjects with one, mean (SD); median [quartiles] where some values are known as limits only.",
        "Adjusted change: marginal mean of a mixed model for repeated measures (REML); its formula, covariance and "
        f"degrees of freedom stand in {outcome.id}.csv under `method`.",
        "Missing visits are taken as missing at random given the values of the visits before; none is filled in.",
        *(f"{one.label}: {'; '.join(one.notes)}." for one in measures if one.notes),
    ]
    return columns, rows, notes


def _comparisons(
    found: Cells, one: Measure, people: People, outcome: Outcome, pairs: Sequence[str], labels: Mapping[str, str]
) -> list[tuple[str, ...]]:
    at = labels.get(outcome.visit, outcome.visit)
    told = ((ANCOVA, f"{at}: analysis of covariance"), (RANKS, f"{at}: ranks"), (OVERLAP, f"{at}: overlap weights"))
    rows = []
    for analysis, words in told:
        cells = [words, *[NOTHING] * (2 * len(people.arm_names))]
        there = [found.get((one.code, analysis, "", pair, outcome.visit)) for pair in pairs]
        if not any(there):
            continue
        for row in there:
            told_as = _interval(row)
            if analysis == RANKS and row is not None and row["status"] == "estimated":
                told_as = f"P(larger change) {row['estimate']:.2f}"
            cells += [told_as, _p(row), _holm(row)]
        rows.append(tuple(cells))
    return rows


def _class_rows(
    found: Cells, one: Measure, people: People, outcome: Outcome, pairs: Sequence[str], labels: Mapping[str, str]
) -> list[tuple[str, ...]]:
    """Shares of the classes at each visit, and the shifts up to the key visit."""
    if one.classes is None:
        return []
    blank = [NOTHING] * (3 * len(pairs))
    rows = []
    for visit in people.visits:
        for name in one.order:
            there = [found.get((one.code, SHARE, name, arm, visit)) for arm in people.arm_names]
            if any(row is not None and row["n"] for row in there):
                cells = [f"{labels.get(visit, visit)}: {name}"]
                for row in there:
                    cells += [_share(row), NOTHING]
                rows.append((*cells, *blank))
    for first in one.order:
        for second in one.order:
            there = [
                found.get((one.code, SHIFT, f"{first} > {second}", arm, outcome.visit)) for arm in people.arm_names
            ]
            if first != second and any(row is not None and row["n"] for row in there):
                at = labels.get(outcome.visit, outcome.visit)
                cells = [f"Shift to {at}: {first} to {second}"]
                for row in there:
                    cells += [NOTHING if row is None else f"{row['n']} of {row['of']}", NOTHING]
                rows.append((*cells, *blank))
    tests = [
        next(
            (row for key, row in found.items() if key[:2] == (one.code, MCNEMAR) and key[3:] == (arm, outcome.visit)),
            None,
        )
        for arm in people.arm_names
    ]
    if any(row is not None and row["n"] for row in tests):
        cells = [f"{labels.get(outcome.visit, outcome.visit)}: McNemar, {one.normal} or not"]
        for row in tests:
            cells += [NOTHING if row is None else f"{row['category']}; p {three_digits(row['p_value'])}", NOTHING]
        rows.append((*cells, *blank))
    return rows


def _changed(
    people: People, outcome: Outcome, table: pd.DataFrame, labels: Mapping[str, str]
) -> tuple[list[str], list[tuple[str, ...]], list[str]]:
    found, pairs = _index(table), _pairs(people)
    columns = ["Visit"]
    for arm in people.arm_names:
        columns += [f"{arm}: increased", f"{arm}: decreased", f"{arm}: p (sign)"]
    columns += [
        word for pair in pairs
        for word in (f"{_against(pair)}: increased, points", "p (Fisher)", "p (Holm)", "overlap-weighted, points", "p")
    ]  # fmt: skip
    rows: list[tuple[str, ...]] = []
    for code, unit in dict.fromkeys(zip(table["parameter"], table["unit"], strict=True)):
        rows.append((f"{_short(code)}, {unit}",))
        for visit in people.visits[1:]:
            cells = [labels.get(visit, visit)]
            for arm in people.arm_names:
                up = found.get((code, SHARE, "increased", arm, visit))
                cells += [_share(up), _share(found.get((code, SHARE, "decreased", arm, visit))), _p(up)]
            for pair in pairs:
                row = found.get((code, SHARE_DIFFERENCE, "increased", pair, visit))
                weighted = found.get((code, OVERLAP_SHARE, "increased", pair, visit))
                cells += [_interval(row), _p(row), _holm(row), _interval(weighted), _p(weighted)]
            rows.append(tuple(cells))
    notes = [
        f"Definition of change: {outcome.rule.name}; {outcome.id}_subjects.csv has the ratio of every subject and its "
        "limits.",
        "Shares: n of evaluable subjects, percent with exact 95 % limits (Clopper-Pearson). Differences in percentage "
        f"points at {labels.get(outcome.visit, outcome.visit)}: Newcombe's limits and Fisher's exact test, unadjusted; "
        "beside them with overlap weights of age, sex and diagnosis.",
        "Subjects without a sample at the visit or at baseline are not evaluable. Values below a limit of "
        "quantification are judged where every value that they may have says the same.",
        "p (sign): exact sign test of increased against decreased; regression to the mean is not taken out.",
    ]  # fmt: skip
    return columns, rows, notes


def _events(people: People, table: pd.DataFrame) -> tuple[list[str], list[tuple[str, ...]], list[str]]:
    found, pairs = _index(table), _pairs(people)
    columns = ["Class"]
    for arm in people.arm_names:
        columns += [f"{arm}: subjects", f"{arm}: events", f"{arm}: per year (95 % interval)"]
    columns += [
        word for pair in pairs for word in (f"{pair}: rate ratio (95 % interval)", "p", "p of subjects (Fisher)")
    ]
    rows = []
    periods = ((WHOLE, ""), (TREATED, ", first to last dose"), (AFTER, ", after the last dose"))
    for code in dict.fromkeys(table["parameter"]):
        for period, words in periods:
            cells = [f"{code}{words}"]
            there = False
            for arm in people.arm_names:
                count, rate = (found.get((code, name, period, arm, "")) for name in (EVENTS, RATE))
                there = there or (count is not None and (period == WHOLE or bool(count["estimate"])))
                cells += [
                    _share(found.get((code, SHARE, period, arm, ""))),
                    NOTHING if count is None else f"{count['estimate']:.0f}", _interval(rate),
                ]  # fmt: skip
            for pair in pairs:
                ratio = found.get((code, RATE_RATIO, period, pair, ""))
                cells += [_interval(ratio), _p(ratio), _p(found.get((code, SHARE_DIFFERENCE, period, pair, "")))]
            if there:
                rows.append(tuple(cells))
    notes = [
        "Events that began on study day 1 or later. Subjects: n of those under observation, percent with exact limits.",
        "Rates: events per year from study day 1 to the last day on which something is known of a subject, exact "
        "Poisson limits; rate ratios by the exact conditional test, which takes events of one subject as independent.",
        "Arms differ in contacts: events are recorded more often where subjects are seen more often.",
    ]
    return columns, rows, notes


def _mean(row: Mapping[str, Any] | None) -> str:
    if row is None or row["status"] != "estimated":
        return NOTHING
    if is_missing(row["estimate"]):
        spread = f"{three_digits(row['q1'])}, {three_digits(row['q3'])}"
        return f"{row['n']}; {three_digits(row['median'])} [{spread}]"
    sd = "" if is_missing(row["sd"]) else f" ({three_digits(row['sd'])})"
    return f"{row['n']}; {signed(row['estimate'], plus=False)}{sd}"


def _interval(row: Mapping[str, Any] | None) -> str:
    if row is None:
        return NOTHING
    if row["status"] != "estimated":
        return "not estimable"
    low, high = (signed(row[name], plus=False) if not is_missing(row[name]) else "" for name in ("lower", "upper"))
    if is_missing(row["estimate"]):
        return f"({low} to {high or 'no limit'})"
    return signed(row["estimate"], plus=False) + (f" ({low} to {high or 'no limit'})" if low or high else "")


def _share(row: Mapping[str, Any] | None) -> str:
    if row is None or row["status"] != "estimated":
        return NOTHING if row is None else "not estimable"
    return f"{row['n']} of {row['of']} ({row['estimate']:.0f} %; {row['lower']:.0f} to {row['upper']:.0f})"


def _p(row: Mapping[str, Any] | None) -> str:
    return NOTHING if row is None or is_missing(row["p_value"]) else p_value(row["p_value"])


def _holm(row: Mapping[str, Any] | None) -> str:
    return NOTHING if row is None or is_missing(row["p_adjusted"]) else p_value(row["p_adjusted"])


def p_value(value: float) -> str:
    """Print a p-value: three decimals, never 0.

    Examples
    --------
    >>> p_value(0.0312), p_value(0.00002), p_value(1.0)
    ('0.031', '<0.001', '1.000')
    """
    return "<0.001" if value < 0.0005 else f"{value:.3f}"


def signed(value: float, *, plus: bool = True) -> str:
    """Print a number of either sign with three significant digits and a real minus.

    Examples
    --------
    >>> signed(-1.2345), signed(0.5), signed(0.5, plus=False)
    ('−1.23', '+0.500', '0.500')
    """
    text = three_digits(abs(value))
    return f"−{text}" if value < 0 and text != "0" else f"+{text}" if plus and value > 0 else text


def print_baseline(study: Study, people: People, table: pd.DataFrame) -> Typeset:
    """Set Table 1: the arms before treatment."""
    others = [arm for arm in people.arm_names if arm != people.reference]
    heads = [f"{arm} (n = {int((people.arms == arm).sum())})" for arm in people.arm_names]
    rows: list[tuple[str, ...]] = []
    over = None
    for (name, category, unit), group in table.groupby(["characteristic", "category", "unit"], sort=False):
        found = {str(row["arm"]): row for row in group.to_dict("records")}
        if category and name != over:
            rows.append((str(name),))
        over = name
        words = str(category) or f"{name}, {unit}"
        cells = [_at_baseline(found.get(arm), bool(category)) for arm in people.arm_names]
        smd = [found[arm]["standardised_difference"] if arm in found else float("nan") for arm in others]
        rows.append((words, *cells, *(NOTHING if is_missing(one) else signed(one) for one in smd)))
    notes = (
        f"Population: all {len(people.subjects)} subjects of the study. Numbers: mean (SD), median [quartiles], and n "
        "where it is not everybody; classes: n (percent).",
        "Standardised difference: from the reference arm, in standard deviations; beyond 0.25 arms are commonly called "
        "unbalanced. No p-value: arms that were not randomised differ, and a test would tell the number of subjects.",
        NOT_RANDOMISED,
    )
    columns = ("Characteristic", *heads, *(f"{arm} / {people.reference}: std. difference" for arm in others))
    return Typeset("Baseline characteristics", study.title, columns, tuple(rows), notes)


def _at_baseline(row: Mapping[Any, Any] | None, is_class: bool) -> str:
    if row is None or not row["of"]:
        return NOTHING
    if is_class:
        return f"{row['n']} ({row['percent']:.0f} %)"
    if not row["n"]:
        return NOTHING
    sd = "" if is_missing(row["sd"]) else f" ({three_digits(row['sd'])})"
    quartiles = f"{three_digits(row['median'])} [{three_digits(row['q1'])}, {three_digits(row['q3'])}]"
    some = f"; n = {row['n']}" if row["n"] < row["of"] else ""
    return f"{three_digits(row['mean'])}{sd}; {quartiles}{some}"


def print_flow(study: Study, table: pd.DataFrame) -> Typeset:
    """Set the numbers of the flow of subjects."""
    columns = ("Visit", "expected", "with a sample", "apart from the analysis", "analysed", "missing")
    rows: list[tuple[str, ...]] = []
    for _, group in table.groupby("arm", sort=False):
        first = group.iloc[0]
        dosed = f", {first['doses']} with doses" if first["doses"] else ""
        rows.append((f"{first['label']}: n = {first['expected']}{dosed}",))
        rows += [
            (
                str(row["visit_label"]),
                *(str(row[name]) for name in ("expected", "sampled", "apart", "analysed", "missing")),
            )
            for row in group.to_dict("records")
        ]
    notes = (
        "Samples of cells. Apart: out of the window, too long after a dose, or after a change to the study treatment.",
        "Missing: no sample, for whatever reason; the samples sheet does not tell reasons.",
    )
    return Typeset("Flow of subjects", study.title, columns, tuple(rows), notes)


def print_queries(study: Study, table: pd.DataFrame) -> Typeset:
    """Set the questions about items of scores."""
    rows = tuple(
        (f"{row['subject']}, {row['visit']}", str(row["item"]).replace("_", " "),
         "present" if row["marked"] else "absent", str(row["laboratory"]))
        for row in table.to_dict("records")
    )  # fmt: skip
    notes = (
        "Each line is a question to the person who filled in the form. Nothing was corrected: items need attribution "
        "to the disease, and scores are those of the form as it stands.",
    )
    columns = ("Subject, visit", "item", "marked", "laboratory (reference range)")
    return Typeset("Items against laboratory values", study.title, columns, rows, notes)
