"""A named, versioned, immutable tree of populations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from il2cyto.compensation import SpilloverMatrix
from il2cyto.errors import StrategyError, did_you_mean
from il2cyto.gates import BooleanGate, Dimension, Gate, Ratio
from il2cyto.gates.dimension import FROM_FILE, UNCOMPENSATED
from il2cyto.gating.consistency import faults
from il2cyto.gating.content import strategy_content
from il2cyto.gating.learning import Learning
from il2cyto.keys import ROOT
from il2cyto.panel import Panel
from il2cyto.provenance import hash_content
from il2cyto.transforms import Transform

if TYPE_CHECKING:
    from il2cyto.gating.plan import CompiledGate
    from il2cyto.gating.result import GatingResult
    from il2cyto.sample import Sample


@dataclass(frozen=True)
class Population:
    """One node of the tree.

    Parameters
    ----------
    name
        Name; unique among the children of its parent.
    parent
        Name or path of the parent, or ``root``; a path from ``root/`` means one place only.
    gate
        What the events of the parent are asked.
    complement
        Take the events of the parent that are *not* inside the gate.
    definition
        Identifier of the definition, for tables: surface Th17 and intracellular Th17 are two definitions.
    role
        ``time_qc``, ``beads`` or empty.
    view
        Dimensions of the picture; those of the gate where empty.
    """

    name: str
    parent: str
    gate: Gate
    complement: bool = False
    definition: str = ""
    role: str = ""
    view: tuple[Dimension, ...] = ()


@dataclass(frozen=True)
class GatingStrategy:
    """Populations with the matrices and transforms that their gates refer to.

    Parameters
    ----------
    id, version, description
        Names of the strategy.
    populations
        Nodes in any order; parents may come later.
    transforms
        Transforms by id.
    matrices
        Spillover matrices by id; ``FCS`` (the file's own) and ``uncompensated`` are always there.
    panel
        Markers of the tubes, unless a sample brings its own.
    without_matrix
        What gates that want the file's matrix do with a file that has none: refuse it, or (as Gating-ML reads) take the
        values uncompensated, with a note in the result.
    axes
        Transform in which each marker or channel is shown, by name; pictures only, counts do not depend on it.
    notes
        What a person should know of the file that the strategy came from; every result carries them.
    custom_info
        XML blocks of other programs in a Gating-ML file, kept for writing it again: by path of the population, by
        ``transformation id`` or ``spectrumMatrix id``, and by an empty key for the file itself.
    learning
        What of it is learnt from data, and how; the gates of `populations` are then those of the template.
    optional
        Markers that the panel of a tube need not list: populations on them, and all below, are then *not estimable*
        instead of an error. They decide no membership, so they are no part of the hash.

    Raises
    ------
    StrategyError
        If a name stands twice under one parent, a reference leads nowhere, or parents run in a circle.
    """

    id: str
    populations: tuple[Population, ...]
    transforms: Mapping[str, Transform] = field(default_factory=dict)
    matrices: Mapping[str, SpilloverMatrix] = field(default_factory=dict)
    panel: Panel | None = None
    version: str = "1"
    description: str = ""
    without_matrix: Literal["refuse", "uncompensated"] = "refuse"
    axes: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    custom_info: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)
    learning: Learning = field(default=Learning(), repr=False)
    optional: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.paths  # noqa: B018  # resolves every parent
        for population in self.populations:
            for dimension in (*population.gate.dimensions, *population.view):
                if dimension.transform is not None and dimension.transform not in self.transforms:
                    hint = did_you_mean(dimension.transform, list(self.transforms))
                    raise self._wrong(
                        "population {name!r}: transform {transform!r} is not defined{close}",
                        name=population.name, transform=dimension.transform, close=hint,
                    )  # fmt: skip
                reference = dimension.compensation
                if reference not in (FROM_FILE, UNCOMPENSATED) and reference not in self.matrices:
                    known = [FROM_FILE, UNCOMPENSATED, *self.matrices]
                    raise self._wrong(
                        "population {name!r}: compensation {reference!r} is no matrix{close}; known: {known}",
                        name=population.name, reference=reference, close=did_you_mean(reference, known),
                        known=", ".join(known),
                    )  # fmt: skip
        self.order  # noqa: B018  # finds circles
        for fault in faults(self, self.learning):
            raise self._wrong(fault.message, **fault.values)

    def lacks(self, marker: str, panel: Panel | None) -> bool:
        """Whether a panel is known to lack a marker: declared absent there, or optional here and not listed."""
        if panel is None:
            return False
        return panel.is_declared_absent(marker) if marker in panel.markers else marker in self.optional

    def _wrong(self, message: str, **values: object) -> StrategyError:
        return StrategyError("strategy {id!r}: " + message, id=self.id, **values)

    @cached_property
    def paths(self) -> tuple[str, ...]:
        """Path of each population, ``a/b/c`` from below the root, in the order of `populations`."""
        for population in self.populations:
            if not population.name or population.name == ROOT or "/" in population.name:
                raise self._wrong("{name!r} cannot name a population", name=population.name)
        by_name: dict[str, list[int]] = {}
        for i, population in enumerate(self.populations):
            by_name.setdefault(population.name, []).append(i)
        parents: list[int] = [self._parent(i, by_name) for i in range(len(self.populations))]
        paths: list[str | None] = [None] * len(parents)

        def resolve(i: int) -> str:
            chain: list[int] = []
            node = i
            while node >= 0 and paths[node] is None:
                if node in chain:
                    names = " → ".join(self.populations[k].name for k in [*chain[chain.index(node) :], node])
                    raise self._wrong("parents run in a circle: {names}", names=names)
                chain.append(node)
                node = parents[node]
            for k in reversed(chain):
                prefix = paths[parents[k]] if parents[k] >= 0 else None
                paths[k] = self.populations[k].name if prefix is None else f"{prefix}/{self.populations[k].name}"
            return str(paths[i])

        resolved = tuple(resolve(i) for i in range(len(parents)))
        twice = sorted(path for path, times in Counter(resolved).items() if times > 1)
        if twice:
            raise self._wrong("population {path!r} is defined twice; rename one", path=twice[0])
        return resolved

    def _parent(self, i: int, by_name: dict[str, list[int]]) -> int:
        population = self.populations[i]
        if population.parent in ("", ROOT):
            return -1
        if population.parent in self._absolute:
            return self._absolute[population.parent]
        wanted = [part for part in population.parent.split("/") if part not in ("", ROOT)]
        found = {k: self._written(k, by_name) for k in by_name.get(wanted[-1], [])}
        matches = [k for k, above in found.items() if above[: len(wanted)] == wanted[::-1]]
        # of a/b and x/a/b, the path a/b means the first
        from_root = [k for k in matches if found[k] == [*wanted[::-1], ROOT]]
        matches = from_root if len(from_root) == 1 else matches
        names = {"name": population.name, "parent": population.parent}
        if not matches:
            close = did_you_mean(wanted[-1], list(by_name))
            raise self._wrong("population {name!r}: parent {parent!r} does not exist{close}", **names, close=close)
        if len(matches) > 1:
            message = "population {name!r}: parent {parent!r} stands {times} times; give its path"
            raise self._wrong(message, **names, times=len(matches))
        return matches[0]

    @cached_property
    def _absolute(self) -> dict[str, int]:
        """Populations whose own parent is written from ``root``, by the path ``root/a/b``."""
        found: dict[str, int] = {}
        for i, population in enumerate(self.populations):
            parent = population.parent or ROOT
            if parent == ROOT or parent.startswith(f"{ROOT}/"):
                found.setdefault(f"{parent}/{population.name}", i)
        return found

    def _written(self, k: int, by_name: dict[str, list[int]]) -> list[str]:
        """Names from a population upwards, as far as what is written tells; ends in ``root`` if it tells all."""
        names = [self.populations[k].name]
        node: int | None = k
        while node is not None and len(names) <= 2 * len(self.populations):
            parts = [part for part in self.populations[node].parent.split("/") if part not in ("", ROOT)]
            names += parts[::-1] or [ROOT]
            above = by_name.get(parts[0], []) if parts else []
            node = above[0] if len(above) == 1 else None
        return names

    def resolve(self, name: str) -> int:
        """Return the position of a population given by path, or by a name or path end that is unique.

        Raises
        ------
        StrategyError
            If there is no such population, or several.
        """
        if name in self._places:
            return self._places[name]
        matches = [i for i, path in enumerate(self.paths) if path.endswith("/" + name)]
        if not matches:
            names = [population.name for population in self.populations]
            raise StrategyError(
                "strategy {id!r} has no population {name!r}{close}",
                id=self.id, name=name, close=did_you_mean(name, names),
            )  # fmt: skip
        if len(matches) > 1:
            shown = ", ".join(self.paths[i] for i in matches)
            raise self._wrong("{name!r} could be {shown}; give the path", name=name, shown=shown)
        return matches[0]

    @cached_property
    def parents(self) -> tuple[int, ...]:
        """Position of each population's parent, -1 for the root."""
        return tuple(self._places[path.rpartition("/")[0]] if "/" in path else -1 for path in self.paths)

    @cached_property
    def _places(self) -> dict[str, int]:
        """Position of each population, by path."""
        return {path: i for i, path in enumerate(self.paths)}

    @cached_property
    def order(self) -> tuple[int, ...]:
        """Positions so that parents and operands come before those that need them."""
        needs = []
        for i, population in enumerate(self.populations):
            above = [self.parents[i]] if self.parents[i] >= 0 else []
            if isinstance(population.gate, BooleanGate):
                above += [self.resolve(operand.population) for operand in population.gate.operands]
            needs.append(set(above))
        # populations that need nothing, then those that need only these, and so on
        missing = [len(need) for need in needs]
        wanted_by: list[list[int]] = [[] for _ in needs]
        for i, need in enumerate(needs):
            for k in need:
                wanted_by[k].append(i)
        done: list[int] = []
        ready = [i for i, number in enumerate(missing) if number == 0]
        while ready:
            done += ready
            following = []
            for i in ready:
                for k in wanted_by[i]:
                    missing[k] -= 1
                    if missing[k] == 0:
                        following.append(k)
            ready = sorted(following)
        if len(done) < len(needs):
            names = ", ".join(self.paths[i] for i, number in enumerate(missing) if number)
            raise self._wrong("populations refer to each other in a circle: {names}", names=names)
        return tuple(done)

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 of everything that decides membership and names: same content, same hash."""
        return hash_content(strategy_content(self))

    @cached_property
    def compiled(self) -> tuple[CompiledGate, ...]:
        """Gates as the engine takes them, in the order of `populations`."""
        from il2cyto.gating.plan import compile_gates

        return compile_gates(self)

    def markers(self) -> tuple[str, ...]:
        """Names of every channel or marker that a gate or picture asks for, sorted."""
        names: set[str] = set()
        for population in self.populations:
            for dimension in (*population.gate.dimensions, *population.view):
                source = dimension.source
                names |= {source.numerator, source.denominator} if isinstance(source, Ratio) else {source}
        return tuple(sorted(names))

    def apply(
        self,
        sample: Sample,
        panel: Panel | None = None,
        *,
        threads: int = 1,
        kept: tuple[tuple[int, int], ...] | None = None,
    ) -> GatingResult:
        """Gate the events of a sample.

        Parameters
        ----------
        sample
            The data set.
        panel
            Markers of this tube; the sample's or the strategy's where not given.
        threads
            Threads that share the events of this one tube; they change the time and nothing else.
        kept
            Ranges ``(first, stop)`` of the events to gate, in order, at multiples of 8; all of them by default. The
            others stay in the file and are in no population, nor in the root.

        Raises
        ------
        ParameterError
            If `kept` is not such ranges.
        StrategyError, PanelError, CompensationError
            If a name fits neither the panel nor the file, or a matrix does not fit the file. A marker that the panel
            knows but the file lacks makes its populations *not estimable* instead.
        """
        from il2cyto.gating.apply import apply_strategy
        from il2cyto.gating.spelling import respell

        return apply_strategy(respell(self, sample, panel or sample.panel or self.panel), sample, panel, threads, kept)
