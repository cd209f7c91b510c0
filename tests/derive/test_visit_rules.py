"""Visits by name and by window, baselines, unscheduled samples, courses and a change of arm, against tables by hand."""

from __future__ import annotations

import random
from datetime import date, timedelta

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from il2cyto.derive import visit_table
from il2cyto.derive.placement import Calendar, Draw, from_target, linear_day, place_draws
from il2cyto.study import Visit, check_study, inspect_study, read_study

# targets and analysis windows of the trial's analysis plan; the cell and serum visit of month 6 has its own
YAML = """\
study: DEMO
title: Visits
arms:
  IL2: {label: IL-2}
  STD: {label: Standard, reference: true}
visits:
  BL: {label: Baseline, number: 0, baseline: true, target_day: 1, window: [-28, 1]}
  M1: {label: Month 1, number: 1, target_day: 30, window: [2, 60]}
  M3: {label: Month 3, number: 2, target_day: 91, window: [61, 136]}
  M6: {label: Month 6, number: 3, target_day: 182, window: [137, 187], max_dsld: 14}
  M12: {label: Month 12, number: 4, target_day: 365, window: [274, 456]}
tubes:
  T: {strategy: t, count: {route: none}}
  U: {strategy: t, count: {route: none}}
samples: samples.csv
dosing: dosing.csv
treatments: [rhIL-2]
"""
DAY_ONE = date(2020, 1, 1)  # a leap year: day 60 is 29 February


def day(study_day: int) -> str:
    return (DAY_ONE + timedelta(days=study_day - (study_day > 0))).isoformat()


def course(first: int, length: int = 5) -> list[int]:
    return list(range(first, first + length))


#: Five days on, nine off, from day 1; A stops early, after the course of day 71; C, a control, changes on day 200.
DOSES = {
    "A": [d for first in range(1, 72, 14) for d in course(first)],
    "B": [d for first in range(1, 184, 14) for d in course(first)],
    "C": course(200),
}


@pytest.fixture
def study(tmp_path):
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "strategy.yaml").write_text("strategy: t\n")

    def write(samples, yaml=YAML, doses=DOSES, dosing=None, serum=None, windows=True):
        rows = []
        for number, (subject, visit, when, *more) in enumerate(samples):
            tube, reference, repeat = (*more, *("T", "", "")[len(more) :])
            arm = "STD" if subject in "CD" else "IL2"
            collected = when if isinstance(when, str) else day(when)
            enrolled = reference if isinstance(reference, str) else day(reference)
            rows.append(
                f"t{number:03d},{subject},{arm},SLE,9,{visit},{collected},{tube},f{number},{enrolled},{repeat}\n"
            )
        header = "tube_id,subject,arm,diagnosis,age_years,visit,collection_date,tube,fcs,reference_date,repeat\n"
        (tmp_path / "samples.csv").write_text(header + "".join(rows))
        lines = [f"{s},{day(d)},0.5,MIU/m2,sc,rhIL-2\n" for s, days in doses.items() for d in days]
        known = {subject for subject, *_ in samples}
        lines = [line for line in lines if line[0] in known]
        (tmp_path / "dosing.csv").write_text("subject,date,dose,unit,route,treatment\n" + (dosing or "".join(lines)))
        if serum is not None:
            text = "subject,visit,analyte,value,unit,collection_date\n" + serum
            (tmp_path / "serum.csv").write_text(text)
            yaml += "serum: serum.csv\n"
        if not lines:
            yaml = yaml.replace("treatments: [rhIL-2]\n", "")
        text = yaml + ("visit_assignment: windows\n" if windows else "")
        (tmp_path / "study.yaml").write_text(text)
        return tmp_path / "study.yaml"

    return write


COLUMNS = ["USUBJID", "AVISIT", "AVISITN", "VISIT", "ADY", "DSLD", "CYCDAY", "NCOURSE", "AWTARGET", "AWTDIFF", "AWLO",
           "AWHI", "ANL01FL", "ABLFL", "APERIOD", "APERDY", "out_of_window", "notice"]  # fmt: skip
NA = None


def table(found: pd.DataFrame, columns: list[str] = COLUMNS) -> list[tuple]:
    cells = found[columns].astype(object)
    return [tuple(row) for row in cells.where(cells.notna(), None).itertuples(index=False)]


