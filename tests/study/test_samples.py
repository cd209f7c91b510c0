"""Every rule of the samples sheet: what a wrong cell says, and where."""

from __future__ import annotations

import math

import pytest

from il2cyto.errors import StudyError

# line, column, value, piece of the message
CELLS = [
    (2, "tube_id", "A/BL", "this name becomes a folder; use letters, digits"),
    (2, "tube_id", "..", "becomes a folder"),
    (2, "tube_id", "x" * 101, "at most 100 characters"),
    (2, "tube_id", "", "must not be blank"),
    (2, "subject", "A|B", "a name without |"),
    (2, "subject", "", "must not be blank"),
    (2, "arm", "IL-2", "did you mean 'IL2'?"),
    (2, "arm", "", "must not be blank"),
    (2, "diagnosis", "", "must not be blank"),
    (2, "sex", "female", "choose one of: F, M, U, INTERSEX"),
    (2, "visit", "BL1", "did you mean 'BL'?"),
    (2, "tube", "TBMK", "did you mean 'TBNK'?"),
    (2, "fcs", "", "must not be blank"),
    (2, "fcs", "/data/a1.fcs", "set the data root with `data_root:` or --data-root"),
    (2, "fcs", "../a1.fcs", "the path leaves its folder"),
    (2, "fcs", "x/../../a1.fcs", "the path leaves its folder"),
    (2, "fcs", "data\\a1.fcs", "write the path with /"),
    (2, "fcs", "D:\\a1.fcs", "absolute paths are not read"),
    (2, "collection_date", "01.03.2021", "write the date as yyyy-mm-dd"),
    (2, "collection_date", "03/01/2021", "no other form is guessed"),
    (2, "collection_date", "20210301", "write the date as yyyy-mm-dd"),
    (2, "collection_date", "2021-03-01T8:00", "write the date as yyyy-mm-dd"),
    (2, "collection_date", "2021-03-01T24:00", "the clock no such time"),
    (2, "collection_date", "44256", "this is a number; format the cell as a date"),
    (2, "collection_date", "01.03.21", "state its form in study.yaml"),
    (2, "collection_date", "2021-02-29", "the calendar has no such day"),
    (2, "collection_date", "", "must not be blank; write unknown if nobody knows the date"),
    (2, "collection_date", "Unknown", "write the date as yyyy-mm-dd"),
    (2, "route", "bead", "did you mean 'beads'?"),
    (7, "route", "dual", "needs tubes.PCT.count.denominator in study.yaml"),
    (7, "route", "chained", "needs tubes.PCT.count.population in study.yaml"),
    (2, "beads_per_test", "0", "must be above 0; write the number of beads per tube that the lot states"),
    (2, "beads_per_test", "-1", "must be above 0"),
    (2, "beads_per_test", "inf", "no finite number"),
    (2, "beads_per_test", "1e999", "no finite number"),
    (2, "beads_per_test", "nan", "no finite number"),
    (2, "beads_per_test", "many", "no finite number; write the number of beads"),
    (2, "beads_per_test", "51,230", "commas are not guessed"),
    (2, "beads_per_test", "", "route 'beads' of tube TBNK needs this cell; write the number of beads"),
    (2, "blood_volume_ul", "-50", "must be above 0; write the microlitres of blood"),
    (2, "blood_volume_ul", "50,0", "write a decimal point and no separator"),
    (2, "blood_volume_ul", "", "needs this cell; write the microlitres"),
    (5, "dilution", "0", "must be above 0; write total volume / blood volume"),
    (5, "dilution", "", "route 'volumetric' of tube CELLS needs this cell; write total volume / blood volume"),
    (5, "volume", "-25", "must be above 0; write the acquired volume"),
    (5, "volume", "", "the unit uL needs a volume"),
    (5, "volume_unit", "ul", "did you mean 'uL'?"),
    (5, "volume_unit", "", "needs this cell; write one of: uL, nL, mL, file_uL, file_nL"),
    (6, "alc_per_ul", "", "route 'dual' of tube PBMC needs this cell; write the lymphocytes per microlitre"),
    (6, "alc_per_ul", "0", "must be above 0"),
    (6, "alc_per_ul", "1,48", "commas are not guessed"),
    (5, "age_years", "-1", "from 0 to 120 years"),
    (5, "age_years", "115,5", "commas are not guessed"),
    (5, "age_years", "", "the age is unknown; fill in age_years or birth_date, or write unknown in age_years"),
    (5, "age_years", "n/a", "write the age in years, for example 11.5, or unknown"),
    (2, "age_years", "unknown", "birth_date is given too; leave one of the two cells blank"),
    (2, "age_years", "12", "birth_date is given too; leave one of the two cells blank"),
    (2, "repeat", "add", "choose one of: sum, apart:first, apart:latest"),
    (2, "strategy", "gating/nil", "folder that holds strategy.yaml"),
    (2, "strategy", "il2cyto:nothing", "no packaged strategy is called 'nothing'"),
    (2, "batch", "batch 7", "this is no id; use letters, digits"),
    (2, "instrument", "Aurora/1", "this is no id"),
    (2, "panel", "gating/nil.csv", "no panel file is there"),
    (2, "panel", "../nil.csv", "the path leaves its folder"),
    (2, "subject", "A\u200b", "invisible character (U+200B, ZERO WIDTH SPACE)"),
    (2, "bead_lot", "L\t1", "invisible character (U+0009"),
]


