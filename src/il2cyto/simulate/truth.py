"""The truth of a simulated trial as tables and plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

import il2cyto
from il2cyto.simulate import course
from il2cyto.simulate.analytes import ANALYTES, draw_serum
from il2cyto.simulate.biology import SLOW_DAYS, SLOW_SHARE, VisitTruth, effect
from il2cyto.simulate.faults import FAULTS
from il2cyto.simulate.panels import PANELS
from il2cyto.simulate.phenotypes import cell_classes
from il2cyto.simulate.plan import TrialPlan
from il2cyto.simulate.populations import population_path
from il2cyto.simulate.quantities import CELLS
from il2cyto.simulate.tube import TubeSpec, artefacts, blood_cells


def blood_table(plan: TrialPlan) -> pd.DataFrame:
    """Cells/µL of every population in the blood before sampling, with the fold that was put in.

    One row per subject, visit and population of a tube. ``cells_per_ul`` is the truth for coverage,
    ``fold_to_baseline`` its ratio to the subject's own baseline, and ``fold_put_in`` the part of that ratio that
    treatment and drift make: what the visit would hold without any variation between visits.
    """
    subjects = {subject.id: subject for subject in plan.subjects}
    rows = []
    still: dict[str, dict[tuple[str, str], float]] = {}
    baseline: dict[str, dict[tuple[str, str], float]] = {}
    for blood in plan.blood:
        subject = subjects[blood.subject]
        counts = _per_ul(blood)
        if blood.visit == "BL":
            baseline[subject.id] = counts
        # the same child without visit-to-visit variation, once at baseline and once with the effects of the day
        expected = _per_ul(_still(plan, subject.id, blood.visit, blood.day))
        if subject.id not in still:
            still[subject.id] = _per_ul(_still(plan, subject.id, "BL", 1))
        for (tube, name), value in counts.items():
            before = baseline.get(subject.id, {}).get((tube, name), np.nan)
            rows.append(
                (
                    subject.id,
                    subject.arm,
                    blood.visit,
                    blood.day,
                    blood.course,
                    tube,
                    population_path(tube, name),
                    name,
                    value,
                    value / before if before > 0 else np.nan,
                    expected[tube, name] / still[subject.id][tube, name],
                )
            )
    names = ["subject", "arm", "visit", "day", "course", "tube", "population", "name"]
    return pd.DataFrame(rows, columns=[*names, "cells_per_ul", "fold_to_baseline", "fold_put_in"])


def _per_ul(blood: VisitTruth) -> dict[tuple[str, str], float]:
    """Cells/µL of every population that consists of blood cells."""
    return {
        (panel.name, name): value
        for panel in PANELS.values()
        for name, value in blood_cells(panel, [*cell_classes(panel, blood), *artefacts(panel)]).items()
        if not np.isnan(value)
    }


def _still(plan: TrialPlan, name: str, visit: str, day: int) -> VisitTruth:
    """Blood of a subject on a day with the deviations of baseline: only treatment and drift have changed."""
    subject = plan.subjects[plan.number(name)]
    level = subject.course(day)
    values = {}
    for key, quantity in CELLS.items():
        deviation = (
            quantity.omega * subject.deviation(key, "BL")
            + quantity.per_year * (subject.age_years - 12.0)
            + subject.shift(key)
        )
        values[key] = quantity.value(deviation, effect(subject, quantity, day, level))
    return VisitTruth(name, visit, day, level, values, {})


def serum_table(plan: TrialPlan) -> pd.DataFrame:
    """True concentrations, before the limits of the assay."""
    subjects = {subject.id: subject for subject in plan.subjects}
    rows = [
        (blood.subject, blood.visit, name, value, ANALYTES[name].unit)
        for blood in plan.blood
        for name, value in draw_serum(
            subjects[blood.subject], blood, plan.entropy("serum", subjects[blood.subject], blood.visit)
        ).items()
    ]
    return pd.DataFrame(rows, columns=["subject", "visit", "analyte", "concentration", "unit"])


def parameters(plan: TrialPlan, specs: Sequence[TubeSpec]) -> dict[str, Any]:
    """Everything that was drawn or assumed, as plain data."""
    lots = {spec.bead_lot: spec for spec in plan.tubes}
    return {
        "generator": f"il2cyto {il2cyto.__version__}",
        "design": asdict(plan.design),
        "missing_visits": [{"subject": subject, "visit": visit} for subject, visit in plan.missing],
        "turnover": {
            "kout_per_day": course.DECAY_PER_DAY,
            "stimulus_of_treg_per_ul": course.stimulus(float(np.log(2.6)), 0.0),
            "course_days": course.COURSE_DAYS,
            "cycle_days": course.CYCLE_DAYS,
            "treatment_days": course.TREATMENT_DAYS,
            "response_sd": course.RESPONSE_SD,
            "tolerance_courses": course.TOLERANCE_COURSES,
        },
        "variation": {"slow_share": SLOW_SHARE, "slow_days": SLOW_DAYS},
        "faults": list(FAULTS),
        "cells": {name: asdict(quantity) for name, quantity in CELLS.items()},
        "analytes": {name: asdict(analyte) for name, analyte in ANALYTES.items()},
        "panels": {
            panel.name: {"detectors": {one.channel: one.marker for one in panel.detectors}} for panel in PANELS.values()
        },
        "batches": {
            batch.id: {
                "instrument": batch.instrument,
                "gains": batch.gains,
                "stored_spillover": {panel.name: batch.stored_spillover(panel).tolist() for panel in PANELS.values()},
            }
            for batch in plan.batches
        },
        "lots": {
            lot: {"beads_per_test": spec.beads_per_test, "true_over_stated": spec.lot_factor}
            for lot, spec in sorted(lots.items())
        },
        "subjects": {
            subject.id: {
                "arm": subject.arm,
                "diagnosis": subject.diagnosis,
                "nephritis": subject.nephritis,
                "lymphopenic": subject.lymphopenic,
                "severity": subject.severity,
                "response": subject.response,
                "stimulus_of_treg_per_ul": course.stimulus(float(np.log(2.6)), subject.response),
                "age_years": subject.age_years,
                "height_cm": subject.height_cm,
                "weight_kg": subject.weight_kg,
                "bsa_m2": subject.bsa_m2,
                "dose_days": list(subject.dose_days),
                "deviations": dict(subject.deviations),
                "slow": {visit: dict(values) for visit, values in subject.slow.items()},
            }
            for subject in plan.subjects
        },
        "blood": [
            {"subject": one.subject, "visit": one.visit, "day": one.day, "course": one.course, **one.values}
            for one in plan.blood
        ],
        "tubes": {
            spec.tube_id: {
                "seed": list(spec.seed),
                "batch": spec.batch.id if spec.batch else None,
                "lymphocytes_wanted": spec.lymphocytes,
            }
            for spec in specs
        },
    }
