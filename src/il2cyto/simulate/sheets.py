"""``study.yaml`` and the sheets of a simulated trial, as text."""

from __future__ import annotations

import pandas as pd

from il2cyto.simulate.activity import draw_activity
from il2cyto.simulate.adverse import CLASSES
from il2cyto.simulate.analytes import ANALYTES, as_reported, draw_serum
from il2cyto.simulate.controls import Controls
from il2cyto.simulate.design import VISITS
from il2cyto.simulate.laboratory import draw_laboratory
from il2cyto.simulate.panels import PANELS
from il2cyto.simulate.plan import TrialPlan
from il2cyto.simulate.regimen import DOSE_PER_M2

_DRUG = "rhIL-2"
#: Population that links each tube of mononuclear cells to the bead tube, there under the same name.
_CHAINED = {"TREG": "CD4", "TH17": "CD4", "NK": "NK"}


def study_yaml(plan: TrialPlan) -> str:
    """``study.yaml`` of the simulated trial."""
    visits = "\n".join(
        f"  {name}: {{label: {visit.label}, number: {visit.number}, {'baseline: true, ' if visit.number == 0 else ''}"
        f"target_day: {visit.target_day}, window: [{visit.window[0]}, {visit.window[1]}]}}"
        for name, visit in VISITS.items()
        if name in plan.visits
    )
    tubes = []
    for panel in PANELS.values():
        count = (
            "{route: beads, beads: beads}"
            if panel.whole_blood
            else f"{{route: chained, population: {_CHAINED[panel.name]}, from: TBNK/{_CHAINED[panel.name]}}}"
        )
        tubes.append(f'  {panel.name}: {{strategy: "il2cyto:{panel.strategy}", count: {count}}}')
    controls = "controls: controls.csv\n" if plan.design.controls else ""
    return f"""study: DEMO
title: Simulated trial of low-dose interleukin-2 with known truth
description: >-
  Everything here was simulated with seed {plan.seed}; no patient is behind any number. The arms were not randomised.
assumptions:
  - Samples on a dosing day were drawn before the dose.
arms:
  IL2: {{label: Low-dose IL-2 + standard therapy}}
  STD: {{label: Standard therapy, reference: true}}
visits:
{visits}
tubes:
{chr(10).join(tubes)}
percent_of: [CD4]
limits: {{lloq_events: 100, lod_events: 20, min_beads: 1000}}
errors: {{cv_pipetting: {plan.design.cv_pipetting:g}, cv_lot: {plan.design.cv_lot:g}, cv_volume: 0.03, cv_alc: 0.04}}
samples: samples.csv
dosing: dosing.csv
serum: serum.csv
conmeds: conmeds.csv
vitals: vitals.csv
labs: labs.csv
scores: scores.csv
ae: ae.csv
{controls}{_outcomes(plan)}"""


def _outcomes(plan: TrialPlan) -> str:
    """The outcomes, with their key comparison at the last visit."""
    last, classes, analytes = plan.visits[-1], ", ".join(CLASSES), ", ".join(ANALYTES)
    written = {
        "STEROID": "kind: steroid, label: Average daily dose of steroid, role: primary, covariates: [AGE, DIAGNOSIS]",
        "IMMUNOSUPPRESSANTS": "kind: drugs, label: Immunosuppressants, role: primary",
        "CELLS": "kind: changed, label: Subjects with a change of cells, populations: [Treg, Th17, lympho/NK]",
        "CYTOKINES": f"kind: changed, label: Subjects with a change of cytokines, analytes: [{analytes}]",
        "SEROLOGY": "kind: laboratory, label: Complement and anti-dsDNA, tests: [C3, C4, ADSDNA], log: [ADSDNA]",
        "SLEDAI": "kind: score, label: SELENA-SLEDAI, score: SELENA-SLEDAI, diagnoses: [SLE]",
        "ESSDAI": "kind: score, label: ESSDAI, score: ESSDAI, diagnoses: [pSS]",
        "SAFETY": f"kind: events, label: Adverse events, classes: [{classes}]",
        "ORGANS": "kind: laboratory, label: Kidneys and liver, role: exploratory, tests: [EGFR, ALT, EOS]",
    }
    # a score of a disease that nobody of a small trial has is no outcome of it
    absent = {"SLE": "SLEDAI", "pSS": "ESSDAI"}
    for diagnosis, name in absent.items():
        if diagnosis not in {subject.diagnosis for subject in plan.subjects}:
            del written[name]
    lines = [f"  {name}: {{{keys}, visit: {last}}}" for name, keys in written.items()]
    return "\n".join(["outcomes:", *lines, "model: {weights: overlap}", ""])


