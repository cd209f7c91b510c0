"""What tests of resuming share: hashes of results, and a command of its own process."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path

#: What time, user and host may stand in, and the working state, which is no result.
EXEMPT = ("il2cyto.log", "audit.jsonl")


def digest(folder: Path) -> dict[str, str]:
    """Hash of every result below a folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in EXEMPT and ".il2cyto" not in path.parts
    }


def _listen() -> None:
    """Take the signals that a shell ignores for what it starts in the background: everything below it would too."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def start(*arguments: object, **environment: str) -> subprocess.Popen[str]:
    """Start ``il2cyto`` in a session of its own, so that it can be killed with all its workers."""
    return subprocess.Popen(
        [sys.executable, "-m", "il2cyto", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=_listen,
        env={**os.environ, **environment},
    )
