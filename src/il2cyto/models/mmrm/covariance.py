"""Covariance of the visits of a subject: ten structures with their derivatives, over arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from il2cyto.errors import ParameterError, did_you_mean

Floats = NDArray[np.float64]

#: Structures by name, as SAS PROC MIXED and R's mmrm have them; the last is `spexp` with a variance for each visit.
STRUCTURES: Final = {
    "us": "unstructured",
    "cs": "compound symmetry",
    "csh": "heterogeneous compound symmetry",
    "ar1": "first-order autoregressive",
    "ar1h": "heterogeneous first-order autoregressive",
    "adh": "heterogeneous ante-dependence",
    "toep": "Toeplitz",
    "toeph": "heterogeneous Toeplitz",
    "spexp": "spatial exponential",
    "spexph": "heterogeneous spatial exponential",
}
_LINEAR: Final = ("us", "cs", "toep")
_HETEROGENEOUS: Final = ("csh", "ar1h", "adh", "toeph", "spexph")
_SPATIAL: Final = ("spexp", "spexph")
#: Range of a spatial structure in units of the largest distance, and of the smallest divided by it.
_REACH: Final = 1e6


@dataclass(frozen=True, eq=False)
class Covariance:
    """A structure for so many visits.

    Parameters
    ----------
    kind
        A key of `STRUCTURES`.
    n_visits
        Visits m.
    distance
        Distances between the visits of each subject, shape ``(n_subjects, m, m)``, for the spatial structures.

    Raises
    ------
    ParameterError
        If the structure is unknown, or has distances it does not use or lacks those it needs.

    Notes
    -----
    Parameters are those of SAS PROC MIXED, whose Kenward–Roger correction depends on them: covariances for `us`; the
    common covariance and the residual variance for `cs`; a covariance for each lag for `toep`; otherwise variances
    (one, or one for each visit), then correlations, or the range of ``exp(-distance / range)``.
    """

    kind: str
    n_visits: int
    distance: Floats | None = None

    def __post_init__(self) -> None:
        if self.kind not in STRUCTURES:
            raise ParameterError(
                f"covariance {self.kind!r}: no such structure{did_you_mean(self.kind, list(STRUCTURES))}"
            )
        if (self.kind in _SPATIAL) != (self.distance is not None):
            raise ParameterError(
                f"covariance {self.kind}: " + ("needs the times of visits" if self.kind in _SPATIAL else "has no times")
            )

    @property
    def n_variances(self) -> int:
        """Variances among the parameters of a structure that has correlations; 0 for the linear ones."""
        if self.kind in _LINEAR:
            return 0
        return self.n_visits if self.kind in _HETEROGENEOUS else 1

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters, in order."""
        m = self.n_visits
        if self.kind == "us":
            return tuple(f"covariance {i + 1},{j + 1}" for i in range(m) for j in range(i + 1))
        if self.kind == "cs":
            return ("covariance", "residual variance")
        if self.kind == "toep":
            return ("variance", *(f"covariance at lag {lag}" for lag in range(1, m)))
        variances = ["variance"] if self.n_variances == 1 else [f"variance {i + 1}" for i in range(m)]
        if self.kind in _SPATIAL:
            return (*variances, "range")
        if self.kind == "adh":
            return (*variances, *(f"correlation {i + 1},{i + 2}" for i in range(m - 1)))
        if self.kind == "toeph":
            return (*variances, *(f"correlation at lag {lag}" for lag in range(1, m)))
        return (*variances, "correlation")

    @property
    def is_scale(self) -> NDArray[np.bool_]:
        """Say which parameters carry the squared unit of the response."""
        flags = np.zeros(len(self.names), dtype=bool)
        flags[: self.n_variances if self.n_variances else None] = True
        return flags

    def start(self, moments: Floats) -> Floats:
        """Return parameters near a covariance matrix, shape ``(m, m)``, such as that of the residuals."""
        m, kind = self.n_visits, self.kind
        variances = np.diag(moments).copy()
        spread = np.sqrt(variances)
        correlation = np.clip(moments / np.outer(spread, spread), -0.95, 0.95)
        lag = np.abs(np.subtract.outer(np.arange(m), np.arange(m)))
        if kind == "us":
            # shrunk so far that it is positive definite
            near = _shrunk(correlation) * np.outer(spread, spread)
            return np.asarray(near[np.tril_indices(m)])
        mean = float(variances.mean())
        off = float(correlation[lag > 0].mean()) if m > 1 else 0.0
        # all of these are positive definite at small positive correlations
        common = float(np.clip(off, 0.05, 0.9))
        if kind == "cs":
            return np.array([common * mean, (1 - common) * mean])
        by_lag = common ** np.arange(1, m)
        if kind == "toep":
            return np.concatenate([[mean], mean * by_lag])
        own = variances if kind in _HETEROGENEOUS else np.array([mean])
        if kind in _SPATIAL:
            apart = self._apart[self._apart > 0]
            reach = float(np.median(apart)) if apart.size else 1.0
            return np.append(own, -reach / np.log(common))
        if kind == "adh":
            return np.concatenate([own, np.full(m - 1, common)])
        return np.concatenate([own, by_lag if kind == "toeph" else [common]])

    def value(self, theta: Floats) -> Floats | None:
        """Return the covariance ``(1 or n_subjects, m, m)``; ``None`` outside the domain of the parameters."""
        if self.kind in _LINEAR:
            return np.asarray(np.einsum("k,kij->ij", theta, self._basis()))[None]
        variances, rest = theta[: self.n_variances], theta[self.n_variances :]
        if (variances <= 0).any() or not self._inside(rest):
            return None
        spread = np.sqrt(np.broadcast_to(variances, self.n_visits))
        return np.asarray(self._correlation(rest)[0] * np.outer(spread, spread))

    def first(self, theta: Floats) -> Floats:
        """Return the derivatives by each parameter, shape ``(k, 1 or n_subjects, m, m)``."""
        if self.kind in _LINEAR:
            return self._basis()[:, None]
        variances, rest = theta[: self.n_variances], theta[self.n_variances :]
        spread = np.sqrt(np.broadcast_to(variances, self.n_visits))
        outer = np.outer(spread, spread)
        correlation, by_rest, _ = self._correlation(rest)
        value = correlation * outer
        return np.concatenate([value * self._share(variances)[:, None], by_rest * outer])

    def second(self, theta: Floats) -> Floats | None:
        """Return second derivatives ``(k, k, 1 or n_subjects, m, m)``; ``None`` where all are 0."""
        if self.kind in _LINEAR:
            return None
        variances, rest = theta[: self.n_variances], theta[self.n_variances :]
        spread = np.sqrt(np.broadcast_to(variances, self.n_visits))
        outer = np.outer(spread, spread)
        correlation, by_rest, twice = self._correlation(rest)
        value = correlation * outer
        share = self._share(variances)
        k, v = theta.size, variances.size
        found = np.empty((k, k, *value.shape))
        curved = share[:, None] * share[None, :]
        # the square root: d share / d variance = -share / variance
        for a in range(v):
            curved[a, a] -= share[a] / variances[a]
        found[:v, :v] = value * curved[:, :, None]
        mixed = (by_rest * outer)[None] * share[:, None, None]
        found[:v, v:] = mixed
        found[v:, :v] = mixed.swapaxes(0, 1)
        found[v:, v:] = twice * outer
        return found

    @property
    def _apart(self) -> Floats:
        return np.zeros((1, self.n_visits, self.n_visits)) if self.distance is None else self.distance

    def _share(self, variances: Floats) -> Floats:
        """Derivative of ``log sqrt(v_i v_j)`` by each variance, ``(v, m, m)``."""
        m = self.n_visits
        if variances.size == 1:
            return np.full((1, m, m), 1 / variances[0])
        unit = np.eye(m)
        return np.asarray((unit[:, :, None] + unit[:, None, :]) / (2 * variances[:, None, None]))

    def _inside(self, rest: Floats) -> bool:
        if self.kind not in _SPATIAL:
            return bool((np.abs(rest) < 1).all())
        apart = self._apart[self._apart > 0]
        # beyond these the visits are one, or nothing to each other
        low, high = (float(apart.min()), float(apart.max())) if apart.size else (1.0, 1.0)
        return bool(low / _REACH < rest[0] < high * _REACH)

    def _basis(self) -> Floats:
        m = self.n_visits
        lag = np.abs(np.subtract.outer(np.arange(m), np.arange(m)))
        if self.kind == "cs":
            return np.stack([np.ones((m, m)), np.eye(m)])
        if self.kind == "toep":
            return np.stack([(lag == at).astype(np.float64) for at in range(m)])
        rows, columns = np.tril_indices(m)
        basis = np.zeros((rows.size, m, m))
        basis[np.arange(rows.size), rows, columns] = 1.0
        basis[np.arange(rows.size), columns, rows] = 1.0
        return basis

    def _correlation(self, rest: Floats) -> tuple[Floats, Floats, Floats]:
        """Correlations ``(1 or n, m, m)`` with their first ``(c, …)`` and second derivatives ``(c, c, …)``."""
        m = self.n_visits
        lag = np.abs(np.subtract.outer(np.arange(m), np.arange(m))).astype(np.float64)
        if self.kind in _SPATIAL:
            reach, apart = float(rest[0]), self._apart
            value = np.exp(-apart / reach)
            one = value * apart / reach**2
            two = value * (apart**2 / reach**4 - 2 * apart / reach**3)
            return value, one[None], two[None, None]
        if self.kind in ("ar1", "ar1h"):
            rho = float(rest[0])
            value = rho**lag
            one = lag * rho ** np.maximum(lag - 1, 0)
            two = lag * np.maximum(lag - 1, 0) * rho ** np.maximum(lag - 2, 0)
            return value[None], one[None, None], two[None, None, None]
        if self.kind == "adh":
            return _ante_dependence(rest, m)
        if self.kind == "csh":
            one = (lag > 0).astype(np.float64)[None]
        else:
            one = np.stack([(lag == at).astype(np.float64) for at in range(1, m)])
        value = np.eye(m) + np.einsum("c,cij->ij", rest, one)
        c = rest.size
        return value[None], one[:, None], np.zeros((c, c, 1, m, m))


