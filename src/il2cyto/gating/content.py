"""What makes two strategies the same: everything that decides membership and names, as JSON-like data."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from il2cyto.gating.consistency import path_of

if TYPE_CHECKING:
    from il2cyto.gating.learning import LearnRule
    from il2cyto.gating.strategy import GatingStrategy


def strategy_content(strategy: GatingStrategy) -> dict[str, Any]:
    """Return the content of a strategy for hashing, whatever the order of its populations.

    What is learnt enters only where something is: a strategy of numbers alone is what it was before rules existed.
    """
    rows = []
    for path, population in zip(strategy.paths, strategy.populations, strict=True):
        row = _plain(population)
        row["parent"] = path.rpartition("/")[0]
        rows.append(row)
    content: dict[str, Any] = {
        "id": strategy.id,
        "version": strategy.version,
        "without_matrix": strategy.without_matrix,
        "populations": sorted(rows, key=lambda row: (row["parent"], row["name"])),
        "transforms": {name: transform.to_dict() for name, transform in strategy.transforms.items()},
        "matrices": {name: matrix.content_hash for name, matrix in strategy.matrices.items()},
    }
    if strategy.learning.cuts or strategy.learning.shapes:
        content["cuts"] = {
            cut.name: {
                "dimension": _plain(cut.dimension),
                "at": cut.at,
                "rule": None if cut.rule is None else _rule(strategy, cut.rule),
                "uses": sorted([strategy.paths[use.population], use.dimension, use.side] for use in cut.uses),
            }
            for cut in strategy.learning.cuts
        }
        content["shapes"] = {
            strategy.paths[shape.population]: _rule(strategy, shape.rule) for shape in strategy.learning.shapes
        }
    return content


def _rule(strategy: GatingStrategy, rule: LearnRule) -> dict[str, Any]:
    return {**_plain(rule), "population": path_of(strategy, rule.population)}


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        named = {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {"class": type(value).__name__, **named}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return dict(value) if isinstance(value, Mapping) else value
