"""Write ``outcomes/``: tables, typeset tables and pictures of every outcome, Table 1 and the flow of subjects."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

import numpy as np

from il2cyto.provenance import atomic_path, write_text
from il2cyto.study import outcomes as kinds
from il2cyto.study.model import Study

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from il2cyto.outcomes import OutcomeResult, Outcomes
    from il2cyto.steps.models import Models

_SUFFIXES: Final = (".csv", ".html", ".rtf", ".svg", ".png")
#: Resolution of the PNG files.
_DPI: Final = 150


def write_outcomes(out: Path, study: Study, outcomes: Outcomes, models: Models) -> None:
    """Write every file of the outcomes, each atomically, and take away those of an earlier run that are no more.

    Parameters
    ----------
    out
        Results folder.
    study, outcomes
        What is told.
    models
        For the forest plots and the courses under doses of populations.
    """
    from il2cyto.outcomes.printed import print_outcome
    from il2cyto.outcomes.typeset import to_html, to_rtf
    from il2cyto.steps.outputs import OUTCOMES, write_table

    folder = out / OUTCOMES
    folder.mkdir(exist_ok=True)
    written: set[str] = set()

    def table(name: str, rows: pd.DataFrame) -> None:
        write_table(rows, folder / name)
        written.add(name)

    def picture(name: str, figure: Figure) -> None:
        _save(figure, folder / name)
        written.update((f"{name}.svg", f"{name}.png"))

    def text(name: str, content: str) -> None:
        write_text(folder / name, content)
        written.add(name)

    for result in outcomes.results:
        key = result.outcome.id
        table(f"{key}.csv", result.table)
        table(f"{key}_subjects.csv", result.subjects)
        shown = []
        for name, words, figure in _pictures(study, outcomes, result, models):
            file = _file_name(f"{key}_{name}", written)
            picture(file, figure)
            shown.append((f"{file}.svg", words))
        page = print_outcome(study, outcomes.people, result.outcome, result.table, result.measures)
        text(f"{key}.html", to_html(page, tuple(shown)))
        text(f"{key}.rtf", to_rtf(page))
    _whole_study(study, outcomes, table, text, picture)
    for path in folder.iterdir():
        if path.is_file() and path.suffix in _SUFFIXES and path.name not in written:
            path.unlink()


def _file_name(name: str, taken: Container[str]) -> str:
    """Return a name for a picture that every file system takes; tests and drugs are called anything, as ``IgG/IgA``."""
    name = re.sub(r"[^\w.-]", "-", name)
    number = 1
    file = name
    while f"{file}.svg" in taken:
        number += 1
        file = f"{name}_{number}"
    return file


def _whole_study(
    study: Study,
    outcomes: Outcomes,
    table: Callable[[str, pd.DataFrame], None],
    text: Callable[[str, str], None],
    picture: Callable[[str, Figure], None],
) -> None:
    """Write Table 1, the flow of subjects, and the questions about scores."""
    from il2cyto.outcomes.printed import print_baseline, print_flow, print_queries
    from il2cyto.outcomes.typeset import Typeset, to_html, to_rtf
    from il2cyto.pl import flow

    def typeset(name: str, page: Typeset, shown: tuple[tuple[str, str], ...] = ()) -> None:
        text(f"{name}.html", to_html(page, shown))
        text(f"{name}.rtf", to_rtf(page))

    table("baseline.csv", outcomes.baseline)
    typeset("baseline", print_baseline(study, outcomes.people, outcomes.baseline))
    table("flow.csv", outcomes.flow)
    picture("flow", cast("Figure", flow(outcomes.flow, title=study.id).figure))
    typeset("flow", print_flow(study, outcomes.flow), (("flow.svg", "Subjects and visits by arm"),))
    if outcomes.queries is not None:
        table("queries.csv", outcomes.queries)
        typeset("queries", print_queries(study, outcomes.queries))


def _pictures(
    study: Study, outcomes: Outcomes, result: OutcomeResult, models: Models
) -> Iterator[tuple[str, str, Figure]]:
    """Yield name, words and figure of every picture of an outcome."""
    from il2cyto.pl import courses, shift, waterfall

    people, outcome = outcomes.people, result.outcome
    labels = {visit.id: visit.label for visit in study.visits.values()}
    values = result.subjects
    if outcome.kind == kinds.CHANGED:
        yield from _changed_pictures(study, outcomes, result, models)
        return
    if outcome.kind == kinds.EVENTS or values.empty:
        return
    for one in result.measures:
        mine = values[values["parameter"] == one.code]
        if mine.empty:
            continue
        title = f"{outcome.label}: {one.label}"
        if one.key:
            shown = mine.assign(limit=mine["censor"] != 0)
            figure = courses(
                shown, visits=people.visits, arms=people.arm_names, unit=one.unit, title=title,
                logarithm=one.logarithm, labels=labels,
            )  # fmt: skip
            yield f"{one.code}_course", f"{title} by arm and visit", figure
            here = mine[mine["visit"] == outcome.visit]
            change = here["value"] / here["baseline"] if one.logarithm else here["change"]
            change = change.where(here["baseline"] > 0) if one.logarithm else change
            if change.notna().any():
                at = labels.get(outcome.visit, outcome.visit)
                unit = "ratio to baseline" if one.logarithm else f"change, {one.unit}"
                ax = waterfall(
                    here.assign(change=change), arms=people.arm_names, unit=unit, title=f"{title}, {at}",
                    ratio=one.logarithm,
                )  # fmt: skip
                yield f"{one.code}_waterfall", f"{title}: change of every subject, {at}", cast("Figure", ax.figure)
        pairs = _class_pairs(mine, outcome.visit, people.visits[0] if people.visits else "")
        if one.classes is not None and len(pairs):
            before, after = (labels.get(visit, visit) for visit in (people.visits[0], outcome.visit))
            figure = shift(pairs, order=one.order, arms=people.arm_names, before=before, after=after, title=title)
            yield f"{one.code}_shift", f"{title}: classes at {before} and {after}", figure


def _class_pairs(values: pd.DataFrame, visit: str, baseline: str) -> pd.DataFrame:
    """Class of each subject at baseline and at a visit, of those who have both."""
    told = values[values["class"] != ""]
    first, later = (told[told["visit"] == one].set_index("subject")[["arm", "class"]] for one in (baseline, visit))
    both = first.join(later["class"].rename("after"), how="inner").rename(columns={"class": "before"})
    return both.reset_index()


def _changed_pictures(
    study: Study, outcomes: Outcomes, result: OutcomeResult, models: Models
) -> Iterator[tuple[str, str, Figure]]:
    """Yield the waterfall of every parameter at the key visit, and the forest of the populations over visits."""
    from il2cyto.pl import forest, turnover, waterfall

    outcome, people = result.outcome, outcomes.people
    at = study.visits[outcome.visit].label
    for number, (code, mine) in enumerate(result.subjects.groupby("parameter", sort=False), start=1):
        here = mine[mine["visit"] == outcome.visit]
        ratio = here["ratio"].where(here["counts_as"] != "undetermined")
        if not (np.isfinite(ratio) & (ratio > 0)).any():
            continue
        name = str(code).rsplit("/", 1)[-1]
        ax = waterfall(
            here.assign(change=ratio),
            arms=people.arm_names,
            unit="ratio to baseline",
            title=f"{name}, {at}",
            ratio=True,
        )
        # populations of several tubes share a name
        yield f"waterfall_{number}", f"{code}: ratio of every subject to baseline, {at}", cast("Figure", ax.figure)
    codes = set(result.table["parameter"])
    for number, one in enumerate(models.curves, start=1):
        if f"{one.strategy}:{one.population}" in codes:
            name = f"{one.population.rsplit('/', 1)[-1]} ({one.strategy}), {one.arm}"
            note = f"median subject; decay fixed at {one.decay_per_day:g} per day; arms were not randomised"
            ax = turnover(one.curve, one.dose_days, one.observed, title=name, note=note)
            yield f"turnover_{number}", f"{name}: ratio to untreated by study day", cast("Figure", ax.figure)
    model = models.change
    rows = model[(model["strategy"] + ":" + model["population"]).isin(codes) & (model["contrast"] == "arm_difference")]
    if len(rows):
        ax = forest(rows, contrast="arm_difference")
        yield "forest", "Ratios of the arms over visits, with 95 % intervals", cast("Figure", ax.figure)


def _save(figure: Figure, path: Path) -> None:
    """Write a figure as SVG and PNG, the same bytes for the same figure."""
    import matplotlib as mpl

    # one layout for both files
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    with mpl.rc_context({"svg.hashsalt": "il2cyto", "svg.fonttype": "path"}):
        with atomic_path(path.with_name(f"{path.name}.svg")) as temporary:
            figure.savefig(temporary, format="svg", metadata={"Date": None, "Creator": None})
        with atomic_path(path.with_name(f"{path.name}.png")) as temporary:
            figure.savefig(temporary, format="png", dpi=_DPI, metadata={"Software": None})
