"""``study.yaml`` and the sheets of a simulated trial, as text."""

from __future__ import annotations

import pandas as pd

from il2cyto.simulate.analytes import ANALYTES, as_reported, draw_serum
from il2cyto.simulate.panels import PANELS
from il2cyto.simulate.plan import VISITS, TrialPlan

#: Interleukin-2 per m² of body surface and dose, IU.
DOSE_PER_M2 = 500_000.0
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
    return f"""study: DEMO
title: Simulated trial of low-dose interleukin-2 with known truth
description: >-
  Everything here was simulated with seed {plan.seed}; no patient is behind any number.
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
errors: {{cv_pipetting: {plan.cv_pipetting:g}, cv_lot: {plan.cv_lot:g}, cv_volume: 0.03, cv_alc: 0.04}}
samples: samples.csv
dosing: dosing.csv
serum: serum.csv
"""


def samples_sheet(plan: TrialPlan) -> pd.DataFrame:
    """One row per tube; beads, lot and blood volume only where beads are counted."""
    subjects = {subject.id: subject for subject in plan.subjects}
    rows = []
    for spec in plan.tubes:
        subject = subjects[spec.blood.subject]
        beads = PANELS[spec.panel].whole_blood
        rows.append(
            {
                "tube_id": spec.tube_id,
                "subject": subject.id,
                "arm": subject.arm,
                "diagnosis": subject.diagnosis,
                "sex": subject.sex,
                "age_years": f"{subject.age_years + spec.blood.day / 365.25:.1f}",
                "visit": spec.blood.visit,
                "collection_date": subject.date_of(spec.blood.day).isoformat(),
                "tube": spec.panel,
                "fcs": f"fcs/{spec.tube_id}.fcs",
                "beads_per_test": str(spec.beads_per_test) if beads else "",
                "bead_lot": spec.bead_lot if beads else "",
                "blood_volume_ul": f"{spec.volume_ul:g}" if beads else "",
                "dilution": "1" if beads else "",
                "repeat": "",
            }
        )
    return pd.DataFrame(rows)


def dosing_sheet(plan: TrialPlan) -> pd.DataFrame:
    """One row per dose up to the last visit of the trial, in IU as given (dose per m² times body surface)."""
    last = max(spec.blood.day for spec in plan.tubes)
    rows = [
        {
            "subject": subject.id,
            "date": subject.date_of(day).isoformat(),
            # vials are drawn up to 10,000 IU
            "dose": f"{round(DOSE_PER_M2 * subject.bsa_m2, -4):.0f}",
            "unit": "IU",
            "route": "subcutaneous",
            "treatment": _DRUG,
        }
        for subject in plan.subjects
        for day in subject.dose_days
        if day <= last
    ]
    return pd.DataFrame(rows, columns=["subject", "date", "dose", "unit", "route", "treatment"])


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
