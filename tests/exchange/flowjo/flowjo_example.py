"""The example of docs/flowjo.md: tubes and a workspace, simulated; its counts follow FlowJo's rule in NumPy."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from flowjo_files import BIEX, LINEAR, axis, dimension, group, matrix, polygon, population, rectangle, sample, write

from il2cyto.fcs import write_fcs
from il2cyto.transforms import FlowJoBiex

CHANNELS = ["FSC-A", "SSC-A", "B 530/30-A", "R 670/14-A"]
AXES = axis(LINEAR.replace('"1000"', '"262144"'), "FSC-A", "SSC-A") + axis(
    BIEX, *(f"{prefix}{name}" for name in ("B 530_30-A", "R 670_14-A") for prefix in ("", "Comp-"))
)
SPILL = {
    "B 530_30-A": {"B 530_30-A": 1.0, "R 670_14-A": 0.02},
    "R 670_14-A": {"B 530_30-A": 0.005, "R 670_14-A": 1.0},
}
LYMPHOCYTES = [[51000, 9000], [112000, 9000], [131500, 52000], [88000, 71000], [49500, 43000]]
TREG = [[2500, 400], [60000, 400], [60000, 9000], [2500, 3000]]
#: In the last tube the operator moved the gate.
OWN_TREG = [[2500, 400], [60000, 400], [60000, 15000], [2500, 5000]]
TUBES = {"P001_BL.fcs": TREG, "P001_M1.fcs": TREG, "P002_BL.fcs": OWN_TREG}
BIEX_AXIS = FlowJoBiex(256.0, 262144.0, 0.0, -100.0, 4.418539922)


def events(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    cells = rng.multivariate_normal([90_000, 36_000], [[4e8, 5e7], [5e7, 1.6e8]], 6_000)
    bright = rng.random(6_000) < 0.1
    true = np.stack([
        np.where(bright, rng.lognormal(9.3, 0.5, 6_000), rng.normal(300, 500, 6_000)),
        np.where(bright, rng.lognormal(7.3, 0.6, 6_000), rng.lognormal(9.4, 0.5, 6_000)),
    ], axis=1)  # fmt: skip
    spill = np.array([[SPILL[row][column] for column in SPILL] for row in SPILL])
    return np.hstack([cells, true @ spill]).astype(np.float32).astype(np.float64)


def channels_inside(x: np.ndarray, y: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Even–odd rule on whole channels, the border inside."""
    crossed, on = np.zeros(len(x), bool), np.zeros(len(x), bool)
    for (ax, ay), (bx, by) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        turn = (bx - ax) * (y - ay) - (x - ax) * (by - ay)
        between = (x >= min(ax, bx)) & (x <= max(ax, bx)) & (y >= min(ay, by)) & (y <= max(ay, by))
        on |= (turn == 0) & between
        crossed ^= ((ay <= y) != (by <= y)) & ((turn > 0) == (by > ay))
    return crossed | on


def stored(values: np.ndarray, treg: list[list[float]]) -> tuple[int, int, int]:
    """What FlowJo would store: Lymphocytes, CD25+, Treg."""
    scatter = np.floor(values[:, :2] / 1024 + 0.5)
    lymphocytes = channels_inside(*scatter.T, np.floor(np.array(LYMPHOCYTES) / 1024 + 0.5))
    spill = np.array([[SPILL[row][column] for column in SPILL] for row in SPILL])
    colours = np.linalg.solve(spill.T, values[:, 2:].T)
    positive = lymphocytes & (colours[0] >= 1500)
    treg_in = channels_inside(*np.floor(BIEX_AXIS.apply(colours)), np.floor(BIEX_AXIS.apply(np.array(treg))))
    return int(lymphocytes.sum()), int(positive.sum()), int((lymphocytes & treg_in).sum())


def make(folder: Path) -> None:
    """Write ``fcs/*.fcs`` and ``panel.wsp``."""
    (folder / "fcs").mkdir(parents=True)
    samples = []
    labels = {"$P3S": "CD25", "$P4S": "CD127"}
    for number, (name, treg) in enumerate(TUBES.items(), start=1):
        values = events(number)
        write_fcs(values, folder / "fcs" / name, channels=CHANNELS, markers=[None, None, "CD25", "CD127"])
        counts = stored(values, treg)
        tree = population(
            "Lymphocytes",
            polygon("FSC-A", "SSC-A", LYMPHOCYTES),
            population("CD25+", rectangle(dimension("Comp-B 530_30-A", 1500)), count=counts[1]),
            population("Treg", polygon("Comp-B 530_30-A", "Comp-R 670_14-A", treg), count=counts[2]),
            count=counts[0],
        )
        samples.append(
            sample(tree, name=name, number=number, axes=AXES, compensation=matrix(SPILL), channels=CHANNELS,
                   keywords={**labels, "$P5N": "Comp-B 530_30-A"}, count=len(values))
        )  # fmt: skip
    # a tube that is not on the disk: the tree of the first, never counted
    last = samples[0].replace("P001_BL", "P002_M1").replace('sampleID="1"', 'sampleID="4"')
    samples.append(re.sub(r' count="\d+"', ' count="-1"', last))
    write(folder, *samples, groups=group("All Samples", 1, 2, 3, 4))


if __name__ == "__main__":
    import sys

    make(Path(sys.argv[1]))
