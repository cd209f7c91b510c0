"""Markers of a tube and where to find them."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from il2cyto.errors import PanelError, did_you_mean
from il2cyto.panel.spelling import marker_of, spellings_of
from il2cyto.provenance import hash_content

#: In the column `channel`: the panel has no such marker, and knows it.
ABSENT = "absent"

_COLUMNS = ("marker", "channel", "fluorochrome", "aliases")


@dataclass(frozen=True)
class PanelEntry:
    """One marker: its one spelling, the ``$PnN`` that carries it, its fluorochrome, and other spellings of it."""

    marker: str
    channel: str
    fluorochrome: str = ""
    aliases: tuple[str, ...] = ()


def _meaning(entry: PanelEntry) -> str | None:
    """Return the marker of the table of spellings that an entry means; ``None`` for none or several."""
    found = {marker_of(name) for name in (entry.marker, *entry.aliases)} - {None}
    return found.pop() if len(found) == 1 else None


@dataclass(frozen=True)
class Panel:
    """Markers of a tube and where to find them.

    Parameters
    ----------
    id
        Name of the panel, for messages.
    entries
        One entry per marker. ``channel`` is a ``$PnN``, empty (find the marker by its ``$PnS``: one that is written as
        here, else one that `marker_of` says means the same), or ``absent``.

    Raises
    ------
    PanelError
        If a marker, an alias or a channel stands twice.
    """

    id: str
    entries: tuple[PanelEntry, ...]

    def __post_init__(self) -> None:
        seen: dict[str, str] = {}
        for entry in self.entries:
            if not entry.marker:
                raise self._wrong("an entry for channel {channel!r} has no marker name", channel=entry.channel)
            for name in (entry.marker, *entry.aliases):
                if name in seen:
                    raise self._wrong(
                        "{name!r} stands for both {first!r} and {other!r}",
                        name=name, first=seen[name], other=entry.marker,
                    )  # fmt: skip
                seen[name] = entry.marker
        channels: dict[str, str] = {}
        for entry in self.entries:
            if entry.channel in ("", ABSENT):
                continue
            if entry.channel in channels:
                raise self._wrong(
                    "channel {channel!r} carries {first!r} and {other!r}",
                    channel=entry.channel, first=channels[entry.channel], other=entry.marker,
                )  # fmt: skip
            channels[entry.channel] = entry.marker

    def _wrong(self, message: str, **values: object) -> PanelError:
        return PanelError("panel{hint_id}: " + message, hint_id=f" {self.id}", **values)

    @cached_property
    def markers(self) -> dict[str, PanelEntry]:
        """Entries by marker, by every alias, and by the spellings that laboratories use for them (`marker_of`).

        What the panel writes itself goes first; a spelling that would mean two entries means neither.
        """
        found = {name: entry for entry in self.entries for name in (entry.marker, *entry.aliases)}
        meant: dict[str, list[PanelEntry]] = {}
        for entry in self.entries:
            marker = _meaning(entry)
            if marker is not None:
                meant.setdefault(marker, []).append(entry)
        further = {
            name: entries[0]
            for marker, entries in meant.items()
            if len(entries) == 1
            for name in spellings_of(marker)
            if name not in found
        }
        return found | further

    def is_declared_absent(self, marker: str) -> bool:
        """Whether the panel itself says that it lacks the marker."""
        return self.markers[marker].channel == ABSENT

    def locate(self, marker: str, names: Sequence[str], labels: Sequence[str]) -> int | None:
        """Return the position of a marker in a file, or ``None`` if the file lacks it.

        Parameters
        ----------
        marker
            A marker or alias of this panel.
        names, labels
            ``$PnN`` and ``$PnS`` of the file's channels.

        Raises
        ------
        PanelError
            If the panel does not know the marker, or two channels match it.
        """
        if marker not in self.markers:
            raise PanelError(
                "panel{hint_id} has no marker {marker!r}{did_you_mean}",
                hint_id=f" {self.id}", marker=marker, did_you_mean=did_you_mean(marker, list(self.markers)),
            )  # fmt: skip
        entry = self.markers[marker]
        if entry.channel == ABSENT:
            return None
        if entry.channel:
            wanted = "$PnN"
            matches = [i for i, name in enumerate(names) if name == entry.channel]
        else:
            wanted = "$PnS"
            matches = [i for i, label in enumerate(labels) if label in (entry.marker, *entry.aliases)]
            meaning = _meaning(entry)
            if not matches and meaning is not None and self.markers.get(meaning) is entry:
                # a channel without a label may carry the marker in its name
                shown = [label or name for name, label in zip(names, labels, strict=True)]
                matches = [i for i, label in enumerate(shown) if marker_of(label) == meaning]
        if len(matches) > 1:
            listed = " and ".join(f"parameter {i + 1}{{hint_{i}}}" for i in matches)
            raise self._wrong(
                f"marker {{marker!r}} matches {listed} by {wanted}; name one channel",
                marker=entry.marker,
                **{f"hint_{i}": f" ({names[i]!r})" for i in matches},
            )
        return matches[0] if matches else None

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 of the content; the order of rows does not enter."""
        rows = sorted([e.marker, e.channel, e.fluorochrome, *sorted(e.aliases)] for e in self.entries)
        return hash_content(rows)

    @classmethod
    def from_csv(cls, path: str | Path) -> Panel:
        """Read ``marker,channel,fluorochrome,aliases``; aliases are split at ``;``.

        Raises
        ------
        PanelError
            If the file cannot be read, a column is missing or unknown, or the content contradicts itself.
        """
        path = Path(path)
        try:
            text = path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise PanelError(
                "{panel_file}: cannot be read as a UTF-8 panel file{hint}", panel_file=path.name, hint=f": {error}"
            ) from error
        reader = csv.DictReader(text.splitlines())
        header = tuple(reader.fieldnames or ())
        for name in header:
            if name not in _COLUMNS:
                raise PanelError(
                    "{panel_file}, line 1: unknown column {found!r}{did_you_mean}",
                    panel_file=path.name, found=name, did_you_mean=did_you_mean(name, _COLUMNS),
                )  # fmt: skip
        for name in ("marker", "channel"):
            if name not in header:
                raise PanelError(
                    "{panel_file}, line 1: column {name!r} is missing; wanted {wanted}",
                    panel_file=path.name, name=name, wanted=", ".join(_COLUMNS),
                )  # fmt: skip
        entries = []
        for row in reader:
            cells = {key: (value or "").strip() for key, value in row.items() if key is not None}
            if None in row or not cells["marker"]:
                raise PanelError(
                    "{panel_file}, line {line}: wanted {n} cells with a marker first",
                    panel_file=path.name, line=reader.line_num, n=len(header),
                )  # fmt: skip
            aliases = tuple(alias.strip() for alias in cells.get("aliases", "").split(";") if alias.strip())
            entries.append(PanelEntry(cells["marker"], cells["channel"], cells.get("fluorochrome", ""), aliases))
        try:
            return cls(id=path.name, entries=tuple(entries))
        except PanelError as error:
            raise PanelError("{panel_file}: {error}", panel_file=path.name, error=error) from error
