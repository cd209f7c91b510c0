"""Overrides of gates in the study folder: which tubes they touch, and what is wrong with them."""

from __future__ import annotations

import pytest
from study_folder import Folder

from il2cyto.study import inspect_study, read_study
from il2cyto.study.model import Study

GATE = "{type: rectangle, dims: [{marker: CD4, min: 1000}]}"
OVERRIDE = """\
scope: SCOPE
author: Ann Other
reason: the gate cut through the population
time: 2026-03-02T14:05+08:00
populations:
- {name: CD4, gate: GATE}
""".replace("GATE", GATE)


def put(folder: Folder, scope: str, name: str = "one", text: str = OVERRIDE) -> Folder:
    (folder.path / "overrides").mkdir(exist_ok=True)
    (folder.path / "overrides" / f"{name}.yaml").write_text(text.replace("SCOPE", scope), encoding="utf-8")
    return folder


def touched(study: Study) -> dict[str, list[str]]:
    return {record.tube_id: [one.name for one in record.overrides] for record in study.records if record.overrides}


@pytest.mark.parametrize(
    ("scope", "tubes"),
    [
        ("{tubes: [A-BL-TREG]}", ["A-BL-TREG"]),
        ("{tubes: [A-BL-TBNK, A-M1-TBNK]}", ["A-BL-TBNK", "A-M1-TBNK"]),
        ("{tubes: [A-BL-TBNK], template: gating/tbnk}", ["A-BL-TBNK"]),
        ("{subject: A, template: gating/tbnk}", ["A-BL-TBNK", "A-M1-TBNK"]),
        ("{batch: B1, template: gating/tbnk}", ["A-BL-TBNK", "B-BL-PBMC"]),
        ("{template: gating/tbnk}", ["A-BL-TBNK", "A-M1-TBNK", "B-BL-PBMC", "B-M3-PCT"]),
    ],
)
def test_scopes(folder: Folder, scope: str, tubes: list[str]) -> None:
    rows = folder.sheets["samples"].splitlines()[1:]
    for line, row in enumerate(rows, start=2):
        in_batch = row.split(",")[0] in ("A-BL-TBNK", "A-BL-TREG", "B-BL-PBMC")
        folder.cell(line, "batch", "B1" if in_batch else "")
    study = read_study(put(folder, scope).write())
    assert touched(study) == {tube: ["one"] for tube in tubes}
    (one,) = study.overrides
    assert (one.author, one.reason) == ("Ann Other", "the gate cut through the population")
    assert (one.time, one.populations) == ("2026-03-02T06:05:00Z", ("CD4",))
    assert study.files["overrides/one"] == "overrides/one.yaml"
    assert study.sha256["overrides/one"] == one.sha256


def test_a_tube_gets_its_overrides_from_wide_to_narrow(folder: Folder) -> None:
    put(folder, "{tubes: [A-BL-TBNK]}", "a")
    put(folder, "{subject: A, template: gating/tbnk}", "b")
    put(folder, "{template: gating/tbnk}", "c")
    study = read_study(folder.write())
    assert touched(study) == {
        "A-BL-TBNK": ["c", "b", "a"], "A-M1-TBNK": ["c", "b"], "B-BL-PBMC": ["c"], "B-M3-PCT": ["c"],
    }  # fmt: skip
    assert len({one.content_hash for one in study.overrides}) == 3


def test_the_hash_of_the_content_leaves_the_scope_and_the_spelling_out(folder: Folder) -> None:
    def content_hash(text: str, scope: str) -> str:
        return read_study(put(folder, scope, text=text).write()).overrides[0].content_hash

    one = content_hash(OVERRIDE, "{tubes: [A-BL-TBNK]}")
    assert content_hash(OVERRIDE, "{tubes: [A-BL-TBNK, A-M1-TBNK]}") == one
    assert content_hash("# a remark\n" + OVERRIDE.replace("1000", "'1000'"), "{tubes: [A-BL-TBNK]}") == one
    assert content_hash(OVERRIDE.replace("1000", "1001"), "{tubes: [A-BL-TBNK]}") != one
    assert content_hash(OVERRIDE.replace("through", "into"), "{tubes: [A-BL-TBNK]}") != one
    assert content_hash(OVERRIDE, "{subject: A, template: gating/tbnk}") != one


