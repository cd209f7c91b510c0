"""How like real cells the simulated ones are: shares of parents, and how far populations stand apart.

Shares: the control donor (a healthy adult) over many seeds beside the centrally gated HIPC Lyoplate panels (seven
laboratories, three donors). Separation: two normal components fitted to the asinh of compensated intensities of CD4 T
cells, in a public file of an adult and in simulated overlapping tubes; a smaller number is more overlap.

Run ``python validation/realism.py REFERENCE`` with the folder of the public reference files; ``--write FILE`` keeps it.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm

from il2cyto.fcs import read_fcs
from il2cyto.provenance import write_text
from il2cyto.simulate import PANELS, WHOLE, plan_trial, simulate_tube
from il2cyto.simulate.biology import VisitTruth
from il2cyto.simulate.controls import plan_controls
from il2cyto.simulate.phenotypes import CellClass, cell_classes

Predicate = Callable[[CellClass], bool]


def _cd4(cell: CellClass) -> bool:
    return cell.level("CD3") == "pos" and cell.level("CD4") == "pos" and cell.level("CD8") == "neg"


def _has(**levels: str) -> Predicate:
    return lambda cell: all(cell.level(marker) == wanted for marker, wanted in levels.items())


#: Row of the HIPC table (panel, population), our tube, child and parent.
SHARES: Final[tuple[tuple[str, str, str, Predicate, Predicate], ...]] = (
    ("Treg", "06 CD4", "TREG", _cd4, _has(CD3="pos")),
    ("Tcell", "14 CD4- CD8+", "TREG", _has(CD3="pos", CD4="neg", CD8="pos"), _has(CD3="pos")),
    ("Treg", "07 127lo 25+", "TREG", lambda c: c.name.startswith("Treg"), _cd4),
    ("Treg", "21 activated Treg", "TREG", _has(CD127="lo", **{"HLA-DR": "pos"}),
     lambda c: c.name.startswith("Treg memory")),
    ("Thelper", "09 CXCR3+ CCR6- Th1", "TH17", lambda c: _cd4(c) and _has(CXCR3="pos", CCR6="neg")(c), _cd4),
    ("Thelper", "10 CXCR3- CCR6- Th2", "TH17", lambda c: _cd4(c) and _has(CXCR3="neg", CCR6="neg")(c), _cd4),
    ("Thelper", "11 CXCR3- CCR6+ Th17", "TH17", lambda c: _cd4(c) and _has(CXCR3="neg", CCR6="pos")(c), _cd4),
    ("Tcell", "05 CD3", "TREG", _has(CD3="pos"), lambda c: c.kind == "lymphocyte"),
    ("Bcell", "06 CD19", "TBNK", _has(CD19="pos"), lambda c: c.kind == "lymphocyte"),
)  # fmt: skip
#: Marker, channel in the public adult's file; all of CD4 T cells.
MARKERS: Final = {
    "CD25": "PE-Cy5-A",
    "CD127": "BV421-A",
    "CD45RA": "BV510-A",
    "CXCR3": "BUV737-A",
    "CCR6": "BV786-A",
    "CCR4": "BUV615-A",
    "CD161": "BV480-A",
}
_COFACTOR: Final = 600.0


def donors(n: int) -> list[VisitTruth]:
    """Blood of control donors, one per seed."""
    found = []
    for seed in range(n):
        plan = plan_trial(WHOLE, n_subjects=2, visits=("BL",), missing_visits=0, seed=seed)
        found.append(plan_controls(plan).tubes[0].spec.blood)
    return found


def shares(table: Path, n: int = 200) -> pd.DataFrame:
    """HIPC's mean and donors beside the median and the middle 90 % of our donors, percent of parent."""
    hipc = pd.read_csv(table).set_index(["panel", "pop"])
    blood = donors(n)
    rows = []
    for panel, population, tube, child, parent in SHARES:
        values = []
        for one in blood:
            cells = [cell for cell in cell_classes(PANELS[tube], one) if parent(cell)]
            total = sum(cell.per_ul for cell in cells)
            values.append(100 * sum(cell.per_ul for cell in cells if child(cell)) / total)
        low, median, high = np.percentile(values, [5, 50, 95])
        row = hipc.loc[(panel, population)]
        rows.append((panel, population, row["grand_mean"], row["donor_means"], median, low, high))
    return pd.DataFrame(rows, columns=["panel", "population", "hipc", "hipc_donors", "median", "p5", "p95"])


