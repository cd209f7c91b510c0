"""The report: one HTML page that needs nothing but itself."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import jinja2
from markupsafe import Markup

from il2cyto.report.flags import group_failures, group_flags
from il2cyto.report.inputs import ReportInputs
from il2cyto.report.numbers import words
from il2cyto.report.payload import list_subjects, ordered_visits, page_data
from il2cyto.report.pictures import shorten
from il2cyto.report.serum import summarise_serum
from il2cyto.report.tables import join_table, manifest_tables

_SCRIPTS = ("core.js", "picker.js", "counts.js", "trajectories.js", "model.js", "pictures.js", "gating.js", "main.js")


def build_report(inputs: ReportInputs) -> str:
    """Build the report of a study.

    Parameters
    ----------
    inputs
        Tables, labels and pictures.

    Returns
    -------
    The text of an HTML page that loads nothing: style, script, data and pictures are inside, and its content security
    policy forbids any request. The same inputs give the same text.

    Raises
    ------
    TableError
        When `inputs` are made, if a table does not fit.
    """
    pictures = [(words(tube_id), _json(shorten(plots))) for tube_id, plots in inputs.plots]
    blocks = {tube_id: position for position, (tube_id, _) in enumerate(pictures)}
    visits = ordered_visits(inputs)
    absent = inputs.missing_visits
    missing = [
        (visit, [words(subject) for subject in absent["subject"][absent["visit"] == visit.id]]) for visit in visits
    ]
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            study=inputs,
            n_subjects=len(list_subjects(inputs)),
            visits=visits,
            n_tubes=int(inputs.counts.drop_duplicates("tube_id")["n_tubes"].sum()),
            n_failures=int((inputs.failures["severity"] == "failure").sum()),
            n_notices=int((inputs.failures["severity"] == "notice").sum()),
            failures=group_failures(inputs.failures, "failure"),
            notices=group_failures(inputs.failures, "notice"),
            missing=[(visit, subjects) for visit, subjects in missing if subjects],
            flags=group_flags(inputs.counts),
            link=None if inputs.link_report is None else join_table(inputs.link_report),
            serum=() if inputs.serum is None else summarise_serum(inputs.serum, visits),
            manifest=manifest_tables(inputs.manifest),
            routes=_routes(inputs.visit_counts["route"]),
            data=_json(page_data(inputs, blocks)),
            pictures=[block for _, block in pictures],
            style=_asset("report.css"),
            script=Markup("").join(_asset(name) for name in _SCRIPTS),
        )
    )


def _json(content: Mapping[str, Any]) -> Markup:
    """JSON that can stand inside a script element: no ``<``, so no end tag and no comment."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704 - escaped for its place just above


def _asset(name: str) -> Markup:
    text = files("il2cyto.report").joinpath("assets", name).read_text(encoding="utf-8")
    return Markup(text)  # noqa: S704 - a file of this package


def _routes(routes: Iterable[Any]) -> tuple[str, ...]:
    return tuple(sorted({words(route) for route in routes} - {"", "none"}))


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("il2cyto.report", "assets"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
