"""The checks of counts in short: how often each came out how, and every one that did not pass."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from il2cyto.report.numbers import three_digits, words
from il2cyto.report.tables import TextTable, text_table

#: Verdicts from what to look at first to what needs no look.
VERDICTS = ("fail", "warn", "not_evaluable", "pass")


@dataclass(frozen=True)
class CheckSection:
    """Numbers of each verdict by check, the checks to look at, and those that could not be made."""

    summary: TextTable
    open: TextTable
    unmade: TextTable


def summarise_checks(checks: pd.DataFrame) -> CheckSection:
    """Split ``checks.csv`` (`counts.check_counts`) by verdict.

    Examples
    --------
    >>> table = pd.DataFrame({"check": ["lymphosum"] * 2, "value": [98.231, 71.0], "verdict": ["pass", "fail"]})
    >>> section = summarise_checks(table)
    >>> section.summary.rows, section.open.rows
    ((('lymphosum', '1', '0', '0', '1'),), (('lymphosum', '71.0', 'fail'),))
    """
    verdicts = checks["verdict"].map(words)
    shown = checks.assign(
        value=[three_digits(value) for value in checks["value"]],
        verdict=verdicts.str.replace("_", " "),
        check=checks["check"].map(words).str.replace("_", " "),
    )
    rows = []
    for name in dict.fromkeys(shown["check"]):
        own = verdicts[shown["check"] == name]
        rows.append((name, *(str(int((own == verdict).sum())) for verdict in VERDICTS)))
    summary = TextTable("", ("check", *(verdict.replace("_", " ") for verdict in VERDICTS)), tuple(rows))
    looked_at = pd.concat([shown[verdicts == verdict] for verdict in ("fail", "warn")])
    return CheckSection(summary, _without_empty(looked_at), _without_empty(shown[verdicts == "not_evaluable"]))


def _without_empty(rows: pd.DataFrame) -> TextTable:
    kept = [name for name in rows.columns if any(words(value) not in ("", "–") for value in rows[name])]
    return text_table("", rows[kept])
