"""Study files: ``study.yaml`` and its sheets, read and checked, with every problem at once."""

from il2cyto.study.frozen import FrozenMapping
from il2cyto.study.model import (
    Arm,
    CountSpec,
    Dose,
    ErrorModel,
    Limits,
    SerumValue,
    StrategyRef,
    Study,
    Subject,
    TubeRecord,
    TubeType,
    Visit,
)
from il2cyto.study.packaged import packaged_strategies, packaged_strategy
from il2cyto.study.read import Inspection, check_study, inspect_study, read_study
from il2cyto.study.template import new_study

__all__ = [
    "Arm",
    "CountSpec",
    "Dose",
    "ErrorModel",
    "FrozenMapping",
    "Inspection",
    "Limits",
    "SerumValue",
    "StrategyRef",
    "Study",
    "Subject",
    "TubeRecord",
    "TubeType",
    "Visit",
    "check_study",
    "inspect_study",
    "new_study",
    "packaged_strategies",
    "packaged_strategy",
    "read_study",
]
