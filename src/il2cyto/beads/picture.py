"""What a picture of a bead array shows: some events of all its files, and where its beads were found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from il2cyto.beads.find import BeadGates, assign_beads

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from il2cyto.beads.panel import BeadPanel
    from il2cyto.beads.read import BeadEvents


@dataclass(frozen=True, eq=False)
class BeadPicture:
    """Events for a picture, and the beads.

    Attributes
    ----------
    forward, side, dye, reporter
        Common logarithms of the channels, shape ``(n,)``; events without one are left out, and `n_without` counts them.
    bead
        Bead of each event, counted through the groups, or -1.
    gates
        Where the beads were found.
    analytes
        Analyte of each bead.
    """

    forward: NDArray[np.float64]
    side: NDArray[np.float64]
    dye: NDArray[np.float64]
    reporter: NDArray[np.float64]
    bead: NDArray[np.int64]
    n_without: int
    gates: BeadGates
    analytes: tuple[str, ...]


def bead_picture(
    files: Sequence[BeadEvents], gates: BeadGates, panel: BeadPanel, *, n: int = 3000, seed: int = 0
) -> BeadPicture:
    """Draw about `n` events, as many of each file.

    Parameters
    ----------
    files
        Events of a plate's files; at least one.
    gates
        From `il2cyto.beads.learn_beads`.
    panel
        The kit.
    n
        Events in the picture.
    seed
        Of the draw.
    """
    each = max(n // len(files), 1)
    parts = []
    for i, one in enumerate(files):
        chosen = np.random.default_rng((seed, i)).permutation(one.dye.size)[:each]
        parts.append(np.stack([one.forward[chosen], one.side[chosen], one.dye[chosen], one.reporter[chosen]]))
    events = np.concatenate(parts, axis=1)
    known = (events > 0).all(axis=0)
    bead = assign_beads(gates, *events[:3, known])
    forward, side, dye, reporter = np.log10(events[:, known])
    analytes = tuple(one.analyte for one in panel.beads)
    return BeadPicture(forward, side, dye, reporter, bead, int((~known).sum()), gates, analytes)
