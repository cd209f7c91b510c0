"""What a run adds to the audit log, and what a check of a results folder finds."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from leaks import Tube, write_study

from il2cyto.errors import OutputError, ParameterError
from il2cyto.provenance.audit import AuditLog
from il2cyto.provenance.chain import GENESIS, Entry, render, walk
from il2cyto.steps.audit import concerns, describe, parse_since, read_entries, verify_results
from il2cyto.steps.run import run_study
from il2cyto.steps.trail import Trail
from il2cyto.study import read_study

OVERRIDE = """\
scope: {tubes: [S01-BL-T]}
author: Ann Other
reason: debris
time: 2026-03-02T14:05+08:00
populations:
- {name: big, gate: {type: rectangle, dims: [{channel: FSC-A, min: 110, units: linear}]}}
"""


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A study of two subjects with six good tubes and one that is not there, and its results."""
    folder = tmp_path_factory.mktemp("trail")
    study = write_study(folder, "x", [Tube("nothing") for _ in range(2)])
    run_study(read_study(study), folder / "r", user="ann@lab", reason="first look")
    return study.parent, folder / "r"


@pytest.fixture
def study(first: tuple[Path, Path], tmp_path: Path) -> Path:
    shutil.copytree(first[0], tmp_path / "study", copy_function=shutil.copy2)
    return tmp_path / "study" / "x.yaml"


@pytest.fixture
def out(first: tuple[Path, Path], tmp_path: Path) -> Path:
    shutil.copytree(first[1], tmp_path / "r")
    return tmp_path / "r"


def entries(out: Path) -> list[dict[str, Any]]:
    return [dict(entry.fields) for entry in walk((out / "audit.jsonl").read_bytes())]


def run(study: Path, out: Path, **more: Any) -> list[dict[str, Any]]:
    """Run again and return the entries that were added."""
    before = len(entries(out)) if out.exists() else 0
    run_study(read_study(study), out, **more)
    return entries(out)[before:]


def edit(path: Path, old: str, new: str, count: int = 1) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count(old) >= count
    path.write_text(text.replace(old, new, count), encoding="utf-8")


def whats(told: list[dict[str, Any]]) -> list[str]:
    return [entry["what"] for entry in told]


def test_a_first_run(first: tuple[Path, Path]) -> None:
    folder, out = first
    told = entries(out)
    started, *between, finished = told
    assert (started["what"], started["user"], started["reason"]) == ("run started", "ann@lab", "first look")
    assert started["study"] == "DEMO"
    inputs = {entry["input"]: entry for entry in between if entry["what"] == "input added"}
    assert list(inputs) == ["study", "samples", "dosing", "serum"]
    assert inputs["samples"]["before"] is None
    sheet = folder / "samples of x.csv"
    assert inputs["samples"]["after"] == hashlib.sha256(sheet.read_bytes()).hexdigest()
    gates = [entry for entry in between if entry["what"] == "strategy added"]
    assert [(entry["tube"], entry["after"]["strategy"]) for entry in gates] == [("T", "tiny"), ("W", "W")]
    tubes = [entry for entry in between if entry["what"] == "tube result created"]
    assert len(tubes) == 6
    result = out / "tubes" / "S01-BL-T" / "result.json"
    (one,) = [entry for entry in tubes if entry["tube_id"] == "S01-BL-T"]
    assert one["after"]["result"] == hashlib.sha256(result.read_bytes()).hexdigest()
    assert one["after"]["key"] == json.loads(result.read_text())["key"]
    assert (finished["what"], finished["gated"], finished["failed"]) == ("run finished", 6, 1)
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["audit_head"] == finished["seal"]
    verdict = verify_results(out)
    assert (verdict.entries, verdict.problems, verdict.notes, verdict.seal) == (
        len(told), (), (), manifest["audit_head"],
    )  # fmt: skip


def test_a_run_that_changes_nothing_adds_nothing(study: Path, out: Path) -> None:
    def files() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in out.iterdir() if path.is_file() and path.suffix != ".log"}

    before = files()
    assert run(study, out, user="bo@lab") == []
    assert files() == before


