"""Fit 1,000 models of 46 subjects × 5 visits: il2cyto against statsmodels' mixed model, in the same run.

    python benchmarks/mmrm_speed.py [--fits 1000]

il2cyto fits an unstructured covariance (15 parameters) and makes the ten contrasts of a trial with Kenward-Roger errors
and degrees of freedom; statsmodels' MixedLM fits a random intercept (2 parameters), without either. One core; printed
are wall times.
"""

from __future__ import annotations

import argparse
import os
import time
import warnings

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[name] = "1"

import numpy as np  # noqa: E402  # after the thread limits
from statsmodels.regression.mixed_linear_model import MixedLM  # noqa: E402  # after the thread limits

from il2cyto.models.mmrm import contrast, fit_mmrm  # noqa: E402  # after the thread limits

N, M = 46, 5


def make(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Responses with a tenth missing, and a design of arm × visit and covariate × visit."""
    rng = np.random.default_rng([20261128, seed])
    y = rng.normal(0, 0.4, (N, 1)) + rng.normal(0, np.linspace(0.2, 0.5, M), (N, M))
    y[rng.random((N, M)) < 0.1] = np.nan
    visit = np.broadcast_to(np.eye(M), (N, M, M))
    arm = (np.arange(N) % 2)[:, None, None]
    return y, np.concatenate([visit, arm * visit, rng.normal(size=(N, 1, 1)) * visit], axis=2)


def main() -> None:
    """Time both and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fits", type=int, default=1000)
    given = parser.parse_args()
    trials = [make(seed) for seed in range(given.fits)]
    rows = np.eye(3 * M)
    fit_mmrm(*trials[0])
    started = time.perf_counter()
    converged = 0
    for y, design in trials:
        fit = fit_mmrm(y, design)
        converged += fit.converged
        if fit.converged:
            for row in rows[: 2 * M]:
                contrast(fit, row)
    ours = time.perf_counter() - started
    started = time.perf_counter()
    subject = np.repeat(np.arange(N), M)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for y, design in trials:
            known = np.isfinite(y).ravel()
            MixedLM(y.ravel()[known], design.reshape(N * M, -1)[known], groups=subject[known]).fit(reml=True)
    theirs = time.perf_counter() - started
    print(f"{given.fits} fits of {N} subjects x {M} visits, one core")
    print(f"il2cyto, unstructured, Kenward-Roger, 10 contrasts: {ours:7.1f} s ({converged} converged)")
    print(f"statsmodels MixedLM, random intercept:              {theirs:7.1f} s")


if __name__ == "__main__":
    main()
