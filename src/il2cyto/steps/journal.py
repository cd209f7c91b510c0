"""``il2cyto.log`` in the results folder: what a run did and when, for whoever has to find out why.

It holds ids of the sheet, hashes, counts, times, process numbers and the messages that results carry: no name of a
file, no text out of one, no user and no host. It can be handed on like the results; what needs names stands in
``paths.csv``.
"""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOG = "il2cyto.log"
logger = logging.getLogger("il2cyto")


class _Quiet(logging.FileHandler):
    """A full disk costs the line, not the run."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name of logging
        return None


@contextmanager
def journal(out: Path) -> Iterator[logging.Logger]:
    """Append what is logged to the log of a results folder while the block runs."""
    handler = _Quiet(out / LOG, encoding="utf-8", delay=True)
    formatter = logging.Formatter(
        "%(asctime)s.%(msecs)03dZ %(process)d %(levelname)-7s %(message)s", "%Y-%m-%dT%H:%M:%S"
    )
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    level, propagate = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield logger
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagate
        handler.close()


def where_raised(error: BaseException) -> str:
    """Return the places of this package that an error came through, without its message and without folders.

    Examples
    --------
    >>> try:
    ...     raise ValueError("Lee, Ann")
    ... except ValueError as error:
    ...     where_raised(error)
    'outside il2cyto'
    """
    frames = []
    for frame in traceback.extract_tb(error.__traceback__):
        parts = Path(frame.filename).parts
        if "il2cyto" in parts:
            inside = parts[len(parts) - 1 - parts[::-1].index("il2cyto") :]
            frames.append(f"{'/'.join(inside)}:{frame.lineno} {frame.name}")
    return " < ".join(reversed(frames)) or "outside il2cyto"
