"""The pictures of a tube, shortened for the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from il2cyto.report.density import pack
from il2cyto.report.numbers import compact, is_missing, words


def shorten(plots: Mapping[str, Any]) -> dict[str, Any]:
    """Keep of ``plots.json`` what the page draws, with positions to five digits and densities as short text.

    Parameters
    ----------
    plots
        Content of ``plots.json``.

    Returns
    -------
    ``{"n_events": …, "gates": [{population, type, status, reason, count, parent, percent, x, y, bins, density, outline,
    xlim}, …]}``; a gate without a picture has ``density`` ``""``.
    """
    return {"n_events": compact(plots.get("n_events"), 12), "gates": [_gate(gate) for gate in plots["gates"]]}


def _gate(gate: Mapping[str, Any]) -> dict[str, Any]:
    percent = gate.get("percent_parent")
    outline = gate.get("outline")
    limits = gate.get("xlim")
    density = gate.get("density")
    return {
        "population": words(gate["population"]),
        "type": words(gate.get("type")),
        "status": words(gate.get("status")),
        "reason": words(gate.get("reason")),
        "count": compact(gate.get("count"), 12),
        "parent": compact(gate.get("parent_count"), 12),
        "percent": None if is_missing(percent) else compact(percent),
        "x": _axis(gate.get("x")),
        "y": _axis(gate.get("y")),
        "bins": gate.get("bins") or 0,
        "density": pack(density) if density else "",
        "complement": bool(gate.get("complement")),
        "outline": None if not outline else [[compact(x), compact(y)] for x, y in outline],
        "xlim": None if not limits else [compact(limit) for limit in limits],
    }


def _axis(axis: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if not axis:
        return None
    ticks = [[compact(position), words(label)] for position, label in axis.get("ticks") or ()]
    return {"label": words(axis["label"]), "range": [compact(limit) for limit in axis["range"]], "ticks": ticks}
