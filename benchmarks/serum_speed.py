"""Fit 100 plates of 384 wells × 30 analytes and read their samples: il2cyto against a plain scipy fit, in the same run.

    python benchmarks/serum_speed.py [--plates 100] [--jobs 2]

Each plate has ten standards twice, four blanks and 180 samples twice. il2cyto fits four and five parameters from a grid
of starts with weights that follow the curve, chooses between them, finds the limits, and reads every sample with its
standard error and 95 % interval. The peer is `scipy.optimize.curve_fit` of five parameters from one start with fixed
weights and the closed inverse: the usual script of a laboratory, without choice, limits or intervals. `quantify` is the
whole with its tables, as a run makes them. Printed: wall times, and how far the concentrations are from the truth.
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[name] = "1"

import numpy as np  # noqa: E402  # after the thread limits
import pandas as pd  # noqa: E402
from scipy.optimize import curve_fit  # noqa: E402

from il2cyto.serum import Plate, curve_limits, estimate_concentrations, fit_curve, quantify  # noqa: E402
from il2cyto.serum.logistic import Logistic  # noqa: E402
from il2cyto.serum.plates.wells import wells_table  # noqa: E402

ANALYTES, SAMPLES = 30, 180
DOSES = np.r_[np.zeros(4), np.repeat(2.0 * 3.0 ** np.arange(10), 2)]


@dataclass(frozen=True)
class Analyte:
    """Signals of the standards at `DOSES`, and of the samples ``(180, 2)`` with their true concentrations."""

    standards: np.ndarray
    samples: np.ndarray
    truth: np.ndarray


def make_plate(number: int) -> list[Analyte]:
    """A plate of analytes with 5 % error of each reading."""
    rng = np.random.default_rng([20261127, number])
    found = []
    for _ in range(ANALYTES):
        curve = Logistic(
            a=rng.uniform(10, 40), b=rng.uniform(0.8, 1.4), c=10 ** rng.uniform(2.5, 3.5), d=rng.uniform(15000, 30000),
            g=rng.uniform(0.6, 1.4),
        )  # fmt: skip
        truth = 10 ** rng.uniform(1, 4, SAMPLES)
        standards = curve.signal(DOSES) * np.exp(rng.normal(0, 0.05, DOSES.size))
        samples = curve.signal(truth)[:, None] * np.exp(rng.normal(0, 0.05, (SAMPLES, 2)))
        found.append(Analyte(standards, samples, truth))
    return found


def ours(number: int) -> np.ndarray:
    """Log errors of the concentrations within the limits of quantification, by il2cyto."""
    errors = []
    for one in make_plate(number):
        fit = fit_curve(DOSES, one.standards)
        limits = curve_limits(fit, DOSES, one.standards)
        if fit.curve is None:
            continue
        found = estimate_concentrations(fit, one.samples.mean(axis=1), 2)
        inside = (found.value >= limits.lloq) & (found.value <= limits.uloq) & (found.upper > 0)
        errors.append(np.log(found.value[inside] / one.truth[inside]))
    return np.concatenate(errors)


def peer(number: int) -> np.ndarray:
    """The same by one scipy fit an analyte."""

    def signal(x: np.ndarray, a: float, b: float, log_c: float, d: float, log_g: float) -> np.ndarray:
        power = b * (np.log(np.where(x > 0, x, 1e-300)) - log_c)
        return d + (a - d) * np.exp(-np.exp(log_g) * np.logaddexp(0.0, power))

    errors = []
    for one in make_plate(number):
        start = [one.standards.min(), 1.0, np.log(500.0), one.standards.max(), 0.0]
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            try:
                a, b, log_c, d, log_g = curve_fit(
                    signal, DOSES, one.standards, p0=start, sigma=one.standards, maxfev=5000
                )[0]
            except RuntimeError:
                continue
            y = one.samples.mean(axis=1)
            found = np.exp(log_c) * (((a - d) / (y - d)) ** np.exp(-log_g) - 1) ** (1 / b)
        # the range in which il2cyto's curves quantify, roughly; the peer knows none
        inside = np.isfinite(found) & (found >= 18) & (found <= 13122)
        errors.append(np.log(found[inside] / one.truth[inside]))
    return np.concatenate(errors)


def whole(number: int) -> np.ndarray:
    """The same by `quantify`, with every table."""
    rows = []
    truth: dict[tuple[str, str], float] = {}
    for k, one in enumerate(make_plate(number)):
        shared = {"plate": f"{number}", "analyte": f"A{k}", "unit": "pg/mL", "dilution": 1.0, "bead_count": 100.0}
        for i, (dose, reading) in enumerate(zip(DOSES, one.standards, strict=True)):
            kind = {"type": "S" if dose else "B", "level": f"{dose:g}", "sample": f"S{dose:g}", "expected": dose}
            rows.append({**shared, **kind, "well": f"S{i}", "signal": reading})
        for i, readings in enumerate(one.samples):
            truth[f"A{k}", f"P{i}"] = one.truth[i]
            rows += [
                {**shared, "type": "U", "sample": f"P{i}", "well": f"P{i}-{j}", "signal": reading}
                for j, reading in enumerate(readings)
            ]
    samples = quantify([Plate(wells_table(rows, f"{number}"), "table")]).samples
    inside = samples[(samples["censor"] == 0) & samples["value"].notna()]
    true = np.array([truth[key] for key in zip(inside["analyte"], inside["sample"], strict=True)])
    return np.asarray(np.log(inside["value"].to_numpy() / true))


def main() -> None:
    """Time the three and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plates", type=int, default=100)
    parser.add_argument("--jobs", type=int, default=2)
    given = parser.parse_args()
    lines = []
    with ProcessPoolExecutor(given.jobs) as pool:
        for name, function in (("scipy curve_fit, 5PL", peer), ("il2cyto, curves to intervals", ours),
                               ("il2cyto quantify, with tables", whole)):  # fmt: skip
            list(pool.map(function, range(10_000, 10_000 + given.jobs)))
            start = time.perf_counter()
            errors = np.concatenate(list(pool.map(function, range(given.plates))))
            seconds = time.perf_counter() - start
            lines.append((name, seconds, errors.size, 100 * float(np.median(np.abs(np.expm1(errors))))))
    table = pd.DataFrame(lines, columns=["what", "seconds", "concentrations", "median error %"])
    print(f"{given.plates} plates x 384 wells x {ANALYTES} analytes, {given.jobs} processes")
    print(table.round(1).to_string(index=False))


if __name__ == "__main__":
    main()
