"""Arrays as the columns of a data set: how they are stored, and the keywords that say so."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from il2cyto.errors import FcsError

_DATATYPES = {"f4": "F", "f8": "D", "u1": "I", "u2": "I", "u4": "I", "u8": "I"}
_FLOAT_RANGE = 262144.0


@dataclass(frozen=True)
class Events:
    """Events that can be written a block at a time.

    Attributes
    ----------
    stride
        Bytes of one event.
    keywords
        What describes the layout, and what else the source says.
    block
        Gives the stored bytes of the chosen rows (a slice or increasing indices) as a C-contiguous array.
    """

    n_events: int
    stride: int
    keywords: dict[str, str]
    block: Callable[[slice | NDArray[np.int64]], NDArray[np.generic]]


def from_arrays(
    source: ArrayLike | Sequence[NDArray[np.generic]],
    name: str,
    *,
    version: str,
    channels: Sequence[str],
    markers: Sequence[str | None] | None = None,
    spillover: tuple[Sequence[str], ArrayLike] | None = None,
    timestep: float | None = None,
    ranges: Sequence[float] | None = None,
) -> Events:
    """Describe a table ``(n, p)`` or `p` columns of their own types; see `il2cyto.fcs.write_fcs` for the parameters.

    Raises
    ------
    FcsError
        If types, shapes or names cannot make a valid file.
    """
    table, columns = _table_or_columns(source, name)
    _check_names(channels, len(columns), name)
    if markers is not None and len(markers) != len(columns):
        raise FcsError("{file}: {n} markers for {p} channels", file=name, n=len(markers), p=len(columns))
    if ranges is not None and len(ranges) != len(columns):
        raise FcsError("{file}: {n} ranges for {p} channels", file=name, n=len(ranges), p=len(columns))
    stored = [_stored(column.dtype, name) for column in columns]
    types = [_DATATYPES[dtype.str[1:]] for dtype in stored]
    n_events = len(columns[0])
    keywords = layout_keywords([8 * dtype.itemsize for dtype in stored], types, "1,2,3,4", n_events, version, name)
    for i, column in enumerate(columns):
        prefix = f"$P{i + 1}"
        keywords[f"{prefix}N"] = channels[i]
        label = markers[i] if markers is not None else None
        if label:
            keywords[f"{prefix}S"] = label
        keywords[f"{prefix}E"] = "0,0"
        keywords[f"{prefix}R"] = _range(column, types[i], None if ranges is None else ranges[i], channels[i], name)
    if timestep is not None:
        if not (math.isfinite(timestep) and timestep > 0):
            raise FcsError("{file}: a time step of {step} s cannot be; wanted more than 0", file=name, step=timestep)
        keywords["$TIMESTEP"] = repr(float(timestep))
    if spillover is not None:
        keywords["$SPILLOVER"] = spillover_keyword(*spillover, channels, name)
    fields: list[tuple[str, str]] = [(f"c{i}", dtype.str) for i, dtype in enumerate(stored)]
    row = np.dtype(fields)
    if table is not None:
        kind = stored[0]
        return Events(n_events, row.itemsize, keywords, lambda rows: np.ascontiguousarray(table[rows], dtype=kind))

    def block(rows: slice | NDArray[np.int64]) -> NDArray[np.generic]:
        parts = [column[rows] for column in columns]
        out = np.empty(len(parts[0]), dtype=row)
        for i, part in enumerate(parts):
            out[f"c{i}"] = part
        return out

    return Events(n_events, row.itemsize, keywords, block)


def layout_keywords(
    bits: Sequence[int], types: Sequence[str], byte_order: str, n_events: int, version: str, name: str
) -> dict[str, str]:
    """Return ``$BYTEORD``, ``$DATATYPE``, ``$MODE``, ``$PAR``, ``$TOT``, ``$PnB`` and ``$PnDATATYPE``.

    Raises
    ------
    FcsError
        If types are mixed and the version has no word for it.
    """
    default = types[0]
    if len(set(types)) > 1 and version != "3.2":
        raise FcsError(
            "{file}: channels of types {types} in one file need FCS 3.2; write it with version='3.2'",
            file=name, types=" and ".join(sorted(set(types))),
        )  # fmt: skip
    # deprecated in 3.2, yet allowed there, and many readers fail without it
    keywords = {"$BYTEORD": byte_order, "$DATATYPE": default, "$MODE": "L", "$PAR": str(len(bits))}
    keywords["$TOT"] = str(n_events)
    for number, (width, datatype) in enumerate(zip(bits, types, strict=True), start=1):
        keywords[f"$P{number}B"] = str(width)
        if datatype != default:
            keywords[f"$P{number}DATATYPE"] = datatype
    return keywords


def spillover_keyword(detectors: Sequence[str], matrix: ArrayLike, channels: Sequence[str], name: str) -> str:
    """Return the text of ``$SPILLOVER``: the number of detectors, their names, and the rows of the matrix.

    Raises
    ------
    FcsError
        If a detector is no channel, or the matrix is not square over them.
    """
    values = np.asarray(matrix, dtype=np.float64)
    if values.shape != (len(detectors), len(detectors)) or not set(detectors) <= set(channels):
        raise FcsError("{file}: spillover names must be channels, with a square matrix of their number", file=name)
    return ",".join([str(len(detectors)), *detectors, *(repr(float(cell)) for cell in values.ravel())])


def number_text(value: float) -> str:
    """Return the shortest text that reads as exactly this number, without ``.0`` on whole ones."""
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def _table_or_columns(source: object, name: str) -> tuple[NDArray[np.generic] | None, list[NDArray[np.generic]]]:
    if isinstance(source, (list, tuple)) and all(isinstance(c, np.ndarray) and c.ndim == 1 for c in source):
        table, columns = None, list(source)
    else:
        try:
            table = np.asarray(source)
        except ValueError:
            table = np.empty(0)
        if table.ndim != 2:
            raise FcsError(
                "{file}: cannot write a {kind} of shape {shape}; wanted a Sample, an array (n_events, n_channels) or a "
                "list of one 1-D array per channel",
                file=name, kind=type(source).__name__, shape=table.shape,
            )  # fmt: skip
        columns = [table[:, i] for i in range(table.shape[1])]
    if not columns:
        raise FcsError("{file}: no channels; FCS wants at least one", file=name)
    if len({len(column) for column in columns}) > 1:
        lengths = ", ".join(str(len(column)) for column in columns)
        raise FcsError("{file}: columns of {lengths} events; wanted the same number", file=name, lengths=lengths)
    return table, columns


def _stored(dtype: np.dtype[np.generic], name: str) -> np.dtype[np.generic]:
    if dtype.str[1:] in _DATATYPES:
        return dtype.newbyteorder("<")
    if dtype.kind in "ib":
        remedy = "FCS integers are unsigned: use .astype('uint32') if none is negative, else .astype('float64')"
    else:
        remedy = "use .astype('float32') or .astype('float64')"
    raise FcsError("{file}: events of type {dtype} cannot be stored; {remedy}", file=name, dtype=dtype, remedy=remedy)


def _check_names(channels: Sequence[str], n: int, name: str) -> None:
    if len(channels) != n:
        raise FcsError("{file}: {n} columns of events for {p} channels", file=name, n=n, p=len(channels))
    if len(set(channels)) != len(channels) or any(not c or c != c.strip() or "," in c for c in channels):
        raise FcsError(
            "{file}: channel names must be unique, not empty, without commas and without outer spaces", file=name
        )


def _range(column: NDArray[np.generic], datatype: str, given: float | None, channel: str, name: str) -> str:
    if given is None:
        return number_text(_FLOAT_RANGE) if datatype != "I" else str(256**column.dtype.itemsize)
    if not math.isfinite(given) or given <= (datatype == "I"):
        raise FcsError("{file}: range {given} of {found} cannot be", file=name, given=given, found=channel)
    if datatype == "I" and len(column):
        # a reader masks integers to the bits that the range needs (FCS 3.1, $PnR): what is above would be lost
        bits = (math.ceil(given) - 1).bit_length()
        largest = int(column.max())
        if largest >> bits:
            raise FcsError(
                "{file}: {found} holds {largest}, its range {given} allows {top}; give a larger range",
                file=name, found=channel, largest=largest, given=number_text(given), top=(1 << bits) - 1,
            )  # fmt: skip
    return number_text(given)
