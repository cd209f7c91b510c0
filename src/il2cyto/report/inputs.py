"""What a report is made from: tables and labels, nothing that knows of files or time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd

from il2cyto.errors import TableError
from il2cyto.gating import GatingStrategy

if TYPE_CHECKING:
    from il2cyto.beads import BeadPicture

COUNT_COLUMNS = (
    "subject", "arm", "diagnosis", "visit", "tube", "tube_id", "n_tubes", "strategy", "population", "name",
    "definition", "count", "parent_count", "percent_parent", "route", "cells_per_ul", "lower", "upper", "cv",
    "below_lloq", "status", "reason", "flags",
)  # fmt: skip
FAILURE_COLUMNS = ("severity", "step", "tube_id", "subject", "visit", "tube", "kind", "message", "remedy")
MISSING_COLUMNS = ("subject", "arm", "visit")
MODEL_COLUMNS = (
    "strategy", "population", "definition", "arm", "visit", "contrast", "n_subjects", "n_observations",
    "ratio_to_baseline", "lower", "upper", "p_value", "method", "status", "reason",
)  # fmt: skip
TUBE_COLUMNS = ("tube_id", "subject", "arm", "visit", "tube")
OVERRIDE_COLUMNS = (
    "tube_id", "strategy", "population", "override", "level", "status", "author", "time", "reason",
)  # fmt: skip
SERUM_COLUMNS = ("subject", "visit", "analyte", "value", "censor", "unit")


@dataclass(frozen=True)
class Arm:
    """A treatment arm: its id in the tables, its label, and whether the others are compared with it."""

    id: str
    label: str
    reference: bool = False


@dataclass(frozen=True)
class Visit:
    """A visit: its id in the tables, its label, its number, by which reports show them, and whether it was planned."""

    id: str
    label: str
    number: float
    scheduled: bool = True


@dataclass(frozen=True, eq=False)
class AssayTables:
    """Tables of an assay as a run writes them, and the readings of its standards."""

    curves: pd.DataFrame
    standards: pd.DataFrame
    controls: pd.DataFrame
    drift: pd.DataFrame
    readings: pd.DataFrame
    beads: BeadPicture | None = None


@dataclass(frozen=True)
class ReportInputs:
    """Everything that a report shows.

    Parameters
    ----------
    study_id, title, registry
        Names of the study; `registry` is the registration number, or empty.
    arms, visits
        Labels of the ids that the tables use.
    counts
        Every population of every tube (``counts.csv``).
    visit_counts
        The rows that stand for a visit, columns as `counts`: one row per subject, visit, strategy and population. A
        column ``apart`` may say which of them are shown and not summarised.
    failures, missing_visits
        ``failures.csv``, and the planned visits without a tube (``subject``, ``arm``, ``visit``).
    model
        ``model.csv``, or ``None`` if nothing was modelled.
    changed
        Subjects that changed (`il2cyto.models.changed_subjects`); or ``None``.
    link_report
        What the join of cells and serum matched, any columns; or ``None``.
    serum_model
        Serum over visits (`il2cyto.models.serum_over_visits`); or ``None``.
    serum
        Long table ``subject, visit, analyte, value, censor, unit``; `censor` −1 below LLOQ, +1 above ULOQ; or ``None``.
    manifest
        Versions and hashes, nested mappings and lists of plain values.
    assumptions
        What the study assumes, one sentence each.
    plots
        ``(tube_id, content of plots.json)`` of each gated tube; read once, in order.
    default_population
        ``strategy/path`` of the population that the page opens with; by default the first one modelled.
    subjects
        ``subject, arm, diagnosis`` of everyone in the study; by default those that the other tables name.
    tubes
        ``tube_id, subject, arm, visit, tube`` of every row of the samples sheet, and where known ``batch``,
        ``instrument`` and ``date`` (of collection); by default those that counts and failures name.
    checks
        ``checks.csv``, with at least ``check, value, verdict``; or ``None``.
    strategies
        ``(tube type, strategy)`` of every strategy that was used.
    miflowcyt
        What the study says for its MIFlowCyt record, by the keys of `il2cyto.study.miflowcyt.ITEMS`.
    overrides
        ``overrides.csv``: gates of tubes that overrides of the study move; or ``None``.
    quality
        ``quality.csv``, with at least ``tube_id, quality, quality_reasons, unstable``; or ``None``.
    gates, drift, review
        ``gates.csv``, ``drift.csv`` and ``review.csv``; or ``None``.

    Raises
    ------
    TableError
        If a table lacks a column, a visit has two rows for one population, or a row names an unknown arm or visit.
    """

    study_id: str
    title: str
    registry: str
    arms: tuple[Arm, ...]
    visits: tuple[Visit, ...]
    counts: pd.DataFrame
    visit_counts: pd.DataFrame
    failures: pd.DataFrame
    missing_visits: pd.DataFrame
    model: pd.DataFrame | None = None
    changed: pd.DataFrame | None = None
    link_report: pd.DataFrame | None = None
    serum: pd.DataFrame | None = None
    serum_model: pd.DataFrame | None = None
    manifest: Mapping[str, Any] = field(default_factory=dict)
    assumptions: tuple[str, ...] = ()
    plots: Iterable[tuple[str, Mapping[str, Any]]] = ()
    default_population: str | None = None
    subjects: pd.DataFrame | None = None
    tubes: pd.DataFrame | None = None
    checks: pd.DataFrame | None = None
    strategies: tuple[tuple[str, GatingStrategy], ...] = ()
    miflowcyt: Mapping[str, str] = field(default_factory=dict)
    overrides: pd.DataFrame | None = None
    quality: pd.DataFrame | None = None
    gates: pd.DataFrame | None = None
    drift: pd.DataFrame | None = None
    review: pd.DataFrame | None = None
    assay: AssayTables | None = None

    def __post_init__(self) -> None:
        _need("counts", self.counts, COUNT_COLUMNS)
        _need("visit counts", self.visit_counts, COUNT_COLUMNS)
        _need("failures", self.failures, FAILURE_COLUMNS)
        _need("missing visits", self.missing_visits, MISSING_COLUMNS)
        if self.model is not None:
            _need("model", self.model, MODEL_COLUMNS)
        if self.subjects is not None:
            _need("subjects", self.subjects, ("subject", "arm", "diagnosis"))
        if self.tubes is not None:
            _need("tubes", self.tubes, TUBE_COLUMNS)
        if self.checks is not None:
            _need("checks", self.checks, ("check", "value", "verdict"))
        if self.overrides is not None:
            _need("overrides", self.overrides, OVERRIDE_COLUMNS)
        if self.serum is not None:
            _need("serum", self.serum, SERUM_COLUMNS)
        key = ["subject", "visit", "strategy", "population"]
        twice = self.visit_counts[self.visit_counts.duplicated(key)]
        if len(twice):
            first = ", ".join(str(value) for value in twice.iloc[0][key])
            raise TableError(f"visit counts: two rows for {first}; choose the tube that stands for the visit")
        for name, table in (("visit counts", self.visit_counts), ("missing visits", self.missing_visits)):
            _known(name, table, "arm", [arm.id for arm in self.arms])
            _known(name, table, "visit", [visit.id for visit in self.visits])


def _need(name: str, table: pd.DataFrame, columns: tuple[str, ...]) -> None:
    absent = [column for column in columns if column not in table.columns]
    if absent:
        raise TableError(f"{name}: the report needs the columns {', '.join(absent)}")


def _known(name: str, table: pd.DataFrame, column: str, choices: list[str]) -> None:
    unknown = [value for value in table[column].unique() if value not in choices]
    if unknown:
        raise TableError(f"{name}, {column} = {unknown[0]!r}: the study has {', '.join(choices)}")