def test_by_windows(study):
    samples = [
        ("A", "BL", -30), ("A", "BL", -9), ("A", "BL", 1), ("A", "M1", 29), ("A", "M1", 31), ("A", "", 60),
        ("A", "M3", 61), ("A", "M6", 137), ("A", "M12", 457), ("A", "M12", "unknown"),
        ("B", "BL", -1), ("B", "M3", 87), ("B", "M3", 95), ("B", "M6", 187), ("B", "M6", 188), ("B", "M12", 365),
    ]  # fmt: skip
    no = "lies in no window"
    expected = [
        # A: day -30 is before every window; two baselines: the last; 29 and 31 are as close to 30: the later
        ("A", "UNS-0.99", -0.99, "BL", -30, NA, NA, 0, NA, NA, NA, NA, NA, NA, 1, -30, NA, f"study day -30 {no}"),
        ("A", "UNS-0.98", -0.98, "BL", -9, NA, NA, 0, 1, 9, -28, 1, NA, NA, 1, -9, NA,
         "visit BL takes the sample of study day 1, later and before the first dose"),
        ("A", "BL", 0, "BL", 1, NA, 1, 0, 1, 0, -28, 1, "Y", "Y", 1, 1, False, ""),
        ("A", "UNS0.01", 0.01, "M1", 29, 10, 1, 2, 30, 1, 2, 60, NA, NA, 1, 29, NA,
         "visit M1 takes the sample of study day 31, closer to day 30, or as close and later"),
        ("A", "M1", 1, "M1", 31, 1, 3, 3, 30, 1, 2, 60, "Y", NA, 1, 31, False, ""),
        # a visit that nobody planned; day 60 is 29 February
        ("A", "UNS1.01", 1.01, NA, 60, 1, 4, 5, 30, 30, 2, 60, NA, NA, 1, 60, NA,
         "visit M1 takes the sample of study day 31, closer to day 30, or as close and later"),
        ("A", "M3", 2, "M3", 61, 1, 5, 5, 91, 30, 61, 136, "Y", NA, 1, 61, False, ""),
        # 62 days after the last dose, of day 75: too many for month 6, which is missing
        ("A", "UNS2.01", 2.01, "M6", 137, 62, 67, 6, 182, 45, 137, 187, NA, NA, 1, 137, NA,
         "62 days since the last dose, and visit M6 takes at most 14"),
        ("A", "UNS2.02", 2.02, "M12", 457, 382, 387, 6, NA, NA, NA, NA, NA, NA, 1, 457, NA, f"study day 457 {no}"),
        ("A", "UNK-M12", 4.995, "M12", NA, NA, NA, NA, NA, NA, NA, NA, NA, NA, NA, NA, NA,
         "the collection date is unknown"),
        # B: day -1 to day 1 are one day apart; 87 and 95 are as close to 91: the later
        ("B", "BL", 0, "BL", -1, NA, NA, 0, 1, 1, -28, 1, "Y", "Y", 1, -1, False, ""),
        ("B", "UNS0.01", 0.01, "M3", 87, 1, 3, 7, 91, 4, 61, 136, NA, NA, 1, 87, NA,
         "visit M3 takes the sample of study day 95, closer to day 91, or as close and later"),
        ("B", "M3", 2, "M3", 95, 6, 11, 7, 91, 4, 61, 136, "Y", NA, 1, 95, False, ""),
        ("B", "M6", 3, "M6", 187, 1, 5, 14, 182, 5, 137, 187, "Y", NA, 1, 187, False, ""),
        ("B", "UNS3.01", 3.01, "M6", 188, 1, 6, 14, NA, NA, NA, NA, NA, NA, 1, 188, NA, f"study day 188 {no}"),
        ("B", "M12", 4, "M12", 365, 178, 183, 14, 365, 0, 274, 456, "Y", NA, 1, 365, False, ""),
    ]  # fmt: skip
    found = read_study(study(samples))
    assert table(visit_table(found)) == expected
    assert found.missing_visits().to_numpy().tolist() == [
        ["A", "IL2", "M6"], ["A", "IL2", "M12"], ["B", "IL2", "M1"]
    ]  # fmt: skip
    spread = visit_table(found).set_index(["USUBJID", "AVISIT"])
    assert spread.loc[("A", "M3"), ["DSLDMIN", "DSLDMAX"]].tolist() == [1, 6]
    assert spread.loc[("A", "UNS2.01"), ["DSLDMIN", "DSLDMAX"]].isna().all()
    assert [n.message for n in found.notices if "days since the last dose at" in n.message] == [
        "days since the last dose at visit M3 lie from 1 to 6: its counts differ by that too (DSLD in the tables)"
    ]


