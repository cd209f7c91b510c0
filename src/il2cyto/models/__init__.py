"""Models of the trial: change of counts from baseline, changed subjects, and serum with censored values."""

from il2cyto.models.change import CHANGE, DIFFERENCE, MODEL_COLUMNS, change_from_baseline, populations_left_out
from il2cyto.models.changed import CHANGED_COLUMNS, changed_subjects
from il2cyto.models.correlation import CORRELATION_COLUMNS, correlate, within_subjects
from il2cyto.models.events import EVENTS_COLUMNS, events_over_visits
from il2cyto.models.joint import JOINT_COLUMNS, joint_over_visits
from il2cyto.models.kpd import (
    TIMING_COLUMNS,
    TURNOVER_COLUMNS,
    TurnoverCurve,
    dose_study_days,
    dose_timing,
    turnover_by_population,
    turnover_curves,
)
from il2cyto.models.serum import SERUM_MODEL_COLUMNS, serum_over_visits
from il2cyto.models.shifts import SHIFT_COLUMNS, range_shifts
from il2cyto.models.together import TOGETHER_COLUMNS, cells_and_cytokines
from il2cyto.models.weighted import OVERLAP_COLUMNS, change_with_overlap_weights

__all__ = [
    "CHANGE",
    "CHANGED_COLUMNS",
    "CORRELATION_COLUMNS",
    "DIFFERENCE",
    "EVENTS_COLUMNS",
    "JOINT_COLUMNS",
    "MODEL_COLUMNS",
    "OVERLAP_COLUMNS",
    "SERUM_MODEL_COLUMNS",
    "SHIFT_COLUMNS",
    "TIMING_COLUMNS",
    "TOGETHER_COLUMNS",
    "TURNOVER_COLUMNS",
    "TurnoverCurve",
    "cells_and_cytokines",
    "change_from_baseline",
    "change_with_overlap_weights",
    "changed_subjects",
    "correlate",
    "dose_study_days",
    "dose_timing",
    "events_over_visits",
    "joint_over_visits",
    "populations_left_out",
    "range_shifts",
    "serum_over_visits",
    "turnover_by_population",
    "turnover_curves",
    "within_subjects",
]
