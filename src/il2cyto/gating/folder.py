"""Strategies as folders that an immunologist reads: ``strategy.yaml``, ``panel.csv`` and matrices beside it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal, cast

from il2cyto.compensation import SpilloverMatrix
from il2cyto.errors import Il2CytoError, StrategyError, did_you_mean
from il2cyto.gates import (
    UNCOMPENSATED,
    BinnedEllipsoidGate,
    BinnedPolygonGate,
    BooleanGate,
    Dimension,
    EllipsoidGate,
    Gate,
    Limits,
    Operand,
    PolygonGate,
    QuadrantGate,
    Ratio,
    RectangleGate,
    UnsupportedGate,
)
from il2cyto.gates.binned import CHANNELS
from il2cyto.gating.learning import Side
from il2cyto.gating.nodes import NodeReader
from il2cyto.gating.rules import RuleReader
from il2cyto.gating.strategy import GatingStrategy, Population
from il2cyto.panel import Panel
from il2cyto.study.findings import Findings
from il2cyto.study.positions import Mapping, Node, Scalar, read_tree
from il2cyto.transforms import Transform, transform_from_dict

_TOP = (
    "strategy", "version", "description", "compensation", "without_matrix", "matrices", "transforms", "axes",
    "cuts", "optional", "populations",
)  # fmt: skip
_POPULATION = ("name", "parent", "definition", "role", "complement", "gate", "view", "learn")
_ROLES = ("", "time_qc", "beads")
_GATE_KEYS = {
    "rectangle": ("dims",),
    "polygon": ("dims", "vertices", "binning", "channels"),
    "ellipsoid": ("dims", "mean", "covariance", "distance_square", "quadric", "binning", "channels"),
    "quadrant": ("dims", "region"),
    "boolean": ("op", "of"),
    "unsupported": ("reason",),
}
_BINNINGS = ("exact", "flowjo")
_WITHOUT_MATRIX = ("refuse", "uncompensated")
_DIM = ("marker", "channel", "ratio", "compensation", "transform", "units", "min", "max", "divider", "dividers")


def read_strategy(folder: str | Path, panel: Panel | None = None) -> GatingStrategy:
    """Read a strategy folder.

    Parameters
    ----------
    folder
        Holds ``strategy.yaml`` and usually ``panel.csv``.
    panel
        Used instead of the folder's panel.

    Raises
    ------
    StrategyError
        If the file is missing or does not hold together; names file, line, value and remedy.
    PanelError, CompensationError
        If the panel or a matrix beside it cannot be used.
    """
    folder = Path(folder)
    if panel is None and (folder / "panel.csv").is_file():
        panel = Panel.from_csv(folder / "panel.csv")
    name = f"{folder.name}/strategy.yaml"
    return StrategyReader(name, folder, panel).strategy(read_yaml(folder / "strategy.yaml", name))


def read_yaml(path: Path, name: str) -> Node | None:
    """Return the tree of a YAML file of a strategy.

    Raises
    ------
    StrategyError
        If it cannot be read.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise StrategyError(
            "{strategy_file}: {yaml} cannot be read ({reason})",
            strategy_file=path.parent.name, yaml=path.name, reason=error.strerror,
        ) from error  # fmt: skip
    findings = Findings()
    tree = read_tree(content, name, findings)
    if findings.problems:
        lines = ", ".join(str(problem.line) for problem in findings.problems)
        raise StrategyError(
            "{strategy_file} is no YAML of a strategy (line {lines}){hint}",
            strategy_file=name, lines=lines, hint="".join(f"\n{problem}" for problem in findings.problems),
        )  # fmt: skip
    return tree