def _ante_dependence(rho: Floats, m: int) -> tuple[Floats, Floats, Floats]:
    """Products of the correlations of neighbours; a derivative leaves its factor out."""
    c = m - 1
    # steps (i, j) that lead over neighbour k
    low, high = np.minimum.outer(np.arange(m), np.arange(m)), np.maximum.outer(np.arange(m), np.arange(m))
    over = (low[None] <= np.arange(c)[:, None, None]) & (np.arange(c)[:, None, None] < high[None])

    def product(without: tuple[int, ...]) -> Floats:
        factors = [np.where(over[k], rho[k], 1.0) for k in range(c) if k not in without]
        return np.asarray(np.prod(factors, axis=0)) if factors else np.ones((m, m))

    value = product(())
    one = np.stack([product((k,)) * over[k] for k in range(c)])
    two = np.zeros((c, c, m, m))
    for k in range(c):
        for other in range(k):
            two[k, other] = two[other, k] = product((k, other)) * (over[k] & over[other])
    return value[None], one[:, None], two[:, :, None]


def _shrunk(correlation: Floats) -> Floats:
    """Take correlations towards 0 until the matrix is positive definite."""
    unit = np.eye(len(correlation))
    share = 1.0
    while np.linalg.eigvalsh(unit + share * (correlation - unit))[0] < 0.05:
        share *= 0.9
    return np.asarray(unit + share * (correlation - unit))
