"""Coverage of the 95 % limits of absolute counts: tubes simulated from blood whose cells/µL are known.

The truth is the blood's cells/µL before anything was sampled. Every simulated tube draws its own pipetting, bead-lot,
volume and lymphocyte-count errors (log-normal factors, the standard errors of a study) and Poisson events. Run
``python validation/count_intervals.py``; ``--write docs/validation/coverage-DATE.md`` keeps the table.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.special import gammaincc, gammaln

from il2cyto.counts.intervals import EXACT_BELOW, Floats, poisson_limits
from il2cyto.counts.routes import Estimates, by_alc, by_beads, by_chain, by_pure_share, by_volume
from il2cyto.provenance import write_text
from il2cyto.study.model import ErrorModel

#: Blood, cells/µL.
SIZES = (1.0, 5.0, 20.0, 60.0, 200.0, 1000.0)
ERRORS = ErrorModel()
BLOOD_UL = 50.0
BEADS_PER_TEST = 50_000.0
LYMPHOCYTES_PER_UL = 1500.0
CD4_PER_UL = 1100.0


@dataclass(frozen=True)
class Cell:
    """One route × population size of the study."""

    route: str
    cells_per_ul: float
    expected_events: float
    coverage: float
    standard_error: float
    too_low: float
    too_high: float
    garwood: float
    mid_p: float

    @property
    def verdict(self) -> str:
        if 0.93 <= self.coverage <= 0.97:
            return "within 93–97 %"
        if self.coverage > 0.97 and self.expected_events < EXACT_BELOW:
            return "above: few events, exact"
        return "OUTSIDE"


Draw = Callable[[np.random.Generator, int, float], tuple[Estimates, float]]


def _factor(rng: np.random.Generator, cv: float, *shape: int) -> Floats:
    return np.exp(rng.normal(0.0, cv, shape))


def beads(share: float, replicates: int = 1, lots: tuple[str, ...] | None = None, doublets: float = 0.0) -> Draw:
    """Bead tubes of which `share` was acquired; replicates share the bead lot unless `lots` names one for each.

    Of the beads the share `doublets` comes in pairs, each seen as one event of a gate of its own.
    """

    def draw(rng: np.random.Generator, tubes: int, size: float) -> tuple[Estimates, float]:
        blood = BLOOD_UL * _factor(rng, ERRORS.cv_pipetting, tubes, replicates)
        in_tube = BEADS_PER_TEST * _factor(rng, ERRORS.cv_lot, tubes, 1 if lots is None else replicates)
        cells = rng.poisson(size * blood * share).astype(float)
        single = rng.poisson(in_tube * share * (1.0 - doublets), (tubes, replicates))
        pairs = rng.poisson(in_tube * share * doublets / 2.0, (tubes, replicates)).astype(float)
        seen = np.maximum(single + pairs, 1.0)
        per_bead = np.full_like(cells, BLOOD_UL / BEADS_PER_TEST)
        cvs = ERRORS.cv_pipetting, ERRORS.cv_lot
        return by_beads(cells, seen, per_bead, *cvs, lots, pairs), size * BLOOD_UL * share * replicates

    return draw


def volumetric(volume_ul: float) -> Draw:
    """Acquired volume, stated by the cytometer, in µL of blood."""

    def draw(rng: np.random.Generator, tubes: int, size: float) -> tuple[Estimates, float]:
        cells = rng.poisson(size * volume_ul * _factor(rng, ERRORS.cv_volume, tubes, 1)).astype(float)
        return by_volume(cells, np.full_like(cells, volume_ul), ERRORS.cv_volume), size * volume_ul

    return draw


def dual(lymphocytes: float) -> Draw:
    """Share of about so many lymphocyte events × the lymphocyte count of the same draw."""

    def draw(rng: np.random.Generator, tubes: int, size: float) -> tuple[Estimates, float]:
        denominator = rng.poisson(lymphocytes, (tubes, 1))
        cells = rng.binomial(denominator, size / LYMPHOCYTES_PER_UL)
        alc = LYMPHOCYTES_PER_UL * _factor(rng, ERRORS.cv_alc, tubes)
        estimates = by_alc(cells.astype(float), denominator.astype(float), alc, ERRORS.cv_alc)
        return estimates, lymphocytes * size / LYMPHOCYTES_PER_UL

    return draw


def pure(lymphocytes: float, purity: float, elsewhere: float = 0.0) -> Draw:
    """Dual platform of which `purity` of the lymphocyte gate are lymphocytes, known from about `elsewhere` events.

    With 0 the true lymphocytes are gated in the same tube, and the population is a share of them.
    """

    def draw(rng: np.random.Generator, tubes: int, size: float) -> tuple[Estimates, float]:
        gate = rng.poisson(lymphocytes, (tubes, 1))
        alc = LYMPHOCYTES_PER_UL * _factor(rng, ERRORS.cv_alc, tubes)
        true = rng.binomial(gate, purity)
        cells = rng.binomial(true, size / LYMPHOCYTES_PER_UL).astype(float)
        expected = lymphocytes * purity * size / LYMPHOCYTES_PER_UL
        if not elsewhere:
            return by_alc(cells, np.maximum(true, 1.0), alc, ERRORS.cv_alc), expected
        other = np.maximum(rng.poisson(elsewhere, (tubes, 1)), 1)
        inside = np.maximum(rng.binomial(other, purity), 1).astype(float)
        counted = gate.astype(float), inside, other.astype(float)
        return by_pure_share(cells, *counted, alc, ERRORS.cv_alc), expected

    return draw


def chained_twice(parents: float, share: float) -> Draw:
    """A population that `chained` counts, and most of which is the share of a tenth as many events in a third tube."""

    def draw(rng: np.random.Generator, tubes: int, size: float) -> tuple[Estimates, float]:
        per_ul, expected = chained(parents, share)(rng, tubes, 1.1 * size)
        parent = rng.poisson(parents / 10.0, (tubes, 1))
        child = rng.binomial(parent, 1.0 / 1.1)
        return by_chain(child.astype(float), np.maximum(parent, 1.0), per_ul), expected

    return draw


def chained(parents: float, share: float) -> Draw:
    """CD4 by beads, of which `share` of the tube was acquired × the share of about so many CD4 events elsewhere."""

    def draw(rng: np.random.Generator, tubes: int, size: float) -> tuple[Estimates, float]:
        per_ul, _ = beads(share)(rng, tubes, CD4_PER_UL)
        parent = rng.poisson(parents, (tubes, 1))
        child = rng.binomial(parent, size / CD4_PER_UL)
        return by_chain(child.astype(float), parent.astype(float), per_ul), parents * size / CD4_PER_UL

    return draw


ROUTES: dict[str, Draw] = {
    "beads, 10,000 beads": beads(0.2),
    "beads, 3,000 beads": beads(0.06),
    "beads, 500 beads": beads(0.01),
    "beads, 2 replicates summed": beads(0.1, replicates=2),
    "beads, 2 replicates of two lots": beads(0.1, 2, ("A", "B")),
    "beads, 1,000 beads, a tenth of them in pairs": beads(0.02, doublets=0.1),
    "volumetric, 10 µL": volumetric(10.0),
    "volumetric, 3 µL": volumetric(3.0),
    "dual, 15,000 lymphocytes": dual(15_000.0),
    "dual, 4,500 lymphocytes": dual(4500.0),
    "dual, 4,500 events, 85 % pure, same tube": pure(4500.0, 0.85),
    "dual, 4,500 events, 85 % pure by 400 events elsewhere": pure(4500.0, 0.85, 400.0),
    "chained, 11,000 CD4": chained(11_000.0, 0.2),
    "chained, 5,500 CD4": chained(5500.0, 0.2),
    "chained, 11,000 CD4, source tube with 22 CD4 and 20 beads": chained(11_000.0, 0.0004),
    "chained twice, 5,500 CD4, then 550 events": chained_twice(5500.0, 0.2),
}


def counting_alone(expected: float) -> tuple[float, float]:
    """Coverage of Garwood's and of mid-P limits for a Poisson count of mean `expected`, by summation."""
    n = np.arange(int(expected + 12.0 * np.sqrt(expected) + 20.0))
    chance = np.exp(n * np.log(expected) - expected - gammaln(n + 1.0))
    lower, upper = poisson_limits(n)
    exact = chance[(lower <= expected) & (expected <= upper)].sum()
    # the mean lies within the mid-P limits of n where both half-counted tails hold 2.5 % or more
    below = gammaincc(n + 1.0, expected) - 0.5 * chance
    return float(exact), float(chance[(below >= 0.025) & (below <= 0.975)].sum())


