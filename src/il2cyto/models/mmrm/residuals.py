"""Residuals of a fitted model, on the scale on which all are alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from il2cyto.models.mmrm.fit import MmrmFit

Floats = NDArray[np.float64]

#: Residual, in standard deviations, from which it is told: one of 230 is that far out in 1.5 % of sound data sets.
FAR: Final = 4.0
#: Subjects below which correlations between visits say nothing of the covariance.
_FEWEST: Final = 8


@dataclass(frozen=True, eq=False)
class ResidualCheck:
    """What scaled residuals say of a model.

    Attributes
    ----------
    scaled
        ``(n_subjects, n_visits)``: independent with variance 1 where the model holds; NaN where there is no response.
    largest, subject, visit
        The largest in size, and whose it is (row and column).
    skewness, kurtosis
        Of all of them; 0 and 3 where responses are normal.
    largest_correlation
        Between two visits, in size, NaN with fewer than 8 subjects who have both: 0 but for chance where the covariance
        holds.
    """

    scaled: Floats
    largest: float
    subject: int
    visit: int
    skewness: float
    kurtosis: float
    largest_correlation: float

    @property
    def remark(self) -> str:
        """What a reader must know; empty where nothing is far out."""
        if not self.largest >= FAR:
            return ""
        return f"a residual of {self.largest:.1f} standard deviations"


def check_residuals(fit: MmrmFit, response: Floats, design: Floats) -> ResidualCheck:
    """Scale the residuals of each subject by the Cholesky factor of their covariance, in the order of visits.

    Parameters
    ----------
    fit
        A fit that converged.
    response, design
        What was fitted, ``(n, m)`` and ``(n, m, p)``.

    Raises
    ------
    numpy.linalg.LinAlgError
        If a covariance is singular.

    Notes
    -----
    Fitzmaurice, Laird and Ware, Applied Longitudinal Analysis (2011), chapter 10: transformed residuals.

    Examples
    --------
    >>> from il2cyto.models.mmrm import fit_mmrm
    >>> y = np.random.default_rng(2).normal(size=(30, 3))
    >>> means = np.broadcast_to(np.eye(3), (30, 3, 3))
    >>> check = check_residuals(fit_mmrm(y, means), y, means)
    >>> check.scaled.shape, round(float(np.mean(check.scaled**2)), 2)
    ((30, 3), 0.97)
    """
    raw = response - design @ fit.params
    scaled = np.full(response.shape, np.nan)
    shared = fit.visit_covariance.shape[0] == 1
    for i, row in enumerate(raw):
        seen = np.flatnonzero(~np.isnan(row))
        covariance = fit.visit_covariance[0 if shared else i][np.ix_(seen, seen)]
        scaled[i, seen] = np.linalg.solve(np.linalg.cholesky(covariance), row[seen])
    size = np.where(np.isnan(scaled), -1.0, np.abs(scaled))
    subject, visit = (int(place) for place in np.unravel_index(int(size.argmax()), size.shape))
    known = scaled[~np.isnan(scaled)]
    centred = known - known.mean()
    variance = float((centred**2).mean())
    skewness, kurtosis = (
        (float((centred**power).mean() / variance ** (power / 2)) if variance > 0 else float("nan")) for power in (3, 4)
    )
    return ResidualCheck(
        scaled, float(size[subject, visit]), subject, visit, skewness, kurtosis, _between_visits(scaled)
    )


def _between_visits(scaled: Floats) -> float:
    found = []
    for a in range(scaled.shape[1]):
        for b in range(a):
            both = ~np.isnan(scaled[:, a]) & ~np.isnan(scaled[:, b])
            if both.sum() >= _FEWEST and scaled[both, a].std() > 0 and scaled[both, b].std() > 0:
                found.append(abs(float(np.corrcoef(scaled[both, a], scaled[both, b])[0, 1])))
    return max(found, default=float("nan"))
