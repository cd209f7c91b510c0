"""Two instruments and the batches on each: gains and spillover that differ a little.

The first instrument is the one that the packaged thresholds were made for; the second has other gains and other
filters. A batch is an instrument over some months, between two calibrations.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Final

import numpy as np
from numpy.typing import NDArray

from il2cyto.simulate.panels import PANELS, SCATTER, TubePanel
from il2cyto.simulate.streams import stream

#: Names in sheets and files.
INSTRUMENTS: Final = ("CYT-A", "CYT-B")
#: Days between two calibrations: a batch is an instrument over so long.
BATCH_DAYS: Final = 240
#: SD (log) of the gain of a detector between instruments, between batches of one, and of the scatter detectors.
INSTRUMENT_SD: Final = 0.06
BATCH_SD: Final = 0.03
SCATTER_SD: Final = 0.01
#: SD (log) of a spillover coefficient between instruments.
SPILLOVER_SD: Final = 0.15
#: Part of the visits that are measured on the other instrument than the subject's own.
AWAY: Final = 0.1
#: Voltage at a gain of 1, and the power with which the gain of a photomultiplier grows with it.
_VOLTAGE: Final = 500.0
_GAIN_POWER: Final = 7.0

_CHANNELS: Final = tuple(
    sorted({*SCATTER, *(detector.channel for panel in PANELS.values() for detector in panel.detectors)})
)


@dataclass(frozen=True)
class Batch:
    """An instrument between two calibrations.

    Parameters
    ----------
    gains
        Factor on each detector's signal, by ``$PnN``.
    spill_factors
        Factors on the spillover coefficients of each panel, ``(p, p)`` with ones on the diagonal.
    """

    id: str
    instrument: str
    gains: dict[str, float] = field(repr=False)
    spill_factors: dict[str, NDArray[np.float64]] = field(repr=False)

    def gain(self, channels: tuple[str, ...]) -> NDArray[np.float32]:
        """Gains of some detectors."""
        return np.array([self.gains[channel] for channel in channels], dtype=np.float32)

    def spillover(self, panel: TubePanel) -> NDArray[np.float64]:
        """Light of each fluorochrome (rows) in each detector (columns), before any gain, ``(p, p)``."""
        return (panel.spillover() * self.spill_factors[panel.name]).round(4)

    def stored_spillover(self, panel: TubePanel) -> NDArray[np.float64]:
        """Spillover between stored values, as the file carries it: it depends on the gains of both detectors."""
        gain = np.array([self.gains[detector.channel] for detector in panel.detectors])
        stored: NDArray[np.float64] = self.spillover(panel) * gain[None, :] / gain[:, None]
        return stored.round(6)

    def voltages(self, channels: tuple[str, ...]) -> dict[str, str]:
        """``$PnV`` of the channels of a file."""
        return {
            f"$P{n}V": f"{_VOLTAGE * self.gains[channel] ** (1 / _GAIN_POWER):.0f}"
            for n, channel in enumerate(channels, start=1)
            if channel in self.gains
        }


def make_batch(seed: int, instrument: int, period: int, shift: float = 1.0) -> Batch:
    """Batch `period` (0 is the first) of instrument 0 or 1; `shift` is a factor on every difference, 0 for none.

    Examples
    --------
    >>> batch = make_batch(1, 1, 0)
    >>> batch.id, batch.gains["PE-A"] == make_batch(1, 1, 1).gains["PE-A"]
    ('CYT-B-1', False)
    """
    fluorescent = np.array([channel not in SCATTER for channel in _CHANNELS])
    own = stream(seed, "instrument", instrument).normal(size=len(_CHANNELS))
    of_batch = stream(seed, "batch", instrument, period).normal(size=len(_CHANNELS))
    away = INSTRUMENT_SD * own if instrument else np.zeros(len(_CHANNELS))
    log_gain = shift * np.where(fluorescent, away + BATCH_SD * of_batch, SCATTER_SD * of_batch)
    factors = {}
    for k, panel in enumerate(PANELS.values()):
        size = len(panel.detectors)
        drawn = stream(seed, "instrument", instrument, 1, k).normal(size=(size, size))
        factor = np.exp(shift * SPILLOVER_SD * drawn) if instrument else np.ones((size, size))
        np.fill_diagonal(factor, 1.0)
        factors[panel.name] = factor
    gains = dict(zip(_CHANNELS, np.exp(log_gain).tolist(), strict=True))
    return Batch(f"{INSTRUMENTS[instrument]}-{period + 1}", INSTRUMENTS[instrument], gains, factors)


def place(seed: int, subject: int, visit: int, day: date, first_day: date) -> tuple[int, int]:
    """Instrument and period in which a visit is measured; a pair of subjects (one of each arm) has one home.

    Examples
    --------
    >>> place(1, 0, 0, date(2020, 8, 15), date(2020, 8, 15))
    (0, 0)
    """
    home = (subject // 2) % len(INSTRUMENTS)
    away = bool(stream(seed, "instrument", 2, subject, visit).random() < AWAY)
    return (home + away) % len(INSTRUMENTS), (day - first_day).days // BATCH_DAYS
