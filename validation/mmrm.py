"""Type I error, coverage and power of the model over visits of log counts, as `il2cyto run` fits it.

    python validation/mmrm.py [--trials 10000] [--jobs 2] [--write docs/validation/mmrm-DATE.md]

Each trial has two arms, a baseline and four visits of log counts whose covariance has no simple structure (standard
deviations from 0.35 to 0.6, correlations from 0.75 to 0.3), and no effect of treatment; the power lines add a fold. The
model is `log(Y/Y0) ~ arm × visit + log Y0 × visit`, unstructured with Kenward-Roger; the lines "forced" have a
structure that is wrong for these data, with CR2 errors. Reported are the difference between arms at the first and
the last visit: how often its p-value is below 0.05, how often its 95 % limits hold the truth, and their Monte-Carlo
errors. The seed is fixed below.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from il2cyto.models.mmrm import Rung, climb, fit_mmrm, robust_contrasts
from il2cyto.provenance import write_text

SEED = 20261128
DAYS = np.array([28.0, 84.0, 182.0, 364.0])
SPREAD = np.array([0.45, 0.35, 0.4, 0.5, 0.6])
CORRELATION = np.array(
    [
        [1.00, 0.70, 0.62, 0.50, 0.45],
        [0.70, 1.00, 0.75, 0.55, 0.30],
        [0.62, 0.75, 1.00, 0.68, 0.42],
        [0.50, 0.55, 0.68, 1.00, 0.60],
        [0.45, 0.30, 0.42, 0.60, 1.00],
    ]
)
ROOT = np.linalg.cholesky(CORRELATION * np.outer(SPREAD, SPREAD))


@dataclass(frozen=True)
class Scenario:
    """What differs from 23 subjects in each of two arms with 5 % of the visits missing.

    `confounded`: log odds of the first arm per standard deviation of the baseline. `drop_out`: log odds of leaving
    after a visit, per standard deviation that the visit is low. `unequal`: factor of the first arm's deviations.
    `heavy`: log counts have the tails of t with 5 degrees of freedom. `kind`: structure to fit. `fold`: of the first
    arm.
    """

    name: str
    n: int = 46
    confounded: float = 0.0
    drop_out: float | None = None
    unequal: float = 1.0
    heavy: bool = False
    kind: str = ""
    fold: float = 1.0
    missing: float = 0.05


SCENARIOS = (
    Scenario("as planned"),
    Scenario("baseline confounded with arm", confounded=1.0),
    Scenario("drop-out at random", drop_out=1.0),
    Scenario("variances of the arms 1 : 2.25", unequal=1.5),
    Scenario("heavy tails", heavy=True),
    Scenario("confounded, drop-out, unequal", confounded=1.0, drop_out=1.0, unequal=1.5),
    Scenario("16 subjects", n=16),
    Scenario("10 subjects: the ladder", n=10),
    Scenario("forced: heterogeneous Toeplitz, CR2", kind="toeph"),
    Scenario("forced: heterogeneous spatial exponential, CR2", kind="spexph"),
    Scenario("forced: heterogeneous compound symmetry, CR2", kind="csh"),
    Scenario("forced compound symmetry, unequal, drop-out", kind="csh", unequal=1.5, drop_out=1.0),
    Scenario("power: fold 1.3", fold=1.3),
    Scenario("power: fold 1.5", fold=1.5),
    Scenario("power: fold 2", fold=2.0),
)


def make_trial(scenario: Scenario, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Log counts ``(n, 5)`` with gaps, arm ``(n,)`` and days ``(n, 4)`` of one trial."""
    rng = np.random.default_rng([SEED, SCENARIOS.index(scenario), seed])
    n = scenario.n
    noise = rng.normal(size=(n, 5))
    if scenario.heavy:
        noise *= np.sqrt(3 / rng.chisquare(5, (n, 1)))
    log = noise @ ROOT.T
    if scenario.confounded:
        chance = 1 / (1 + np.exp(-scenario.confounded * log[:, 0] / SPREAD[0]))
        arm = (rng.random(n) < chance).astype(float)
        # an arm of fewer than six subjects is no trial of this size
        while not 6 <= arm.sum() <= n - 6:
            arm = (rng.random(n) < chance).astype(float)
    else:
        arm = (np.arange(n) % 2).astype(float)
    given_baseline = np.outer(log[:, 0] / SPREAD[0], SPREAD * CORRELATION[0])
    rest = (log - given_baseline) * np.where(arm[:, None] > 0, scenario.unequal, 1.0)
    log = given_baseline + rest + np.where(np.arange(5) > 0, arm[:, None] * np.log(scenario.fold), 0.0)
    if scenario.drop_out is not None:
        for visit in range(1, 4):
            low = -log[:, visit] / SPREAD[visit]
            left = rng.random(n) < 1 / (1 + np.exp(2.5 - scenario.drop_out * low))
            log[left | np.isnan(log[:, visit]), visit + 1] = np.nan
    log[:, 1:][rng.random((n, 4)) < scenario.missing] = np.nan
    return log, arm, DAYS + np.round(rng.uniform(-7, 7, (n, 4)))


