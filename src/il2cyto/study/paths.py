"""Files that a study names: relative, below their root, and there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from il2cyto.errors import StrategyError
from il2cyto.study.fields import FieldReader
from il2cyto.study.model import StrategyRef
from il2cyto.study.packaged import packaged_strategy
from il2cyto.study.positions import Node

DATA_REMEDY = "give a path relative to the data root, and set the data root with `data_root:` or --data-root"
BELOW_STUDY = "give a path relative to the study folder"
STUDY_REMEDY = f"{BELOW_STUDY}, or write data:PATH for one below the data root"


@dataclass(frozen=True)
class Roots:
    """The two folders that a study reads from, resolved."""

    study: Path
    data: Path


def below(root: Path, text: str, remedy: str) -> Path:
    """Resolve a relative path and refuse one that leaves its root, by ``..`` or by a symbolic link.

    Raises
    ------
    ValueError
        With the message for the person.

    Examples
    --------
    >>> below(Path("/data"), "../secret", "stay below the root")
    Traceback (most recent call last):
    ...
    ValueError: the path leaves its folder; stay below the root
    """
    if PurePosixPath(text).is_absolute() or re.match(r"[A-Za-z]:[\\/]", text) or text.startswith("\\"):
        raise ValueError(f"absolute paths are not read; {remedy}")
    if "\\" in text:
        raise ValueError("write the path with / between folders, not \\")
    try:
        path = (root / text).resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise ValueError(f"this is no usable path ({error}); {remedy}") from error
    if not path.is_relative_to(root):
        raise ValueError(f"the path leaves its folder; {remedy}")
    return path


def is_file(path: Path) -> bool:
    """Whether a regular file is there and can be looked at; never raises."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def study_file(
    reader: FieldReader, node: Node, where: str, text: str, folder: Path, absent: str
) -> tuple[str, Path] | None:
    """Return name and path of a file below the study folder, or ``None`` after a problem was reported.

    Parameters
    ----------
    reader
        Receives the problem.
    node, where, text
        Where the path stands, and as what.
    folder
        The study folder, resolved.
    absent
        Message where no file is there.
    """
    try:
        path = below(folder, text, BELOW_STUDY)
    except ValueError as error:
        reader.problem(node, where, str(error))
        return None
    if not is_file(path):
        reader.problem(node, where, absent)
        return None
    return str(PurePosixPath(text)), path


def strategy_reference(text: str, roots: Roots) -> StrategyRef:
    """Resolve ``il2cyto:NAME``, ``data:PATH`` or a path below the study folder to an existing strategy.

    Raises
    ------
    ValueError
        With the message for the person.
    """
    if text.startswith("il2cyto:"):
        try:
            return StrategyRef("packaged", packaged_strategy(text.removeprefix("il2cyto:")), text)
        except StrategyError as error:
            raise ValueError(str(error)) from error
    path = _referenced(text, roots)
    if not (is_file(path / "strategy.yaml") or (path.suffix.lower() in (".xml", ".wsp") and is_file(path))):
        raise ValueError(
            "no strategy is there; name a folder that holds strategy.yaml, a Gating-ML .xml file, or a FlowJo .wsp "
            "workspace"
        )
    return StrategyRef("data" if text.startswith("data:") else "study", path, text)


def panel_file(text: str, roots: Roots) -> Path:
    """Resolve ``data:PATH`` or a path below the study folder to an existing panel file.

    Raises
    ------
    ValueError
        With the message for the person.
    """
    path = _referenced(text, roots)
    if not is_file(path):
        raise ValueError("no panel file is there; name a .csv with the columns marker, channel, fluorochrome, aliases")
    return path


def _referenced(text: str, roots: Roots) -> Path:
    if text.startswith("data:"):
        return below(roots.data, text.removeprefix("data:"), DATA_REMEDY)
    return below(roots.study, text, STUDY_REMEDY)
