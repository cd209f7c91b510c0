"""The section ``changes`` of study.yaml."""

from __future__ import annotations

import pytest

from il2cyto.study.changes import ANY, CONTROL, FOLD, STATED, ChangeRule, Changes, read_changes
from il2cyto.study.fields import FieldReader
from il2cyto.study.findings import Findings
from il2cyto.study.positions import read_tree


def read(text: str) -> tuple[Changes, list[str]]:
    findings = Findings()
    tree = read_tree(text.encode(), "study.yaml", findings) if text else None
    return read_changes(FieldReader("study.yaml", findings), tree), [one.message for one in findings.problems]


def test_what_a_study_gets_that_says_nothing() -> None:
    changes, problems = read("")
    assert problems == []
    assert changes.rules == (ChangeRule(ANY), ChangeRule(CONTROL), ChangeRule(FOLD, 1.5))
    assert dict(changes.cv) == {}


def test_rules_and_variation() -> None:
    changes, problems = read("rules: [rcv, fold 2]\ncv: {Treg: {analytical: 0.07, within: 0.2}}\n")
    assert problems == []
    assert changes.rules == (ChangeRule(STATED), ChangeRule(FOLD, 2.0))
    assert [rule.name for rule in changes.rules] == ["rcv", "fold 2"]
    assert changes.cv["Treg"] == (0.07, 0.2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rules: [twice]\n", "'twice' is no rule; give any, rcv, rcv_control or fold"),
        ("rules: [fold 0.5]\n", "'fold 0.5' is no rule"),
        ("rules: [rcv]\n", "rcv needs coefficients of variation"),
        ("rules: []\n", "give one rule or more"),
        ("cv: {Treg: {analytical: 7, within: 0.2}}\n", "give a fraction from 0 to below 1"),
        ("cv: {Treg: {within: 0.2}}\n", "this key is required"),
    ],
)
def test_what_is_refused(text: str, message: str) -> None:
    assert any(message in problem for problem in read(text)[1])
