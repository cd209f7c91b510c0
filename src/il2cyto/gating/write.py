"""Write a strategy as the folder that `read_strategy` reads."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from pathlib import Path

from il2cyto.compensation import SpilloverMatrix
from il2cyto.errors import OutputError
from il2cyto.gates import (
    UNCOMPENSATED,
    BinnedEllipsoidGate,
    BinnedPolygonGate,
    BooleanGate,
    Dimension,
    EllipsoidGate,
    Gate,
    Operand,
    PolygonGate,
    QuadrantGate,
    Ratio,
    RectangleGate,
)
from il2cyto.gating.overrides import FOLDER
from il2cyto.gating.strategy import GatingStrategy, Population
from il2cyto.keys import ROOT
from il2cyto.provenance import write_text
from il2cyto.transforms import Transform

_PLAIN = re.compile(r"[A-Za-z]([A-Za-z0-9_.+/ -]*[A-Za-z0-9_.+-])?")
#: What YAML 1.1 or 1.2 reads as something else than a text.
_WORDS = frozenset({"true", "false", "null", "none", "yes", "no", "on", "off", "y", "n"})


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
        f"strategy: {_text(strategy.id)}",
        f"version: {_text(strategy.version)}",
        *([f"description: {_text(strategy.description)}"] if strategy.description else []),
        f"compensation: {UNCOMPENSATED}",
        *([] if strategy.without_matrix == "refuse" else [f"without_matrix: {strategy.without_matrix}"]),
        *_matrices(folder, strategy.matrices, "matrix"),
        *_transforms(strategy.transforms),
    ]
    if axes:
        lines += ["axes:", *(f"  {_text(label)}: {{transform: {_text(name)}}}" for label, name in axes.items())]
    lines += ["populations:", *_populations(strategy.populations, strategy.paths, axes, twice)]
    write_text(folder / "strategy.yaml", "\n".join(lines) + "\n")
    for override in overrides:
        paths = tuple("/".join([*_parts(p.parent), p.name]) for p in override.populations)
        lines = [
            f"reason: {_text(override.reason)}",
            f"files: [{', '.join(map(_text, override.files))}]",
            f"compensation: {UNCOMPENSATED}",
            *_matrices(folder, override.matrices or {}, f"{FOLDER}/{override.name}-matrix"),
            *_transforms(override.transforms or {}),
        ]
        if override.remove:
            lines.append(f"remove: [{', '.join(map(_text, override.remove))}]")
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


def yaml_text(text: str) -> str:
    """Return a text as YAML has it, in double quotes unless it is plain.

    Examples
    --------
    >>> yaml_text("CD4"), yaml_text("new lot: debris")
    ('CD4', '"new lot: debris"')
    """
    return _text(text)


def _parts(parent: str) -> list[str]:
    return [part for part in parent.split("/") if part not in ("", ROOT)]


def _text(text: str) -> str:
    """A text in double quotes, unless it is plain enough that no YAML parser takes it for anything else."""
    return text if _PLAIN.fullmatch(text) and text.lower() not in _WORDS else json.dumps(text, ensure_ascii=False)


def _number(value: float) -> str:
    if math.isinf(value):
        return ".inf" if value > 0 else "-.inf"
    return repr(int(value)) if value == int(value) and abs(value) < 1e15 else repr(float(value))


def _matrices(folder: Path, matrices: Mapping[str, SpilloverMatrix], name: str) -> list[str]:
    lines = ["matrices:"] if matrices else []
    for number, (key, matrix) in enumerate(matrices.items(), start=1):
        file = f"{name}{number}.csv"
        stream = io.StringIO()
        csv.writer(stream, lineterminator="\n").writerows(matrix.to_table())
        write_text(folder / file, stream.getvalue())
        lines.append(f"  {_text(key)}: {_text(file)}")
    return lines


def _transforms(transforms: Mapping[str, Transform]) -> list[str]:
    lines = ["transforms:"] if transforms else []
    for key, transform in transforms.items():
        content = transform.to_dict()
        kind = content.pop("type")
        numbers = "".join(f", {name}: {_number(float(value))}" for name, value in content.items())
        lines.append(f"  {_text(key)}: {{type: {kind}{numbers}}}")
    return lines


def _populations(
    populations: Iterable[Population], paths: Iterable[str], axes: Mapping[str, str], twice: Set[str]
) -> list[str]:
    lines = []
    for population, path in zip(populations, paths, strict=True):
        above = path.rpartition("/")[0]
        # a name that stands twice would leave open which parent is meant
        parent = f"{ROOT}/{above}" if above and twice & set(path.split("/")) else above or ROOT
        lines += [f"  - name: {_text(population.name)}", f"    parent: {_text(parent)}"]
        for key in ("definition", "role"):
            if getattr(population, key):
                lines.append(f"    {key}: {_text(getattr(population, key))}")
        if population.complement:
            lines.append("    complement: true")
        lines.append(f"    gate: {_gate(population.gate, axes)}")
        if population.view:
            lines.append(f"    view: [{', '.join(_dimension(dimension, axes) for dimension in population.view)}]")
    return lines


def _dimension(dimension: Dimension, axes: Mapping[str, str], more: str = "") -> str:
    source = dimension.source
    if isinstance(source, Ratio):
        parts = [f"numerator: {_text(source.numerator)}", f"denominator: {_text(source.denominator)}"]
        parts += [f"{name}: {_number(getattr(source, name))}" for name in "ABC"]
        text = f"ratio: {{{', '.join(parts)}}}"
    else:
        text = f"channel: {_text(source)}"
    if dimension.compensation != UNCOMPENSATED:
        text += f", compensation: {_text(dimension.compensation)}"
    if dimension.transform is not None:
        text += f", transform: {_text(dimension.transform)}"
    elif dimension.label in axes:
        text += ", transform: none"
    return f"{{{text}{more}}}"


def _gate(gate: Gate, axes: Mapping[str, str]) -> str:
    if isinstance(gate, BooleanGate):
        return f"{{type: boolean, op: {gate.operation}, of: [{', '.join(map(_operand, gate.operands))}]}}"
    if isinstance(gate, RectangleGate):
        dims = []
        for limit in gate.limits:
            edges = (("min", limit.minimum), ("max", limit.maximum))
            more = "".join(f", {key}: {_number(edge)}" for key, edge in edges if edge is not None)
            dims.append(_dimension(limit.dimension, axes, more))
        return f"{{type: rectangle, dims: [{', '.join(dims)}]}}"
    if isinstance(gate, QuadrantGate):
        dims = [
            _dimension(dimension, axes, f", dividers: {_row(dividers)}")
            for dimension, dividers in zip(gate.dimensions, gate.dividers, strict=True)
        ]
        region = " ".join("*" if interval is None else str(interval) for interval in gate.region)
        return f"{{type: quadrant, dims: [{', '.join(dims)}], region: {json.dumps(region)}}}"
    if isinstance(gate, (PolygonGate, EllipsoidGate)):
        dims = [_dimension(dimension, axes) for dimension in gate.dimensions]
        binning = ""
        if isinstance(gate, (BinnedPolygonGate, BinnedEllipsoidGate)):
            binning = f", binning: flowjo, channels: {gate.channels}"
        if isinstance(gate, PolygonGate):
            vertices = ", ".join(map(_row, gate.vertices))
            return f"{{type: polygon, dims: [{', '.join(dims)}], vertices: [{vertices}]{binning}}}"
        rows = ", ".join(map(_row, gate.covariance))
        binning += "" if gate.is_ellipsoid else ", quadric: true"
        return (
            f"{{type: ellipsoid, dims: [{', '.join(dims)}], mean: {_row(gate.mean)}, covariance: [{rows}], "
            f"distance_square: {_number(gate.distance_square)}{binning}}}"
        )
    return f"{{type: unsupported, reason: {_text(gate.reason)}}}"


def _operand(operand: Operand) -> str:
    if operand.population.startswith("not "):
        # a name that would read as the complement of another
        flip = str(operand.complement).lower()
        return f"{{population: {_text(operand.population)}, complement: {flip}}}"
    return _text(f"not {operand.population}" if operand.complement else operand.population)


def _row(values: Iterable[float]) -> str:
    return f"[{', '.join(map(_number, values))}]"
