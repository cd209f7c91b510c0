"""The spillover matrix that a file carries, by the names of its own channels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

import numpy as np

from il2cyto.compensation import COMPENSATED_PREFIXES, SpilloverMatrix
from il2cyto.errors import CompensationError
from il2cyto.fcs.text import cut
from il2cyto.sample import Channel, Repair

#: Keywords that hold a spillover matrix, in the order of trust. ``$COMP`` and ``$DFCiTOj`` are percentages to subtract,
#: another convention: never read here.
SPILLOVER_KEYWORDS = ("$SPILLOVER", "SPILL", "$SPILL", "SPILLOVER")
#: Far more detectors than any instrument has; checking a matrix takes the cube of that.
_LARGEST = 500
_NO_MATRIX = "no matrix: gates that need it are refused"


def already_compensated(channels: tuple[Channel, ...]) -> bool:
    """Whether a channel's name says that compensation has been applied before the file was written."""
    return any(channel.pnn.startswith(COMPENSATED_PREFIXES) for channel in channels)


def read_spillover(
    keywords: Mapping[str, str], channels: tuple[Channel, ...], repairs: list[Repair]
) -> SpilloverMatrix | None:
    """Return the matrix of the first keyword that holds one, its detectors spelled as ``$PnN``."""
    for key in SPILLOVER_KEYWORDS:
        if not keywords.get(key, "").strip():
            continue
        if keywords[key].count(",") > _LARGEST * (_LARGEST + 1):
            repairs.append(Repair(key, f"more than {_LARGEST} × {_LARGEST} numbers", _NO_MATRIX, True))
            return None
        try:
            matrix = SpilloverMatrix.from_keyword(keywords[key])
        except CompensationError as error:
            repairs.append(Repair(key, cut(str(error)), _NO_MATRIX, True))
            return None
        _doubt(matrix, key, repairs)
        return _renamed(matrix, key, channels, repairs)
    return None


def _doubt(matrix: SpilloverMatrix, key: str, repairs: list[Repair]) -> None:
    """Say that numbers are no fractions of a signal, as where percentages were written."""
    own = np.diag(matrix.values)
    leaks = matrix.values - np.diag(own)
    if own.min() < 0.5 or own.max() > 2 or np.abs(leaks).max() > 2:
        found = f"{own.min():g} to {own.max():g} on the diagonal, {leaks.min():g} to {leaks.max():g} beside it"
        repairs.append(Repair(key, found, "the matrix as it is, though these are no usual fractions", True))


def _renamed(
    matrix: SpilloverMatrix, key: str, channels: tuple[Channel, ...], repairs: list[Repair]
) -> SpilloverMatrix | None:
    names = [channel.pnn for channel in channels]
    if set(matrix.detectors) <= set(names):
        doubled = [name for name in matrix.detectors if names.count(name) > 1]
        if doubled:
            repairs.append(Repair(key, f"{cut(doubled[0])!r}, the name of two channels", _NO_MATRIX, True))
            return None
        return matrix
    unknown = next(name for name in matrix.detectors if name not in names)
    for spelling, read in _spellings(channels):
        detectors = tuple(read(name) for name in matrix.detectors)
        found = [name for name in detectors if name is not None]
        if len(found) == len(detectors) and len(set(found)) == len(found):
            repairs.append(Repair(key, f"{spelling}, as {cut(unknown)!r}", ", ".join(found), True))
            return SpilloverMatrix(matrix.id, tuple(found), matrix.values)
    repairs.append(Repair(key, f"unknown channel {cut(unknown)!r}", _NO_MATRIX, True))
    return None


def _spellings(channels: tuple[Channel, ...]) -> list[tuple[str, Callable[[str], str | None]]]:
    """Spellings of channel names that real files use, each tried on all names at once."""
    names = [channel.pnn for channel in channels]

    def once(spell: Callable[[Channel], str]) -> dict[str, str]:
        spelled = [spell(channel) for channel in channels]
        count = Counter(spelled)
        return {word: name for word, name in zip(spelled, names, strict=True) if count[word] == 1 and word}

    labels = once(lambda channel: channel.pns)
    under = once(lambda channel: channel.pnn.replace("/", "_"))
    bare = once(lambda channel: _bare(channel.pnn))
    single = {name for name, count in Counter(names).items() if count == 1}

    def by_number(word: str) -> str | None:
        number = int(word) if word.isascii() and word.isdecimal() and len(word) < 7 else 0
        found = names[number - 1] if 1 <= number <= len(names) else None
        return found if found in single else None

    return [
        ("names in angle brackets or with a prefix", lambda word: bare.get(_bare(word))),
        ("names with _ for /, or the reverse", lambda word: under.get(word.replace("/", "_"))),
        ("labels ($PnS) as names", lambda word: labels.get(word)),
        ("parameter numbers as names", lambda word: by_number(word)),
    ]


def _bare(name: str) -> str:
    for prefix in COMPENSATED_PREFIXES:
        name = name.removeprefix(prefix)
    return name[1:-1] if name.startswith("<") and name.endswith(">") else name