def test_a_corrected_visit_date_is_one_line(study: Path, out: Path) -> None:
    sheet = study.parent / "samples of x.csv"
    before = hashlib.sha256(sheet.read_bytes()).hexdigest()
    edit(sheet, "2021-02-07", "2021-02-08")
    started, changed, finished = run(study, out, user="bo@lab", reason="typing error in the log book")
    assert started["reason"] == "typing error in the log book"
    assert (changed["what"], changed["input"], changed["user"]) == ("input changed", "samples", "bo@lab")
    assert changed["changes"] == [
        {"row": "S00-M1-T", "column": "collection_date", "before": "2021-02-07", "after": "2021-02-08"}
    ]
    assert "withheld_cells" not in changed
    assert (changed["before"], changed["after"]) == (before, hashlib.sha256(sheet.read_bytes()).hexdigest())
    assert finished["what"] == "run finished"
    assert verify_results(out).problems == ()
    # and is told so
    lines = [line for entry in read_entries(out) for line in describe(entry)]
    assert any(line.strip() == "S00-M1-T, collection_date: 2021-02-07 → 2021-02-08" for line in lines)


def test_a_stained_again_tube_is_one_line(study: Path, out: Path) -> None:
    path = next(study.parent.glob("fcs/x/1 *.fcs"))
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    content = path.read_bytes()
    path.write_bytes(content[:-4] + bytes(4))
    _, replaced, finished = run(study, out)
    assert (replaced["what"], replaced["tube_id"]) == ("tube result replaced", "S01-BL-T")
    assert replaced["because"] == ["FCS file"]
    assert (replaced["before"]["fcs"], replaced["after"]["fcs"]) == (
        before,
        hashlib.sha256(path.read_bytes()).hexdigest(),
    )
    assert replaced["before"]["result"] != replaced["after"]["result"]
    assert finished["seal"] != verify_results(out).head
    # a file that is gone takes its result with it
    path.unlink()
    _, removed, finished = run(study, out)
    assert (removed["what"], removed["because"], removed["after"]) == ("tube result removed", ["FcsError"], None)
    assert (finished["gated"], finished["failed"]) == (5, 2)


def test_overrides_of_gates(study: Path, out: Path) -> None:
    path = study.parent / "overrides" / "debris.yaml"
    path.parent.mkdir()
    path.write_text(OVERRIDE)
    _, added, replaced, _ = run(study, out)
    assert (added["what"], added["override"], added["before"]) == ("override added", "debris", None)
    assert (added["author"], added["reason"], added["moved"]) == ("Ann Other", "debris", "2026-03-02T06:05:00Z")
    assert (added["level"], added["scope"], added["populations"]) == ("tube", ["S01-BL-T"], ["big"])
    assert (replaced["tube_id"], replaced["because"]) == ("S01-BL-T", ["gates"])
    edit(path, "110", "111")
    _, changed, replaced, _ = run(study, out)
    assert (changed["what"], changed["before"]) == ("override changed", added["after"])
    path.unlink()
    _, removed, replaced, _ = run(study, out)
    assert (removed["what"], removed["before"], removed["after"]) == ("override removed", changed["after"], None)
    assert verify_results(out).problems == ()


