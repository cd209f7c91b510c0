"""Standard curves for the page: what was read, the fit, its limits, and how well the standards are recovered."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from il2cyto.report.beads import bead_svgs
from il2cyto.report.inputs import AssayTables
from il2cyto.report.numbers import three_digits, words
from il2cyto.report.svg import label, superscript
from il2cyto.report.tables import TextTable
from il2cyto.serum.logistic import NAMES, Logistic

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Sides of a picture; the curve above, the recoveries below; margins left, right, top, bottom.
_WIDTH, _CURVE, _RECOVERY = 300, 150, 70
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 10, 8, 30
_GAP: Final = 14
_INK, _LINE, _LIMIT, _BAND = "#1b2733", "#3b6f93", "#b7621b", "#e6eef3"
#: Recoveries beyond these are drawn at the edge.
_LEAST, _MOST = 40.0, 160.0
_POINTS: Final = 80


@dataclass(frozen=True)
class CurvePlot:
    """One curve: title, sentence of its numbers, what is wrong with it (or nothing), and the picture."""

    title: str
    about: str
    warning: str
    svg: str


@dataclass(frozen=True)
class AssaySection:
    """What the page says of the plates: a table of curves, their pictures, controls out of range, and drift."""

    summary: TextTable
    plots: tuple[CurvePlot, ...]
    controls: TextTable | None
    drift: TextTable | None
    beads: tuple[tuple[str, str], ...]


def summarise_assay(tables: AssayTables) -> AssaySection:
    """Put the tables of an assay into a section of the page.

    Parameters
    ----------
    tables
        As a run makes them; `readings` has ``plate, analyte, expected, signal`` of each standard and blank that counts.
    """
    rows = []
    plots = []
    for record in tables.curves.to_dict("records"):
        curve = {str(name): value for name, value in record.items()}
        ends = f"{_number(curve['lloq'])}–{_number(curve['uloq'])}" if curve["status"] == "accepted" else ""
        rows.append(
            (
                words(curve["plate"]), words(curve["analyte"]), words(curve["status"]), words(curve["model"]),
                _number(curve["lod"]), ends, words(curve["unit"]), words(curve["reason"]),
            )
        )  # fmt: skip
        if not pd.isna(curve["c"]):
            plots.append(_plot(curve, tables))
    heads = ("plate", "analyte", "status", "model", "LOD", "LLOQ–ULOQ", "unit", "why not")
    out = tables.controls[tables.controls["within"].eq(False)]
    warned = tables.drift[tables.drift["warning"] != ""]
    told = ("plate", "sample", "analyte", "expected", "observed", "bias_percent", "cv_percent", "note")
    moved = ("analyte", "sample", "plate", "observed", "mean", "deviation_percent", "warning")
    return AssaySection(
        TextTable("Standard curves", heads, tuple(rows)),
        tuple(plots),
        _table("Controls out of range", out, told),
        _table("Drift between plates", warned, moved),
        bead_svgs(tables.beads) if tables.beads is not None else (),
    )


def _table(title: str, frame: pd.DataFrame, columns: Sequence[str]) -> TextTable | None:
    if frame.empty:
        return None
    rows = [tuple(_cell(row[column]) for column in columns) for row in frame.to_dict("records")]
    return TextTable(title, tuple(column.replace("_percent", ", %") for column in columns), tuple(rows))


def _cell(value: Any) -> str:
    return _number(value) if isinstance(value, float) else words(value)


def _number(value: Any) -> str:
    return "" if pd.isna(value) else three_digits(float(value))


def _plot(curve: dict[str, Any], tables: AssayTables) -> CurvePlot:
    fit = Logistic(**{name: float(curve[name]) for name in NAMES}, scale=str(curve["scale"]))
    mine = [
        table[(table["plate"] == curve["plate"]) & (table["analyte"] == curve["analyte"])]
        for table in (tables.readings, tables.standards)
    ]
    title = f"{words(curve['analyte'])}, {words(curve['plate'])}"
    about = f"{curve['model']}, {int(curve['n_readings'])} readings of {int(curve['n_levels'])} levels"
    if curve["status"] == "accepted":
        unit = words(curve["unit"])
        about += f"; quantifies {_number(curve['lloq'])} to {_number(curve['uloq'])} {unit}"
    return CurvePlot(title, about, words(curve["reason"]), _svg(fit, curve, mine[0], mine[1], title))


def _svg(fit: Logistic, curve: dict[str, Any], readings: pd.DataFrame, levels: pd.DataFrame, title: str) -> str:
    x = readings["expected"].to_numpy(dtype=np.float64)
    y = readings["signal"].to_numpy(dtype=np.float64)
    positive = x[x > 0]
    low, high = math.log10(positive.min()) - 0.3, math.log10(positive.max()) + 0.3
    line = np.linspace(low, high, _POINTS)
    fitted = fit.signal(10**line)
    shown = np.concatenate([y[y > 0], fitted[fitted > 0]])
    bottom, top = math.log10(shown.min()) - 0.1, math.log10(shown.max()) + 0.1
    span = _WIDTH - _LEFT - _RIGHT

    def across(values: Any) -> NDArray[np.float64]:
        return np.asarray(_LEFT + (np.asarray(values) - low) / (high - low) * span)

    def up(values: Any) -> NDArray[np.float64]:
        with np.errstate(divide="ignore", invalid="ignore"):
            logs = np.log10(np.asarray(values, dtype=np.float64))
        return np.asarray(_TOP + (top - logs) / (top - bottom) * (_CURVE - _TOP))

    base = _CURVE + _GAP

    def recovery(values: Any) -> NDArray[np.float64]:
        clipped = np.clip(np.asarray(values, dtype=np.float64), _LEAST, _MOST)
        return np.asarray(base + (_MOST - clipped) / (_MOST - _LEAST) * _RECOVERY)

    height = base + _RECOVERY + _BOTTOM
    parts = [
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{escape(title)}">',
        _box(_LEFT, _TOP, span, _CURVE - _TOP, "none"),
        _box(_LEFT, float(recovery(120.0)), span, float(recovery(80.0) - recovery(120.0)), _BAND),
        _box(_LEFT, base, span, _RECOVERY, "none"),
    ]
    for limit in ("lloq", "uloq"):
        if not pd.isna(curve[limit]):
            at = float(across(math.log10(curve[limit])))
            parts.append(_path([(at, _TOP), (at, base + _RECOVERY)], _LIMIT, "3 3"))
    visible = fitted > 0
    parts.append(_path(list(zip(across(line[visible]), up(fitted[visible]), strict=True)), _LINE))
    # a blank has no place on a logarithmic axis and stands at its left edge
    places = np.where(x > 0, across(np.log10(np.where(x > 0, x, 1.0))), _LEFT)
    parts += [
        _dot(px, py, hollow=value == 0) for px, py, value, signal in zip(places, up(y), x, y, strict=True) if signal > 0
    ]
    for level in levels.to_dict("records"):
        if not pd.isna(level["recovery_percent"]):
            at = float(across(math.log10(level["expected"])))
            parts.append(_dot(at, float(recovery(level["recovery_percent"])), hollow=not level["within"]))
    for power in range(math.ceil(low), math.floor(high) + 1):
        parts.append(label(float(across(power)), base + _RECOVERY + 12, f"10{superscript(power)}", "middle"))
    for power in range(math.ceil(bottom), math.floor(top) + 1):
        parts.append(label(_LEFT - 4, float(up(10.0**power)) + 3, f"10{superscript(power)}", "end"))
    parts += [label(_LEFT - 4, float(recovery(value)) + 3, f"{value} %", "end") for value in (80, 120)]
    parts.append(label(_LEFT + span / 2, height - 4, words(curve["unit"]) or "concentration", "middle"))
    return "".join([*parts, "</svg>"])


def _box(x: float, y: float, width: float, height: float, fill: str) -> str:
    stroke = "#c3cdd5" if fill == "none" else "none"
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{fill}" stroke="{stroke}"/>'


def _path(points: Sequence[tuple[float, float]], colour: str, dashes: str = "") -> str:
    d = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    return f'<path d="{d}" fill="none" stroke="{colour}" stroke-width="1.2"{dashed}/>'


def _dot(x: float, y: float, *, hollow: bool) -> str:
    fill = "#fff" if hollow else _INK
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.4" fill="{fill}" stroke="{_INK}"/>'
