"""The conformance report of a file, as an object and on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from builder import build_fcs
from typer.testing import CliRunner

from il2cyto.cli.app import app
from il2cyto.fcs.conformance import ASSUMED, CONFORMS, READABLE, UNREADABLE, check_file, printable

F4 = np.array([1.5, 2.5], dtype="f4")
CONFORMING = {"$P1N": "FSC-A", "$CYT": "made here"}


def test_verdicts(tmp_path: Path) -> None:
    good = build_fcs(tmp_path / "good.fcs", [F4], extra=CONFORMING)
    padded = build_fcs(tmp_path / "padded.fcs", [F4], extra={**CONFORMING, "$COM": ""})
    assumed = build_fcs(tmp_path / "assumed.fcs", [F4], extra={**CONFORMING, "$P1E": "4,1"})
    broken = build_fcs(tmp_path / "broken.fcs", [F4], extra={**CONFORMING, "$TOT": "7"})
    assert [check_file(path).verdict for path in (good, padded, assumed, broken)] == [
        CONFORMS, READABLE, ASSUMED, UNREADABLE,
    ]  # fmt: skip
    assert "$TOT announces 7 events" in check_file(broken).error
    assert len(check_file(broken).sha256) == 64


def test_missing_file_is_a_verdict_too(tmp_path: Path) -> None:
    report = check_file(tmp_path / "none.fcs")
    assert (report.verdict, report.sha256) == (UNREADABLE, "")


def test_notes_name_what_reading_does_not_touch(tmp_path: Path) -> None:
    path = build_fcs(tmp_path / "a.fcs", [F4], version="FCS3.2", extra={"$COMP": "1,0"})
    assert check_file(path).datasets[0].notes == (
        "$CYT: required by FCS3.2, missing or empty",
        "$COMP or $DFCiTOj: percentages to subtract, not a spillover matrix; not used",
        "$MODE: deprecated in FCS3.2",
    )


def test_alike_deviations_share_a_line(tmp_path: Path) -> None:
    drop = tuple(f"$P{i}E" for i in range(1, 7))
    text = "\n".join(check_file(build_fcs(tmp_path / "a.fcs", [F4] * 6, drop=drop)).lines())
    assert "$P1E, $P2E … $P6E (6 of them): missing → 0,0 (linear)" in text


def test_text_of_a_file_cannot_steer_the_terminal(tmp_path: Path) -> None:
    path = build_fcs(tmp_path / "a.fcs", [F4], extra={"$CYT": "\x1b[2Jgone", "$P1E": "4,1"})
    text = "\n".join(check_file(path).lines())
    assert "\x1b" not in text
    assert r"\x1b[2Jgone" in text
    assert printable("µ 王\x9b") == "µ 王\\x9b"


def test_command(tmp_path: Path) -> None:
    inner = tmp_path / "tubes"
    inner.mkdir()
    build_fcs(inner / "a.FCS", [F4], extra=CONFORMING)
    build_fcs(inner / "b.lmd", [F4], extra={**CONFORMING, "$P1E": "4,1"})
    (inner / "notes.txt").write_text("no FCS")
    runner = CliRunner()
    text = runner.invoke(app, ["check-fcs", str(inner)])
    assert text.exit_code == 0, text.output
    assert "a.FCS: conforms" in text.output
    assert "b.lmd: readable with assumptions" in text.output
    assert "changes numbers  $P1E: 4,1 → 0,0" in text.output
    assert runner.invoke(app, ["check-fcs", "--strict", str(inner)]).exit_code == 1
    found = json.loads(runner.invoke(app, ["check-fcs", "--json", str(inner)]).output)
    assert [report["verdict"] for report in found] == ["conforms", "readable with assumptions"]
    assert found[0]["datasets"][0]["n_events"] == 2
    assert found[1]["datasets"][0]["repairs"][0]["affects_numbers"] is True


def test_command_without_files(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    result = CliRunner().invoke(app, ["check-fcs", str(tmp_path / "missing.fcs")])
    assert result.exit_code == 1
    assert "cannot be opened" in result.output
    assert CliRunner().invoke(app, ["check-fcs", str(empty)]).exit_code == 2
