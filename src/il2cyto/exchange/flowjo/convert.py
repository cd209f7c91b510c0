"""Turn a workspace into the folder of a strategy, with an override for each group of files that differs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from il2cyto.errors import OutputError, StrategyError, did_you_mean
from il2cyto.exchange.flowjo.model import Workspace, WorkspaceSample
from il2cyto.gates import Ratio, UnsupportedGate
from il2cyto.gating.folder import read_strategy
from il2cyto.gating.overrides import read_overrides
from il2cyto.gating.strategy import GatingStrategy, Population
from il2cyto.gating.write import Override, write_strategy
from il2cyto.keys import ROOT
from il2cyto.panel import Panel, PanelEntry
from il2cyto.provenance import write_text


@dataclass(frozen=True)
class Conversion:
    """What was written.

    Attributes
    ----------
    strategy
        The tree of most samples, which is that of every file without an override.
    n_samples
        Samples that were taken over.
    overrides
        Name of each override with its files.
    notices
        What could not be taken over, and what else a person should know.
    """

    strategy: GatingStrategy
    n_samples: int
    overrides: tuple[tuple[str, tuple[str, ...]], ...]
    notices: tuple[str, ...]


def convert_workspace(workspace: Workspace, folder: str | Path, *, group: str | None = None) -> Conversion:
    """Write the trees of a workspace as a strategy folder.

    The tree that most samples have, axes and matrix included, becomes ``strategy.yaml``. Samples with another one share
    an override, which holds only what differs. What was written is read back and compared before anything is said.

    Parameters
    ----------
    workspace
        As read, with the binning that its gates shall have.
    folder
        New folder.
    group
        Take the samples of this group only.

    Raises
    ------
    StrategyError
        If the workspace has no such group, or no sample with a tree.
    OutputError
        If the folder holds a strategy already.
    """
    folder = Path(folder)
    samples = _chosen(workspace, group)
    shapes = Counter(sample.strategy.content_hash for sample in samples)
    common = max(shapes, key=lambda key: shapes[key])  # the first of several
    base = next(sample.strategy for sample in samples if sample.strategy.content_hash == common)
    base = replace(base, id=folder.name)
    overrides: list[Override] = []
    for key in shapes:
        if key != common:
            own = [sample for sample in samples if sample.strategy.content_hash == key]
            overrides.append(_override(f"{len(overrides) + 1:02d}", own, base, workspace))
    write_strategy(folder, base, overrides)
    write_text(folder / "panel.csv", _panel(samples))
    write_text(folder / "README.md", _readme(folder.name, workspace, samples, base, overrides))
    _check(folder, samples, base)
    notes = [*workspace.notices, *dict.fromkeys(note for sample in samples for note in sample.strategy.notes)]
    return Conversion(
        base,
        len(samples),
        tuple((override.name, override.files) for override in overrides),
        (*notes, *_lost(samples)),
    )


def _chosen(workspace: Workspace, group: str | None) -> list[WorkspaceSample]:
    if group is not None and group not in workspace.groups:
        raise StrategyError(
            "{strategy_file}: has no group {group!r}{close}; known: {known}",
            strategy_file=workspace.name, group=group, close=did_you_mean(group, list(workspace.groups)),
            known=", ".join(workspace.groups),
        )  # fmt: skip
    samples = [sample for sample in workspace.samples if group is None or group in sample.groups]
    samples = [sample for sample in samples if sample.strategy.populations]
    if not samples:
        raise StrategyError(
            "{strategy_file}: no sample{hint} has gates",
            strategy_file=workspace.name, hint="" if group is None else f" of group {group!r}",
        )  # fmt: skip
    return samples


def _full(strategy: GatingStrategy) -> dict[str, Population]:
    return {
        path: replace(population, parent=f"{ROOT}/{path}".rpartition("/")[0])
        for path, population in zip(strategy.paths, strategy.populations, strict=True)
    }


def _override(name: str, samples: Sequence[WorkspaceSample], base: GatingStrategy, workspace: Workspace) -> Override:
    own, common = _full(samples[0].strategy), _full(base)
    gone = [path for path in common if path not in own]
    changed = tuple(population for path, population in own.items() if common.get(path) != population)
    strategy = samples[0].strategy
    return Override(
        name=name,
        files=_names(samples, workspace),
        reason=f"gates of their own in {workspace.name}",
        populations=changed,
        remove=tuple(path for path in gone if path.rpartition("/")[0] not in gone),
        transforms={key: value for key, value in strategy.transforms.items() if key not in base.transforms},
        matrices={
            key: matrix
            for key, matrix in strategy.matrices.items()
            if key not in base.matrices or base.matrices[key].content_hash != matrix.content_hash
        },
    )


def _names(samples: Sequence[WorkspaceSample], workspace: Workspace) -> tuple[str, ...]:
    """Names of the files of some samples, without those that samples with other gates share, like ``$FIL`` may be."""
    by_file = workspace.by_file()
    return tuple(
        dict.fromkeys(
            name
            for sample in samples
            for name in (sample.name, *sample.files)
            if name == sample.name or (name in by_file and by_file[name] in samples)
        )
    )


def _check(folder: Path, samples: Iterable[WorkspaceSample], base: GatingStrategy) -> None:
    """Compare what reads back with what was to be written."""
    read = read_strategy(folder)
    overrides = read_overrides(folder, read)
    for sample in samples:
        found, wanted = overrides.get(sample.name, read), sample.strategy
        if _full(found) != _full(wanted) or any(
            found.transforms[key] != transform for key, transform in wanted.transforms.items()
        ):
            raise OutputError(f"{folder}: what was written does not read back as the gates of sample {sample.name!r}")
        for key, matrix in wanted.matrices.items():
            if found.matrices[key].content_hash != matrix.content_hash:
                raise OutputError(f"{folder}: matrix {key!r} does not read back as that of sample {sample.name!r}")


def _panel(samples: Sequence[WorkspaceSample]) -> str:
    """Channels that gates use, with the labels of the first sample that has them."""
    asked: dict[str, str] = {}
    for sample in samples:
        for population in sample.strategy.populations:
            for dimension in (*population.gate.dimensions, *population.view):
                if not isinstance(dimension.source, Ratio) and dimension.source in sample.channels:
                    label = sample.channels[dimension.source]
                    asked[dimension.source] = asked.get(dimension.source) or label
    labels = Counter(asked.values())
    rows = ["marker,channel,fluorochrome,aliases"]
    entries = []
    for channel, label in asked.items():
        marker = label if label and labels[label] == 1 and label not in asked else channel
        entries.append(PanelEntry(marker, channel))
        rows.append(f"{_cell(marker)},{_cell(channel)},,")
    Panel("panel.csv", tuple(entries))  # raises what reading it would raise
    return "\n".join(rows) + "\n"


def _cell(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if any(mark in text for mark in ',"') else text


def _lost(samples: Iterable[WorkspaceSample]) -> list[str]:
    lost: dict[tuple[str, str], int] = {}
    for sample in samples:
        for path, population in zip(sample.strategy.paths, sample.strategy.populations, strict=True):
            if isinstance(population.gate, UnsupportedGate):
                key = path, population.gate.reason
                lost[key] = lost.get(key, 0) + 1
    return [f"{path}: {reason} ({number} samples)" for (path, reason), number in lost.items()]


def _readme(
    name: str,
    workspace: Workspace,
    samples: Sequence[WorkspaceSample],
    base: GatingStrategy,
    overrides: Sequence[Override],
) -> str:
    lines = [
        f"# {name}",
        "",
        f"Converted from a workspace of {workspace.program} {workspace.version} with {len(samples)} samples.",
        "`strategy.yaml` holds the tree that most of them have.",
        *([f"`overrides/` holds what {len(overrides)} groups of files have of their own."] if overrides else []),
        "",
        "```",
    ]
    for path in sorted(base.paths, key=lambda path: path.split("/")):
        lines.append(f"{'  ' * path.count('/')}{path.rpartition('/')[2]}")
    return "\n".join([*lines, "```", ""])
