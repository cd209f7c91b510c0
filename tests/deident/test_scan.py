from __future__ import annotations

from pathlib import Path

import pytest
from planted_study import Fcs, Planted

from il2cyto.cli import main
from il2cyto.deident import Key, deidentify, scan
from il2cyto.simulate import simulate_trial

KEY = Key(bytes(range(32)))


def findings(folder: Path) -> dict[str, set[tuple[str, str]]]:
    return {
        finding.file: {(change.where, change.reason) for change in finding.changes}
        for finding in scan(folder)
        if finding.changes
    }


def test_what_a_study_still_carries(tmp_path: Path) -> None:
    source = Planted().write(tmp_path / "in")
    (source / "letter.pdf").write_bytes(b"Dear Smith")
    found = findings(source)
    assert {("$OP", "identifier"), ("$DATE", "date or time"), ("PATIENT ID", "identifier"), ("$FIL", "identifier"),
            ("$P5N", "name outside the vocabulary"), ("file name", "identifier")} <= found["raw/a1.fcs"]  # fmt: skip
    # a switch of the display names nobody
    assert "P#DISPLAY" not in {where for where, _ in found["raw/a1.fcs"]}
    assert found["samples.csv"] >= {
        ("column subject", "identifier"),
        ("column collection_date", "date or time"),
        ("column birth_date", "date or time"),
        ("column comment", "free text"),
    }
    assert {("description", "free text"), ("comments", "free text"), ("title", "free text")} <= found["study.yaml"]
    assert found["letter.pdf"] == {("file name", "identifier"), ("the file", "file of another kind")}
    assert "Smith" not in repr(scan(source))
    assert "KID-A" not in repr(scan(source))


def test_hidden_bytes_are_counted(tmp_path: Path) -> None:
    fcs = Fcs(1)
    fcs.segments |= {
        "gap before DATA": b"Smith",
        "behind the data": b"J. Smith",
        "OTHER": b"Smith",
        "ANALYSIS": b"x|y|",
    }
    (tmp_path / "a.fcs").write_bytes(fcs.data_set(False))
    changes = scan(tmp_path)[0].changes
    assert ("between and behind the segments", "12 bytes") in {(change.where, change.shape) for change in changes}
    assert {"segment OTHER", "segment ANALYSIS"} <= {change.where for change in changes}
    assert all("Smith" not in change.shape for change in changes)


def test_the_output_is_clean_until_somebody_changes_it(tmp_path: Path) -> None:
    out = tmp_path / "out"
    deidentify(Planted().write(tmp_path / "in"), out, KEY)
    assert findings(out) == {}
    path = next((out / "fcs").iterdir())
    path.write_bytes(path.read_bytes() + b"Smith")
    sheet = out / "dosing.csv"
    sheet.write_text(sheet.read_text().replace("2020", "2021"))
    (out / "notes.txt").write_text("Smith")
    found = findings(out)
    assert ("between and behind the segments", "bytes that no segment holds") in found[f"fcs/{path.name}"]
    assert ("$DATE", "date or time") in found[f"fcs/{path.name}"]
    assert ("column date", "date or time") in found["dosing.csv"]
    assert "notes.txt" in found


def test_a_file_that_cannot_be_read_is_no_clean_file(tmp_path: Path) -> None:
    (tmp_path / "a.fcs").write_bytes(b"FCS3.1 Smith")
    assert findings(tmp_path) == {"a.fcs": {("file name", "identifier"), ("the file", "free text")}}


def test_the_simulated_trial_carries_ids_dates_and_comments(tmp_path: Path) -> None:
    simulate_trial(tmp_path / "demo", n_subjects=2, seed=1, lymphocytes=1000, jobs=1)
    found = findings(tmp_path / "demo")
    fcs = {name: reasons for name, reasons in found.items() if name.endswith(".fcs")}
    assert len(fcs) == 20
    for reasons in fcs.values():
        assert ("file name", "identifier") in reasons
        assert {where for where, _ in reasons} <= {"file name", "$COM", "$CYTSN", "TUBE NAME", "$DATE", "$FIL", "$SRC"}
    assert {("column subject", "identifier"), ("column collection_date", "date or time")} <= found["samples.csv"]
    deidentify(tmp_path / "demo", tmp_path / "out", KEY)
    assert findings(tmp_path / "out") == {}


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    source = Planted().write(tmp_path / "in")

    def run(*words: str) -> int:
        monkeypatch.setattr("sys.argv", ["il2cyto", "deidentify", *words])
        with pytest.raises(SystemExit) as stop:
            main()
        return int(stop.value.code or 0)

    key, out = str(tmp_path / "key"), str(tmp_path / "out")
    assert run("--new-key", key) == 0
    assert run("--new-key", key) == 2
    assert run(str(source), "--scan") == 1
    assert "samples.csv: column comment: free text" in capsys.readouterr().out
    assert run(str(source), out) == 2
    assert run() == 2
    assert run(str(source), out, "--key", key, "--map", str(tmp_path / "safe" / "map.csv")) == 0
    assert "14 files written" in capsys.readouterr().err
    assert run(out, "--scan") == 0
    assert run(str(source), out, "--key", key) == 2
    (source / "raw" / "bad.fcs").write_bytes(b"FCS3.1")
    assert run(str(source), str(tmp_path / "out2"), "--key", key) == 1
    assert "set aside  raw/bad.fcs" in capsys.readouterr().err
