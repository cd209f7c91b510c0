"""Gates of some files that differ from those of the strategy: ``overrides/*.yaml`` in the folder of a strategy."""

from __future__ import annotations

from collections.abc import Mapping as MappingABC
from dataclasses import replace
from pathlib import Path

from il2cyto.errors import StrategyError, did_you_mean
from il2cyto.gating.folder import StrategyReader, read_yaml
from il2cyto.gating.remap import remap
from il2cyto.gating.strategy import GatingStrategy, Population
from il2cyto.keys import ROOT
from il2cyto.study.positions import Mapping, Scalar, Sequence

#: The folder beside ``strategy.yaml``.
FOLDER = "overrides"
_KEYS = ("files", "reason", "author", "compensation", "transforms", "matrices", "populations", "remove")


def read_overrides(folder: str | Path, strategy: GatingStrategy) -> dict[str, GatingStrategy]:
    """Return the strategy of each file that has gates of its own, by file name.

    An override lists `files` and what differs for them: `populations` (each in the place of the one with its path, or
    new), `remove` (paths, with all below them), `transforms` and `matrices` (each in the place of the one with its id,
    or new). `reason` and `author` are for people. A file's own gate is not learnt.

    Parameters
    ----------
    folder
        Folder of the strategy; without ``overrides`` in it there is nothing to read.
    strategy
        The strategy of all other files.

    Raises
    ------
    StrategyError
        If an override cannot be read or does not fit the strategy, or a file stands in two.
    """
    folder = Path(folder)
    found: dict[str, GatingStrategy] = {}
    for path in sorted((folder / FOLDER).glob("*.yaml")):
        name = f"{folder.name}/{FOLDER}/{path.name}"
        reader = StrategyReader(name, folder, strategy.panel)
        reader.optional = strategy.optional
        own, files = _override(reader, reader.mapping(read_yaml(path, name), "an override", _KEYS), strategy)
        for file, line in files.items():
            if file in found:
                raise reader.fail_at(line, "{file!r} stands in another override already", file=file)
            found[file] = own
    return found


def _override(
    reader: StrategyReader, top: Mapping, strategy: GatingStrategy
) -> tuple[GatingStrategy, MappingABC[str, int]]:
    get = top.entries.get
    listed = get("files")
    if not isinstance(listed, Sequence) or not listed.items:
        raise reader.fail(listed or top, "an override wants a list of files")
    files = {reader.text(item, "files", item): item.line for item in listed.items}
    reader.compensation = reader.text(get("compensation"), "compensation", top, reader.compensation)
    populations = list(strategy.populations)
    paths = list(strategy.paths)
    # place in the strategy of each population that keeps its gate
    places: list[int | None] = list(range(len(paths)))
    if get("remove") is not None:
        for item in reader.items(get("remove"), "remove", top):
            gone = reader.text(item, "remove", item)
            if gone not in paths:
                close = did_you_mean(gone, paths)
                raise reader.fail(
                    item, "remove: the strategy has no population {found!r}{close}", found=gone, close=close
                )
            kept = [i for i, path in enumerate(paths) if path != gone and not path.startswith(gone + "/")]
            populations, paths = [populations[i] for i in kept], [paths[i] for i in kept]
            places = [places[i] for i in kept]
    # parents are written as paths, since names may come twice now
    populations = [
        replace(population, parent=_from_root(path)) for population, path in zip(populations, paths, strict=True)
    ]
    for node in reader.items(get("populations"), "populations", top) if get("populations") is not None else ():
        population = reader.population(node)
        path = _path(population, paths)
        if path is None:
            close = did_you_mean(population.parent, paths)
            message = "population {name!r}: parent {parent!r} does not exist{close}; a parent comes before its children"
            raise reader.fail(node, message, name=population.name, parent=population.parent, close=close)
        population = replace(population, parent=_from_root(path))
        if path in paths:
            populations[paths.index(path)] = population
            places[paths.index(path)] = None
        else:
            populations.append(population)
            paths.append(path)
            places.append(None)
    try:
        own = replace(
            strategy,
            populations=tuple(populations),
            transforms={**strategy.transforms, **reader.transforms(get("transforms"))},
            matrices={**strategy.matrices, **reader.matrices(get("matrices"))},
            learning=remap(strategy.learning, {old: new for new, old in enumerate(places) if old is not None}),
        )
    except StrategyError as error:
        if str(error).startswith(reader.name):
            raise
        raise StrategyError("{strategy_file}: {error}", strategy_file=reader.name, error=error) from error
    for key in ("reason", "author"):
        remark = get(key)
        if remark is not None and not isinstance(remark, Scalar):
            raise reader.fail(remark, "{key} wants a text", key=key)
    return own, files


def _from_root(path: str) -> str:
    above = path.rpartition("/")[0]
    return f"{ROOT}/{above}" if above else ROOT


def _path(population: Population, paths: list[str]) -> str | None:
    parent = "/".join(part for part in population.parent.split("/") if part not in ("", ROOT))
    if not parent:
        return population.name
    if parent not in paths:
        ends = [path for path in paths if path.endswith("/" + parent)]
        if len(ends) != 1:
            return None
        parent = ends[0]
    return f"{parent}/{population.name}"
