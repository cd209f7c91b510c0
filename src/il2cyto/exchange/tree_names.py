"""Names of populations from other programs, as our trees can hold them."""

from __future__ import annotations

from collections.abc import Collection

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


def free_path(name: str, parent: str, taken: Collection[str]) -> str:
    """Return the path of a population below `parent` (empty for the root), numbered where its name stands twice.

    Examples
    --------
    >>> free_path("P1", "L", {"L/P1"}), free_path("P1", "", set())
    ('L/P1 (2)', 'P1')
    """
    path = f"{parent}/{name}" if parent else name
    number = 2
    while path in taken:
        path = f"{parent}/{name} ({number})" if parent else f"{name} ({number})"
        number += 1
    return path


def from_root(path: str) -> str:
    """Return the reference to a parent that means one place only."""
    return f"{ROOT}/{path}" if path else ROOT
