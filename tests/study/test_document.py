"""Every rule of study.yaml: what a wrong one says, and where."""

from __future__ import annotations

import pytest

from il2cyto.study import check_study

# old text, new text, line, key path, value, piece of the message
RULES = [
    ("study: DEMO\n", "", 1, "study", "", "required"),
    ("study: DEMO", "study: ''", 1, "study", "", "give a text"),
    ("study: DEMO", "study: De mo", 1, "study", "De mo", "letters, digits and . _ + - only"),
    ("title:", "titel:", 2, "titel", "", "did you mean 'title'?"),
    ("title:", "colour:", 2, "colour", "", "known are: study, title"),
    ("title: A small study", "title: [a]", 2, "title", "", "give a text"),
    ("title: A small study", "title: ~", 2, "title", "", "required"),
    ("registry: NCT04397107", "registry: {a: b}", 3, "registry", "", "give a text"),
    ("title: A small study", 'title: "A\\0s"', 2, "title", "A\\x00s", "invisible character (U+0000)"),
    # arms
    ("label: Low-dose IL-2", "lable: Low-dose IL-2", 5, "arms.IL2.lable", "", "did you mean 'label'?"),
    ("label: Low-dose IL-2, ", "", 5, "arms.IL2.label", "", "required"),
    ("visits: [BL, M1]}", "visits: [BL, M9]}", 5, "arms.IL2.visits.2", "M9", "choose one of: BL, M1, M3"),
    ("visits: [BL, M1]}", "visits: [BL, BL]}", 5, "arms.IL2.visits.2", "BL", "keep one"),
    ("visits: [BL, M1]}", "visits: BL}", 5, "arms.IL2.visits", "BL", "give a list"),
    ("    reference: true\n", "", 5, "arms", "", "reference: true"),
    ("reference: true", "reference: yes", 8, "arms.STD.reference", "yes", "true or false"),
    ("Low-dose IL-2,", "Low-dose IL-2, reference: true,", 8, "arms.STD.reference", "true", "arm IL2 is the reference"),
    ("  IL2:", "  IL 2:", 5, "arms", "IL 2", "letters, digits"),
    ("IL2: {label: Low-dose IL-2, visits: [BL, M1]}", "IL2: low", 5, "arms.IL2", "low", "mapping with the keys label"),
    # visits
    ("number: 1,", "number: 0,", 11, "visits.M1.number", "0", "above that of BL (0)"),
    ("number: 1,", "number: 1.5,", 11, "visits.M1.number", "1.5", "whole number"),
    ("number: 1, ", "", 11, "visits.M1.number", "", "required"),
    ("number: 2}", "number: 2, baseline: true}", 12, "visits.M3.baseline", "true", "visit BL is the baseline"),
    ("target_day: 30", "target_day: 0", 11, "visits.M1.target_day", "0", "no study day 0"),
    ("target_day: 30", "target_day: 61", 11, "visits.M1.target_day", "61", "outside the window 2 to 60"),
    ("[2, 60]", "[60, 2]", 11, "visits.M1.window", "60", "ends (day 2) before it begins"),
    ("[2, 60]", "[31, 30]", 11, "visits.M1.window", "31", "ends (day 30) before it begins"),
    ("[2, 60]", "[2]", 11, "visits.M1.window", "", "for example [2, 60]"),
    ("[2, 60]", "[2, x]", 11, "visits.M1.window.2", "x", "whole number"),
    ("window: [2, 60]", "windwo: [2, 60]", 11, "visits.M1.windwo", "", "did you mean 'window'?"),
    # tubes
    ("strategy: gating/tbnk, count: {route: beads", "strategy: gating/nil, count: {route: beads", 14,
     "tubes.TBNK.strategy", "gating/nil", "folder that holds strategy.yaml"),
    ("strategy: gating/treg", "strategy: ../treg", 15, "tubes.TREG.strategy", "../treg", "leaves its folder"),
    ("strategy: gating/treg", "strategy: /gating/treg", 15, "tubes.TREG.strategy", "/gating/treg", "absolute"),
    ("strategy: gating/treg", 'strategy: "C:/gating"', 15, "tubes.TREG.strategy", "C:/gating", "absolute"),
    ("strategy: gating/treg", r"strategy: gating\treg", 15, "tubes.TREG.strategy", r"gating\treg", "with /"),
    ("strategy: gating/treg", 'strategy: "il2cyto:tregs"', 15, "tubes.TREG.strategy", "il2cyto:tregs", "no packaged"),
    ('"data:workspace.xml"', '"data:workspace.wsp"', 16, "tubes.CELLS.strategy", "data:workspace.wsp", ".xml file"),
    ('"data:workspace.xml"', '"data:../w.xml"', 16, "tubes.CELLS.strategy", "data:../w.xml", "--data-root"),
    ("aurora.csv", "arora.csv", 15, "tubes.TREG.panel", "gating/treg/arora.csv", "no panel file is there"),
    ("route: none", "route: non", 18, "tubes.PCT.count.route", "non", "did you mean 'none'?"),
    ("route: beads, beads: beads", "route: beads", 14, "tubes.TBNK.count.beads", "", "route 'beads' needs this key"),
    ("route: dual, denominator: lympho", "route: dual", 17, "tubes.PBMC.count.denominator", "", "'dual' needs"),
    ("population: CD4, from", "from", 15, "tubes.TREG.count.population", "", "route 'chained' needs this key"),
    (", from: TBNK/CD4", "", 15, "tubes.TREG.count.from", "", "route 'chained' needs this key"),
    ("from: TBNK/CD4", "from: TBNK", 15, "tubes.TREG.count.from", "TBNK", "for example TBNK/CD4"),
    ("from: TBNK/CD4", "from: TBNKK/CD4", 15, "tubes.TREG.count.from", "TBNKK/CD4", "did you mean 'TBNK'?"),
    ("from: TBNK/CD4", "from: PCT/CD4", 15, "tubes.TREG.count.from", "PCT/CD4", "name one of: TBNK, CELLS, PBMC"),
    ("from: TBNK/CD4", "from: TREG/CD4", 15, "tubes.TREG.count.from", "TREG/CD4",
     "no cells/µL of its own; name one of: TBNK"),
    (", count: {route: none}", "", 18, "tubes.PCT.count", "", "required"),
    ("route: beads, beads: beads", "route: bead, beads: beads", 14, "tubes.TBNK.count.route", "bead", "'beads'?"),
    # the rest
    ("percent_of: [CD4, live]", "percent_of: CD4", 19, "percent_of", "CD4", "give a list"),
    ("lloq_events: 50", "lloq_events: -5", 20, "limits.lloq_events", "-5", "at least 1"),
    ("lloq_events: 50", "lloq_events: 5", 20, "limits", "", "above the limit of quantification (5)"),
    ("min_beads: 500", "min_beeds: 500", 20, "limits.min_beeds", "", "did you mean 'min_beads'?"),
    ("cv_lot: 0.01", "cv_lot: 2", 21, "errors.cv_lot", "2", "0.025 for 2.5 %"),
    ("cv_lot: 0.01", "cv_lot: .nan", 21, "errors.cv_lot", ".nan", "fraction"),
    ("cv_lot: 0.01", "cv_lot: [1]", 21, "errors.cv_lot", "", "fraction"),
    ("samples: samples.csv\n", "", 1, "samples", "", "required"),
    ("samples.csv", "sample.csv", 22, "samples", "sample.csv", "no file is there"),
    ("samples.csv", "../samples.csv", 22, "samples", "../samples.csv", "leaves its folder"),
    ("dosing.csv", "samples.csv", 23, "dosing", "samples.csv", "another sheet is read from this file"),
    ("dosing: dosing.csv", "treatments: [rhIL-2]", 23, "treatments", "rhIL-2", "give the sheet as `dosing:`"),
    ("serum: serum.csv", "serum: serum.csv\ntreatments: [rhIL2]", 25, "treatments", "rhIL2", "did you mean 'rhIL-2'?"),
    ("{populations: [CD4, Treg]}", "{population: [CD4]}", 25, "model.population", "", "did you mean 'populations'?"),
    ("dosing: dosing.csv", "dosing: nil.csv\ntreatments: [rhIL-2]", 23, "dosing", "nil.csv", "no file is there"),
    # YAML itself
    ("title:", "study: OTHER\ntitle:", 2, "", "", "key 'study' stands twice (first in line 1)"),
    ("[CD4, live]", "&names [CD4, live]", 19, "", "", "anchors are not read; remove &names"),
    ("study: DEMO", "study: !!str DEMO", 1, "", "", "tags are not read; remove tag:yaml.org,2002:str"),
    ("title: A small study", "title: A: small study", 2, "", "", "no YAML 1.2: mapping values are not allowed"),
    ("model: {", "---\nmodel: {", 25, "", "", "a second document begins here"),
    ("study: DEMO", "%YAML 1.1\n---\nstudy: DEMO", 2, "", "", "remove the %YAML line"),
    ("percent_of: [CD4, live]", "percent_of: " + "[" * 30 + "]" * 30, 19, "", "", "nested deeper than 12"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "line", "where", "value", "message"), RULES)
