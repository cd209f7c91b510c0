"""Learnt gates in short: what was learnt how, where gates stand by batch and arm, and what a person should look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

import numpy as np
import pandas as pd

from il2cyto.report.numbers import three_digits, words
from il2cyto.report.tables import TextTable, text_table

#: Statuses from what to look at first to what needs no look.
STATUSES: Final = ("not_estimable", "template", "borrowed", "estimated")
#: Rows of the queue that the page shows.
QUEUE: Final = 100
#: Sides of a picture, and its margins: left, right, top, bottom.
_WIDTH, _HEIGHT = 250, 130
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 8, 6, 30
_COLOURS: Final = ("#3b6f93", "#b7621b", "#4d7c3a", "#7a4f9a", "#8a6d3b", "#a03e5c")


@dataclass(frozen=True)
class DriftPlot:
    """Where one gate stands, batch by batch: a title, how it was learnt, a warning (or nothing), and the picture."""

    title: str
    about: str
    warning: str
    svg: str


@dataclass(frozen=True)
class LearntSection:
    """What the page says of learnt gates; `n_queue` rows stand in the queue, of which `queue` shows the first."""

    summary: TextTable
    plots: tuple[DriftPlot, ...]
    arms: tuple[tuple[str, str], ...]
    queue: TextTable
    n_queue: int


def summarise_learnt(
    gates: pd.DataFrame, drift: pd.DataFrame, review: pd.DataFrame, arms: Sequence[str]
) -> LearntSection | None:
    """Put ``gates.csv``, ``drift.csv`` and ``review.csv`` into a section; ``None`` where nothing is learnt.

    Parameters
    ----------
    gates, drift, review
        The tables of a run.
    arms
        Ids of the arms, in the order of their colours.
    """
    if gates.empty:
        return None
    warnings = {
        (words(row["tube"]), words(row["gate"]), int(row["axis"])): words(row["warning"])
        for row in drift.to_dict("records")
    }
    rows, plots = [], []
    for (tube, gate), group in gates.groupby(["tube", "gate"], sort=False):
        first = group.iloc[0]
        own = group[group["axis"] == group["axis"].min()]
        numbers = [str(int((own["gate_status"] == status).sum())) for status in STATUSES]
        reasons = own.loc[own["gate_status"].ne("estimated"), "reason"].map(words)
        why = next((one for one in reasons if one), "")
        rows.append((words(tube), words(gate), words(first["method"]), words(first["scope"]), *numbers, why))
        for axis, part in group.groupby("axis", sort=True):
            known = part[part["position"].notna()]
            if known.empty:
                continue
            place = int(str(axis))
            number = f", axis {place + 1}" if group["axis"].nunique() > 1 else ""
            plots.append(
                DriftPlot(
                    f"{words(tube)} {words(gate)}{number}",
                    f"{words(first['method'])}, per {words(first['scope'])}",
                    warnings.get((words(tube), words(gate), place), ""),
                    _picture(known, arms, f"{words(tube)} {words(gate)}{number}"),
                )
            )
    # what goes with an arm or with doses stands first
    plots.sort(key=lambda plot: not plot.warning)
    named = ("kind of tube", "gate", "method", "scope", *(status.replace("_", " ") for status in STATUSES), "why")
    shown = review.head(QUEUE)
    queue = pd.DataFrame(
        {
            "tube_id": shown["tube_id"].map(words),
            "population": shown["population"].map(lambda path: words(path).rpartition("/")[2]),
            "percent of parent": [three_digits(value) for value in shown["percent_parent"]],
            "gate from": [three_digits(value) for value in shown["gate_lower"]],
            "gate to": [three_digits(value) for value in shown["gate_upper"]],
            "could change the result by %": [three_digits(value) for value in shown["change_percent"]],
            "gate": shown["gate_status"].map(lambda status: words(status).replace("_", " ")),
            "source": shown["gate_source"].map(words),
            "why": shown["why"].map(words),
        }
    )
    return LearntSection(
        TextTable("", named, tuple(rows)),
        tuple(plots),
        tuple((arm, _COLOURS[k % len(_COLOURS)]) for k, arm in enumerate(arms)),
        text_table("", queue),
        len(review),
    )


def _picture(gates: pd.DataFrame, arms: Sequence[str], title: str) -> str:
    """Median position by batch and arm with the range of 95 % of the tubes, widened by the gate's own deviation."""
    own_batch, own_arm = (np.array([words(cell) for cell in gates[name]], dtype=object) for name in ("batch", "arm"))
    batches = sorted(set(own_batch))
    position = gates["position"].to_numpy(np.float64)
    deviation = gates["position_sd"].fillna(0.0).to_numpy(np.float64)
    low, high = float((position - 1.96 * deviation).min()), float((position + 1.96 * deviation).max())
    margin = 0.08 * (high - low) or 0.05
    low, high = low - margin, high + margin
    wide, tall = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM

    def y(value: float) -> float:
        return _TOP + tall * (1.0 - (value - low) / (high - low))

    parts = []
    for tick in (low + margin, (low + high) / 2, high - margin):
        parts.append(
            f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y(tick):.1f}" y2="{y(tick):.1f}" stroke="#e6ebef"/>'
            f'<text x="{_LEFT - 5}" y="{y(tick) + 3:.1f}" text-anchor="end" font-size="10">{tick:.3g}</text>'
        )
    step = wide / len(batches)
    every = max(1, -(-len(batches) // 4))
    for k, batch in enumerate(batches):
        centre = _LEFT + step * (k + 0.5)
        if k % every == 0:
            parts.append(
                f'<text x="{centre:.1f}" y="{_HEIGHT - 14}" text-anchor="middle" font-size="9">{escape(batch)}</text>'
            )
        for number, arm in enumerate(arms):
            own = (own_batch == batch) & (own_arm == arm)
            if not own.any():
                continue
            at = centre + (number - (len(arms) - 1) / 2) * min(9.0, step / (len(arms) + 1))
            bottom, top = (
                np.quantile(position[own] - 1.96 * deviation[own], 0.025),
                np.quantile(position[own] + 1.96 * deviation[own], 0.975),
            )
            middle, colour = float(np.median(position[own])), _COLOURS[number % len(_COLOURS)]
            parts.append(
                f"<g><title>{escape(batch)}, {escape(arm)}: {middle:.4g} ({bottom:.4g} to {top:.4g}), "
                f"{int(own.sum())} tubes</title>"
                f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{y(float(bottom)):.1f}" y2="{y(float(top)):.1f}" '
                f'stroke="{colour}" stroke-width="2" stroke-opacity="0.55"/>'
                f'<circle cx="{at:.1f}" cy="{y(middle):.1f}" r="3" fill="{colour}"/></g>'
            )
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}" role="img" '
        f'aria-label="position of {escape(title)} by batch and arm">{"".join(parts)}</svg>'
    )
