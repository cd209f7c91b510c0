"""Problems of the sheets of the clinic and of the section ``outcomes``: each with its file, line, value and remedy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from il2cyto.study import check_study, read_study

Make = Callable[..., Path]

CONMEDS = "subject,drug,group,dose,unit,per,route,start_date,end_date\n"
LABS = "subject,visit,date,test,value,unit,lower,upper\n"
SCORES = "subject,visit,date,score,item,value\n"
AE = "subject,class,start_date,end_date,grade,serious,related\n"
VITALS = "subject,visit,date,height_cm,weight_kg\n"
GOOD = {
    "conmeds": CONMEDS + "A1,prednisone,steroid,10,mg,day,oral,2021-01-01,\n",
    "labs": LABS + "A1,BL,2021-03-01,C3,0.9,g/L,0.8,1.6\n",
    "scores": SCORES + "A1,BL,,SELENA-SLEDAI,rash,1\n",
    "ae": AE + "A1,infection,2021-03-05,,2,N,N\n",
    "vitals": VITALS + "A1,BL,2021-03-01,130,30\n",
}
#: Sheet, row in place of the good one, column or key, and words of the message.
ROWS = [
    ("conmeds", "X9,prednisone,steroid,10,mg,day,oral,2021-01-01,", "subject", "no such subject"),
    ("conmeds", "A1,prednisone,steroid,ten,mg,day,oral,2021-01-01,", "dose", "no finite number"),
    ("conmeds", "A1,prednisone,steroid,,mg,day,oral,2021-01-01,", "dose", "must not be blank"),
    ("conmeds", "A1,prednisone,steroid,-1,mg,day,oral,2021-01-01,", "dose", "no amount"),
    ("conmeds", "A1,prednisone,steroid,10,mgs,day,oral,2021-01-01,", "unit", "did you mean 'mg'"),
    ("conmeds", "A1,prednisone,steroid,10,mg,daily,oral,2021-01-01,", "per", "choose one of"),
    ("conmeds", "A1,prednisone,steroid,10,mg,day,oral,2021-02-01,2021-01-01", "end_date", "before the first"),
    ("conmeds", "A1,prednisone,steroid,10,mg,day,oral,unknown,", "start_date", "must be known"),
    ("labs", "A1,BL,2021-03-01,C3,high,g/L,0.8,1.6", "value", "no finite number"),
    ("labs", "A1,BL,2021-03-01,C3,0.9,g/L,1.6,0.8", "upper", "below the lower"),
    ("labs", "A1,,,C3,0.9,g/L,0.8,1.6", "visit", "its visit, its date or both"),
    ("labs", "A1,M9,2021-03-01,C3,0.9,g/L,0.8,1.6", "visit", "unknown"),
    ("labs", "A1,BL,2021-03-01,C3,0.9,g/L,,\nA1,BL,2021-03-01,C3,0.8,g/L,,", "", "line 2 has this"),
    ("labs", "A1,BL,2021-03-01,C3,0.9,g/L,,\nA1,M1,2021-03-30,C3,90,mg/dL,,", "unit", "in one unit"),
    ("scores", "A1,BL,,SELENA-SLEDAI,rsh,1", "item", "did you mean 'rash'"),
    ("scores", "A1,BL,,SELENA-SLEDAI,rash,2", "value", "no such level"),
    ("scores", "A1,BL,,ESSDAI,central_nervous_system,1", "value", "0, 2"),
    ("ae", "A1,infection,2021-03-05,,6,N,N", "grade", "choose one of"),
    ("ae", "A1,infection,,,2,N,N", "start_date", "must not be blank"),
    ("ae", "A1,infection,2021-03-05,,2,perhaps,N", "serious", "choose one of"),
    ("vitals", "A1,BL,2021-03-01,1.30,30", "height_cm", "no body"),
    ("vitals", "A1,BL,2021-03-01,130,0", "weight_kg", "above 0"),
]
OUTCOME = "outcomes:\n  X: {{{}}}\n"
KEYS = [
    ("kind: steriod", "X.kind", "did you mean 'steroid'"),
    ("kind: steroid, tests: [C3]", "X.tests", "takes days, surface"),
    ("kind: steroid, visit: M9", "X.visit", "unknown"),
    ("kind: steroid, surface: mostellar", "X.surface", "did you mean 'mosteller'"),
    ("kind: steroid, days: 0", "X.days", "at least 1"),
    ("kind: steroid, prednisone_5_mg: {cortivazol: none}", "X.prednisone_5_mg.cortivazol", "5 mg of prednisone"),
    ("kind: steroid, covariates: [WEIGHT]", "X.covariates.1", "choose one of"),
    ("kind: laboratory", "X.tests", "name the tests"),
    ("kind: laboratory, tests: [C3], log: [C4]", "X.log", "not among the tests"),
    ("kind: score", "X.score", "name the score"),
    ("kind: events", "X.classes", "name the classes"),
    ("kind: changed", "X.populations", "name populations"),
    ("kind: changed, populations: [Treg], rule: any", "X.rule", "half of all subjects"),
    ("kind: changed, populations: [Treg], rule: sometimes", "X.rule", "no rule"),
    ("kind: steroid, role: main", "X.role", "choose one of"),
    ("kind: steroid, labels: y", "X.labels", "did you mean 'label'"),
]


@pytest.mark.parametrize(("sheet", "row", "where", "words"), ROWS, ids=[f"{one[0]}-{one[3][:16]}" for one in ROWS])
def test_a_row_that_is_wrong(write: Make, sheet: str, row: str, where: str, words: str) -> None:
    sheets = GOOD | {sheet: GOOD[sheet].split("\n")[0] + "\n" + row + "\n"}
    problems = check_study(write("", **sheets))
    assert problems
    found = [one for one in problems if words in one.message]
    assert found, [str(one) for one in problems]
    assert (found[0].file, found[0].where) == (f"{sheet}.csv", where)
    assert found[0].line == 1 + len(row.split("\n"))


@pytest.mark.parametrize(("keys", "where", "words"), KEYS, ids=[one[0][:40] for one in KEYS])
def test_an_outcome_that_is_wrong(write: Make, keys: str, where: str, words: str) -> None:
    problems = check_study(write(OUTCOME.format(keys), **GOOD))
    found = [one for one in problems if words in one.message]
    assert found, [str(one) for one in problems]
    assert (found[0].file, found[0].where) == ("study.yaml", f"outcomes.{where}")
    assert found[0].line is not None


@pytest.mark.parametrize(
    "kind", ["steroid", "drugs", "laboratory, tests: [C3]", "score, score: X", "events, classes: [x]"]
)
def test_a_kind_without_its_sheet(write: Make, kind: str) -> None:
    problems = check_study(write(OUTCOME.format(f"kind: {kind}")))
    assert any("needs the sheet" in one.message for one in problems)


def test_a_good_study_is_read_whole(write: Make) -> None:
    study = read_study(write(OUTCOME.format("kind: steroid, prednisone_5_mg: {Cortivazol: 0.3}"), **GOOD))
    clinic = study.clinic
    assert [len(rows) for rows in (clinic.drugs, clinic.labs, clinic.scores, clinic.events, clinic.vitals)] == [1] * 5
    assert clinic.sheets == {"conmeds", "labs", "scores", "ae", "vitals"}
    (outcome,) = study.outcomes
    assert (outcome.visit, outcome.days, outcome.role, outcome.registered) == ("M3", 28, "secondary", True)
    assert (outcome.prednisone_5_mg["cortivazol"], outcome.prednisone_5_mg["prednisone"]) == (0.3, 5.0)
    assert {"conmeds", "labs", "scores", "ae", "vitals"} <= set(study.sha256)


def test_a_steroid_without_a_known_equivalent_is_told_when_the_study_is_read(write: Make) -> None:
    row = CONMEDS + "A1,cortivazol,steroid,10,mg,day,oral,2021-01-01,\n"
    problems = check_study(write(OUTCOME.format("kind: steroid"), **GOOD | {"conmeds": row}))
    (one,) = problems
    assert (one.file, one.line, one.value) == ("conmeds.csv", 2, "cortivazol")
    assert "prednisone_5_mg" in one.message