def separation(values: NDArray[np.float64]) -> tuple[float, float]:
    """Distance of two normal components in units of their SD, and share of cells on the wrong side of the best cut."""
    mean, sd = np.quantile(values, [0.2, 0.9]), np.full(2, values.std() / 2)
    weight = np.full(2, 0.5)
    for _ in range(300):
        density = weight * norm.pdf(values[:, None], mean, sd) + 1e-300
        share = density / density.sum(axis=1, keepdims=True)
        total = share.sum(axis=0)
        weight, mean = total / len(values), (share * values[:, None]).sum(axis=0) / total
        sd = np.sqrt((share * (values[:, None] - mean) ** 2).sum(axis=0) / total) + 1e-3
    first, last = np.argsort(mean)
    cuts = np.linspace(mean[first], mean[last], 400)
    wrong = weight[first] * norm.sf(cuts, mean[first], sd[first]) + weight[last] * norm.cdf(cuts, mean[last], sd[last])
    return float((mean[last] - mean[first]) / np.sqrt((sd**2).mean())), float(wrong.min())


def real_cd4(path: Path) -> dict[str, NDArray[np.float64]]:
    """asinh of the markers of CD4 T cells of the public adult's file (unmixed, so compensated)."""
    sample = read_fcs(path)
    names = list(sample.names)

    def column(channel: str) -> NDArray[np.float64]:
        return np.arcsinh(sample.events[:, names.index(channel)] / _COFACTOR)

    alive = column("Zombie NIR-A") < np.arcsinh(5)
    cd4 = alive & (column("Spark Blue 550-A") > np.arcsinh(4)) & (column("BUV805-A") > 2) & (column("BUV496-A") < 2)
    return {marker: column(channel)[cd4] for marker, channel in MARKERS.items()}


def simulated_cd4() -> dict[str, NDArray[np.float64]]:
    """The same of a control donor's overlapping tubes."""
    plan = plan_trial(WHOLE, n_subjects=2, visits=("BL",), missing_visits=0, lymphocytes=20_000)
    found: dict[str, NDArray[np.float64]] = {}
    for control in plan_controls(plan).tubes:
        if control.kind != "donor" or control.spec.panel not in ("TREG", "TH17"):
            continue
        tube = simulate_tube(control.spec)
        columns = [tube.channels.index(name) for name in tube.detectors]
        light = np.linalg.solve(tube.spillover.T, tube.events[:, columns].T.astype(np.float64)).T
        helper = np.array([one.startswith(("Tconv", "Treg", "cTfh", "Th", "memory")) for one in tube.label_names])
        rows = helper[tube.labels]
        for marker in MARKERS:
            if marker in tube.markers and marker not in found:
                found[marker] = np.arcsinh(light[rows, tube.markers.index(marker) - 3] / _COFACTOR)
    return found


def page(reference: Path) -> str:
    """Both tables as Markdown."""
    lines = [
        "# Simulated cells beside real ones",
        "",
        "`python validation/realism.py REFERENCE`",
        "",
        "## Percent of parent, healthy adults",
        "",
        "| HIPC panel | population | HIPC mean | HIPC donors | simulated median | middle 90 % | HIPC mean inside |",
        "|---|---|---:|---|---:|---|---|",
    ]
    for panel, population, mean, three, median, low, high in shares(
        reference / "hipc" / "hipc_lyoplate_cv.csv"
    ).itertuples(index=False):
        inside = "yes" if low <= mean <= high else "no"
        lines.append(
            f"| {panel} | {population} | {mean:.1f} | {three} | {median:.1f} | {low:.1f}–{high:.1f} | {inside} |"
        )
    lines += [
        "",
        "## Separation of the two components of a marker, CD4 T cells",
        "",
        "| marker | real: distance | real: wrong side % | simulated: distance | simulated: wrong side % |",
        "|---|---:|---:|---:|---:|",
    ]
    real = real_cd4(reference / "aurora-treg-th-nk" / "ND050_15_Ctrl_Tetramer.fcs")
    made = simulated_cd4()
    for marker in MARKERS:
        (a, b), (c, d) = separation(real[marker]), separation(made[marker])
        lines.append(f"| {marker} | {a:.1f} | {100 * b:.1f} | {c:.1f} | {100 * d:.1f} |")
    lines.append("")
    return "\n".join(lines)


def main() -> None:
    """Print the page."""
    parser = argparse.ArgumentParser(description="Simulated cells beside real ones")
    parser.add_argument("reference", type=Path)
    parser.add_argument("--write", type=Path, help="Markdown file to write as well")
    given = parser.parse_args()
    text = page(given.reference)
    print(text)
    if given.write is not None:
        write_text(given.write, text)


if __name__ == "__main__":
    main()
