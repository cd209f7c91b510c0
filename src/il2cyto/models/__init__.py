"""Models of the trial: change of counts from baseline by arm and visit; serum with censored values."""

from il2cyto.models.change import CHANGE, DIFFERENCE, MODEL_COLUMNS, change_from_baseline, populations_left_out
from il2cyto.models.serum import SERUM_MODEL_COLUMNS, serum_over_visits

__all__ = [
    "CHANGE",
    "DIFFERENCE",
    "MODEL_COLUMNS",
    "SERUM_MODEL_COLUMNS",
    "change_from_baseline",
    "populations_left_out",
    "serum_over_visits",
]
