"""The table of visits of a study on disk, against one written by hand."""

from __future__ import annotations

from datetime import date, timedelta

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from il2cyto.derive import age_at, visit_table
from il2cyto.study import read_study

YAML = """\
study: DEMO
title: Visits
arms:
  IL2: {label: IL-2}
  STD: {label: Standard, reference: true}
visits:
  BL: {label: Baseline, number: 0, baseline: true, window: [-28, 1]}
  M1: {label: Month 1, number: 1, window: [2, 60]}
  M3: {label: Month 3, number: 3}
tubes:
  T: {strategy: t, count: {route: none}}
  U: {strategy: t, count: {route: none}}
samples: samples.csv
dosing: dosing.csv
"""
HEADER = "tube_id,subject,arm,diagnosis,sex,birth_date,age_years,visit,collection_date,tube,fcs\n"
# B is a control without M1; C is sampled before its first dose, without a baseline; D is a control without a baseline
SAMPLES = """\
c1,C,IL2,SLE,,,9,M1,2021-04-30,T,c1
b3,B,STD,JIA,M,,11.75,M3,2021-07-12,T,b3
b1,B,STD,JIA,M,,11.5,BL,2021-04-12,T,b1
a1,A,IL2,SLE,F,2009-03-01,,BL,2021-03-01,T,a1
a4,A,IL2,SLE,F,2009-03-01,,M3,2021-06-03,T,a4
a3,A,IL2,SLE,F,2009-03-01,,M1,2021-03-17,U,a3
a2,A,IL2,SLE,F,2009-03-01,,M1,2021-03-16,T,a2
d1,D,STD,JIA,F,,7,M1,2021-04-12,T,d1
a0,A,IL2,SLE,F,2009-03-01,,BL,2021-03-01,U,a0
"""
DOSING = "subject,date,dose,unit,route,treatment\n" + "".join(
    f"{subject},{day},0.5,MIU/m2,sc,{treatment}\n"
    for subject, day, treatment in [
        *[("A", f"2021-03-{day:02d}", "rhIL-2") for day in (1, 2, 3, 4, 5, 15, 16, 17, 18, 19)],
        ("C", "2021-05-01", "rhIL-2"),
    ]
)
COLUMNS = ["USUBJID", "ARM", "DIAGNOSIS", "SEX", "AGE", "AVISIT", "AVISITN", "collection_date", "ADY", "DSLD", "CYCDAY",
           "out_of_window", "notice"]  # fmt: skip
TWICE = "collected on 2 days (2021-03-16, 2021-03-17); the earliest counts"
EXPECTED = [
    ("A", "IL2", "SLE", "F", 4383 / 365.25, "BL", 0, "2021-03-01", 1, None, 1, False, ""),
    ("A", "IL2", "SLE", "F", 4398 / 365.25, "M1", 1, "2021-03-16", 16, 1, 2, False, TWICE),
    ("A", "IL2", "SLE", "F", 4477 / 365.25, "M3", 3, "2021-06-03", 95, 76, 81, None, ""),
    ("B", "STD", "JIA", "M", 11.5, "BL", 0, "2021-04-12", 1, None, None, False, ""),
    ("B", "STD", "JIA", "M", 11.75, "M3", 3, "2021-07-12", 92, None, None, None, ""),
    ("C", "IL2", "SLE", None, 9.0, "M1", 1, "2021-04-30", -1, None, None, True, ""),
    ("D", "STD", "JIA", "F", 7.0, "M1", 1, "2021-04-12", None, None, None, None, ""),
]


@pytest.fixture
def read(tmp_path):
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "strategy.yaml").write_text("strategy: t\n")

    def _read(samples=SAMPLES, dosing=DOSING, yaml=YAML):
        (tmp_path / "samples.csv").write_text(HEADER + samples)
        (tmp_path / "dosing.csv").write_text(dosing)
        (tmp_path / "study.yaml").write_text(yaml)
        return read_study(tmp_path / "study.yaml")

    return _read


def _expected(rows):
    table = pd.DataFrame(rows, columns=COLUMNS).astype(object).where(lambda frame: frame.notna(), None)
    types = {"AGE": "float64", "AVISITN": "float64", "out_of_window": "boolean"}
    return table.astype(types | dict.fromkeys(("ADY", "DSLD", "CYCDAY"), "Int64"))


def test_the_table_of_visits(read):
    pd.testing.assert_frame_equal(visit_table(read())[COLUMNS], _expected(EXPECTED))


