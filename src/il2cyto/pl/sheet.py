"""A contact sheet: one gate in many tubes, on the same axes, the odd ones framed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from il2cyto.errors import TableError
from il2cyto.pl.fonts import drawable
from il2cyto.pl.gates import gate
from il2cyto.pl.oddness import ODD, tube_oddness
from il2cyto.pl.style import MUTED

_SIZE = 1.5  # inches per panel
_ODD = "#a4262c"


def contact_sheet(
    plots: Iterable[Mapping[str, Any]], population: str, *, columns: int = 8, sort: bool = False
) -> Figure:
    """Draw one gate in every tube that has it.

    Parameters
    ----------
    plots
        Contents of ``plots.json`` of many tubes; those without the population are left out.
    population
        Path of the population, or its name where that is enough.
    columns
        Panels in a row.
    sort
        The oddest first (see `oddness.tube_oddness`), instead of the order given.

    Returns
    -------
    A new figure with one axes per tube; tubes that lie more than 3.5 robust standard deviations from the median are
    framed in red.

    Raises
    ------
    TableError
        If no tube has the population, or the name stands for several.
    """
    found = [
        (str(content["tube_id"]), entry)
        for content in plots
        for entry in content["gates"]
        if population in (entry["population"], str(entry["population"]).rsplit("/", 1)[-1])
    ]
    paths = sorted({str(entry["population"]) for _, entry in found})
    if not paths:
        raise TableError(f"population = {population!r}: no tube has a gate of that name or path")
    if len(paths) > 1:
        raise TableError(f"population = {population!r} stands for several ({', '.join(paths)}); give its path")
    shared = [_range([entry for _, entry in found], name) for name in "xy"]
    spans = tuple(1.0 if limits is None else limits[1] - limits[0] for limits in shared)
    scores = tube_oddness([entry for _, entry in found], (spans[0], spans[1]))
    order = np.argsort(-np.nan_to_num(scores, nan=-1.0), kind="stable") if sort else np.arange(len(found))
    across = max(1, min(columns, len(found)))
    down = math.ceil(len(found) / across)
    figure = Figure(figsize=(_SIZE * across, _SIZE * 1.22 * down + 0.35), layout="constrained")
    figure.suptitle(f"{paths[0].replace('/', ' › ')} · {len(found)} tubes", fontsize=9)
    for place, number in enumerate(order):
        tube_id, entry = found[number]
        ax = gate(entry, ax=figure.add_subplot(down, across, place + 1))
        estimated = entry.get("percent_parent") is not None and math.isfinite(entry["percent_parent"])
        share = f"{entry['percent_parent']:.3g} %" if estimated else "–"
        ax.set_title(f"{drawable(tube_id)}\n{share}", fontsize=6, loc="left")
        if place:  # the axes are named once
            ax.set_xlabel("")
            ax.set_ylabel("")
        ax.tick_params(labelsize=5, colors=MUTED)
        if shared[0] is not None and entry.get("density"):
            ax.set_xlim(*shared[0])
            if shared[1] is not None:
                ax.set_ylim(*shared[1])
        if scores[number] > ODD:
            for spine in ax.spines.values():
                spine.set(color=_ODD, linewidth=2.2)
    return figure


def _range(entries: list[Mapping[str, Any]], name: str) -> tuple[float, float] | None:
    """One range for all: up to 2 % of the tubes may reach out of it, so that a single one cannot flatten the others."""
    ranges = [entry[name]["range"] for entry in entries if entry.get(name)]
    if not ranges:
        return None
    cut = len(ranges) // 50
    return sorted(low for low, _ in ranges)[cut], sorted(high for _, high in ranges)[len(ranges) - 1 - cut]
