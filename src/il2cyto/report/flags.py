"""Failures and flags, grouped so that a reader sees in one screen what needs attention."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from il2cyto.keys import NOT_ESTIMABLE
from il2cyto.report.numbers import is_missing, words


@dataclass(frozen=True)
class FailureGroup:
    """Failures (or notices) that say the same, and where they occurred."""

    step: str
    kind: str
    message: str
    remedy: str
    places: tuple[str, ...]


@dataclass(frozen=True)
class FlagGroup:
    """Values that carry the same flag.

    ``what`` is the population or the reason, ``share`` how many of how many, ``places`` the tubes concerned.
    """

    what: str
    share: str
    places: tuple[str, ...]


@dataclass(frozen=True)
class FlagSection:
    """All groups of one kind of flag; ``n`` values or tubes in total; ``expected`` if it needs no attention."""

    title: str
    meaning: str
    heading: str
    n: int
    unit: str
    groups: tuple[FlagGroup, ...]
    expected: bool = False


def group_failures(failures: pd.DataFrame, severity: str) -> tuple[FailureGroup, ...]:
    """Collect the rows of one severity (``failure`` or ``notice``) that share step, kind, message and remedy."""
    rows = failures[failures["severity"] == severity]
    places: dict[tuple[str, str, str, str], list[str]] = {}
    for row in rows.to_dict("records"):
        tube_id = words(row["tube_id"])
        # the place names the tube, so messages that differ in it alone become one
        message = words(row["message"]).removeprefix(f"{tube_id}: ")
        key = (words(row["step"]), words(row["kind"]), message, words(row["remedy"]))
        place = tube_id or " · ".join(filter(None, (words(row["subject"]), words(row["visit"]))))
        found = places.setdefault(key, [])
        if place and place not in found:
            found.append(place)
    return tuple(FailureGroup(*key, places=tuple(found)) for key, found in places.items())


def group_flags(counts: pd.DataFrame) -> tuple[FlagSection, ...]:
    """Group what is doubtful in the counts: below LLOQ by population, not estimable by reason, other flags by name.

    Parameters
    ----------
    counts
        ``counts.csv``, one row per tube and population. ``flags`` holds names separated by ``;``.
    """
    # a mask of booleans even where the table is empty: an empty list would choose no columns
    marked = [not is_missing(value) and bool(value) for value in counts["below_lloq"]]
    below = counts[pd.Series(marked, index=counts.index, dtype=bool)]
    lost = counts[counts["status"] == NOT_ESTIMABLE]
    uncounted = counts[
        (counts["status"] != NOT_ESTIMABLE) & counts["cells_per_ul"].isna() & counts["reason"].map(words).ne("")
    ]
    sections = [
        FlagSection(
            "Below LLOQ",
            "Too few events for a certain number: the value is shown with its interval and drawn hollow.",
            "Population",
            len(below),
            "values",
            _by_population(counts, below),
        ),
        FlagSection(
            "Not estimable",
            "There is no number for these, and none is used. Populations below them in the tree are listed too.",
            "Reason",
            len(lost),
            "values",
            _by_reason(lost),
        ),
        FlagSection(
            "Counted, but without cells/µL",
            "Events and percentages exist; the reason says why they are not turned into cells/µL.",
            "Reason",
            len(uncounted),
            "values",
            _by_reason(uncounted),
            expected=True,
        ),
    ]
    named: dict[str, list[int]] = {}
    for position, flags in enumerate(counts["flags"]):
        for flag in filter(None, (part.strip() for part in words(flags).split(";"))):
            named.setdefault(flag, []).append(position)
    # a below-LLOQ flag repeats the column of the same name
    groups = [_by_flag(flag, counts, found) for flag, found in named.items() if flag != "below_lloq"]
    tubes = {place for group in groups for place in group.places}
    sections.insert(
        2,
        FlagSection(
            "Other flags",
            "The number is used; the flag says what to look at.",
            "Flag",
            len(tubes),
            "tubes",
            tuple(groups),
        ),
    )
    return tuple(sections)


def _by_population(counts: pd.DataFrame, rows: pd.DataFrame) -> tuple[FlagGroup, ...]:
    key = ["strategy", "population"]
    flagged = dict(iter(rows.groupby(key, sort=False)))
    # in the order of the trees
    return tuple(
        FlagGroup(
            f"{_name(group)} ({place[0]})", f"{len(flagged[place])} of {len(group)} tubes", _tubes(flagged[place])
        )
        for place, group in counts.groupby(key, sort=False)
        if place in flagged
    )


def _by_reason(rows: pd.DataFrame) -> tuple[FlagGroup, ...]:
    groups = []
    for reason, group in rows.groupby("reason", sort=False, dropna=False):
        populations = group["name"].unique().tolist()
        tubes = _tubes(group)
        share = f"{_count(len(populations), 'population')} in {_count(len(tubes), 'tube')}"
        groups.append(FlagGroup(f"{words(reason) or 'no reason given'} ({_list(populations)})", share, tubes))
    return tuple(groups)


def _by_flag(flag: str, counts: pd.DataFrame, positions: Sequence[int]) -> FlagGroup:
    rows = counts.iloc[list(positions)]
    tubes = _tubes(rows)
    populations = rows["name"].unique().tolist()
    share = f"{_count(len(tubes), 'tube')}, {_count(len(populations), 'population')}"
    name = flag.replace("_", " ").replace("lloq", "LLOQ").replace("lod", "LOD")
    everywhere = len(rows) == counts["tube_id"].isin(rows["tube_id"]).sum()
    return FlagGroup(name if everywhere else f"{name} ({_list(populations)})", share, tubes)


def _tubes(rows: pd.DataFrame) -> tuple[str, ...]:
    return tuple(words(tube) for tube in rows["tube_id"].unique())


def _name(rows: pd.DataFrame) -> str:
    return words(rows["name"].iloc[0])


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _list(names: Sequence[str], most: int = 6) -> str:
    shown = ", ".join(words(name) for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
