"""The study that ``il2cyto new`` writes: every option present and explained."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from il2cyto.errors import OutputError
from il2cyto.provenance import write_bytes

FILES = ("study.yaml", "samples.csv", "dosing.csv", "serum.csv", "controls.csv")


def new_study(folder: str | Path) -> tuple[Path, ...]:
    """Write ``study.yaml`` and example sheets to a folder, which is made when it does not exist.

    Returns
    -------
    tuple of Path
        The files that were written.

    Raises
    ------
    OutputError
        If one of the files exists (nothing is written then), or the folder cannot be written to.
    """
    targets = tuple(Path(folder) / name for name in FILES)
    existing = [target.name for target in targets if target.exists() or target.is_symlink()]
    if existing:
        raise OutputError(f"{folder} already holds {', '.join(existing)}; choose an empty folder")
    source = files("il2cyto.study") / "templates"
    try:
        for target in targets:
            write_bytes(target, (source / target.name).read_bytes())
    except OSError as error:
        raise OutputError(f"{folder} cannot be written to: {error.strerror}; choose another folder") from error
    return targets
