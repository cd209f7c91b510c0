"""A workspace as frozen objects: of FlowJo, or an experiment of FACSDiva, which has the same parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from il2cyto.errors import StrategyError, did_you_mean
from il2cyto.gating.strategy import GatingStrategy


@dataclass(frozen=True)
class WorkspaceSample:
    """One sample with its own tree.

    Attributes
    ----------
    name
        Name that the program shows.
    files
        Names that the FCS file may have: the sample's, that of the file which the program loaded, and ``$FIL``.
    uri
        Where the program found the file, as written.
    groups
        Groups that the sample belongs to.
    n_events
        Events that the program counted in the file, or ``None``.
    channels
        ``$PnS`` by ``$PnN``, as the workspace's keywords have them.
    strategy
        Tree, axes and matrix of this sample.
    counts
        The program's own count by path of the population; ``None`` where it never counted.
    """

    name: str
    files: tuple[str, ...]
    uri: str
    groups: tuple[str, ...]
    n_events: int | None
    channels: Mapping[str, str]
    strategy: GatingStrategy
    counts: Mapping[str, int | None]


@dataclass(frozen=True)
class Workspace:
    """Samples and groups of one workspace.

    Attributes
    ----------
    name
        Name of the file.
    version
        Version of the program that wrote it.
    samples
        In the order of the file.
    groups
        Names of the samples of each group.
    notices
        What a person should know and what stops nothing. They may hold names of samples.
    program
        Name of the program that wrote it.
    default
        Tree of every file, where the workspace holds gates and no samples; a template.
    """

    name: str
    version: str
    samples: tuple[WorkspaceSample, ...]
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    notices: tuple[str, ...] = ()
    program: str = "FlowJo"
    default: GatingStrategy | None = None

    def by_file(self) -> dict[str, WorkspaceSample]:
        """Return the sample of each file name; names that two samples with different gates share are left out."""
        found: dict[str, WorkspaceSample] = {}
        doubtful: set[str] = set()
        # the sample's own name comes first, so that another sample's $FIL cannot take it
        named = [(sample.name, sample, True) for sample in self.samples]
        named += [(name, sample, False) for sample in self.samples for name in sample.files]
        own = {sample.name for sample in self.samples}
        for name, sample, is_own in named:
            if name in own and not is_own:
                continue
            other = found.setdefault(name, sample)
            if other.strategy.content_hash != sample.strategy.content_hash:
                doubtful.add(name)
        return {name: sample for name, sample in found.items() if name not in doubtful}

    def for_file(self, file_name: str) -> WorkspaceSample:
        """Return the sample of an FCS file by its name.

        Raises
        ------
        StrategyError
            If the workspace has no such sample, or several with different gates.
        """
        by_file = self.by_file()
        if file_name in by_file:
            return by_file[file_name]
        several = [sample for sample in self.samples if file_name in (sample.name, *sample.files)]
        if several:
            raise StrategyError(
                "{strategy_file}: {n} samples with different gates are called {file!r}; rename the file and the sample",
                strategy_file=self.name, n=len(several), file=file_name,
            )  # fmt: skip
        raise StrategyError(
            "{strategy_file}: has no sample {file!r}{hint}",
            strategy_file=self.name, file=file_name, hint=did_you_mean(file_name, list(by_file)),
        )  # fmt: skip