def test_gates_study_and_version(study: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = entries(out)[0]["il2cyto"]
    edit(study, "A small study", "A study")
    assert whats(run(study, out)) == ["run started", "input changed", "run finished"]
    edit(study.parent / "gates of x" / "strategy.yaml", "min: 1, units", "min: 2, units")
    told = run(study, out)
    assert whats(told)[:2] == ["run started", "strategy changed"]
    assert (told[1]["tube"], told[1]["before"]["strategy"]) == ("T", "tiny")
    assert set(whats(told)[2:-1]) == {"tube result replaced"}
    assert len(told) == 7
    edit(study.parent / "panel of x.csv", "CD4,", "CD4,B1-A")
    told = run(study, out)
    assert whats(told)[1] == "strategy changed"
    assert told[1]["before"]["panel_sha256"] != told[1]["after"]["panel_sha256"]
    assert told[2]["because"] == ["panel"]
    monkeypatch.setattr("il2cyto.steps.trail.__version__", "9.9")
    told = run(study, out)
    assert whats(told) == ["run started", "il2cyto changed", "run finished"]
    assert (told[0]["il2cyto"], told[1]["before"], told[1]["after"]) == ("9.9", before, "9.9")


def test_the_head_in_the_manifest_does_not_depend_on_who_when_and_how(study: Path, out: Path, tmp_path: Path) -> None:
    run(study, tmp_path / "other", user="somebody else", reason="another", jobs=2)
    assert (tmp_path / "other" / "manifest.json").read_bytes() == (out / "manifest.json").read_bytes()
    assert verify_results(tmp_path / "other").head != verify_results(out).head


def test_a_run_that_was_killed_ends_with_the_same_head(study: Path, out: Path, tmp_path: Path) -> None:
    class KilledError(Exception):
        pass

    killed = tmp_path / "killed"
    for survivors in (0, 2, 4):
        left = iter(range(survivors))

        def kill(_: object, left: Iterator[int] = left) -> None:
            if next(left, None) is None:
                raise KilledError

        with pytest.raises(KilledError):
            run_study(read_study(study), killed, tube_done=kill)
        with (killed / "audit.jsonl").open("ab") as stream:
            stream.write(b'{"n":99,"time":"20')
        assert verify_results(killed).problems[0].endswith("the next run tells of it and goes on")
    run_study(read_study(study), killed)
    assert whats(entries(killed)).count("torn line") == 3
    assert whats(entries(killed))[-1] == "run finished"
    assert (killed / "manifest.json").read_bytes() == (out / "manifest.json").read_bytes()
    assert verify_results(killed).problems == ()
    assert verify_results(killed).torn == 3


def test_a_failure_of_the_machine_leaves_the_head_as_if_it_had_not_been(study: Path, out: Path, tmp_path: Path) -> None:
    path = next(study.parent.glob("fcs/x/1 *.fcs"))
    content = path.read_bytes()
    path.write_bytes(b"junk")
    stopped = tmp_path / "stopped"
    run_study(read_study(study), stopped, on_error="stop")
    seals = [entry["seal"] for entry in entries(stopped) if entry["what"] == "run finished"]
    assert not entries(stopped)[-1]["complete"]
    assert verify_results(stopped).problems == ()
    path.write_bytes(content)
    run(study, stopped)
    assert (stopped / "manifest.json").read_bytes() == (out / "manifest.json").read_bytes()
    # and the lines of the run before are covered all the same
    keep(stopped, next(i for i, entry in enumerate(entries(stopped), start=1) if entry.get("seal") == seals[0]))
    assert "the end of the log was cut" in verify_results(stopped).problems[0]


def test_every_change_gives_another_head_also_one_that_is_taken_back(study: Path, out: Path) -> None:
    heads = [json.loads((out / "manifest.json").read_text())["audit_head"]]
    sheet = study.parent / "samples of x.csv"
    for old, new in (("2021-02-07", "2021-02-08"), ("2021-02-08", "2021-02-07")):
        edit(sheet, old, new)
        run(study, out)
        heads.append(json.loads((out / "manifest.json").read_text())["audit_head"])
    assert len(set(heads)) == 3


def keep(out: Path, n: int) -> None:
    path = out / "audit.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:n]))


def test_a_cut_after_any_line(out: Path) -> None:
    content = (out / "audit.jsonl").read_bytes()
    n = len(content.splitlines())
    for kept in range(n):
        (out / "audit.jsonl").write_bytes(content)
        keep(out, kept)
        assert "the end of the log was cut" in verify_results(out).problems[0]
    (out / "audit.jsonl").unlink()
    assert verify_results(out).problems


def test_a_run_does_not_go_on_after_a_cut(study: Path, out: Path) -> None:
    keep(out, 5)
    with pytest.raises(OutputError, match=r"does not hold the head that manifest.json names"):
        run(study, out)


def test_heads_that_were_kept(study: Path, out: Path) -> None:
    old = verify_results(out).head
    edit(study, "A small study", "A study")
    run(study, out)
    new = verify_results(out)
    assert verify_results(out, old).problems == ()
    assert verify_results(out, new.head.upper()).problems == ()
    assert verify_results(out, new.seal).problems == ()
    wrong = verify_results(out, "0" * 64)
    assert wrong.problems == (f"no line has the head {'0' * 64}: the end of the log was cut, or it was written anew",)
    # lines that no manifest covers yet are covered by a kept head alone
    trail = Trail(out, user="ann")
    trail.begin(read_study(study))
    log = AuditLog(out / "audit.jsonl", "ann")
    entry = log.append("torn line", torn_bytes=0, torn_sha256="")
    assert verify_results(out, entry.hash).problems == ()
    keep(out, new.entries)
    assert verify_results(out).problems == ()
    assert verify_results(out, entry.hash).problems


def rehash(out: Path, change: Any) -> None:
    """Write a log anew, with every hash right, after a change of its fields."""
    lines, previous = [], GENESIS
    for number, fields in enumerate(entries(out), start=1):
        told = {key: value for key, value in fields.items() if key not in ("n", "previous")}
        change(number, told)
        line, previous = render(number, told, previous)
        lines.append(line)
    (out / "audit.jsonl").write_bytes(b"".join(lines))


def test_a_log_that_was_hashed_anew(out: Path) -> None:
    kept = verify_results(out).head
    n = verify_results(out).entries

    def other_manifest(number: int, fields: dict[str, Any]) -> None:
        if number == n:
            fields["manifest_sha256"] = "0" * 64

    def other_user(number: int, fields: dict[str, Any]) -> None:
        fields["user"] = "nobody"

    content = (out / "audit.jsonl").read_bytes()
    rehash(out, other_manifest)
    assert f"line {n}: the head of this run does not follow" in verify_results(out).problems[0]
    (out / "audit.jsonl").write_bytes(content)
    rehash(out, other_user)
    # this is what the documentation says cannot be found without a head that was kept, if il2cyto.log goes too
    (out / "il2cyto.log").unlink(missing_ok=True)
    assert verify_results(out).problems == ()
    assert "no line has the head" in verify_results(out, kept).problems[0]


def test_heads_in_the_log_of_runs(out: Path) -> None:
    head = verify_results(out).head
    told = f"2026-03-02T06:05:00.000Z 1 INFO    audit log: 20 entries, head {head}\n"
    (out / "il2cyto.log").write_text(f"2026-03-02T06:05:00.000Z 1 INFO    run of il2cyto begins\n{told}")
    assert verify_results(out).problems == ()
    rehash(out, lambda _, fields: fields.__setitem__("user", "nobody"))
    assert verify_results(out).problems == (
        f"il2cyto.log tells the head {head}, which no line has: the log was cut or written anew",
    )


def test_results_that_are_not_as_the_log_has_them(out: Path) -> None:
    path = out / "tubes" / "S01-BL-T" / "result.json"
    edit(path, '"n_events": 20', '"n_events": 21')
    (problem,) = verify_results(out).problems
    assert problem.startswith("the result of tube S01-BL-T is not as the log has it")
    edit(path, '"n_events": 21', '"n_events": 20')
    edit(out / "manifest.json", '"n_events": 20', '"n_events": 21')
    assert verify_results(out).problems == ("manifest.json is not as the run wrote it: it was edited",)
    (out / "manifest.json").unlink()
    assert "manifest.json is missing" in verify_results(out).problems[0]
    assert verify_results(out, verify_results(out).head).problems == ()


def test_the_broken_line_is_named(out: Path) -> None:
    number = next(i for i, entry in enumerate(entries(out), start=1) if entry.get("tube_id") == "S01-BL-T")
    edit(out / "audit.jsonl", '"tube_id":"S01-BL-T"', '"tube_id":"S02-BL-T"')
    verdict = verify_results(out)
    assert (verdict.line, verdict.entries) == (number, number - 1)
    assert verdict.problems[0].startswith(f"line {number}: its content does not fit its hash")


def test_no_results(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="holds no results of il2cyto"):
        verify_results(tmp_path)
    with pytest.raises(OutputError, match="there is no audit log"):
        list(read_entries(tmp_path))


def test_what_concerns_a_tube(study: Path, out: Path) -> None:
    (study.parent / "overrides").mkdir()
    (study.parent / "overrides" / "debris.yaml").write_text(OVERRIDE)
    edit(
        study.parent / "samples of x.csv", "S01-BL-T,S01,B,SLE,11,BL,2021-01-07", "S01-BL-T,S01,B,SLE,11,BL,2021-01-09"
    )
    run(study, out)
    chosen = [entry for entry in read_entries(out) if concerns(entry, "S01-BL-T")]
    assert whats([dict(entry.fields) for entry in chosen]) == [
        "tube result created", "input changed", "override added", "tube result replaced",
    ]  # fmt: skip
    lines = [line for entry in chosen for line in describe(entry, "S01-BL-T")]
    assert "S01-BL-T, collection_date: 2021-01-07 → 2021-01-09" in "\n".join(lines)
    assert "by Ann Other, 2026-03-02T06:05:00Z" in "\n".join(lines)


@pytest.mark.parametrize("text", ["2 March", "2026-03-02T14:05", "2026-3-2", ""])
def test_times_that_are_none(text: str) -> None:
    with pytest.raises(ParameterError, match="write a date"):
        parse_since(text)


def test_a_terminal_obeys_nothing() -> None:
    entry = Entry(1, {"n": 1, "time": "t", "user": "\x1b[31mred", "what": "run started", "reason": "a\nb"}, "", 0)
    assert describe(entry) == ["     1  t  �[31mred  run started  reason: a�b"]