class StrategyReader(NodeReader):
    """Turns the tree of one file into a strategy; every complaint carries the line."""

    def __init__(self, name: str, folder: Path, panel: Panel | None) -> None:
        super().__init__(name)
        self.folder, self.panel = folder, panel
        self.compensation = UNCOMPENSATED
        self.axes: dict[str, Mapping] = {}
        self.optional: tuple[str, ...] = ()
        self.rules = RuleReader(self)

    def strategy(self, tree: Node | None) -> GatingStrategy:
        top = self.mapping(tree, "a strategy", _TOP)
        get = top.entries.get
        self.compensation = self.text(get("compensation"), "compensation", top, "FCS")
        if get("axes") is not None:
            axes = self.mapping(get("axes"), "axes")
            self.axes = {
                key: self.mapping(node, f"axis {key!r}", ("compensation", "transform"))
                for key, node in axes.entries.items()
            }
        if get("optional") is not None:
            self.optional = tuple(
                self.text(item, "optional", item) for item in self.items(get("optional"), "optional", top)
            )
        missing = self.text(get("without_matrix"), "without_matrix", top, "refuse")
        if missing not in _WITHOUT_MATRIX:
            close = did_you_mean(missing, _WITHOUT_MATRIX)
            message = "without_matrix {found!r}{close}: wanted refuse or uncompensated"
            raise self.fail(get("without_matrix") or top, message, found=missing, close=close)
        self.rules.read_cuts(get("cuts"))
        try:
            strategy = GatingStrategy(
                without_matrix="refuse" if missing == "refuse" else "uncompensated",
                id=self.text(get("strategy"), "strategy", top),
                version=self.text(get("version"), "version", top, "1"),
                description=self.text(get("description"), "description", top, ""),
                transforms=self.transforms(get("transforms")),
                matrices=self.matrices(get("matrices")),
                populations=tuple(
                    self.population(node, place)
                    for place, node in enumerate(self.items(get("populations"), "populations", top))
                ),
                panel=self.panel,
                axes={
                    label: self.text(axis.entries["transform"], "transform", axis)
                    for label, axis in self.axes.items()
                    if "transform" in axis.entries
                },
                optional=self.optional,
            )
            self._optional_is_asked_for(strategy, get("optional") or top)
            return replace(strategy, learning=self.rules.learning(strategy))
        except StrategyError as error:
            if str(error).startswith(self.name):
                raise
            raise StrategyError("{strategy_file}: {error}", strategy_file=self.name, error=error) from error

    def _optional_is_asked_for(self, strategy: GatingStrategy, node: Node) -> None:
        """Refuse an optional marker that no gate or picture names: the real one would still be required."""
        asked = strategy.markers()
        for name in self.optional:
            if name not in asked:
                close = did_you_mean(name, asked)
                raise self.fail(node, "optional: no gate asks for {found!r}{close}", found=name, close=close)

    def transforms(self, node: Node | None) -> dict[str, Transform]:
        if node is None:
            return {}
        found = {}
        for key, entry in self.mapping(node, "transforms").entries.items():
            content = self.mapping(entry, f"transform {key!r}")
            values: dict[str, object] = {
                name: self.text(value, name, content) if name == "type" else self.number(value, name, content)
                for name, value in content.entries.items()
            }
            try:
                found[key] = transform_from_dict(values)
            except Il2CytoError as error:
                raise self.fail(entry, "transform {key!r}: {error}", key=key, error=error) from error
        return found

    def matrices(self, node: Node | None) -> dict[str, SpilloverMatrix]:
        if node is None:
            return {}
        found = {}
        for key, entry in self.mapping(node, "matrices").entries.items():
            relative = Path(self.text(entry, f"matrix {key!r}", entry))
            if relative.is_absolute() or ".." in relative.parts:
                message = "matrix {key!r}: {matrix_file} must stand in the folder of the strategy"
                raise self.fail(entry, message, key=key, matrix_file=relative)
            found[key] = SpilloverMatrix.from_csv(self.folder / relative, matrix_id=key)
        return found

    def population(self, node: Node, place: int | None = None) -> Population:
        """Read a population; where it stands in the file matters to cuts and rules, which overrides do without."""
        self.rules.begin(place)
        entry = self.mapping(node, "a population", _POPULATION)
        get = entry.entries.get
        name = self.text(get("name"), "name", entry)
        role = self.text(get("role"), "role", entry, "")
        if role not in _ROLES:
            message = "population {name!r}: role {found!r}{close}; known: time_qc, beads"
            raise self.fail(entry, message, name=name, found=role, close=did_you_mean(role, _ROLES))
        complement = self.flag(get("complement"), f"population {name!r}: complement", entry)
        gate_node = self.mapping(get("gate"), f"gate of {name!r}")
        try:
            gate = self.gate(gate_node, name)
            if "learn" in entry.entries:
                self.rules.read_shape(entry.entries["learn"], name, gate)
            view = get("view") if "view" in entry.entries else gate_node.entries.get("view")
            return Population(
                name=name,
                parent=self.text(get("parent"), "parent", entry),
                gate=gate,
                complement=complement,
                definition=self.text(get("definition"), "definition", entry, ""),
                role=role,
                view=tuple(self.dimension(item)[0] for item in self.items(view, "view", entry)) if view else (),
            )
        except StrategyError:
            raise
        except Il2CytoError as error:
            raise self.fail(entry, "population {name!r}: {error}", name=name, error=error) from error

    def gate(self, node: Mapping, name: str) -> Gate:
        get = node.entries.get
        kind = self.text(get("type"), "type", node)
        if kind not in _GATE_KEYS:
            message = "population {name!r}: gate type {found!r} is unknown{close}"
            raise self.fail(node, message, name=name, found=kind, close=did_you_mean(kind, list(_GATE_KEYS)))
        self.mapping(node, f"{kind} gate of {name!r}", ("type", "view", *_GATE_KEYS[kind]))
        if kind == "boolean":
            operation = self.text(get("op"), "op", node)
            operands = [self.operand(item) for item in self.items(get("of"), "of", node)]
            return BooleanGate(cast(Literal["and", "or", "not"], operation), tuple(operands))
        if kind == "unsupported":
            return UnsupportedGate(self.text(get("reason"), "reason", node))
        dims = [self.dimension(item) for item in self.items(get("dims"), "dims", node)]
        dimensions = tuple(dimension for dimension, _ in dims)
        if kind == "rectangle":
            limits = []
            for i, (dimension, keys) in enumerate(dims):
                low, high = self.edge(keys, "min", i, dimension, node), self.edge(keys, "max", i, dimension, node)
                limits.append(Limits(dimension, low, high))
            return RectangleGate(tuple(limits))
        channels = self.channels(node)
        if kind == "polygon":
            axes = cast(tuple[Dimension, Dimension], dimensions)
            rows = tuple(self.row(item, "vertex", node) for item in self.items(get("vertices"), "vertices", node))
            vertices = cast(tuple[tuple[float, float], ...], rows)
            return PolygonGate(axes, vertices) if channels is None else BinnedPolygonGate(axes, vertices, channels)
        if kind == "ellipsoid":
            parts = (
                dimensions,
                self.row(get("mean"), "mean", node),
                tuple(self.row(item, "covariance", node) for item in self.items(get("covariance"), "covariance", node)),
                self.number(get("distance_square"), "distance_square", node),
            )
            ellipsoid = EllipsoidGate(*parts) if channels is None else BinnedEllipsoidGate(*parts, channels)
            if not ellipsoid.is_ellipsoid and not self.flag(get("quadric"), "quadric", node):
                message = (
                    "population {name!r}: the covariance must be symmetric and positive definite; quadric: true takes "
                    "any other by the formula"
                )
                raise self.fail(node, message, name=name)
            return ellipsoid
        return self.quadrant(node, dims)

    def edge(self, keys: dict[str, Node], side: Side, number: int, dimension: Dimension, at: Node) -> float | None:
        """Return a limit of the dimension of this number: a number, the place of a cut, or open."""
        node = keys.get(side)
        if node is not None and self.rules.is_name(node):
            return self.rules.limit(node, side, number, dimension)
        return self.limit(node, side, at)

    def channels(self, node: Mapping) -> int | None:
        """Channels of the display on which a shape is counted, ``None`` where the values themselves are."""
        get = node.entries.get
        binning = self.text(get("binning"), "binning", node, "exact")
        if binning not in _BINNINGS:
            close = did_you_mean(binning, _BINNINGS)
            raise self.fail(node, "binning {found!r}{close}: wanted exact or flowjo", found=binning, close=close)
        if binning == "exact":
            if "channels" in node.entries:
                raise self.fail(node, "channels are those of a display: they need binning: flowjo")
            return None
        number = self.number(get("channels"), "channels", node) if "channels" in node.entries else float(CHANNELS)
        if number != int(number):
            raise self.fail(node, "channels wants a whole number, got {found}", found=number)
        return int(number)

    def quadrant(self, node: Mapping, dims: list[tuple[Dimension, dict[str, Node]]]) -> QuadrantGate:
        dividers: list[tuple[float, ...]] = []
        for i, (dimension, keys) in enumerate(dims):
            divider = keys.get("divider")
            if divider is not None and self.rules.is_name(divider):
                dividers.append((self.rules.limit(divider, "divider", i, dimension),))
            elif divider is not None:
                dividers.append((self.number(divider, "divider", node),))
            else:
                several = keys.get("dividers")
                for item in self.items(several, "divider or dividers", node):
                    if self.rules.is_name(item):
                        raise self.fail(
                            item,
                            "dividers: a cut stands alone, as divider: {found}",
                            found=self.text(item, "divider", item),
                        )
                dividers.append(self.row(several, "divider or dividers", node))
        text = self.text(node.entries.get("region"), "region", node)
        signs = {"-": 0, "+": 1, "*": None}
        parts = text.split() if " " in text or len(dims) == 1 else list(text)
        try:
            region = tuple(signs[part] if part in signs else int(part) for part in parts)
        except ValueError:
            message = "region {found!r}: wants one of - + * or a number for each dimension, as in '+-' or '0 2'"
            raise self.fail(node, message, found=text) from None
        return QuadrantGate(tuple(dimension for dimension, _ in dims), tuple(dividers), region)

    def operand(self, node: Node) -> Operand:
        if isinstance(node, Mapping):
            get = self.mapping(node, "an operand", ("population", "complement")).entries.get
            flip = self.flag(get("complement"), "complement", node)
            return Operand(self.text(get("population"), "population", node), flip)
        text = self.text(node, "population", node)
        return Operand(text.removeprefix("not ").strip(), complement=text.startswith("not "))

    def dimension(self, node: Node) -> tuple[Dimension, dict[str, Node]]:
        if isinstance(node, Scalar):
            return self.make(self.text(node, "dimension", node), {}, node), {}
        keys = self.mapping(node, "a dimension", _DIM).entries
        named = [key for key in ("marker", "channel", "ratio") if key in keys]
        if len(named) != 1:
            raise self.fail(node, "a dimension wants exactly one of marker, channel, ratio")
        if named[0] == "ratio":
            content = self.mapping(keys["ratio"], "ratio", ("numerator", "denominator", "A", "B", "C"))
            names = [self.text(content.entries.get(key), key, content) for key in ("numerator", "denominator")]
            numbers = {
                key: self.number(content.entries[key], key, content)
                for key in ("A", "B", "C")
                if key in content.entries
            }
            return self.make(Ratio(names[0], names[1], **numbers), keys, node), keys
        name = self.text(keys[named[0]], named[0], node)
        known = self.panel is None or name in self.panel.markers or name in self.optional
        if named[0] == "marker" and self.panel is not None and not known:
            message = "marker {name!r} is not in panel{hint_id}{close}; correct it or add it there"
            close = did_you_mean(name, list(self.panel.markers))
            raise self.fail(node, message, name=name, hint_id=f" {self.panel.id}", close=close)
        return self.make(name, keys, node), keys

    def make(self, source: str | Ratio, keys: dict[str, Node], node: Node) -> Dimension:
        label = source.label if isinstance(source, Ratio) else source
        defaults = self.axes[label].entries if label in self.axes else {}
        compensation = keys.get("compensation", defaults.get("compensation"))
        transform = keys.get("transform", defaults.get("transform"))
        units = self.text(keys.get("units"), "units", node, "axis")
        if units not in ("axis", "linear"):
            close = did_you_mean(units, ["axis", "linear"])
            raise self.fail(node, "units {found!r}{close}: wanted axis or linear", found=units, close=close)
        chosen = None if transform is None or units == "linear" else self.text(transform, "transform", node)
        return Dimension(
            source,
            self.text(compensation, "compensation", node, self.compensation),
            None if chosen == "none" else chosen,
        )