@pytest.mark.parametrize(
    ("scope", "line", "where", "message"),
    [
        ("{tubes: [A-BL-TREGG]}", 1, "scope.tubes", "no such tube (did you mean 'A-BL-TREG'?)"),
        ("\n  subject: Z\n  template: gating/tbnk", 2, "scope.subject", "no such subject"),
        ("{batch: S11, template: gating/tbnk}", 1, "scope.batch", "no such batch (did you mean 'S1'?)"),
        ("\n  template: gating/tbk", 2, "scope.template", "no tube has this strategy (did you mean 'gating/tbnk'?)"),
        ("{subject: A}", 1, "scope", "tubes of a subject have several strategies: add template"),
        ("{subject: B, template: gating/treg}", 1, "scope.subject", "none of its tubes has the strategy gating/treg"),
        ("{tubes: [A-BL-TREG], subject: A}", 1, "scope", "give one of tubes, subject, batch"),
        ("{}", 1, "scope", "give one of tubes, subject, batch"),
        ("{tube: A-BL-TREG}", 1, "scope.tube", "unknown key (did you mean 'tubes'?)"),
        (
            "\n  tubes:\n  - A-BL-TREG\n  - A-BL-TBNK",
            4,
            "scope.tubes",
            "its strategy is gating/tbnk; an override moves the gates of one strategy",
        ),
        ("{tubes: [A-BL-TREG], template: gating/tbnk}", 1, "scope.tubes", "its strategy is gating/treg"),
    ],
)
def test_scopes_that_are_wrong(folder: Folder, scope: str, line: int, where: str, message: str) -> None:
    problems = inspect_study(put(folder, scope).write()).problems
    told = [one for one in problems if message in one.message]
    assert told, [str(one) for one in problems]
    assert (told[0].file, told[0].line, told[0].where) == ("overrides/one.yaml", line, where)


@pytest.mark.parametrize(
    ("old", "new", "line", "where", "message"),
    [
        ("reason: the gate cut through the population\n", "", 1, "reason", "this key is required"),
        ("the gate cut through the population", "' '", 3, "reason", "give a text"),
        ("author: Ann Other\n", "", 1, "author", "this key is required"),
        ("2026-03-02T14:05+08:00", "2026-03-02", 4, "time", "write date, time and offset from UTC"),
        ("2026-03-02T14:05+08:00", "2026-03-02T14:05", 4, "time", "write date, time and offset from UTC"),
        ("2026-03-02T14:05+08:00", "2 March", 4, "time", "write date, time and offset from UTC"),
        ("reason:", "reasen:", 3, "reasen", "unknown key (did you mean 'reason'?)"),
        ("{name: CD4, gate", "{nam: CD4, gate", 6, "populations.1.nam", "unknown key (did you mean 'name'?)"),
        (", gate: " + GATE, "", 6, "populations.1.gate", "this key is required"),
        ("- {name: CD4, gate: " + GATE + "}\n", "", 5, "populations", "this key is required"),
    ],
)
def test_files_that_are_wrong(folder: Folder, old: str, new: str, line: int, where: str, message: str) -> None:
    assert old in OVERRIDE
    problems = inspect_study(put(folder, "{tubes: [A-BL-TREG]}", text=OVERRIDE.replace(old, new)).write()).problems
    told = [one for one in problems if message in one.message]
    assert told, [str(one) for one in problems]
    assert (told[0].file, told[0].line, told[0].where) == ("overrides/one.yaml", line, where)


def test_a_sheet_without_batches(folder: Folder) -> None:
    (problem,) = inspect_study(
        put(folder.without_column("batch"), "{batch: B1, template: gating/tbnk}").write()
    ).problems
    assert problem.message == "the samples sheet gives no tube a batch; add the column batch"


def test_two_of_one_scope_that_move_one_gate(folder: Folder) -> None:
    put(folder, "{tubes: [A-BL-TBNK]}", "a")
    put(folder, "{tubes: [A-M1-TBNK, A-BL-TBNK]}", "b")
    (problem,) = inspect_study(folder.write()).problems
    assert (problem.file, problem.line, problem.value) == ("overrides/b.yaml", 6, "CD4")
    assert problem.message.startswith("overrides/a.yaml moves this gate of tube A-BL-TBNK too, for a tube as well")
    # another gate, or another level, is no conflict
    put(folder, "{tubes: [A-M1-TBNK, A-BL-TBNK]}", "b", OVERRIDE.replace("CD4, gate", "CD8, gate"))
    assert inspect_study(folder.write()).problems == ()
    put(folder, "{subject: A, template: gating/tbnk}", "b")
    assert inspect_study(folder.write()).problems == ()


@pytest.mark.parametrize("name", ["one.yml", "Jo Doe.yaml", "one.yaml.bak"])
def test_nothing_in_the_folder_is_passed_over_in_silence(folder: Folder, name: str) -> None:
    (folder.path / "overrides").mkdir()
    (folder.path / "overrides" / name).write_text("")
    (folder.path / "overrides" / "README.md").write_text("# moved gates\n")
    (problem,) = inspect_study(folder.write()).problems
    assert (problem.file, problem.value) == ("overrides", name)


def test_a_link_that_leads_out_is_not_read(folder: Folder, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside") / "one.yaml"
    outside.write_text(OVERRIDE.replace("SCOPE", "{tubes: [A-BL-TREG]}"))
    (folder.path / "overrides").mkdir()
    (folder.path / "overrides" / "one.yaml").symlink_to(outside)
    (problem,) = inspect_study(folder.write()).problems
    assert "no file below the study folder" in problem.message


@pytest.mark.parametrize(
    "text", ["", "a: &x 1\nb: *x\n", "{" * 50, "- 1\n", "\x00", "é".encode("latin-1").decode("latin-1")]
)
def test_junk_is_a_problem_and_no_crash(folder: Folder, text: str) -> None:
    problems = inspect_study(put(folder, "", text=text).write()).problems
    assert {one.file for one in problems} == {"overrides/one.yaml"}
