"""Gates of single tubes, subjects or batches in the place of those of their template.

`il2cyto.study.overrides` reads who moved what and why; here the gates are read and put into the strategy. A gate moves
and nothing else: the tree, definitions and roles stay those of the template. A gate that a person drew is not learnt.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path

from il2cyto.errors import StrategyError
from il2cyto.gates import Dimension, Ratio
from il2cyto.gating.folder import StrategyReader
from il2cyto.gating.learning import Learning
from il2cyto.gating.remap import remap
from il2cyto.gating.strategy import GatingStrategy, Population
from il2cyto.keys import ROOT
from il2cyto.study.findings import Findings
from il2cyto.study.model import GateOverride
from il2cyto.study.overrides import override_file
from il2cyto.study.positions import Mapping, Node, Scalar, read_tree

#: What became of a gate of an override in one tube.
APPLIED, NARROWER, OWN_FILE = "applied", "a narrower override holds", "the strategy has own gates for this file"


@dataclass(frozen=True)
class MovedGate:
    """A gate that an override moves in one tube, and whether it holds there."""

    population: str
    override: GateOverride
    status: str


def amend(
    strategy: GatingStrategy, overrides: Sequence[GateOverride], template: GatingStrategy | None = None
) -> tuple[GatingStrategy, tuple[MovedGate, ...]]:
    """Return the strategy with the gates of overrides in the place of its own, and what was moved.

    Precedence, from strong to weak: tube, then gates that the strategy itself has for this file, then subject, batch,
    template.

    Parameters
    ----------
    strategy
        The strategy of a tube's file.
    overrides
        Those that touch the tube, from wide to narrow.
    template
        The strategy of files without gates of their own, where `strategy` may differ from it.

    Raises
    ------
    StrategyError
        If an override does not fit the strategy, or two of one level move the same gate.
    """
    populations = list(strategy.populations)
    own = _own_gates(strategy, template)
    moved: dict[str, list[MovedGate]] = {}
    for override in overrides:
        for place, population, line in _OverrideReader(override, strategy).read():
            path = strategy.paths[place]
            last = moved.setdefault(path, [])
            if last and last[-1].override.level == override.level:
                message = "{strategy_file}, line {line}: {other_file} moves {path} too, for a {level} as well; keep one"
                raise StrategyError(
                    message,
                    strategy_file=override_file(override.name), line=line,
                    other_file=override_file(last[-1].override.name), path=path, level=override.level,
                )  # fmt: skip
            if path in own and override.level != "tube":
                last.append(MovedGate(path, override, OWN_FILE))
                continue
            last[:] = [one if one.status == OWN_FILE else replace(one, status=NARROWER) for one in last]
            last.append(MovedGate(path, override, APPLIED))
            populations[place] = population
    # a person's gate is not learnt, even where it is the same as before
    held = [one.population for several in moved.values() for one in several if one.status == APPLIED]
    learning = _without(strategy, {strategy.paths.index(path) for path in held})
    if populations == list(strategy.populations) and learning == strategy.learning:
        amended = strategy
    else:
        amended = replace(strategy, populations=tuple(populations), learning=learning)
    return amended, tuple(one for path in strategy.paths for one in moved.get(path, ()))


def _without(strategy: GatingStrategy, moved: Set[int]) -> Learning:
    return remap(strategy.learning, {i: i for i in range(len(strategy.populations)) if i not in moved})


def _own_gates(strategy: GatingStrategy, template: GatingStrategy | None) -> frozenset[str]:
    """Paths whose gate differs from that of the template."""
    if template is None or template is strategy:
        return frozenset()
    common = {path: replace(one, parent="") for path, one in zip(template.paths, template.populations, strict=True)}
    here = zip(strategy.paths, strategy.populations, strict=True)
    return frozenset(path for path, one in here if common.get(path) != replace(one, parent=""))


class _OverrideReader(StrategyReader):
    """Reads the gates of an override; what a dimension does not say is as the template has it."""

    def __init__(self, override: GateOverride, strategy: GatingStrategy) -> None:
        super().__init__(override_file(override.name), Path(), strategy.panel)
        self.override, self.strategy_before = override, strategy
        self.inherits = True
        self.optional = strategy.optional

    def read(self) -> list[tuple[int, Population, int]]:
        """Return place in the strategy, population and line of each gate."""
        tree = read_tree(self.override.text.encode(), self.name, Findings())
        top = self.mapping(tree, "an override")
        if "compensation" in top.entries:
            self.inherits = False
            self.compensation = self.text(top.entries["compensation"], "compensation", top)
        found: list[tuple[int, Population, int]] = []
        for node in self.items(top.entries.get("populations"), "populations", top):
            place, population = self._moved(self.mapping(node, "a population"))
            if any(place == other for other, _, _ in found):
                path = self.strategy_before.paths[place]
                raise self.fail(node, "{path} stands twice in this file; keep one of them", path=path)
            self._check_references(node, place, population)
            found.append((place, population, node.line))
        return found

    def _moved(self, entry: Mapping) -> tuple[int, Population]:
        name = self.text(entry.entries.get("name"), "name", entry)
        parent = self.text(entry.entries.get("parent"), "parent", entry, "")
        place = self._place(entry, name, parent)
        before = self.strategy_before.populations[place]
        self.axes = self._axes(before)
        # the parent is known now, and how it was written does not matter
        given = Mapping(entry.line, {**entry.entries, "parent": Scalar(entry.line, before.parent or ROOT)}, entry.lines)
        if "complement" not in given.entries:
            given.entries["complement"] = Scalar(entry.line, "true" if before.complement else "false")
        after = self.population(given)
        for key in ("definition", "role"):
            if getattr(after, key) not in ("", getattr(before, key)):
                message = "{name}: an override moves a gate and leaves the {key} as it is ({before!r}); remove this key"
                raise self.fail(entry, message, name=name, key=key, before=getattr(before, key))
        view = after.view if "view" in entry.entries else before.view
        return place, replace(after, definition=before.definition, role=before.role, view=view)

    def _check_references(self, node: Node, place: int, population: Population) -> None:
        populations = list(self.strategy_before.populations)
        populations[place] = population
        try:
            learning = _without(self.strategy_before, {place})
            replace(self.strategy_before, populations=tuple(populations), learning=learning)
        except StrategyError as error:
            raise self.fail(node, "{error}", error=error) from error

    def _place(self, entry: Mapping, name: str, parent: str) -> int:
        strategy = self.strategy_before
        try:
            if parent in ("", ROOT):
                if parent == ROOT and name in strategy.paths:
                    return strategy.paths.index(name)
                return strategy.resolve(f"{ROOT}/{name}" if parent == ROOT else name)
            if parent.startswith(f"{ROOT}/"):
                path = f"{parent.removeprefix(ROOT + '/')}/{name}"
                return strategy.paths.index(path) if path in strategy.paths else strategy.resolve(f"{parent}/{name}")
            # names first: of a parent that is misspelled the other name is right
            strategy.resolve(parent)
            return strategy.resolve(f"{parent}/{name}")
        except StrategyError as error:
            raise self.fail(entry, "population {name!r}: {error}", name=name, error=error) from error

    def _axes(self, population: Population) -> dict[str, Mapping]:
        """How the template compensates and transforms each dimension, the gate's own before those of other gates."""
        own = {dimension.label: dimension for dimension in population.gate.dimensions}
        elsewhere: dict[str, set[Dimension]] = {}
        for other in self.strategy_before.populations:
            for dimension in other.gate.dimensions:
                elsewhere.setdefault(dimension.label, set()).add(dimension)
        # where other gates disagree nothing is guessed
        found = {label: next(iter(several)) for label, several in elsewhere.items() if len(several) == 1} | own
        axes = {}
        for label, dimension in found.items():
            entries: dict[str, Node] = {"transform": Scalar(0, dimension.transform or "none")}
            if self.inherits:
                entries["compensation"] = Scalar(0, dimension.compensation)
            axes[label] = Mapping(0, entries)
        return axes

    def make(self, source: str | Ratio, keys: dict[str, Node], node: Node) -> Dimension:
        label = source.label if isinstance(source, Ratio) else source
        told = "transform" in keys and ("compensation" in keys or not self.inherits)
        if label not in self.axes and not told:
            message = (
                "the template does not tell how {label!r} is taken (no gate uses it, or several do differently); "
                "write its compensation and its transform"
            )
            raise self.fail(node, message, label=label)
        return super().make(source, keys, node)
