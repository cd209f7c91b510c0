"""Mixed models for repeated measures: the fit, contrasts for small samples, and robust errors."""

from il2cyto.models.mmrm.contrast import (
    KENWARD_ROGER,
    KENWARD_ROGER_LINEAR,
    SATTERTHWAITE,
    Contrast,
    JointTest,
    adjusted_covariance,
    contrast,
    joint_test,
    t_contrast,
)
from il2cyto.models.mmrm.covariance import STRUCTURES, Covariance
from il2cyto.models.mmrm.fit import MmrmFit, fit_mmrm
from il2cyto.models.mmrm.ladder import LADDER, Rung, climb
from il2cyto.models.mmrm.residuals import ResidualCheck, check_residuals
from il2cyto.models.mmrm.sandwich import robust_contrasts

__all__ = [
    "KENWARD_ROGER",
    "KENWARD_ROGER_LINEAR",
    "LADDER",
    "SATTERTHWAITE",
    "STRUCTURES",
    "Contrast",
    "Covariance",
    "JointTest",
    "MmrmFit",
    "ResidualCheck",
    "Rung",
    "adjusted_covariance",
    "check_residuals",
    "climb",
    "contrast",
    "fit_mmrm",
    "joint_test",
    "robust_contrasts",
    "t_contrast",
]
