"""One FCS data set as a frozen object that knows nothing of gates, plots or files to write."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from il2cyto.compensation import SpilloverMatrix
from il2cyto.errors import FcsError, PanelError, did_you_mean
from il2cyto.kernels import decode
from il2cyto.panel import Panel


@dataclass(frozen=True)
class Repair:
    """One deviation from the standard, and how it was read.

    Parameters
    ----------
    keyword
        Keyword or segment that deviates.
    found
        What stood there.
    assumed
        What was assumed instead.
    affects_numbers
        Whether the assumption can change event values.
    """

    keyword: str
    found: str
    assumed: str
    affects_numbers: bool


@dataclass(frozen=True)
class Channel:
    """One parameter of a data set.

    Parameters
    ----------
    index
        Position in the data, from 0.
    pnn
        ``$PnN``, the identity of the channel.
    pns
        ``$PnS``, the label that was typed at the instrument; may be empty.
    bits
        Stored width in bits (``$PnB``); characters for ``A``, where 0 means numbers separated by blanks or commas.
    datatype
        ``I``, ``F``, ``D`` or ``A``.
    range
        ``$PnR``, NaN where the file gives none.
    amplification
        ``(f1, f2)`` of ``$PnE``; ``(0, 0)`` for linear storage.
    gain
        ``$PnG``; 1 where absent. Never applied to time or to logarithmic storage.
    voltage
        ``$PnV`` as written, or empty.
    is_time
        Whether this is the time channel, in ticks of ``$TIMESTEP``.
    """

    index: int
    pnn: str
    pns: str
    bits: int
    datatype: str
    range: float
    amplification: tuple[float, float]
    gain: float
    voltage: str
    is_time: bool


@dataclass(frozen=True)
class RowLayout:
    """How one event is stored: arrays of shape ``(n_channels,)``, as the kernels take them.

    ``scale`` and ``argument`` say how a stored number becomes a linear value: ``AS_IS``; ``MULTIPLY`` by the argument
    (time step, s); ``DIVIDE`` by it (gain); ``LOG``: ``f2 * 10 ** (argument * x)`` with `offset` = f2.
    """

    stride: int
    position: NDArray[np.int64]
    width: NDArray[np.int64]
    kind: NDArray[np.int64]
    mask: NDArray[np.uint64]
    scale: NDArray[np.int64]
    argument: NDArray[np.float64]
    offset: NDArray[np.float64]
    byte_order: NDArray[np.int64]


@dataclass(frozen=True)
class Sample:
    """One FCS data set.

    Attributes
    ----------
    id
        Name of the sample, by default the file's.
    data
        Stored bytes of the DATA segment, uint8, shape ``(n_events * layout.stride,)``; memory-mapped where it comes
        from a file.
    channels
        One `Channel` per parameter, in stored order.
    keywords
        Keywords in capitals with their values as read.
    spillover
        Matrix of the file (``$SPILLOVER``, ``SPILL``), or ``None``.
    panel
        Markers of the channels, or ``None``.
    repairs
        Every deviation from the standard that was read over.
    data_offset
        First byte of `data` in the file at `path`, ``None`` where `data` is not a part of that file as it stands.
    dataset
        Number of the data set in its file, from 0.
    encoding
        Encoding of the keywords' values.
    compensated
        Whether the names of channels (``Comp-…``) say that the file holds compensated values.
    """

    id: str
    data: NDArray[np.uint8] = field(repr=False, compare=False)
    layout: RowLayout = field(repr=False, compare=False)
    channels: tuple[Channel, ...] = field(repr=False)
    n_events: int
    keywords: Mapping[str, str] = field(repr=False, default_factory=lambda: MappingProxyType({}))
    spillover: SpilloverMatrix | None = field(repr=False, default=None, compare=False)
    panel: Panel | None = field(repr=False, default=None)
    repairs: tuple[Repair, ...] = ()
    version: str = "FCS3.1"
    path: Path | None = field(repr=False, default=None)
    data_offset: int | None = field(repr=False, default=None, compare=False)
    dataset: int = 0
    encoding: str = field(repr=False, default="ascii")
    compensated: bool = False

    @property
    def n_channels(self) -> int:
        """Number of parameters."""
        return len(self.channels)

    @property
    def names(self) -> tuple[str, ...]:
        """``$PnN`` of every channel, in stored order."""
        return tuple(channel.pnn for channel in self.channels)

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the file, or of the stored bytes where there is no file."""
        if self.path is not None:
            from il2cyto.provenance import hash_file

            return hash_file(self.path)
        return hashlib.sha256(np.ascontiguousarray(self.data).tobytes()).hexdigest()

    @cached_property
    def events(self) -> NDArray[np.float64]:
        """Linear-scale values, float64 ``(n_events, n_channels)``: ``$PnE``, ``$PnG`` and ``$TIMESTEP`` applied."""
        return self.linear(range(self.n_channels))

    @cached_property
    def raw(self) -> NDArray[np.float64]:
        """Stored values (after the bit mask of integers) as float64 ``(n_events, n_channels)``."""
        return self._decode(range(self.n_channels), linear=False)

    @cached_property
    def masked_values(self) -> NDArray[np.int64]:
        """How many stored values of each channel, int64 ``(n_channels,)``, lose bits to the mask of ``$PnR``.

        The standard asks for the mask, and many instruments keep marks of their own in the bits above the range; where
        only a few values have such bits, they were brighter than the range and are dimmed by it.
        """
        layout = self.layout
        counts = np.zeros(self.n_channels, dtype=np.int64)
        full = [(1 << 8 * int(width)) - 1 for width in layout.width]
        narrow = [
            i for i in range(self.n_channels) if layout.kind[i] == decode.INTEGER and int(layout.mask[i]) < full[i]
        ]
        chosen = np.array(narrow, dtype=np.int64)
        found = np.zeros(len(narrow), dtype=np.int64)
        decode.masked_bits(
            decode.read_only(self.data), layout.stride, self.n_events, layout.position, layout.width, layout.mask,
            layout.byte_order, chosen, found,
        )  # fmt: skip
        counts[chosen] = found
        return counts

    def native(self) -> NDArray[Any]:
        """Return stored values in their own type and this machine's byte order, in one pass over the file.

        Returns
        -------
        ``(n_events, n_channels)`` of float32, float64 or unsigned integers (bit mask applied), not scaled.

        Raises
        ------
        FcsError
            If channels are stored in different types or in whole bytes that no type has; `raw` reads those.
        """
        layout = self.layout
        kinds = set(zip(layout.kind.tolist(), layout.width.tolist(), strict=True))
        kind, width = next(iter(kinds))
        if len(kinds) != 1 or width not in (1, 2, 4, 8):
            raise FcsError("{file}: channels are stored in different types; take raw", file=self.id)
        letter = "u" if kind == decode.INTEGER else "f"
        other = "<" if sys.byteorder == "big" else ">"
        if width >= 4 and (">" if layout.byte_order[0] else "<") == other:
            words = np.empty(self.n_events * self.n_channels, dtype=f"=u{width}")
            decode.swapped(self.data.view(f"=u{width}"), words)
            values = words.view(f"=f{width}") if letter == "f" else words
        else:
            order = ">" if layout.byte_order[0] else "<"
            values = self.data.view(f"{order}{letter}{width}").astype(f"={letter}{width}")
        table = values.reshape(self.n_events, self.n_channels)
        if kind == decode.INTEGER and any(int(mask) < (1 << 8 * width) - 1 for mask in layout.mask):
            table &= layout.mask.astype(table.dtype)
        return table

    def linear(self, channels: range | list[int]) -> NDArray[np.float64]:
        """Return linear-scale values of some channels, float64 ``(n_events, len(channels))``."""
        return self._decode(channels, linear=True)

    def _decode(self, channels: range | list[int], *, linear: bool) -> NDArray[np.float64]:
        layout = self.layout
        chosen = np.asarray(list(channels), dtype=np.int64)
        out = np.empty((self.n_events, chosen.size), dtype=np.float64)
        scale = layout.scale if linear else np.zeros_like(layout.scale)
        decode.rows(
            decode.read_only(self.data), layout.stride, layout.position, layout.width, layout.kind, layout.mask,
            layout.byte_order, scale, layout.argument, layout.offset, chosen, out,
        )  # fmt: skip
        return out

    def index(self, name: str) -> int:
        """Return the position of a marker of the panel or of a ``$PnN``.

        Raises
        ------
        PanelError
            If the name matches no channel, or more than one.
        """
        if self.panel is not None and name in self.panel.markers:
            found = self.panel.locate(name, self.names, [channel.pns for channel in self.channels])
            if found is None:
                raise PanelError("{file}: marker {name!r} is absent from this file", file=self.id, name=name)
            return found
        matches = [channel.index for channel in self.channels if channel.pnn == name]
        if not matches:
            raise PanelError(
                "{file}: no channel is called {name!r}{hint}; it has {found}",
                file=self.id, name=name, hint=did_you_mean(name, list(self.names)), found=", ".join(self.names),
            )  # fmt: skip
        if len(matches) > 1:
            raise PanelError(
                "{file}: {n} channels are called {name!r} (parameters {numbers}); rename them in the file or the panel",
                file=self.id, n=len(matches), name=name, numbers=", ".join(str(match + 1) for match in matches),
            )  # fmt: skip
        return matches[0]