def one(seed: int, scenario: Scenario) -> list[tuple[str, str, float, float, float, float]]:
    """Structure, visit, estimate, limits and p-value of both differences; NaN where there is none."""
    log, arm, days = make_trial(scenario, seed)
    kept = np.isfinite(log[:, 1:]).any(axis=1)
    log, arm, days = log[kept], arm[kept], days[kept]
    response = log[:, 1:] - log[:, :1]
    visit = np.broadcast_to(np.eye(4), (len(log), 4, 4))
    centred = (log[:, 0] - log[:, 0].mean())[:, None, None]
    sides = arm[:, None, None]
    design = np.concatenate([(1 - sides) * visit, sides * visit, centred * visit], axis=2)
    rows = np.eye(12)[[4, 7]] - np.eye(12)[[0, 3]]
    if scenario.kind:
        fit = fit_mmrm(response, design, scenario.kind, times=days if scenario.kind.startswith("sp") else None)
        found = robust_contrasts(fit, response, design, rows) if fit.converged else None
        name = scenario.kind
    else:
        rung = climb(response, design, days, np.eye(12)[:8])
        found = [rung.contrast(row) for row in rows] if isinstance(rung, Rung) else None
        name = rung.fit.structure.kind if isinstance(rung, Rung) else "none"
    if found is None:
        return [(name, at, np.nan, np.nan, np.nan, np.nan) for at in ("first", "last")]
    return [(name, at, c.estimate, c.lower, c.upper, c.p_value) for at, c in zip(("first", "last"), found, strict=True)]


def study(trials: int, jobs: int, scenarios: tuple[Scenario, ...] = SCENARIOS) -> pd.DataFrame:
    """One line for each scenario and visit."""
    lines = []
    for scenario in scenarios:
        work: Callable[[int], list[tuple[str, str, float, float, float, float]]] = partial(one, scenario=scenario)
        if jobs == 1:
            rows = [row for seed in range(trials) for row in work(seed)]
        else:
            with ProcessPoolExecutor(jobs) as pool:
                rows = [row for some in pool.map(work, range(trials), chunksize=50) for row in some]
        print(scenario.name, file=sys.stderr)
        table = pd.DataFrame(rows, columns=["structure", "visit", "estimate", "lower", "upper", "p"])
        truth = np.log(scenario.fold)
        for visit, own in table.groupby("visit", sort=True):
            given = own.dropna()
            rejected = float((given["p"] < 0.05).mean())
            covered = float(((given["lower"] <= truth) & (truth <= given["upper"])).mean())
            error = 100 * np.sqrt(rejected * (1 - rejected) / len(given))
            lines.append(
                {
                    "scenario": scenario.name,
                    "visit": visit,
                    "p_below_0.05_percent": 100 * rejected,
                    "mc_error": error,
                    "coverage_percent": 100 * covered,
                    "bias": float((given["estimate"] - truth).mean()),
                    "unstructured_percent": 100 * float((own["structure"] == "us").mean()),
                    "no_estimate_percent": 100 * (1 - len(given) / len(own)),
                }
            )
    return pd.DataFrame(lines)


def page(table: pd.DataFrame, trials: int) -> str:
    """Return the table with what a reader needs to judge it."""
    rows = [
        f"| {r['scenario']} | {r['visit']} | {r['p_below_0.05_percent']:.2f} ± {r['mc_error']:.2f} | "
        f"{r['coverage_percent']:.2f} | {r['bias']:+.3f} | {r['unstructured_percent']:.1f} | "
        f"{r['no_estimate_percent']:.1f} |"
        for r in table.to_dict("records")
    ]
    return f"""# Error, coverage and power of the model over visits

`python validation/mmrm.py --trials {trials}`

{trials:,} trials per line, seed {SEED}. Without an effect, p-values below 0.05 should be 5 % and coverage 95 %
(Monte-Carlo error {100 * np.sqrt(0.05 * 0.95 / trials):.2f} points). Bias in log units. Lines "forced" fit a structure
that is wrong for these data, with CR2 errors.

| scenario | visit | p < 0.05, % | coverage, % | bias | unstructured, % | no estimate, % |
|---|---|---:|---:|---:|---:|---:|
{chr(10).join(rows)}
"""


def main() -> None:
    """Run the study and print its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--write", type=Path)
    given = parser.parse_args()
    text = page(study(given.trials, given.jobs), given.trials)
    print(text)
    if given.write is not None:
        write_text(given.write, text)


if __name__ == "__main__":
    main()
