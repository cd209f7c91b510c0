"""Bias and coverage of censored means and mixed models of serum concentrations, beside LOD/2.

    python validation/serum.py [--trials 2000] [--jobs 2]

Each trial has two arms of 23 subjects and five visits, log-normal concentrations (standard deviations of 0.7
between and 0.5 within subjects), a change of arm IL2 by 0.4 after baseline, and one limit of quantification that 10, 50
or 80 % of the values at baseline lie below. A mean is that of one arm at one visit alone (a censored normal sample);
the changes and their difference come from the model of all visits. Bias is in standard deviations of a value (0.86);
coverage is of 95 % intervals; a refusal is an arm's visit that has a detection rate only.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from il2cyto.models import serum_over_visits
from il2cyto.models.serum import CHANGE, DIFFERENCE, MEAN
from il2cyto.serum import read_serum

ARMS = ("IL2", "STD")
VISITS = ("BL", "M1", "M3", "M6", "M12")
BETWEEN, WITHIN, SHIFT, N = 0.7, 0.5, 0.4, 23
SD = float(np.hypot(BETWEEN, WITHIN))
SHARES = (10, 50, 80)


@dataclass(frozen=True)
class Trial:
    """Log concentrations ``(arms, subjects, visits)`` and the log of the limit."""

    log_value: np.ndarray
    limit: float


def make_trial(share: float, seed: int) -> Trial:
    """One trial with a given percentage of baseline values below the limit."""
    rng = np.random.default_rng([20261127, int(share), seed])
    log_value = rng.normal(0, BETWEEN, (2, N, 1)) + rng.normal(0, WITHIN, (2, N, len(VISITS)))
    log_value[0, :, 1:] += SHIFT
    return Trial(log_value, float(stats.norm.ppf(share / 100)) * SD)


def _text(value: float, limit: float) -> str:
    return f"<{np.exp(limit)}" if value < limit else f"{np.exp(value)}"


def as_serum(trial: Trial, one_visit: bool = False):
    """The trial as a laboratory reports it; of baseline alone, or of all visits."""
    rows = [
        (f"{arm}-{subject}", visit, number, "X", _text(value, trial.limit))
        for arm, values in zip(ARMS, trial.log_value, strict=True)
        for subject, course in enumerate(values)
        for number, (visit, value) in enumerate(zip(VISITS, course, strict=True))
        if number == 0 or not one_visit
    ]
    table = pd.DataFrame(rows, columns=["subject", "visit", "visit_number", "analyte", "value"]).astype(str)
    serum = read_serum(table.assign(unit="pg/mL"))
    serum.obs["ARM"] = [name.split("-")[0] for name in serum.obs["USUBJID"]]
    return serum


def truth(contrast: str, arm: str, visit: str) -> float:
    """The parameter that a row of the table estimates."""
    if contrast == MEAN:
        return SHIFT if arm == "IL2" and visit != "BL" else 0.0
    return SHIFT if arm != "STD" else 0.0


def substituted(trial: Trial) -> Iterator[tuple[str, float, float, float]]:
    """LOD/2 for what is below the limit: estimate and 95 % limits by t, of M3 of arm IL2 as the models have them."""
    value = np.where(trial.log_value < trial.limit, trial.limit - np.log(2), trial.log_value)
    change = value[:, :, 2] - value[:, :, 0]
    samples = {"mean": value[0, :, 0], "level": value[0, :, 2], "change": change[0]}
    for name, sample in samples.items():
        half = stats.t.ppf(0.975, N - 1) * sample.std(ddof=1) / np.sqrt(N)
        yield name, float(sample.mean()), float(sample.mean() - half), float(sample.mean() + half)
    half = stats.t.ppf(0.975, 2 * N - 2) * np.sqrt(change.var(axis=1, ddof=1).sum() / N)
    middle = float(change[0].mean() - change[1].mean())
    yield "difference", middle, float(middle - half), float(middle + half)


NAMES = {MEAN: "level", CHANGE: "change", DIFFERENCE: "difference"}


def one(job: tuple[float, int]) -> list[tuple[float, str, str, float, float, float, float]]:
    """Share, method, quantity, truth, estimate (NaN: refused) and limits of one trial."""
    share, seed = job
    trial = make_trial(share, seed)
    found = []
    single = serum_over_visits(as_serum(trial, one_visit=True), baseline=None)
    whole = serum_over_visits(as_serum(trial), baseline="BL", reference_arm="STD")
    first = single[(single["arm"] == "IL2")].assign(quantity="mean")
    rest = whole[(whole["visit"] == "M3") & whole["arm"].isin(["IL2", "IL2 / STD"])]
    rest = rest.assign(quantity=rest["contrast"].map(NAMES))
    for row in pd.concat([first, rest]).to_dict("records"):
        limits = [row["log_estimate"], np.log(row["lower"]), np.log(row["upper"])]
        found.append((share, "censored", row["quantity"], truth(row["contrast"], row["arm"], row["visit"]), *limits))
    wanted = {row[2]: row[3] for row in found}
    found += [(share, "LOD/2", name, wanted[name], *rest) for name, *rest in substituted(trial)]
    return found


def study(trials: int, jobs: int, shares: tuple[float, ...] = SHARES) -> pd.DataFrame:
    """The table: bias in SD, coverage, its Monte-Carlo error and refusals in percent."""
    work = [(share, seed) for share in shares for seed in range(trials)]
    if jobs == 1:
        rows = [row for job in work for row in one(job)]
    else:
        with ProcessPoolExecutor(jobs) as pool:
            rows = []
            for count, some in enumerate(pool.map(one, work, chunksize=20), start=1):
                rows += some
                if count % 500 == 0:
                    print(f"{count} of {len(work)} trials", file=sys.stderr)
    table = pd.DataFrame(rows, columns=["below", "method", "quantity", "truth", "estimate", "lower", "upper"])
    found = []
    for (below, method, quantity), group in table.groupby(["below", "method", "quantity"], sort=True):
        given = group.dropna()
        covered = float(((given["lower"] <= given["truth"]) & (given["truth"] <= given["upper"])).mean())
        found.append(
            {
                "below_percent": below,
                "quantity": quantity,
                "method": method,
                "bias_sd": float((given["estimate"] - given["truth"]).mean()) / SD,
                "coverage_percent": 100 * covered,
                "mc_error": 100 * float(np.sqrt(covered * (1 - covered) / max(len(given), 1))),
                "refused_percent": 100 * (1 - len(given) / len(group)),
            }
        )
    ordered = pd.DataFrame(found)
    ordered["quantity"] = pd.Categorical(ordered["quantity"], ["mean", "level", "change", "difference"], ordered=True)
    return ordered.sort_values(["below_percent", "quantity", "method"]).reset_index(drop=True)


def main() -> None:
    """Run the study and print its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--jobs", type=int, default=2)
    given = parser.parse_args()
    print(study(given.trials, given.jobs).round(3).to_string(index=False))


if __name__ == "__main__":
    main()
