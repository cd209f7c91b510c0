"""How sure learnt cuts say they are, and how sure they are: one tube, subsampled again and again.

A large tube stands for the truth: its gate is what each method makes of all its events. Samples of 5,000, 1,000, 200
and 50 events are drawn from it, each gets a gate with its interval (place ± 1.96 standard deviations of its bootstrap
places), and told are: how often a gate is estimated at all, how often the interval holds the gate of the whole tube,
and how wide it is beside an oracle, which knows how far the places of such samples really scatter.

Run ``python validation/gate_coverage.py``; ``--samples`` changes how many are drawn, ``--write FILE`` keeps the table.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from il2cyto.autogate.estimate import Estimated, LearningTube, NotEstimable, Template
from il2cyto.autogate.methods import METHODS
from il2cyto.fcs import read_fcs
from il2cyto.gating.learning import LearnRule
from il2cyto.provenance import write_text
from il2cyto.study.frozen import FrozenMapping

SIZES: Final = (5_000, 1_000, 200, 50)
#: Events of a tube that stands for the truth.
WHOLE: Final = 200_000


@dataclass(frozen=True)
class Case:
    """One tube on one axis with a rule; `values` are all its events, in axis units."""

    name: str
    method: str
    values: np.ndarray
    at: float
    options: dict[str, float | str]


def mixture(*parts: tuple[float, float, float], seed: int = 1) -> np.ndarray:
    """Events of normal populations, given as share, mean and standard deviation."""
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.normal(mean, sd, round(share * WHOLE)) for share, mean, sd in parts])


def cases(reference: Path | None) -> list[Case]:
    """Tubes of the study: mixtures whose overlap is known, and real ones where there are some."""
    clear = mixture((0.7, 0.2, 0.06), (0.3, 0.7, 0.08))
    near = mixture((0.7, 0.35, 0.08), (0.3, 0.65, 0.08))
    rare = mixture((0.95, 0.25, 0.07), (0.05, 0.65, 0.08))
    found = [
        Case("two clear populations", "valley", clear, 0.45, {}),
        Case("two near populations", "valley", near, 0.5, {}),
        Case("a rare population of 5 %", "valley", rare, 0.45, {}),
        Case("two clear populations", "mixture", clear, 0.45, {}),
        Case("two near populations", "mixture", near, 0.5, {}),
        Case("a rare population of 5 %", "mixture", rare, 0.45, {}),
        Case("a tail", "tail", rare, 0.45, {}),
        Case("a quantile of 99 %", "quantile", mixture((1.0, 0.25, 0.07)), 0.4, {"at": 0.99}),
    ]
    if reference is not None:
        found += real(reference)
    return found


def real(reference: Path) -> list[Case]:
    """Valleys of a published spleen: a logicle-like axis, all events."""
    sample = read_fcs(reference / "flowjo-spleen" / "68983.fcs")
    found = []
    for channel, at in (("FITC-A", 0.5), ("APC-A", 0.5)):
        if channel not in sample.names:
            continue
        values = np.arcsinh(sample.events[:, sample.index(channel)] / 150.0) / 10.0 + 0.1
        found.append(Case(f"mouse spleen, {channel}", "valley", values, at, {}))
    return found


def run(case: Case, n: int, samples: int) -> tuple[list[float], list[float], list[float], int]:
    """Places of samples of `n` events, distances from that of the whole in stated deviations, widths; and failures."""
    whole = learn(case, case.values, 0)
    if isinstance(whole, NotEstimable):
        return [], [], [], samples
    truth = float(whole.place[0])
    rng = np.random.default_rng(11)
    places, off, widths, lost = [], [], [], 0
    for k in range(samples):
        found = learn(case, case.values[rng.integers(0, len(case.values), n)], k + 1)
        if isinstance(found, NotEstimable):
            lost += 1
            continue
        place, deviation = float(found.place[0]), float(found.draws[:, 0].std())
        places.append(place)
        off.append(abs(place - truth) / deviation if deviation > 0 else np.inf)
        widths.append(2 * 1.96 * deviation)
    return places, off, widths, lost


def learn(case: Case, values: np.ndarray, seed: int) -> Estimated | NotEstimable:
    """Estimate a cut, whatever the number of events."""
    rule = LearnRule(case.method, "cells", min_events=1, options=FrozenMapping(case.options))
    low, high = float(case.values.min()), float(case.values.max())
    template = Template(np.array([case.at]), ((low - 0.05, high + 0.05),))
    tube = LearningTube("t", "sample", values[:, None])
    return METHODS[case.method]([tube], rule, template, np.random.default_rng(seed))


def table(every: Sequence[Case], samples: int, say: Callable[[str], None]) -> list[str]:
    """One line per case and number of events."""
    told = [
        "| tube | method | events | estimated | holds the gate of the whole | median width | beside the oracle |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for case in every:
        for n in SIZES:
            places, off, widths, lost = run(case, n, samples)
            line = f"| {case.name} | {case.method} | {n:,} | {(samples - lost) / samples:.0%} | "
            if len(places) < 20:
                line += "– | – | – |"
            else:
                oracle = float(np.subtract(*np.quantile(places, [0.975, 0.025])))
                width = float(np.median(widths))
                beside = f"{width / oracle:.2f}" if oracle > 0 else "–"
                line += f"{np.mean(np.array(off) <= 1.96):.1%} | {width:.4f} | {beside} |"
            told.append(line)
            say(line)
    return told


def main() -> None:
    """Run the study and print its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=400)
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    reference = os.environ.get("IL2CYTO_REFERENCE")
    told = table(cases(Path(reference) if reference else None), options.samples, print)
    text = "\n".join(["# Coverage of learnt cuts", "", "`python validation/gate_coverage.py`", "", *told, ""])
    if options.write:
        write_text(options.write, text)


if __name__ == "__main__":
    main()