def test_by_name(study):
    samples = [
        ("A", "BL", 1), ("A", "M1", 61), ("A", "UNS", 61), ("A", "UNS", 70, "T"), ("A", "UNS", 70, "U"),
        ("A", "M6", 137), ("A", "M12", "unknown"), ("D", "UNS", -3), ("D", "BL", 1), ("D", "M6", 150),
    ]  # fmt: skip
    late = "62 days since the last dose, and visit M6 takes at most 14"
    expected = [
        ("A", "BL", 0, "BL", 1, NA, 1, 0, 1, 0, -28, 1, "Y", "Y", 1, 1, False, ""),
        # outside its window: flagged, and in the analysis, as the sheet says
        ("A", "M1", 1, "M1", 61, 1, 5, 5, 30, 31, 2, 60, "Y", NA, 1, 61, True, ""),
        ("A", "UNS1.01", 1.01, NA, 61, 1, 5, 5, NA, NA, NA, NA, NA, NA, 1, 61, NA, "unscheduled"),
        # two tubes of one day are one visit
        ("A", "UNS1.02", 1.02, NA, 70, 9, 14, 5, NA, NA, NA, NA, NA, NA, 1, 70, NA, "unscheduled"),
        ("A", "M6", 3, "M6", 137, 62, 67, 6, 182, 45, 137, 187, NA, NA, 1, 137, False, late),
        ("A", "M12", 4, "M12", NA, NA, NA, NA, 365, NA, 274, 456, "Y", NA, NA, NA, NA, ""),
        # a control has no doses, and so no days since one; month 6 takes all its samples
        ("D", "UNS-0.99", -0.99, NA, -3, NA, NA, NA, NA, NA, NA, NA, NA, NA, 1, -3, NA, "unscheduled"),
        ("D", "BL", 0, "BL", 1, NA, NA, NA, 1, 0, -28, 1, "Y", "Y", 1, 1, False, ""),
        ("D", "M6", 3, "M6", 150, NA, NA, NA, 182, 32, 137, 187, "Y", NA, 1, 150, False, ""),
    ]  # fmt: skip
    found = read_study(study(samples, windows=False))
    assert table(visit_table(found)) == expected
    assert list(found.visits) == ["UNS-0.99", "BL", "M1", "UNS1.01", "UNS1.02", "M3", "M6", "M12"]
    assert found.visits["UNS1.02"] == Visit("UNS1.02", "Unscheduled 1.02", 1.02, scheduled=False)
    assert ["A", "IL2", "M3"] in found.missing_visits().to_numpy().tolist()


@pytest.mark.parametrize("windows", [False, True])
def test_a_control_who_changes_to_the_treatment(study, windows):
    samples = [("C", "BL", 1, "T", 1), ("C", "M6", 182), ("C", "M12", 200, "U"), ("C", "M12", 365, "T")]
    changed = "drawn in period 2, after the change to the study treatment on study day 200"
    found = read_study(study(samples, windows=windows))
    assert found.subjects["C"].reference_date == DAY_ONE
    columns = ["AVISIT", "ADY", "DSLD", "CYCDAY", "NCOURSE", "ANL01FL", "ABLFL", "APERIOD", "APERDY"]
    rows = table(visit_table(found), columns)
    assert rows[0] == ("BL", 1, NA, NA, 0, "Y", "Y", 1, 1)
    assert rows[1] == ("M6", 182, NA, NA, 0, "Y", NA, 1, 182)
    if windows:
        # day 200 is before the first dose of its day: still the first period, and in no window
        assert rows[2] == ("UNS3.01", 200, NA, 1, 0, NA, NA, 1, 200)
        assert rows[3] == ("UNS3.02", 365, 161, 166, 1, NA, NA, 2, 166)
        assert visit_table(found)["notice"].tolist()[3] == changed
    else:
        # the earliest sample of the named visit decides
        assert rows[2] == ("M12", 200, NA, 1, 0, "Y", NA, 1, 200)
    assert any(
        "C of the reference arm changes to the study treatment on study day 200" in str(n) for n in found.notices
    )


