"""Channel ↔ marker ↔ fluorochrome of a tube."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from il2cyto.errors import PanelError, did_you_mean
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


@dataclass(frozen=True)
class Panel:
    """Markers of a tube and where to find them.

    Parameters
    ----------
    id
        Name of the panel, for messages.
    entries
        One entry per marker. ``channel`` is a ``$PnN``, empty (find the marker by its ``$PnS``), or ``absent``.

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
                raise PanelError(f"panel {self.id}: an entry for channel {entry.channel!r} has no marker name")
            for name in (entry.marker, *entry.aliases):
                if name in seen:
                    raise PanelError(f"panel {self.id}: {name!r} stands for both {seen[name]!r} and {entry.marker!r}")
                seen[name] = entry.marker
        channels: dict[str, str] = {}
        for entry in self.entries:
            if entry.channel in ("", ABSENT):
                continue
            if entry.channel in channels:
                other = channels[entry.channel]
                raise PanelError(f"panel {self.id}: channel {entry.channel!r} carries {other!r} and {entry.marker!r}")
            channels[entry.channel] = entry.marker

    @cached_property
    def markers(self) -> dict[str, PanelEntry]:
        """Entries by marker and by every alias."""
        return {name: entry for entry in self.entries for name in (entry.marker, *entry.aliases)}

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
            raise PanelError(f"panel {self.id} has no marker {marker!r}{did_you_mean(marker, list(self.markers))}")
        entry = self.markers[marker]
        if entry.channel == ABSENT:
            return None
        if entry.channel:
            wanted = "$PnN"
            matches = [i for i, name in enumerate(names) if name == entry.channel]
        else:
            wanted = "$PnS"
            matches = [i for i, label in enumerate(labels) if label in (entry.marker, *entry.aliases)]
        if len(matches) > 1:
            found = " and ".join(f"parameter {i + 1} ({names[i]!r})" for i in matches)
            raise PanelError(f"panel {self.id}: marker {entry.marker!r} matches {found} by {wanted}; name one channel")
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
            raise PanelError(f"{path.name}: cannot be read as a UTF-8 panel file: {error}") from error
        reader = csv.DictReader(text.splitlines())
        header = tuple(reader.fieldnames or ())
        for name in header:
            if name not in _COLUMNS:
                raise PanelError(f"{path.name}, line 1: unknown column {name!r}{did_you_mean(name, _COLUMNS)}")
        for name in ("marker", "channel"):
            if name not in header:
                raise PanelError(f"{path.name}, line 1: column {name!r} is missing; wanted {', '.join(_COLUMNS)}")
        entries = []
        for row in reader:
            cells = {key: (value or "").strip() for key, value in row.items() if key is not None}
            if None in row or not cells["marker"]:
                raise PanelError(f"{path.name}, line {reader.line_num}: wanted {len(header)} cells with a marker first")
            aliases = tuple(alias.strip() for alias in cells.get("aliases", "").split(";") if alias.strip())
            entries.append(PanelEntry(cells["marker"], cells["channel"], cells.get("fluorochrome", ""), aliases))
        try:
            return cls(id=path.name, entries=tuple(entries))
        except PanelError as error:
            raise PanelError(f"{path.name}: {error}") from error