def study(tubes: int, seed: int) -> Iterator[Cell]:
    """Simulate `tubes` independent tubes for every route and size."""
    streams = np.random.SeedSequence(seed).spawn(len(ROUTES) * len(SIZES))
    for row, (route, draw) in enumerate(ROUTES.items()):
        for column, size in enumerate(SIZES):
            rng = np.random.default_rng(streams[row * len(SIZES) + column])
            estimates, expected = draw(rng, tubes, size)
            low, high = float(np.mean(estimates.upper < size)), float(np.mean(estimates.lower > size))
            error = float(np.sqrt((low + high) * (1.0 - low - high) / tubes))
            yield Cell(route, size, expected, 1.0 - low - high, error, low, high, *counting_alone(expected))


def table(cells: list[Cell]) -> str:
    """Return the study as a Markdown table."""
    lines = [
        "| route | cells/µL | expected events | coverage % | MC SE | missed below % | missed above % "
        "| Garwood alone % | mid-P alone % | |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---|",
    ]
    lines += [
        f"| {c.route} | {c.cells_per_ul:g} | {c.expected_events:,.4g} | {100 * c.coverage:.2f} "
        f"| {100 * c.standard_error:.2f} | {100 * c.too_low:.2f} | {100 * c.too_high:.2f} "
        f"| {100 * c.garwood:.2f} | {100 * c.mid_p:.2f} | {c.verdict} |"
        for c in cells
    ]
    return "\n".join(lines)


