"""What a results folder says of itself, and because of what a tube is done again."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from il2cyto.cli.app import app
from il2cyto.errors import OutputError
from il2cyto.steps import key
from il2cyto.steps.folder import sources_path
from il2cyto.steps.run import run_study
from il2cyto.steps.sources import Source, SourceMemory, Stamp, hash_source, stamp_of
from il2cyto.steps.status import DONE, FAILED, MISSING, STALE, study_state
from il2cyto.study import read_study

TREG = "P001-BL-TREG"
STRATEGY = """\
strategy: small
compensation: uncompensated
transforms: {lin: {type: linear, T: 262144, A: 0}}
populations:
- {name: big, parent: root, gate: {type: rectangle, dims: [{channel: FSC-A, min: 20000}]}}
"""
OVERRIDE = """\
files: [P001-BL-TREG.fcs]
populations:
- {name: big, parent: root, gate: {type: rectangle, dims: [{channel: FSC-A, min: 30000}]}}
"""


def small_study(trial: Path, folder: Path) -> Path:
    """Two tubes of the trial under a strategy that a test may change."""
    (folder / "fcs").mkdir(parents=True)
    (folder / "gates").mkdir()
    (folder / "gates" / "strategy.yaml").write_text(STRATEGY)
    for name in (TREG, "P002-BL-TREG"):
        shutil.copy2(trial / "fcs" / f"{name}.fcs", folder / "fcs")
        os.utime(folder / "fcs" / f"{name}.fcs", ns=(10**18, 10**18))
    (folder / "study.yaml").write_text(
        "study: SMALL\ntitle: Two tubes\narms: {A: {label: A}, B: {label: B, reference: true}}\n"
        "visits: {BL: {label: Baseline, number: 0, baseline: true}}\n"
        "tubes: {T: {strategy: gates, count: {route: none}}}\nsamples: samples.csv\n"
    )
    (folder / "samples.csv").write_text(
        "tube_id,subject,arm,diagnosis,age_years,visit,collection_date,tube,fcs\n"
        f"{TREG},P001,A,SLE,11,BL,2021-01-07,T,fcs/{TREG}.fcs\n"
        "P002-BL-TREG,P002,B,SLE,11,BL,2021-01-07,T,fcs/P002-BL-TREG.fcs\n"
    )
    return folder / "study.yaml"


@pytest.fixture(scope="module")
def finished(trial: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished") / "s"
    study = small_study(trial, folder)
    assert run_study(read_study(study), folder / "r").exit_code == 0
    return folder


@pytest.fixture
def folder(finished: Path, tmp_path: Path) -> Path:
    """A finished study that a test may change."""
    shutil.copytree(finished, tmp_path / "s")
    return tmp_path / "s"


def states(folder: Path, **options: Any) -> dict[str, tuple[str, str]]:
    from il2cyto.steps.gates import forget_gates

    forget_gates()
    state = study_state(read_study(folder / "study.yaml"), folder / "r", **options)
    return {tube.tube_id: (tube.state, tube.why) for tube in state.tubes}


def gates(folder: Path) -> Path:
    return folder / "gates" / "strategy.yaml"


def append(path: Path, text: str) -> None:
    path.write_text(path.read_text() + text)


def add_override(folder: Path) -> None:
    (folder / "gates" / "overrides").mkdir()
    (folder / "gates" / "overrides" / "one.yaml").write_text(OVERRIDE)


def edit_result(folder: Path) -> None:
    path = folder / "r" / "tubes" / TREG / "result.json"
    content = json.loads(path.read_text())
    content["counts"][0]["count"] += 1
    path.write_text(json.dumps(content))


def swap_file(folder: Path) -> None:
    shutil.copy(folder / "fcs" / "P002-BL-TREG.fcs", folder / "fcs" / f"{TREG}.fcs")


def tamper_and_set_back(folder: Path) -> None:
    """Change one byte of the last event and give the file its old time back: the size is the same, too."""
    path = folder / "fcs" / f"{TREG}.fcs"
    before = path.stat()
    content = bytearray(path.read_bytes())
    content[-9] ^= 1
    path.write_bytes(bytes(content))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def change_panel(folder: Path) -> None:
    (folder / "panel.csv").write_text("marker,channel\nFSC,FSC-A\n")
    text = (folder / "study.yaml").read_text()
    (folder / "study.yaml").write_text(text.replace("strategy: gates,", "strategy: gates, panel: panel.csv,"))


def change_matrix(folder: Path) -> None:
    (folder / "gates" / "m.csv").write_text(",FSC-A,SSC-A\nFSC-A,1,0\nSSC-A,0,1\n")
    text = gates(folder).read_text()
    gates(folder).write_text(text.replace("transforms:", "matrices: {m: m.csv}\ntransforms:"))


#: What is changed, the state that the first tube is in then, and how the reason begins; the second is as it was.
ALONE: dict[str, tuple[Callable[[Path], None], str]] = {
    "file": (swap_file, "file"),
    "file with its old time": (tamper_and_set_back, "file"),
    "override": (add_override, "override added"),
    "result edited by hand": (edit_result, "result damaged or edited"),
    "file gone": (lambda f: (f / "fcs" / f"{TREG}.fcs").unlink(), "file cannot be read"),
    "pictures gone": (lambda f: (f / "r/tubes" / TREG / "plots.json").unlink(), "result damaged or edited"),
    "result torn": (
        lambda f: (f / "r/tubes" / TREG / "result.json").write_bytes(b'{"format": 6, "coun'),
        "result damaged or edited",
    ),
}
BOTH: dict[str, tuple[Callable[[Path], None], str]] = {
    "strategy": (lambda f: gates(f).write_text(STRATEGY.replace("20000", "25000")), "strategy"),
    "axes": (lambda f: append(gates(f), "axes: {SSC-A: {transform: lin}}\n"), "axes, notes or optional markers"),
    "panel": (change_panel, "panel"),
    "strategy unreadable": (lambda f: append(gates(f), "nonsense: 1\n"), "strategy or panel cannot be read"),
}


def test_a_finished_study_is_done(folder: Path) -> None:
    assert states(folder) == {TREG: (DONE, ""), "P002-BL-TREG": (DONE, "")}


@pytest.mark.parametrize("change", ALONE)
def test_a_change_of_one_tube_makes_it_alone_stale(folder: Path, change: str) -> None:
    spoil, why = ALONE[change]
    spoil(folder)
    assert states(folder) == {TREG: (STALE, why), "P002-BL-TREG": (DONE, "")}
    summary = run_study(read_study(folder / "study.yaml"), folder / "r")
    assert summary.n_reused == 1


@pytest.mark.parametrize("change", BOTH)
def test_a_change_of_the_gates_makes_all_stale(folder: Path, change: str) -> None:
    spoil, why = BOTH[change]
    spoil(folder)
    for state, told in states(folder).values():
        assert state == STALE
        assert told.startswith(why)


def test_a_matrix_is_told(folder: Path) -> None:
    change_matrix(folder)
    assert states(folder)[TREG] == (STALE, "strategy, matrix")


def test_versions_are_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("il2cyto.__version__", "9.9")
    assert states(folder)[TREG] == (STALE, "il2cyto version 0.1.0 → 9.9")
    monkeypatch.setattr(key, "code_sha256", lambda: "0")
    monkeypatch.setattr(key, "version", lambda name: "2.0")
    told = states(folder)[TREG][1]
    assert told.startswith("il2cyto version 0.1.0 → 9.9, code of il2cyto, libraries (llvmlite ")
    assert "→ 2.0" in told


def test_failed_and_missing(folder: Path) -> None:
    (folder / "fcs" / f"{TREG}.fcs").write_bytes(b"junk")
    assert states(folder)[TREG] == (STALE, "file")
    assert run_study(read_study(folder / "study.yaml"), folder / "r").exit_code == 1
    state, why = states(folder)[TREG]
    assert (state, why.split(":")[0]) == (FAILED, "FcsError")
    assert sorted(path.name for path in (folder / "r" / "tubes" / TREG).iterdir()) == ["error.json"]
    shutil.rmtree(folder / "r" / "tubes" / "P002-BL-TREG")
    assert states(folder)["P002-BL-TREG"] == (MISSING, "not gated yet")
    swap_file(folder)
    assert states(folder)[TREG] == (STALE, "file (it had failed)")
    assert run_study(read_study(folder / "study.yaml"), folder / "r").exit_code == 0
    assert states(folder) == {TREG: (DONE, ""), "P002-BL-TREG": (DONE, "")}
    assert sorted(path.name for path in (folder / "r" / "tubes" / TREG).iterdir()) == ["plots.json", "result.json"]


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda f: (f / "r/manifest.json").unlink(), "not written yet, or not to the end"),
        (lambda f: (f / "r/counts.csv").unlink(), "counts.csv is missing"),
        (lambda f: (f / "r/counts.csv").write_text("x"), "counts.csv was changed"),
        (lambda f: append(f / "study.yaml", "# new\n"), "made before a change of: study"),
        (lambda f: shutil.rmtree(f / "r" / "tubes" / TREG), "made from earlier results of tubes"),
    ],
)
def test_tables_that_are_not_those_of_the_tubes(folder: Path, spoil: Callable[[Path], None], told: str) -> None:
    spoil(folder)
    state = study_state(read_study(folder / "study.yaml"), folder / "r", verify=True)
    assert state.tables == told
    assert state.exit_code == 1


def test_no_file_is_read_that_has_not_changed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # copies have new times: the first look hashes them, the run remembers
    old = {path: path.stat() for path in (folder / "fcs").iterdir()}
    memory = SourceMemory.read(sources_path(folder / "r"))
    for path in old:
        stamp = stamp_of(path)
        assert stamp is not None
        memory.remember(path.stem, Source(hash_source(path).sha256, stamp, True))
    monkeypatch.setattr("il2cyto.steps.sources.hash_file", lambda path: pytest.fail(f"{path} was read"))
    assert set(states(folder).values()) == {(DONE, "")}
    monkeypatch.undo()
    read: list[Path] = []
    monkeypatch.setattr("il2cyto.steps.sources.hash_file", lambda path: read.append(path) or "0" * 64)
    assert states(folder, verify=True)[TREG] == (STALE, "file")
    assert len(read) == 2


def test_a_file_that_has_not_rested_is_not_remembered(tmp_path: Path) -> None:
    path = tmp_path / "a.fcs"
    path.write_bytes(b"x")
    memory = SourceMemory(tmp_path / "memory")
    memory.remember("a", hash_source(path))
    assert memory.recall("a", path) is None
    stamp = stamp_of(path)
    assert stamp is not None
    memory.remember("a", Source("0" * 64, stamp, True))
    torn = b'["b","' + b"0" * 64
    (tmp_path / "memory").write_bytes((tmp_path / "memory").read_bytes() + torn)
    again = SourceMemory.read(tmp_path / "memory")
    assert again.recall("a", path) == Source("0" * 64, stamp, True)
    again.remember("c", Source("1" * 64, Stamp(1, 2, 3), True))
    assert set(SourceMemory.read(tmp_path / "memory")._known) == {"a", "c"}


def test_an_older_format_is_refused_and_left_as_it_is(folder: Path) -> None:
    golden = Path(__file__).parent / "golden" / "format2"
    out = folder / "old"
    shutil.copytree(golden, out)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    with pytest.raises(OutputError, match=r"older il2cyto \(format 2\), and this one writes format 6"):
        run_study(read_study(folder / "study.yaml"), out)
    assert {path: path.read_bytes() for path in before} == before
    newer = json.dumps({"results": "il2cyto", "format": 7, "study": "SMALL"})
    (folder / "r" / ".il2cyto" / "folder.json").write_text(newer)
    with pytest.raises(OutputError, match=r"newer il2cyto \(format 7\)"):
        run_study(read_study(folder / "study.yaml"), folder / "r")


def test_status_of_an_older_format(folder: Path) -> None:
    shutil.rmtree(folder / "r")
    shutil.copytree(Path(__file__).parent / "golden" / "format2", folder / "r")
    (folder / "r" / "tubes" / "P001-BL-TBNK").rename(folder / "r" / "tubes" / TREG)
    assert states(folder)[TREG] == (STALE, "result format 2 → 6")
    state = study_state(read_study(folder / "study.yaml"), folder / "r")
    assert state.tables == "written in format 2, and this il2cyto writes 6: choose another --out"


def test_results_of_another_study_are_left_alone(folder: Path) -> None:
    text = (folder / "study.yaml").read_text()
    (folder / "study.yaml").write_text(text.replace("study: SMALL", "study: OTHER"))
    with pytest.raises(OutputError, match="holds results of the study 'SMALL', not of 'OTHER'"):
        run_study(read_study(folder / "study.yaml"), folder / "r")


def test_the_command(folder: Path) -> None:
    call = lambda *more: CliRunner().invoke(  # noqa: E731
        app, ["status", str(folder / "study.yaml"), "--out", str(folder / "r"), *more]
    )
    result = call()
    assert result.exit_code == 0
    assert result.output == "2 tubes: 2 done, 0 stale, 0 failed, 0 missing\ntables and report: up to date\n"
    (folder / "fcs" / f"{TREG}.fcs").write_bytes(b"junk")
    (folder / "r" / "tubes" / "P009").mkdir()
    result = call("--all")
    assert result.exit_code == 1
    assert result.output.splitlines() == [
        "stale    P001-BL-TREG  file",
        "done     P002-BL-TREG",
        "left     P009  is not in the samples sheet; the next run removes it",
        "2 tubes: 1 done, 1 stale, 0 failed, 0 missing",
        "tables and report: up to date",
    ]
    told = json.loads(call("--json").output)
    assert told["summary"] == {"tubes": 2, "done": 1, "stale": 1, "failed": 0, "missing": 0}
    assert told["tubes"][0] == {"tube_id": TREG, "state": "stale", "why": "file"}
