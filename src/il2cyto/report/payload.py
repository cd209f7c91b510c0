"""The tables as compact lists that the page's script reads; texts are stored once, rows refer to them by position."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pandas as pd

from il2cyto.keys import NOT_ESTIMABLE
from il2cyto.pl.summary import summarise_arms
from il2cyto.report import density
from il2cyto.report.inputs import ReportInputs
from il2cyto.report.labels import Texts, list_subjects, ordered_visits
from il2cyto.report.numbers import compact, is_missing, words
from il2cyto.report.pictures import PictureIndex
from il2cyto.report.tubes import tube_entries


def page_data(inputs: ReportInputs, index: PictureIndex) -> dict[str, Any]:
    """Collect everything but the pictures.

    Parameters
    ----------
    inputs
        The tables.
    index
        Gates, axes and shapes of all tubes, and the numbers that tubes are compared by.

    Returns
    -------
    JSON-like data. A row of ``populations[i].rows`` is ``[subject, visit, cells/µL, lower, upper, cv, count, parent
    count, percent of parent, route, below LLOQ, not estimable, reason, flags, tube, percent of a named ancestor,
    ancestor]`` with positions for the first two and for texts; a row of ``summary`` (and of ``percents``, the
    same of percent of parent) is ``[arm, visit, n, zeros, geometric mean, lower, upper, median]``; a row of
    ``tubes[i].gates`` is that of `pictures.TubeSummary` with ``reason, cells/µL, lower, upper, flags`` behind it;
    a row of ``tubes[i].moved``, there where overrides move gates, is ``[row of gates, level, author, time, reason]``;
    ``gates[i]`` is ``[strategy, path, scales]``.
    """
    visits = ordered_visits(inputs)
    subjects = list_subjects(inputs)
    texts = Texts()
    at_subject = {subject: position for position, (subject, _, _) in enumerate(subjects)}
    at_visit = {visit.id: position for position, visit in enumerate(visits)}
    at_arm = {arm.id: position for position, arm in enumerate(inputs.arms)}
    populations = _populations(inputs, at_subject, at_visit, at_arm, texts)
    tubes = tube_entries(inputs, index.summaries, texts)
    missing = inputs.missing_visits[["subject", "visit"]].itertuples(index=False)
    failed = inputs.failures[inputs.failures["severity"] == "failure"]
    return {
        "alphabet": density.ALPHABET,
        "levels": density.LEVELS,
        "arms": [{"id": arm.id, "label": arm.label, "reference": arm.reference} for arm in inputs.arms],
        "visits": [{"id": visit.id, "label": visit.label, "planned": visit.scheduled} for visit in visits],
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
        "tubes": tubes,
        "gates": [[*gate, index.scales[number]] for gate, number in index.gates.items()],
        "shapes": [json.loads(shape) for shape in index.shapes],
        "texts": texts.all(),
    }


def _populations(
    inputs: ReportInputs,
    at_subject: Mapping[str, int],
    at_visit: Mapping[str, int],
    at_arm: Mapping[str, int],
    texts: Texts,
) -> list[dict[str, Any]]:
    """Populations with an absolute count somewhere, or whose lack of one has a reason; all where none has a count."""
    found = []
    counted = bool(inputs.visit_counts["cells_per_ul"].notna().any())
    for (strategy, population), group in inputs.visit_counts.groupby(["strategy", "population"], sort=False):
        lost = group["status"] == NOT_ESTIMABLE
        if counted and group["cells_per_ul"].isna().all() and not lost.any():
            continue
        first = group.iloc[0]
        rows = [_row(row, at_subject, at_visit, texts) for row in group.to_dict("records")]
        found.append(
            {
                "strategy": words(strategy),
                "path": words(population),
                "name": words(first["name"]),
                "definition": words(first["definition"]),
                "rows": sorted(rows, key=lambda row: (row[0], row[1])),
                "summary": _summary(group, at_visit, at_arm),
                "percents": _summary(group.assign(cells_per_ul=group["percent_parent"]), at_visit, at_arm),
            }
        )
    return found


def _summary(group: pd.DataFrame, at_visit: Mapping[str, int], at_arm: Mapping[str, int]) -> list[list[Any]]:
    if "apart" in group:
        group = group[~group["apart"].astype(bool)]
    return sorted(
        [at_arm[row["arm"]], at_visit[row["visit"]], row["n"], row["n_zero"]]
        + [compact(row[column]) for column in ("geometric_mean", "lower", "upper", "median")]
        for row in summarise_arms(group).to_dict("records")
        if row["arm"] in at_arm
    )


def _row(row: Mapping[Any, Any], at_subject: Mapping[str, int], at_visit: Mapping[str, int], texts: Texts) -> list[Any]:
    below = row["below_lloq"]
    return [
        at_subject[words(row["subject"])],
        at_visit[row["visit"]],
        # nine digits, so that the three that are shown are rounded once
        *(compact(row[column], digits=9) for column in ("cells_per_ul", "lower", "upper")),
        compact(row["cv"]),
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


def _model_rows(model: pd.DataFrame | None, at_visit: Mapping[str, int], texts: Texts) -> list[list[Any]]:
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