def test_a_wrong_key(folder, old, new, line, where, value, message):
    problems = folder.replace(old, new).problems()
    found = [(p.file, p.line, p.where, p.value) for p in problems]
    assert ("study.yaml", line, where, value) in found
    problem = problems[found.index(("study.yaml", line, where, value))]
    assert message in problem.message


# a required key under another name is both unknown and missing
ALONE = [rule[:2] + rule[3:4] for rule in RULES if rule[3] and rule[3] not in ("titel", "colour", "arms.IL2.lable")]


@pytest.mark.parametrize(("old", "new", "where"), ALONE)
def test_one_fault_is_one_problem(folder, old, new, where):
    # faults that make sheets or tubes unknowable may not spill over into problems that are none
    problems = folder.replace(old, new).problems()
    assert [p.where for p in problems if p.file == "study.yaml"] == [where]


def test_a_window_may_be_one_day(folder):
    assert folder.replace("[2, 60]", "[30, 30]").read().visits["M1"].window == (30, 30)


def test_an_alias_is_refused_with_its_anchor(folder):
    problems = folder.replace("[CD4, live]", "&n [CD4]").replace("[CD4, Treg]", "*n").problems()
    assert [(p.line, p.message) for p in problems if not p.where] == [
        (19, "anchors are not read; remove &n"),
        (25, "aliases are not read; write the value out in place of *n"),
    ]


