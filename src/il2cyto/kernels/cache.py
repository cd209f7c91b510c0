"""Keep numba's cache honest.

Numba stores a compiled kernel under the time stamp of its own file. A kernel that calls one of another file would go on
with the old code after that other file has changed, for example after an update of a checkout.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

MARK = "kernels.sha256"


def forget_stale(folder: Path) -> bool:
    """Remove compiled kernels of a folder unless they were made from the sources that stand there now.

    Parameters
    ----------
    folder
        Holds the sources; compiled kernels stand in its ``__pycache__``.

    Returns
    -------
    Whether something was removed. A folder that cannot be written keeps no compiled kernels and is left alone.
    """
    digest = hashlib.sha256()
    for source in sorted(folder.glob("*.py")):
        content = source.read_bytes()
        digest.update(f"{source.name} {len(content)}\n".encode())
        digest.update(content)
    wanted = digest.hexdigest()
    cache = folder / "__pycache__"
    mark = cache / MARK
    try:
        if mark.is_file() and mark.read_text(encoding="ascii") == wanted:
            return False
        stale = [*cache.glob("*.nbi"), *cache.glob("*.nbc")]
        for compiled in stale:
            compiled.unlink(missing_ok=True)
        cache.mkdir(exist_ok=True)
        mark.write_text(wanted, encoding="ascii")
    except OSError:
        return False
    return bool(stale)
