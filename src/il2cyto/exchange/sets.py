"""Which strategy belongs to which file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from il2cyto.errors import StrategyError
from il2cyto.exchange.floreada import is_workspace, read_workspace
from il2cyto.exchange.gatingml import read_document, read_gatingml
from il2cyto.exchange.workspaces import is_workspace as holds_samples
from il2cyto.exchange.workspaces import read_any_workspace
from il2cyto.exchange.xml import parse_xml
from il2cyto.gating.folder import read_strategy
from il2cyto.gating.overrides import read_overrides
from il2cyto.gating.strategy import GatingStrategy
from il2cyto.panel import Panel

__all__ = ["StrategySet", "read_gating", "read_strategies"]


@dataclass(frozen=True)
class StrategySet:
    """One strategy for all files, or one for each with a default.

    Attributes
    ----------
    default
        For files without their own; ``None`` where every file needs its own.
    by_file
        Strategies by file name.
    notices
        What a person should know of the file; they may hold names of samples.
    """

    name: str
    default: GatingStrategy | None
    by_file: Mapping[str, GatingStrategy] = field(default_factory=dict)
    notices: tuple[str, ...] = ()

    def for_file(self, file_name: str) -> GatingStrategy:
        """Return the strategy of a file.

        Raises
        ------
        StrategyError
            If the file has none and there is no default.
        """
        found = self.by_file.get(file_name, self.default)
        if found is None:
            raise StrategyError(
                "{strategy_file}: has no gates for {file!r} and no default group",
                strategy_file=self.name, file=file_name,
            )  # fmt: skip
        return found


def read_strategies(path: str | Path, panel: Panel | None = None, name: str | None = None) -> StrategySet:
    """Read a strategy folder, a Gating-ML 2.0 file, or a workspace of another program with a tree per file.

    Workspaces are those of FlowJo 10, FlowJo 9 for the Mac and Floreada, and experiments of BD FACSDiva.

    Parameters
    ----------
    path
        The folder or the file.
    panel
        Used instead of the panel of a strategy folder.
    name
        Id of strategies from an XML file, which holds none; by default the file's name.

    Raises
    ------
    StrategyError, GatingMLError
        If it cannot be read or does not hold together.
    """
    path = Path(path)
    if path.is_dir():
        strategy = read_strategy(path, panel)
        return StrategySet(path.name, strategy, read_overrides(path, strategy))
    if holds_samples(parse_xml(path)):
        workspace = read_any_workspace(path, name=name)
        trees = {file: sample.strategy for file, sample in workspace.by_file().items()}
        return StrategySet(path.name, workspace.default, trees, workspace.notices)
    document = read_document(path)
    if is_workspace(document):
        by_file, default = read_workspace(document, name or path.stem)
        return StrategySet(path.name, default, by_file)
    return StrategySet(path.name, read_gatingml(path, name))


def read_gating(path: str | Path) -> GatingStrategy:
    """Read one strategy: a folder of `gating/`, a Gating-ML 2.0 file, or a workspace with one tree for all files.

    Raises
    ------
    StrategyError
        If the file holds a tree for each of several files; read those with `il2cyto.exchange.read_strategies`.
    GatingMLError
        If the XML is unsafe, no Gating-ML 2.0, or does not hold together.
    """
    found = read_strategies(path)
    trees = {tree.content_hash: tree for tree in (found.default, *found.by_file.values()) if tree is not None}
    if len(trees) != 1:
        raise StrategyError(
            "{strategy_file}: holds {n} trees, one per file; read them with exchange.read_strategies",
            strategy_file=found.name, n=len(found.by_file),
        )  # fmt: skip
    return next(iter(trees.values()))
