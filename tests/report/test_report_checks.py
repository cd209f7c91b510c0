from __future__ import annotations

from dataclasses import replace

import fake_trial
import pandas as pd
from test_page import Page

from il2cyto.counts import CHECK_COLUMNS
from il2cyto.report import build_report
from il2cyto.report.checks import summarise_checks

CHECKS = pd.DataFrame(
    [
        ("P1", "BL", "X", "T1", "lymphosum", "", 98.23456, "%", "95 to 105", "pass", ""),
        ("P2", "BL", "X", "T2", "lymphosum", "", 88.0, "%", "95 to 105", "fail", ""),
        ("P1", "BL", "X", "T1", "bead_drift", "", float("nan"), "", "", "not_evaluable", "no beads"),
        ("P2", "BL", "X", "T2", "bead_drift", "", 0.1234, "", "≤ 0.1", "warn", ""),
    ],
    columns=list(CHECK_COLUMNS),
)


def test_verdicts_by_hand():
    section = summarise_checks(CHECKS)
    assert section.summary.columns == ("check", "fail", "warn", "not evaluable", "pass")
    assert section.summary.rows == (("lymphosum", "1", "0", "0", "1"), ("bead drift", "0", "1", "1", "0"))
    assert section.open.rows == (
        ("P2", "BL", "X", "T2", "lymphosum", "88.0", "%", "95 to 105", "fail"),
        ("P2", "BL", "X", "T2", "bead drift", "0.123", "", "≤ 0.1", "warn"),
    )
    assert section.unmade.columns == ("subject", "visit", "tube", "tube id", "check", "verdict", "reason")


def test_no_checks_at_all():
    assert summarise_checks(CHECKS.iloc[:0]).summary.rows == ()


def test_the_page_shows_what_failed():
    page = Page(build_report(replace(fake_trial.make_inputs(with_plots=False), checks=CHECKS)))
    text = page.text.split("Checks of counts")[1]
    assert "lymphosum1001" in text
    assert text.index("P2BLXT2lymphosum88.0%95 to 105fail") < text.index("Not evaluable")
