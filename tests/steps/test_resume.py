"""A run that is killed, starved or refused leaves whole files, and the next one ends with the same bytes."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import random
import shutil
import signal
import time
from pathlib import Path

import pytest
from batch_helpers import digest, start

from il2cyto.errors import OutputError
from il2cyto.provenance import atomic_path, no_room, sweep, write_text
from il2cyto.provenance.lock import hold, holder
from il2cyto.steps.folder import lock_holder, results_folder
from il2cyto.steps.pool import Task, gate_tubes
from il2cyto.steps.run import finish_study, run_study
from il2cyto.steps.tube import TubeOutcome
from il2cyto.steps.worker import Worker
from il2cyto.study import read_study

KILLS = 3


@pytest.fixture(scope="module")
def few(fixed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight tubes of the trial: two subjects at baseline."""
    folder = tmp_path_factory.mktemp("few") / "s"
    shutil.copytree(fixed, folder)
    lines = (folder / "samples.csv").read_text().splitlines()
    kept = [line for line in lines if line.startswith(("tube_id", "P001-BL", "P002-BL"))]
    (folder / "samples.csv").write_text("\n".join(kept) + "\n")
    serum = (folder / "serum.csv").read_text().splitlines()
    (folder / "serum.csv").write_text(
        "\n".join([x for x in serum if ",M1," not in x and x[:4] not in ("P003", "P004")])
    )
    dosing = (folder / "dosing.csv").read_text().splitlines()
    (folder / "dosing.csv").write_text("\n".join([x for x in dosing if x[:4] not in ("P003", "P004")]) + "\n")
    return folder


@pytest.fixture(scope="module")
def undisturbed(few: Path) -> dict[str, str]:
    summary = run_study(read_study(few / "study.yaml"), few / "r")
    assert (summary.n_gated, summary.exit_code) == (8, 0)
    return digest(few / "r")


def test_killed_runs_go_on(few: Path, undisturbed: dict[str, str], tmp_path: Path) -> None:
    random.seed(5)
    out = tmp_path / "r"
    for _ in range(KILLS):
        process = start("run", few / "study.yaml", "--out", out, "--jobs", "2")
        until = time.monotonic() + 60
        before = len(list(out.glob("tubes/*/result.json")))
        while process.poll() is None and len(list(out.glob("tubes/*/result.json"))) <= before:
            assert time.monotonic() < until
            time.sleep(0.02)
        time.sleep(random.uniform(0, 0.2))
        # on a fast machine the last of them may be done before it is killed
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    summary = run_study(read_study(few / "study.yaml"), out)
    assert summary.exit_code == 0
    assert digest(out) == undisturbed


class _Doomed(Worker):
    """A worker that is killed when it is given a certain tube, as by the system when memory runs out."""

    victim = "P002-BL-NK"
    times = 1
    sent: tuple[tuple[str, int], ...] = ()

    def send(self, record, known, threads):  # type: ignore[no-untyped-def]
        type(self).sent += ((record.tube_id, threads),)
        if record.tube_id == self.victim and type(self).times:
            type(self).times -= 1
            self.process.kill()
            self.process.join()
        super().send(record, known, threads)


@pytest.fixture
def doomed(monkeypatch: pytest.MonkeyPatch) -> type[_Doomed]:
    monkeypatch.setattr("il2cyto.steps.pool.Worker", _Doomed)
    monkeypatch.setattr("il2cyto.steps.pool.allowed_cores", lambda: 2)
    _Doomed.times, _Doomed.sent = 1, ()
    return _Doomed


def test_a_worker_killed_once_costs_nothing(
    few: Path, undisturbed: dict[str, str], tmp_path: Path, doomed: type[_Doomed]
) -> None:
    summary = run_study(read_study(few / "study.yaml"), tmp_path / "r", jobs=2)
    assert summary.n_gated == 8
    assert digest(tmp_path / "r") == undisturbed
    names = [name for name, _ in doomed.sent]
    # the second attempt comes when everything else is done, with all the cores
    assert names.count(doomed.victim) == 2
    assert doomed.sent[-1] == (doomed.victim, 2)


def test_a_worker_killed_twice_sets_its_tube_aside(few: Path, tmp_path: Path, doomed: type[_Doomed]) -> None:
    doomed.times = 2
    summary = run_study(read_study(few / "study.yaml"), tmp_path / "r", jobs=1, isolate=True)
    assert (summary.n_gated, summary.n_failures, summary.exit_code) == (7, 1, 1)
    told = (tmp_path / "r" / "failures.csv").read_text()
    assert "P002-BL-NK: the process that gated it was killed, twice" in told
    missing = (tmp_path / "r" / "missing_populations.csv").read_text()
    assert missing.count("P002-BL-NK") > 5
    again = run_study(read_study(few / "study.yaml"), tmp_path / "r")
    assert (again.n_reused, again.n_gated) == (7, 8)


