"""Tubes whose detectors were set otherwise than those of most tubes of their batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping
from typing import Final

#: Settings of one tube: channel → (voltage, gain), as the file says them.
Settings = Mapping[str, tuple[str, str]]

#: Fewer tubes than this have no majority.
_LEAST: Final = 2


def differing_settings(tubes: Mapping[str, tuple[Hashable, Settings]]) -> dict[str, tuple[str, ...]]:
    """Return by tube the channels whose voltage or gain differs from that of most tubes of its group.

    Parameters
    ----------
    tubes
        By tube id its group (such as tube type, batch and instrument) and its settings. Channels without a voltage and
        a gain say nothing.

    Notes
    -----
    Where two settings are equally frequent the one of the earlier tube is taken for the usual one, so that the other
    half is told: a batch with two settings has to be looked at, whichever is right.

    Examples
    --------
    >>> usual, other = {"PE-A": ("450", "")}, {"PE-A": ("500", "")}
    >>> differing_settings({"T1": ("NK", usual), "T2": ("NK", usual), "T3": ("NK", other)})
    {'T1': (), 'T2': (), 'T3': ('PE-A 500 V, most 450 V',)}
    """
    seen: dict[tuple[Hashable, str], Counter[tuple[str, str]]] = {}
    for group, settings in tubes.values():
        for channel, setting in settings.items():
            if any(setting):
                seen.setdefault((group, channel), Counter())[setting] += 1
    found = {}
    for tube_id, (group, settings) in tubes.items():
        odd = []
        for channel, setting in settings.items():
            counter = seen.get((group, channel), Counter())
            # of equally frequent ones the first that was met comes first
            usual = counter.most_common(1)[0][0] if counter.total() >= _LEAST else setting
            if any(setting) and setting != usual:
                odd.append(f"{channel} {_told(setting)}, most {_told(usual)}")
        found[tube_id] = tuple(odd)
    return found


def _told(setting: tuple[str, str]) -> str:
    voltage, gain = setting
    return " ".join([f"{voltage} V"] * bool(voltage) + [f"gain {gain}"] * bool(gain))
