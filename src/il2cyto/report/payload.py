"""The tables as compact lists that the page's script reads; texts are stored once, rows refer to them by position."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from il2cyto.keys import NOT_ESTIMABLE
from il2cyto.pl.summary import summarise_arms
from il2cyto.report import density
from il2cyto.report.inputs import ReportInputs, Visit
from il2cyto.report.numbers import compact, is_missing, words


class _Texts:
    """Texts in order of first use; index 0 is the empty one."""

    def __init__(self) -> None:
        self._index = {"": 0}

    def __call__(self, value: Any) -> int:
        return self._index.setdefault(words(value), len(self._index))

    def all(self) -> list[str]:
        return list(self._index)


def ordered_visits(inputs: ReportInputs) -> tuple[Visit, ...]:
    """The visits by number, then by id."""
    return tuple(sorted(inputs.visits, key=lambda visit: (visit.number, visit.id)))


def list_subjects(inputs: ReportInputs) -> list[tuple[str, str, str]]:
    """``(subject, arm, diagnosis)`` of every subject that a table names, by arm as listed, then by id."""
    order = {arm.id: position for position, arm in enumerate(inputs.arms)}
    found: dict[str, tuple[str, str]] = {}
    for table in (inputs.visit_counts, inputs.counts, inputs.subjects):
        if table is None:
            continue
        for subject, arm, diagnosis in table[["subject", "arm", "diagnosis"]].drop_duplicates().itertuples(index=False):
            found.setdefault(words(subject), (words(arm), words(diagnosis)))
    for subject, arm in inputs.missing_visits[["subject", "arm"]].drop_duplicates().itertuples(index=False):
        found.setdefault(words(subject), (words(arm), ""))
    for subject in inputs.failures["subject"]:
        if words(subject):
            found.setdefault(words(subject), ("", ""))
    rows = [(subject, *rest) for subject, rest in found.items()]
    return sorted(rows, key=lambda row: (order.get(row[1], len(order)), row[0]))


def page_data(inputs: ReportInputs, blocks: Mapping[str, int]) -> dict[str, Any]:
    """Collect everything but the pictures.

    Parameters
    ----------
    inputs
        The tables.
    blocks
        Tube id → number of its block of pictures in the page.

    Returns
    -------
    JSON-like data. A row of ``populations[i].rows`` is ``[subject, visit, cells/µL, lower, upper, cv, count, parent
    count, percent of parent, route, below LLOQ, not estimable, reason, flags, tube, percent of a named ancestor,
    ancestor]`` with positions for the first two and for texts; a row of ``summary`` is ``[arm, visit, n, zeros,
    geometric mean, lower, upper, median]``.
    """
    visits = ordered_visits(inputs)
    subjects = list_subjects(inputs)
    texts = _Texts()
    at_subject = {subject: position for position, (subject, _, _) in enumerate(subjects)}
    at_visit = {visit.id: position for position, visit in enumerate(visits)}
    at_arm = {arm.id: position for position, arm in enumerate(inputs.arms)}
    populations = _populations(inputs, at_subject, at_visit, at_arm, texts)
    missing = inputs.missing_visits[["subject", "visit"]].itertuples(index=False)
    failed = inputs.failures[inputs.failures["severity"] == "failure"]
    return {
        "alphabet": density.ALPHABET,
        "levels": density.LEVELS,
        "arms": [{"id": arm.id, "label": arm.label, "reference": arm.reference} for arm in inputs.arms],
        "visits": [{"id": visit.id, "label": visit.label} for visit in visits],
        "subjects": [[subject, at_arm.get(arm, -1), diagnosis] for subject, arm, diagnosis in subjects],
        "missing": [[at_subject[words(subject)], at_visit[visit]] for subject, visit in missing],
        "failed": [
            [at_subject[words(row["subject"])], at_visit[row["visit"]], texts(row["message"])]
            for row in failed.to_dict("records")
            if words(row["subject"]) in at_subject and row["visit"] in at_visit
        ],
        "populations": populations,
        "default": _default(inputs, populations),
        "model": _model_rows(inputs.model, at_visit, texts),
        "tubes": _tubes(inputs, blocks),
        "texts": texts.all(),
    }


def _populations(
    inputs: ReportInputs,
    at_subject: Mapping[str, int],
    at_visit: Mapping[str, int],
    at_arm: Mapping[str, int],
    texts: _Texts,
) -> list[dict[str, Any]]:
    """Populations with an absolute count somewhere, or whose lack of one has a reason."""
    found = []
    order = {arm.id: position for position, arm in enumerate(inputs.arms)}
    for (strategy, population), group in inputs.visit_counts.groupby(["strategy", "population"], sort=False):
        lost = group["status"] == NOT_ESTIMABLE
        if group["cells_per_ul"].isna().all() and not lost.any():
            continue
        first = group.iloc[0]
        rows = [_row(row, at_subject, at_visit, texts) for row in group.to_dict("records")]
        summary = [
            [at_arm[row["arm"]], at_visit[row["visit"]], row["n"], row["n_zero"]]
            + [compact(row[column]) for column in ("geometric_mean", "lower", "upper", "median")]
            for row in summarise_arms(group).to_dict("records")
            if row["arm"] in order
        ]
        found.append(
            {
                "strategy": words(strategy),
                "path": words(population),
                "name": words(first["name"]),
                "definition": words(first["definition"]),
                "rows": sorted(rows, key=lambda row: (row[0], row[1])),
                "summary": sorted(summary),
            }
        )
    return found


def _row(
    row: Mapping[Any, Any], at_subject: Mapping[str, int], at_visit: Mapping[str, int], texts: _Texts
) -> list[Any]:
    below = row["below_lloq"]
    return [
        at_subject[words(row["subject"])],
        at_visit[row["visit"]],
        *(compact(row[column]) for column in ("cells_per_ul", "lower", "upper", "cv")),
        *(compact(row[column], digits=12) for column in ("count", "parent_count")),
        compact(row["percent_parent"]),
        texts(row["route"]),
        int(not is_missing(below) and bool(below)),
        int(row["status"] == NOT_ESTIMABLE),
        texts(row["reason"]),
        texts(row["flags"]),
        texts(row["tube_id"]),
        compact(row.get("percent_ancestor")),
        texts(words(row.get("percent_of")).rsplit("/", 1)[-1]),
    ]


def _default(inputs: ReportInputs, populations: list[dict[str, Any]]) -> int:
    keys = [f"{population['strategy']}/{population['path']}" for population in populations]
    wanted = [inputs.default_population] if inputs.default_population is not None else []
    if inputs.model is not None:
        model = inputs.model[["strategy", "population"]].drop_duplicates()
        wanted += [f"{strategy}/{population}" for strategy, population in model.itertuples(index=False)]
    return next((keys.index(key) for key in wanted if key in keys), 0)


def _model_rows(model: pd.DataFrame | None, at_visit: Mapping[str, int], texts: _Texts) -> list[list[Any]]:
    """Rows in the order that ``assets/model.js`` names."""
    if model is None:
        return []
    return [
        [
            *(texts(row[column]) for column in ("strategy", "population", "definition", "arm")),
            at_visit.get(row["visit"], -1),
            texts(row["contrast"]),
            *(
                compact(row[column])
                for column in ("n_subjects", "n_observations", "ratio_to_baseline", "lower", "upper")
            ),
            compact(row["p_value"]),
            texts(row["method"]),
            int(row["status"] == NOT_ESTIMABLE),
            texts(row["reason"]),
        ]
        for row in model.to_dict("records")
    ]


def _tubes(inputs: ReportInputs, blocks: Mapping[str, int]) -> list[dict[str, Any]]:
    """One entry per tube that has pictures or counts, by subject, visit and tube."""
    visit_order = {visit.id: position for position, visit in enumerate(ordered_visits(inputs))}
    labels = {visit.id: visit.label for visit in inputs.visits}
    arms = {arm.id: arm.label for arm in inputs.arms}
    columns = ["tube_id", "subject", "arm", "visit", "tube", "strategy"]
    known: dict[str, dict[Any, Any]] = {}
    for row in inputs.counts[columns].drop_duplicates("tube_id").to_dict("records"):
        whole = words(row["tube_id"])
        # replicate tubes that were summed have one row of counts and pictures of their own
        parts = whole.split("+") if whole not in blocks else [whole]
        known |= dict.fromkeys(parts if all(part in blocks for part in parts) else [whole], row)
    failed = inputs.failures[inputs.failures["severity"] == "failure"]
    messages = dict(zip(failed["tube_id"].map(words), failed["message"].map(words), strict=True))
    for row in failed.to_dict("records"):
        if words(row["tube_id"]):
            known.setdefault(words(row["tube_id"]), {**row, "arm": "", "strategy": ""})
    entries = []
    for tube_id in [*known, *(tube_id for tube_id in blocks if tube_id not in known)]:
        row = known.get(tube_id, {})
        visit = row.get("visit")
        entry = {
            "id": tube_id,
            "subject": words(row.get("subject")),
            "arm": arms.get(words(row.get("arm")), words(row.get("arm"))),
            "visit": labels.get(words(visit), words(visit)),
            "tube": words(row.get("tube")),
            "strategy": words(row.get("strategy")),
            "block": blocks.get(tube_id, -1),
            "failure": messages.get(tube_id, ""),
        }
        entries.append((entry["subject"], visit_order.get(words(visit), -1), entry["tube"], tube_id, entry))
    return [entry[-1] for entry in sorted(entries, key=lambda entry: entry[:4])]
