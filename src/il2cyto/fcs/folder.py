"""FCS files in folders."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

SUFFIXES = frozenset({".fcs", ".lmd"})


def fcs_files(paths: Iterable[Path]) -> Iterator[Path]:
    """Yield files as given, and from folders every ``.fcs`` and ``.lmd`` below them, in order of name.

    A symbolic link to a folder is not followed, so that no link leads in a circle.
    """
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        for folder, inner, names in os.walk(path):
            inner.sort()
            yield from (Path(folder) / name for name in sorted(names) if Path(name).suffix.lower() in SUFFIXES)
