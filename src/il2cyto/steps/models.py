"""The models of a study: what each is given, and the files that hold their tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from il2cyto.study.model import Study

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

    from il2cyto.models import TurnoverCurve


@dataclass(frozen=True)
class Models:
    """Tables of the models of a study; ``None`` without serum or doses, or where nobody asks for it.

    `curves` are the courses under doses of the populations that the study names.
    """

    change: pd.DataFrame
    percent: pd.DataFrame
    events: pd.DataFrame
    weighted: pd.DataFrame | None
    changed: pd.DataFrame
    shifts: pd.DataFrame
    turnover: pd.DataFrame | None
    timing: pd.DataFrame | None
    curves: tuple[TurnoverCurve, ...]
    serum: pd.DataFrame | None
    correlations: pd.DataFrame | None
    together: pd.DataFrame | None
    joint: pd.DataFrame | None

    def files(self) -> dict[str, pd.DataFrame | None]:
        """Return each table by the name of its file."""
        return {
            "model.csv": self.change,
            "model_percent.csv": self.percent,
            "model_events.csv": self.events,
            "model_overlap.csv": self.weighted,
            "changed_subjects.csv": self.changed,
            "shifts.csv": self.shifts,
            "turnover.csv": self.turnover,
            "dose_timing.csv": self.timing,
            "serum_model.csv": self.serum,
            "correlations.csv": self.correlations,
            "cells_and_cytokines.csv": self.together,
            "model_joint.csv": self.joint,
        }


def fit_models(study: Study, analysed: AnnData, sera: AnnData | None, trial: pd.DataFrame) -> Models:
    """Fit every model.

    Parameters
    ----------
    study
        Baseline, reference arm, and what is modelled.
    analysed
        Visits of the per-visit analysis.
    sera
        From `analysed_serum`, ``None`` without serum.
    trial
        From `il2cyto.counts.trial_table`.
    """
    from il2cyto.derive.visits import calendars
    from il2cyto.models import (
        cells_and_cytokines,
        change_from_baseline,
        change_with_overlap_weights,
        changed_subjects,
        correlate,
        dose_study_days,
        dose_timing,
        events_over_visits,
        joint_over_visits,
        range_shifts,
        serum_over_visits,
        turnover_by_population,
        turnover_curves,
    )

    # a study that has begun may lack them still; a model without them says what it lacks
    baseline, reference = baseline_and_reference(study, analysed)
    wanted = study.model_populations or None
    change, percent = (
        change_from_baseline(
            analysed,
            baseline=baseline,
            reference_arm=reference,
            populations=wanted,
            covariates=study.model_covariates,
            percent=percent,
        )
        for percent in (False, True)
    )
    events = events_over_visits(
        analysed,
        baseline=baseline,
        reference_arm=reference,
        populations=wanted,
        covariates=study.model_covariates,
    )
    weighted = None
    if study.model_weights is not None:
        weighted = change_with_overlap_weights(analysed, baseline=baseline, reference_arm=reference, populations=wanted)
    changed = changed_subjects(
        analysed,
        sera,
        baseline=baseline,
        reference_arm=reference,
        rules=study.changes.rules,
        cv=study.changes.cv,
        populations=wanted,
    )
    shifts = range_shifts(trial, study.baseline)
    # a fit takes its time, so that only populations that the study names are drawn, or paired with every analyte
    named = wanted or tuple(
        dict.fromkeys(name for one in study.outcomes for name in one.populations if _has(analysed, name))
    )
    turnover, timing = None, None
    curves: tuple[TurnoverCurve, ...] = ()
    if study.doses and baseline is not None and reference is not None:
        doses = dose_study_days(calendars(study))
        turnover = turnover_by_population(
            analysed, doses, baseline=baseline, reference_arm=reference, populations=wanted
        )
        timing = dose_timing(analysed, baseline=baseline, reference_arm=reference, populations=wanted)
        if named:
            curves = turnover_curves(analysed, doses, baseline=baseline, reference_arm=reference, populations=named)
    cells = (change, percent, events, weighted, changed, shifts, turnover, timing, curves)
    if sera is None:
        return Models(*cells, None, None, None, None)
    of_serum, other = baseline_and_reference(study, sera)
    return Models(
        *cells,
        serum_over_visits(sera, baseline=of_serum, reference_arm=other),
        correlate(analysed, sera, populations=wanted),
        cells_and_cytokines(analysed, sera, populations=wanted),
        joint_over_visits(analysed, sera, populations=named) if named else None,
    )


def _has(visits: AnnData, name: str) -> bool:
    from il2cyto.counts.tree import matches

    return any(matches(str(path), name) for path in visits.var["population"])


def baseline_and_reference(study: Study, data: AnnData) -> tuple[str | None, str | None]:
    """Baseline visit and reference arm of a study, ``None`` where nobody has them."""
    return (
        study.baseline if study.baseline in set(data.obs["AVISIT"]) else None,
        study.reference_arm if study.reference_arm in set(data.obs["ARM"]) else None,
    )


def analysed_serum(study: Study, serum: AnnData, visits: AnnData) -> AnnData:
    """Return the serum that models take, with arms, numbers of visits and days.

    Visits that stand apart from the per-visit analysis (``ANL01FL``) and subjects that the study does not list are left
    out.
    """
    apart = set(visits.obs_names[(visits.obs["ANL01FL"] != "Y").to_numpy()])
    arms = {subject.id: subject.arm for subject in study.subjects.values()}
    numbers = {visit.id: float(visit.number) for visit in study.visits.values()}
    kept = [
        name not in apart and subject in arms and visit in numbers
        for name, subject, visit in zip(serum.obs_names, serum.obs["USUBJID"], serum.obs["AVISIT"], strict=True)
    ]
    analysed = serum[kept].copy()
    analysed.obs["ARM"] = [arms[subject] for subject in analysed.obs["USUBJID"]]
    analysed.obs["AVISITN"] = [numbers[visit] for visit in analysed.obs["AVISIT"]]
    for name in ("DSLD", "ADY"):
        days = visits.obs[name].reindex(analysed.obs_names)
        analysed.obs[name] = days.to_numpy(dtype="float64", na_value=float("nan"))
    return analysed