@pytest.mark.parametrize(("time", "period"), [("T08:00", 1), ("", 1), ("T10:00", 2)])
def test_a_sample_on_the_day_of_the_change(study, time, period):
    samples = [("C", "BL", 1, "T", 1), ("C", "M3", day(91) + time)]
    path = study(samples, dosing=f"C,{day(91)}T09:00,1,mg,sc,rhIL-2\n")
    row = visit_table(read_study(path)).iloc[1]
    assert (row["APERIOD"], row["APERDY"]) == (period, 91 if period == 1 else 1)
    assert row["AVISIT"] == ("M3" if period == 1 else "UNS0.01")
    assert row["DSLD"] is pd.NA if period == 1 else row["DSLD"] == 0


def test_the_baseline_is_the_last_sample_whatever_its_target(study):
    yaml = YAML.replace("baseline: true, target_day: 1", "baseline: true, target_day: -9")
    found = visit_table(read_study(study([("A", "BL", -9), ("A", "BL", -2)], yaml=yaml)))
    assert table(found, ["AVISIT", "ADY", "AWTDIFF", "ABLFL"]) == [("UNS-0.99", -9, 0, NA), ("BL", -2, 7, "Y")]


def test_study_day_one_of_a_control(study):
    def first(*samples):
        return visit_table(read_study(study(list(samples), windows=False)))["ADY"].tolist()

    assert first(("D", "BL", 5), ("D", "M1", 30)) == [1, 26]  # the baseline collection
    assert first(("D", "BL", 5, "T", 3), ("D", "M1", 30, "T", 3)) == [3, 28]  # enrolment
    assert first(("D", "M1", 30, "T", 3)) == [28]
    # for the treated, day 1 is the first dose, and that the date is not used is said
    path = study([("A", "BL", 1, "T", -5)], windows=False)
    assert visit_table(read_study(path))["ADY"].tolist() == [1]
    notices = [n.message for n in read_study(path).notices if n.where == "reference_date"]
    assert notices == ["study day 1 of A is that of the first dose; this date is not used"]


def test_two_days_of_enrolment(study):
    problems = check_study(study([("D", "BL", 5, "T", 3), ("D", "M1", 30, "T", 4)]))
    assert [(p.line, p.where) for p in problems] == [(3, "reference_date")]


@pytest.mark.parametrize(
    ("sample", "dose", "expected"),
    [
        # visit, DSLD, CYCDAY, NCOURSE, ABLFL: on the first day of doses, a sample is drawn before the dose …
        ("", "", ("BL", NA, 1, 0, "Y")),
        ("T08:30", "", ("BL", NA, 1, 0, "Y")),
        ("", " 09:00", ("BL", NA, 1, 0, "Y")),
        ("T08:30", " 09:00", ("BL", NA, 1, 0, "Y")),
        ("T09:00", " 09:00", ("BL", NA, 1, 0, "Y")),
        # … unless both sheets say otherwise
        ("T09:01", " 09:00", ("UNS-0.99", 0, 1, 1, NA)),
    ],
)
def test_a_sample_on_the_first_day_of_doses(study, sample, dose, expected):
    path = study([("A", "BL", day(1) + sample)], dosing=f"A,{day(1)}{dose},1,mg,sc,rhIL-2\n")
    row = table(visit_table(read_study(path)), ["AVISIT", "DSLD", "CYCDAY", "NCOURSE", "ABLFL"])
    assert row == [expected]
    if expected[0] != "BL":
        assert visit_table(read_study(path))["notice"].tolist() == ["it was drawn after the first dose"]


@pytest.mark.parametrize(("gap", "cycle", "courses"), [(3, 2, 2), (4, 7, 1)])
def test_what_separates_courses_is_stated(study, gap, cycle, courses):
    path = study([("A", "M1", 7)], yaml=YAML + f"course_gap: {gap}\n", doses={"A": [1, 2, 6]})
    row = visit_table(read_study(path)).iloc[0]
    assert (row["CYCDAY"], row["NCOURSE"], row["DSLD"]) == (cycle, courses, 1)


def test_an_unknown_study_day_one(study):
    path = study([("D", "M3", 91)])
    assert table(visit_table(read_study(path)), ["AVISIT", "VISIT", "ADY", "ANL01FL", "notice"]) == [
        ("UNS-0.99", "M3", NA, NA, "study day 1 of the subject is unknown")
    ]


