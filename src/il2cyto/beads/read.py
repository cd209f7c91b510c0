"""FCS files of a bead array to the wells of a plate."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from il2cyto.beads.find import BeadGates, assign_beads, find_beads, separation
from il2cyto.errors import GateError, ParameterError, did_you_mean
from il2cyto.fcs import read_fcs
from il2cyto.serum.plates.wells import BLANK, STANDARD, Plate, sample_type, wells_table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from il2cyto.beads.panel import BeadPanel

#: Events of each file that the beads are learnt from.
_PER_FILE: Final = 4000
#: A file whose beads lie further from where they were learnt, in spreads, has moved.
_MOVED: Final = 3.0
_CHANNELS: Final = ("forward", "side", "dye", "reporter")


@dataclass(frozen=True)
class BeadEvents:
    """Events of one file in the four channels, linear, shape ``(n,)`` each."""

    name: str
    forward: NDArray[np.float64]
    side: NDArray[np.float64]
    dye: NDArray[np.float64]
    reporter: NDArray[np.float64]


def read_events(path: str | Path, channels: Mapping[str, str]) -> BeadEvents:
    """Read the four channels of a bead array.

    Parameters
    ----------
    path
        FCS file.
    channels
        Names (``$PnN``) of ``forward``, ``side``, ``dye`` (classification) and ``reporter``.

    Raises
    ------
    ParameterError
        If a channel is not named, or the file has none of that name.
    FcsError
        If the file cannot be read.
    """
    missing = [name for name in _CHANNELS if name not in channels]
    if missing:
        raise ParameterError(f"channels: name {', '.join(missing)} as well")
    sample = read_fcs(path)
    names = [channel.pnn for channel in sample.channels]
    for role in _CHANNELS:
        if channels[role] not in names:
            raise ParameterError(
                f"{Path(path).name}: has no channel {channels[role]!r} ({role}){did_you_mean(channels[role], names)}"
            )
    events = sample.events
    columns = {role: np.ascontiguousarray(events[:, names.index(channels[role])]) for role in _CHANNELS}
    return BeadEvents(Path(path).name, **columns)


def learn_beads(files: Iterable[BeadEvents], panel: BeadPanel, *, seed: int = 0) -> BeadGates:
    """Find the beads in the events of all files of a plate together, some of each.

    Parameters
    ----------
    files
        Standards and samples of one plate.
    panel
        The kit.
    seed
        Of the draw of events.

    Raises
    ------
    GateError
        If the beads of the kit are not found.
    """
    parts = []
    for i, one in enumerate(files):
        n = one.dye.size
        chosen = np.random.default_rng((seed, i)).permutation(n)[:_PER_FILE]
        parts.append(np.stack([one.forward[chosen], one.side[chosen], one.dye[chosen]]))
    if not parts:
        raise GateError("no files to find beads in")
    events = np.concatenate(parts, axis=1)
    gates = find_beads(events[0], events[1], events[2], [len(panel.of_group(group)) for group in panel.groups])
    if separation(gates) < 2:
        raise GateError(f"neighbouring beads lie {separation(gates):.1f} spreads apart; they cannot be told apart")
    return gates


def bead_plate(
    files: Sequence[BeadEvents],
    gates: BeadGates,
    panel: BeadPanel,
    *,
    plate: str,
    layout: Mapping[str, tuple[str, str, str]] | None = None,
    top_level: int | None = None,
    done: Callable[[str], None] | None = None,
) -> Plate:
    """Return the median signal and the number of beads of each analyte in each file, as the wells of a plate.

    Parameters
    ----------
    files
        Events of the files.
    gates
        From `learn_beads`.
    panel
        The kit; its `top` and `dilution` give the concentrations of the standards.
    plate
        Name of the plate.
    layout
        Sample, type and level by the name of a file; by default what the name says.
    top_level
        Level of the highest standard; by default the highest there is.
    done
        Told of each file.
    """
    told = {one.name: (layout or {}).get(one.name) or _from_name(one.name) for one in files}
    levels = [int(level) for _, kind, level in told.values() if kind == STANDARD and level.isdigit()]
    top = top_level if top_level is not None else max(levels, default=0)
    rows: list[dict[str, Any]] = []
    notes: list[str] = []
    centres = np.concatenate(gates.medians)
    spreads = np.concatenate(gates.spreads)
    for one in files:
        sample, kind, level = told[one.name]
        bead_of = assign_beads(gates, one.forward, one.side, one.dye)
        for i, bead in enumerate(panel.beads):
            own = bead_of == i
            n = int(own.sum())
            if n and abs(float(np.median(np.log10(one.dye[own]))) - centres[i]) > _MOVED * spreads[i]:
                notes.append(f"{one.name}: bead {bead.bead} ({bead.analyte}) lies off its place")
            zero = kind == BLANK or (kind == STANDARD and level == "0")
            rows.append(
                {
                    "plate": plate,
                    "well": one.name,
                    "sample": sample,
                    "type": BLANK if zero else kind,
                    "level": level,
                    "analyte": bead.analyte,
                    "unit": bead.unit,
                    "signal": float(np.median(one.reporter[own])) if n else math.nan,
                    "bead_count": n,
                    "dilution": 1.0,
                    "expected": 0.0 if zero else _expected(kind, level, bead.top, bead.dilution, top),
                }
            )
        if done is not None:
            done(one.name)
    return Plate(wells_table(rows, plate), "bead array", notes=tuple(notes))


def _from_name(name: str) -> tuple[str, str, str]:
    stem = name.rsplit(".", 1)[0]
    return stem, *sample_type(stem)


def _expected(kind: str, level: str, top: float, dilution: float, top_level: int) -> float:
    if kind != STANDARD or not level.isdigit():
        return math.nan
    return top / dilution ** (top_level - int(level))