def test_cores_are_never_oversubscribed(few: Path, tmp_path: Path, doomed: type[_Doomed]) -> None:
    doomed.times = 0
    records = read_study(few / "study.yaml").records[:3]
    assert len(list(gate_tubes([Task(r) for r in records], tmp_path, jobs=8))) == 3
    assert [threads for _, threads in doomed.sent] == [1, 1, 1]
    assert len(list(gate_tubes([Task(records[0])], tmp_path, jobs=8))) == 1
    assert doomed.sent[-1][1] == 2


def test_a_full_disk_is_one_error_and_the_run_goes_on_later(
    few: Path, undisturbed: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = read_study(few / "study.yaml")
    whole = Path.write_bytes
    room = 5

    def write(path: Path, content: bytes) -> int:
        nonlocal room
        room -= 1
        if room < 0:
            whole(path, content[: len(content) // 2])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        return whole(path, content)

    for left in (5, 15, 6):
        room = left
        monkeypatch.setattr(Path, "write_bytes", write)
        with pytest.raises(OutputError, match=r"no space left on device\)\. What was finished is kept; make room"):
            run_study(study, tmp_path / "r")
        monkeypatch.undo()
    assert not [path for path in tmp_path.rglob("*") if path.name.startswith(".il2cyto-part")]
    run_study(study, tmp_path / "r")
    assert digest(tmp_path / "r") == undisturbed


def test_hdf5_tells_of_a_full_disk_in_its_own_words() -> None:
    told = "[Errno 28] Can't write data (file write failed: errno = 28, error message = 'No space left on device')"
    assert no_room(OSError(told)) == "no space left on device"
    wrapped = RuntimeError("while writing /X")
    wrapped.__cause__ = OSError(errno.EDQUOT, "quota")
    assert no_room(wrapped) == os.strerror(errno.EDQUOT).lower()
    assert no_room(ValueError("no space left")) == ""


def test_a_file_too_large_for_the_disk_stops_the_command(few: Path, tmp_path: Path) -> None:
    """A limit on the size of files stands for a disk that is full for the pictures and not for the rest."""
    import resource

    limited = (resource.RLIMIT_FSIZE, (20_000, 20_000))
    pid = os.fork()
    if pid == 0:
        resource.setrlimit(*limited)
        process = start("run", few / "study.yaml", "--out", tmp_path / "r", "--jobs", "2")
        _, told = process.communicate()
        whole = (
            "cannot be written (file too large)" in told and "goes on from there" in told and "Traceback" not in told
        )
        os._exit(0 if process.returncode == 2 and whole else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_a_second_run_is_refused_and_told_of_the_first(few: Path, tmp_path: Path) -> None:
    study = read_study(few / "study.yaml")
    out = tmp_path / "r"
    with (
        results_folder(out, study.id, "il2cyto run"),
        pytest.raises(OutputError, match=rf"in use by process {os.getpid()} on .*\(il2cyto run\), since 20..-..-..T"),
        results_folder(out, study.id, "il2cyto visits"),
    ):
        pytest.fail("two at once")
    assert lock_holder(out) is None
    with (
        results_folder(out, study.id, "il2cyto tube", shared=True),
        results_folder(out, study.id, "il2cyto tube", shared=True),
        pytest.raises(OutputError, match="in use by another process"),
    ):
        run_study(study, out)


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    pid = os.fork()
    if pid == 0:
        with hold(tmp_path / "lock", "test", of=tmp_path):
            (tmp_path / "held").touch()
            time.sleep(60)
    while not (tmp_path / "held").exists():
        time.sleep(0.01)
    found = holder(tmp_path / "lock")
    assert found is not None
    assert found.pid == pid
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    assert holder(tmp_path / "lock") is None
    with hold(tmp_path / "lock", "test", of=tmp_path):
        assert json.loads((tmp_path / "lock").read_text())["pid"] == os.getpid()
    assert (tmp_path / "lock").read_text() == ""


def test_leftovers_are_swept_and_nothing_else(few: Path, tmp_path: Path) -> None:
    out = tmp_path / "r"
    with results_folder(out, "DEMO", "a"):
        (out / "tubes" / "T").mkdir()
    victims = [out / ".il2cyto-part-x.csv", out / "tubes" / "T" / ".il2cyto-part-y.json"]
    victims += [out / name / ".il2cyto-part-z.json" for name in ("learnt", "normalisation")]
    kept = [out / "counts.csv", out / "tubes" / "T" / "result.json", out / ".il2cyto-other"]
    for path in (*victims, *kept):
        path.parent.mkdir(exist_ok=True)
        path.touch()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / ".il2cyto-part-z").touch()
    (out / "tubes" / "link").symlink_to(tmp_path / "elsewhere")
    with results_folder(out, "DEMO", "b"):
        assert not any(path.exists() for path in victims)
        assert all(path.exists() for path in (*kept, tmp_path / "elsewhere" / ".il2cyto-part-z"))
    assert sweep(tmp_path / "nowhere") == 0


def test_what_is_being_written_can_be_told_from_results(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "counts.csv") as temporary:
        temporary.touch()
        assert temporary.name.startswith(".il2cyto-part-")
        assert temporary.suffix == ".csv"
        assert sweep(tmp_path) == 1
        write_text(temporary, "x")


@pytest.mark.parametrize("name", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_run_says_how_to_go_on(few: Path, tmp_path: Path, name: signal.Signals) -> None:
    # on a busy machine a run may end before the signal reaches it
    for attempt in range(5):
        out = tmp_path / f"r{attempt}"
        process = start("run", few / "study.yaml", "--out", out, "--jobs", "2")
        while process.poll() is None and not list(out.glob("tubes/*/result.json")):
            time.sleep(0.02)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, name) if name == signal.SIGINT else process.send_signal(name)
        _, told = process.communicate(timeout=60)
        if process.returncode != 0:
            break
    assert process.returncode == 130
    assert "of 8 tubes are done and kept; the same command goes on from here:" in told
    assert f"--out {out} --jobs 2" in told
    assert "Traceback" not in told
    assert not [path for path in out.rglob("*") if path.name.startswith(".il2cyto-part")]
    assert lock_holder(out) is None


def test_tubes_and_tables_as_single_steps(few: Path, tmp_path: Path) -> None:
    folder, out = tmp_path / "s", tmp_path / "r"
    shutil.copytree(few, folder, ignore=shutil.ignore_patterns("r"))
    study = folder / "study.yaml"
    study.write_text(study.read_text(encoding="utf-8").replace("gates: {learn: false}\n", ""), encoding="utf-8")
    ids = [record.tube_id for record in read_study(study).records]
    early = start("tube", study, ids[0], "--out", out)
    early.communicate()
    assert early.returncode == 2
    learn = start("learn", study, "--out", out, "--jobs", "1")
    learn.communicate()
    assert learn.returncode in (0, 1)
    shutil.copytree(out, tmp_path / "at once")
    run_study(read_study(study), tmp_path / "at once")
    processes = [start("tube", study, *ids[i::2], "--out", out, "--jobs", "1") for i in range(2)]
    for process in processes:
        process.communicate()
        assert process.returncode == 0
    assert not (out / "counts.csv").exists()
    assert finish_study(read_study(study), out).exit_code == 0
    assert digest(out) == digest(tmp_path / "at once")


def test_tables_of_half_a_study(few: Path, tmp_path: Path) -> None:
    out = tmp_path / "r"
    study = read_study(few / "study.yaml")
    run_study(study, out)
    shutil.rmtree(out / "tubes" / "P001-BL-NK")
    summary = finish_study(study, out)
    assert (summary.n_gated, summary.n_failures, summary.exit_code) == (7, 1, 1)
    told = "P001-BL-NK: has no result that is up to date; gate it with `il2cyto tube` or `il2cyto run`"
    assert told in (out / "failures.csv").read_text()


def test_an_unforeseen_error_costs_its_tube(few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from il2cyto.steps import tube

    real = tube.tube_pictures

    def broken(result: object, tube_id: str, course: object) -> object:
        if tube_id == "P001-BL-NK":
            raise ZeroDivisionError("Lee, Ann")
        return real(result, tube_id, course)  # type: ignore[arg-type]

    monkeypatch.setattr(tube, "tube_pictures", broken)
    seen: list[TubeOutcome] = []
    summary = run_study(read_study(few / "study.yaml"), tmp_path / "r", tube_done=seen.append)
    assert (summary.n_gated, summary.exit_code) == (7, 1)
    error = next(outcome.error for outcome in seen if outcome.error is not None)
    assert "ZeroDivisionError: Lee, Ann (unexpected" in error.message
    log = (tmp_path / "r" / "il2cyto.log").read_text()
    assert "il2cyto/steps/tube.py" in log
    assert "Lee" not in log + (tmp_path / "r" / "failures.csv").read_text()
    assert "Lee, Ann" in (tmp_path / "r" / "paths.csv").read_text()