def test_serum_takes_the_visit_of_its_own_date(study):
    samples = [("B", "BL", 1), ("B", "M3", 91), ("B", "UNS", 100)]
    serum = f"B,M1,IL-6,3,pg/mL,{day(92)}\nB,UNS,IL-6,4,pg/mL,{day(100)}\nB,BL,IL-6,5,pg/mL,\n"
    found = read_study(study(samples, serum=serum))
    assert [value.visit for value in found.serum_values] == ["M3", "UNS2.01", "BL"]
    assert [record.visit for record in found.records] == ["BL", "M3", "UNS2.01"]
    problem = check_study(study(samples, serum="B,M12,IL-6,3,pg/mL,\n"))[0]
    assert (problem.file, problem.line, problem.where) == ("serum.csv", 2, "collection_date")
    assert "B has none there; write the date" in problem.message


def test_two_values_of_an_analyte(study):
    serum = f"B,BL,IL-6,4,pg/mL,{day(1)}\nB,BL,sCD25,4,pg/mL,\nB,BL,IL-6,5,pg/mL,{day(2)}\n"
    problems = check_study(study([("B", "BL", 1)], serum=serum, windows=False))
    assert [(p.file, p.line, p.where, p.value) for p in problems] == [("serum.csv", 4, "analyte", "IL-6")]
    assert problems[0].message == "line 2 has this analyte of B at BL; keep one, or name the visit of the other UNS"


def test_unscheduled_serum_by_name(study):
    serum = f"B,UNS,IL-6,4,pg/mL,{day(95)}\nB,UNS,IL-6,4,pg/mL,{day(100)}\nB,M1,IL-6,4,pg/mL,\n"
    found = read_study(study([("B", "BL", 1), ("B", "M3", 91), ("B", "UNS", 100)], serum=serum, windows=False))
    # of one subject, cells and serum share the numbers
    assert [value.visit for value in found.serum_values] == ["UNS2.01", "UNS2.02", "M1"]
    assert found.records[2].visit == "UNS2.02"
    problem = check_study(study([("B", "BL", 1)], serum="B,UNS,IL-6,4,pg/mL,\n", windows=False))[0]
    assert (problem.line, problem.where) == (2, "visit")
    assert "an unscheduled visit needs its collection_date" in problem.message


@pytest.mark.parametrize(
    ("sample", "windows", "message"),
    [
        (("A", "UNS", "unknown"), False, "an unscheduled visit needs its collection_date"),
        (("A", "", "unknown"), True, "an unscheduled visit needs its collection_date"),
        (("A", "", 5), False, "this cell must not be blank; write UNS for an unscheduled visit"),
        (("A", "M2", 5), True, "did you mean 'M12'?"),
    ],
)
def test_a_wrong_visit(study, sample, windows, message):
    problem = check_study(study([sample], windows=windows))[0]
    assert (problem.line, problem.where) == (2, "visit")
    assert message in problem.message


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (", window: [61, 136]", "", "visits by windows need window and target_day of every visit; visit M3 lacks one"),
        ("target_day: 30, ", "", "visit M1 lacks one"),
        ("[61, 136]", "[60, 136]", "the windows of M1 and M3 overlap"),
        ("max_dsld: 14", "max_dsld: 0", "give a whole number of at least 1"),
        ("treatments:", "course_gap: none\ntreatments:", "give a whole number"),
        ("treatments:", "repeat: last\ntreatments:", "did you mean 'latest'?"),
    ],
)
def test_a_wrong_rule(study, old, new, message):
    assert message in check_study(study([("A", "BL", 1)], yaml=YAML.replace(old, new)))[0].message


def test_too_many_unscheduled_visits(study):
    path = study([("D", "BL", 1), *(("D", "UNS", 1 + n) for n in range(1, 100))], windows=False)
    assert "more than 98 unscheduled visits in a row" in check_study(path)[0].message


