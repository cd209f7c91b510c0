"""Names of populations from other programs, as our trees can hold them."""

from __future__ import annotations

from il2cyto.keys import ROOT


def plain_name(name: str) -> str:
    """Return a name without what paths and references are made of.

    Examples
    --------
    >>> plain_name("CD4/CD8"), plain_name("root"), plain_name("not B"), plain_name(" ")
    ('CD4_CD8', 'root_', 'not B_', 'unnamed')
    """
    plain = name.replace("/", "_").strip() or "unnamed"
    return f"{plain}_" if plain == ROOT or plain.startswith("not ") else plain


def free_path(name: str, parent: str, taken: dict[str, int]) -> str:
    """Return the path of a population below `parent` (empty for the root), numbered where its name stands twice.

    Parameters
    ----------
    name, parent
        Name of the population and path of its parent.
    taken
        Paths that are given away, with the last number that each got; this one is added.

    Examples
    --------
    >>> taken = {}
    >>> [free_path("P1", "L", taken) for _ in range(3)], free_path("P1", "", taken)
    (['L/P1', 'L/P1 (2)', 'L/P1 (3)'], 'P1')
    """
    first = f"{parent}/{name}" if parent else name
    path, number = first, taken.get(first, 1)
    while path in taken:
        number += 1
        path = f"{first} ({number})"
    taken[first] = number
    taken.setdefault(path, 1)
    return path


def from_root(path: str) -> str:
    """Return the reference to a parent that means one place only."""
    return f"{ROOT}/{path}" if path else ROOT