@pytest.mark.parametrize(("line", "column", "value", "message"), CELLS)
def test_a_wrong_cell(folder, line, column, value, message):
    problems = folder.cell(line, column, value).problems()
    shown = value if value.isprintable() else ascii(value)[1:-1]
    shown = shown if len(shown) <= 80 else shown[:79] + "…"
    found = [problem for problem in problems if (problem.line, problem.where) == (line, column)]
    assert any(problem.value == shown and message in problem.message for problem in found)
    assert {problem.file for problem in problems} == {"samples.csv"}
    with pytest.raises(StudyError) as caught:
        folder.read()
    assert f"samples.csv, line {line}, {column}" in str(caught.value)


def test_a_volume_without_a_unit(folder):
    problem = folder.cell(7, "volume", "5").problems()[0]
    assert (problem.line, problem.where, problem.value) == (7, "volume_unit", "")
    assert "a volume needs its unit; write one of: uL, nL, mL, file_uL, file_nL" in problem.message


def test_a_volume_beside_a_unit_of_the_file(folder):
    problem = folder.cell(5, "volume_unit", "file_uL").problems()[0]
    assert (problem.line, problem.where, problem.value) == (5, "volume", "25")
    assert "the unit file_uL takes the volume from the FCS file; leave this cell blank" in problem.message


@pytest.mark.parametrize(
    ("value", "shown", "message"),
    [
        ("01.03.2009", "##.##.####", "write the date as yyyy-mm-dd"),
        ("1 March 2009", "# xxxxx ####", "write the date as yyyy-mm-dd"),
        ("2009-02-30", "####-##-##", "the calendar has no such day"),
        ("2021-03-02", "####-##-##", "the age at collection would not lie from 0 to 120"),
        ("1900-01-01", "####-##-##", "the age at collection would not lie from 0 to 120"),
    ],
)
def test_a_wrong_date_of_birth_is_not_repeated(folder, value, shown, message):
    problems = folder.cell(2, "birth_date", value).problems()
    assert (problems[0].line, problems[0].where, problems[0].value) == (2, "birth_date", shown)
    assert message in problems[0].message
    assert value not in "".join(map(str, problems))


def test_two_dates_of_birth(folder):
    problems = folder.cell(4, "birth_date", "2009-03-02").problems()
    assert [str(problem) for problem in problems] == [
        "samples.csv, line 4, birth_date: subject A has another in line 2; one subject has one birth_date"
    ]


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("arm", "STD", "subject A has 'IL2' in line 2; one subject has one arm"),
        ("diagnosis", "JIA", "subject A has 'SLE' in line 2; one subject has one diagnosis"),
        ("sex", "M", "subject A has 'F' in line 2; one subject has one sex"),
    ],
)
def test_a_subject_that_contradicts_itself(folder, column, value, message):
    problems = folder.cell(4, column, value).problems()
    assert [(p.file, p.line, p.where, p.value, p.message) for p in problems] == [
        ("samples.csv", 4, column, value, message)
    ]


def test_a_sex_that_some_rows_leave_blank(folder):
    assert folder.cell(2, "sex", "").read().subjects["A"].sex == "F"


