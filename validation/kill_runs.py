"""Kill runs at random moments, in four ways, and compare every result with that of an undisturbed run.

    python validation/kill_runs.py [--kills 32] [--seed 1] [--subjects 2]

A small trial is simulated and run undisturbed, with one job. Then runs of the same study are disturbed again and again
in one results folder, which is emptied whenever a run comes to its end before it is hit:

group
    SIGKILL to the run and all its workers, at a random moment: by the clock, or a split second after a random file has
    come into being, so that the moments in which files are written are hit often.
main
    SIGKILL to the main process alone; its workers must neither live on nor write beside the next run.
worker
    SIGKILL to one worker, as the memory killer of the system does; the run must go on and end by itself.
disk
    No file can grow beyond a random size, as on a full disk; the run must end with one clear message and exit code 2.

After each disturbance, every file that stands is whole: result files of tubes are true to their own hash. A cycle has
`--per-cycle` disturbances, and ends with one run more, with one job or two, which must not be refused and must give the
same bytes in every file except ``audit.jsonl`` and ``il2cyto.log``; the audit log must verify.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from il2cyto.simulate import simulate_trial
from il2cyto.steps.results import read_folder

KINDS = ("group", "main", "worker", "disk")
EXEMPT = ("audit.jsonl", "il2cyto.log")


def digest(folder: Path) -> dict[str, str]:
    """Hash of every result; the log, the audit log and the working state in the hidden folder are exempt."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in EXEMPT and ".il2cyto" not in path.parts
    }


def start(study: Path, out: Path, jobs: int, limit: int | None = None) -> subprocess.Popen[str]:
    """Start a run in a process group of its own, where no file can grow beyond `limit` bytes."""
    return subprocess.Popen(
        [sys.executable, "-m", "il2cyto", "run", str(study), "--out", str(out), "--jobs", str(jobs)],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=None if limit is None else lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )


def workers(pid: int) -> list[int]:
    """Processes that a run has started and that gate."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            command = Path(f"/proc/{child}/cmdline").read_bytes()
            found += [int(child)] if b"spawn_main" in command else []
    return found


def pause(process: subprocess.Popen[str], out: Path, names: list[str], span: float, chance: random.Random) -> bool:
    """Wait for a random moment; return whether the run still goes on then."""
    if chance.random() < 0.25:
        awaited, further = "", chance.uniform(0.0, span)
    else:
        awaited, further = chance.choice(names), chance.expovariate(4.0)
    before = stamp(out / awaited)
    while awaited and process.poll() is None and stamp(out / awaited) == before:
        time.sleep(0.005)
    try:
        process.wait(further)
    except subprocess.TimeoutExpired:
        return True
    return False


def stamp(path: Path) -> tuple[int, int]:
    """Whether a file is there, and which one."""
    try:
        found = path.stat()
    except OSError:
        return (0, 0)
    return (found.st_ino, found.st_mtime_ns)


def disturb(kind: str, study: Path, out: Path, names: list[str], jobs: int, span: float, chance: random.Random) -> str:
    """Disturb one run; return what happened, ``""`` if it had ended before it was hit."""
    if kind == "disk":
        limit = chance.choice([2_000, 20_000, 60_000, 100_000, 150_000, 250_000, 400_000])
        process = start(study, out, jobs, limit)
        _, told = process.communicate()
        if process.returncode == 0:
            return ""
        assert process.returncode == 2, told
        assert "cannot be written" in told, told
        assert "Traceback" not in told, told
        return f"no file beyond {limit} bytes"
    process = start(study, out, jobs)
    if not pause(process, out, names, span, chance):
        process.communicate()
        return ""
    try:
        if kind == "worker":
            victims = workers(process.pid)
            if victims:
                os.kill(chance.choice(victims), signal.SIGKILL)
            process.communicate()
            assert process.returncode == 0, "a run must outlive one worker"
            return "one worker" if victims else ""
        if kind == "main":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return ""
    process.communicate()
    tubes = len(list(out.glob("tubes/*/result.json")))
    parts = list(out.rglob(".il2cyto-part-*"))
    tables = [path for path in out.glob("*") if path.is_file() and path.name not in EXEMPT and path not in parts]
    return f"with {tubes} tubes and {len(tables)} tables written{', and a file in writing' if parts else ''}"


def whole(out: Path) -> None:
    """Every result of a tube that stands is true to its own hash, with the pictures that belong to it."""
    for folder in sorted(out.glob("tubes/*")):
        assert not read_folder(folder, pictures=True).damaged, folder.name


def empty(out: Path) -> None:
    """Take all results away."""
    for path in sorted(out.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()


def main() -> None:
    """Print what was done and what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--kills", type=int, default=32)
    parser.add_argument("--per-cycle", type=int, default=4)
    parser.add_argument("--subjects", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        simulate_trial(
            folder / "trial", n_subjects=options.subjects, visits=("BL",), seed=3, lymphocytes=2_000,
            tbnk_lymphocytes=2_000, missing_visits=0,
        )  # fmt: skip
        study = folder / "trial" / "study.yaml"
        began = time.monotonic()
        assert start(study, folder / "undisturbed", 1).wait() == 0
        span = time.monotonic() - began
        expected = digest(folder / "undisturbed")
        # results of tubes as often as everything that is made of them
        tubes = [name for name in expected if name.startswith("tubes/") and name.endswith("result.json")]
        moments = [*tubes, *tubes, *(name for name in expected if "/" not in name)]
        n_tubes = len(list((folder / "undisturbed" / "tubes").iterdir()))
        print(f"{n_tubes} tubes, {len(expected)} result files; an undisturbed run takes {span:.0f} s", flush=True)
        out = folder / "disturbed"
        hits: Counter[str] = Counter()
        ended = compared = 0
        plan = [KINDS[i % len(KINDS)] for i in range(options.kills)]
        chance.shuffle(plan)
        while plan:
            cycle, plan = plan[: options.per_cycle], plan[options.per_cycle :]
            for kind in cycle:
                happened = ""
                while not happened:
                    happened = disturb(kind, study, out, moments, chance.choice([1, 2]), span, chance)
                    whole(out)
                    if not happened:
                        ended += 1
                    if not happened or kind == "worker":
                        assert digest(out) == expected, "a run that was not hit, or outlived it, differs"
                        empty(out)
                hits[kind] += 1
                print(f"{sum(hits.values()):3d}  {kind:<7} {happened}", flush=True)
            jobs = chance.choice([1, 2])
            assert start(study, out, jobs).wait() == 0
            found = digest(out)
            differing = sorted(name for name in {*found, *expected} if found.get(name) != expected.get(name))
            assert not differing, f"differ after {cycle}: {differing}"
            verified = subprocess.run(
                [sys.executable, "-m", "il2cyto", "audit", "verify", str(out)],
                capture_output=True,
                text=True,
                check=False,
            )
            assert verified.returncode == 0, verified.stdout + verified.stderr
            compared += 1
            print(
                f"     {len(found)} files as in the undisturbed run, --jobs {jobs}; audit log verified",
                flush=True,
            )
            empty(out)
        told = ", ".join(f"{hits[kind]} {kind}" for kind in KINDS)
        print(f"{sum(hits.values())} disturbances ({told}), {ended} runs ended before they were hit; "
              f"{compared} comparisons of {len(expected)} files, none differed")  # fmt: skip


if __name__ == "__main__":
    main()
