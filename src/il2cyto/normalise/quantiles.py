"""Quantiles of control tubes, batch by batch, and the monotone curves that bring them together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from il2cyto.errors import ParameterError, did_you_mean
from il2cyto.normalise.curve import follow

FloatArray = NDArray[np.float64]

#: Levels of the quantiles: 1 % to 99 %. The extremes hang on single events and are left to the straight lines.
LEVELS: Final = tuple(float(level) for level in np.arange(1, 100) / 100)
LEAST_EVENTS: Final = 500


@dataclass(frozen=True)
class Unnormalised:
    """A channel of a batch that stays as it is, and why.

    Parameters
    ----------
    batch
        Name of the batch.
    channel
        Name of the channel.
    reason
        One clause, with the number that decided.
    """

    batch: str
    channel: str
    reason: str


@dataclass(frozen=True)
class Normalisation:
    """Quantiles of each batch and their common goal; plain data, made by `learn_quantiles`, used by `apply`.

    Parameters
    ----------
    channels
        Names, in the order of the columns.
    levels
        Levels of the quantiles, increasing, between 0 and 1.
    n_events
        Events of the control tubes of each batch.
    quantiles
        Batch → channel → quantiles at `levels`, transformed scale. A channel that is left as it is stands in
        `unnormalised` instead.
    goal
        Channel → mean of the quantiles over the batches that have them; absent where no batch has them.
    unnormalised
        What is left as it is, each with its reason.
    slope
        Slope beyond the first and last quantile.

    Raises
    ------
    ParameterError
        A list of the wrong length, values that decrease or are not finite, a channel of a batch without quantiles and
        without a reason.
    """

    channels: tuple[str, ...]
    levels: tuple[float, ...]
    n_events: Mapping[str, int]
    quantiles: Mapping[str, Mapping[str, tuple[float, ...]]]
    goal: Mapping[str, tuple[float, ...]]
    unnormalised: tuple[Unnormalised, ...]
    slope: float

    def __post_init__(self) -> None:
        check_settings(self.channels, self.levels, self.slope)
        if set(self.quantiles) != set(self.n_events):
            raise ParameterError("quantiles and n_events name different batches: learn the normalisation again")
        left = {(one.batch, one.channel) for one in self.unnormalised}
        have = {(batch, channel) for batch, held in self.quantiles.items() for channel in held}
        if left & have or left | have != {(batch, channel) for batch in self.n_events for channel in self.channels}:
            raise ParameterError("each channel of each batch needs either quantiles or a reason: learn again")
        if {channel for _, channel in have} != set(self.goal):
            raise ParameterError("quantiles and goal name different channels: learn the normalisation again")
        for held in (*self.quantiles.values(), self.goal):
            for channel, values in held.items():
                self._check(channel, values, spread=held is not self.goal)

    def _check(self, channel: str, values: tuple[float, ...], *, spread: bool) -> None:
        steps = np.diff(values)
        if len(values) != len(self.levels) or not np.isfinite(values).all() or (steps < 0).any():
            raise ParameterError(
                f"channel {channel!r}: wanted {len(self.levels)} finite numbers that do not decrease: learn again"
            )
        if spread and not (steps > 0).any():
            raise ParameterError(
                f"channel {channel!r}: all quantiles are {values[0]!r}, which is no curve: learn again"
            )

    def reason(self, batch: str, channel: str) -> str:
        """Why a channel of a batch is left as it is; empty where it is normalised."""
        found = (one.reason for one in self.unnormalised if (one.batch, one.channel) == (batch, channel))
        return next(found, "")


def learn_quantiles(
    controls: Mapping[str, ArrayLike],
    channels: Sequence[str],
    *,
    levels: Sequence[float] = LEVELS,
    min_events: int = LEAST_EVENTS,
    slope: float = 1.0,
) -> Normalisation:
    """Learn from the control tubes of batches where the quantiles of each batch should go: to their mean over batches.

    Parameters
    ----------
    controls
        Batch → events of its control, shape (n, p), on the transformed scale. The same donor in every batch, or what
        differs between donors is taken out as if it were technical.
    channels
        Names of the p columns.
    levels
        Levels of the quantiles, increasing, between 0 and 1.
    min_events
        A control with fewer events teaches nothing: its batch is left as it is.
    slope
        Slope beyond the first and last quantile, above 0.

    Returns
    -------
    Normalisation
        For `apply`. The order of events and of batches does not matter.

    Raises
    ------
    ParameterError
        No batch, an array of the wrong shape, a value that is not finite, levels or slope outside their domain.

    Notes
    -----
    Quantile normalisation of CytoNorm (Van Gassen et al., Cytometry A 97 (2020) 268) with goal "mean".

    Examples
    --------
    >>> day = np.linspace(0.0, 4.0, 1001)[:, None]
    >>> learnt = learn_quantiles({"monday": day, "tuesday": day + 1.0}, ["CD25"])
    >>> apply(learnt, "monday", [[2.0], [9.0]]).round(12).tolist()
    [[2.5], [9.5]]
    >>> apply(learnt, "tuesday", [[3.0]]).round(12).tolist()
    [[2.5]]
    >>> learn_quantiles({"monday": day, "tuesday": day, "friday": day[:20]}, ["CD25"]).reason("friday", "CD25")
    'its control has 20 events, fewer than 500'
    """
    check_settings(tuple(channels), tuple(levels), slope)
    tubes = checked(controls, channels)
    held: dict[str, dict[str, tuple[float, ...]]] = {batch: {} for batch in tubes}
    left: list[Unnormalised] = []
    goal: dict[str, tuple[float, ...]] = {}
    for column, channel in enumerate(channels):
        found: dict[str, FloatArray] = {}
        for batch, events in tubes.items():
            if len(events) < min_events:
                why = f"its control has {len(events)} events, fewer than {min_events}"
                left.append(Unnormalised(batch, channel, why))
                continue
            values = np.quantile(events[:, column], levels)
            # interpolation may round a step down by one unit in the last place
            values = np.maximum.accumulate(values)
            if values[0] == values[-1]:
                left.append(Unnormalised(batch, channel, f"all quantiles of its control are {float(values[0])!r}"))
                continue
            found[batch] = values
        if len(found) == 1:
            (batch,) = found
            left.append(Unnormalised(batch, channel, "no other batch has quantiles of this channel"))
            continue
        for batch, values in found.items():
            held[batch][channel] = tuple(values.tolist())
        if found:
            goal[channel] = tuple(np.maximum.accumulate(np.mean(list(found.values()), axis=0)).tolist())
    sizes = {batch: len(events) for batch, events in tubes.items()}
    return Normalisation(tuple(channels), tuple(map(float, levels)), sizes, held, goal, tuple(left), float(slope))


def apply(normalisation: Normalisation, batch: str, values: ArrayLike) -> FloatArray:
    """Bring events of a batch onto the common scale.

    Parameters
    ----------
    normalisation
        From `learn_quantiles`.
    batch
        The batch that the events were measured in.
    values
        Shape (n, p), columns as ``normalisation.channels``, on the scale that was learnt on. NaN stays NaN.

    Returns
    -------
    numpy.ndarray
        A new array of shape (n, p). Within a channel the order of events is kept. Channels that
        ``normalisation.unnormalised`` names for the batch come back as they are.

    Raises
    ------
    ParameterError
        A batch that was not learnt, or an array of the wrong shape.
    """
    known_batch(batch, normalisation.n_events)
    moved = events_of(values, normalisation.channels, f"batch {batch!r}").copy()
    for column, channel in enumerate(normalisation.channels):
        own = normalisation.quantiles[batch].get(channel)
        if own is not None:
            moved[:, column] = follow(own, normalisation.goal[channel], moved[:, column], slope=normalisation.slope)
    return moved


def known_batch(batch: str, batches: Mapping[str, int]) -> None:
    """Refuse a batch that no control was learnt from."""
    if batch not in batches:
        hint = did_you_mean(batch, list(batches))
        raise ParameterError(f"batch {batch!r} was not learnt{hint}: learn with a control of it, or leave it as it is")


def check_settings(channels: tuple[str, ...], levels: tuple[float, ...], slope: float) -> None:
    """Refuse channels that repeat, levels out of order and a slope that turns the scale round."""
    if not channels or len(set(channels)) != len(channels):
        raise ParameterError(f"channels = {list(channels)!r}: name each column once")
    if len(levels) < 2 or not (np.diff(levels) > 0).all() or not 0 <= levels[0] < levels[-1] <= 1:
        raise ParameterError(f"levels = {list(levels)!r}: give two or more, increasing, from 0 to 1")
    if not (np.isfinite(slope) and slope > 0):
        raise ParameterError(f"slope = {slope!r}: give a number above 0")


def checked(controls: Mapping[str, ArrayLike], channels: Sequence[str]) -> dict[str, FloatArray]:
    """Events of every control, by name of the batch, once they fit the channels and are all finite."""
    if not controls:
        raise ParameterError("no control tube: give the events of a control for each batch")
    tubes = {batch: events_of(controls[batch], channels, f"control of batch {batch!r}") for batch in sorted(controls)}
    for batch, events in tubes.items():
        bad = int((~np.isfinite(events)).any(axis=1).sum())
        if bad:
            raise ParameterError(
                f"control of batch {batch!r}: {bad} of {len(events)} events hold a value that is not finite: "
                "leave them out, and say so, before learning"
            )
    return tubes


def events_of(values: ArrayLike, channels: Sequence[str], what: str) -> FloatArray:
    """Return an array as float64, once it has a column for each channel."""
    events = np.asarray(values, dtype=np.float64)
    if events.ndim != 2 or events.shape[1] != len(channels):
        raise ParameterError(f"{what}: shape {events.shape}, wanted (events, {len(channels)}), one column a channel")
    return events
