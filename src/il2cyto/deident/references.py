"""Strategies and panels that a study names: cleaned, and given new places below ``gating/``."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from il2cyto.deident.names import Names
from il2cyto.deident.outcome import Outcome
from il2cyto.deident.strategies import clean_panel, clean_strategy
from il2cyto.deident.vocabulary import STUDY
from il2cyto.study.document import Document
from il2cyto.study.paths import panel_file, strategy_reference

_OURS = (".yaml", ".csv", ".xml")


@dataclass(frozen=True)
class References:
    """New text for each reference: those of sheet cells, and those of the tube types by id."""

    cells: Mapping[str, str]
    strategies: Mapping[str, str]
    panels: Mapping[str, str]


def clean_references(
    document: Document,
    strategy_cells: Iterable[str],
    panel_cells: Iterable[str],
    outcome: Outcome,
    names: Names,
    files: Mapping[str, str],
) -> References:
    """Clean every strategy and panel that tube types or cells of the samples sheet name.

    Parameters
    ----------
    document
        What ``study.yaml`` declares.
    strategy_cells, panel_cells
        Cells of the samples sheet.
    outcome
        Receives the files.
    names
        Pseudonyms and vocabularies.
    files
        New name of each FCS file by its old one.
    """
    types = document.tubes.values()
    strategies = {tube.strategy.text: tube.strategy.path for tube in types}
    strategies.update(_resolved(strategy_cells, lambda text: strategy_reference(text, document.roots).path))
    cells: dict[str, str] = {}
    folders: dict[Path, str] = {}
    for text, path in strategies.items():
        if text.startswith("il2cyto:"):
            cells[text] = text
            continue
        if path not in folders:
            name = names.name(path.stem if path.is_file() else path.name, *STUDY)
            folders[path] = _free(f"gating/{name}", "", folders.values())
            outcome.read.update(entry.resolve() for entry in _parts(path) if entry.suffix in _OURS)
            outcome.clean("strategy", path, names, partial(_strategy, path, folders[path], names, files))
        cells[text] = folders[path] + ("/strategy.xml" if path.is_file() else "")
    by_cell = _resolved(panel_cells, lambda text: panel_file(text, document.roots))
    places: dict[Path, str] = {}
    for path in sorted({*by_cell.values(), *(tube.panel for tube in types if tube.panel is not None)}):
        places[path] = _free(f"gating/panels/{names.name(path.stem, *STUDY)}", ".csv", places.values())
        outcome.read.add(path)
        outcome.clean("panel", path, names, partial(_panel, path, places[path], names))
    cells.update({text: places[path] for text, path in by_cell.items()})
    return References(
        cells,
        {tube.id: cells[tube.strategy.text] for tube in types},
        {tube.id: places[tube.panel] for tube in types if tube.panel is not None},
    )


def _resolved(cells: Iterable[str], resolve: Callable[[str], Path]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for text in dict.fromkeys(cells):
        if text:
            try:
                found[text] = resolve(text)
            except ValueError:
                continue  # the study's reader refuses the row, and it is withheld
    return found


def _parts(path: Path) -> list[Path]:
    return [path] if path.is_file() else [entry for entry in path.rglob("*") if entry.is_file()]


def _strategy(path: Path, place: str, names: Names, files: Mapping[str, str]) -> dict[str, str]:
    return {f"{place}/{name}": text for name, text in clean_strategy(path, names, files).items()}


def _panel(path: Path, place: str, names: Names) -> dict[str, str]:
    return {place: clean_panel(path, names)}


def _free(stem: str, suffix: str, taken: Collection[str]) -> str:
    """Return a place that no other file has."""
    used = {name.casefold() for name in taken}
    number, free = 1, stem + suffix
    while free.casefold() in used:
        number += 1
        free = f"{stem}-{number}{suffix}"
    return free
