"""What a report says of the instrument and of the acquisition of one tube: numbers and known words of its file."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from il2cyto.deident.vocabulary import NAMES, vocabulary
from il2cyto.errors import PanelError
from il2cyto.kernels.decode import MULTIPLY
from il2cyto.panel import Panel
from il2cyto.sample import Channel, Sample
from il2cyto.steps.public import plain_number

#: Events that the share at the upper edge is computed from at most, evenly spaced over the acquisition.
MARGIN_EVENTS = 20_000
#: Bins of the acquisition time in which events are counted.
TIME_BINS = 60

_FILTER = re.compile(r"[0-9]{3,4}(?:[/-][0-9]{1,4})?(?: ?(?:BP|LP|SP|DF|nm))?", re.IGNORECASE)
_WAVELENGTHS = re.compile(r"[0-9]{3,4}(?:[,; ]+[0-9]{3,4}){0,7}")
_DETECTORS = frozenset({"PMT", "APD", "SIPM", "SSD", "PHOTODIODE", "DIODE"})


def describe_instrument(sample: Sample, panel: Panel | None) -> dict[str, Any]:
    """Return cytometer and settings of every channel, without a text of the file that could name somebody.

    Parameters
    ----------
    sample
        The data set.
    panel
        Its markers; a channel that carries none is called by its ``$PnN`` if that is made of known words, else by its
        number.

    Returns
    -------
    ``cytometer``, the phrases of ``$CYT`` that name an instrument (empty where there are none), and ``channels`` with
    ``name``, ``marker``, ``fluorochrome``, ``voltage`` (V), ``gain``, ``range``, ``filter`` (nm), ``excitation`` (nm),
    ``power`` (mW) and ``detector``; texts, empty where the file gives none or something else than a number.
    """
    keywords = sample.keywords
    found = _markers(sample, panel)
    channels = []
    for channel in sample.channels:
        number = channel.index + 1
        marker, fluorochrome = found.get(channel.index, ("", ""))

        def value(letter: str, number: int = number) -> str:
            return keywords.get(f"$P{number}{letter}", "").strip()

        channels.append(
            {
                "name": public_name(channel, panel),
                "marker": marker,
                "fluorochrome": fluorochrome,
                "voltage": plain_number(channel.voltage) or "",
                "gain": plain_number(value("G")) or "",
                "range": plain_number(value("R")) or "",
                "filter": value("F") if _FILTER.fullmatch(value("F")) else "",
                "excitation": value("L") if _WAVELENGTHS.fullmatch(value("L")) else "",
                "power": plain_number(value("O")) or "",
                "detector": value("T").upper() if value("T").upper() in _DETECTORS else "",
            }
        )
    cytometer = vocabulary("cytometers").recognised(keywords.get("$CYT", "")[:200])
    return {"cytometer": cytometer, "channels": channels}


def describe_acquisition(sample: Sample, panel: Panel | None) -> dict[str, Any]:
    """Return how the events came: their number in equal parts of the time, and the share at the upper edge.

    Returns
    -------
    ``duration``: last minus first time in s, ``None`` without a time channel in seconds. ``rate``: events in
    `TIME_BINS` equal parts of that time, empty without one. ``margins``: name of each channel with events whose stored
    value reaches the last one of ``$PnR``, and their percentage, the largest first; of at most `MARGIN_EVENTS` events.
    """
    duration, rate = _time(sample)
    return {"duration": duration, "rate": rate, "margins": _margins(sample, panel)}


def public_name(channel: Channel, panel: Panel | None) -> str:
    """Return a channel's ``$PnN`` if it is made of known words or the panel declares it, else its number."""
    declared = panel is not None and any(entry.channel == channel.pnn for entry in panel.entries)
    known = channel.is_time or declared or channel.pnn in vocabulary(*NAMES)
    return channel.pnn if known else f"parameter {channel.index + 1}"


def has_seconds(sample: Sample, index: int) -> bool:
    """Whether a channel is a time in seconds, because the file gives ``$TIMESTEP``."""
    return sample.channels[index].is_time and int(sample.layout.scale[index]) == MULTIPLY


def _markers(sample: Sample, panel: Panel | None) -> dict[int, tuple[str, str]]:
    labels = [channel.pns for channel in sample.channels]
    found: dict[int, tuple[str, str]] = {}
    for entry in panel.entries if panel is not None else ():
        try:
            position = panel.locate(entry.marker, sample.names, labels) if panel is not None else None
        except PanelError:
            continue  # a marker that stands twice and that no gate asks for
        if position is not None:
            found.setdefault(position, (entry.marker, entry.fluorochrome))
    return found


def _time(sample: Sample) -> tuple[float | None, list[int]]:
    times = [channel.index for channel in sample.channels if channel.is_time]
    if len(times) != 1 or not sample.n_events or not has_seconds(sample, times[0]):
        return None, []
    seconds = sample.linear(times)[:, 0]
    seconds = seconds[np.isfinite(seconds)]
    if not seconds.size or not seconds.max() > seconds.min():
        return None, []
    counts, _ = np.histogram(seconds, bins=TIME_BINS)
    return round(float(seconds.max() - seconds.min()), 3), counts.tolist()


def _margins(sample: Sample, panel: Panel | None) -> list[list[Any]]:
    if not sample.n_events:
        return []
    chosen = np.unique(np.linspace(0, sample.n_events - 1, min(sample.n_events, MARGIN_EVENTS)).astype(np.int64))
    stride = sample.layout.stride
    rows: NDArray[np.uint8] = np.ascontiguousarray(sample.data.reshape(-1, stride)[chosen]).reshape(-1)
    stored = replace(sample, data=rows, n_events=len(chosen)).raw
    found = []
    for channel in sample.channels:
        if channel.is_time or not np.isfinite(channel.range) or channel.range <= 1:
            continue
        share = 100.0 * float(np.count_nonzero(stored[:, channel.index] >= channel.range - 1)) / len(chosen)
        if share > 0:
            found.append([public_name(channel, panel), round(share, 4)])
    return sorted(found, key=lambda item: -item[1])