def test_a_bomb_of_aliases_is_refused_at_once(tmp_path):
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    for old, new in zip("abcdefgh", "bcdefghi", strict=True):
        lines.append(f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]")
    path = tmp_path / "study.yaml"
    path.write_text("\n".join(lines))
    assert sum("aliases are not read" in problem.message for problem in check_study(path)) == 72


def test_words_are_kept_as_written(folder):
    study = folder.replace("study: DEMO", "study: 007").replace("A small study", "NO").read()
    assert (study.id, study.title) == ("007", "NO")


def test_a_byte_order_mark_is_no_problem(folder):
    folder.write()
    path = folder.path / "study.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert check_study(path) == ()


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        (b"", None, "the file is empty; `il2cyto new`"),
        (b"# nothing\n", None, "the file is empty"),
        (b"study: DEMO\ntitle: caf\xe9\n", 2, "not UTF-8"),
        (b"study: DEMO\n#" + b"x" * 1_000_000, None, "larger than 1,000,000 bytes"),
        (b"- a\n- b\n", 1, "give a mapping with the keys study, title, arms"),
        (b"a: \x07\n", None, "no YAML 1.2"),
        (b"[" + b"1, " * 30_000 + b"]", 1, "more than 20,000 values"),
    ],
)
def test_a_file_that_is_no_study(tmp_path, content, line, message):
    path = tmp_path / "study.yaml"
    path.write_bytes(content)
    problem = check_study(path)[0]
    assert (problem.file, problem.line) == ("study.yaml", line)
    assert message in problem.message


def test_a_link_may_not_leave_the_study_folder(folder, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside") / "samples.csv"
    outside.write_text(folder.sheets["samples"])
    folder.write()
    (folder.path / "samples.csv").unlink()
    (folder.path / "samples.csv").symlink_to(outside)
    problem = check_study(folder.path / "study.yaml")[0]
    assert (problem.line, problem.where, problem.value) == (22, "samples", "samples.csv")
    assert "leaves its folder" in problem.message


def test_two_links_in_a_circle_are_a_problem(folder):
    (folder.path / "x").symlink_to(folder.path / "y")
    (folder.path / "y").symlink_to(folder.path / "x")
    problem = folder.replace("aurora.csv", "../../x/p.csv").problems()[0]
    assert (problem.where, problem.value) == ("tubes.TREG.panel", "gating/treg/../../x/p.csv")
