"""Numbers of subjects whose cells or serum changed, the arms compared at the key visit, and the subjects behind."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from il2cyto.counts.tree import matches
from il2cyto.errors import did_you_mean
from il2cyto.keys import NOT_ESTIMABLE
from il2cyto.models.changed import ABSENT, DOWN, UNDETERMINED, UP, Pairs, pairs_of, steps_of
from il2cyto.models.exact import sign_test
from il2cyto.outcomes.compare import share, share_differences
from il2cyto.outcomes.measure import SHARE, SHARE_DIFFERENCE, Measure, Row, row
from il2cyto.outcomes.people import People
from il2cyto.study.model import Study
from il2cyto.study.outcomes import Outcome

if TYPE_CHECKING:
    from anndata import AnnData

INCREASED, DECREASED, UNCHANGED = "increased", "decreased", "unchanged"
_WORDS = {UP: INCREASED, DOWN: DECREASED, 0: UNCHANGED, UNDETERMINED: "undetermined"}


def changed_rows(
    study: Study, people: People, outcome: Outcome, visits: AnnData, serum: AnnData | None, baseline: str | None
) -> tuple[list[Row], pd.DataFrame]:
    """Count changed subjects of every population and analyte of an outcome.

    Parameters
    ----------
    study, people, outcome
        Definitions and subjects.
    visits, serum
        What is analysed, as for `il2cyto.models.changed_subjects`.
    baseline
        ``None`` where no sample of it is there: nothing is told then.

    Returns
    -------
    list, pandas.DataFrame
        Rows of the outcome, and one row per subject, visit and parameter with its ratio, limits and what it counts as.
    """
    rows: list[Row] = []
    subjects: list[tuple[object, ...]] = []
    names = ["subject", "arm", "visit", "parameter", "unit", "ratio", "ratio_up", "ratio_down", "counts_as"]
    if baseline is not None:
        paths = [str(path) for path in visits.var["population"]]
        known = [name for name in outcome.populations if any(matches(path, name) for path in paths)]
        analytes = set() if serum is None else set(map(str, serum.var_names))
        rows += _unknown(outcome, people, set(outcome.populations) - set(known), visits.var["name"], "population")
        rows += _unknown(outcome, people, set(outcome.analytes) - analytes, analytes, "analyte")
        for about, pairs in pairs_of(visits, serum, baseline, people.reference, known):
            wanted = (
                about["name"] in outcome.analytes
                if not about["strategy"]
                else any(matches(about["population"], name) for name in outcome.populations)
            )
            if wanted:
                rows += _parameter(study, people, outcome, about, pairs, subjects)
    return rows, pd.DataFrame(subjects, columns=names)


def _unknown(outcome: Outcome, people: People, names: Iterable[str], known: Iterable[str], what: str) -> Iterator[Row]:
    """Say of every name that nothing has it: an outcome that nobody measured is told, not lost."""
    for name in sorted(names):
        nothing = np.zeros((len(people.subjects), 1))
        measure = Measure(name, name, "", nothing, nothing.astype(np.int8))
        hint = did_you_mean(name, sorted(set(map(str, known))))
        made = row(outcome.id, measure, SHARE, status=NOT_ESTIMABLE, reason=f"no {what} is called {name!r}{hint}")
        # it belongs to the family that was fixed before the data
        yield made | {"family": "registered" if outcome.registered else ""}


def _not_compared(people: People, outcome: Outcome, measure: Measure, reason: str) -> Iterator[Row]:
    """Say why arms are not compared; the comparison stays in its family, which is fixed before the data."""
    for arm in people.arm_names:
        if people.reference in people.arm_names and arm != people.reference:
            yield row(
                outcome.id, measure, SHARE_DIFFERENCE, category=INCREASED, arm=f"{arm} / {people.reference}",
                visit=outcome.visit, status=NOT_ESTIMABLE, reason=reason,
                family="registered" if outcome.registered else "",
            )  # fmt: skip


def _parameter(
    study: Study, people: People, outcome: Outcome, about: dict[str, str], pairs: Pairs,
    subjects: list[tuple[object, ...]],
) -> Iterator[Row]:  # fmt: skip
    step, limit, reason = steps_of(pairs, outcome.rule, study.changes.cv.get(about["name"]))
    code = about["population"] if not about["strategy"] else f"{about['strategy']}:{about['population']}"
    none = np.zeros(step.shape, dtype=np.int8)
    measure = Measure(code, about["name"], about["unit"], pairs.low, none)
    # in the order of all subjects of the study
    place = {subject: i for i, subject in enumerate(pairs.subjects)}
    at = np.array([place.get(subject, -1) for subject in people.subjects])
    for number, visit in enumerate(pairs.visits):
        found = np.where(at >= 0, step[at, number], ABSENT)
        known = (found != ABSENT) & (found != UNDETERMINED)
        for arm in people.arm_names:
            here = people.arms == arm
            for what, name in ((UP, INCREASED), (DOWN, DECREASED), (0, UNCHANGED)):
                made = share(measure, outcome, name, arm, visit, (found == what) & here, known & here)
                if reason:
                    made = row(outcome.id, measure, SHARE, category=name, arm=arm, visit=visit,
                               status=NOT_ESTIMABLE, reason=reason)  # fmt: skip
                elif what == UP and made["of"]:
                    ups, downs = (int(((found == one) & here).sum()) for one in (UP, DOWN))
                    made["p_value"] = sign_test(ups, downs)
                    made["method"] += "; p: exact sign test of increased against decreased"
                open_ = int(((found == UNDETERMINED) & here).sum())
                made["reason"] = made["reason"] or (f"{open_} undetermined" if open_ else "")
                yield made
        if visit == outcome.visit and reason:
            yield from _not_compared(people, outcome, measure, reason)
        elif visit == outcome.visit:
            for what, name in ((UP, INCREASED), (DOWN, DECREASED)):
                for made in share_differences(measure, outcome, name, visit, found == what, known, people):
                    # increases are what the treatment is for, and the family holds one test of each parameter
                    first = made["analysis"] == SHARE_DIFFERENCE and what == UP and outcome.registered
                    yield made | {"family": "registered" if first else ""}
        for i in range(len(people.subjects)):
            if at[i] >= 0 and found[i] != ABSENT and not reason:
                low, high = (float(side[at[i], number]) for side in (pairs.low, pairs.high))
                ratio = np.exp(low) if low == high else np.nan
                bound = float(limit[at[i], number])
                subjects.append(
                    (people.subjects[i], str(people.arms[i]), visit, code, about["unit"], ratio, np.exp(bound),
                     np.exp(-bound), _WORDS[int(found[i])])
                )  # fmt: skip
