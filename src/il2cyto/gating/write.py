"""Write a strategy as the folder that `read_strategy` reads."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from il2cyto.compensation import SpilloverMatrix
from il2cyto.errors import OutputError
from il2cyto.gates import (
    UNCOMPENSATED,
    BinnedEllipsoidGate,
    BinnedPolygonGate,
    BooleanGate,
    EllipsoidGate,
    Gate,
    Operand,
    PolygonGate,
    QuadrantGate,
    RectangleGate,
)
from il2cyto.gating.learning import Learning
from il2cyto.gating.notation import yaml_dimension, yaml_number, yaml_row, yaml_text, yaml_words
from il2cyto.gating.overrides import FOLDER
from il2cyto.gating.strategy import GatingStrategy, Population
from il2cyto.gating.write_rules import cut_lines, rule_text
from il2cyto.keys import ROOT
from il2cyto.provenance import write_text
from il2cyto.transforms import Transform

#: Populations of an override have no cuts and no rules.
_NUMBERS_ONLY: Final = Learning()


@dataclass(frozen=True)
class Override:
    """What some files have of their own (see `read_overrides`)."""

    name: str
    files: tuple[str, ...]
    reason: str
    populations: tuple[Population, ...] = ()
    remove: tuple[str, ...] = ()
    transforms: Mapping[str, Transform] | None = None
    matrices: Mapping[str, SpilloverMatrix] | None = None


def write_strategy(folder: str | Path, strategy: GatingStrategy, overrides: Iterable[Override] = ()) -> None:
    """Write ``strategy.yaml``, its matrices and its overrides.

    Every channel is written as such, with its own compensation and transform, so the files say the same with any panel.

    Parameters
    ----------
    folder
        New or empty folder, or one without a strategy.
    strategy, overrides
        What to write. The panel is not written.

    Raises
    ------
    OutputError
        If a strategy is there already.
    """
    folder = Path(folder)
    if (folder / "strategy.yaml").exists() or (folder / FOLDER).exists():
        raise OutputError(f"{folder}: holds a strategy already; name a new folder")
    axes = strategy.axes
    times = Counter(population.name for population in strategy.populations)
    twice = {name for name, number in times.items() if number > 1}
    lines = [
        f"strategy: {yaml_text(strategy.id)}",
        f"version: {yaml_text(strategy.version)}",
        *([f"description: {yaml_text(strategy.description)}"] if strategy.description else []),
        f"compensation: {UNCOMPENSATED}",
        *([] if strategy.without_matrix == "refuse" else [f"without_matrix: {strategy.without_matrix}"]),
        *_matrices(folder, strategy.matrices, "matrix"),
        *_transforms(strategy.transforms),
    ]
    if axes:
        lines += ["axes:", *(f"  {yaml_text(label)}: {{transform: {yaml_text(name)}}}" for label, name in axes.items())]
    lines += cut_lines(strategy.learning.cuts, axes)
    if strategy.optional:
        lines.append(f"optional: {yaml_words(strategy.optional)}")
    lines += ["populations:", *_populations(strategy.populations, strategy.paths, axes, twice, strategy.learning)]
    write_text(folder / "strategy.yaml", "\n".join(lines) + "\n")
    for override in overrides:
        paths = tuple("/".join([*_parts(p.parent), p.name]) for p in override.populations)
        lines = [
            f"reason: {yaml_text(override.reason)}",
            f"files: [{', '.join(map(yaml_text, override.files))}]",
            f"compensation: {UNCOMPENSATED}",
            *_matrices(folder, override.matrices or {}, f"{FOLDER}/{override.name}-matrix"),
            *_transforms(override.transforms or {}),
        ]
        if override.remove:
            lines.append(f"remove: [{', '.join(map(yaml_text, override.remove))}]")
        if override.populations:
            lines += ["populations:", *_populations(override.populations, paths, axes, twice)]
        write_text(folder / FOLDER / f"{override.name}.yaml", "\n".join(lines) + "\n")


def override_lines(strategy: GatingStrategy, populations: Iterable[Population]) -> list[str]:
    """Return the gates of populations as the lines of an override in the study folder.

    Parameters
    ----------
    strategy
        The strategy that has these populations.
    populations
        They, with the gates that they shall have.

    Raises
    ------
    StrategyError
        If the strategy has no such population.
    """
    moved = list(populations)
    ends = ["/".join([*_parts(population.parent), population.name]) for population in moved]
    paths = [end if end in strategy.paths else strategy.paths[strategy.resolve(end)] for end in ends]
    # every axis is written out, so that the file says the same whatever becomes of the strategy
    axes = {one.label: "" for population in moved for one in (*population.gate.dimensions, *population.view)}
    return [f"compensation: {UNCOMPENSATED}", "populations:", *_populations(moved, paths, axes, frozenset())]


def _parts(parent: str) -> list[str]:
    return [part for part in parent.split("/") if part not in ("", ROOT)]


def _matrices(folder: Path, matrices: Mapping[str, SpilloverMatrix], name: str) -> list[str]:
    lines = ["matrices:"] if matrices else []
    for number, (key, matrix) in enumerate(matrices.items(), start=1):
        file = f"{name}{number}.csv"
        stream = io.StringIO()
        csv.writer(stream, lineterminator="\n").writerows(matrix.to_table())
        write_text(folder / file, stream.getvalue())
        lines.append(f"  {yaml_text(key)}: {yaml_text(file)}")
    return lines


def _transforms(transforms: Mapping[str, Transform]) -> list[str]:
    lines = ["transforms:"] if transforms else []
    for key, transform in transforms.items():
        content = transform.to_dict()
        kind = content.pop("type")
        numbers = "".join(f", {name}: {yaml_number(float(value))}" for name, value in content.items())
        lines.append(f"  {yaml_text(key)}: {{type: {kind}{numbers}}}")
    return lines


def _populations(
    populations: Iterable[Population],
    paths: Iterable[str],
    axes: Mapping[str, str],
    twice: Set[str],
    learning: Learning = _NUMBERS_ONLY,
) -> list[str]:
    names: dict[int, dict[tuple[int, str], str]] = {}
    for cut in learning.cuts:
        for use in cut.uses:
            names.setdefault(use.population, {})[use.dimension, use.side] = cut.name
    rules = {shape.population: shape.rule for shape in learning.shapes}
    lines = []
    for place, (population, path) in enumerate(zip(populations, paths, strict=True)):
        above = path.rpartition("/")[0]
        # a name that stands twice would leave open which parent is meant
        parent = f"{ROOT}/{above}" if above and twice & set(path.split("/")) else above or ROOT
        lines += [f"  - name: {yaml_text(population.name)}", f"    parent: {yaml_text(parent)}"]
        for key in ("definition", "role"):
            if getattr(population, key):
                lines.append(f"    {key}: {yaml_text(getattr(population, key))}")
        if population.complement:
            lines.append("    complement: true")
        lines.append(f"    gate: {_gate(population.gate, axes, names.get(place, {}))}")
        if population.view:
            lines.append(f"    view: [{', '.join(yaml_dimension(dimension, axes) for dimension in population.view)}]")
        if place in rules:
            lines.append(f"    learn: {rule_text(rules[place])}")
    return lines


def _gate(gate: Gate, axes: Mapping[str, str], names: Mapping[tuple[int, str], str]) -> str:
    """Write a gate, with the cut in the place of a limit that `names` tells by dimension and side."""
    if isinstance(gate, BooleanGate):
        return f"{{type: boolean, op: {gate.operation}, of: [{', '.join(map(_operand, gate.operands))}]}}"
    if isinstance(gate, RectangleGate):
        dims = []
        for i, limit in enumerate(gate.limits):
            edges = (("min", limit.minimum), ("max", limit.maximum))
            more = "".join(f", {key}: {_limit(edge, names.get((i, key)))}" for key, edge in edges if edge is not None)
            dims.append(yaml_dimension(limit.dimension, axes, more))
        return f"{{type: rectangle, dims: [{', '.join(dims)}]}}"
    if isinstance(gate, QuadrantGate):
        dims = []
        for i, (dimension, dividers) in enumerate(zip(gate.dimensions, gate.dividers, strict=True)):
            cut = names.get((i, "divider"))
            more = f", dividers: {yaml_row(dividers)}" if cut is None else f", divider: {yaml_text(cut)}"
            dims.append(yaml_dimension(dimension, axes, more))
        region = " ".join("*" if interval is None else str(interval) for interval in gate.region)
        return f"{{type: quadrant, dims: [{', '.join(dims)}], region: {json.dumps(region)}}}"
    if isinstance(gate, (PolygonGate, EllipsoidGate)):
        dims = [yaml_dimension(dimension, axes) for dimension in gate.dimensions]
        binning = ""
        if isinstance(gate, (BinnedPolygonGate, BinnedEllipsoidGate)):
            binning = f", binning: flowjo, channels: {gate.channels}"
        if isinstance(gate, PolygonGate):
            vertices = ", ".join(map(yaml_row, gate.vertices))
            return f"{{type: polygon, dims: [{', '.join(dims)}], vertices: [{vertices}]{binning}}}"
        rows = ", ".join(map(yaml_row, gate.covariance))
        binning += "" if gate.is_ellipsoid else ", quadric: true"
        return (
            f"{{type: ellipsoid, dims: [{', '.join(dims)}], mean: {yaml_row(gate.mean)}, covariance: [{rows}], "
            f"distance_square: {yaml_number(gate.distance_square)}{binning}}}"
        )
    return f"{{type: unsupported, reason: {yaml_text(gate.reason)}}}"


def _limit(value: float, cut: str | None) -> str:
    return yaml_number(value) if cut is None else yaml_text(cut)


def _operand(operand: Operand) -> str:
    if operand.population.startswith("not "):
        # a name that would read as the complement of another
        flip = str(operand.complement).lower()
        return f"{{population: {yaml_text(operand.population)}, complement: {flip}}}"
    return yaml_text(f"not {operand.population}" if operand.complement else operand.population)