def samples_sheet(plan: TrialPlan) -> pd.DataFrame:
    """One row per tube; beads, lot and blood volume only where beads are counted."""
    subjects = {subject.id: subject for subject in plan.subjects}
    activity = {name: draw_activity(plan.seed, plan.number(name), subject) for name, subject in subjects.items()}
    rows = []
    for spec in plan.tubes:
        subject = subjects[spec.blood.subject]
        beads = PANELS[spec.panel].whole_blood
        visit = VISITS[spec.blood.visit].number
        blood_count = (
            draw_laboratory(plan.seed, plan.number(subject.id), visit, spec.blood, activity[subject.id])
            if beads
            else {}
        )
        rows.append(
            {
                "tube_id": spec.tube_id,
                "subject": subject.id,
                "arm": subject.arm,
                "diagnosis": subject.diagnosis,
                "sex": subject.sex,
                "age_years": f"{subject.age_at(spec.blood.day):.1f}",
                "visit": spec.blood.visit,
                "collection_date": subject.date_of(spec.blood.day).isoformat(),
                "tube": spec.panel,
                "fcs": f"fcs/{spec.tube_id}.fcs",
                "beads_per_test": str(spec.beads_per_test) if beads else "",
                "bead_lot": spec.bead_lot if beads else "",
                "blood_volume_ul": f"{spec.volume_ul:g}" if beads else "",
                "dilution": "1" if beads else "",
                "alc_per_ul": f"{1000 * blood_count['LYM']:.0f}" if beads else "",
                "batch": spec.batch.id if spec.batch else "",
                "instrument": spec.batch.instrument if spec.batch else "",
                "repeat": "",
            }
        )
    return pd.DataFrame(rows)


def dosing_sheet(plan: TrialPlan) -> pd.DataFrame:
    """One row per dose that was given, up to the last visit of the trial, in IU, per m² at the latest visit."""
    last = max(spec.blood.day for spec in plan.tubes)
    targets = [visit.target_day for visit in VISITS.values()]
    rows = [
        {
            "subject": subject.id,
            "date": subject.date_of(day).isoformat(),
            # vials are drawn up to 10,000 IU
            "dose": f"{round(DOSE_PER_M2 * subject.bsa_at(max(t for t in targets if t <= day)), -4):.0f}",
            "unit": "IU",
            "route": "subcutaneous",
            "treatment": _DRUG,
        }
        for subject in plan.subjects
        for day in subject.dose_days
        if day <= last
    ]
    return pd.DataFrame(rows, columns=["subject", "date", "dose", "unit", "route", "treatment"])


def controls_sheet(controls: Controls) -> pd.DataFrame:
    """One row per control file."""
    rows = [
        (
            stain.control_id,
            "single_stain" if stain.marker else "unstained",
            stain.panel,
            stain.marker,
            next((one.channel for one in PANELS[stain.panel].detectors if one.marker == stain.marker), ""),
            stain.batch.id,
            stain.batch.instrument,
            controls.acquired[stain.batch.id],
        )
        for stain in controls.stains
    ]
    for tube in controls.tubes:
        batch = tube.spec.batch
        if batch is not None:
            channel = next((one.channel for one in PANELS[tube.spec.panel].detectors if one.marker == tube.marker), "")
            rows.append(
                (
                    tube.spec.tube_id,
                    tube.kind,
                    tube.spec.panel,
                    tube.marker,
                    channel,
                    batch.id,
                    batch.instrument,
                    controls.acquired[batch.id],
                )
            )
    sheet = pd.DataFrame(
        rows, columns=["control_id", "kind", "tube", "marker", "channel", "batch", "instrument", "acquired"]
    )
    sheet["fcs"] = "controls/" + sheet["control_id"] + ".fcs"
    return sheet


def serum_sheet(plan: TrialPlan) -> pd.DataFrame:
    """One row per subject, visit and analyte, as the laboratory writes it (``<2.4`` below the limit)."""
    rows = []
    for subject in plan.subjects:
        for blood in plan.blood:
            if blood.subject != subject.id:
                continue
            seed = plan.entropy("serum", subject, blood.visit)
            for name, value in draw_serum(subject, blood, seed).items():
                analyte = ANALYTES[name]
                rows.append(
                    {
                        "subject": subject.id,
                        "visit": blood.visit,
                        "analyte": name,
                        "value": as_reported(value, analyte),
                        "unit": analyte.unit,
                        "lloq": f"{analyte.lloq:g}",
                        "uloq": f"{analyte.uloq:g}",
                    }
                )
    return pd.DataFrame(rows)
