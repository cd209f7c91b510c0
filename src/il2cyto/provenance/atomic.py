"""Files that are either whole or absent."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: How the names of files that are being written begin; a killed process leaves them behind.
TEMPORARY = ".il2cyto-part-"
#: Why a file cannot be written whatever stands in it: no space, no quota, too large, read-only, a failing disk.
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO)


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it replaces `path` in one step, on failure it is removed.

    The file is flushed to disk before it is renamed, so a crash leaves the old file or the new one, never a part.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> with atomic_path(folder / "a.txt") as temporary:
    ...     _ = temporary.write_text("whole")
    >>> (folder / "a.txt").read_text()
    'whole'
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    # the suffix is kept because writers such as h5py and openpyxl choose the format by it
    handle, name = tempfile.mkstemp(prefix=TEMPORARY, suffix=target.suffix, dir=target.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        # mkstemp makes files that only their owner may read; results follow the umask like any other file
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_text(path: str | Path, text: str) -> None:
    """Write UTF-8 text with ``\\n`` line ends, atomically."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write bytes, atomically."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def sweep(folder: Path) -> int:
    """Remove what killed processes left half-written in a folder; return how many files that were.

    Only names that `atomic_path` gives are touched, and folders below are left alone. The caller knows that nobody is
    writing there: see `il2cyto.provenance.lock`.
    """
    found = 0
    if folder.is_dir() and not folder.is_symlink():
        for path in folder.iterdir():
            if path.name.startswith(TEMPORARY) and (path.is_symlink() or path.is_file()):
                path.unlink(missing_ok=True)
                found += 1
    return found


def no_room(error: BaseException) -> str:
    """Return why nothing can be written where `error` arose (``no space left on the device``), or an empty string.

    Writers in C, such as that of HDF5, wrap the error of the system in their own: causes and messages are looked at.
    """
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.errno in _NO_ROOM:
            return os.strerror(seen.errno).lower()
        for number in _NO_ROOM:
            if f"errno = {number}" in str(seen) or f"Errno {number}]" in str(seen):
                return os.strerror(number).lower()
        seen = seen.__cause__ or seen.__context__
    return ""
