"""Derived variables of the trial: study days, ages, time since a dose. Pure functions on dates and tables."""

from il2cyto.derive.days import ady, age_at
from il2cyto.derive.dosing import cycle_day, days_since_last_dose, reference_dates
from il2cyto.derive.visits import visit_table

__all__ = ["ady", "age_at", "cycle_day", "days_since_last_dose", "reference_dates", "visit_table"]