def page(cells: list[Cell], tubes: int, seed: int) -> str:
    """Return the table with what a reader needs to judge it."""
    verdicts = [c.verdict for c in cells]
    within, outside = sum(v.startswith("within") for v in verdicts), verdicts.count("OUTSIDE")
    return f"""# Coverage of the 95 % limits of absolute counts

`python validation/count_intervals.py --tubes {tubes} --seed {seed}`

{tubes:,} independent tubes per line. Truth: the blood's cells/µL before sampling. CV of pipetting
{ERRORS.cv_pipetting:g}, bead lot {ERRORS.cv_lot:g}, volume {ERRORS.cv_volume:g}, lymphocyte count {ERRORS.cv_alc:g};
the study shows the limits right when these are right. MC SE: Monte-Carlo standard error of the coverage.
Missed below: the whole interval lies below the truth.

Of {len(cells)} lines {within} lie within 93–97 %, {outside} lie outside without a reason, and
{len(cells) - within - outside} lie above 97 % because fewer than {EXACT_BELOW} events are expected: exact limits keep
at least 95 % at every mean, and on whole counts that is more than 95 % at most means. The last two columns show it for
a bare Poisson count, by summation. Mid-P limits would be narrower, but fall below 93 % at some means (3 and 5 events),
so they are not used.

{table(cells)}
"""


def main() -> None:
    """Run the study and print it."""
    parser = argparse.ArgumentParser(description="Coverage of the 95 % limits of absolute counts")
    parser.add_argument("--tubes", type=int, default=20_000, help="tubes per route and size")
    parser.add_argument("--seed", type=int, default=20261122)
    parser.add_argument("--write", type=Path, help="Markdown file to write as well")
    arguments = parser.parse_args()
    text = page(list(study(arguments.tubes, arguments.seed)), arguments.tubes, arguments.seed)
    print(text)
    if arguments.write is not None:
        write_text(arguments.write, text)


if __name__ == "__main__":
    main()
