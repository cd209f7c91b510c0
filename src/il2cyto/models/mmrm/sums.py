"""Sums over the subjects that have the same visits: all that the likelihood needs of the data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: Share of a variance that counts as none.
_NONE: Final = 1e-7


@dataclass(frozen=True, eq=False)
class Sums:
    """Cross products over groups of subjects; g groups, m visits, p effects.

    Attributes
    ----------
    n
        Subjects of each group, ``(g,)``.
    both
        Where both visits are known, ``(g, m, m)``; `unit` has 1 on the diagonal where the visit is not.
    xx, xy, yy
        ``x_a x_b'`` ``(g, m, m, p, p)``, ``x_a y_b`` ``(g, m, m, p)`` and ``y_a y_b`` ``(g, m, m)``, summed over
        subjects.
    n_observations
        Known responses.
    least
        Variance of each visit, ``(m,)``, below which it counts as none: the fit explains the visit.
    """

    n: Floats
    both: NDArray[np.bool_]
    unit: Floats
    xx: Floats
    xy: Floats
    yy: Floats
    n_observations: int
    least: Floats

    def xx_with(self, weights: Floats) -> Floats:
        """``Σ X' W X`` for weights ``(g, m, m)``."""
        p = self.xx.shape[-1]
        return np.asarray((weights.ravel() @ self.xx.reshape(-1, p * p)).reshape(p, p))

    def xy_with(self, weights: Floats) -> Floats:
        """``Σ X' W y``."""
        return np.asarray(weights.ravel() @ self.xy.reshape(-1, self.xy.shape[-1]))

    def yy_with(self, weights: Floats) -> float:
        """``Σ y' W y``."""
        return float(weights.ravel() @ self.yy.ravel())

    def xx_with_many(self, weights: Floats) -> Floats:
        """``Σ X' W_k X`` ``(k, p, p)`` for weights ``(k, g, m, m)``."""
        k, p = len(weights), self.xx.shape[-1]
        return np.asarray((weights.reshape(k, -1) @ self.xx.reshape(-1, p * p)).reshape(k, p, p))

    def xr_with_many(self, weights: Floats, effects: Floats) -> Floats:
        """``Σ X' W_k r`` ``(k, p)`` for the residuals ``r`` at some effects."""
        of_residuals = self.xy - self.xx @ effects
        return np.asarray(weights.reshape(len(weights), -1) @ of_residuals.reshape(-1, of_residuals.shape[-1]))

    def residuals(self, effects: Floats) -> Floats:
        """``Σ r r'`` ``(g, m, m)`` at some effects."""
        fitted = self.xy @ effects
        return np.asarray(self.yy - fitted - fitted.swapaxes(-1, -2) + (self.xx @ effects) @ effects)

    def spread(self, inverse: Floats) -> Floats:
        """``Σ X A X'`` ``(g, m, m)`` for a matrix A ``(p, p)``."""
        g, m = self.yy.shape[:2]
        return np.asarray((self.xx.reshape(g * m * m, -1) @ inverse.ravel()).reshape(g, m, m))


def collect(response: Floats, columns: Floats, variances: Floats, *, shared: bool) -> Sums:
    """Sum over the subjects with the same known visits, or keep each subject apart.

    Parameters
    ----------
    response
        Shape ``(n, m)``, NaN where unknown.
    columns
        Shape ``(n, m, p)``, 0 where the response is unknown.
    variances
        Of the residuals at each visit, ``(m,)``, by least squares.
    shared
        Whether subjects with the same visits have the same covariance.
    """
    known = np.isfinite(response)
    n, m, p = columns.shape
    if shared:
        patterns, group = np.unique(known, axis=0, return_inverse=True)
        group = group.ravel()
    else:
        patterns, group = known, np.arange(n)
    g = len(patterns)
    y = np.where(known, response, 0.0)
    xx, xy, yy = np.zeros((g, m, m, p, p)), np.zeros((g, m, m, p)), np.zeros((g, m, m))
    for own in range(g):
        at = group == own if shared else np.array([own])
        flat = columns[at].reshape(-1, m * p)
        xx[own] = (flat.T @ flat).reshape(m, p, m, p).transpose(0, 2, 1, 3)
        xy[own] = (flat.T @ y[at]).reshape(m, p, m).transpose(0, 2, 1)
        yy[own] = y[at].T @ y[at]
    both = patterns[:, :, None] & patterns[:, None, :]
    unit = np.where(patterns[:, :, None], 0.0, np.eye(m))
    return Sums(
        np.bincount(group, minlength=g).astype(np.float64), both, unit, xx, xy, yy, int(known.sum()), _NONE * variances
    )