def test_the_order_of_rows_does_not_matter(read):
    reverse = "\n".join(reversed(SAMPLES.splitlines())) + "\n"
    header, *doses = DOSING.splitlines()
    dosing = "\n".join([header, *reversed(doses)]) + "\n"
    pd.testing.assert_frame_equal(visit_table(read(reverse, dosing))[COLUMNS], _expected(EXPECTED))


def test_unknown_dates_and_ages(read):
    samples = """\
a2,A,IL2,SLE,F,,unknown,M1,unknown,T,a2
a1,A,IL2,SLE,F,,9,M1,2021-03-16,U,a1
a3,A,IL2,SLE,F,,unknown,M3,unknown,T,a3
b1,B,STD,JIA,M,,unknown,BL,unknown,T,b1
b2,B,STD,JIA,M,,11.75,M3,2021-07-12,T,b2
"""
    some = "the collection date of 1 of 2 tubes is unknown"
    expected = [
        ("A", "IL2", "SLE", "F", 9.0, "M1", 1, "2021-03-16", 16, 1, 2, False, some),
        ("A", "IL2", "SLE", "F", None, "M3", 3, None, None, None, None, None, ""),
        ("B", "STD", "JIA", "M", None, "BL", 0, None, None, None, None, None, ""),
        ("B", "STD", "JIA", "M", 11.75, "M3", 3, "2021-07-12", 73, 72, 73, None, ""),
    ]
    dosing = DOSING.replace("C,2021-05-01", "B,2021-05-01")
    pd.testing.assert_frame_equal(visit_table(read(samples, dosing))[COLUMNS], _expected(expected))


def test_other_treatments_count_only_when_none_is_named(read):
    dosing = DOSING + "B,2021-04-20,10,mg,oral,prednisone\n"
    named = visit_table(read(dosing=dosing, yaml=YAML + "treatments: [rhIL-2]\n"))
    pd.testing.assert_frame_equal(named[COLUMNS], _expected(EXPECTED))
    every = visit_table(read(dosing=dosing)).set_index(["USUBJID", "AVISIT"])
    assert every.loc[("B", "M3"), ["ADY", "DSLD", "CYCDAY"]].tolist() == [84, 83, 84]
    assert every.loc[("B", "BL"), "ADY"] == -8


def test_a_study_without_doses(read):
    table = visit_table(read(dosing=DOSING.splitlines()[0] + "\n"))
    assert table["ADY"].tolist() == [1, 16, 95, 1, 92, pd.NA, pd.NA]
    assert table["DSLD"].isna().all()
    assert table["CYCDAY"].isna().all()


def test_age_is_computed_alike_in_study_and_derive(read):
    record = next(record for record in read().records if record.tube_id == "a2")
    assert record.age == age_at(date(2009, 3, 1), date(2021, 3, 16))


@pytest.mark.parametrize(
    ("day", "study_day", "outside"), [(1, 1, True), (2, 2, False), (60, 60, False), (61, 61, True)]
)
def test_both_ends_of_a_window_are_inside(read, day, study_day, outside):
    collected = date(2021, 2, 28) + timedelta(days=day)
    samples = f"a,A,IL2,SLE,F,,9,BL,2021-03-01,T,a\nb,A,IL2,SLE,F,,9,M1,{collected},T,b\n"
    row = visit_table(read(samples, DOSING.splitlines()[0] + "\n")).iloc[1]
    assert (row["ADY"], row["out_of_window"]) == (study_day, outside)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    baseline=st.dates(date(2021, 1, 1), date(2021, 6, 1)),
    month=st.dates(date(2021, 1, 1), date(2021, 6, 1)),
    dose=st.none() | st.dates(date(2021, 1, 1), date(2021, 6, 1)),
)
def test_the_notices_of_the_study_are_the_flags_of_the_table(read, baseline, month, dose):
    samples = (
        f"a,A,IL2,SLE,F,,9,BL,{baseline},T,a\nb,A,IL2,SLE,F,,9,M1,{month},T,b\nc,B,STD,SLE,F,,9,BL,2021-03-01,T,c\n"
    )
    dosing = DOSING.splitlines()[0] + "\n" + (f"A,{dose},1,mg,sc,x\n" if dose else "")
    study = read(samples, dosing)
    table = visit_table(study)
    flagged = set(table.loc[table["out_of_window"].fillna(False), "AVISIT"])
    noted = {notice.message.split()[-1] for notice in study.notices if "outside the window" in notice.message}
    assert noted == flagged
