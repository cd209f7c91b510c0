"""The report: one HTML page that needs nothing but itself."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from il2cyto.provenance import atomic_path
from il2cyto.report.changed import changed_table
from il2cyto.report.checks import summarise_checks
from il2cyto.report.corrections import list_corrections
from il2cyto.report.curves import summarise_assay
from il2cyto.report.flags import group_failures, group_flags
from il2cyto.report.gates import gate_tables, matrix_table, matrix_values, transform_table
from il2cyto.report.inputs import ReportInputs
from il2cyto.report.labels import list_subjects, ordered_visits
from il2cyto.report.learnt import LearntSection, summarise_learnt
from il2cyto.report.numbers import words
from il2cyto.report.overview import STATES, arm_rows, completeness, find_losses, sheet_rows, tube_states
from il2cyto.report.payload import page_data
from il2cyto.report.pictures import PictureIndex
from il2cyto.report.record import InstrumentLog, miflowcyt
from il2cyto.report.serum import serum_model_table, summarise_serum
from il2cyto.report.tables import join_table, manifest_tables
from il2cyto.report.tubes import strategies_of

_SCRIPTS = (
    "core.js", "picker.js", "counts.js", "trajectories.js", "model.js", "axes.js", "pictures.js", "oddness.js",
    "sheet.js", "gating.js", "quality.js", "main.js",
)  # fmt: skip
#: Characters that are written to a file at once.
_PIECE = 1 << 20


def build_report(inputs: ReportInputs) -> str:
    """Build the report of a study as one text; `write_report` makes the same page without holding all of it.

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
    return "".join(report_pieces(inputs))


def write_report(inputs: ReportInputs, path: str | Path) -> None:
    """Write the report of a study to a file, atomically and piece by piece.

    The pictures of one tube are in memory at a time, so memory does not grow with the pictures of the study.

    Parameters
    ----------
    inputs
        Tables, labels and pictures; `plots` is read once.
    path
        The file; it is replaced in one step when the page is complete.
    """
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        waiting: list[str] = []
        size = 0
        for piece in report_pieces(inputs):
            waiting.append(piece)
            size += len(piece)
            if size >= _PIECE:
                file.write("".join(waiting))
                waiting, size = [], 0
        file.write("".join(waiting))


def report_pieces(inputs: ReportInputs) -> Iterator[str]:
    """Yield the text of the report in order, with the pictures of one tube at a time."""
    visits = ordered_visits(inputs)
    subjects = list_subjects(inputs)
    grid = completeness(inputs, visits, subjects)
    rows = sheet_rows(inputs)
    losses = find_losses(inputs, visits, grid)
    absent = inputs.missing_visits
    missing = [
        (visit, [words(subject) for subject in absent["subject"][absent["visit"] == visit.id]]) for visit in visits
    ]
    pictures = _Pictures(inputs, {row.tube_id: row.tube for row in rows})
    yield from (
        _environment()
        .get_template("report.html.j2")
        .generate(
            study=inputs,
            subjects=subjects,
            visits=visits,
            arms=arm_rows(inputs, visits, grid),
            grid=grid,
            states=STATES,
            losses=losses,
            n_tubes=len(rows),
            n_gated=sum(cell.state != "failed" for cell in tube_states(inputs, rows).values()),
            n_failures=int((inputs.failures["severity"] == "failure").sum()),
            n_notices=int((inputs.failures["severity"] == "notice").sum()),
            failures=group_failures(inputs.failures, "failure"),
            notices=group_failures(inputs.failures, "notice"),
            missing=[(visit, subjects) for visit, subjects in missing if subjects],
            flags=group_flags(inputs.counts),
            link=None if inputs.link_report is None else join_table(inputs.link_report),
            serum=() if inputs.serum is None else summarise_serum(inputs.serum, visits),
            changed=None if inputs.changed is None else changed_table(inputs.changed, visits),
            serum_model=None if inputs.serum_model is None else serum_model_table(inputs.serum_model),
            assay=None if inputs.assay is None else summarise_assay(inputs.assay),
            checks=None if inputs.checks is None else summarise_checks(inputs.checks),
            learnt=_learnt(inputs),
            corrections=None if inputs.overrides is None else list_corrections(inputs.overrides),
            manifest=manifest_tables(inputs.manifest),
            matrices=matrix_table(inputs.strategies),
            matrix_values=matrix_values(inputs.strategies),
            transforms=transform_table(inputs.strategies),
            gate_tables=gate_tables(inputs.strategies),
            routes=_routes(inputs.visit_counts["route"]),
            pictures=pictures,
            # called where they stand in the page, when the pictures have been through
            record=lambda: miflowcyt(inputs, pictures.log, len(rows)),
            settings=lambda: pictures.log.table(),
            data=lambda: _json(page_data(inputs, pictures.index)),
            style=_asset("report.css"),
            script=Markup("").join(_asset(name) for name in _SCRIPTS),
        )
    )


def _learnt(inputs: ReportInputs) -> LearntSection | None:
    if inputs.gates is None or inputs.drift is None or inputs.review is None:
        return None
    return summarise_learnt(inputs.gates, inputs.drift, inputs.review, [arm.id for arm in inputs.arms])


class _Pictures:
    """The blocks of pictures, one tube at a time; what the rest of the page needs of them is kept."""

    def __init__(self, inputs: ReportInputs, types: Mapping[str, str]) -> None:
        self.index = PictureIndex()
        self.log = InstrumentLog()
        self._plots = inputs.plots
        self._types = types
        self._strategies = strategies_of(inputs)

    def __iter__(self) -> Iterator[Markup]:
        for tube_id, plots in self._plots:
            name = words(tube_id)
            self.log.add(self._types.get(name, ""), plots.get("instrument"))
            yield _json(self.index.add(name, self._strategies.get(name, ""), plots))


def _json(content: Any) -> Markup:
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