class TestRepeats:
    TWICE = (("A", "M1", 30), ("A", "M1", 30))

    @pytest.mark.parametrize(
        ("yaml", "rows", "rules"),
        [
            ("repeat: latest\n", ("", ""), ["apart:latest"] * 2),
            ("repeat: first\n", ("sum", "sum"), ["sum"] * 2),
            ("repeat: sum\n", ("", "sum"), ["sum"] * 2),
            ("", ("latest", "apart:latest"), ["apart:latest"] * 2),
        ],
    )
    def test_the_rule_of_the_study(self, study, yaml, rows, rules):
        samples = [(*one, "T", "", rule) for one, rule in zip(self.TWICE, rows, strict=True)]
        found = read_study(study([*samples, ("A", "BL", 1)], yaml=YAML + yaml))
        assert [record.repeat for record in found.records] == [*rules, None]

    def test_the_rule_of_a_tube_type_goes_before_that_of_the_study(self, study):
        yaml = YAML.replace("T: {strategy: t,", "T: {strategy: t, repeat: sum,") + "repeat: first\n"
        samples = [*self.TWICE, ("A", "M1", 30, "U"), ("A", "M1", 30, "U")]
        found = read_study(study(samples, yaml=yaml))
        assert [record.repeat for record in found.records] == ["sum", "sum", "apart:first", "apart:first"]

    def test_a_row_that_contradicts_the_rule(self, study):
        samples = [(*self.TWICE[0], "T", "", "sum"), self.TWICE[1]]
        problems = check_study(study(samples, yaml=YAML + "repeat: first\n"))
        assert [(p.line, p.where) for p in problems] == [(3, "repeat")]

    @pytest.mark.parametrize(
        ("times", "rule", "stands", "noted"),
        [
            (("", ""), "latest", 1, True),
            (("T09:00", "T08:00"), "latest", 0, False),
            (("T09:00", "T08:00"), "first", 1, False),
            (("T09:00", ""), "latest", 1, True),
        ],
    )
    def test_tubes_of_one_day(self, study, times, rule, stands, noted):
        from il2cyto.study.rules import collection_ranks

        samples = [("A", "M1", day(30) + time) for time in times]
        found = read_study(study(samples, yaml=YAML + f"repeat: {rule}\n"))
        ranks = collection_ranks(found.records)
        chosen = max(ranks, key=ranks.get) if rule == "latest" else min(ranks, key=ranks.get)
        assert chosen == f"t00{stands}"
        assert any("stands for the visit by the order of ids" in n.message for n in found.notices) == noted


DAYS = st.integers(-60, 500).filter(bool)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(days=st.lists(DAYS, min_size=1, max_size=12, unique=True), seed=st.integers(0, 99), windows=st.booleans())
def test_the_order_of_rows_does_not_matter(study, days, seed, windows):
    visits = ["BL", "M1", "M3", "M6", "M12"]
    if windows:
        samples = [("B", visits[d % 5], d) for d in days]
    else:
        samples = [("B", "UNS" if n > 4 else visits[n], d) for n, d in enumerate(days)]
    plain = visit_table(read_study(study(samples, windows=windows)))
    shuffled = samples.copy()
    random.Random(seed).shuffle(shuffled)
    pd.testing.assert_frame_equal(plain, visit_table(read_study(study(shuffled, windows=windows))))


PLANNED = tuple(
    Visit(name, name, number, number == 0, target, window)
    for number, (name, target, window) in enumerate(
        [("BL", 1, (-28, 1)), ("M1", 30, (2, 60)), ("M3", 91, (61, 136)), ("M6", 182, (137, 273))]
    )
)


@given(days=st.sets(DAYS, max_size=15), dosed=st.booleans())
def test_windows_agree_with_their_definition(days, dosed):
    calendar = Calendar(DAY_ONE, (DAY_ONE,) if dosed else ())
    draws = [Draw("cells", None, date.fromisoformat(day(d))) for d in days]
    placed = place_draws(draws, PLANNED, calendar, by_window=True)
    assert set(placed) == set(draws)
    assert len({place.visit for place in placed.values()}) == len(draws)
    by_day = {d: placed[draw] for d, draw in zip(days, draws, strict=True)}
    for visit in PLANNED:
        inside = sorted(d for d in days if visit.window[0] <= d <= visit.window[1])
        taken = [d for d, place in by_day.items() if place.visit == visit.id]
        if not visit.baseline:
            inside.sort(key=lambda d: (-abs(d - visit.target_day), d))
        best = inside[-1:]
        assert taken == best
    for d, place in by_day.items():
        assert (place.apart == "") == (place.visit in {visit.id for visit in PLANNED}), d


@given(first=DAYS, second=DAYS)
def test_distances_cross_no_day_zero(first, second):
    between = abs((date.fromisoformat(day(first)) - date.fromisoformat(day(second))).days)
    assert from_target(first, second) == between == abs(linear_day(first) - linear_day(second))


def test_notices_name_what_was_placed_otherwise(study):
    found = inspect_study(study([("B", "M3", 30), ("B", "M1", 150)]))
    shown = [(n.line, n.value, n.message) for n in found.notices if n.where == "visit"]
    assert shown == [
        (2, "M3", "by its study day this sample stands for visit M1, not for M3"),
        (3, "M1", "by its study day this sample stands for visit M6, not for M1"),
    ]