def test_two_ages_at_one_visit(folder):
    problem = folder.cell(6, "age_years", "11.6").problems()[0]
    assert (problem.line, problem.where, problem.value) == (6, "age_years", "11.6")
    assert "subject B is 11.5 years old at the same visit in line 5" in problem.message


@pytest.mark.parametrize("value", ["A-BL-TBNK", "a-bl-tbnk"])
def test_a_tube_id_stands_once_whatever_its_case(folder, value):
    problem = folder.cell(4, "tube_id", value).problems()[0]
    assert (problem.line, problem.where, problem.value) == (4, "tube_id", value)
    assert "line 2 has the same tube_id; give each tube its own" in problem.message


@pytest.mark.parametrize("value", ["a1.fcs", "./a1.fcs", "gating/../a1.fcs", "link.fcs"])
def test_a_file_is_one_tube_however_it_is_written(folder, value):
    (folder.path / "link.fcs").symlink_to(folder.path / "a1.fcs")
    problem = folder.cell(4, "fcs", value).problems()[0]
    assert (problem.line, problem.where, problem.value) == (4, "fcs", value)
    assert "line 2 has the same fcs; each file is one tube" in problem.message


def test_a_link_may_not_leave_the_data_root(folder, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside") / "a.fcs"
    outside.write_bytes(b"FCS3.1")
    (folder.path / "link.fcs").symlink_to(outside)
    problem = folder.cell(4, "fcs", "link.fcs").problems()[0]
    assert (problem.line, problem.where, problem.value) == (4, "fcs", "link.fcs")
    assert "the path leaves its folder" in problem.message


class TestRepeats:
    AGAIN = "A-BL-TBNK2,A,IL2,SLE,F,2009-03-01,,BL,2021-03-01,TBNK,a4.fcs,,,,51230,L1,50,,,,,,,{},"

    def test_without_a_rule_both_rows_are_named(self, folder):
        problems = folder.append(self.AGAIN.format("")).problems()
        assert [(p.line, p.where) for p in problems] == [(2, "repeat"), (8, "repeat")]
        assert problems[0].message == (
            "line 8 is the same subject, visit and tube; write sum, apart:first or apart:latest in each of these rows, "
            "or state `repeat:`"
        )

    def test_a_rule_in_one_row_is_not_enough(self, folder):
        problems = folder.append(self.AGAIN.format("sum")).problems()
        assert [(p.line, p.where) for p in problems] == [(2, "repeat")]

    def test_two_rules(self, folder):
        problems = folder.append(self.AGAIN.format("apart:first")).cell(2, "repeat", "sum").problems()
        assert [(p.line, p.where, p.value) for p in problems] == [(8, "repeat", "apart:first")]
        assert "under the rule 'sum'; write one rule in all of them" in problems[0].message

    @pytest.mark.parametrize("rule", ["sum", "apart:first", "apart:latest"])
    def test_one_rule(self, folder, rule):
        study = folder.append(self.AGAIN.format(rule)).cell(2, "repeat", rule).read()
        assert [record.repeat for record in study.records if record.tube == "TBNK" and record.visit == "BL"] == [
            rule
        ] * 2

    def test_different_strategies_cannot_be_summed(self, folder):
        folder.append(self.AGAIN.format("sum")).cell(2, "repeat", "sum")
        problem = folder.cell(8, "strategy", "gating/treg").problems()[0]
        assert (problem.line, problem.where) == (8, "repeat")
        assert "only tubes of one strategy and route can be summed" in problem.message

    @pytest.mark.parametrize("rule", ["apart:first", "apart:latest"])
    def test_known_and_unknown_dates_have_no_order(self, folder, rule):
        folder.append(self.AGAIN.format(rule)).cell(2, "repeat", rule).cell(8, "collection_date", "unknown")
        problem = folder.problems()[0]
        assert (problem.line, problem.where, problem.value) == (8, "collection_date", "unknown")
        assert f"{rule} needs an order, and line 2 has a date; write all dates, or unknown in all" in problem.message

    def test_known_and_unknown_dates_can_be_summed(self, folder):
        folder.append(self.AGAIN.format("sum")).cell(2, "repeat", "sum").cell(8, "collection_date", "unknown")
        assert folder.read().records[-1].collection_date is None


class TestUnknown:
    def test_what_the_sheet_does_not_know(self, folder):
        for line in (4, 5, 6):
            folder.cell(line, "collection_date", "unknown")
        study = folder.cell(5, "age_years", "unknown").cell(6, "age_years", "unknown").read()
        assert [record.collection_date is None for record in study.records] == [False, False, True, True, True, False]
        # without a date the age of A at M1 is unknown too, although the date of birth is not
        assert [math.isnan(record.age) for record in study.records] == [False, False, True, True, True, False]
        assert [str(notice) for notice in study.notices] == [
            "samples.csv, collection_date = 'unknown': the collection date is unknown in 3 of 6 rows: no study day, no "
            "time since a dose; the age is unknown in 3 of 6 rows"
        ]

    def test_unknown_ages_alone(self, folder):
        (notice,) = folder.cell(7, "age_years", "unknown").read().notices
        assert (notice.line, notice.where) == (None, "age_years")
        assert notice.message == "the age is unknown in 1 of 6 rows"

    def test_the_order_of_rows_in_place_of_dates(self, folder):
        folder.append(TestRepeats.AGAIN.format("apart:latest")).cell(2, "repeat", "apart:latest")
        folder.cell(2, "collection_date", "unknown").cell(8, "collection_date", "unknown")
        (folder.path / "a4.fcs").write_bytes(b"FCS3.1")
        notice = folder.read().notices[1]
        assert notice.where == "repeat"
        assert (
            notice.message == "without dates the first and the latest tube are those of the order of rows (lines 2, 8)"
        )

    def test_an_unknown_baseline_gives_no_window(self, folder):
        folder.replace("label: Month 3, number: 2}", "label: Month 3, number: 2, window: [60, 91]}")
        folder.cell(5, "collection_date", "unknown").cell(6, "collection_date", "unknown")
        assert [notice.where for notice in folder.read().notices] == ["collection_date"]

    def test_in_a_workbook(self, folder):
        study = folder.cell(7, "collection_date", "unknown").workbooks().read()
        assert study.records[-1].collection_date is None


class TestNotices:
    def test_a_missing_file(self, folder):
        (folder.path / "a2.fcs").unlink()
        notice = folder.read().notices[0]
        assert (notice.file, notice.line, notice.where, notice.value) == ("samples.csv", 3, "fcs", "a2.fcs")
        assert "no FCS file is there; the tube will be listed as a failure" in notice.message

    def test_a_chain_without_its_source(self, folder):
        folder.sheets["samples"] = folder.sheets["samples"].replace(
            "A-BL-TBNK,A,IL2,SLE,F,2009-03-01,,BL,2021-03-01,TBNK,a1.fcs,,,,51230,L1,50,,,,,S1,Aurora-1,,\n", ""
        )
        notice = folder.read().notices[0]
        assert (notice.line, notice.where, notice.value) == (2, "tube", "TREG")
        assert "A has no counted tube TBNK at BL: cells/µL of this tube will not be estimable" in notice.message

    def test_a_chain_whose_source_is_not_counted(self, folder):
        notice = folder.cell(2, "route", "none").read().notices[0]
        assert (notice.line, notice.where) == (3, "tube")

    @pytest.mark.parametrize(
        ("line", "day", "study_day", "window"),
        [(4, "2021-04-30", 61, "2 to 60 of visit M1"), (2, "2021-03-02", 2, "-28 to 1 of visit BL")],
    )
    def test_a_visit_outside_its_window(self, folder, line, day, study_day, window):
        folder.cell(line, "collection_date", day)
        notice = folder.read().notices[0]
        assert (notice.line, notice.where, notice.value) == (line, "collection_date", day)
        assert notice.message == f"study day {study_day} lies outside the window {window}"

    @pytest.mark.parametrize("day", ["2021-03-02", "2021-04-29"])
    def test_both_ends_of_a_window_are_inside(self, folder, day):
        assert folder.cell(4, "collection_date", day).read().notices == ()

    def test_a_window_of_a_control_counts_from_its_baseline(self, folder):
        folder.replace("label: Month 3, number: 2}", "label: Month 3, number: 2, window: [60, 91]}")
        notice = folder.read().notices[0]
        assert (notice.line, notice.message) == (7, "study day 92 lies outside the window 60 to 91 of visit M3")

    def test_visits_out_of_order(self, folder):
        notice = folder.cell(7, "collection_date", "2021-04-11").read().notices[0]
        assert (notice.line, notice.where, notice.value) == (7, "collection_date", "2021-04-11")
        assert notice.message == "visit BL (line 5) was collected later than M3; check the visits"

    def test_a_visit_that_the_arm_does_not_expect(self, folder):
        notice = folder.cell(4, "visit", "M3").read().notices[0]
        assert (notice.line, notice.where, notice.value) == (4, "visit", "M3")

    def test_lymphocytes_in_the_wrong_unit(self, folder):
        notice = folder.cell(6, "alc_per_ul", "1.48").read().notices[0]
        assert (notice.line, notice.where, notice.value) == (6, "alc_per_ul", "1.48")
        assert "10⁹/L? Then multiply it by 1000" in notice.message

    def test_two_spellings_of_a_subject(self, folder):
        notice = folder.cell(4, "subject", "a").read().notices[0]
        assert (notice.line, notice.where, notice.value) == (4, "subject", "a")
        assert "line 2 has 'A'; these count as two subjects" in notice.message

    def test_spaces_are_removed_and_noted(self, folder):
        study = folder.cell(2, "arm", " IL2").cell(4, "arm", "IL2\u00a0").read()
        assert {record.arm for record in study.records} == {"IL2", "STD"}
        assert [(n.line, n.where, n.message) for n in study.notices] == [
            (2, "arm", "spaces around the value were removed (line 2, 4)")
        ]


class TestColumns:
    @pytest.mark.parametrize(
        "column", ["tube_id", "subject", "arm", "diagnosis", "visit", "collection_date", "tube", "fcs"]
    )
    def test_a_required_column(self, folder, column):
        problems = folder.without_column(column).problems()
        assert ("samples.csv", 1, column) in [(p.file, p.line, p.where) for p in problems]
        assert problems[0].message == "this column is required and missing"

    def test_neither_age_nor_date_of_birth(self, folder):
        problems = folder.without_column("birth_date").without_column("age_years").problems()
        assert [(p.line, p.where) for p in problems] == [(1, "age_years")]
        assert "neither birth_date nor age_years; add one of these columns" in problems[0].message

    def test_an_unknown_column(self, folder):
        problem = folder.replace("beads_per_test", "beads_per_tets", "samples").problems()[0]
        assert (problem.line, problem.where) == (1, "beads_per_tets")
        assert "did you mean 'beads_per_test'?" in problem.message

    def test_a_column_that_a_route_needs_is_named_once(self, folder):
        problems = folder.without_column("blood_volume_ul").problems()
        assert [(p.line, p.where) for p in problems] == [(1, "blood_volume_ul")]
        assert problems[0].message == (
            "route 'beads' of tube TBNK needs this column; write the microlitres of blood in the tube, for example 50"
        )

    def test_optional_columns_may_be_absent(self, folder):
        for column in ("panel", "strategy", "route", "bead_lot", "repeat", "comment", "sex"):
            folder.without_column(column)
        assert folder.read().records[0].bead_lot is None


def test_ten_problems_at_once(folder):
    folder.replace("title:", "titel:").replace("cv_lot: 0.01", "cv_lot: 1")
    folder.cell(2, "arm", "IL-2").cell(2, "beads_per_test", "0").cell(3, "fcs", "../a2.fcs")
    folder.cell(4, "collection_date", "30.03.2021").cell(5, "volume_unit", "ul").cell(6, "alc_per_ul", "")
    folder.cell(2, "subject", "C", "dosing").cell(3, "visit", "BM", "serum")
    with pytest.raises(StudyError) as caught:
        folder.read()
    assert [(p.file, p.line, p.where, p.value) for p in caught.value.problems] == [
        ("study.yaml", 1, "title", ""),
        ("study.yaml", 2, "titel", ""),
        ("study.yaml", 21, "errors.cv_lot", "1"),
        ("samples.csv", 2, "arm", "IL-2"),
        ("samples.csv", 2, "beads_per_test", "0"),
        ("samples.csv", 3, "fcs", "../a2.fcs"),
        ("samples.csv", 4, "collection_date", "30.03.2021"),
        ("samples.csv", 5, "volume_unit", "ul"),
        ("samples.csv", 6, "alc_per_ul", ""),
        ("dosing.csv", 2, "subject", "C"),
        ("serum.csv", 3, "visit", "BM"),
    ]
    assert str(caught.value).startswith("11 problems in the study:\n  study.yaml, line 1, title: this key is required")
