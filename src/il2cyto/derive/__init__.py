"""Derived variables of the trial: study days, ages, time since a dose, doses of drugs, scores of disease.

Pure functions on dates, numbers and tables. Body surface, which works on arrays, is in `il2cyto.derive.surface`:
reading a study needs nothing numerical.
"""

from il2cyto.derive.days import ady, age_at
from il2cyto.derive.dosing import cycle_day, days_since_last_dose, reference_dates
from il2cyto.derive.medication import Prescription, SteroidDose, drug_doses, overlaps, prescription, steroid_dose
from il2cyto.derive.scores import essdai, essdai_band, sledai, sledai_band
from il2cyto.derive.visits import visit_table

__all__ = [
    "Prescription",
    "SteroidDose",
    "ady",
    "age_at",
    "cycle_day",
    "days_since_last_dose",
    "drug_doses",
    "essdai",
    "essdai_band",
    "overlaps",
    "prescription",
    "reference_dates",
    "sledai",
    "sledai_band",
    "steroid_dose",
    "visit_table",
]
