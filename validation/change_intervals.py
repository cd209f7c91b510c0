"""Coverage of the 95 % limits of changes from baseline: pairs of tubes simulated from blood whose change is known.

The truth is the ratio (and the difference) of the blood's cells/µL at two visits. Both tubes draw their own pipetting,
counting, volume and blood-count errors; the bead lot is drawn once for both, or once for each. Run
``python validation/change_intervals.py``; ``--write docs/validation/change-coverage-DATE.md`` keeps the table.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from il2cyto.counts.change import Change, Measured, difference_to_baseline, ratio_to_baseline
from il2cyto.counts.intervals import Floats
from il2cyto.counts.routes import Estimates, by_alc, by_beads, by_chain, by_volume
from il2cyto.provenance import write_text
from il2cyto.study.model import ErrorModel

#: Cells/µL of the blood at baseline, and folds of them at the later visit.
SIZES = (2.0, 5.0, 20.0, 200.0)
FOLDS = (0.5, 2.6)
ERRORS = ErrorModel()
BLOOD_UL = 50.0
BEADS_PER_TEST = 50_000.0
LYMPHOCYTES_PER_UL = 1500.0
CD4_PER_UL = 1100.0
#: A visit: cells/µL of the blood and the factor of the bead lot of each tube give the count of each tube.
Visit = Callable[[np.random.Generator, float, Floats], Measured]


@dataclass(frozen=True)
class Line:
    """One route × size × fold of the study."""

    route: str
    cells_per_ul: float
    fold: float
    pairs: int
    ratio: float
    difference: float

    @property
    def standard_error(self) -> float:
        """Monte-Carlo standard error of a coverage of 95 %."""
        return float(np.sqrt(0.95 * 0.05 / self.pairs))


def _factor(rng: np.random.Generator, cv: float, n: int) -> Floats:
    return np.exp(rng.normal(0.0, cv, n))


def _measured(full: Estimates, within: Estimates, cv_lot: float) -> Measured:
    cv = np.full(full.value.shape, cv_lot)
    return Measured(full.value, full.lower, full.upper, within.lower, within.upper, cv)


def beads(share: float) -> Visit:
    """A bead tube of which `share` was acquired."""

    def visit(rng: np.random.Generator, size: float, lot: Floats) -> Measured:
        blood = BLOOD_UL * _factor(rng, ERRORS.cv_pipetting, len(lot))
        cells = rng.poisson(size * blood * share).astype(float)[:, None]
        seen = np.maximum(rng.poisson(BEADS_PER_TEST * share * lot), 1).astype(float)[:, None]
        per_bead = np.full_like(cells, BLOOD_UL / BEADS_PER_TEST)
        full, within = (by_beads(cells, seen, per_bead, ERRORS.cv_pipetting, cv) for cv in (ERRORS.cv_lot, 0.0))
        return _measured(full, within, ERRORS.cv_lot)

    return visit


def chained(parents: float, share: float) -> Visit:
    """CD4 by beads × the share of about `parents` CD4 events of another tube."""

    def visit(rng: np.random.Generator, size: float, lot: Floats) -> Measured:
        cd4 = beads(share)(rng, CD4_PER_UL, lot)
        parent = rng.poisson(parents, len(lot))
        child = rng.binomial(parent, size / CD4_PER_UL).astype(float)[:, None]
        none = np.full(len(lot), np.nan)
        full, within = (
            by_chain(child, parent.astype(float)[:, None], Estimates(cd4.value, low, high, none))
            for low, high in ((cd4.lower, cd4.upper), (cd4.lower_within_lot, cd4.upper_within_lot))
        )
        return _measured(full, within, ERRORS.cv_lot)

    return visit


def volumetric(volume_ul: float) -> Visit:
    """An acquired volume of blood, µL."""

    def visit(rng: np.random.Generator, size: float, lot: Floats) -> Measured:
        cells = rng.poisson(size * volume_ul * _factor(rng, ERRORS.cv_volume, len(lot))).astype(float)[:, None]
        full = by_volume(cells, np.full_like(cells, volume_ul), ERRORS.cv_volume)
        return _measured(full, full, 0.0)

    return visit


def dual(lymphocytes: float) -> Visit:
    """The share of about so many lymphocytes × the blood count."""

    def visit(rng: np.random.Generator, size: float, lot: Floats) -> Measured:
        gate = rng.poisson(lymphocytes, len(lot))
        cells = rng.binomial(gate, size / LYMPHOCYTES_PER_UL).astype(float)[:, None]
        alc = LYMPHOCYTES_PER_UL * _factor(rng, ERRORS.cv_alc, len(lot))
        full = by_alc(cells, gate.astype(float)[:, None], alc, ERRORS.cv_alc)
        return _measured(full, full, 0.0)

    return visit


#: Route, what happens at a visit, and whether both visits have one lot.
ROUTES: dict[str, tuple[Visit, bool]] = {
    "beads, one lot": (beads(0.2), True),
    "beads, two lots": (beads(0.2), False),
    "beads, one lot, 1,000 beads": (beads(0.02), True),
    "chained, one lot": (chained(11_000.0, 0.2), True),
    "chained, two lots": (chained(11_000.0, 0.2), False),
    "volumetric, 10 µL": (volumetric(10.0), False),
    "dual, 15,000 lymphocytes": (dual(15_000.0), False),
}


def study(pairs: int, seed: int) -> Iterator[Line]:
    """Simulate `pairs` independent pairs of tubes for every route, size and fold."""
    streams = iter(np.random.SeedSequence(seed).spawn(len(ROUTES) * len(SIZES) * len(FOLDS)))
    for route, (visit, one_lot) in ROUTES.items():
        for size in SIZES:
            for fold in FOLDS:
                rng = np.random.default_rng(next(streams))
                lots = _factor(rng, ERRORS.cv_lot, pairs)
                base = visit(rng, size, lots)
                now = visit(rng, size * fold, lots if one_lot else _factor(rng, ERRORS.cv_lot, pairs))
                same = np.full(pairs, one_lot)
                # a baseline of 0 has no ratio, and says so; coverage is that of the others
                seen = base.value > 0
                ratio = _covered(ratio_to_baseline(now, base, same), fold)[seen].mean()
                difference = _covered(difference_to_baseline(now, base, same), size * (fold - 1.0)).mean()
                yield Line(route, size, fold, pairs, float(ratio), float(difference))


def _covered(change: Change, truth: float) -> np.ndarray:
    return np.asarray((change.lower <= truth) & (truth <= change.upper))


def page(lines: list[Line], pairs: int, seed: int) -> str:
    """Return the table with what a reader needs to judge it."""
    rows = [
        f"| {line.route} | {line.cells_per_ul:g} | {line.fold:g} "
        f"| {100 * line.ratio:.2f} | {100 * line.difference:.2f} |"
        for line in lines
    ]
    lowest = min(min(line.ratio, line.difference) for line in lines)
    return f"""# Coverage of the 95 % limits of changes from baseline

