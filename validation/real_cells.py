"""Automatic cuts on real cells beside those of experts: Aurora tubes of infants, a mouse spleen.

Every cut is `mixture` with its defaults, in the population that the cuts before leave; nothing of the experts' answers
goes into it. Needs the public reference files in ``IL2CYTO_REFERENCE``.

Run ``python validation/real_cells.py``; ``--write FILE`` keeps the tables.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from il2cyto.autogate.estimate import Estimated, LearningTube, Template
from il2cyto.autogate.methods import METHODS
from il2cyto.exchange import read_strategies
from il2cyto.fcs import read_fcs
from il2cyto.gating.learning import LearnRule
from il2cyto.provenance import write_text
from il2cyto.transforms import FlowJoBiex, Logicle

#: The display that the expert's cut points stand on, as the program that they were made for documents it.
DISPLAY: Final = FlowJoBiex(length=256.0, maximum=1_000_000.0, negative=0.0, width=-1000.0, positive=4.5)
SPECIMENS: Final = ("INF071", "INF149", "INF179")


def cut(values: Mapping[str, np.ndarray], at: float) -> tuple[float, float]:
    """A cut learnt from tubes together, with half of its 95 % interval; `at` is where a template would stand."""
    every = np.concatenate(list(values.values()))
    low, high = np.quantile(every, [0.0005, 0.9995])
    margin = 0.05 * (high - low)
    template = Template(np.array([at]), ((min(low, at) - margin, max(high, at) + margin),))
    tubes = [LearningTube(name, "sample", one[:, None]) for name, one in values.items()]
    found = METHODS["mixture"](tubes, LearnRule("mixture", "cells", min_events=100), template, np.random.default_rng(0))
    if not isinstance(found, Estimated):
        return float("nan"), float("nan")
    return float(found.place[0]), 1.96 * float(found.draws[:, 0].std())


def aurora(reference: Path) -> pd.DataFrame:
    """Cuts of three infants' tubes together beside the expert's, which stand in one file for T and one for NK cells."""
    folder = reference / "aurora-treg-th-nk"
    experts = {
        name: pd.read_csv(folder / file).set_index("specimen")
        for name, file in (("T", "CoerebaReferenceGates.csv"), ("NK", "GateCutoffsForNKs.csv"))
    }
    tubes, channel = {}, {}
    for specimen in SPECIMENS:
        sample = read_fcs(folder / f"{specimen}_Ctrl_Tetramer.fcs")
        dyes = [one for one in sample.channels if one.pns]
        tubes[specimen] = pd.DataFrame({one.pns: DISPLAY.apply(sample.linear([one.index])[:, 0]) for one in dyes})
        channel |= {one.pns: one.pnn for one in dyes}
    rows = []

    def learn(marker: str, cells: Mapping[str, pd.DataFrame], expert: str) -> float:
        place, half = cut({name: one[marker].to_numpy() for name, one in cells.items()}, 128.0)
        theirs = experts[expert].loc[list(SPECIMENS), channel[marker]].tolist()
        off = max(abs(place - one) for one in theirs)
        rows.append((marker, expert, sum(map(len, cells.values())), place, half, theirs, off))
        return place

    dead = learn("Viability", tubes, "T")
    live = {name: one[one["Viability"] < dead] for name, one in tubes.items()}
    lineage = learn("CD3", live, "T")
    t_cells = {name: one[one["CD3"] >= lineage] for name, one in live.items()}
    others = {name: one[one["CD3"] < lineage] for name, one in live.items()}
    learn("Lineage-", live, "T")
    for marker in ("CD4", "CD8", "CD45RA", "CD161", "CD25", "CD127"):
        learn(marker, t_cells, "T")
    for marker in ("CD56", "CD16"):
        learn(marker, others, "NK")
    columns = ["marker", "expert's file", "events", "ours", "half", "expert's", "off"]
    return pd.DataFrame(rows, columns=columns)


def spleen(reference: Path) -> tuple[pd.DataFrame, dict[str, float]]:
    """F1 against the expert's labels of the spleen, below the singlets of the workspace; and the cuts."""
    folder = reference / "flowjo-spleen"
    sample = read_fcs(folder / "68983.fcs")
    tree = read_strategies(folder / "gating.wsp", None, "T").for_file("68983.fcs")
    cells = tree.apply(sample).membership("Lymphocytes/Singlets/Singlets2")
    labels = pd.read_csv(folder / "gatingResult.csv", header=None)[0].to_numpy()
    assert sample.spillover is not None
    detectors = sample.spillover.detectors
    light = sample.linear([sample.index(name) for name in detectors]) @ np.linalg.inv(sample.spillover.values)
    names = [sample.channels[sample.index(name)].pns or name for name in detectors]
    table = pd.DataFrame(Logicle(T=262_144.0, W=0.5, M=4.5, A=0.0).apply(light), columns=names)
    cuts: dict[str, float] = {}

    def above(marker: str, inside: np.ndarray) -> np.ndarray:
        cuts[marker], _ = cut({"spleen": table.loc[inside, marker].to_numpy()}, 0.5)
        return np.asarray(table[marker] >= cuts[marker])

    killer, cd3 = above("NK1/1", cells), above("CD3", cells)
    rest = cells & ~killer
    t_cells = rest & cd3
    b_cells = rest & ~cd3 & above("CD19", rest)
    alpha_beta = t_cells & ~above("TCRyd", t_cells)
    cd4, cd8 = above("CD4", alpha_beta), above("CD8", alpha_beta)
    found = {
        "NK cells": cells & killer & ~cd3,
        "B cells": b_cells,
        "CD4 T cells": alpha_beta & cd4 & ~cd8,
        "CD8 T cells": alpha_beta & cd8 & ~cd4,
    }
    rows = []
    for name, ours in found.items():
        theirs = labels == name
        both = int((ours & theirs).sum())
        rows.append((name, int(ours.sum()), int(theirs.sum()), 2 * both / (ours.sum() + theirs.sum())))
    return pd.DataFrame(rows, columns=["population", "ours", "expert's", "F1"]), cuts


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    reference = Path(os.environ["IL2CYTO_REFERENCE"])
    table = aurora(reference)
    lines = [
        "## Aurora: three infants", "",
        "| marker | expert's file | events | ours, of 256 | expert's, by tube | largest difference | within 10 |",
        "|---|---|---:|---:|---|---:|---|",
    ]  # fmt: skip
    for marker, file, events, ours, half, theirs, off in table.itertuples(index=False):
        within = "yes" if off <= 10 else "**no**"
        told = ", ".join(map(str, theirs))
        lines.append(f"| {marker} | {file} | {events:,} | {ours:.0f} ± {half:.0f} | {told} | {off:.0f} | {within} |")
    found, cuts = spleen(reference)
    lines += ["", "## Mouse spleen", "", "| population | ours | expert's | F1 |", "|---|---:|---:|---:|"]
    for name, ours, theirs, f1 in found.itertuples(index=False):
        lines.append(f"| {name} | {ours:,} | {theirs:,} | {f1:.3f} |")
    lines += ["", "Cuts: " + ", ".join(f"{marker} {place:.3f}" for marker, place in cuts.items()) + ".", ""]
    text = "\n".join(lines)
    print(text)
    if options.write:
        write_text(options.write, text)


if __name__ == "__main__":
    main()
