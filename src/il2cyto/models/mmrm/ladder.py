"""Unstructured covariance, and what is fitted where it has no estimate: a ladder that no p-value climbs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from il2cyto.errors import ParameterError
from il2cyto.models.mmrm.contrast import KENWARD_ROGER, Contrast, contrast
from il2cyto.models.mmrm.covariance import STRUCTURES
from il2cyto.models.mmrm.fit import MmrmFit, fit_mmrm
from il2cyto.models.mmrm.residuals import check_residuals
from il2cyto.models.mmrm.sandwich import robust_contrasts

Floats = NDArray[np.float64]

#: From the most general structure down; the next one is fitted where the one before has no estimate.
LADDER: Final = ("us", "toeph", "spexph", "csh")
#: Degrees of freedom below which the variance of an effect cannot be told.
_LEAST_DF: Final = 1.0


@dataclass(frozen=True, eq=False)
class Rung:
    """The first structure of the ladder that has estimates.

    Attributes
    ----------
    fit
        The model.
    response, design
        What was fitted, ``(n_subjects, n_visits)`` and ``(n_subjects, n_visits, p)``.
    passed
        Structures before it, each with why it has no estimates.
    """

    fit: MmrmFit
    response: Floats
    design: Floats
    passed: tuple[str, ...]

    @property
    def is_robust(self) -> bool:
        """Whether errors are those of CR2, since the structure may not hold."""
        return self.fit.structure.kind != LADDER[0]

    @property
    def name(self) -> str:
        """The structure and its errors, in words."""
        if self.response.shape[1] == 1:
            return "one variance"
        return STRUCTURES[self.fit.structure.kind] + (", CR2" if self.is_robust else f", {KENWARD_ROGER}")

    @property
    def remark(self) -> str:
        """What the residuals say against the model; empty where nothing does."""
        try:
            return check_residuals(self.fit, self.response, self.design).remark
        except np.linalg.LinAlgError:
            return "residuals cannot be scaled: the covariance is singular"

    def contrast(self, weights: Floats) -> Contrast:
        """Estimate a linear combination of the fixed effects, weights ``(p,)``."""
        if self.is_robust:
            return robust_contrasts(self.fit, self.response, self.design, weights)[0]
        return contrast(self.fit, weights)


def climb(response: Floats, design: Floats, days: Floats, wanted: Floats) -> Rung | tuple[str, ...]:
    """Fit the first structure of the ladder that has estimates.

    Parameters
    ----------
    response, design
        As for `il2cyto.models.mmrm.fit_mmrm`.
    days
        Of the visits, ``(n_subjects, n_visits)``, for the spatial rung; it is passed where a day is not known.
    wanted
        Contrasts ``(q, p)`` that must have a degree of freedom or more each.

    Returns
    -------
    Rung
        Or why each structure has no estimates.
    """
    passed: list[str] = []
    # with two visits or fewer all of these are the same, or differ in nothing that data can tell
    for kind in LADDER if response.shape[1] > 2 else LADDER[:1]:
        times = days if kind == "spexph" else None
        if times is not None and not np.isfinite(times[np.isfinite(response)]).all():
            passed.append(f"{STRUCTURES[kind]}: a day is not known")
            continue
        try:
            fit = fit_mmrm(response, design, kind, times=times)
        except (ParameterError, np.linalg.LinAlgError) as error:
            passed.append(f"{STRUCTURES[kind]}: {error}")
            continue
        if not fit.converged:
            passed.append(f"{STRUCTURES[kind]}: {fit.status}")
            continue
        rung = Rung(fit, response, design, tuple(passed))
        if min(rung.contrast(row).df for row in wanted) >= _LEAST_DF:
            return rung
        passed.append(f"{STRUCTURES[kind]}: fewer than one degree of freedom")
    return tuple(passed)
