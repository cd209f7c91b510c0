"""Models of the trial: change from baseline by arm and visit."""

from il2cyto.models.change import CHANGE, DIFFERENCE, MODEL_COLUMNS, change_from_baseline, populations_left_out

__all__ = ["CHANGE", "DIFFERENCE", "MODEL_COLUMNS", "change_from_baseline", "populations_left_out"]
