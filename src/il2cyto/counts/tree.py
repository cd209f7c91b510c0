"""Names of populations among the paths of a tree."""

from __future__ import annotations

from collections.abc import Sequence

from il2cyto.errors import TableError


def matches(path: str, name: str) -> bool:
    """Whether `name` is the path, or the end of it: ``CD4`` and ``T/CD4`` match ``live/T/CD4``, ``D4`` does not."""
    return path == name or path.endswith(f"/{name}")


def find_population(paths: Sequence[str], name: str) -> int | None:
    """Position of the one path that `name` matches, or None.

    Raises
    ------
    TableError
        If several paths match.

    Examples
    --------
    >>> find_population(["live", "live/T", "live/T/CD4"], "CD4")
    2
    """
    if name in paths:
        return list(paths).index(name)
    found = [position for position, path in enumerate(paths) if matches(path, name)]
    if len(found) > 1:
        which = ", ".join(paths[position] for position in found)
        raise TableError(f"population {name!r} is ambiguous, it matches {which}: give its path")
    return found[0] if found else None


def is_below(path: str, ancestor: str) -> bool:
    """Whether `path` lies strictly below `ancestor`.

    Examples
    --------
    >>> is_below("live/T/CD4", "live/T"), is_below("live/T", "live/T"), is_below("live/Tx", "live/T")
    (True, False, False)
    """
    return path.startswith(f"{ancestor}/")


def nearest_ancestor(path: str, names: Sequence[str]) -> str:
    """Path of the ancestor for a percentage: the first of `names` that any ancestor matches, and of these the nearest.

    Returns an empty string where no ancestor matches.

    Examples
    --------
    >>> nearest_ancestor("live/T/CD4/Treg", ["B", "T", "live"])
    'live/T'
    """
    parts = path.split("/")
    ancestors = ["/".join(parts[:depth]) for depth in range(len(parts) - 1, 0, -1)]
    return next((ancestor for name in names for ancestor in ancestors if matches(ancestor, name)), "")
