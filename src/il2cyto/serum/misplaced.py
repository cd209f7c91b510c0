"""Standards that stand in each other's wells, told by all analytes of the plate at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from il2cyto.serum.plates.wells import STANDARD

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

#: Share of the analytes that must tell the same, and by which ratio of signals in their median.
_SHARED: Final = 0.9
_RATIO: Final = 1.25
_REPEATS: Final = 1.5


def misplaced_standards(wells: pd.DataFrame) -> list[str]:
    """Return a sentence for each plate whose standards are out of order, and for each level whose repeats disagree.

    One analyte may be noisy; nine tenths of the analytes of a plate disagree with the concentrations in the same wells
    only where the wells hold something else.

    Parameters
    ----------
    wells
        The table `Assay.wells`.
    """
    known = wells[(wells["type"] == STANDARD) & (wells["left_out"] == "") & (wells["expected"] > 0)]
    known = known[known["signal"] > 0].assign(log=lambda table: np.log(table["signal"]))
    told: list[str] = []
    for plate, own in known.groupby("plate", sort=True):
        own = own.assign(rank=own.groupby("analyte")["expected"].rank(method="dense").astype(int))
        torn = _repeats(str(plate), own)
        told += torn.values()
        # the mean of repeats that disagree says nothing of the order
        sound = own[~own["rank"].isin(torn)]
        levels = sound.pivot_table(index="analyte", columns="rank", values="log", aggfunc="mean").dropna()
        if len(levels):
            told += _order(
                str(plate), [int(rank) for rank in levels.columns.to_numpy()], levels.to_numpy(dtype=np.float64)
            )
    return told


def _order(plate: str, ranks: list[int], logs: NDArray[np.float64]) -> list[str]:
    """Compare the order of signals with that of concentrations; ``logs`` is analyte × level."""
    rising = _falls(logs), _falls(-logs)
    # a competitive assay falls throughout: the direction with fewer exceptions is that of the assay
    signed = logs if rising[0].sum() <= rising[1].sum() else -logs
    falls = min(rising, key=np.sum)
    if not falls.any():
        return []
    for low, high in np.argwhere(falls):
        swapped = signed.copy()
        swapped[:, [low, high]] = swapped[:, [high, low]]
        if not _falls(swapped).any():
            return [
                f"standards {ranks[low]} and {ranks[high]} from the lowest of {plate} have each other's signals "
                f"({len(logs)} analytes together): swapped wells?"
            ]
    odd = ", ".join(str(ranks[i]) for i in np.unique(np.argwhere(falls)))
    return [f"the signals of {plate} are not in the order of its standards (from the lowest: {odd}): swapped wells?"]


def _falls(logs: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Say for each pair of levels whether the higher one has the lower signal."""
    steps = logs[:, :, None] - logs[:, None, :]
    shared = (steps > 0).mean(axis=0) >= _SHARED
    return np.triu(shared & (np.median(steps, axis=0) > np.log(_RATIO)), k=1)


def _repeats(plate: str, own: pd.DataFrame) -> dict[int, str]:
    """Levels whose wells differ in nearly all analytes, each with its sentence."""
    told = {}
    for rank in np.unique(own["rank"].to_numpy(dtype=np.int64)).tolist():
        level = own[own["rank"] == rank]
        logs = level.pivot_table(index="analyte", columns="well", values="log", aggfunc="first").dropna()
        if logs.shape[1] < 2 or not len(logs):
            continue
        reach = logs.max(axis=1) - logs.min(axis=1)
        if (reach > np.log(_REPEATS)).mean() >= _SHARED:
            told[rank] = (
                f"wells {', '.join(map(str, logs.columns))} of standard {rank} from the lowest of {plate} differ by a "
                f"factor of {np.exp(reach.median()):.1f} in the median of {len(logs)} analytes: a swapped or bad well?"
            )
    return told