`python validation/change_intervals.py --tubes {pairs} --seed {seed}`

{pairs:,} independent pairs of tubes per line. Truth: ratio and difference of the blood's cells/µL at the two visits.
CV of pipetting {ERRORS.cv_pipetting:g}, bead lot {ERRORS.cv_lot:g}, volume {ERRORS.cv_volume:g}, lymphocyte count
{ERRORS.cv_alc:g}; the study shows the limits right when these are right. Monte-Carlo standard error of a coverage of
95 %: {100 * lines[0].standard_error:.2f} points. The lowest coverage is {100 * lowest:.2f} %; above 97 % stand lines
with few events, whose limits are exact and therefore wide. "One lot": the error of the bead lot is left out of the
limits, because both visits share it. Pairs whose baseline is 0 have no ratio and count in the difference alone.

| route | cells/µL at baseline | fold | ratio covered % | difference covered % |
|---|---:|---:|---:|---:|
{chr(10).join(rows)}
"""


def main() -> None:
    """Run the study and print it."""
    parser = argparse.ArgumentParser(description="Coverage of the 95 % limits of changes from baseline")
    parser.add_argument("--tubes", type=int, default=20_000, help="pairs of tubes per route, size and fold")
    parser.add_argument("--seed", type=int, default=20261125)
    parser.add_argument("--write", type=Path, help="Markdown file to write as well")
    arguments = parser.parse_args()
    text = page(list(study(arguments.tubes, arguments.seed)), arguments.tubes, arguments.seed)
    print(text)
    if arguments.write is not None:
        write_text(arguments.write, text)


if __name__ == "__main__":
    main()
