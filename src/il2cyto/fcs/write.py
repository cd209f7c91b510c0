"""Write one data set as FCS 3.1 or 3.2."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from il2cyto.errors import FcsError, OutputError
from il2cyto.fcs.columns import Events, from_arrays, spillover_keyword
from il2cyto.fcs.copied import chooser, from_sample
from il2cyto.fcs.head import NO_CRC, OFFSET_KEYWORDS, render_head
from il2cyto.fcs.read import read_fcs
from il2cyto.fcs.spillover import SPILLOVER_KEYWORDS
from il2cyto.kernels import decode
from il2cyto.provenance import atomic_path
from il2cyto.sample import Sample

_VERSIONS = ("3.1", "3.2")
_OWN = re.compile(r"\$(BYTEORD|DATATYPE|MODE|PAR|TOT|SPILLOVER|TIMESTEP|P[0-9]+(B|E|N|R|G|DATATYPE))")
_BLOCK = 1 << 22


def write_fcs(
    source: Sample | ArrayLike | Sequence[NDArray[np.generic]],
    path: str | Path,
    *,
    version: str = "3.1",
    channels: Sequence[str] | None = None,
    markers: Sequence[str | None] | None = None,
    keywords: Mapping[str, str | None] | None = None,
    keep: Collection[str] | Callable[[str], bool] | None = None,
    spillover: tuple[Sequence[str], ArrayLike] | None = None,
    timestep: float | None = None,
    ranges: Sequence[float] | None = None,
    events: ArrayLike | None = None,
) -> None:
    """Write one data set, atomically; what is read back is bit-identical to what was given.

    Parameters
    ----------
    source
        A `Sample`: its stored bytes are written as they are, a block at a time, with its keywords. Or a table
        ``(n_events, n_channels)`` of float32, float64 or unsigned integers: linear intensities, and ticks of `timestep`
        on the time channel. Or a list of one such 1-D array per channel; floats beside integers need version 3.2.
    path
        Where the file shall stand; replaced if it exists. It cannot be the file that the sample is read from.
    version
        ``3.1`` or ``3.2``.
    channels
        ``$PnN``, for arrays: unique, without commas.
    markers
        ``$PnS`` or ``None`` per channel, for arrays.
    keywords
        Further keywords, or other values; ``None`` leaves one out. Those that describe the layout are refused.
    keep
        Keywords of a sample to take, or a predicate over them; all by default. ``$PnS`` stands for every ``n``. What
        decides the numbers is always there: layout, ``$PnN``, ``$PnE``, ``$PnG``, ``$PnR``, ``$TIMESTEP``.
    spillover
        Names (``$PnN``) and square matrix, rows = fluorochromes. That of a sample is kept unless one is given.
    timestep
        ``$TIMESTEP`` in seconds per tick, for arrays.
    ranges
        ``$PnR``, for arrays; where not given 262144 for floats and ``2 ** bits`` for integers.
    events
        Which events to write: bool ``(n_events,)`` or increasing indices; all by default.

    Raises
    ------
    FcsError
        If names, types, shapes or keywords cannot make a valid file, or one that reads the same.
    OutputError
        If the file would replace the one that the sample is read from.

    Notes
    -----
    Deviations that were read over in a sample are resolved in the copy, whose keywords say what was assumed;
    ``IL2CYTO_REPLACED`` holds, as JSON, what stood there before. Standard keywords that the version does not know lose
    their ``$``. ANALYSIS and OTHER segments are not copied. FCS 3.2 demands ``$CYT``.

    Examples
    --------
    >>> import tempfile
    >>> from il2cyto.fcs import read_fcs
    >>> folder = Path(tempfile.mkdtemp())
    >>> write_fcs(np.array([[1, 700], [2, 800]], dtype="u2"), folder / "a.fcs", channels=["FSC-A", "CD4"])
    >>> sample = read_fcs(folder / "a.fcs")
    >>> write_fcs(sample, folder / "b.fcs", events=sample.events[:, 1] > 750, keywords={"$CYT": "none"}, version="3.2")
    >>> copy = read_fcs(folder / "b.fcs")
    >>> copy.events, copy.version
    (array([[  2., 800.]]), 'FCS3.2')
    """
    path = Path(path)
    name = path.name
    if version not in _VERSIONS:
        raise FcsError(
            "{file}: version {version!r} cannot be written; wanted '3.1' or '3.2'", file=name, version=version
        )
    if isinstance(source, Sample):
        given = {"channels": channels, "markers": markers, "timestep": timestep, "ranges": ranges}
        _refuse(given, "a sample has its own", name)
        _refuse_origin(source, path)
        described = from_sample(source, name, version=version, keep=chooser(keep))
        if spillover is not None:
            for key in SPILLOVER_KEYWORDS:
                described.keywords.pop(key, None)
            described.keywords["$SPILLOVER"] = spillover_keyword(*spillover, source.names, name)
        if events is not None:
            described.keywords["$ORIGINALITY"] = "DataModified"
    else:
        _refuse({"keep": keep}, "it chooses among the keywords of a sample", name)
        if channels is None:
            raise FcsError("{file}: arrays need channels=, the names of their columns", file=name)
        described = from_arrays(
            source, name, version=version, channels=channels, markers=markers, spillover=spillover, timestep=timestep,
            ranges=ranges,
        )  # fmt: skip
    chosen = _chosen(events, described.n_events, name)
    n_events = described.n_events if chosen is None else chosen.size
    text = _merged(described.keywords | {"$TOT": str(n_events)}, keywords or {}, name)
    if version == "3.2" and not text.get("$CYT", "").strip():
        raise FcsError("{file}: FCS 3.2 demands the cytometer; give keywords={{'$CYT': ...}}", file=name)
    head = render_head(text, n_events * described.stride, version=f"FCS{version}", name=name)
    with atomic_path(path) as temporary:
        with temporary.open("wb") as stream:
            stream.write(head)
            for block in _blocks(described, chosen):
                stream.write(block.data)
            stream.write(NO_CRC)
        copy = read_fcs(temporary)
        _verify_words(text, copy, name)
        if isinstance(source, Sample):
            _verify_layout(source, copy, n_events, name)


def _refuse(given: Mapping[str, object], reason: str, name: str) -> None:
    for word, value in given.items():
        if value is not None:
            raise FcsError("{file}: {word}= cannot be given here: {reason}", file=name, word=word, reason=reason)


def _refuse_origin(sample: Sample, path: Path) -> None:
    if sample.path is not None and path.exists() and sample.path.exists() and path.samefile(sample.path):
        raise OutputError("{file}: is the file that the sample is read from; choose another name", file=path.name)


def _chosen(events: ArrayLike | None, n: int, name: str) -> NDArray[np.int64] | None:
    if events is None:
        return None
    array = np.asarray(events)
    if array.dtype == np.bool_ and array.shape == (n,):
        return np.flatnonzero(array)
    if array.ndim == 1 and (array.dtype.kind in "iu" or not array.size) and array.dtype != np.bool_:
        indices = array.astype(np.int64)
        if not indices.size or (indices[0] >= 0 and indices[-1] < n and (np.diff(indices) > 0).all()):
            return indices
    raise FcsError(
        "{file}: events= wants {n} booleans or increasing numbers of events from 0 to {last}",
        file=name, n=n, last=n - 1,
    )  # fmt: skip


def _merged(described: dict[str, str], further: Mapping[str, str | None], name: str) -> dict[str, str]:
    merged = dict(described)
    added: set[str] = set()
    for key, value in further.items():
        upper = key.upper()
        if upper in OFFSET_KEYWORDS or _OWN.fullmatch(upper):
            raise FcsError("{file}: keyword {found} is set by the writer", file=name, found=key)
        if upper in added:
            raise FcsError("{file}: keyword {found} is given twice, capitals do not count", file=name, found=key)
        added.add(upper)
        merged.pop(upper, None)
        if value is not None:
            merged[upper if key.startswith("$") else key] = value
    return merged


def _blocks(described: Events, chosen: NDArray[np.int64] | None) -> Iterator[NDArray[np.generic]]:
    step = max(_BLOCK // described.stride, 1)
    n = described.n_events if chosen is None else chosen.size
    for first in range(0, n, step):
        last = min(first + step, n)
        yield described.block(slice(first, last) if chosen is None else chosen[first:last])


def _verify_words(text: Mapping[str, str], copy: Sample, name: str) -> None:
    """Refuse words that are Unicode, but that a reader takes for an older encoding, such as unassigned characters."""
    for key, value in text.items():
        if copy.keywords.get(key.upper()) != value:
            raise FcsError(
                "{file}: the value of {found} would be read otherwise; replace its unusual characters or leave it out",
                file=name, found=key,
            )  # fmt: skip


def _verify_layout(sample: Sample, copy: Sample, n_events: int, name: str) -> None:
    """Refuse a copy whose bytes would not mean the same numbers."""
    old, new = sample.layout, copy.layout
    integer = old.kind == decode.INTEGER
    same = (
        copy.n_events == n_events
        and all(
            np.array_equal(getattr(old, word), getattr(new, word))
            for word in ("position", "width", "kind", "scale", "argument", "offset")
        )
        and np.array_equal(old.mask[integer], new.mask[integer])
        and np.array_equal(old.byte_order[old.width > 1], new.byte_order[old.width > 1])
    )
    if not same:
        raise FcsError(
            "{file}: the sample's storage cannot be written so that it reads the same; write sample.events instead",
            file=name,
        )
